"""Names and modules of the house: one word has one meaning, and no module needs itself.

The lists of exceptions only shrink: who renames one, or cuts a circle, takes its line out. Nothing is ever added.
"""

import ast

from tests import house

PLUG_ROOMS = {"probes", "channels", "reports", "importers", "cli"}
"""Rooms in which the name of a file is the name that people write: a kind, a dialect, a command."""

SAME_FILES = {
    "certificate": "net/certificate.py, probes/_certificate.py",
    "files": "files.py, importers/_files.py",
    "history": "app/history.py, importers/_history.py, view/history.py",
    "incidents": "console/incidents.py, core/incidents.py",
    "notices": "console/notices.py, core/notices.py",
    "past": "core/past.py, view/past.py",
    "policy": "core/policy.py, look/policy.py",
    "receivers": "app/receivers.py, core/receivers.py",
}
"""Base names of files that still stand for several things."""

CONTRACT_CLASSES = {"Options"}
"""What the contract of a plug room calls the same in every kind."""

BANNED = frozenset(
    (
        *("tongue", "tale", "tales", "told", "tell", "hush", "hurt", "kept", "asks", "heads", "ready", "act", "said"),
        *("words", "people", "desk", "door", "doors", "gate", "prompt", "alibi", "letter", "weak", "later", "hidden"),
    )
)
"""Words of a private language; CONTRIBUTING and the design name the ones to use instead."""


def complain(problems):
    """Fail with everything that is wrong, one a line."""
    assert not problems, "\n" + "\n".join(problems)


def short(path):
    """`http/server.py` of `crisp_status/http/server.py`."""
    return path.removeprefix("crisp_status/")


def plugged(path):
    """Whether the name of that file is what people write."""
    parts = short(path).split("/")
    return len(parts) == 2 and parts[0] in PLUG_ROOMS and not parts[1].startswith("_")


def test_a_base_name_stands_once():
    """Who looks for a file by its name finds one; kinds and commands aside, whose names are given."""
    found = {}
    for path in house.modules():
        stem = path.rpartition("/")[2].removesuffix(".py").strip("_")
        if stem not in {"init", "main"} and not plugged(path):
            found.setdefault(stem, []).append(short(path))
    complain(
        [
            f"{', '.join(paths)}: the same name for several things; name each after what it alone is about"
            for stem, paths in found.items()
            if len(paths) > 1 and stem not in SAME_FILES
        ]
    )


def test_a_class_name_stands_once():
    """Who reads a class name in a traceback knows which one it is."""
    found = {}
    for path, tree in house.modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(short(path))
    complain(
        [
            f"{', '.join(paths)}: several classes are called {name}; say which in the name"
            for name, paths in found.items()
            if len(paths) > 1 and name not in CONTRACT_CLASSES
        ]
    )


def test_names_are_the_words_of_the_field():
    """No module, class or function has a name that only its author understands."""
    problems = []
    for path, tree in house.modules().items():
        names = {path.rpartition("/")[2].removesuffix(".py")}
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        names |= {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
        wrong = {name for name in names if name.strip("_").lower() in BANNED}
        problems += [f"{path}: {name} is not a word of the field; say what it is or does" for name in sorted(wrong)]
    complain(problems)


def imports():
    """Module → the modules of ours that it imports anywhere, for types alone too."""
    known = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in house.modules()}
    trees = house.modules()
    found = {}
    for module, path in known.items():
        needs = set()
        for node in ast.walk(trees[path]):
            if isinstance(node, ast.Import):
                needs |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                needs |= {name if name in known else node.module for name in inner}
        found[module] = (needs & known.keys()) - {module}
    return found


def reached(graph, start):
    """Every module that one needs, directly or through others."""
    seen, todo = set(), [start]
    while todo:
        new = graph[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def test_no_module_needs_itself():
    """There is no circle of imports, those for types alone and those inside functions counted."""
    graph = imports()
    needs = {module: reached(graph, module) for module in graph}
    circles = {
        frozenset(other for other in needs if other in needs[module] and module in needs[other])
        for module in needs
        if module in needs[module]
    }
    named = [{module.removeprefix("crisp_status.") for module in circle} for circle in circles]
    complain(
        [
            f"{', '.join(sorted(circle))}: these modules need each other; move what both need below them"
            for circle in named
        ]
    )
