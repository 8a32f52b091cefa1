"""Atom and RSS, read by a feed reader's library and as XML."""

import re
from xml.etree import ElementTree

import feedparser
import pytest

from crisp_status.core import events
from crisp_status.core.operator_records import Announcement
from crisp_status.core.policy import Plan, ServicePlan
from crisp_status.formats import feeds
from crisp_status.language.locale import Locale
from tests.formats.test_statuspage import STORIES, dead, over, work
from tests.story import Story, acme, node

T = Locale()
FEEDS = {"changes": feeds.changes, "history": feeds.history, "rss": feeds.rss}
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("tale", STORIES, ids=lambda s: s.__name__)
def test_well_formed(name, tale):
    """A reader finds nothing to complain about in any state of the page."""
    text = FEEDS[name](tale().view(), T)
    ElementTree.fromstring(text)
    parsed = feedparser.parse(text)

    assert not parsed.bozo, parsed.get("bozo_exception")
    ids = [e.id for e in parsed.entries]
    assert len(ids) == len(set(ids))
    assert all(e.title and e.link.startswith("https://status.acme.example/") for e in parsed.entries)
    assert not re.search(r"10\.0\.0|jane|no answer within", text)


@pytest.mark.parametrize("name", ["changes", "history"])
def test_atom_has_what_it_must_have(name):
    """RFC 4287 section 4.1: id, title, updated, author and a link to itself; the same of every entry."""
    root = ElementTree.fromstring(FEEDS[name](over().view(), T))
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

    assert root.findtext(f"{ATOM}author/{ATOM}name") == "Acme Status"
    assert {link.get("rel") for link in root.findall(f"{ATOM}link")} == {"alternate", "self"}
    for part in (root, *root.findall(f"{ATOM}entry")):
        assert part.findtext(f"{ATOM}id").startswith("tag:status.acme.example,2005:")
        assert part.findtext(f"{ATOM}title")
        assert stamp.fullmatch(part.findtext(f"{ATOM}updated"))


def test_history_in_the_shape_of_statuspage():
    """PROTOCOLS 6.4: one entry an incident, named and numbered; readers find `<strong>Resolved</strong>`."""
    entry = feedparser.parse(feeds.history(over().view(), T)).entries[0]

    assert entry.id == "tag:status.acme.example,2005:Incident/1"
    assert entry.title == "Checkout was down"
    assert entry.link == "https://status.acme.example/incidents/1"
    html = entry.content[0].value
    assert html.index("<strong>Resolved</strong>") < html.index("<strong>Investigating</strong>")
    assert re.search(r"<p><small>Nov <var>18</var>, <var>\d\d:\d\d</var> UTC</small><br", html)


def test_rss_in_the_shape_of_statuspage():
    """The same as RSS 2.0, with dates in the zone of the page."""
    story = dead()
    item = ElementTree.fromstring(feeds.rss(story.view(), Locale("en", "Europe/Paris"))).find("channel/item")

    assert item.findtext("guid") == item.findtext("link") == "https://status.acme.example/incidents/1"
    assert item.findtext("pubDate").endswith("+0100")
    assert "<var data-var='date'>" in item.findtext("description")
    assert "<strong>Resolved</strong>" not in item.findtext("description")


def test_announced_work():
    """It says when, and that it is planned; it stands before the incidents."""
    text = feeds.rss(work().view(), T)
    item = next(i for i in ElementTree.fromstring(text).iter("item") if i.findtext("title") == "Work coming")

    assert item.findtext("description").startswith("<p><strong>THIS IS A SCHEDULED EVENT</strong>")
    assert item.findtext("maintenanceEndDate").endswith("+0000")


def test_changes_have_an_entry_for_each_step():
    """Who follows it hears of the outage, of the note and of the recovery, newest first, each once."""
    story = over()
    story.happen(events.Announced(announcement=Announcement("a", "Thank you", "It **works** again.")))
    entries = feedparser.parse(feeds.changes(story.view(), T)).entries

    assert [e.title for e in entries] == [
        "Thank you",
        "Checkout is healthy again",
        "Checkout was down",
        "Somebody is looking into it",
        "Checkout stopped answering",
    ]
    assert "<strong>works</strong>" in entries[0].content[0].value


def test_a_note_does_not_move_what_was_told():
    """Entries keep their ids when the incident grows, so that readers show nothing twice."""
    story = dead()
    before = {e.id for e in feedparser.parse(feeds.changes(story.view(), T)).entries}
    story.pass_time(300)
    story.happen(events.Noted(incident=1, text="Still looking."))
    story.recover("pay/checkout")
    after = {e.id for e in feedparser.parse(feeds.changes(story.view(), T)).entries}

    assert before < after


def test_hostile_words():
    """Markup, control characters and half pairs in names and notes stay text."""
    bad = "</title><script>alert(1)</script>]]>&\x00\x0b\ud800"
    story = Story(Plan(services=(ServicePlan("web", bad, (node("web", "api", bad, 1),)),)))
    story.die("web/api")
    story.happen(events.Noted(incident=1, text=bad))
    for write in FEEDS.values():
        text = write(story.view(), T)
        text.encode()
        parsed = feedparser.parse(text)
        assert not parsed.bozo
        assert "<script" not in text
        assert (
            "<script"
            not in parsed.entries[0].get("content", [{"value": parsed.entries[0].get("summary", "")}])[0]["value"]
        )


def test_names_that_say_status_already():
    """`Acme Status` is not called `Acme Status Status`."""
    view = Story(acme()).view()

    assert "Acme Status - Incident History" in feeds.rss(view, T)
