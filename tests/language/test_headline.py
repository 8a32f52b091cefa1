"""What the page says, word for word (visual specification, section 5): derived from data, and nothing but data."""

import msgspec
import pytest

from crisp_status.core.model import AffectedNode, Announcement, Health, Incident, Reason
from crisp_status.core.verdict import REASONS, ReasonCode
from crisp_status.language import headline as words
from crisp_status.language import reasons
from crisp_status.language.locale import Locale
from crisp_status.view.build import build
from tests.formats import samples
from tests.formats.samples import NO_ANSWER, NOW, Sample, at

ACME = samples.acme()
ENGLISH = Locale("en", "UTC")


def view_of(state):
    """What the world may know of it."""
    return build(state, ACME, NOW)


def said(state):
    """Headline and sentence as a visitor reads them."""
    view = view_of(state)
    return words.headline(view, ENGLISH), words.sentence(view, ENGLISH).striptags()


def hurt(*blows, services=()):
    """A state in which nodes were hurt: (key, replica numbers, health, since, reason)."""
    sample = Sample(*services)
    for key, numbers, health, since, reason in blows:
        sample.hurt(key, numbers, health, since, reason)
    return sample.settle()


DEAD, SICK = Health.DEAD, Health.SICK
REFUSED, STATUS, SLOW = (
    Reason(ReasonCode.REFUSED, "10.0.0.1"),
    Reason(ReasonCode.STATUS, "HTTP 503", "503"),
    Reason(ReasonCode.SLOW),
)
CERTIFICATE = Reason(ReasonCode.CERTIFICATE, "ends", "2025-12-03")


@pytest.mark.parametrize(
    ("state", "headline", "sentence"),
    [
        pytest.param(
            samples.healthy(), "Everything is working",
            "All 12 nodes answered their last check. If something still looks wrong to you, contact support.",
            id="healthy",
        ),
        pytest.param(
            samples.sick(), "Search is slower than usual",
            "It still answers, but not as fast as it should, since 14:22 UTC. The 11 other nodes are working normally.",
            id="sick",
        ),
        pytest.param(
            samples.dead(), "Checkout and Invoicing are down",
            "They have not answered since 14:02 UTC. Our team was alerted at 14:04 UTC. "
            "Somebody has been looking into it since 14:09 UTC. 1 node is sick. 9 other nodes are working normally.",
            id="dead",
        ),
        pytest.param(
            samples.partly(), "Landing page is partly down",
            "1 of 3 replicas has not answered since 14:26 UTC. The 11 other nodes are working normally.",
            id="partly",
        ),
        pytest.param(
            samples.pending(), "First checks are on their way",
            "A replica stays grey until its first check, which takes 2 minutes at most.",
            id="pending",
        ),
        pytest.param(
            samples.maintenance(), "Planned maintenance is under way",
            "Work on Primary database goes on until 15:30 UTC, as announced. The 11 other nodes are working normally.",
            id="maintenance",
        ),
        pytest.param(
            samples.offline(), "Everything was working at the last check",
            "All 12 nodes answered their last check. If something still looks wrong to you, contact support.",
            id="our own network is lost",
        ),
        pytest.param(samples.empty(), "Nothing is watched yet", "This page has no services so far.", id="empty"),
        pytest.param(
            samples.large(), "Object storage Singapore is partly down",
            "1 of 3 replicas has not answered since 14:26 UTC. 2 nodes are sick. 96 other nodes are working normally. "
            "1 node is waiting for its first check.",
            id="large",
        ),
        pytest.param(
            hurt(("pay/invoice", [1], DEAD, at(14, 2), STATUS)), "Invoicing is down",
            "It has not worked since 14:02 UTC. The 11 other nodes are working normally.",
            id="errors are answers",
        ),
        pytest.param(
            hurt(("pay/invoice", [1], DEAD, at(14, 2), REFUSED), ("web/help", [1], DEAD, at(14, 5), NO_ANSWER)),
            "Invoicing is down",
            "It has not answered since 14:02 UTC. Help centre is partly down. "
            "The 10 other nodes are working normally.",
            id="down and partly down",
        ),
        pytest.param(
            hurt(("web/help", [1, 2], DEAD, at(13, 0), NO_ANSWER), ("pay/invoice", [1], DEAD, at(14, 2), REFUSED)),
            "Help centre and Invoicing are down",
            "The first of them failed at 13:00 UTC. The 10 other nodes are working normally.",
            id="one after the other",
        ),
        pytest.param(
            hurt(("web/help", [1], SICK, at(14, 0), CERTIFICATE)), "Help centre needs attention",
            "It still answers, but something about it is not as it should be, since 14:00 UTC. The 11 other nodes are working normally.",
            id="a certificate is not slow",
        ),
        pytest.param(
            hurt(("web/help", [1], DEAD, at(23, 50, 21), NO_ANSWER), ("web/help", [2], DEAD, at(23, 50, 21), NO_ANSWER)),
            "Help centre is down",
            "It has not answered since 23:50 UTC on 21 November. "
            "The 11 other nodes are working normally.",
            id="since yesterday",
        ),
        pytest.param(
            hurt(*((key, [1, 2, 3], DEAD, at(14, 2), NO_ANSWER) for key in ("web/landing", "web/dash")),
                 ("web/help", [1, 2], DEAD, at(14, 2), NO_ANSWER), services=("web",)),
            "Everything is down", "They have not answered since 14:02 UTC.",
            id="everything",
        ),
        pytest.param(
            hurt(("api/rt", [1, 2, 3], DEAD, at(14, 2), Reason(ReasonCode.SILENT))), "Realtime gateway is down",
            "It has not reported since 14:02 UTC. The 11 other nodes are working normally.",
            id="silent",
        ),
        pytest.param(
            hurt(*((key, [1, 2], DEAD, at(14, 2), NO_ANSWER) for key in ("web/help", "api/hooks", "mail/in"))),
            "3 of 12 nodes are down",
            "They have not answered since 14:02 UTC. The 9 other nodes are working normally.",
            id="too many names",
        ),
        pytest.param(
            hurt(("api/rt", [1, 2, 3], SICK, at(14, 2), SLOW), ("data/search", [1], SICK, at(14, 2), SLOW)),
            "Realtime gateway and Search are slower than usual",
            "They still answer, but not as fast as they should, since 14:02 UTC. The 10 other nodes are working normally.",
            id="two slow",
        ),
    ],
)  # fmt: skip
def test_headline_and_sentence(state, headline, sentence):
    """The headline names what is broken; the sentence says since when, who knows, and what still works."""
    assert (headline, sentence) == said(state)


def test_nobody_is_said_to_be_alerted_who_was_not():
    """An outage of which no receiver has said yes says nothing of the team."""
    state = samples.dead()
    incident = state.open[9]
    incident.alerted_at = incident.acknowledged_at = 0.0

    assert "team" not in said(state)[1]
    assert "Somebody" not in said(state)[1]


def test_an_alert_of_another_incident_does_not_count():
    """The team knows of Search; that says nothing of Checkout."""
    state = hurt(("pay/checkout", [1, 2, 3], DEAD, at(14, 2), NO_ANSWER), ("data/search", [1], SICK, at(12, 0), SLOW))
    state.open[1] = Incident(
        1, at(12, 0), at(12, 0), nodes={"data/search": AffectedNode(at(12, 0), SICK, bad=1)}, alerted_at=at(12, 1)
    )

    assert "team" not in said(state)[1]


def test_maintenance_gives_way_to_trouble_outside_of_it():
    """Dead beats maintenance; while only the worked-on node is dead, the page shows the work."""
    state = samples.maintenance()
    for replica in state.nodes["data/db"].replicas.values():
        replica.health = DEAD
    assert "Planned maintenance is under way" == said(state)[0]

    sample = Sample()
    sample.state.nodes["data/db"].maintenance = True
    sample.hurt("pay/invoice", [1], DEAD, at(14, 2), NO_ANSWER)
    assert "Invoicing is down" == said(sample.settle())[0]


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (samples.healthy(), "Everything is working · Acme Status"),
        (samples.sick(), "! Search is slower than usual · Acme Status"),
        (samples.dead(), "✕ Checkout and Invoicing are down · Acme Status"),
        (samples.pending(), "… First checks are on their way · Acme Status"),
        (samples.maintenance(), "Planned maintenance is under way · Acme Status"),
    ],
)
def test_titles_of_tabs(state, title):
    """A sign before the words, for tabs too narrow to read."""
    assert title == words.title(view_of(state), ENGLISH)


def often():
    """A page that is checked every five seconds."""
    sample = Sample("web")
    sample.plans["web"] = [msgspec.structs.replace(n, interval=5.0) for n in sample.plans["web"]]
    return sample.settle()


@pytest.mark.parametrize(
    ("state", "stamp"),
    [
        (samples.healthy(), "Checked at 14:39 UTC, next by 14:42"),
        (samples.pending(), "Set up at 14:39 UTC, first results by 14:41"),
        (samples.offline(), "Checked at 14:39 UTC"),
        (often(), "Checked at 14:39 UTC, next by 14:40"),
        (samples.empty(), "As of 14:40 UTC"),
    ],
)
def test_stamps(state, stamp):
    """Times are absolute: a page left open must not lie."""
    assert stamp == words.stamp(view_of(state), ENGLISH).striptags()


@pytest.mark.parametrize(
    ("blows", "line"),
    [
        ([([1, 2, 3, 4], DEAD, NO_ANSWER)], "No answer since 14:02 UTC"),
        ([([1, 2, 3, 4], DEAD, STATUS)], "Error 503 since 14:02 UTC"),
        ([([1, 2, 3, 4], DEAD, Reason(ReasonCode.SILENT))], "Not reporting since 14:02 UTC"),
        ([([1, 2, 3, 4], DEAD, Reason(ReasonCode.MATCH))], "Unexpected answer since 14:02 UTC"),
        ([([1, 2], DEAD, STATUS), ([3, 4], DEAD, NO_ANSWER)], "Not working since 14:02 UTC"),
        ([([1, 2], DEAD, REFUSED), ([3, 4], DEAD, NO_ANSWER)], "No answer since 14:02 UTC"),
        ([([2], DEAD, NO_ANSWER)], "Replica 2 down since 14:02 UTC"),
        ([([2, 3], DEAD, NO_ANSWER)], "Replicas 2 and 3 down since 14:02 UTC"),
        ([([1, 2, 3], DEAD, STATUS), ([4], SICK, SLOW)], "Replicas 1, 2 and 3 down since 14:02 UTC"),
        ([([4], SICK, SLOW)], "Replica 4 slow since 14:02 UTC"),
        ([([1, 2], SICK, Reason(ReasonCode.CPU))], "Replicas 1 and 2 overloaded since 14:02 UTC"),
        ([([1, 2, 3, 4], SICK, Reason(ReasonCode.RAM))], "Overloaded since 14:02 UTC"),
        ([([1, 2, 3, 4], SICK, SLOW)], "Slow since 14:02 UTC"),
        ([([3], SICK, CERTIFICATE)], "Replica 3 needs attention since 14:02 UTC"),
    ],
)
def test_lines_of_rows(blows, line):
    """One line under the name says which replicas, what and since when."""
    sample = Sample()
    for numbers, health, reason in blows:
        sample.hurt("api/rest", numbers, health, at(14, 2), reason)
    view = view_of(sample.settle())

    assert line == reasons.matter(view.nodes["api/rest"], ENGLISH, view.days[-1]).striptags()


@pytest.mark.parametrize(
    ("health", "reason", "words_said"),
    [
        (DEAD, NO_ANSWER, "No answer since 14:02 UTC"),
        (DEAD, REFUSED, "Connection refused since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.UNREACHABLE), "Not reachable since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.NAME), "Address not found since 14:02 UTC"),
        (DEAD, STATUS, "Error 503 since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.MATCH, "…"), "Unexpected answer since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.TLS), "No secure connection since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.CERTIFICATE, "", "2025-11-20"), "Its certificate has not been valid since 14:02 UTC"),
        (SICK, CERTIFICATE, "Its certificate ends on 3 December 2025"),
        (SICK, SLOW, "Slower than 5 s since 14:02 UTC"),
        (SICK, Reason(ReasonCode.CPU), "Processor above 90 % since 14:02 UTC"),
        (SICK, Reason(ReasonCode.RAM), "Memory above 90 % since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.BANNER), "Unexpected answer since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.RECORD), "Wrong address record since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.EXIT, "", "2"), "Check failed since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.SILENT), "Not reporting since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.AGENT_SILENT), "Its monitor has been silent since 14:02 UTC"),
        (SICK, Reason(ReasonCode.REPORTED), "Reported as sick since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.REPORTED), "Reported as dead since 14:02 UTC"),
        (DEAD, Reason(ReasonCode.ERROR), "Not working since 14:02 UTC"),
        (SICK, Reason(ReasonCode("of tomorrow")), "Not quite well since 14:02 UTC"),
    ],
)
def test_reasons_in_plain_words(health, reason, words_said):
    """Every reason code has words for visitors; an unknown one too."""
    sample = Sample()
    sample.hurt("api/rest", [4], health, at(14, 2), reason)
    view = view_of(sample.settle())
    node = view.nodes["api/rest"]
    plain = (
        reasons.result(node.replicas[3], node, ENGLISH, view.days[-1]).striptags().replace("\N{NO-BREAK SPACE}", " ")
    )

    assert words_said == plain


@pytest.mark.parametrize("code", ReasonCode)
def test_no_reason_lacks_its_facts_or_its_sentence(code):
    """Whoever adds a code adds what follows from it, and what people read."""
    speechless = {ReasonCode.OK, ReasonCode.ERROR}  # these say no more than the health does

    assert code in REASONS
    for health in (DEAD, SICK):
        assert bool(reasons.sentence(code, health, ENGLISH, detail=True)) is (code not in speechless)


def test_nobody_checks_what_reports_itself():
    """A page of such nodes says that they reported; one that has not done so yet waits for that."""
    sample = Sample("web", days=3)
    sample.state.nodes.clear()
    sample.plans["web"].clear()
    sample.add("web", "job", "Nightly backup", "push", [10], born=NOW - 86400.0)
    healthy = sample.settle()
    assert said(healthy) == (
        "Everything is working",
        "Its one node reported in time. If something still looks wrong to you, contact support.",
    )

    pending = view_of(samples.pending())
    lines = [reasons.matter(pending.nodes[key], ENGLISH, pending.days[-1]) for key in ("api/rt", "api/rest")]
    assert lines == ["Waiting for its first report", "Waiting for its first check"]


def test_open_ended_work_names_no_end():
    """A maintenance without an end says that it goes on."""
    state = samples.maintenance()
    state.announcements["m1"] = Announcement("m1", "Upgrade", "", 0.0, at(14, 0), 0.0, ["data"])

    assert said(state)[1].startswith("Work on Data is going on, as announced.")
