"""The documentation is complete: what can be written, asked and typed is explained, and every link leads somewhere."""

import ast
import re
import typing

import pytest
import tomli

from crisp_status import kinds
from crisp_status.config.model import Config
from crisp_status.config.schema import Strict
from tests import house

PAGES = {name: text for name, text in house.texts().items() if name.startswith("docs/") and name.endswith(".md")}
ALL = "\n".join(PAGES.values())
HEADINGS = [line.lstrip("#").strip().lower() for line in ALL.splitlines() if line.startswith("#")]

NOT_DOORS = {"/", "/dev/null"}
"""Paths in the code that nobody asks for."""


def models(annotation):
    """Every configuration model inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models(part)


def fields(model, above=""):
    """Every key of a configuration model, with the table it stands in."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue  # filled in by the program
        yield above, field.alias or name
        for inner in models(field.annotation):
            yield from fields(inner, f"{above}.{name}".lstrip("."))


def every_key():
    """Every key that the file may have, those of kinds included."""
    yield from fields(Config)
    for room, found in (("probes", kinds.probes()), ("channels", kinds.channels())):
        for name, kind in found.items():
            yield from ((f"{room}/{name}", key) for _, key in fields(kind.Options))


def doors():
    """Every path pattern that the code registers, with its arguments as `{}`."""
    for name, tree in house.modules().items():
        if not name.startswith(("crisp_status/web/", "crisp_status/page/", "crisp_status/reports/")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {
                "add",
                "Route",
            }:
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                for value in given:
                    if isinstance(value, ast.Constant) and re.fullmatch(r"/[\w.{}/-]*", str(value.value)):
                        yield re.sub(r"\{\w*\}", "{}", value.value)


def commands():
    """Every command: a file in cli/ is one."""
    files = (house.PACKAGE / "cli").glob("*.py")
    return sorted(path.stem.replace("_", "-") for path in files if not path.stem.startswith("_"))


def explained(key):
    """Whether the documentation has the key in code: alone, in the name of a table, or with a value."""
    word = re.escape(key)
    return re.search(rf"`(\[+[\w.]*)?{word}(\]+)?`|\b{word} = ", ALL) is not None


def complain(problems):
    """Fail with everything that is missing, one a line."""
    assert not problems, "\n" + "\n".join(sorted(set(problems)))


def test_the_example_loads_and_watches_itself():
    """config.example.toml is right as it stands, and looks over HTTP, TCP and ICMP."""
    from crisp_status.config.load import load

    config = load(house.ROOT / "config.example.toml", kinds.rooms(), environ={})

    text = repr(config.services)
    assert all(f"{scheme}://" in text for scheme in ("http", "tcp", "icmp"))


def test_the_example_shows_every_key():
    """Each key of the configuration stands in config.example.toml, perhaps as a comment."""
    text = house.texts()["config.example.toml"]
    complain(
        [
            f"config.example.toml: {where}: show `{key}`"
            for where, key in every_key()
            if not re.search(rf"(^|[\s{{,\[.#]){re.escape(key)}(\s*=|[\].]|\s*$)", text, re.MULTILINE)
        ]
    )


def test_the_commented_keys_of_the_example_are_toml():
    """A commented key can be used by taking the `#` away: what stands there is valid TOML."""
    for line in house.texts()["config.example.toml"].splitlines():
        if re.match(r"#\s?[a-z_]+ = ", line):
            tomli.loads(line.removeprefix("#").strip())


def test_every_key_is_documented():
    """Each key of the configuration is explained in docs/."""
    complain([f"docs: {where}: explain `{key}`" for where, key in every_key() if not explained(key)])


def test_every_door_is_documented():
    """Each path that can be asked over HTTP is explained in docs/."""
    text = re.sub(r"\{[^{}\s]*\}", "{}", ALL)
    complain([f"docs: explain {door}" for door in doors() if door not in NOT_DOORS and door not in text])


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command):
    """Each command is shown as it is typed."""
    assert f"crisp-status {command}" in ALL


def test_no_command_is_invented():
    """What the documentation types, there is."""
    typed = set(re.findall(r"(?:^|[`/])crisp-status (?:-\S+ )*([a-z][\w-]*)", ALL, re.MULTILINE))
    assert typed <= set(commands())


@pytest.mark.parametrize("kind", [*kinds.probes(), *kinds.channels(), *kinds.reports()])
def test_every_kind_has_a_heading(kind):
    """Each way to look, to be told and to tell has its own section."""
    assert any(re.search(rf"\b{kind}\b", heading) for heading in HEADINGS), f"docs: give `{kind}` a heading"


def test_links_lead_somewhere():
    """Every link between files of this repository names one that is there, and a heading that is in it."""
    problems = []
    for name, text in house.texts().items():
        if not name.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            found = (house.ROOT / name).parent / path if path else house.ROOT / name
            if not found.exists():
                problems.append(f"{name}: {target} leads nowhere")
            elif anchor and anchor not in anchors(found.read_text("utf-8")):
                problems.append(f"{name}: {target}: there is no such heading")
    complain(problems)


def anchors(text):
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
