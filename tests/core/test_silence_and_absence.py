"""Time in which nobody could be heard is nobody's silence, and no excuse either: starts, sleep, stops, our own network."""

import pytest

from crisp_status.core import events
from crisp_status.core.policy import NotifierPlan
from crisp_status.core.step_outcome import Durability
from tests.core.story import DEAD, HEALTHY, MAIL, moment, node, page, said

JOB = node("job/backup", mode="push", heartbeat=True, delay_dead=3600.0)


@pytest.mark.parametrize(
    ("path", "planned", "report"),
    [
        ("job/backup/heartbeat", JOB, {}),
        ("app/web/a", node("app/web", mode="push", delay_dead=3600.0), {}),
        ("lan/db/1", node("lan/db", mode="local", silent_dead=3600.0), {"health": HEALTHY}),
    ],
)
def test_short_starts_forget_no_silence(tell, path, planned, report):
    """A report a day, a start every twelve hours: it is dead after a day and an hour, since the report was due."""
    story = tell(planned).reported(path, 86_400.0, **report)
    for _ in range(3):
        story.passes("12 h", tick=60).restarts("2 s")

    assert story.replica(path).health is DEAD
    assert abs(story.replica(path).since - moment("2026-11-23 12:00:00")) < 10


def test_a_wait_goes_on_after_an_absence(tell):
    """Thirty of its sixty seconds had passed: fifty of the eighty are left."""
    story = (
        tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("30 s").restarts("10 s")
    )

    assert story.passes("49 s").node("app/web").health is HEALTHY
    assert story.passes("1 s").node("app/web").health is DEAD


def test_a_job_that_was_due_while_we_were_away_is_unknown(tell):
    """That is told once; the next report says how it is, and its absence is a death of its own."""
    story = (
        tell(JOB, notify={"reminder_interval": 0.0}).reported("job/backup/heartbeat", 86_400.0).passes("22 h", tick=60)
    )
    story.restarts("4 h").then("mail: missed job/backup=healthy")
    assert story.replica("job/backup/heartbeat").unknown

    story.restarts("1 min").then().passes("22 h", tick=60).then()
    assert story.replica("job/backup/heartbeat").unknown
    story.passes("3 h", tick=60).then("mail: opened job/backup=dead")
    assert not story.replica("job/backup/heartbeat").unknown
    assert story.replica("job/backup/heartbeat").since == moment("2026-11-24 12:01:00")


def test_a_report_ends_the_doubt(tell):
    """It came an hour late."""
    story = tell(JOB).reported("job/backup/heartbeat", 86_400.0).passes("22 h", tick=60).restarts("4 h")
    story.passes("1 h", tick=60).reported("job/backup/heartbeat", 86_400.0)

    assert not story.replica("job/backup/heartbeat").unknown
    assert story.passes("24 h", tick=60).node("job/backup").health is HEALTHY


def test_a_report_of_each_minute_that_we_missed_is_no_message(tell):
    """The next one is a minute away; several may have been missed, and one that was due a moment before."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("62 s")
    story.restarts("4 min").then()
    assert story.replica("app/web/a").unknown

    story.passes("10 s").reported("app/web/a", 60.0)
    assert not story.replica("app/web/a").unknown


def test_one_that_is_dead_of_silence_stays_so(tell):
    """It owes us a report from before we left."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("2 min")
    story.restarts("1 h")

    assert (story.node("app/web").health, story.replica("app/web/a").unknown) == (DEAD, False)


def test_whoever_is_gone_after_the_absence_missed_nothing(tell):
    """The plan of the next start has no such node, or another replica."""
    story = tell(node("app/web", mode="push"), node("app/api")).reported("app/web/a", 60.0).passes("30 s")

    assert list(story.restarts("1 h", page(node("app/api"))).state.nodes) == ["app/api"]


def test_after_a_crash_a_frequent_reporter_is_not_called_silent(tell):
    """Its plain reports were not written: it may have come until the last moment."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).saves()
    for _ in range(9):
        story.passes("1 min").reported("app/web/a", 60.0)
    story.passes("50 s").is_killed("2 s", saved="590 s")

    assert story.passes("60 s").node("app/web").health is HEALTHY
    assert story.passes("20 s").node("app/web").health is DEAD


def test_after_a_crash_a_moment_after_the_snapshot_nobody_is_called_silent(tell):
    """It may have reported since; one that never reported is awaited by nobody."""
    story = tell(node("app/web", mode="push", delay_dead=20.0), node("lan/db", mode="local")).reported(
        "app/web/a", 60.0
    )
    story.saves().passes("40 s").reported("app/web/a", 30.0).reported("app/web/a", 60.0).passes("20 s")
    story.is_killed("2 s", saved="60 s")

    assert story.passes("59 s").node("app/web").health is HEALTHY


def test_after_a_crash_of_an_older_version_rare_reports_are_not_missed(tell):
    """It did not write them: who would be dead by what is known must have come later, as nobody called it dead."""
    story = (
        tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 7200.0).saves().passes("2 h", tick=60)
    )
    story.reported("app/web/a", 7200.0).passes("1 h", tick=60).is_killed("2 s", saved="3 h")

    assert story.passes("119 min", tick=60).node("app/web").health is HEALTHY


def test_rare_reports_are_written_each(tell):
    """So that a crash forgets none of them: heartbeats, and whatever comes every ten minutes or less often."""
    story = tell(JOB, node("app/web", mode="push")).reported("job/backup/heartbeat", 120.0).reported("app/web/a", 600.0)

    assert story.passes("1 min").reported("job/backup/heartbeat", 120.0).outcome is Durability.DURABLE
    assert story.reported("app/web/a", 600.0).outcome is Durability.DURABLE


def test_a_job_on_a_schedule_is_due_by_the_clock_on_the_wall(tell):
    """Three o'clock in Berlin, also on the night when the clocks go back; not 24 hours after the last one."""
    nightly = node(
        "job/backup", mode="push", heartbeat=True, delay_dead=7200.0, schedule="0 3 * * *", timezone="Europe/Berlin"
    )
    story = tell(nightly, start="2026-10-23 12:00:00")
    for day in (24, 25, 26):
        hour = 1 if day == 24 else 2
        story.passes_to(f"2026-10-{day} 0{hour}:00:30").reported("job/backup/heartbeat", 120.0)
        assert story.node("job/backup").health is HEALTHY
    story.passes_to("2026-10-27 03:59:59")
    assert story.node("job/backup").health is HEALTHY

    story.passes_to("2026-10-27 04:00:05")
    assert (story.node("job/backup").health, story.replica("job/backup/heartbeat").since) == (
        DEAD, moment("2026-10-27 02:00:00"),
    )  # fmt: skip


def test_a_job_whose_clock_is_ahead_came_for_its_time(tell):
    """Two seconds before three: the next one is tomorrow."""
    nightly = node("job/backup", mode="push", heartbeat=True, delay_dead=600.0, schedule="0 3 * * *", interval=86_400.0)
    story = tell(nightly, start="2026-10-23 02:59:58").reported("job/backup/heartbeat", 86_400.0)

    assert story.passes_to("2026-10-24 03:09:59").node("job/backup").health is HEALTHY
    assert story.passes_to("2026-10-24 03:10:01").node("job/backup").health is DEAD


def test_a_scheduled_job_that_was_late_when_we_left_may_have_come(tell):
    """It had two hours; we were away for one of them. A start of two seconds excuses nobody."""
    nightly = node("job/backup", mode="push", heartbeat=True, delay_dead=7200.0, schedule="0 3 * * *")
    for absence, unknown in (("1 h", True), ("2 s", False)):
        story = tell(nightly, start="2026-10-23 03:00:00").reported("job/backup/heartbeat", 120.0)
        story.passes_to("2026-10-24 03:30:00").restarts(absence)
        assert story.replica("job/backup/heartbeat").unknown is unknown
        story.passes_to("2026-10-24 05:00:30")
        assert story.node("job/backup").health is (HEALTHY if unknown else DEAD)


def test_while_the_loop_stood_still_nobody_was_silent(tell):
    """What was sent meanwhile is read before anybody is judged; who sent nothing has the rest of the wait."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).reported("app/web/b", 60.0)
    story.passes("70 s").stands_still("40 s")
    assert story.node("app/web").health is HEALTHY

    story.reported("app/web/a", 60.0).passes("9 s")
    assert story.node("app/web").health is HEALTHY
    story.passes("1 s")
    assert [story.replica(f"app/web/{name}").health for name in "ab"] == [HEALTHY, DEAD]


def test_a_report_that_was_read_before_the_tick_is_not_of_the_future(tell):
    """It came after the stop: its own wait begins there."""
    story = tell(node("app/web", mode="push", delay_dead=20.0)).reported("app/web/a", 60.0).passes("70 s")
    story.now += 40
    story.reported("app/web/a", 60.0).happens(events.Ticked(stood_still=40.0))

    assert story.replica("app/web/a").seen_at == story.now


@pytest.mark.parametrize("gap", ["network", "sleep"])
def test_a_job_that_was_due_without_network_or_asleep_is_unknown(tell, gap):
    """We could not hear it; only those who are told of its service are told."""
    elsewhere = NotifierPlan("elsewhere", "email", services=("web",))
    sick = NotifierPlan("sick", "email", on=("sick",))
    story = (
        tell(JOB, notifiers=(MAIL, elsewhere, sick)).reported("job/backup/heartbeat", 86_400.0).passes("22 h", tick=60)
    )
    if gap == "network":
        story.happens(events.NetworkLost()).passes("4 h", tick=60).happens(events.NetworkBack())
    else:
        story.jumps("4 h")

    assert [said(m) for m in story.owed() if m.kind == "missed"] == ["mail: missed job/backup=healthy"]
    assert story.replica("job/backup/heartbeat").unknown


def test_a_short_loss_of_our_network_forgets_no_silence(tell):
    """A line that is gone for a minute every hour."""
    story = tell(JOB, notifiers=()).reported("job/backup/heartbeat", 86_400.0)
    for _ in range(26):
        story.happens(events.NetworkLost()).passes("1 min", tick=60).happens(events.NetworkBack()).passes(
            "1 h", tick=60
        )

    assert story.node("job/backup").health is DEAD
