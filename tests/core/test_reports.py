"""Applications and agents that report, and those that fall silent: DESIGN section 6."""

import pytest

from crisp_status.core import events
from crisp_status.core.model import Reason, ReasonCode
from crisp_status.core.step_outcome import Durability
from tests.core.story import DEAD, HEALTHY, PENDING, SICK, moment, node, page


@pytest.mark.parametrize(
    ("load", "health", "reason"),
    [
        ({"cpu": 0.9, "ram": 0.9}, HEALTHY, Reason(ReasonCode.OK)),
        ({"cpu": 0.91}, SICK, Reason(ReasonCode.CPU, "processor load 0.91 is above 0.9", "90%")),
        ({"ram": 0.95}, SICK, Reason(ReasonCode.RAM, "memory use 0.95 is above 0.9", "90%")),
        ({"cpu": 2.0, "ram": 0.95}, SICK, Reason(ReasonCode.CPU, "processor load 2.00 is above 0.9", "90%")),
        ({"cpu": 2.0, "health": HEALTHY}, HEALTHY, Reason(ReasonCode.OK)),
        ({"health": HEALTHY, "reason": Reason(ReasonCode.REPORTED, "fine")}, HEALTHY, Reason(ReasonCode.OK)),
        (
            {"health": DEAD, "reason": Reason(ReasonCode.REPORTED, "no disk")},
            DEAD,
            Reason(ReasonCode.REPORTED, "no disk"),
        ),
    ],
)
def test_a_report_is_judged_by_its_load_unless_it_says_how_it_is(tell, load, health, reason):
    """Strictly above a threshold is sick."""
    story = tell(node("app/web", mode="push")).reported("app/web/a", **load)
    found = story.replica("app/web/a")

    assert (found.health, found.reason) == (health, reason)


def test_any_report_makes_the_replica_exist(tell):
    """It gets the lowest free number, and its load is shown."""
    story = (
        tell(node("app/web", mode="push"))
        .reported("app/web/a")
        .reported("app/web/b")
        .reported("app/web/c", cpu=0.5, ram=0.25)
    )
    story.happens(events.Flushed(node="app/web", replica="b")).reported("app/web/d")

    assert [(r.id, r.number) for r in story.node("app/web").replicas.values()] == [("a", 1), ("c", 3), ("d", 2)]
    assert (story.replica("app/web/c").cpu, story.replica("app/web/c").ram) == (0.5, 0.25)


def test_a_report_that_changes_nothing_is_not_written(tell):
    """A new interval is."""
    story = tell(node("app/web", mode="push")).reported("app/web/a")

    assert story.passes("10 s").reported("app/web/a").outcome is Durability.VOLATILE
    assert story.passes("10 s").reported("app/web/a", 30.0).outcome is Durability.DURABLE


def test_who_may_not_report(tell):
    """Unknown nodes, nodes that we look at ourselves, replicas beyond the limit, strangers on a configured node."""
    story = tell(
        node("app/web", mode="push", max_replicas=1),
        node("app/api"),
        node("lan/db", mode="local"),
        node("job/backup", mode="push", heartbeat=True),
    )
    story.reported("app/web/a")
    for key, replica in (("app/gone", "a"), ("app/api", "1"), ("app/web", "b"), ("lan/db", "9"), ("job/backup", "x")):
        story.refused(events.Reported(node=key, replica=replica, interval=60.0))
    story.reported("lan/db/1", health=HEALTHY).reported("job/backup/heartbeat")

    assert [story.node(k).health for k in ("lan/db", "job/backup")] == [HEALTHY, HEALTHY]


def test_silence_is_longer_than_the_interval_and_the_grace(tell):
    """Dead since it should have reported; not a second early."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0)
    story.passes("79 s")
    assert story.node("app/web").health is HEALTHY

    story.passes("1 s")
    assert story.node("app/web").health is DEAD
    assert story.replica("app/web/a").reason == Reason(ReasonCode.SILENT, "it stopped reporting")
    assert story.replica("app/web/a").since == moment("2026-11-22 12:01:00")


def test_each_report_begins_the_wait_anew(tell):
    """With its own interval."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("1 min")
    story.reported("app/web/a", 600.0).passes("619 s")

    assert story.node("app/web").health is HEALTHY
    assert story.passes("1 s").node("app/web").health is DEAD


def test_what_never_reported_is_not_silent(tell):
    """A heartbeat or a private replica that nobody ever heard of stays grey."""
    story = tell(node("job/backup", mode="push", heartbeat=True), node("lan/db", mode="local")).passes("1 h")

    assert [n.health for n in story.state.nodes.values()] == [PENDING, PENDING]


def test_a_report_ends_a_silence(tell):
    """And the next silence is found again."""
    story = tell(node("app/web", mode="push")).reported("app/web/a", 60.0).passes("2 min")
    assert story.node("app/web").health is DEAD
    story.reported("app/web/a", 60.0)
    assert story.node("app/web").health is HEALTHY

    assert story.passes("2 min").node("app/web").health is DEAD


def test_a_dead_one_that_falls_silent_says_so(tell):
    """The reason changes; it stays dead since it died."""
    story = tell(node("app/web", mode="push")).reported("app/web/a", 60.0, health=DEAD).passes("2 min")

    assert story.replica("app/web/a").reason.code == "silent"
    assert story.replica("app/web/a").since == moment("2026-11-22 12:00:00")


def test_a_sleep_of_the_machine_is_not_silence(tell):
    """The wall clock jumped by a night: whoever had a minute left has a minute left."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("30 s").jumps("8 h")

    assert story.passes("49 s").node("app/web").health is HEALTHY
    assert story.passes("1 s").node("app/web").health is DEAD


def test_without_our_own_network_nobody_is_silent(tell):
    """They may report as they like, we do not hear it; when it is back they are due by their old rhythm."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("1 min")
    story.happens(events.NetworkLost()).passes("2 h")
    assert story.node("app/web").health is HEALTHY

    story.happens(events.NetworkBack()).passes("79 s")
    assert story.node("app/web").health is HEALTHY
    assert story.passes("1 s").node("app/web").health is DEAD


def test_a_silent_one_is_forgotten_when_wanted(tell):
    """`forget_after`: gone from the page, and its incident ends."""
    story = tell(node("app/web", mode="push", forget_after=600.0)).reported("app/web/a", 60.0).passes("599 s")
    assert story.node("app/web").health is DEAD

    assert story.passes("1 s").node("app/web").replicas == {}
    assert story.last.closed_at == story.now


def test_it_is_not_forgotten_when_it_comes_back(tell):
    """Nor is one that the operator wrote down, ever."""
    story = tell(node("app/web", mode="push", forget_after=600.0), node("lan/db", mode="local", forget_after=600.0))
    story.reported("app/web/a", 60.0).reported("lan/db/1", 60.0, health=HEALTHY).passes("9 min").reported(
        "app/web/a", 60.0
    )
    story.passes("9 min")

    assert list(story.node("app/web").replicas) == ["a"]
    assert list(story.node("lan/db").replicas) == ["1"]


def test_one_that_is_flushed_before_it_falls_silent(tell):
    """Its deadline comes and finds nobody."""
    story = (
        tell(node("app/web", mode="push"))
        .reported("app/web/a", 60.0)
        .happens(events.Flushed(node="app/web", replica="a"))
    )

    assert story.passes("2 min").node("app/web").health is PENDING
    story.refused(events.Flushed(node="app/web", replica="a"))


def test_flushing_what_the_operator_wrote_down_makes_it_grey(tell):
    """It stays in its place, and is not silent before it reports again."""
    story = tell(node("lan/db", mode="local"), node("job/backup", mode="push", heartbeat=True))
    story.reported("lan/db/1", 60.0, health=DEAD).reported("job/backup/heartbeat", 60.0)
    story.happens(events.Flushed(node="lan/db", replica="1")).happens(
        events.Flushed(node="job/backup", replica="heartbeat")
    )

    assert [n.health for n in story.passes("1 h").state.nodes.values()] == [PENDING, PENDING]
    story.refused(events.Flushed(node="lan/gone", replica="1"))


def test_a_polled_replica_cannot_be_flushed(tell):
    """It is ours to look at."""
    tell(node("web/api")).refused(events.Flushed(node="web/api", replica="1"))


def test_an_agent_may_tell_what_it_missed(tell):
    """Back-dated to when it saw it, never into the future."""
    story = tell(node("lan/db", 2, mode="local")).passes("5 min")
    story.reported("lan/db/1", health=DEAD, since=story.now - 120).reported(
        "lan/db/2", health=DEAD, since=story.now + 99
    )

    assert story.replica("lan/db/1").since == story.now - 120
    assert story.replica("lan/db/2").since == story.now


def test_a_silent_agent_is_one_notice(tell):
    """It looks at one after another, so its replicas are due one after another: all of it is told at once."""
    keys = [f"lan/n{n}" for n in range(6)]
    story = tell(
        *[node(key, mode="local", silent_dead=300.0) for key in keys], node("lan/never", mode="local"), node("web/api")
    )
    for _ in range(3):
        for key in keys:
            story.reported(f"{key}/1", 60.0, health=HEALTHY).passes("20 s")
    story.passes("10 min").then("mail: opened " + " ".join(f"{key}=dead" for key in sorted(keys)))

    assert {story.replica(f"{k}/1").reason.code for k in keys} == {"agent_silent"}
    assert all(story.replica(f"{k}/1").since <= story.now - 300 for k in keys)


def test_one_replica_that_an_agent_leaves_out_is_silent_alone(tell):
    """The agent itself is there."""
    story = tell(node("lan/a", mode="local"), node("lan/b", mode="local"))
    story.reported("lan/a/1", 60.0, health=HEALTHY)
    for _ in range(8):
        story.reported("lan/b/1", 60.0, health=HEALTHY).passes("1 min")

    assert story.node("lan/a").health is DEAD
    assert story.node("lan/b").health is HEALTHY


def test_two_agents_are_two(tell):
    """One is gone, the other reports."""
    story = tell(node("a/n", mode="local", agent="berlin"), node("b/n", mode="local", agent="paris"))
    story.reported("a/n/1", 60.0, health=HEALTHY)
    for _ in range(8):
        story.reported("b/n/1", 60.0, health=HEALTHY).passes("1 min")

    assert (story.node("a/n").health, story.node("b/n").health) == (DEAD, HEALTHY)


def test_a_reload_with_other_thresholds_counts_from_the_last_report(tell):
    """A shorter grace is found at once."""
    story = tell(node("app/web", mode="push", delay_dead=600.0)).reported("app/web/a", 60.0).passes("2 min")

    story.reloads(page(node("app/web", mode="push", delay_dead=20.0))).passes("1 s")
    assert story.node("app/web").health is DEAD


def test_reports_come_and_nodes_go(tell):
    """A deadline of a node that a reload removed finds nobody."""
    story = tell(node("app/web", mode="push"), node("app/api")).reported("app/web/a", 60.0)

    assert list(story.reloads(page(node("app/api"))).passes("2 min").state.nodes) == ["app/api"]
