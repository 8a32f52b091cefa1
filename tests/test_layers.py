"""Layers with imports for type checking counted, which the contracts in pyproject.toml leave out."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest
import tomli

ROOT = Path(__file__).parent.parent
PACKAGE = "crisp_status"

ROOMS = ("agent", "loops", "look", "net", "probes")
"""Rooms that keep to the layers also with what they import for types alone."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE, cache_dir=None)


def lines() -> dict[str, int]:
    """The line of each room, from the highest layer down."""
    contracts = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {room.strip(): number for number, line in enumerate(layers) for room in line.split("|")}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Modules that import each other, by whatever way (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph.find_modules_directly_imported_by(module)):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            circle = [stack.pop()]
            while circle[-1] != module:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(sorted(circle))

    for module in sorted(graph.modules):
        if module not in index:
            visit(module)
    return found


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_rooms_below_it(graph: grimp.ImportGraph, name: str) -> None:
    """Not even for types does it look up, or to a neighbour."""
    known = lines()
    wrong = [
        f"{module} imports {other}"
        for module in sorted(graph.modules)
        if room(module) == name
        for other in sorted(graph.find_modules_directly_imported_by(module))
        if room(other) not in {name, ""} and known[room(other)] <= known[name]
    ]
    assert not wrong


def test_net_knows_no_probe(graph: grimp.ImportGraph) -> None:
    """How to reach a target is one thing, how to look at it another."""
    wrong = [
        f"{module} imports {other}"
        for module in sorted(graph.modules)
        if room(module) == "net"
        for other in graph.find_modules_directly_imported_by(module)
        if room(other) in {"probes", "look"}
    ]
    assert not wrong


def test_no_circle_of_modules_goes_through_these_rooms(graph: grimp.ImportGraph) -> None:
    """Whoever changes one of them has to read what it imports, and no more."""
    assert not [circle for circle in circles(graph) if any(room(module) in ROOMS for module in circle)]
