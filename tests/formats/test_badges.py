"""Badges: pictures, and JSON for shields.io."""

import json
import re
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from crisp_status.formats import badges
from crisp_status.formats.documents import UPTIME, table
from crisp_status.formats.routes import DocumentCall
from crisp_status.view.page_info import make_info
from tests.formats.test_statuspage import STORIES, dead, partly, pending

INFO = make_info(name="Acme Status", url="https://status.acme.example/")
TABLE = table(INFO)

SHIELDS = {
    "type": "object",
    "properties": {
        "schemaVersion": {"const": 1},
        "label": {"type": "string"},
        "message": {"type": "string", "minLength": 1},
        "color": {"type": "string", "pattern": "^[0-9a-f]{6}$"},
        "labelColor": {"type": "string", "pattern": "^[0-9a-f]{6}$"},
        "isError": {"type": "boolean"},
        "cacheSeconds": {"type": "integer", "minimum": 0},
    },
    "required": ["schemaVersion", "label", "message"],
    "additionalProperties": False,
}


def made(path, story, query=""):
    target = TABLE.find(path)
    return target.route.render(story.view(), DocumentCall("en", target.args, query))


PATHS = ["/badge/icon", "/badge/color", "/badge.svg", "/includes/badge/", "/badge/web.svg", "/badge/pay/checkout.svg"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["", UPTIME])
@pytest.mark.parametrize("tale", STORIES[:-1], ids=lambda s: s.__name__)
def test_pictures(tale, query, path):
    """Each is an SVG with a name for those who cannot see it, and loads or runs nothing."""
    picture = made(path, tale(), query)
    root = ElementTree.fromstring(picture.body)

    assert picture.content_type == "image/svg+xml"
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext("{http://www.w3.org/2000/svg}title")
    assert not re.search(r"<script|style=|<style|href|<image|foreignObject", picture.body)
    assert len(picture.body) < 1500


def test_what_they_say():
    """The page, a service and a node, each its own health."""
    story = partly()

    def label(path):
        return ElementTree.fromstring(made(path, story).body).get("aria-label")

    assert label("/badge.svg") == "Acme Status: Dead"
    assert label("/badge/pay.svg") == "Payments: Healthy"
    assert label("/badge/web/api.svg") == "API: Dead"
    assert label("/badge/color") == "Acme Status: Dead"


@pytest.mark.parametrize("path", ["/badge.json", "/badge/web.json", "/badge/pay/checkout.json"])
@pytest.mark.parametrize("query", ["", UPTIME])
@pytest.mark.parametrize("tale", STORIES[:-1], ids=lambda s: s.__name__)
def test_shields(tale, query, path):
    """PROTOCOLS 6.5: no key that shields.io does not know, no empty message."""
    value = json.loads(made(path, tale(), query).body)

    assert list(Draft202012Validator(SHIELDS).iter_errors(value)) == []


def test_uptime():
    """A hundred only when nothing was ever dead, a dash before anything was observed."""

    def message(path, tale):
        return json.loads(made(path, tale(), UPTIME).body)["message"].replace("\xa0", " ")

    assert message("/badge/web.json", dead) == "100 %"
    assert re.fullmatch(r"\d\d\.\d\d %", message("/badge/pay.json", dead))
    assert message("/badge/pay.json", pending) == "–"


@pytest.mark.parametrize("path", ["/badge/none.svg", "/badge/web/none.svg", "/badge/none/api.json"])
def test_unknown(path):
    """What is not there has no badge."""
    assert made(path, dead()) is None


@pytest.mark.parametrize("path", ["/badge/shape", "/badge/web.png", "/badge/a/b/c.svg", "/badge/we%62.svg"])
def test_no_such_kind(path):
    """Other kinds are not found."""
    assert TABLE.find(path) is None


def test_text_is_readable_on_every_colour():
    """White on each of the fills has a contrast of at least 4.5 (WCAG 1.4.3)."""

    def luminance(color):
        parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for color in [*badges.COLORS.values(), badges.NONE, badges.LABEL]:
        assert 1.05 / (luminance(color) + 0.05) >= 4.5, color


def test_long_and_hostile_names():
    """A name of a hundred characters of markup is cut and escaped."""
    picture = badges.svg(badges.Fact('<script>"' + "界" * 100, "&", "#000000"))

    assert ElementTree.fromstring(picture).get("aria-label").startswith("<script>")
    assert "<script" not in picture
    assert "…" in picture
