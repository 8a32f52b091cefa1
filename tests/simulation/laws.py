"""What must hold after every step, by counting everything anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crisp_status.core.health import worst
from crisp_status.core.model import Health, Node, PlaceState, Replica, State
from crisp_status.core.vote import judge
from crisp_status.view.build import build
from crisp_status.view.page_info import make_info
from tests.simulation.chance import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.core.model import Incident, Message, NoticeNode

VOLATILE_STATE = {"at", "alive_at"}
VOLATILE_NODE = {"slot", "long_open", "latency_from"}
VOLATILE_REPLICA = {"seen_at", "latency_ms", "cpu", "ram", "failures", "samples", "samples_long"}
VOLATILE_PLACE = {"seen_at", "runs", "batch"}
"""Fields that the model calls volatile."""

_STATE = [f for f in State.__struct_fields__ if f not in VOLATILE_STATE | {"nodes", "places"}]
_NODE = [f for f in Node.__struct_fields__ if f not in VOLATILE_NODE | {"replicas"}]
_REPLICA = [f for f in Replica.__struct_fields__ if f not in VOLATILE_REPLICA | {"votes"}]
_PLACE = [f for f in PlaceState.__struct_fields__ if f not in VOLATILE_PLACE]

INFO = make_info(name="Acme Status", url="https://status.acme.example/")


class LawBroken(AssertionError):
    """The seed that found it makes it happen again."""


def differences(life: State, replay: State) -> list[str]:
    """Durable fields that are not the same in both; volatile ones may differ."""
    found = _compare("state", life, replay, _STATE)
    if list(life.places) != list(replay.places):
        return [*found, f"places: {list(life.places)} | {list(replay.places)}"]
    for key, place in life.places.items():
        found += _compare(key, place, replay.places[key], _PLACE)
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
            if _votes(replica) != _votes(other.replicas[name]):
                found.append(f"{key} {name} votes: {replica.votes} | {other.replicas[name].votes}")
    return found


def _compare(name: str, one: msgspec.Struct, other: msgspec.Struct, fields: Iterable[str]) -> list[str]:
    return [
        f"{name}.{field}: {str(getattr(one, field))[:400]} | {str(getattr(other, field))[:400]}"
        for field in fields
        if getattr(one, field) != getattr(other, field)
    ]


def _votes(replica: Replica) -> dict[str, object]:
    """What stands in the journal of them."""
    return {place: (vote.health, vote.since, vote.reason) for place, vote in (replica.votes or {}).items()}


def _check_votes(state: State) -> None:
    """No replica that is seen from places has a health that no quorum gave it; without one it is unknown."""
    for plan in (node for service in state.plan.services for node in service.nodes):
        for replica in state.nodes[plan.key].replicas.values():
            _hold((replica.votes is not None) == bool(plan.places), f"{plan.key} {replica.id}: votes {replica.votes}")
            if replica.votes is None:
                continue
            found = judge(replica.votes, plan.places, plan.quorum)
            if found is None:
                _hold(replica.unknown, f"{plan.key} {replica.id} is known, with {replica.votes}")
            elif found.health is not replica.health:
                held = replica.unknown and replica.health > found.health.bad
                _hold(held, f"{plan.key} {replica.id} is {replica.health.word}, with {replica.votes}")
            for place in replica.votes:
                known = state.places.get(place)
                _hold(place == state.plan.here.id or bool(known and known.heard_since), f"{place} votes unheard")


def check(state: State) -> None:
    """Worst-of, counts and incidents, all counted anew."""
    _check_votes(state)
    bad: dict[int, int] = {}
    for key, node in state.nodes.items():
        counts = [0, 0, 0, 0]
        for replica in node.replicas.values():
            counts[replica.health] += 1
            if replica.health.bad and not (node.maintenance and not replica.incident):
                _hold(replica.incident in state.open, f"{key} {replica.id} is {replica.health.word} and in no incident")
                bad[replica.incident] = bad.get(replica.incident, 0) + 1
            elif not replica.health.bad:
                _hold(replica.incident == 0, f"{key} {replica.id} is well and still in incident {replica.incident}")
        _hold(counts == node.counts, f"{key}: counts {node.counts}, really {counts}")
        _hold(node.health is worst(counts), f"{key} is {node.health.word} with {counts}")
        _hold(node.unknowns == sum(r.unknown for r in node.replicas.values()), f"{key}: unknowns {node.unknowns}")
        numbers = [r.number for r in node.replicas.values()]
        _hold(len(set(numbers)) == len(numbers), f"{key}: numbers {numbers}")
        _hold(bool(node.work_ended_at) == (key in state.unconfirmed), f"{key}: its work ended at {node.work_ended_at}")
        _hold(node.maintenance or not node.work_ended_at, f"{key}: its work ended, and it is not in maintenance")
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


def check_messages(state: State, first: int) -> None:
    """Messages that were made just now, from number `first` on, say what is true of the state they were made from."""
    for message in state.outbox.values():
        incident = state.incident(message.incident)
        if int(message.id.split("-")[1]) < first or incident is None:
            continue
        for told in message.nodes:
            _check_node(state, message, told, incident)
        listed = {told.node for told in message.nodes}
        bad = [key for key, affected in incident.nodes.items() if affected.bad]
        if message.kind in {"opened", "grew", "reminder"}:
            _hold(message.health is max(told.health for told in message.nodes), f"{message}: its health")
            _hold(len(listed) + message.more <= len(bad), f"{message} counts more nodes than the {len(bad)} bad ones")
            others = sum(key not in listed and state.nodes[key].health >= message.health for key in bad)
            _hold(message.others <= others, f"{message} says that others are as bad; really {others}")
        elif message.kind == "partly":
            _hold(bool(bad), f"{message} says that not everything is well, and nothing is bad")
        elif message.kind == "recovered":
            _hold(not bad, f"{message} says that it is over, and these are bad: {bad}")


def _check_node(state: State, message: Message, told: NoticeNode, incident: Incident) -> None:
    """One node of a message: its health, replicas and times."""
    node, affected = state.nodes.get(told.node), incident.nodes[told.node]
    about = f"{message.id} {message.kind} of {told.node}"
    _hold(told.since == (affected.dead_at or affected.began_at), f"{about}: since {told.since}, really {affected}")
    if message.kind in {"partly", "recovered"}:
        _hold(not told.health.bad, f"{about} says that it is well, and that it is {told.health.word}")
        _hold(not affected.bad and told.until == affected.well_at, f"{about} says that it is well: {affected}")
        return
    _hold(node is not None and told.health is node.health, f"{about} says {told.health.word}: {node}")
    assert node is not None  # for mypy: the line above says so
    same = sum(replica.health is node.health for replica in node.replicas.values()) if node.health.bad else 0
    _hold((len(told.numbers) + told.more, told.total) == (same, len(node.replicas)), f"{about}: {told}, really {same}")
    _hold(message.kind in {"unstable", "calm"} or node.health.bad, f"{about} says that it is bad")
    _hold(message.kind != "calm" or node.health is not Health.DEAD, f"{about} calls a dead node calm")


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
