"""The outbox: retries, refusals, giving up, limits, words of an operator. DESIGN section 6, delivery."""

import pytest

from crisp_status.core import events, outbox
from crisp_status.core.model import Message, MessageKind, State
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, MAIL, moment, node, page, said


@pytest.fixture
def owing(tell):
    """One opening is owed; its id."""
    story = tell(node("web/api"), notify={"reminder_interval": 0.0}).seen("web/api", DEAD).passes("10 s")
    (message,) = story.owed()
    return story, message.id


def refuse(story, message, **more):
    return story.happens(events.NotDelivered(message=message, error="503 try later", **more))


def test_an_id_is_stable_and_its_own(owing):
    """Incident, number, notifier; over retries and restarts."""
    story, message = owing

    assert message == "1-1-mail"
    refuse(story, message).restarts("1 h")
    assert list(story.state.outbox) == [message]


def test_a_yes_ends_it(owing):
    """It is logged, the incident says that the team was alerted, and the message can be sent again."""
    story, message = owing
    story.passes("3 s").happens(events.Delivered(message=message, detail="250 ok"))

    assert story.state.outbox == {}
    assert [m.id for m in story.state.sent] == [message]
    assert (story.state.attempts[-1].outcome, story.state.attempts[-1].detail) == ("delivered", "250 ok")
    assert story.incident.alerted_at == story.now
    assert [e.what for e in story.incident.timeline] == ["dead", "alerted"]
    story.refused(events.Delivered(message=message)).refused(events.NotDelivered(message=message, error="?"))


def test_a_yes_of_some_targets_is_remembered(owing):
    """The rest is tried again, without those."""
    story, message = owing
    story.happens(events.Delivered(message=message, target="jane")).restarts()

    assert story.state.outbox[message].done == ["jane"]


def test_only_the_first_yes_is_the_alert(tell):
    """And it also counts when it comes after the end; a reminder alerts nobody for the first time."""
    story = tell(node("web/api"), notifiers=(MAIL, NotifierPlan("chat", "slack"))).seen("web/api", DEAD).passes("10 s")
    first, second = story.owed()
    story.happens(events.Delivered(message=first.id)).passes("1 min").happens(events.Delivered(message=second.id))
    alerted = story.incident.alerted_at
    story.happens(events.Tested(notifier="mail"))
    (test,) = story.owed()
    story.happens(events.Delivered(message=test.id))

    assert alerted == moment("2026-11-22 12:00:10")
    assert [e.what for e in story.incident.timeline] == ["dead", "alerted"]


def test_a_no_is_tried_again_and_again(owing):
    """Exponentially, with a tenth of jitter either way, at most an hour apart; the error is there to read."""
    story, message = owing
    waits = []
    for _ in range(14):
        refuse(story, message)
        waits.append(story.state.outbox[message].due_at - story.now)
    expected = [min(3600.0, 5.0 * 2**n) for n in range(14)]

    assert all(0.9 * want <= wait <= 1.1 * want for want, wait in zip(expected, waits, strict=True))
    assert story.state.outbox[message].last_error == "503 try later"
    assert {a.outcome for a in story.state.attempts} == {"failed"}


def test_the_receivers_patience_is_kept(owing):
    """`Retry-After` is never undercut, up to a day."""
    story, message = owing
    refuse(story, message, retry_after=600.0)
    assert story.state.outbox[message].due_at == story.now + 600

    refuse(story, message, retry_after=1e9)
    assert story.state.outbox[message].due_at == story.now + outbox.RETRY_AFTER_MOST


def test_a_refusal_is_not_the_end(owing):
    """It stays in the outbox as refused and is tried slowly: after 15 minutes, then twice as long, six hours at most."""
    story, message = owing
    waits = []
    for _ in range(7):
        refuse(story, message, permanent=True)
        waits.append((story.state.outbox[message].due_at - story.now) / 900.0)

    assert waits == pytest.approx([1, 2, 4, 8, 16, 24, 24], rel=0.11)
    assert (story.state.outbox[message].refusals, story.state.gave_up) == (7, 0)
    assert {a.outcome for a in story.state.attempts} == {"refused"}

    refuse(story, message)
    assert story.state.outbox[message].refusals == 0, "a failure of another kind is tried as failures are"


def test_a_refusal_ends_with_the_days(owing):
    """As everything that fails; it is counted, kept by name, and can be sent again by an operator."""
    story, message = owing
    for _ in range(6):
        refuse(story, message, permanent=True)
    story.now += 259_200
    refuse(story, message, permanent=True)

    assert (story.state.outbox, story.state.gave_up) == ({}, 1)
    assert [(one.message, one.outcome) for one in story.state.lost] == [(message, "gave up")]
    story.happens(events.Retried(message=message))
    assert message in story.state.outbox


def test_a_receiver_that_is_gone_ends_it(owing):
    """410 says that there will never be another answer."""
    story, message = owing
    refuse(story, message, permanent=True, final=True)

    assert (story.state.outbox, story.state.gave_up) == ({}, 1)
    assert story.state.attempts[-1].outcome == "refused"


def test_what_was_refused_is_tried_when_its_notifier_was_mended(owing):
    """At once, and only that: what failed otherwise has its own time."""
    story, message = owing
    story.refused(events.Retried(notifier="mail"))
    refuse(story, message)
    story.refused(events.Retried(notifier="mail"))
    refuse(story, message, permanent=True)
    story.refused(events.Retried(notifier="chat")).happens(events.Retried(notifier="mail"))

    assert story.state.outbox[message].due_at == story.now


def test_it_is_given_up_after_days(owing):
    """Three by default: then it is counted, logged, and can be sent again."""
    story, message = owing
    for _ in range(6):
        refuse(story, message)
    story.now += 259_200
    refuse(story, message)

    assert story.state.outbox == {}
    assert (story.state.gave_up, story.state.attempts[-1].outcome) == (1, "gave up")


def test_it_is_not_given_up_because_we_were_away(owing):
    """Old as it is, it is tried some times."""
    story, message = owing
    story.restarts("9 d")
    for _ in range(4):
        assert message in refuse(story, message).state.outbox

    assert message not in refuse(story, message).state.outbox


def test_an_operator_may_try_again_now(owing):
    """All that waits, or one."""
    story, message = owing
    refuse(story, message).happens(events.Retried())
    assert story.state.outbox[message].due_at == story.now

    refuse(story, message).happens(events.Retried(message=message))
    assert story.state.outbox[message].due_at == story.now


def test_an_operator_may_send_again_what_has_left(owing):
    """Under its old id."""
    story, message = owing
    story.happens(events.Tested(notifier="mail")).happens(events.Delivered(message="0-2-mail"))
    story.happens(events.Delivered(message=message, target="a")).happens(events.Delivered(message=message)).passes(
        "1 h"
    )
    story.happens(events.Retried(message=message))

    assert [m.kind for m in story.state.sent] == ["test"]
    again = story.state.outbox[message]
    assert (again.due_at, again.created_at, again.done) == (story.now, story.now, [])
    story.refused(events.Retried(message="9-9-mail"))


def test_nothing_to_try_again_is_refused(tell):
    """An empty outbox."""
    tell(node("web/api")).refused(events.Retried())


def test_an_operator_may_drop_one(owing):
    """It is logged, and cannot be sent again."""
    story, message = owing
    story.happens(events.Dropped(message=message)).refused(events.Dropped(message=message))

    assert story.state.attempts[-1].detail == "by an operator"
    story.refused(events.Retried(message=message))


def test_a_test_goes_through_a_notifier(tell):
    """Also one that is off, and web hooks; to each device; unknown ones are refused, and push without devices."""
    from crisp_status.core.operator_records import Subscription

    phones = NotifierPlan("phones", "push", operators=("jane",))
    story = tell(node("web/api"), notifiers=(MAIL, phones), webhooks=("hook",), operators=("jane",))
    story.refused(events.Tested(notifier="nobody")).refused(events.Tested(notifier="phones"))
    story.happens(events.Subscribed(subscription=Subscription("a", "jane", "https://push.example/a", "p", "s", 0.0)))
    for name in ("mail", "hook", "phones"):
        story.happens(events.Tested(notifier=name))

    assert [(m.kind, m.notifier, m.target) for m in story.owed()] == [
        ("test", "mail", ""), ("test", "hook", ""), ("test", "phones", "a"),
    ]  # fmt: skip


def test_the_logs_are_bounded(owing):
    """Five hundred attempts and a hundred sent messages, each with at most 500 letters."""
    story, _ = owing
    for _ in range(outbox.ATTEMPTS_KEPT + 1):
        story.happens(events.Tested(notifier="mail"))
        story.happens(events.Delivered(message=f"0-{story.state.next_message - 1}-mail", detail="x" * 900))

    assert (len(story.state.attempts), len(story.state.sent)) == (outbox.ATTEMPTS_KEPT, outbox.SENT_KEPT)
    assert len(story.state.attempts[0].detail) == 500


def full(kinds):
    state = State()
    for number in range(outbox.OUTBOX_MAX):
        kind = kinds[number % len(kinds)]
        outbox.put(state, Message(f"0-{number}-m", "m", kind, 0.0, 0.0))
    return state


def test_when_it_is_full_the_oldest_reminder_goes_first(tell):
    """Then startup notices, then tests; each is logged."""
    state = full(["opened", "startup", "reminder", "test"])
    outbox.put(state, Message("new", "m", MessageKind.RECOVERED, 0.0, 0.0))

    assert "0-2-m" not in state.outbox
    assert len(state.outbox) == outbox.OUTBOX_MAX
    assert state.attempts[-1].outcome == "dropped"


def test_an_opening_or_a_recovery_is_never_dropped():
    """Rather the outbox grows."""
    state = full(["opened", "recovered", "hook"])
    outbox.put(state, Message("new", "m", MessageKind.OPENED, 0.0, 0.0))

    assert len(state.outbox) == outbox.OUTBOX_MAX + 1


def test_nothing_owed_is_lost_in_a_restart(tell):
    """With everything it says."""
    story = tell(node("web/api"), webhooks=("hook",)).seen("web/api", DEAD).passes("10 s")
    before = story.state.outbox

    assert story.restarts("3 d").state.outbox == before


def test_web_hooks_are_told_of_the_page(tell):
    """Of each change of its health, with what is affected; nothing of nodes when it is well again."""
    story = tell(node("web/api"), node("pay/card"), notifiers=(), webhooks=("one", "two")).seen("web/api", HEALTHY)
    story.passes("1 min").then().seen("pay/card", DEAD).passes("10 s")
    one, two = story.owed()

    assert [said(m) for m in (one, two)] == ["one: hook dead", "two: hook dead"]
    assert [w.node for w in one.nodes] == ["pay/card"]
    story.seen("pay/card", HEALTHY).passes("10 s")
    one, two = story.owed()
    assert (said(one), one.nodes) == ("one: hook healthy", [])


def test_the_first_health_of_a_page_is_no_change(tell):
    """That it is well goes without saying; that it is not does not."""
    tell(node("web/api"), webhooks=("hook",)).seen("web/api", HEALTHY).passes("1 min").then()

    story = tell(node("web/api"), notifiers=(), webhooks=("hook",)).seen("web/api", DEAD).passes("1 min")
    story.then("hook: hook dead")


def test_a_short_outage_is_told_to_web_hooks_as_both_its_changes(tell):
    """Also when it is the first that anybody heard of the page."""
    for first in (True, False):
        story = tell(node("web/api"), notifiers=(), webhooks=("hook",))
        if not first:
            story.seen("web/api", HEALTHY).passes("1 min").then()
        story.seen("web/api", DEAD).passes("2 s").seen("web/api", HEALTHY).passes("1 min")
        dead, healthy = story.owed()

        assert [said(m) for m in (dead, healthy)] == ["hook: hook dead", "hook: hook healthy"]
        assert [w.node for w in dead.nodes] == ["web/api"]


def test_web_hooks_do_not_wait_to_group(tell):
    """Each change is told with the next tick, however long notices are gathered."""
    story = (
        tell(node("web/api"), webhooks=("hook",), notify={"group_wait": 600.0}).seen("web/api", HEALTHY).passes("1 s")
    )
    story.seen("web/api", DEAD).passes("1 s").then("hook: hook dead")

    story.seen("web/api", HEALTHY).passes("1 s").then("hook: hook healthy")


def test_web_hooks_wait_for_looks_beside_what_failed(tell):
    """So that they name all of it; at most as long as one look takes, and not to say that all is well."""
    nodes = [node(f"web/{name}", delay_dead=10.0, retry=0) for name in "ab"]
    for lasts in ("5 s", "1 h"):
        story = (
            tell(*nodes, notifiers=(), webhooks=("hook",)).seen("web/a", HEALTHY).seen("web/b", HEALTHY).passes("1 s")
        )
        story.happens(events.LooksBegun(node="web/a", replica="1", until=story.now + 3600.0)).seen("web/a", DEAD)
        if lasts == "5 s":
            story.passes("5 s").then().seen("web/b", DEAD).happens(events.LooksEnded(node="web/a", replica="1"))
            (hook,) = story.passes("1 s").owed()
        else:
            (hook,) = story.passes("9 s").then().passes("2 s").owed()
        assert [w.node for w in hook.nodes] == (["web/a", "web/b"] if lasts == "5 s" else ["web/a"])


def test_what_changed_and_changed_back_is_no_news(tell):
    """Dead, well, dead again before the next tick: nothing is said twice. And a page of nothing says nothing."""
    story = (
        tell(node("web/api"), notifiers=(), webhooks=("hook",))
        .seen("web/api", DEAD)
        .passes("1 min")
        .then("hook: hook dead")
    )
    story.seen("web/api", HEALTHY).seen("web/api", DEAD).passes("1 min").then()

    story.reloads(page(notifiers=(), webhooks=("hook",))).passes("1 min").then()


def test_a_newer_hook_ends_older_ones(tell):
    """Whoever was sent the present health of the page needs no older one: it would seem to be the present."""
    story = tell(node("web/api"), webhooks=("hook",)).seen("web/api", DEAD).passes("10 s").seen("web/api", HEALTHY)
    story.passes("1 min")
    dead, healthy = [m.id for m in story.state.outbox.values() if m.kind == "hook"]
    story.happens(events.NotDelivered(message=dead, error="404", permanent=True)).happens(
        events.Delivered(message=healthy)
    )

    assert [m.id for m in story.state.outbox.values() if m.kind == "hook"] == []
    assert (story.state.attempts[-1].message, story.state.attempts[-1].outcome) == (dead, "dropped")
