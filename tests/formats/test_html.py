"""The pages as text: complete, small, harmless, and readable by those who scrape them."""

import gzip
import re
from html.parser import HTMLParser

import msgspec
import pytest

from crisp_status.core.model import (
    AffectedNode,
    Announcement,
    Health,
    Incident,
    Reason,
    ReasonCode,
    TimelineEntry,
    TimelineKind,
)
from crisp_status.core.policy import ReplicaPlan
from crisp_status.formats import inner
from crisp_status.formats.html import Html
from crisp_status.formats.templates import faults
from crisp_status.view.build import ViewCache, build
from crisp_status.view.markdown import MAX_TEXT
from tests.formats import samples
from tests.formats.samples import NOW, Sample, at

ACME = samples.acme()
LANGUAGES = ("en", "fr", "de", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar")
VOID = {"meta", "link", "img", "br", "input", "source", "hr", "path", "use", "circle", "rect"}


class Tree(HTMLParser):
    """Elements with their attributes; complains about tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def of(self, css):
        """Attributes of all elements of a class."""
        return [a for _, a in self.elements if css in (a.get("class") or "").split()]


def pages(state, info=ACME, language=""):
    """Every page of a state, by what it is."""
    html, view = Html(info), build(state, info, NOW)
    made = {"home": html.home(view, language), "history": inner.history(html, view), "error": html.error(404)}
    made |= {"updates": inner.updates(html, view)}
    made |= {month: inner.month(html, view, month) for month in view.months}
    made |= {day: inner.day(html, view, day) for day in view.days[-50:] if day in view.book or day == view.days[-1]}
    made |= {key: inner.node(html, view, key) for key in list(view.nodes)[:15]}
    return made | {f"incident {i.id}": inner.incident(html, view, i.id) for i in view.incidents}


@pytest.mark.parametrize("name", samples.ALL)
def test_every_page_is_well_formed(name):
    """Tags match, ids are unique, references lead somewhere, there is one H1, and no style attribute or handler."""
    for text in pages(samples.ALL[name]()).values():
        tree = Tree(text)
        ids = [a["id"] for _, a in tree.elements if "id" in a]
        assert len(ids) == len(set(ids))
        assert [t for t, _ in tree.elements].count("h1") == 1
        assert not [a for _, a in tree.elements if "style" in a or any(name.startswith("on") for name in a)]
        for _, a in tree.elements:
            target = a.get("href") or ""
            if target.startswith("#"):
                assert target[1:] in ids, target
            for reference in (a.get("aria-labelledby") or "").split():
                assert reference in ids


def test_scrapers_of_crisp_pages_find_their_markers():
    """PROTOCOLS section 0: the classes and `data-status` that existing scrapers read."""
    tree = Tree(Html(ACME).home(build(samples.dead(), ACME, NOW)))

    assert [("aside", "dead")] == [
        (t, a["data-status"]) for t, a in tree.elements if "css-home-status" in (a.get("class") or "")
    ]
    nodes = [
        a["data-status"] for t, a in tree.elements if t == "li" and a.get("class") == "css-home-services-group-node"
    ]
    assert (12, 2, 1) == (len(nodes), nodes.count("dead"), nodes.count("sick"))
    boxes = [a["data-status"] for a in tree.of("css-home-services-group-node-replica")]
    assert (31, 4, 1) == (len(boxes), boxes.count("dead"), boxes.count("sick"))


@pytest.mark.parametrize(
    ("name", "page", "most"),
    [
        ("healthy", "home", 12.0),
        ("dead", "home", 13.5),
        ("thirty", "home", 14.0),
        ("large", "home", 14.5),
        ("healthy", "history", 11.0),
        ("dead", "2025-11-08", 11.0),
        ("dead", "incident 9", 11.0),
        ("dead", "pay/checkout", 12.0),
    ],
)
def test_pages_are_light(name, page, most):
    """gzip -9, HTML with its style, in eleven languages: 30 nodes with 3 replicas fit one congestion window."""
    info = samples.acme(languages=LANGUAGES)
    size = len(gzip.compress(pages(samples.ALL[name](), info)[page].encode(), 9)) / 1024

    assert size <= most


def test_style_and_script_are_light():
    """16 kB of style for every page, 6 kB more for inner ones, 3 kB of script, as they are sent."""
    from crisp_status.view.assets import own_folder
    from crisp_status.view.page_info import minified

    assert len(minified((own_folder() / "style.css").read_text("utf-8"))) <= 16 * 1024
    assert len(minified((own_folder() / "inner.css").read_text("utf-8"))) <= 6 * 1024
    assert len(ACME.script.body) <= 3 * 1024


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\u2066{{ 7*7 }}%(names)s' + "A" * 10_000


def evil_state():
    """Everything that somebody from outside may name is named by an enemy."""
    sample = Sample("web")
    sample.names["web"] = EVIL
    sample.plans["web"][0] = msgspec.structs.replace(
        sample.plans["web"][0], name=EVIL, reveal_replicas=True, replicas=(ReplicaPlan("r1", EVIL),), link_label=EVIL
    )
    sample.plans["web"][1] = msgspec.structs.replace(sample.plans["web"][1], name="A" * 120)
    sample.hurt("web/help", [1], Health.DEAD, at(14, 0), Reason(ReasonCode.NO_ANSWER))
    reason = Reason(ReasonCode.STATUS, EVIL, EVIL)
    sample.hurt("web/landing", [1, 2, 3], Health.DEAD, at(14, 0), reason)
    state = sample.state
    state.announcements["a"] = Announcement("a", EVIL, EVIL, NOW, NOW)
    state.announcements["m"] = Announcement("m", EVIL, EVIL, NOW, NOW, NOW + 900, ["web"])
    state.open[1] = Incident(
        1, at(14, 0), at(14, 0), worst=Health.DEAD, bad=3, nodes={"web/landing": AffectedNode(at(14, 0), Health.DEAD, bad=3)},
        timeline=[
            TimelineEntry(at(14, 0), TimelineKind.DEAD, "web/landing", [1, 2, 3], reason=reason), TimelineEntry(at(14, 0), TimelineKind.DEAD, "gone/" + EVIL),
            TimelineEntry(at(14, 9), TimelineKind.NOTE, text=EVIL), TimelineEntry(at(14, 9), TimelineKind(EVIL)), TimelineEntry(at(14, 9), TimelineKind.ACKNOWLEDGED, text=EVIL),
        ],
    )  # fmt: skip
    return sample.settle()


def test_hostile_words_are_shown_harmless():
    """No tag, attribute, template or mark of direction of theirs gets into any page; no word is endless."""
    info = samples.acme(name=EVIL, company=EVIL, description=EVIL)
    for text in pages(evil_state(), info).values():
        tree = Tree(text)
        scripts = [a for t, a in tree.elements if t == "script"]
        assert [a for a in scripts if a.get("type") != "application/ld+json"] == [{"src": ACME.path(ACME.script)}]
        assert [a for t, a in tree.elements if t == "img" and a.get("src") == "x"] == []
        assert "<script>alert" not in text
        assert not set(text) & set("\u202e\u2066")
        assert "A" * (MAX_TEXT + 1) not in text


def test_a_row_is_made_once_a_language_until_its_node_changes():
    """The second rendering takes rows as they are; a changed node costs its row alone."""
    state, cache, html = samples.thirty(), ViewCache(), Html(ACME)
    first = html.home(build(state, ACME, NOW, cache))
    rows = {key: kept[2] for key, kept in html._rows["node.html", "en"].items()}
    state.nodes["v1/n1"].replicas["r1"].latency_ms = 777
    state.nodes["v1/n1"].replicas["r1"].seen_at += 1
    second = html.home(build(state, ACME, NOW, cache))
    changed = [key for key, kept in html._rows["node.html", "en"].items() if kept[2] is not rows[key]]

    assert changed == ["v1/n1"]
    assert "777\N{NO-BREAK SPACE}ms" in second
    assert "777" not in first


def test_large_pages_stay_readable():
    """1,000 nodes: folded by service, the affected ones open, no tables, under a megabyte, and under 21 kB on the wire."""
    text = Html(ACME).home(build(samples.thousand(), ACME, NOW))
    tree = Tree(text)
    opened = [a["id"] for t, a in tree.elements if t == "li" and "svc" in (a.get("class") or "")]

    assert len(text) < 1_000_000
    assert len(gzip.compress(text.encode(), 9)) <= 21 * 1024
    assert [t for t, _ in tree.elements if t == "table"] == []
    assert {"only", "find"} <= {a.get("id") for _, a in tree.elements}
    assert opened[:3] == ["svc-v3", "svc-v5", "svc-v8"]
    assert text.count("<details open>") == 1
    assert "<b>3</b> of 40 services, <b>3</b> of 1,000 nodes" in text
    assert "925 nodes in 37 services" in text


def test_a_node_with_many_replicas_shows_the_bad_ones_first():
    """1,000 replicas: sixty boxes, the dead one among them, the rest counted."""
    sample = samples.many(1, 1, replicas=1000)
    sample.hurt("v0/n0", [998], Health.DEAD, at(14, 0), samples.NO_ANSWER)
    tree = Tree(Html(ACME).home(build(sample.settle(), ACME, NOW)))
    boxes = tree.of("css-home-services-group-node-replica")

    assert 60 == len(boxes)
    assert "dead" == boxes[0]["data-status"]
    assert "+940" in tree.words


def test_what_is_not_kept_is_not_made():
    """The caller answers 404 or 410; older months of what is kept have pages of their own."""
    html, view = Html(ACME), build(samples.healthy(), ACME, NOW)

    assert inner.month(html, view, "2025-07") is None
    assert inner.day(html, view, "2025-08-24") is None
    assert inner.day(html, view, "2025-11-23") is None
    assert inner.incident(html, view, 99) is None
    assert inner.node(html, view, "web/none") is None
    august = inner.month(html, view, "2025-08")
    assert "No incidents." in august
    assert 'href="/history/2025-09"' in august


def test_a_healthy_month_is_praised_only_when_it_was_seen():
    """Every day observed and none bad, else only that there were no incidents."""
    state = samples.healthy()
    state.closed.clear()
    for period in state.days:
        period.others.clear()
    view = build(state, ACME, NOW)
    praise = "Every node was healthy, every day."

    assert praise in inner.month(Html(ACME), view, "2025-10")
    assert praise not in inner.month(Html(ACME), view, "2025-08")


def test_own_templates_stand_before_ours(tmp_path):
    """A file of the same name replaces ours, one with a mistake does not: the page is worth more than its looks."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "key.html").write_text(
        "<p>Our own key: {{ view.nodes | length }} nodes, {{ view.at | time }}</p>"
    )
    info = msgspec.structs.replace(ACME, templates=tmp_path)
    view = build(samples.healthy(), info, NOW)
    assert "Our own key: 12 nodes" in Html(info).home(view)
    assert faults(tmp_path) == []

    (tmp_path / "parts" / "key.html").write_text("{{ view.no_such_thing }}")
    assert "Answers fast" in Html(info).home(view)

    (tmp_path / "parts" / "key.html").write_text("one\n{% if %}")
    assert "Answers fast" in Html(info).home(view)
    (fault,) = faults(tmp_path)
    assert "key.html:2:" in fault


def test_the_policy_names_the_very_bytes_of_style():
    """The digests of both sheets stand in it; script, and an own style sheet, are allowed from this site only."""
    from base64 import b64encode
    from hashlib import sha256

    from crisp_status.view.assets import asset

    own = samples.acme(stylesheet=asset("own", b"h1{color:red}", "text/css; charset=utf-8"))
    for info in (ACME, own):
        text = Html(info).home(build(samples.healthy(), info, NOW))
        for page in (text, inner.history(Html(info), build(samples.healthy(), info, NOW))):
            style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
            assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in info.csp
        assert f'<script src="{info.path(info.script)}"></script>' in text
    assert "style-src 'sha256-" in ACME.csp
    assert "'self'; script-src 'self';" not in ACME.csp
    assert "'self'; script-src 'self';" in own.csp
    assert f'<link rel="stylesheet" href="/assets/{own.stylesheet.name}">' in text


def test_a_page_in_a_folder_links_within_it():
    """`https://acme.example/status/` keeps to its folder, and to the language in it."""
    info = samples.acme(url="https://acme.example/status", languages=("en", "fr"))
    text = Html(info).home(build(samples.healthy(), info, NOW), "fr")

    assert 'href="/status/fr/history"' in text
    assert 'src="/status/assets/logo-light.' in text
    assert [] == re.findall(r'(?:href|src)="/(?!status/)[^"]*"', text)
