"""Nobody gets into the console without a token, stays in it after the end, or has a form sent by somebody else."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace

import pytest

from crisp_status.config.load import load
from crisp_status.core.events import Announced
from crisp_status.core.operator_records import Announcement
from crisp_status.http.authentication import Proxies
from tests.console.browser import JANE, MANAGER, OLGA, VERA
from tests.daemon import until

FORMS = [
    ("/operator/check", {}),
    ("/operator/silences", {"silence": "1h"}),
    ("/operator/incidents", {"title": "By hand"}),
    ("/operator/incidents/1/acknowledge", {}),
    ("/operator/incidents/1/update", {"text": "We know."}),
    ("/operator/incidents/1/times", {}),
    ("/operator/incidents/1/merge", {"other": "1"}),
    ("/operator/incidents/1/strike", {}),
    ("/operator/incidents/1/postmortem", {"text": "Why"}),
    ("/operator/announcements", {"title": "Hello", "text": "World"}),
    ("/operator/notices/test", {}),
    ("/operator/notices/retry", {}),
]
"""What operators may do and viewers may not."""

SETTINGS = [
    ("/operator/settings", {"name": "Mine"}),
    ("/operator/settings/services", {"action": "add", "name": "Mine"}),
    ("/operator/settings/nodes", {"service": "0", "name": "Mine", "replica": "tcp://127.0.0.1:1"}),
    ("/operator/settings/file", {"text": "", "save": "1"}),
]
"""What only owners may do."""


async def test_without_a_session_nothing_is_shown(browse):
    """Every page leads to the sign-in, which leads back; no form is taken."""
    browser = await browse()
    for path in ("/operator/", "/operator/incidents/1", "/operator/settings/file"):
        await browser.get(path)
        assert "Access token" in browser.text
        assert f'value="{path}"' in browser.text
    for path, fields in FORMS + SETTINGS:
        await browser.post(path, **fields)
        assert browser.status == 401


async def test_a_wrong_token_is_refused_and_slowed(browse):
    """The field says so; after ten of them the answer is 429, and the right one opens all the while."""
    browser = await browse()
    for _ in range(10):
        await browser.sign_in("wrong")
        assert browser.status == 403
    assert "This is not the token" in browser.words
    await browser.sign_in("wrong")
    assert browser.status == 429
    await browser.sign_in(JANE)

    assert "Signed in as Jane" in browser.words


@pytest.mark.parametrize(("token", "name"), [(MANAGER, "Manager"), (JANE, "Jane"), (OLGA, "Olga")])
async def test_each_token_signs_in_its_own_person(browse, token, name):
    """The manager token and those of operators; the cookie is for no script and no other site."""
    browser = await browse()
    await browser.sign_in(token)

    assert f"Signed in as {name}" in browser.words


async def test_the_state_holds_nothing_that_opens(app, browse):
    """Of a session it has a hash: neither the cookie's value nor the token."""
    browser = await browse()
    await browser.sign_in()
    (session,) = app.engine.peek().console.sessions.values()
    (cookie,) = [c for c in browser._session.cookie_jar if "console" in c.key]

    assert cookie.value not in str(session)
    assert JANE not in str(session)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


async def test_signing_out_ends_the_session_everywhere(app, browse):
    """Also for whoever kept a copy of the cookie."""
    browser = await browse()
    await browser.sign_in()
    (cookie,) = [c for c in browser._session.cookie_jar if "console" in c.key]
    await browser.post("/operator/sign-out")
    assert not app.engine.peek().console.sessions

    thief = await browse()
    await thief.get("/operator/", Cookie=f"{cookie.key}={cookie.value}")
    assert "Access token" in thief.text


async def test_a_planted_or_forged_cookie_is_nobody(browse):
    """Fixation: a value that we did not make is not adopted; signing in makes a new one."""
    browser = await browse()
    await browser.get("/operator/", Cookie="crisp-status-console=planted")
    assert "Access token" in browser.text
    for value in ("", "a" * 5000, "%00", "é"):
        await browser.get("/operator/", Cookie=f"crisp-status-console={value}")
        assert browser.status in {200, 400}
        assert "Signed in as" not in browser.words


async def test_a_session_ends_when_its_token_changes(app, browse, tmp_path):
    """Whoever leaves the team gets a new token in the file, and is out."""
    browser = await browse()
    await browser.sign_in()
    file = tmp_path / "d" / "config.toml"
    file.write_text(file.read_text().replace(JANE, "another-token-0123456789"))
    await app.reload(load(file, app.config.rooms, {}))
    await browser.get("/operator/")

    assert "Access token" in browser.text


async def test_a_form_of_another_site_does_nothing(app, browse):
    """With the right cookie but a foreign Origin, no Origin, a token of another session or none: refused, unchanged."""
    browser, other = await browse(), await browse()
    await browser.sign_in()
    await other.sign_in(OLGA)
    mine, foreign = browser.token, other.token
    assert mine
    assert mine != foreign
    for origin in ("https://evil.example", "null", f"{browser.origin}.evil.example"):
        await browser.get("/operator/")
        await browser.post("/operator/incidents/1/acknowledge", origin=origin)
        assert browser.status == 403
    for token in ("", foreign, mine[:-1], "é"):
        await browser.get("/operator/")
        await browser.post("/operator/incidents/1/acknowledge", token=token)
        assert browser.status == 403

    assert not app.engine.peek().open[1].acknowledged_at


async def test_signing_in_from_another_site_is_refused(browse):
    """Nobody is signed in to somebody else's account by a form of a stranger."""
    browser = await browse()
    async with browser._session.post(
        f"{browser.origin}/operator/sign-in", data={"token": JANE}, headers={"Origin": "https://evil.example"}
    ) as answer:
        assert answer.status == 403


@pytest.mark.parametrize(("path", "fields"), FORMS)
async def test_a_viewer_cannot_act(app, browse, path, fields):
    """Not by a direct POST either."""
    browser = await browse()
    await browser.sign_in(VERA)
    before = app.engine.peek().console.audit[:]
    await browser.post(path, **fields)

    assert (browser.status, before) == (403, app.engine.peek().console.audit)
    assert "Your role is viewer" in browser.words


@pytest.mark.parametrize(("path", "fields"), SETTINGS)
async def test_an_operator_cannot_change_settings(app, browse, path, fields):
    """Only owners can; the file stays as it is."""
    browser = await browse()
    await browser.sign_in(JANE)
    before = app.config.path.read_text()
    await browser.post(path, **fields)
    assert browser.status == 403
    await browser.get("/operator/settings")
    assert browser.status == 403

    assert app.config.path.read_text() == before


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/operator/\\evil", "/other", "/operator/sign-out"]
)
async def test_signing_in_leads_only_into_the_console(browse, target):
    """A link with a foreign `next` is no way to a look-alike."""
    browser = await browse()
    await browser.get(f"/operator/sign-in?next={target}")
    (found,) = re.findall(r'name="next" value="([^"]*)"', browser.text)

    assert found == "/operator/"


async def test_pages_cannot_be_framed_or_kept(browse):
    """Clickjacking, caches and search engines are kept out; scripts of others too."""
    browser = await browse()
    await browser.sign_in()
    await browser.get("/operator/")

    assert "frame-ancestors 'none'" in browser.headers["Content-Security-Policy"]
    assert "unsafe" not in browser.headers["Content-Security-Policy"]
    assert browser.headers["X-Frame-Options"] == "DENY"
    assert browser.headers["Cache-Control"] == "no-store"


async def test_a_proxy_can_vouch_and_nobody_else(app, browse):
    """The header counts only on a connection of a trusted proxy, for operators of the file."""
    console = app.config.console.model_copy(update={"trust_header": "X-Forwarded-User"})
    app.config = app.config.model_copy(update={"console": console})
    browser = await browse()
    await browser.get("/operator/", **{"X-Forwarded-User": "vera"})
    assert "Signed in as Vera" in browser.words
    await browser.get("/operator/", **{"X-Forwarded-User": "nobody"})
    assert browser.status == 403


async def test_a_header_from_elsewhere_is_not_believed(app, browse):
    """Without a trusted proxy in front the header is only text of a stranger."""
    access = app.console.access
    console = app.config.console.model_copy(update={"trust_header": "X-Forwarded-User"})
    config = app.config.model_copy(update={"console": console})
    stranger = dataclasses.replace(access, proxies=Proxies(["10.0.0.1"]), config=lambda: config)
    request = SimpleNamespace(headers={"X-Forwarded-User": "olga"}, remote="192.0.2.1", cookies={})

    assert stranger.identify(request, app.engine.peek()) is None


async def test_words_of_strangers_stay_words(app, browse):
    """Titles, notes and reasons with markup are shown as they were written."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    browser = await browse()
    await browser.sign_in()
    await browser.post("/operator/incidents", title=evil, text=evil)
    await browser.get("/operator/")
    await browser.post("/operator/incidents/1/update", text=evil, audience="team")
    await app.engine.commit(Announced(announcement=Announcement("a", evil, evil)))
    await until(lambda: app.engine.peek().announcements)
    for path in ("", "incidents", "incidents/1", "incidents/2", "announcements", "announcements?edit=a", "notices"):
        await browser.get(f"/operator/{path}")
        assert browser.status == 200
        assert "<script>alert" not in browser.text
        assert "<img src=x" not in browser.text


async def test_a_cookie_that_a_site_beside_ours_can_plant_opens_nothing(app, browse):
    """Where the page has TLS only the name counts that browsers protect."""
    browser = await browse()
    await browser.sign_in(JANE)
    await browser.get("/operator/")
    assert "Sign out" in browser.words
    await browser.get("/operator/", Host="status.acme.example", **{"X-Forwarded-Proto": "https"})

    assert "Access token" in browser.text


async def test_signing_in_where_the_cookie_would_be_lost_says_so(app, browse):
    """Plain HTTP from another machine: a sentence instead of the same form again and again."""
    browser = await browse()
    form, page = {"token": JANE}, "http://192.0.2.7:8080"
    async with browser._session.post(
        f"{browser.origin}/operator/sign-in", data=form, headers={"Host": page.partition("//")[2], "Origin": page}
    ) as answer:
        assert answer.status == 400
        assert "Over plain HTTP" in await answer.text()
