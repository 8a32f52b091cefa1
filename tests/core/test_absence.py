"""What a daemon may not claim when it comes back after hours."""

from __future__ import annotations

from tests.core.story import DEAD, HEALTHY, node


def test_no_reminder_before_a_look(tell):
    """A reminder that came due while nobody was there waits for a look; of what is well by then none is sent."""
    story = tell(node("web/api"))
    story.seen("web/api/1", HEALTHY).at("12:01").seen("web/api/1", DEAD).passes("15 s").then(
        "mail: opened web/api=dead"
    )
    story.restarts("5 h").passes("20 s").then()
    story.seen("web/api/1", HEALTHY).passes("15 s").then("mail: recovered web/api=healthy")
    story.replays()


def test_what_is_dead_still_is_reminded_of_after_the_look(tell):
    """The reminder is late by one look, not lost."""
    story = tell(node("web/api"))
    story.seen("web/api/1", HEALTHY).at("12:01").seen("web/api/1", DEAD).passes("15 s").then(
        "mail: opened web/api=dead"
    )
    story.restarts("5 h").passes("60 s").then("mail: reminder web/api=dead")


def test_a_death_that_nobody_was_told_of_waits_for_a_look(tell):
    """The grouping wait ended while we were away: it is told after one look, as it is then."""
    story = tell(node("web/api"))
    story.seen("web/api/1", HEALTHY).at("12:01").seen("web/api/1", DEAD).restarts("5 h").passes("20 s").then()
    story.passes("40 s").then("mail: opened web/api=dead")


def test_a_short_absence_changes_nothing(tell):
    """After a crash and a start at once the grouping wait goes on."""
    story = tell(node("web/api"))
    story.seen("web/api/1", HEALTHY).at("12:01").seen("web/api/1", DEAD).restarts("2 s").passes("10 s")
    story.then("mail: opened web/api=dead")
