"""Reminders: backoff, limit, escalation, acknowledgement, silence. DESIGN section 6."""

import pytest

from crisp_status.core import events
from crisp_status.core.model import Silence
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, MAIL, SICK, node, page


def dead(tell, **notify):
    """Dead, and told."""
    story = tell(node("web/api"), node("web/db"), notify={"reminder_interval": 600.0} | notify).seen("web/db", HEALTHY)
    return story.seen("web/api", DEAD).passes("10 s").then("mail: opened web/api=dead")


def reminded(story, hours):
    """Minutes after the opening at which reminders came."""
    began = story.now
    times = []
    for _ in range(hours * 60):
        story.passes("1 min")
        times += [round((story.now - began) / 60) for m in story.owed() if m.kind == "reminder"]
    return times


@pytest.mark.parametrize(
    ("backoff", "limit", "expected"),
    [
        ("none", 3, [10, 20, 30, 40, 50, 60]),
        ("linear", 3, [10, 30, 60]),
        ("linear", 2, [10, 30, 50]),
        ("square", 3, [10, 50]),
        ("cubic", 2, [10]),
    ],
)
def test_reminders_follow_their_backoff(tell, backoff, limit, expected):
    """One interval, then n times, n squared or n cubed times, up to the limit."""
    assert reminded(dead(tell, reminder_backoff=backoff, reminder_backoff_limit=limit), 1) == expected


def test_the_limit_of_the_backoff_holds_for_good(tell):
    """Cubic with 2: after the first one every eight intervals."""
    assert reminded(dead(tell, reminder_backoff="cubic", reminder_backoff_limit=2), 5) == [10, 90, 170, 250]


def test_without_an_interval_there_are_none(tell):
    """`reminder_interval = 0`."""
    assert reminded(dead(tell, reminder_interval=0.0), 3) == []


def test_each_notice_says_when_the_next_comes(tell):
    """And the last one does not."""
    story = tell(node("web/api"), notify={"reminder_interval": 600.0}).seen("web/api", DEAD).passes("11 min")
    opened, reminder = story.owed()
    story.seen("web/api", HEALTHY).passes("1 min")
    (recovered,) = story.owed()

    assert opened.next_reminder_at == reminder.created_at
    assert reminder.next_reminder_at == reminder.created_at + 1200
    assert recovered.next_reminder_at == 0.0


def test_reminders_escalate(tell):
    """Each one reaches one target more with high priority."""
    story = dead(tell, reminder_escalate=True, reminder_backoff="none").passes("31 min")

    assert [m.escalation for m in story.owed()] == [1, 2, 3]


def test_an_acknowledged_incident_is_not_reminded_of(tell):
    """Its end is told all the same."""
    story = dead(tell).happens(events.Acknowledged(incident=1, by="jane"))

    assert reminded(story, 2) == []
    story.seen("web/api", HEALTHY).passes("1 min").then("mail: recovered web/api=healthy")


def test_a_silence_holds_reminders_until_it_ends(tell):
    """Openings and recoveries are told; the reminder that was due comes when it is over."""
    story = dead(tell).silenced("20 min").passes("19 min").then().seen("web/db", DEAD)

    story.passes("50 s").then("mail: grew web/db=dead").passes("11 s")
    story.then("mail: reminder web/api=dead web/db=dead")


def test_a_silence_without_end_lasts_until_it_is_well(tell):
    """Or until somebody lifts it."""
    story = dead(tell).silenced().passes("2 h").then().seen("web/api", HEALTHY).passes("1 min")
    assert story.state.silences == {}

    story.seen("web/api", DEAD).silenced().passes("1 min").happens(events.Unsilenced())
    assert story.state.silences == {}


def test_a_silence_of_a_node_lasts_until_that_is_well(tell):
    """The same for a service; of one that is gone it ends."""
    story = tell(node("a/n"), node("b/n"), node("c/n"))
    for key in ("a/n", "b/n", "c/n"):
        story.seen(key, DEAD)
    story.silenced(scope="a/n", id="1").silenced(scope="b", id="2").silenced(scope="c", id="3").seen("a/n", HEALTHY)
    assert list(story.passes("1 s").state.silences) == ["2", "3"]

    assert list(story.reloads(page(node("b/n"))).passes("1 s").state.silences) == ["2"]


def test_a_later_word_on_the_same_scope_replaces_the_silence(tell):
    """Of an unknown scope, or one too many, it is refused; lifting one that is not there, too."""
    story = tell(node("web/api"), node("web/db")).seen("web/api", DEAD)
    story.silenced("1 h", id="1").silenced("2 h", id="2").silenced("1 h", "web/api", id="3")
    assert list(story.state.silences) == ["2", "3"]

    def silence(id, scope):
        return events.Silenced(silence=Silence(id, 0.0, 0.0, scope=scope))

    story.refused(silence("4", "web/gone")).refused(events.Unsilenced(id="9")).happens(events.Unsilenced(id="3"))
    assert list(story.state.silences) == ["2"]


def test_silences_are_bounded():
    """A runaway script does not fill the state."""
    from crisp_status.core import commands as words
    from crisp_status.core.model import State
    from crisp_status.core.operator_records import Silence
    from crisp_status.core.world import World

    state = State()
    state.silences = {str(n): Silence(str(n), 0.0, 0.0, scope=str(n)) for n in range(words.SILENCES_MAX)}

    assert not words.silenced(World(state), events.Silenced(silence=Silence("more", 0.0, 0.0)))


def test_what_is_only_sick_is_not_reminded_of(tell):
    """Reminders are for what is dead, and the first comes an interval after it was told to be."""
    story = tell(node("web/api"), notifiers=(NotifierPlan("m", "email", on=("sick", "dead", "recovered")),),
                 notify={"reminder_interval": 600.0})  # fmt: skip
    story.seen("web/api", SICK).passes("1 h").then("m: opened web/api=sick")
    story.seen("web/api", DEAD).passes("10 min").then("m: grew web/api=dead")

    story.passes("1 min").then("m: reminder web/api=dead")


def test_nobody_is_reminded_of_what_is_held_back(tell):
    """In a maintenance, behind a dead router, in a silence of its own, while it flaps."""
    story = dead(tell).announced(lasts="1 h", maintenance=["web/api"]).passes("59 min").then()

    story.passes("61 s").then().seen("web/api", DEAD).passes("1 s").then("mail: reminder web/api=dead")


def test_behind_a_dead_router_nobody_is_reminded(tell):
    """Only of the router."""
    story = tell(node("net/router"), node("web/api", depends_on=("net/router",)), notify={"reminder_interval": 600.0})
    story.seen("net/router", DEAD).seen("web/api", DEAD).passes("11 min")

    story.then("mail: opened net/router=dead", "mail: reminder net/router=dead")


def test_a_notifier_for_reminders_hears_nothing_else(tell):
    """It escalates: also when nobody else was told, and only of its services; and it hears of the end."""
    pager = NotifierPlan("pager", "pushover", reminders_only=True, services=("web",))
    story = tell(node("web/api"), node("pay/card"), notifiers=(pager,), notify={"reminder_interval": 600.0})
    story.seen("web/api", DEAD).seen("pay/card", DEAD).passes("11 min").then("pager: reminder web/api=dead")

    story.seen("web/api", HEALTHY).seen("pay/card", HEALTHY).passes("1 min").then("pager: recovered web/api=healthy")


def test_one_who_was_not_told_is_not_reminded(tell):
    """A notifier that came with a reload hears first that it began."""
    story = dead(tell).reloads(page(node("web/api"), notifiers=(MAIL, NotifierPlan("new", "email", on=("recovered",))),
                                    notify={"reminder_interval": 600.0}))  # fmt: skip

    story.passes("11 min").then("mail: reminder web/api=dead")


def test_an_acknowledgement_ends_what_a_channel_repeats(tell):
    """Who escalates by a channel that rings until somebody confirms is owed the end of it, once; the others are not."""
    phone = NotifierPlan("phone", "pushover")
    story = tell(node("web/api"), notifiers=(MAIL, phone), notify={"reminder_escalate": True})
    story.seen("web/api", DEAD).passes("10 s")
    for _ in range(2):
        story.happens(events.Acknowledged(incident=1, by="jane"))

    assert [(m.notifier, m.kind, m.incident) for m in story.owed() if m.kind == "acknowledged"] == [
        ("phone", "acknowledged", 1)
    ]
    quiet = tell(node("web/api"), notifiers=(phone,)).seen("web/api", DEAD).passes("10 s")
    quiet.happens(events.Acknowledged(incident=1, by="jane"))
    assert [m.kind for m in quiet.owed()] == ["opened"]
