"""Documents: made once a view, kept while asked for, never waited for twice."""

import asyncio
from types import SimpleNamespace

import pytest

from crisp_status.formats.routes import DocumentRoute, Made, Table
from crisp_status.http.site import KEPT_SECONDS, DocumentRequest, NotYetError, Site
from tests.fakes import FakeClock
from tests.http.site_fakes import dial, one, serving


def counted():
    """A site whose page says how often it was made."""
    made = []

    def page(view, call):
        made.append((view.text, call.language))
        return Made("text/html", f"{view.text} in {call.language}")

    routes = [DocumentRoute(pattern="/", render=page, localized=True), DocumentRoute(pattern="/x/{}.svg", render=page)]
    clock = FakeClock()
    return Site(Table(routes, ("en", "fr")), clock), clock, made


def view(text):
    return SimpleNamespace(text=text, info=SimpleNamespace(url="https://x/"))


async def body(site, path, language=""):
    ready = await site.answer(DocumentRequest(site.key(path, "", language)))
    return ready.at(b"").partition(b"\r\n\r\n")[2].decode()


@pytest.fixture
def site():
    made = counted()
    yield made
    made[0].close()


async def test_nothing_before_the_first_view(site):
    """A request that comes before the state is known is told to wait, not shown an empty page."""
    with pytest.raises(NotYetError):
        await site[0].answer(DocumentRequest(site[0].key("/", "", "")))


async def test_made_once(site):
    """The first request makes it; all others get the same bytes."""
    site, _, made = site
    await site.show(view("one"))

    assert [await body(site, "/"), await body(site, "/"), await body(site, "/en/")] == ["one in en"] * 3
    assert len(made) == 2


async def test_the_page_of_a_start_is_compressed_when_it_is_served_already():
    """A start does not wait for compressing; whoever comes before it is done gets the page as it is."""
    big = "x" * 1000
    site = Site(Table([DocumentRoute(pattern="/", render=lambda v, c: Made("text/html", big))]), FakeClock())
    try:
        await site.show(view("one"))
        await site.warm()
        asked = DocumentRequest(site.key("/", "", ""), ("gzip",))
        whole = site.available(asked).at(b"")
        assert b"Content-Encoding" not in whole
        assert whole.endswith(big.encode())

        await site.pack()
        assert b"Content-Encoding: gzip" in site.available(asked).at(b"")
        assert site.available(asked._replace(codings=())).at(b"") == whole
    finally:
        site.close()


async def test_many_at_once_wait_for_one(site):
    """A crowd at a cold page makes it once."""
    site, _, made = site
    await site.show(view("one"))

    await asyncio.gather(*(body(site, "/", "fr") for _ in range(50)))

    assert made == [("one", "fr")]


async def test_a_new_view_is_made_before_it_is_shown(site):
    """What is in use is ready before anybody asks for it; languages that nobody uses are not made."""
    site, _, made = site
    await site.show(view("one"))
    await body(site, "/", "fr")

    await site.show(view("two"))

    assert made == [("one", "fr"), ("two", "fr")]
    assert site.available(DocumentRequest(site.key("/", "", "fr"))) is not None
    assert await body(site, "/", "fr") == "two in fr"
    assert len(made) == 2


async def test_forgotten_when_nobody_asks(site):
    """A document that nobody asked for in a quarter of an hour costs nothing any more."""
    site, clock, made = site
    await site.show(view("one"))
    await body(site, "/x/a.svg")
    await site.show(view("two"))
    clock.advance(KEPT_SECONDS)
    await site.show(view("three"))

    assert [text for text, _ in made] == ["one", "two"]
    assert await body(site, "/x/a.svg") == "three in en"


async def test_the_same_bytes_keep_their_tag():
    """A view that changes nothing in a document changes neither its tag nor its bytes."""
    site = Site(Table([DocumentRoute(pattern="/", render=lambda v, c: Made("text/plain", "same"))]), FakeClock())
    await site.show(view("one"))
    before = await site.answer(DocumentRequest(site.key("/", "", "")))
    await site.show(view("two"))

    assert site.available(DocumentRequest(site.key("/", "", ""))) is before
    site.close()


async def test_a_failing_document_spares_the_others():
    """One renderer with a bug takes neither the others nor the new view with it."""

    def broken(v, c):
        if v.text == "two":
            raise ZeroDivisionError
        return Made("text/plain", v.text)

    fine = DocumentRoute(pattern="/fine", render=lambda v, c: Made("text/plain", v.text))
    site = Site(Table([DocumentRoute(pattern="/broken", render=broken), fine]), FakeClock())
    await site.show(view("one"))
    await body(site, "/broken")
    await body(site, "/fine")
    await site.show(view("two"))

    assert await body(site, "/fine") == "two"
    with pytest.raises(ZeroDivisionError):
        await body(site, "/broken")
    await site.show(view("three"))
    assert await body(site, "/broken") == "three"
    site.close()


async def test_other_routes_after_a_reload(site):
    """After a reload the old documents are gone at once."""
    site, _, _ = site
    await site.show(view("one"))
    await body(site, "/")
    site.configure(Table([DocumentRoute(pattern="/", render=lambda v, c: Made("text/plain", "new"))]))

    assert await body(site, "/") == "new"
    assert site.key("/x/a.svg", "", "") is None


async def test_a_document_made_during_a_change_is_not_kept():
    """A slow first rendering of an old view does not stay when a newer view came meanwhile."""
    go = []

    def slow(v, c):
        while v.text == "one" and not go:
            pass
        return Made("text/plain", v.text)

    site = Site(Table([DocumentRoute(pattern="/", render=slow)]), FakeClock())
    await site.show(view("one"))
    asked = asyncio.create_task(body(site, "/"))
    await asyncio.sleep(0.01)
    shown = asyncio.create_task(site.show(view("two")))
    await asyncio.sleep(0.01)
    go.append(1)
    await shown

    assert await asked in {"one", "two"}
    assert await body(site, "/") == "two"
    site.close()


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/incidents/none", "*/*", "text/html; charset=utf-8"),
        ("/incidents/none", "", "text/html; charset=utf-8"),
        ("/incidents/none", "application/json", "application/json"),
        ("/badge/none/none", "*/*", "application/json"),
    ],
)
async def test_a_page_that_is_not_there_is_a_page(path, accept, kind):
    """curl asks for anything: where a page for people would stand, it gets one; JSON only where it asks for it."""
    async with serving() as s, dial(s.port) as (reader, writer):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())
        status, headers, _ = await one(reader)

    assert (status, headers["content-type"]) == (404, kind)


async def test_a_preflight_allows_any_header():
    """A reader that sends Cache-Control or its own headers asks first, and may."""
    async with serving() as s, dial(s.port) as (reader, writer):
        writer.write(
            b"OPTIONS /status/text HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"
            b"Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: cache-control\r\n\r\n"
        )
        status, headers, _ = await one(reader)

    assert (status, headers["access-control-allow-headers"], headers["access-control-allow-origin"]) == (204, "*", "*")
