"""The style of the house, as far as a machine can see it. Each message says what to do instead."""

import ast
import re
import sys

from tests import house

LINES_MAX = 400
"""Of a module. Longer ones are the files that nobody reads whole; split where two nouns meet."""

FUNCTION_LINES_MAX = 70
"""Of a function: what fits on a screen."""

DOC_LINES_MAX = 300
"""Of a page of documentation."""

BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "base"}

PRESENT = {
    ("time", "time"): "Clock.now()",
    ("time", "time_ns"): "Clock.now()",
    ("datetime", "now"): "datetime.fromtimestamp(clock.now(), UTC)",
    ("datetime", "utcnow"): "datetime.fromtimestamp(clock.now(), UTC)",
    ("datetime", "today"): "datetime.fromtimestamp(clock.now(), UTC)",
    ("date", "today"): "datetime.fromtimestamp(clock.now(), UTC).date()",
}
"""How the present must not be read, and what to call instead."""

MAY_READ_THE_PRESENT = ("crisp_status/clock.py", "crisp_status/reporter")
"""The clock itself, and the library that stands alone."""

LEFTOVERS = ["FIX" + "ME", "TO" + "DO", "X" * 3, "HA" + "CK"]

MACHINES = [
    r"/wo" + r"rk/(main|shared)\b",
    r"/ro" + "ot/",
    r"/tmp/" + "team",
    r"/opt/" + "wheels",
    r"files\.python" + "hosted",
    r"pypi\.org/" + "simple",
    r"registry\.npm" + "js",
    r"--?(extra-)?" + "index-url",
    r"find" + "-links",
    r'"resolved": *"' + "http",
]
"""Paths of one machine and addresses of registries: they differ elsewhere, so nothing of ours may know them."""


def functions(tree):
    """Every function of a syntax tree."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def complain(problems):
    """Fail with everything that is wrong, one a line."""
    assert not problems, "\n" + "\n".join(problems)


def test_modules_are_short():
    """No module has more than 400 lines."""
    complain(
        [
            f"{name}: {text.count(chr(10))} lines; split it, at most {LINES_MAX}"
            for name, text in house.texts().items()
            if name.endswith(".py") and name.startswith("crisp_status/") and text.count("\n") > LINES_MAX
        ]
    )


def test_functions_are_short():
    """No function has more than 70 lines."""
    complain(
        [
            f"{name}:{node.lineno}: {node.name}() has {node.end_lineno - node.lineno + 1} lines, at most {FUNCTION_LINES_MAX}"
            for name, tree in house.modules().items()
            for node in functions(tree)
            if node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
        ]
    )


def test_names_mean_something():
    """No module or room is called by a word that could mean anything."""
    complain(
        [
            f"{name}: no module is called like that; name it after the noun it is about"
            for name in house.modules()
            if BANNED_NAMES & {part.removesuffix(".py").strip("_") for part in name.split("/")}
        ]
    )


def test_the_present_is_read_in_one_place():
    """Only clock.py reads the wall clock; all others are given a time, or a Clock."""
    complain(
        [
            f"{name}:{node.lineno}: {node.value.id}.{node.attr} reads the present; call {PRESENT[node.value.id, node.attr]}"
            for name, tree in house.modules().items()
            if not name.startswith(MAY_READ_THE_PRESENT)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in PRESENT
        ]
    )
    complain(
        [
            f"{name}:{node.lineno}: import time, not names out of it, so that this test can see who reads the present"
            for name, tree in house.modules().items()
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "time"
        ]
    )


def test_no_cancellation_is_swallowed():
    """Until Python 3.12 `asyncio.wait_for` forgets a cancellation that comes with its result: a loop then never ends."""
    complain(
        [
            f"{name}:{node.lineno}: asyncio.wait_for may swallow a cancellation; use `async with asyncio.timeout(…)`"
            for name, tree in house.modules().items()
            if name.startswith("crisp_status/")
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr == "wait_for"
        ]
    )


def test_only_commands_print():
    """What is said goes through the log; only the commands of cli/ print."""
    complain(
        [
            f"{name}:{node.lineno}: print() outside cli/; use crisp_status.log"
            for name, tree in house.modules().items()
            if not name.startswith("crisp_status/cli/")
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
    )


def test_every_module_says_what_it_is():
    """Every module, of the program and of its tests, opens with a docstring."""
    complain(
        [
            f"{name}: say in a docstring what this module is"
            for folder in ("crisp_status", "tests", "benchmarks", "packaging")
            for name, tree in house.modules(folder).items()
            if not ast.get_docstring(tree) and tree.body
        ]
    )


def test_every_test_is_a_claim():
    """The docstring of a test says what it claims."""
    complain(
        [
            f"{name}:{node.lineno}: {node.name}: say in a docstring what this test claims"
            for name, tree in house.modules("tests").items()
            for node in functions(tree)
            if node.name.startswith("test_") and not ast.get_docstring(node)
        ]
    )


def test_nothing_is_left_for_later():
    """Reminders live in the issues, not in the files."""
    word = re.compile(rf"\b({'|'.join(LEFTOVERS)})\b")
    complain(
        [
            f"{name}:{text[: found.start()].count(chr(10)) + 1}: {found[0]}: do it now, or file an issue"
            for name, text in house.texts().items()
            for found in word.finditer(text)
        ]
    )


def test_no_machine_and_no_registry_is_named():
    """No tracked file knows a path of somebody's machine or the address of a package registry."""
    pattern = re.compile("|".join(MACHINES))
    complain(
        [
            f"{name}:{text[: found.start()].count(chr(10)) + 1}: {found[0]}: true on one machine only, take it out"
            for name, text in house.texts().items()
            for found in pattern.finditer(text)
        ]
    )


def test_generated_things_are_not_kept():
    """No compiled file, no database, no lock of a registry, nothing large."""
    complain(
        [
            f"{path.relative_to(house.ROOT)}: generated or too large for git"
            for path in house.files()
            if path.suffix in {".pyc", ".db", ".sqlite", ".so", ".whl"}
            or path.name == "package-lock.json"
            or path.stat().st_size > 1_000_000
        ]
    )


def test_the_reporter_needs_nothing():
    """The library for people's applications imports the standard library, itself, and psutil when it is there."""
    allowed = sys.stdlib_module_names | {"psutil"}
    complain(
        [
            f"{name}:{node.lineno}: imports {wanted}; the reporter stands alone"
            for name, tree in house.modules("crisp_status/reporter").items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.level == 0)
            for wanted in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
            if wanted.split(".")[0] not in allowed and not wanted.startswith("crisp_status.reporter")
        ]
    )


def test_pages_of_documentation_are_short_and_titled():
    """Every page opens with one title and ends before 300 lines."""
    pages = {name: text for name, text in house.texts().items() if name.endswith(".md")}
    complain([f"{name}: open with `# Title`" for name, text in pages.items() if not text.startswith("# ")])
    complain(
        [
            f"{name}: {text.count(chr(10))} lines; split it, at most {DOC_LINES_MAX}"
            for name, text in pages.items()
            if name != "CHANGELOG.md" and text.count("\n") >= DOC_LINES_MAX
        ]
    )


def test_contributing_is_one_page():
    """What a newcomer has to know fits on one page."""
    assert house.texts()["CONTRIBUTING.md"].count("\n") <= 75


def test_the_changelog_is_for_people():
    """Newest first; each version with its date; under it one finished sentence a line."""
    lines = house.texts()["CHANGELOG.md"].splitlines()
    assert lines[0] == "# Changes"
    headings = [line for line in lines if line.startswith("## ")]
    assert headings
    complain(
        [
            f"CHANGELOG.md: {heading!r} should be `## Not released yet` or `## 1.2.3 (2026-12-31)`"
            for heading in headings
            if not re.fullmatch(r"## (Not released yet|\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\))", heading)
        ]
    )
    versions = [
        tuple(map(int, found[1].split("."))) for found in map(re.compile(r"## ([\d.]+) ").match, headings) if found
    ]
    assert versions == sorted(versions, reverse=True)
    complain(
        [
            f"CHANGELOG.md:{number}: one finished sentence a line: {line!r}"
            for number, line in enumerate(lines, 1)
            if line.startswith("- ") and not line.endswith(".")
        ]
    )


def test_constraints_are_names_versions_and_hashes():
    """What is installed is pinned and hashed, and nothing says where it came from."""
    line = re.compile(r"([a-z0-9.-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?)")
    for name in ("constraints.txt", "constraints-dev.txt"):
        complain([f"{name}: {text!r}" for text in house.texts()[name].splitlines() if not line.fullmatch(text)])


def test_what_runs_is_part_of_what_is_tested():
    """The daemon's dependencies are the same versions with and without the tools of developers."""
    pins = {
        name: set(re.findall(r"^(\S+==\S+)", house.texts()[name], re.MULTILINE))
        for name in ("constraints.txt", "constraints-dev.txt")
    }

    assert pins["constraints.txt"] - pins["constraints-dev.txt"] == set()
