"""A notifier that takes nothing is told of through the others. DESIGN section 6, delivery."""

import pytest

from crisp_status.core import events
from crisp_status.core.operator_records import Subscription
from crisp_status.core.outbox_records import ReceiverTrouble, Trouble
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, MAIL, node, page, said

CHAT = NotifierPlan("chat", "slack")
PUSH = NotifierPlan("phones", "push", operators=("jane",))


def owing(tell, *notifiers, **more):
    """Something is dead, and all of them are owed the opening."""
    story = tell(node("a/n"), notifiers=notifiers or (MAIL, CHAT), **more).seen("a/n", DEAD).passes("1 min")
    story.owed()
    return story


def first(story, notifier):
    return next(m.id for m in story.state.outbox.values() if m.notifier == notifier)


def refuses(story, notifier="mail", **more):
    more.setdefault("permanent", True)
    return story.happens(events.NotDelivered(message=first(story, notifier), error="535 authentication failed", **more))


def test_a_refusal_is_told_of_through_the_others(tell):
    """At once, with what it answered; not through itself, and not through those that hear of no deaths."""
    deaf = NotifierPlan("deaf", "slack", on=("sick",))
    story = refuses(owing(tell, MAIL, CHAT, deaf))

    (message,) = story.owed()
    assert said(message) == "chat: undelivered"
    assert message.trouble == ReceiverTrouble("mail", Trouble.REFUSED, "535 authentication failed")


def test_a_failure_that_passes_by_itself_is_not_told_of(tell):
    """A mail server that restarts is nobody's business."""
    refuses(owing(tell), permanent=False).then()


def test_a_test_message_is_not_told_of(tell):
    """Whoever asked for it sees the answer."""
    story = tell(node("a/n"), notifiers=(MAIL, CHAT)).happens(events.Tested(notifier="mail"))
    story.owed()
    refuses(story).then()


def test_it_is_told_once_a_day(tell):
    """However often it refuses."""
    story = refuses(refuses(owing(tell)))
    story.then("chat: undelivered")
    for _ in range(4):
        story.now += 6 * 3600.0
        refuses(story)
    story.then("chat: undelivered")


def test_it_is_told_as_soon_as_there_is_somebody(tell):
    """Nobody else listened at the first refusal."""
    story = refuses(owing(tell, MAIL))
    story.then()
    story.reloads(page(node("a/n"), notifiers=(MAIL, CHAT)))
    refuses(story)
    assert "chat: undelivered" in [said(m) for m in story.owed()]


def test_the_next_refusal_after_a_yes_is_news(tell):
    """But of one that says yes and no in turns nobody hears more than once an hour."""
    story = refuses(owing(tell))
    story.then("chat: undelivered")
    story.happens(events.Delivered(message=first(story, "mail"), target="jane"))
    for wait, heard in (("10 min", []), ("61 min", ["chat: undelivered"])):
        story.happens(events.Tested(notifier="mail"))
        (test,) = [m for m in story.owed() if m.kind == "test"]
        story.now += {"10 min": 600.0, "61 min": 3660.0}[wait]
        story.happens(events.Delivered(message=test.id))
        refuses(story).then(*heard)


def test_two_that_refuse_tell_of_each_other_once(tell):
    """And do not go on for ever."""
    story = refuses(refuses(owing(tell)), "chat")
    story.then("chat: undelivered", "mail: undelivered")
    for message in list(story.state.outbox):
        story.happens(events.NotDelivered(message=message, error="404", permanent=True))
    story.then()


@pytest.mark.parametrize("final", [True, False])
def test_what_is_given_up_is_told_of(tell, final):
    """By 410 at once; else after days of failures of any kind."""
    story = owing(tell)
    if not final:
        for _ in range(5):
            refuses(story, permanent=False)
        story.now += 259_200
    refuses(story, permanent=final, final=final)

    (message,) = story.owed()
    assert (said(message), message.trouble.trouble) == ("chat: undelivered", "given_up")


def test_web_hooks_that_refuse_are_told_of(tell):
    """They are receivers like any other."""
    story = owing(tell, MAIL, webhooks=("hook",))
    refuses(story, "hook").then("mail: undelivered")


def test_one_that_vanished_is_told_of_and_its_messages_stay(tell):
    """They are looked at as soon as the plan is in force."""
    story = refuses(owing(tell))
    story.owed()
    story.reloads(page(node("a/n"), notifiers=(CHAT,)))
    owed = story.state.outbox[first(story, "mail")]

    assert owed.due_at == story.now
    story.now += 86_400
    refuses(story)
    (message,) = story.owed()
    assert message.trouble.trouble == "vanished"
    story.happens(events.Dropped(message=owed.id)).reloads(page(node("a/n"), notifiers=(CHAT,)))
    assert story.state.undelivered_told == {}, "nobody needs to remember one that is gone and owed nothing"


def test_what_waits_for_one_that_vanished_goes_on_to_another(tell):
    """From the beginning, and nothing that is owed to others."""
    story = refuses(owing(tell)).reloads(page(node("a/n"), notifiers=(CHAT,)))
    lost = first(story, "mail")
    story.refused(events.Retried(to="nobody")).happens(events.Retried(to="chat"))

    moved = story.state.outbox[lost]
    assert (moved.notifier, moved.due_at, moved.attempts, moved.refusals) == ("chat", story.now, 0, 0)
    story.refused(events.Retried(to="chat"))


def test_one_message_can_go_to_another_notifier(tell):
    """While its own is still there."""
    story = refuses(owing(tell))
    message = first(story, "mail")
    story.happens(events.Retried(message=message, to="chat"))

    assert story.state.outbox[message].notifier == "chat"
    story.refused(events.Retried(message="1-9-mail", to="chat"))


def device(id):
    return events.Subscribed(subscription=Subscription(id, "jane", f"https://push.example/{id}", "p", "a", 0.0))


def test_what_was_for_devices_goes_on_once(tell):
    """From two phones to one mailbox, and from there to both phones."""
    story = tell(node("a/n"), notifiers=(PUSH,), operators=("jane",)).happens(device("one"), device("two"))
    story.refused(events.Retried(to="phones"))
    story.seen("a/n", DEAD).passes("1 min").reloads(page(node("a/n"), notifiers=(MAIL,), operators=("jane",)))
    story.happens(events.Retried(to="mail"))

    assert [(m.notifier, m.target, m.kind) for m in story.state.outbox.values()] == [("mail", "", "opened")]


def test_without_devices_nothing_goes_on(tell):
    """There is nobody to send it to."""
    story = owing(tell).reloads(page(node("a/n"), notifiers=(PUSH,), operators=("jane",)))
    story.refused(events.Retried(to="phones"))
    story.happens(device("one"), device("two"), events.Retried(to="phones"))

    assert [(m.notifier, m.target) for m in story.state.outbox.values()] == [
        ("phones", "one"), ("phones", "one"), ("phones", "two"), ("phones", "two"),
    ]  # fmt: skip


def test_web_hooks_and_notifiers_do_not_take_each_others_messages(tell):
    """A program cannot read a notice."""
    story = owing(tell, MAIL, webhooks=("hook",)).reloads(page(node("a/n"), notifiers=(CHAT,), webhooks=("new",)))
    story.happens(events.Retried(to="chat"), events.Retried(to="new"))

    assert sorted((m.kind, m.notifier) for m in story.state.outbox.values()) == [("hook", "new"), ("opened", "chat")]
