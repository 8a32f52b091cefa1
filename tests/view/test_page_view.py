"""The wall: what is private never gets into a view; what did not change is not made again."""

import time

import msgspec
import pytest

from crisp_status.core.model import (
    Announcement,
    FailedLook,
    Health,
    Reason,
    ReasonCode,
    Silence,
    Subscription,
    TimelineEntry,
    TimelineKind,
)
from crisp_status.core.policy import ReplicaPlan
from crisp_status.view.build import ViewCache, build
from crisp_status.view.markdown import MAX_TEXT
from tests.formats import samples
from tests.formats.samples import NO_ANSWER, NOW, Sample, at

ACME = samples.acme()


def everything(value):
    """Every text in a view, names of keys included; what the operator decided is public."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from everything(key)
            yield from everything(item)
    elif isinstance(value, tuple | list | set):
        for item in value:
            yield from everything(item)
    elif isinstance(value, msgspec.Struct) and value is not ACME:
        for field in value.__struct_fields__:
            yield from everything(getattr(value, field))


def test_what_is_private_stays_inside():
    """No address, replica id, operator's reason, name, device or silence is in a view."""
    state = samples.dead()
    rest = state.nodes["api/rest"]
    rest.replicas["r4"].failures.append(FailedLook(NOW, "secret-story"))
    state.silences["s"] = Silence("s", 0.0, NOW, by="secret-jane")
    state.subscriptions["d"] = Subscription("d", "secret-jane", "https://push.secret.example", "k", "a", NOW)
    incident = state.open[9]
    incident.acknowledged_by = "secret-jane"
    incident.timeline.append(
        TimelineEntry(
            NOW, TimelineKind.SICK, "api/rest", [4], reason=Reason(ReasonCode.MATCH, "secret-page", "secret-word")
        )
    )
    texts = list(everything(build(state, ACME, NOW)))

    assert [t for t in texts if "secret" in t or "10.0.0" in t or "jane" in t or t == "r4"] == []
    assert "Checkout" in texts


@pytest.mark.parametrize(
    ("id", "name", "shown"),
    [
        ("https://user:password@acme.example:8443/health?key=1", "", "acme.example"),
        ("tcp://edge-1.acme.example:443", "Paris", "Paris"),
        ("https://10.0.0.7/", "", ""),
        ("https://10.0.0.7/", "10.0.0.7", ""),
        ("icmp://[fd00::1]", "", ""),
        ("http://localhost:8080/", "", ""),
        ("http://db.internal/", "", ""),
        ("web-7f9c", "", "web-7f9c"),
        ("192.168.1.4", "", ""),
        ("192.168.1.4:9000", "", ""),
        ("169.254.1.1", "", ""),
        ("100.64.0.9", "", ""),
        ("jane@laptop", "", ""),
        ("/var/run/app.sock", "", ""),
    ],
)
def test_names_of_replicas_are_shown_only_where_revealed_and_public(id, name, shown):
    """A revealed node shows the given name, else the host; private addresses and inner names never."""
    for revealed in (True, False):
        sample = Sample("web")
        plan = sample.plans["web"][0]
        replica = sample.state.nodes["web/landing"].replicas.pop("r1")
        replica.id = id
        sample.state.nodes["web/landing"].replicas = {id: replica}
        sample.plans["web"][0] = msgspec.structs.replace(
            plan, reveal_replicas=revealed, replicas=(ReplicaPlan(id, name),)
        )
        view = build(sample.settle(), ACME, NOW)

        assert (shown if revealed else "") == view.nodes["web/landing"].replicas[0].name


def test_what_did_not_change_is_the_same_object():
    """A look that saw nothing new costs nothing further on; one that did costs its node and its service."""
    state, cache = samples.healthy(), ViewCache()
    first = build(state, ACME, NOW, cache)
    state.nodes["web/help"].replicas["r1"].seen_at += 1.0
    second = build(state, ACME, NOW + 1, cache)

    assert all(a is b for a, b in zip(first.services, second.services, strict=True))

    state.nodes["web/help"].replicas["r1"].latency_ms = 400
    state.nodes["web/help"].replicas["r1"].seen_at += 1.0
    third = build(state, ACME, NOW + 2, cache)

    assert [s.id for s, old in zip(third.services, second.services, strict=True) if s is not old] == ["web"]
    assert [k for k in third.nodes if third.nodes[k] is not second.nodes[k]] == ["web/help"]
    assert third.nodes["web/help"].replicas[1] is second.nodes["web/help"].replicas[1]
    assert third.nodes["web/help"].replicas[0].latency_ms == 400


def test_a_cached_view_equals_a_fresh_one():
    """Whatever happens between two views, the cache gives what a build from nothing would give."""
    cache = ViewCache()
    for number, sample in enumerate((samples.healthy, samples.dead, samples.sick, samples.maintenance)):
        state = sample()
        for second in range(0, 180, 60):
            now = NOW + number * 600 + second
            assert build(state, ACME, now) == build(state, ACME, now, cache)


def test_replaced_replicas_are_seen():
    """A flushed replica and a new one in its place are not taken for each other."""
    state, cache = samples.healthy(), ViewCache()
    build(state, ACME, NOW, cache)
    node = state.nodes["api/rt"]
    new = msgspec.structs.replace(node.replicas.pop("r3"), id="r9", number=4)
    node.replicas["r9"] = new
    node.next_number = 5

    assert [1, 2, 4] == [r.number for r in build(state, ACME, NOW, cache).nodes["api/rt"].replicas]


def test_nodes_of_equal_names_are_told_apart():
    """Ten regions are called Singapore: their labels name the service too."""
    view = build(samples.large(), ACME, NOW)

    assert view.nodes["v3/n7"].name == "Singapore"
    assert view.nodes["v3/n7"].label == "Object storage Singapore"
    assert len({n.label for n in view.nodes.values()}) == len(view.nodes)


def test_announcements_come_and_go_with_time():
    """Shown from their start until they expire; newest first; maintenances stand apart."""
    state = samples.maintenance()
    state.announcements |= {
        "old": Announcement("old", "Over", "", NOW - 900, NOW - 900, NOW - 1),
        "now": Announcement("now", "Now", "", NOW - 900, NOW - 900, NOW + 900),
        "new": Announcement("new", "Newer", "", NOW - 60, 0.0, 0.0),
        "soon": Announcement("soon", "Soon", "", NOW, NOW + 60, 0.0),
    }
    view = build(state, ACME, NOW)

    assert ["new", "now"] == [a.id for a in view.announcements]
    assert ["m1", "m2"] == [m.id for m in view.maintenances]
    assert [True, False] == [m.running for m in view.maintenances]
    assert ("Primary database",) == view.maintenances[0].names


def test_recurring_work_shows_its_next_window():
    """Every Wednesday at two: the view has the coming one, with when it first was."""
    state = samples.healthy()
    start = at(2, 0, 5)
    state.announcements["w"] = Announcement("w", "Weekly", "", start, start, start + 7200, ["data"], "FREQ=WEEKLY")
    work = build(state, ACME, NOW).maintenances[0]

    assert (at(2, 0, 26), at(4, 0, 26), start) == (work.starts_at, work.ends_at, work.first_at)


def test_hostile_words_are_plain_in_the_view():
    """Names of 10,000 characters are cut, marks that turn text around are dropped, in every field."""
    evil = "\u202e\u2066<script>alert(1)</script>\x00\u200f" + "A" * 10_000
    sample = Sample("web")
    sample.names["web"] = evil
    sample.plans["web"][0] = msgspec.structs.replace(
        sample.plans["web"][0], name=evil, link_label=evil, reveal_replicas=True, replicas=(ReplicaPlan("r1", evil),)
    )
    sample.hurt("web/landing", [1], Health.DEAD, at(14, 0), Reason(ReasonCode.STATUS, evil, evil))
    sample.state.announcements["a"] = Announcement("a", evil, evil, NOW, NOW)
    texts = list(everything(build(sample.settle(), ACME, NOW)))

    assert max(len(t) for t in texts) < MAX_TEXT + 300
    assert [t for t in texts if set(t) & set("\u202e\u2066\x00\u200f")] == []


def test_the_last_months_are_known():
    """From the birth of the page or the edge of what is kept, newest first."""
    assert ("2025-11", "2025-10", "2025-09", "2025-08") == build(samples.healthy(), ACME, NOW).months
    assert ("2025-11",) == build(samples.pending(), ACME, NOW).months


def test_a_rebuild_costs_what_changed():
    """30,000 replicas, 250 of which were looked at since: a small part of the first view (25 ms where that took 500)."""
    sample = samples.many(100, 100)
    for node in sample.state.nodes.values():
        node.short_slot = 0
    sample.hurt("v3/n7", [2], Health.DEAD, at(14, 26), NO_ANSWER)
    state, cache = sample.settle(), ViewCache()
    start = time.thread_time()
    build(state, ACME, NOW, cache)
    first = time.thread_time() - start
    nodes, took = list(state.nodes.values()), []
    for second in range(5):
        for node in nodes[second * 250 : second * 250 + 250]:
            node.replicas["r1"].seen_at = NOW + 60 + second
            node.replicas["r1"].latency_ms += 5
        start = time.thread_time()
        build(state, ACME, NOW + 60 + second, cache)
        took.append(time.thread_time() - start)

    assert min(took) < first / 5
