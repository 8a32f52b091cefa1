"""What search engines and previews find."""

import json
from xml.etree import ElementTree

import pytest

from crisp_status.core import events
from crisp_status.core.operator_records import Announcement
from crisp_status.formats import discovery
from crisp_status.language import timeline
from crisp_status.language.locale import Locale
from tests.formats.test_statuspage import STORIES, dead, work

T = Locale()
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
LINK = "{http://www.w3.org/1999/xhtml}link"


@pytest.mark.parametrize("tale", STORIES, ids=lambda s: s.__name__)
def test_sitemap(tale):
    """Every page once, with its languages."""
    root = ElementTree.fromstring(discovery.sitemap(tale().view()))
    places = [url.findtext(f"{MAP}loc") for url in root]

    assert places[:2] == ["https://status.acme.example/", "https://status.acme.example/history"]
    assert len(places) == len(set(places))
    assert [link.get("hreflang") for link in root[0].iter(LINK)] == ["x-default", "en", "fr"]


def test_one_language_needs_no_alternatives():
    """A page in one language has one address."""
    view = dead().view(languages=("en",))

    assert discovery.addresses(view, "history") == [("en", "https://status.acme.example/history")]
    assert LINK not in discovery.sitemap(view)


def test_robots():
    """The page may be read; doors for machines are closed, under the path where the page lives."""
    text = discovery.robots(dead().view(url="https://acme.example/status/"))

    assert "Allow: /\n" in text
    assert "Disallow: /status/manager/\n" in text
    assert "Sitemap: https://acme.example/status/sitemap.xml" in text


def test_structured_data():
    """JSON-LD that no announcement can break out of."""
    story = work()
    evil = "</script><script>alert(1)</script>&<!--"
    story.happen(events.Announced(announcement=Announcement("a", evil, "x")))
    text = discovery.structured(story.view(), T, evil)

    assert not set("<>&") & set(text)
    value = json.loads(text)
    assert value["@type"] == "WebPage"
    assert evil in [p["name"] for p in value["hasPart"]]


def test_an_incident_as_an_article():
    """With the times of its beginning and of its last change."""
    view = dead().view()
    value = json.loads(discovery.article(view, T, view.incidents[0], timeline.headline(view.incidents[0], T)))

    assert (value["headline"], value["url"]) == ("Checkout is down", "https://status.acme.example/incidents/1")
    assert value["datePublished"] <= value["dateModified"]


def test_open_graph():
    """What a preview of a link shows."""
    found = dict(discovery.open_graph(dead().view(), T, "Title", "Words", "history"))

    assert found["og:url"] == "https://status.acme.example/history"
    assert (found["og:title"], found["og:site_name"]) == ("Title", "Acme Status")
