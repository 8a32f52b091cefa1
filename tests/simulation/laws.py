"""What must hold after every step, by counting everything anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crisp_status.core.health import worst
from crisp_status.core.model import Node, Replica, State
from crisp_status.view.build import build
from crisp_status.view.page_info import make_info
from tests.simulation.chance import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable

VOLATILE_STATE = {"at", "alive_at"}
VOLATILE_NODE = {"latency", "latency_at", "latency_sum", "latency_n"}
VOLATILE_REPLICA = {"seen_at", "latency_ms", "cpu", "ram", "failures"}
"""Fields that the model calls volatile."""

_STATE = [f for f in State.__struct_fields__ if f not in VOLATILE_STATE | {"nodes"}]
_NODE = [f for f in Node.__struct_fields__ if f not in VOLATILE_NODE | {"replicas"}]
_REPLICA = [f for f in Replica.__struct_fields__ if f not in VOLATILE_REPLICA]

INFO = make_info(name="Acme Status", url="https://status.acme.example/")


class LawBroken(AssertionError):
    """The seed that found it makes it happen again."""


def differences(life: State, replay: State) -> list[str]:
    """Durable fields that are not the same in both; volatile ones may differ."""
    found = _compare("state", life, replay, _STATE)
    if list(life.nodes) != list(replay.nodes):
        found.append(f"nodes: {list(life.nodes)} | {list(replay.nodes)}")
        return found
    for key, node in life.nodes.items():
        other = replay.nodes[key]
        found += _compare(key, node, other, _NODE)
        if list(node.replicas) != list(other.replicas):
            found.append(f"{key}: {list(node.replicas)} | {list(other.replicas)}")
            continue
        for name, replica in node.replicas.items():
            found += _compare(f"{key} {name}", replica, other.replicas[name], _REPLICA)
    return found


def _compare(name: str, one: msgspec.Struct, other: msgspec.Struct, fields: Iterable[str]) -> list[str]:
    return [
        f"{name}.{field}: {str(getattr(one, field))[:400]} | {str(getattr(other, field))[:400]}"
        for field in fields
        if getattr(one, field) != getattr(other, field)
    ]


def check(state: State) -> None:
    """Worst-of, counts and incidents, all counted anew."""
    bad: dict[int, int] = {}
    for key, node in state.nodes.items():
        counts = [0, 0, 0, 0]
        for replica in node.replicas.values():
            counts[replica.health] += 1
            if replica.health.bad:
                _hold(replica.incident in state.open, f"{key} {replica.id} is {replica.health.word} and in no incident")
                bad[replica.incident] = bad.get(replica.incident, 0) + 1
            else:
                _hold(replica.incident == 0, f"{key} {replica.id} is well and still in incident {replica.incident}")
        _hold(counts == node.counts, f"{key}: counts {node.counts}, really {counts}")
        _hold(node.health is worst(counts), f"{key} is {node.health.word} with {counts}")
        _hold(node.unknowns == sum(r.unknown for r in node.replicas.values()), f"{key}: unknowns {node.unknowns}")
        numbers = [r.number for r in node.replicas.values()]
        _hold(len(set(numbers)) == len(numbers), f"{key}: numbers {numbers}")
        _hold(node.unstable == (key in state.unstable), f"{key}: unstable {node.unstable}")
    _check_parents(state)
    for key in state.unstable:
        told = any(key in i.nodes and not i.closed_at for i in state.open.values())
        _hold(told, f"{key} flaps, and is in no open incident")
    for number, incident in state.open.items():
        _hold(incident.bad == bad.get(number, 0), f"incident {number}: bad {incident.bad}, really {bad.get(number, 0)}")
        _hold(incident.bad == sum(h.bad for h in incident.nodes.values()), f"incident {number}: bad by node")
        _hold(incident.bad == sum(incident.services.values()), f"incident {number}: bad by service")
        _hold(not (incident.closed_at and incident.bad), f"incident {number} is over with {incident.bad} bad")
        _hold(incident.opened_at <= incident.seen_at, f"incident {number} opened after it was seen")
    for _, ledger in state.all_ledgers():
        tally = ledger.day
        _hold(min(tally.healthy, tally.sick, tally.dead, tally.maintenance) >= 0.0, f"a tally is negative: {ledger}")


def _check_parents(state: State) -> None:
    counts: dict[str, list[int]] = {key: [0, 0, 0, 0, 0] for key in state.services}
    for key, node in state.nodes.items():
        counts[key.partition("/")[0]][4 if node.maintenance else node.health] += 1
    page = [0, 0, 0, 0, 0]
    for key, service in state.services.items():
        _hold(counts[key] == service.counts, f"{key}: counts {service.counts}, really {counts[key]}")
        _hold(service.health is worst(service.counts), f"{key} is {service.health.word} with {service.counts}")
        page[4 if counts[key][4] and not any(counts[key][:4]) else service.health] += 1
    _hold(page == state.counts, f"page: counts {state.counts}, really {page}")
    _hold(state.health is worst(page), f"the page is {state.health.word} with {page}")


def check_page(state: State, now: float) -> None:
    """Nothing that is hidden is on the page."""
    view = build(state, INFO, now)
    parts = (view.services, view.incidents, view.open, view.announcements, view.maintenances)
    text = msgspec.json.encode(parts).decode()
    place = text.find(SECRET)
    _hold(place < 0, f"the page betrays: …{text[max(0, place - 200) : place + 100]}…")


def _hold(law: bool, broken: str) -> None:
    if not law:
        raise LawBroken(broken)
