"""What subscribers hear of, and whom a bulletin reaches: told as stories in which they are sent one by one."""

from __future__ import annotations

import msgspec
import pytest

from crisp_status.core import bulletins, events, subscribers
from crisp_status.core import subscriber_events as told
from crisp_status.core.model import Health
from crisp_status.core.operator_records import Announcement
from crisp_status.core.policy import SubscribersPlan
from crisp_status.core.subscriber_records import SLOW, UPDATES, USUAL, OutageStory, Subscriber
from tests.core.story import DEAD, HEALTHY, SICK, Story, node, page

ANN, BOB, EVE = 10, 20, 30


class Readers:
    """Sends what is owed, as the loop does, and keeps who read what."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.read: list[tuple[int, str]] = []
        self.refuse: dict[int, str] = {}

    def joins(self, id: int, services: str = "", wants: int = USUAL, **more) -> None:
        self.story.happens(
            told.SubscriberAdded(
                id=id, subscriber=Subscriber("email", f"{id}@x.example", 0.0, services, "en", wants, **more)
            )
        )

    def due(self) -> list[tuple[int, int]]:
        """(bulletin, subscriber) in the order of sending."""
        state, found = self.story.state, []
        for one in state.audience.bulletins.values():
            lane = one.lanes.get("email")
            if lane is None or one.due_at > self.story.now:
                continue
            found += [(one.id, id) for id, late in lane.deferred.items() if late.due_at <= self.story.now]
            if not lane.done:
                members = sorted(state.subscribers.items())
                found += [(one.id, id) for id, s in members if id > lane.cursor and bulletins.concerns(one, id, s)]
        return found

    def sends(self, most: int = 1000) -> Readers:
        """Send until nothing is due, or so many."""
        while most and (due := self.due()):
            most -= 1
            number, id = due[0]
            one = self.story.state.audience.bulletins[number]
            seen = self.story.state.audience.next_bulletin
            if id in self.refuse:
                self.story.happens(
                    told.BulletinFailed(
                        bulletin=number, kind="email", subscriber=id, error="no", outcome=self.refuse[id]
                    )
                )
                continue
            self.read.append((id, one.kind))
            self.story.happens(told.BulletinSent(bulletin=number, kind="email", subscriber=id, seen=seen))
        if most:
            for one in list(self.story.state.audience.bulletins.values()):
                lane = one.lanes.get("email")
                if lane is not None and not lane.done and one.due_at <= self.story.now:
                    self.story.happens(told.BulletinFinished(bulletin=one.id, kind="email"))
        return self

    def passes(self, length: str) -> Readers:
        """Time, in which everything due is sent."""
        self.story.passes(length)
        return self.sends()

    def heard(self, id: int) -> list[str]:
        return [kind for one, kind in self.read if one == id]


@pytest.fixture
def story():
    return Story(page(node("web/a"), node("api/b"), node("shop/c"), notifiers=(), subscribers=SubscribersPlan(180.0)))


@pytest.fixture
def readers(story):
    story.seen("web/a/1", HEALTHY).seen("api/b/1", HEALTHY).seen("shop/c/1", HEALTHY)
    return Readers(story)


def test_an_outage_is_told_when_it_lasts_and_its_end_once(story, readers):
    """Not before three minutes; then once, and once when it is over."""
    readers.joins(ANN)
    story.seen("web/a/1", DEAD)
    assert readers.passes("170 s").heard(ANN) == []
    assert readers.passes("30 s").heard(ANN) == ["opened"]
    assert readers.passes("1 h").heard(ANN) == ["opened"]
    story.seen("web/a/1", HEALTHY)
    assert readers.passes("1 h").heard(ANN) == ["opened", "ended"]
    assert readers.passes("25 h").heard(ANN) == ["opened", "ended"]
    assert not story.state.audience.bulletins
    assert not story.state.audience.stories
    story.replays()


def test_a_short_outage_is_nobodys_business(story, readers):
    """What is over within three minutes is not told."""
    readers.joins(ANN)
    story.seen("web/a/1", DEAD)
    readers.passes("100 s")
    story.seen("web/a/1", HEALTHY)
    assert readers.passes("1 h").heard(ANN) == []


def test_each_hears_of_what_was_chosen(story, readers):
    """One service, another one, both: the end comes when all that was chosen is well."""
    readers.joins(ANN, "web")
    readers.joins(BOB, "api")
    readers.joins(EVE, "web api")
    story.seen("web/a/1", DEAD).passes("60 s").seen("api/b/1", DEAD)
    readers.passes("140 s")
    assert (readers.heard(ANN), readers.heard(BOB), readers.heard(EVE)) == (["opened"], [], ["opened"])
    readers.passes("60 s")
    assert (readers.heard(BOB), readers.heard(EVE)) == (["opened"], ["opened"])
    story.seen("web/a/1", HEALTHY)
    readers.passes("5 min")
    assert (readers.heard(ANN)[1:], readers.heard(EVE)[1:]) == (["ended"], [])
    story.seen("api/b/1", HEALTHY)
    readers.passes("5 min")
    assert (readers.heard(BOB)[1:], readers.heard(EVE)[1:], readers.heard(ANN)[1:]) == (["ended"], ["ended"], ["ended"])
    story.replays()


def test_what_is_slow_is_told_to_those_who_asked(story, readers):
    """And that it is dead, to everybody, once."""
    readers.joins(ANN)
    readers.joins(BOB, wants=USUAL | SLOW)
    story.seen("web/a/1", SICK)
    readers.passes("10 min")
    assert (readers.heard(ANN), readers.heard(BOB)) == ([], ["opened"])
    story.seen("web/a/1", DEAD)
    readers.passes("10 min")
    assert (readers.heard(ANN), readers.heard(BOB)) == (["opened"], ["opened", "opened"])
    story.seen("web/a/1", HEALTHY)
    readers.passes("10 min")
    assert (readers.heard(ANN)[1:], readers.heard(BOB)[2:]) == (["ended"], ["ended"])


def test_whom_the_opening_did_not_reach_hears_nothing_of_it(story, readers):
    """It ends when one of three has heard: the others are left alone."""
    for id in (ANN, BOB, EVE):
        readers.joins(id)
    story.seen("web/a/1", DEAD).passes("200 s")
    readers.sends(1)
    story.seen("web/a/1", HEALTHY).passes("20 s")
    readers.passes("1 h")
    assert readers.read == [(ANN, "opened"), (ANN, "ended")]


def test_an_opening_in_flight_at_the_end_has_its_end(story, readers):
    """The answer comes after the end was noticed: that reader hears both, the next none."""
    for id in (ANN, BOB):
        readers.joins(id)
    story.seen("web/a/1", DEAD).passes("200 s")
    number, seen = next(iter(story.state.audience.bulletins)), story.state.audience.next_bulletin
    story.seen("web/a/1", HEALTHY).passes("20 s")
    story.happens(told.BulletinSent(bulletin=number, kind="email", subscriber=ANN, seen=seen))
    readers.passes("1 h")
    assert readers.read == [(ANN, "ended")]
    story.replays()


def test_who_subscribes_in_an_outage_hears_its_end(story, readers):
    """They have seen it on the page."""
    story.seen("web/a/1", DEAD)
    readers.joins(EVE, "shop")
    readers.passes("10 min")
    readers.joins(ANN)
    story.seen("web/a/1", HEALTHY)
    assert readers.passes("10 min").heard(ANN) == ["ended"]
    assert readers.heard(EVE) == []


def test_this_outage_only_is_one_message(story, readers):
    """However short it was; then the address is forgotten."""
    story.seen("web/a/1", DEAD).passes("20 s")
    readers.joins(ANN, once=story.incident.id)
    readers.joins(EVE)
    story.seen("web/a/1", HEALTHY)
    assert readers.passes("10 min").heard(ANN) == ["ended"]
    assert readers.heard(EVE) == []
    assert list(story.state.subscribers) == [EVE]
    story.replays()


def test_the_end_alone_of_what_is_over_is_refused(story, readers):
    """And somebody who hears everything loses nothing by it."""
    readers.joins(BOB)
    story.seen("web/a/1", DEAD).passes("20 s")
    number = story.incident.id
    readers.joins(BOB, once=number)
    assert story.state.subscribers[BOB].once == 0
    story.seen("web/a/1", HEALTHY).passes("60 s")
    story.refused(told.SubscriberAdded(id=ANN, subscriber=Subscriber("email", "a@x.example", 0.0, once=number)))


def test_updates_are_told_once_to_those_who_heard(story, readers):
    """Two within the wait are one message; one that comes before the opening stands in that; one after the end too."""
    readers.joins(ANN)
    readers.joins(BOB, wants=USUAL & ~UPDATES)
    story.seen("web/a/1", DEAD).passes("30 s")
    number = story.incident.id
    story.happens(events.Noted(incident=number, text="We look", phase="investigating"))
    readers.passes("10 min")
    assert readers.heard(ANN) == ["opened"]
    story.happens(events.Noted(incident=number, text="Found"))
    story.passes("2 s").happens(
        events.Noted(incident=number, text="Really"), events.Noted(incident=number, text="psst", internal=True)
    )
    story.passes("2 s")
    assert [b.news for b in story.state.audience.bulletins.values() if b.kind == "update"] == [2]
    readers.passes("5 min")
    story.seen("web/a/1", HEALTHY)
    readers.passes("10 min")
    story.happens(events.Noted(incident=number, text="What it was"))
    readers.passes("10 min")
    assert readers.heard(ANN) == ["opened", "update", "ended", "update"]
    assert readers.heard(BOB) == ["opened", "ended"]
    story.replays()


def test_an_incident_by_hand_is_told_at_once(story, readers):
    """With nodes to those who chose them, without to everybody; it ends by hand."""
    readers.joins(ANN, "web")
    readers.joins(BOB, "shop")
    story.happens(events.IncidentOpened(title="Mail is late", health=DEAD, nodes=["web/a"]))
    readers.passes("20 s")
    assert (readers.heard(ANN), readers.heard(BOB)) == (["opened"], [])
    story.happens(events.Noted(incident=1, text="Done", phase="resolved"))
    readers.passes("20 s")
    story.happens(events.IncidentOpened(title="All is odd", health=DEAD))
    readers.passes("20 s")
    assert (readers.heard(ANN), readers.heard(BOB)) == (["opened", "ended", "opened"], ["opened"])


def test_failures_wait_bounce_and_end_it(story, readers):
    """A passing failure is tried again out of turn; three hard ones in a row end the subscription."""
    for id in (ANN, BOB):
        readers.joins(id)
    readers.refuse = {ANN: "later"}
    story.seen("web/a/1", DEAD)
    readers.passes("200 s")
    assert readers.read == [(BOB, "opened")]
    readers.refuse = {}
    assert readers.passes("60 s").heard(ANN) == ["opened"]
    assert story.state.subscribers[ANN].failures == 0
    readers.refuse = {ANN: "bounced"}
    for _ in range(3):
        story.seen("web/a/1", HEALTHY)
        readers.passes("10 min")
        story.seen("web/a/1", DEAD)
        readers.passes("10 min")
    assert list(story.state.subscribers) == [BOB]
    assert story.state.audience.counts == {"email": 1}
    story.replays()


def test_what_never_arrives_is_given_up(story, readers):
    """Within two hours; an e-mail address is not blamed for it, and it hears no end."""
    readers.joins(ANN)
    readers.refuse = {ANN: "later"}
    story.seen("web/a/1", DEAD)
    for _ in range(20):
        readers.passes("15 min")
    assert len(story.state.audience.failures) == subscribers.TRIES_MAX
    assert ANN in story.state.subscribers
    readers.refuse = {}
    story.seen("web/a/1", HEALTHY)
    assert readers.passes("1 h").heard(ANN) == []


def test_a_bulletin_of_long_ago_is_no_news(story, readers):
    """After two days it is dropped."""
    readers.joins(ANN)
    story.seen("web/a/1", DEAD).passes("200 s").seen("web/a/1", HEALTHY).passes("3 d", tick=600.0)
    assert readers.sends().read == []
    assert not story.state.audience.bulletins


def test_a_web_hook_that_fails_is_stopped_and_its_owner_told(story):
    """Three messages that it never took; saving after another challenge starts it again."""
    hook = Subscriber("webhook", "https://h.example/", 0.0, secret="whsec_x o@h.example")
    story.happens(
        told.SubscriberAdded(id=ANN, subscriber=hook),
        told.SubscriberAdded(id=BOB, subscriber=msgspec.structs.replace(hook, secret="whsec_x")),
    )
    for number in range(3):
        story.happens(events.Announced(announcement=Announcement(f"n{number}", "News"))).passes("20 s")
        one = max(story.state.audience.bulletins)
        for id in (ANN, BOB):
            for _ in range(subscribers.TRIES_MAX):
                story.happens(told.BulletinFailed(bulletin=one, kind="webhook", subscriber=id, error="500"))
        story.happens(told.BulletinFinished(bulletin=one, kind="webhook"))
    assert story.state.audience.stopped == [ANN]
    assert subscribers.is_stopped(story.state.subscribers[ANN])
    story.happens(told.HookOwnerTold(id=ANN)).refused(told.HookOwnerTold(id=ANN))
    story.happens(told.SubscriberChanged(id=ANN, services="web", language="de", wants=1))
    assert not subscribers.is_stopped(story.state.subscribers[ANN])
    story.replays()


def test_announcements_and_work_are_told_in_time(story, readers):
    """Words at once; work a day before, at its start, at its end, to those who chose it; once each."""
    readers.joins(ANN, "web")
    readers.joins(BOB, "shop")
    now = story.now
    story.happens(events.Announced(announcement=Announcement("hello", "Hello")))
    story.happens(
        events.Announced(announcement=Announcement("later", "Later", starts_at=now + 7200.0, expires_at=now + 9000.0))
    )
    work = Announcement(
        "work", "Upgrade", starts_at=now + 2 * 86400.0, expires_at=now + 2 * 86400.0 + 3600.0, maintenance=["web/a"]
    )
    story.happens(events.Announced(announcement=work))
    readers.passes("1 h")
    assert (readers.heard(ANN), readers.heard(BOB)) == (["announced"], ["announced"])
    for _ in range(26):
        readers.story.passes("2 h", tick=60.0)
        readers.sends()
    assert readers.heard(ANN) == ["announced", "announced", "work_soon", "work_begun", "work_over"]
    assert readers.heard(BOB) == ["announced", "announced"]
    story.happens(events.Withdrawn(id="hello"))
    story.passes("2 s")
    assert "hello" not in story.state.audience.announced


def test_work_that_is_called_off_while_it_runs_is_over(story, readers):
    """And what was planned and called off before is not told any more."""
    readers.joins(ANN)
    now = story.now
    story.happens(
        events.Announced(
            announcement=Announcement("w", "Now", starts_at=now, expires_at=now + 3600.0, maintenance=["web"])
        )
    )
    readers.passes("1 min")
    story.happens(events.Withdrawn(id="w"))
    readers.passes("1 min")
    assert readers.heard(ANN) == ["work_begun", "work_over"]


def test_a_mailbox_gets_three_links_an_hour(story):
    """Whoever asks; the fourth request is written down like the others and owes nothing."""
    for number in range(5):
        story.happens(
            told.SubscriptionRequested(
                token=f"t{number}", subscriber=Subscriber("email", "a@x.example", 0.0), mailbox=7
            )
        )
    assert list(story.state.audience.pending) == ["t0", "t1", "t2"]
    story.happens(told.ConfirmationSent(token="t0"))
    story.happens(told.ConfirmationSent(token="t1", error="450 later"))
    story.happens(told.ConfirmationSent(token="t2", error="550 no", final=True))
    assert [(k, p.tries) for k, p in story.state.audience.pending.items()] == [("t0", 0), ("t1", 1)]
    story.refused(told.ConfirmationSent(token="gone"))
    story.refused(told.SubscriptionConfirmed(token="gone", id=1))
    story.happens(told.SubscriptionConfirmed(token="t0", id=ANN))
    story.passes("61 min", tick=60.0)
    assert not story.state.audience.asked
    story.passes("24 h", tick=600.0)
    assert not story.state.audience.pending
    story.replays()


def test_asking_has_a_bound_and_so_has_the_crowd(story):
    """The oldest request makes room; above the limit nobody new is taken in."""
    for number in range(subscribers.PENDING_MAX + 1):
        asked = told.SubscriptionRequested(
            token=f"t{number}", subscriber=Subscriber("email", "a@x.example", 0.0), mailbox=number
        )
        subscribers.requested(story.world, asked)
    assert next(iter(story.state.audience.pending)) == "t1"
    assert len(story.state.audience.pending) == subscribers.PENDING_MAX

    story.state.subscribers = dict.fromkeys(range(subscribers.SUBSCRIBERS_MAX), Subscriber("email", "a@x.example", 0.0))
    assert not subscribers.confirmed(story.world, told.SubscriptionConfirmed(token="t2", id=-1))


def test_who_leaves_is_forgotten_with_what_was_owed(story, readers):
    """And asking for what is not there is refused."""
    readers.joins(ANN)
    readers.joins(BOB)
    readers.refuse = {ANN: "later"}
    story.seen("web/a/1", DEAD)
    readers.passes("200 s")
    story.happens(told.SubscriberRemoved(id=ANN))
    assert readers.passes("5 min").heard(ANN) == []
    story.refused(told.SubscriberRemoved(id=ANN))
    story.refused(told.SubscriberChanged(id=ANN, services="", language="en", wants=1))
    story.refused(told.BulletinSent(bulletin=99, kind="email", subscriber=BOB))
    story.refused(told.BulletinFailed(bulletin=99, kind="email", subscriber=BOB, error=""))
    story.refused(told.BulletinFinished(bulletin=99, kind="email"))


def test_imported_and_changed(story, readers):
    """Those who confirmed elsewhere; known ones keep their date and take the new choice."""
    story.happens(
        told.SubscribersImported(
            subscribers={ANN: Subscriber("email", "a@x.example", 0.0), BOB: Subscriber("email", "b@x.example", 0.0)}
        )
    )
    since = story.state.subscribers[ANN].since
    story.passes("1 h", tick=60.0).happens(
        told.SubscriberAdded(id=ANN, subscriber=Subscriber("email", "a@x.example", 0.0, "web"))
    )
    assert (story.state.subscribers[ANN].since, story.state.subscribers[ANN].services) == (since, "web")
    assert story.state.audience.counts == {"email": 2}


def test_the_clock_is_set_and_what_waits_goes_on(story, readers):
    """An hour forward or back: nothing is told twice, nothing is lost."""
    readers.joins(ANN)
    readers.joins(BOB)
    readers.refuse = {ANN: "later"}
    story.happens(told.SubscriptionRequested(token="t", subscriber=Subscriber("email", "a@x.example", 0.0), mailbox=1))
    story.happens(told.SubscriptionRequested(token="u", subscriber=Subscriber("email", "a@x.example", 0.0), mailbox=1))
    story.happens(told.ConfirmationSent(token="u"))
    story.seen("web/a/1", DEAD)
    readers.passes("200 s")
    story.happens(events.ClockJumped(at=story.now - 3600.0, before=story.now))
    story.now -= 3600.0
    readers.refuse = {}
    readers.passes("2 min")
    story.seen("web/a/1", HEALTHY)
    readers.passes("5 min")
    assert sorted(readers.read) == [(ANN, "ended"), (ANN, "opened"), (BOB, "ended"), (BOB, "opened")]


def test_merged_updates_are_not_news(story, readers):
    """What was told of one incident is not told again when another one takes it over."""
    readers.joins(ANN)
    story.happens(events.IncidentOpened(title="One", health=DEAD))
    story.happens(events.Noted(incident=1, text="a"))
    readers.passes("30 s")
    story.happens(events.Noted(incident=1, text="b", phase="resolved"))
    story.happens(events.IncidentOpened(title="Two", health=DEAD))
    readers.passes("30 s")
    before = list(readers.read)
    story.happens(events.IncidentMerged(incident=1, into=2))
    assert readers.passes("5 min").read == before


def test_switched_off_nothing_is_owed(story, readers):
    """Without [subscribers] nobody is told."""
    readers.joins(ANN)
    story.happens(events.Planned(plan=page(node("web/a"), notifiers=())))
    story.seen("web/a/1", DEAD)
    assert readers.passes("10 min").read == []
    assert Health.DEAD is story.state.health


def test_outages_within_the_wait_are_one_bulletin(story, readers):
    """Two services that die seconds apart: who hears everything hears it once."""
    readers.joins(ANN)
    readers.joins(EVE, "api")
    story.seen("web/a/1", DEAD).passes("3 s").seen("api/b/1", DEAD)
    assert readers.passes("10 min").read == [(ANN, "opened"), (EVE, "opened")]
    (opening,) = story.state.audience.bulletins.values()
    assert opening.services == ["web", "api"]
    story.replays()


def test_an_update_that_waits_gives_way_to_the_end(story, readers):
    """The end says it all."""
    readers.joins(ANN)
    story.happens(events.IncidentOpened(title="Mail is late", health=DEAD))
    readers.passes("20 s")
    story.happens(events.Noted(incident=1, text="Nearly")).passes("2 s")
    story.happens(events.Noted(incident=1, text="Done", phase="resolved"))
    assert readers.passes("1 min").heard(ANN) == ["opened", "ended"]


def test_the_end_is_told_although_the_incident_is_forgotten():
    """It ended just before a kill, and we were away for longer than history is kept."""
    story = Story(page(node("web/a"), notifiers=(), subscribers=SubscribersPlan(180.0), history_days=1))
    story.seen("web/a/1", HEALTHY)
    readers = Readers(story)
    readers.joins(ANN)
    story.seen("web/a/1", DEAD)
    readers.passes("5 min")
    story.seen("web/a/1", HEALTHY).restarts("3 d")
    assert readers.passes("1 min").heard(ANN) == ["opened", "ended"]
    assert not story.state.open
    assert not story.state.closed


def test_work_that_is_called_off_before_it_begins_has_no_end(story, readers):
    """It was told a day before, and nothing more."""
    readers.joins(ANN)
    story.announced(begins="2 h", lasts="1 h", maintenance=["web"])
    readers.passes("1 min")
    story.happens(events.Withdrawn(id="work"))
    assert readers.passes("1 min").heard(ANN) == ["work_soon"]
    assert not story.state.audience.works


def test_work_that_is_put_off_is_told_anew(story, readers):
    """When the time that was told is over, the new one is; it begins and ends once."""
    readers.joins(ANN)
    story.announced(begins="1 h", lasts="1 h", maintenance=["web"])
    readers.passes("1 min")
    story.announced(begins="3 h", lasts="1 h", maintenance=["web"])
    for _ in range(5):
        story.passes("1 h", tick=60.0)
        readers.sends()
    assert readers.heard(ANN) == ["work_soon", "work_soon", "work_begun", "work_over"]


def test_work_that_begins_at_once_is_one_message(story, readers):
    """That it is soon waits when it begins, and is not told any more."""
    readers.joins(ANN)
    story.announced(begins="5 s", lasts="1 h", maintenance=["web"])
    assert readers.passes("1 min").heard(ANN) == ["work_begun"]


def test_an_opening_that_fails_after_the_end_is_not_tried_again(story, readers):
    """There is nothing left to tell."""
    for id in (ANN, BOB):
        readers.joins(id)
    story.seen("web/a/1", DEAD).passes("200 s")
    number = next(iter(story.state.audience.bulletins))
    story.seen("web/a/1", HEALTHY).passes("20 s")
    story.happens(told.BulletinFailed(bulletin=number, kind="email", subscriber=ANN, error="450 later"))
    assert readers.passes("1 h").read == []
    story.replays()


def test_an_end_that_waits_while_the_clock_is_set_back_arrives(story, readers):
    """Also at who subscribed in the outage."""
    readers.joins(ANN)
    story.seen("web/a/1", DEAD)
    readers.passes("5 min")
    readers.joins(BOB)
    story.passes("2 s").seen("web/a/1", HEALTHY).passes("1 min").jumps("-1 h")
    readers.passes("1 min")
    assert readers.read == [(ANN, "opened"), (ANN, "ended"), (BOB, "ended")]
    story.replays()


def test_an_opening_in_flight_brings_what_was_written_meanwhile(story, readers):
    """The update, to those who want updates; other news reach them as they reach everybody, once."""
    readers.joins(ANN)
    readers.joins(BOB, wants=USUAL & ~UPDATES)
    story.seen("web/a/1", DEAD).passes("200 s")
    number, seen = next(iter(story.state.audience.bulletins)), story.state.audience.next_bulletin
    story.happens(events.Announced(announcement=Announcement("hello", "Hello")))
    story.happens(events.Noted(incident=story.incident.id, text="Found")).passes("2 s")
    for id in (ANN, BOB):
        story.happens(told.BulletinSent(bulletin=number, kind="email", subscriber=id, seen=seen))
    readers.passes("10 min")
    assert sorted(readers.read) == [(ANN, "announced"), (ANN, "update"), (BOB, "announced")]
    story.replays()


def test_an_opening_that_knew_of_the_update_brings_it_only_once(story, readers):
    """The message was written after the update, so it stands in there."""
    readers.joins(ANN)
    story.seen("web/a/1", DEAD).passes("200 s")
    number = next(iter(story.state.audience.bulletins))
    story.happens(events.Noted(incident=story.incident.id, text="Found")).passes("2 s")
    seen = story.state.audience.next_bulletin
    story.happens(told.BulletinSent(bulletin=number, kind="email", subscriber=ANN, seen=seen))
    assert readers.passes("10 min").read == []


def test_who_subscribes_later_is_not_told_what_was_before(story, readers):
    """Although it was not sent yet; and who leaves again takes nothing along."""
    readers.joins(ANN)
    story.happens(events.Announced(announcement=Announcement("hello", "Hello"))).passes("5 s")
    readers.joins(BOB)
    slack = Subscriber("slack", "https://hooks.example/x", 0.0)
    story.happens(told.SubscriberAdded(id=EVE, subscriber=slack)).happens(told.SubscriberRemoved(id=EVE))
    assert readers.passes("1 min").read == [(ANN, "announced")]
    assert story.state.audience.counts == {"email": 2, "slack": 0}


def test_who_leaves_while_a_message_is_under_way_is_no_failure(story, readers):
    """Taken or not: nobody is left to try again."""
    for id in (ANN, BOB, EVE):
        readers.joins(id)
    story.happens(events.Announced(announcement=Announcement("hello", "Hello"))).passes("20 s")
    number = next(iter(story.state.audience.bulletins))
    story.happens(told.SubscriberRemoved(id=ANN), told.SubscriberRemoved(id=BOB))
    story.happens(told.BulletinSent(bulletin=number, kind="email", subscriber=ANN))
    story.happens(told.BulletinFailed(bulletin=number, kind="email", subscriber=BOB, error="450 later"))
    assert (story.state.audience.sent, story.state.audience.failed) == (1, 0)
    assert readers.passes("1 h").read == [(EVE, "announced")]


def test_the_end_alone_that_never_arrives_is_forgotten_with_its_address(story, readers):
    """It asked for one message, and there is no other."""
    story.seen("web/a/1", DEAD).passes("20 s")
    readers.joins(ANN, once=story.incident.id)
    readers.refuse = {ANN: "bounced"}
    story.seen("web/a/1", HEALTHY)
    readers.passes("10 min")
    assert not story.state.subscribers
    story.replays()


def test_the_owner_of_a_web_hook_that_leaves_is_not_told(story):
    """It was stopped, and removed before anybody could say so."""
    hook = Subscriber("webhook", "https://h.example/", 0.0, secret="whsec_x o@h.example")
    assert (hook.key, hook.owner) == ("whsec_x", "o@h.example")
    story.happens(told.SubscriberAdded(id=ANN, subscriber=hook))
    for number in range(subscribers.HOOK_FAILURES_MAX):
        story.happens(events.Announced(announcement=Announcement(f"n{number}", "News"))).passes("20 s")
        story.happens(
            told.BulletinFailed(
                bulletin=max(story.state.audience.bulletins), kind="webhook", subscriber=ANN, error="410",
                outcome="bounced",
            )
        )  # fmt: skip
    assert story.state.audience.stopped == [ANN]
    story.happens(told.SubscriberRemoved(id=ANN))
    assert story.state.audience.stopped == []
    story.replays()


def test_readers_of_a_state_share_the_words_of_their_choice(story, readers):
    """A hundred thousand who chose the same cost its text once, after a restart too."""
    readers.joins(ANN, "web api")
    readers.joins(BOB, "web api")
    story.restarts()
    ann, bob = story.state.subscribers[ANN], story.state.subscribers[BOB]
    assert ann.services is bob.services
    assert (ann.services, ann.language) == ("web api", "en")


def test_an_opening_whose_end_was_told_says_nothing_of_the_next(story, readers):
    """One incident, first this service and then that one: each has its own opening and its own end."""
    readers.joins(BOB, "api")
    readers.joins(EVE, "web api")
    story.seen("web/a/1", DEAD)
    readers.passes("190 s")
    story.seen("api/b/1", DEAD).passes("3 s").seen("web/a/1", HEALTHY)
    readers.passes("5 min")
    story.seen("api/b/1", HEALTHY)
    readers.passes("5 min")
    assert story.last.id == 1
    assert readers.heard(BOB) == ["opened", "ended"]
    assert readers.heard(EVE) == ["opened", "ended", "opened", "ended"]
    story.replays()


def test_the_end_of_an_incident_that_is_not_kept_any_more(story, readers):
    """What was told of it is forgotten, also where nothing but that is left of it."""
    story.state.audience.stories[99] = OutageStory(told={"web": DEAD})
    story.passes("1 s")
    assert story.state.audience.stories[99].over_at
    story.passes("1 s")
    assert 99 not in story.state.audience.stories
