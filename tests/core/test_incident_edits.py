"""Operators open incidents by hand, correct them, merge them, strike them out and explain them."""

from __future__ import annotations

import pytest

from crisp_status.core import events
from crisp_status.core.incident_edits import LOG_MAX, MANUAL_MAX
from crisp_status.core.model import Health
from crisp_status.core.operator_records import Announcement, Passkey, Session, Silence, Subscription
from crisp_status.core.sessions import AUDIT_MAX, PASSKEYS_MAX, SESSIONS_MAX
from tests.core.story import DEAD, HEALTHY, SICK, node, page

DAY = 86400.0


def opened(**more):
    """An incident by hand, by Jane."""
    return events.IncidentOpened(**{"title": "Payments fail at our bank", "nodes": ["web/api"], "by": "jane"} | more)


def outage(tell, key="web/api", *, began="23:00:00", lasts="2 h"):
    """A story in which one node was down over midnight, and the next day is over, too."""
    story = tell(node("web/api"), node("web/shop"), start="2026-11-20 12:00:00")
    story.seen("web/api", HEALTHY).seen("web/shop", HEALTHY)
    story.passes("11 h", tick=600).seen(key, DEAD).passes(lasts, tick=600).seen(key, HEALTHY)
    return story.passes("2 d", tick=3600)


def dead_seconds(story, key):
    """Down time of each day that is over, oldest first."""
    return [round((p.others.get(key) or p.usual).dead) for p in story.state.days]


def test_an_incident_by_hand_moves_no_health_and_ends_by_hand(tell):
    """It is open until an update says `resolved`; looks and reloads do not end it, and nothing joins it."""
    story = tell(node("web/api")).seen("web/api", HEALTHY).happens(opened())
    incident = story.incident

    assert (True, "Payments fail at our bank", Health.SICK) == (
        incident.record.manual,
        incident.record.title,
        incident.worst,
    )
    assert story.node("web/api").health is HEALTHY
    story.passes("1 h", tick=60).reloads(story.plan)
    assert story.incident.id == incident.id
    story.seen("web/api", DEAD)
    assert len(story.state.open) == 2
    story.seen("web/api", HEALTHY).passes("10 min")
    story.happens(events.Noted(incident=incident.id, text="The bank is back.", phase="resolved", by="jane"))
    assert story.state.incident(incident.id).closed_at == story.now
    assert [e.phase for e in story.state.incident(incident.id).timeline] == ["investigating", "resolved"]
    story.replays()


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"nodes": ["web/gone"]},
        {"phase": "resolved"},
        {"health": Health.HEALTHY},
    ],
)
def test_an_incident_by_hand_must_make_sense(tell, wrong):
    """Without a title, with an unknown node, already over or healthy it is refused."""
    tell(node("web/api")).seen("web/api", HEALTHY).refused(opened(**wrong))


def test_incidents_by_hand_are_bounded(tell):
    """A script that runs away does not fill the state."""
    story = tell(node("web/api"))
    for _ in range(MANUAL_MAX):
        story.happens(opened())

    story.refused(opened())


def test_what_is_internal_stays_in_the_log(tell):
    """An internal note is in the team's log and not on the timeline; who acknowledged and who wrote is in the log too."""
    story = tell(node("web/api")).seen("web/api", DEAD)
    story.happens(events.Acknowledged(incident=1, by="jane"))
    story.happens(events.Noted(incident=1, text="Partner on the phone", internal=True, by="jane"))
    story.happens(events.Noted(incident=1, text="We found it.", phase="identified", by="joe"))

    assert [("jane", "acknowledged"), ("jane", "note"), ("joe", "update")] == [
        (e.by, e.what) for e in story.incident.record.log
    ]
    assert "Partner on the phone" not in [e.text for e in story.incident.timeline]


def test_the_log_is_bounded(tell):
    """The newest lines stay."""
    story = tell(node("web/api")).seen("web/api", DEAD)
    for number in range(LOG_MAX + 5):
        story.happens(events.Noted(incident=1, text=str(number), internal=True))

    assert len(story.incident.record.log) == LOG_MAX
    assert story.incident.record.log[-1].text == str(LOG_MAX + 4)


def test_a_struck_incident_leaves_uptime(tell):
    """Two hours over midnight were no outage: both days, the service and the page count them as healthy."""
    story = outage(tell)
    for key in ("web/api", "web", ""):
        assert dead_seconds(story, key)[:2] == [3600, 3600]
    story.happens(events.IncidentStruck(incident=1, by="jane"))

    for key in ("web/api", "web", ""):
        assert dead_seconds(story, key) == [0] * len(story.state.days)
    story.refused(events.IncidentStruck(incident=1)).replays()


def test_what_another_incident_covers_stays_down(tell):
    """The page was down because of two nodes: striking one incident out leaves the time of the other."""
    story = tell(node("web/api"), node("app/shop"), start="2026-11-20 12:00:00")
    story.seen("web/api", HEALTHY).seen("app/shop", HEALTHY)
    story.seen("web/api", DEAD).passes("1 h", tick=600).seen("app/shop", DEAD).passes("1 h", tick=600)
    story.seen("web/api", HEALTHY).passes("1 h", tick=600).seen("app/shop", HEALTHY).passes("1 d", tick=3600)
    assert dead_seconds(story, "")[:1] == [3 * 3600]
    story.happens(events.IncidentStruck(incident=1))

    assert dead_seconds(story, "web/api")[:1] == [0]
    assert dead_seconds(story, "")[:1] == [2 * 3600]


def test_a_node_that_is_gone_can_be_struck_out(tell):
    """Its days are counted again; its running account is gone with it."""
    story = outage(tell)
    story.reloads(page(node("web/shop"))).happens(events.IncidentStruck(incident=1))

    assert dead_seconds(story, "web/api")[:2] == [0, 0]


def test_times_can_be_corrected(tell):
    """It ended an hour earlier than we saw: that hour counts as healthy. Longer is down again, today's too."""
    story = outage(tell)
    incident = story.state.incident(1)
    began, ended = incident.opened_at, incident.closed_at
    story.happens(events.IncidentCorrected(incident=1, opened_at=began, closed_at=ended - 3600))
    assert dead_seconds(story, "web/api")[:2] == [3600, 0]
    assert story.state.incident(1).nodes["web/api"].well_at == ended - 3600
    story.happens(events.IncidentCorrected(incident=1, opened_at=began - 1800, closed_at=ended))

    assert dead_seconds(story, "web/api")[:2] == [5400, 3600]
    story.refused(events.IncidentCorrected(incident=1, opened_at=ended, closed_at=began))
    story.refused(events.IncidentCorrected(incident=9, opened_at=began, closed_at=ended))
    story.replays()


def test_nodes_inside_an_incident_keep_their_own_times(tell):
    """Of two nodes that failed one after the other, a correction clips only what reaches beyond it."""
    story = tell(node("web/api"), node("web/shop")).seen("web/api", DEAD).passes("2 min").seen("web/shop", SICK)
    story.passes("2 min").seen("web/shop", HEALTHY).passes("2 min").seen("web/api", HEALTHY).passes("10 min")
    incident = story.last
    shop = incident.nodes["web/shop"]
    before = shop.since, shop.well_at
    story.happens(
        events.IncidentCorrected(incident=1, opened_at=incident.opened_at + 30, closed_at=incident.closed_at - 30)
    )

    assert before == (story.last.nodes["web/shop"].since, story.last.nodes["web/shop"].well_at)
    assert story.last.nodes["web/api"].dead_at == story.last.opened_at


def test_an_open_incident_is_not_corrected(tell):
    """Its end is not known yet."""
    story = tell(node("web/api")).seen("web/api", DEAD).passes("1 min")

    story.refused(events.IncidentCorrected(incident=1, opened_at=story.now - 30, closed_at=story.now))
    story.refused(events.IncidentStruck(incident=1))


def test_corrections_of_one_by_hand_leave_uptime(tell):
    """It never was in the figures."""
    story = tell(node("web/api")).seen("web/api", HEALTHY).passes("1 h", tick=60).happens(opened(health=Health.DEAD))
    story.passes("1 h", tick=60).happens(events.Noted(incident=1, text="Over.", phase="resolved"))
    story.happens(events.IncidentCorrected(incident=1, opened_at=story.now - 60, closed_at=story.now))
    story.happens(events.IncidentStruck(incident=1))

    assert story.node("web/api").ledger.day.dead == 0


def test_one_incident_tells_the_story_of_another(tell):
    """Merging takes nodes, times and lines; the source points to it and cannot be merged again."""
    story = tell(node("web/api"), node("app/shop"), node("web/mail"))
    story.seen("web/api", DEAD).seen("web/api", HEALTHY).passes("10 min")
    story.seen("app/shop", SICK).passes("20 min").seen("web/api", DEAD).seen("web/mail", SICK).passes("10 min")
    first, second, third = 1, 2, 3
    assert set(story.state.open) == {second, third}
    lines = len(story.state.incident(third).timeline)
    story.happens(events.IncidentMerged(incident=first, into=third, by="jane"))
    into = story.state.incident(third)

    assert story.state.incident(first).record.merged_into == third
    assert into.opened_at == story.state.incident(first).opened_at
    assert into.closed_at == 0
    assert len(into.timeline) == lines + len(story.state.incident(first).timeline)
    story.refused(events.IncidentMerged(incident=first, into=second))
    story.refused(events.IncidentMerged(incident=second, into=first))
    story.refused(events.IncidentMerged(incident=first, into=first))
    story.replays()


def test_a_line_that_was_taken_over_is_a_copy(tell):
    """The clock that is set moves what goes on; of the incident that is over it moves nothing, by no way round."""
    story = tell(node("web/api"), node("app/shop")).seen("web/api", DEAD).seen("web/api", HEALTHY).passes("20 min")
    story.seen("app/shop", DEAD).passes("1 min").happens(events.IncidentMerged(incident=1, into=2))
    over, going = (story.state.incident(n).timeline[0] for n in (1, 2))
    before = over.at
    assert over == going
    story.jumps("-30 min")

    assert (before, before - 1800.0) == (over.at, going.at)


def test_closed_incidents_merge_too(tell):
    """The one that stays ends when the last of both ended, and is as bad as the worse of both."""
    story = tell(node("web/api"), node("app/shop"))
    story.seen("app/shop", SICK).passes("10 min").seen("web/api", DEAD).passes("10 min")
    story.seen("app/shop", HEALTHY).passes("20 min").seen("web/api", HEALTHY).passes("20 min")
    story.happens(events.IncidentMerged(incident=2, into=1))
    into = story.state.incident(1)

    assert (DEAD, {"app/shop", "web/api"}) == (into.worst, set(into.nodes))
    assert into.closed_at == story.state.incident(2).closed_at
    story.happens(events.IncidentStruck(incident=1))
    story.refused(events.IncidentMerged(incident=1, into=2))


def test_a_postmortem_is_kept(tell):
    """It can be written, changed and taken away; an unknown incident has none."""
    story = tell(node("web/api")).seen("web/api", DEAD).seen("web/api", HEALTHY).passes("10 min")
    story.happens(events.PostmortemWritten(incident=1, text="A switch.", by="jane"))

    assert ("A switch.", "jane") == (story.last.record.postmortem, story.last.record.postmortem_by)
    story.refused(events.PostmortemWritten(incident=2, text="?"))


def session(id, until=3600.0):
    """Jane's."""
    return Session(id=id, name="Jane", operator="jane", expires_at=until)


def test_sessions_end(tell):
    """By signing out, by time, and the one that ends first makes room for a new one."""
    story = tell(node("web/api"))
    story.happens(events.SignedIn(session=session("a", story.now + 60), by="Jane"))
    story.happens(events.SignedOut(id="a")).refused(events.SignedOut(id="a"))
    story.happens(events.SignedIn(session=session("b", story.now + 60))).passes("2 min")
    story.happens(events.SignedIn(session=session("c", story.now + 90)))
    assert list(story.state.console.sessions) == ["c"]
    for number in range(SESSIONS_MAX):
        story.happens(events.SignedIn(session=session(str(number), story.now + 1000 + number)))

    assert len(story.state.console.sessions) == SESSIONS_MAX
    assert "c" not in story.state.console.sessions


def passkey(id="k", operator="jane", count=0):
    """On Jane's phone."""
    return Passkey(id=id, operator=operator, name="phone", public_key="pk", sign_count=count)


def test_a_passkey_opens_sessions_until_it_is_removed(tell):
    """Once each, of operators of the page, a bounded number; a count that stands still is a copy of the authenticator."""
    story = tell(plan=page(node("web/api"), operators=("jane",)))
    mine = session("s", story.now + 3600)
    mine.passkey = "k"
    story.refused(events.SignedIn(session=mine)).refused(events.PasskeyAdded(passkey=passkey(operator="joe")))
    story.happens(events.PasskeyAdded(passkey=passkey(count=4), by="jane"))
    story.refused(events.PasskeyAdded(passkey=passkey()))
    story.refused(events.SignedIn(session=mine, sign_count=4))
    story.happens(events.SignedIn(session=mine, sign_count=5))
    console = story.state.console
    assert (5, story.now, ["s"]) == (
        console.passkeys["k"].sign_count,
        console.passkeys["k"].used_at,
        list(console.sessions),
    )
    story.happens(events.SignedIn(session=session("t")), events.PasskeyRemoved(id="k"))
    assert ({}, ["t"]) == (console.passkeys, list(console.sessions))
    story.refused(events.PasskeyRemoved(id="k"))
    for number in range(PASSKEYS_MAX):
        story.happens(events.PasskeyAdded(passkey=passkey(str(number))))
    story.refused(events.PasskeyAdded(passkey=passkey("one more")))
    assert ("jane", "PasskeyAdded", "jane") == (console.audit[0].by, console.audit[0].what, console.audit[0].about)
    story.happens(events.Planned(plan=page(node("web/api"))))
    assert not console.passkeys


def test_what_operators_do_is_written_down(tell):
    """Who did what to what; programs without a name leave no line, and the log is bounded."""
    story = tell(plan=page(node("web/api"), operators=("jane",))).seen("web/api", DEAD)
    story.happens(events.Acknowledged(incident=1, by="jane"), events.Acknowledged(incident=1))
    story.happens(events.Announced(announcement=Announcement("a", "Tonight"), by="jane"))
    story.happens(events.Silenced(silence=Silence("s", 0.0, story.now, scope="web"), by="jane"))
    story.happens(events.Subscribed(subscription=Subscription("d", "jane", "https://p/", "p", "a", 0.0), by="jane"))
    story.happens(events.Unsilenced(by="jane"), opened())

    assert [
        ("jane", "Acknowledged", "1"),
        ("jane", "Announced", "Tonight"),
        ("jane", "Silenced", "web"),
        ("jane", "Subscribed", "jane"),
        ("jane", "Unsilenced", ""),
        ("jane", "IncidentOpened", "Payments fail at our bank"),
    ] == [(a.by, a.what, a.about) for a in story.state.console.audit]
    for _ in range(AUDIT_MAX + 3):
        story.happens(events.Unsilenced(by="joe"))
    assert len(story.state.console.audit) == AUDIT_MAX
