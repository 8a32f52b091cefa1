"""The picture beside a link: what is on it, that it fits, that it is made once and never holds up a page."""

import pytest

from crisp_status.formats import preview
from crisp_status.formats.documents import table
from crisp_status.formats.html import Html
from crisp_status.formats.routes import DocumentCall
from crisp_status.language.locale import Locale
from crisp_status.view.build import build
from tests.formats import samples
from tests.formats.samples import NOW

T = Locale()
ACME = samples.acme()


def view(state):
    return build(state, ACME, NOW)


def test_it_says_what_the_page_says():
    """Headline, since when, who knows, the address of the page, and a bar for each day."""
    svg = preview.drawing(view(samples.dead()), T)

    assert ">Checkout and</text>" in svg
    assert ">Invoicing are down</text>" in svg
    assert "Since 14:02 UTC. Our team was alerted at 14:04 UTC." in svg
    assert ">status.acme.example</text>" in svg
    assert svg.count('y="500"') >= 90
    assert "14 days without an outage" in preview.drawing(view(samples.healthy()), T)


def test_it_changes_with_the_state_and_not_with_the_time():
    """The same picture a minute later; another one when something happens."""
    state = samples.dead()
    one, later = build(state, ACME, NOW), build(state, ACME, NOW + 60)

    assert preview.mark(one, T) == preview.mark(later, T)
    assert preview.mark(one, T) != preview.mark(view(samples.healthy()), T)


@pytest.mark.parametrize(
    ("text", "size", "lines"),
    [
        ("Everything is working", 80, ["Everything is", "working"]),
        ("Search is slower than usual", 72, ["Search is slower", "than usual"]),
        ("12 of 1,000 nodes are down", 80, ["12 of 1,000", "nodes are down"]),
    ],
)
def test_headlines_are_as_large_as_two_lines_allow(text, size, lines):
    """By an estimate that is rather too wide."""
    assert preview.wrapped(text)[1] == lines
    assert preview.wrapped(text)[0] in (size, size - 8, size + 8)


def test_long_words_fit():
    """Cut with dots, within two lines; words without spaces break."""
    for text in (
        "A" * 90,
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk ist ausgefallen",
        "停" * 60,
        "a b " * 60,
    ):
        size, lines = preview.wrapped(text)
        assert len(lines) <= 2
        assert all(preview._wide(line, size) <= preview._ROOM + 56 for line in lines)


def test_hostile_names_are_text():
    """A name with markup stays a name, so that the picture can be made at all."""
    info = samples.acme(name="<b>&", header_logo=None)
    svg = preview.drawing(build(samples.healthy(), info, NOW), T)

    assert "&lt;b&gt;&amp;" in svg


def test_a_png_is_made_once_and_named_by_what_is_on_it():
    """1200 by 630; asked again it is the same bytes; the page names it with what changes; its route has a second part."""
    pytest.importorskip("resvg_py")
    shown = view(samples.dead())
    picture = preview.png(preview.drawing(shown, T))
    if picture is None:
        pytest.skip("no font on this machine: apt install fonts-dejavu-core")

    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")) == (1200, 630)
    assert preview.png(preview.drawing(shown, T)) is picture
    assert f'content="https://status.acme.example/og.png?v={preview.mark(shown, T)}"' in Html(ACME).home(shown)
    route = table(ACME).routes["/og.png"]
    assert route.finish(route.render(shown, DocumentCall("en"))).body is picture
