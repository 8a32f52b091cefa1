"""Incidents, months and announced work in words."""

import msgspec
import pytest

from crisp_status.core.incident_records import TIMELINE
from crisp_status.core.model import (
    AffectedNode,
    Health,
    Incident,
    Reason,
    ReasonCode,
    State,
    TimelineEntry,
    TimelineKind,
)
from crisp_status.language import timeline
from crisp_status.language.locale import Locale
from crisp_status.language.phases import impact
from crisp_status.view.build import build
from crisp_status.view.incident_views import Incidents, Names
from crisp_status.view.page_view import HistoryView
from tests.core.story import Story, node, page
from tests.formats import samples
from tests.formats.samples import NO_ANSWER, NOW, at

T = Locale("en", "UTC")
TODAY = "2025-11-22"
DEAD, SICK = Health.DEAD, Health.SICK
NAMES = Names({"pay": "Payments", "web": "Websites"}, {"pay/checkout": "Checkout", "web/a": "Alpha", "web/b": "Beta"})


def incident(*, closed=0.0, worst=DEAD, keys=("pay/checkout",), lines=(), start=None):
    """A view of one."""
    start = start or at(14, 2)
    nodes = {key: AffectedNode(start, worst, closed) for key in keys}
    value = Incident(5, start, start, closed, worst, nodes, timeline=list(lines))
    state = State(open={} if closed else {5: value}, closed=[value] if closed else [])
    state.nodes = dict(samples.healthy().nodes)
    return Incidents().views(state, NAMES)[0][0]


@pytest.mark.parametrize(
    ("made", "headline"),
    [
        (incident(), "Checkout is down"),
        (incident(closed=at(14, 9)), "Checkout was down"),
        (incident(closed=at(14, 9), keys=("pay/checkout", "web/a")), "Checkout and Alpha were down"),
        (incident(keys=("pay/checkout", "web/a", "web/b")), "3 nodes are down"),
        (incident(keys=("web/gone",), closed=at(14, 9)), "gone was down"),
        (incident(lines=[TimelineEntry(at(14, 2), TimelineKind.DEAD, "pay/checkout", [2])]), "Checkout is partly down"),
        (
            incident(
                worst=SICK,
                lines=[
                    TimelineEntry(at(14, 2), TimelineKind.SICK, "pay/checkout", [2], reason=Reason(ReasonCode.SLOW))
                ],
                closed=at(15, 0),
            ),
            "Checkout was slow",
        ),
        (
            incident(
                worst=SICK,
                lines=[
                    TimelineEntry(
                        at(14, 2), TimelineKind.SICK, "pay/checkout", [2], reason=Reason(ReasonCode.CERTIFICATE)
                    )
                ],
            ),
            "Checkout needs attention",
        ),
    ],
)
def test_headlines(made, headline):
    """What happened to whom, in the tense it deserves; nodes that are gone keep their id."""
    assert timeline.headline(made, T) == headline


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (TimelineEntry(0, TimelineKind.DEAD, "pay/checkout", [1], reason=NO_ANSWER), "Checkout: replica 1 stopped answering"),
        (TimelineEntry(0, TimelineKind.DEAD, "pay/checkout", [3, 2], reason=NO_ANSWER), "Checkout: replicas 2 and 3 stopped answering"),
        (TimelineEntry(0, TimelineKind.DEAD, "pay/checkout", [1, 2], 9, reason=NO_ANSWER), "Checkout: 11 replicas stopped working"),
        (TimelineEntry(0, TimelineKind.DEAD, "pay/invoice", [1], reason=NO_ANSWER), "invoice stopped answering"),
        (TimelineEntry(0, TimelineKind.DEAD, "pay/gone", [1], reason=Reason(ReasonCode.SILENT)), "gone stopped reporting"),
        (TimelineEntry(0, TimelineKind.DEAD, "pay/checkout", [2], reason=Reason(ReasonCode.STATUS, "", "503")), "Checkout: replica 2 began to answer with error 503"),
        (TimelineEntry(0, TimelineKind.DEAD, "pay/checkout", [2], reason=Reason(ReasonCode.MATCH)), "Checkout: replica 2 stopped working"),
        (TimelineEntry(0, TimelineKind.SICK, "pay/checkout", [2], reason=Reason(ReasonCode.SLOW)), "Checkout: replica 2 became slow"),
        (TimelineEntry(0, TimelineKind.SICK, "pay/checkout", [2], reason=Reason(ReasonCode.RAM)), "Checkout: replica 2 became overloaded"),
        (TimelineEntry(0, TimelineKind.SICK, "pay/checkout", [2], reason=Reason(ReasonCode.REPORTED)), "Checkout: replica 2 needs attention"),
        (TimelineEntry(0, TimelineKind.HEALTHY, "pay/checkout", [2]), "Checkout: replica 2 is healthy again"),
        (TimelineEntry(0, TimelineKind.HEALTHY, "pay/checkout", [1, 2, 3]), "Checkout is healthy again"),
        (TimelineEntry(0, TimelineKind.ALERTED), "Our team was alerted"),
        (TimelineEntry(0, TimelineKind.ACKNOWLEDGED, text="jane"), "Somebody is looking into it"),
        (TimelineEntry(0, TimelineKind.UNSTABLE, "pay/checkout"), "Checkout keeps changing between states"),
        (TimelineEntry(0, TimelineKind.CALM, "pay/checkout"), "Checkout has calmed down"),
        (TimelineEntry(0, TimelineKind.REMOVED, "pay/checkout", [2]), "Checkout: replica 2 is no longer watched"),
        (TimelineEntry(0, TimelineKind.NOTE, text="We are **on it**"), "We are on it"),
    ],
)  # fmt: skip
def test_lines(entry, line):
    """One thing a line, in the past tense, with replica numbers where there are several."""
    assert timeline.line(incident(lines=[entry]).updates[0], T).striptags() == line


@pytest.mark.parametrize(
    ("made", "span"),
    [
        (incident(), "Since 14:02 UTC"),
        (incident(closed=at(14, 9)), "22 November, 14:02 to 14:09 UTC"),
        (incident(closed=at(14, 2) + 20), "22 November, 14:02 UTC"),
        (incident(start=at(23, 50, 20), closed=at(0, 20, 21)), "23:50 UTC on 20 November to 00:20 UTC on 21 November"),
        (incident(start=at(23, 50, 21), closed=at(0, 20, 22)), "23:50 UTC on 21 November to 00:20 UTC on 22 November"),
    ],
)
def test_spans(made, span):
    """The date once, or twice over midnight; the time once when it was over within the minute."""
    assert timeline.span(made, T, TODAY).striptags() == span


def test_the_story_of_what_is_over_names_its_day_once():
    """It was another day; what has an end on yet another day would have both."""
    [checkout] = [i for i in build(samples.healthy(), samples.acme(), NOW).incidents if i.alerted_at]

    assert timeline.story(checkout, T, TODAY, NOW).striptags() == (
        "8 November, 03:20 to 03:32 UTC. Our team was alerted at 03:22 UTC. "
        "It is over: everything affected is healthy again."
    )


@pytest.mark.parametrize(
    ("history", "summary"),
    [
        (HistoryView(observed=90), "In the last 90 days nothing was down."),
        (HistoryView(observed=90, dead=720), "In the last 90 days something was down for 12 minutes."),
        (
            HistoryView(observed=90, sick=720),
            "In the last 90 days nothing was down; something was sick for 12 minutes.",
        ),
        (
            HistoryView(observed=1, dead=720, sick=4800),
            "In the last day something was down for 12 minutes and sick for 1 hour 20 minutes.",
        ),
    ],
)
def test_summaries(history, summary):
    """The last days in one sentence."""
    assert timeline.summary(history, T) == summary


def test_announced_work_in_words():
    """Running: how much is left; coming: on which day."""
    running, coming = build(samples.maintenance(), samples.acme(), NOW).maintenances

    assert timeline.work_span(running, T, TODAY, NOW).striptags() == "14:00 UTC to 15:30 UTC. 50 minutes left."
    assert timeline.work_span(coming, T, TODAY, NOW).striptags() == "Wednesday 26 November, 02:00 to 04:00 UTC"


def shown(story):
    """The newest incident as visitors see it."""
    plan = story.plan
    names = Names({s.id: s.name for s in plan.services}, {n.key: n.name for s in plan.services for n in s.nodes})
    return Incidents().views(story.state, names)[0][0]


def storm():
    """Alpha is dead; Beta and then Gamma were dead for four seconds."""
    story = Story(page(*[node(f"web/{name}") for name in ("alpha", "beta", "gamma")]))
    for key in story.state.nodes:
        story.seen(key, Health.HEALTHY)
    story.passes("1 min").seen("web/alpha", DEAD).passes("1 min")
    for key in ("web/beta", "web/gamma"):
        story.seen(key, DEAD).passes("4 s").seen(key, Health.HEALTHY).passes("1 min")
    return story


def test_an_open_incident_says_what_is_bad_now():
    """Nodes that are well again are not called down or dead, and it is major, because never all were dead at once."""
    made = shown(storm())

    assert timeline.headline(made, T) == "alpha is down"
    assert [(n.name, n.state) for n in made.nodes] == [
        ("alpha", DEAD),
        ("beta", Health.HEALTHY),
        ("gamma", Health.HEALTHY),
    ]
    assert impact(made, None) == "major"


def test_an_incident_that_is_over_says_what_was():
    """All that were down are named, and its impact stays what it was, whatever the page has now."""
    story = storm().seen("web/alpha", Health.HEALTHY).passes("2 min")
    renamed = msgspec.structs.replace(node("web/alpha", 3), name="Omega")
    made = shown(story.reloads(page(renamed)))

    assert timeline.headline(made, T) == "3 nodes were down"
    assert impact(made, None) == "major"
    assert timeline.line(made.updates[0], T) == "<bdi>alpha</bdi> stopped answering"


def test_what_only_flaps_is_not_said_to_be_down():
    """Nothing in it is bad at this moment: it is told in the past tense until it is calm."""
    story = Story(page(node("web/alpha"))).seen("web/alpha", Health.HEALTHY)
    for _ in range(4):
        story.seen("web/alpha", DEAD).passes("1 min").seen("web/alpha", Health.HEALTHY).passes("1 min")
    made = shown(story)

    assert (made.closed_at, timeline.headline(made, T), timeline.look(made)) == (0.0, "alpha was down", "dead")


@pytest.mark.parametrize("kind", TimelineKind)
def test_every_kind_of_line_has_its_facts_its_icon_and_its_sentence(kind):
    """Whoever adds a kind says what follows from it and what people read; what a later version wrote names its node."""
    node = "pay/checkout" if TIMELINE[kind].replicas or not TIMELINE[kind].team else ""
    view = incident(lines=[TimelineEntry(0, kind, node, [2], text="We are on it", reason=NO_ANSWER)])
    said = timeline.line(view.updates[0], T).striptags()

    assert timeline.icon(view.updates[0])
    assert said
    assert (said == "Checkout") is (kind is TimelineKind.OTHER)
