"""Passkeys in a real Chromium with an authenticator of its own, and everything that is not one of ours."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from playwright.async_api import async_playwright

from crisp_status.console.ceremonies import LIFE_SECONDS, Ceremonies
from crisp_status.console.passkeys import relying_party
from tests.console.browser import JANE, OLGA
from tests.console.test_browser import ARGUMENTS, accessible
from tests.fakes import FakeClock

pytestmark = pytest.mark.browser

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
async def named(app):
    """The daemon under a name: browsers make no passkey for an address."""
    url = f"http://localhost:{app.bound[0].rpartition(':')[2]}/"
    app.config = app.config.model_copy(update={"page": app.config.page.model_copy(update={"url": url})})
    return app, url.rstrip("/")


@contextlib.asynccontextmanager
async def phone(chromium, *, verified=True):
    """A browser of 390 px whose authenticator recognises its owner, or does not."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = await browser.new_context(viewport={"width": 390, "height": 844})
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        await devtools.send(
            "WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR | {"isUserVerified": verified}}
        )
        yield page
        await browser.close()


async def with_token(page, origin, token=JANE):
    """Sign in as usual."""
    await page.goto(f"{origin}/operator/passkeys")
    await page.get_by_label("Access token").fill(token)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def add(page):
    """Make a passkey on the page of passkeys."""
    await page.get_by_label("Name", exact=True).fill("My phone")
    await page.get_by_role("button", name="Add a passkey").click()
    await page.get_by_text("You can sign in with this passkey from now on.").wait_for()


async def answered(page, origin):
    """What the browser's authenticator says to fresh options, without sending it."""
    return await page.evaluate(
        """async (url) => {
          const options = await (await fetch(url)).json();
          const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
          return JSON.stringify(await navigator.credentials.get({publicKey}));
        }""",
        f"{origin}/operator/sign-in/passkey",
    )


async def send(browse, origin, answer, **headers):
    """Send an answer as a form, as the page's script does."""
    browser = await browse()
    async with browser._session.post(
        f"{browser.origin}/operator/sign-in/passkey",
        data={"answer": answer},
        headers={"Origin": origin, "Host": origin.partition("//")[2]} | headers,
        allow_redirects=False,
    ) as response:
        return response.status


async def test_from_the_token_to_the_finger_and_back(named, chromium):
    """Register, sign out, sign in without the token, remove: the session ends with its passkey."""
    app, origin = named
    async with phone(chromium) as page:
        await with_token(page, origin)
        await add(page)
        await accessible(page)
        await page.get_by_role("button", name="Sign out").click()
        await page.goto(f"{origin}/operator/incidents/1")
        await accessible(page)
        await page.get_by_role("button", name="Use a passkey").click()
        await page.get_by_role("heading", level=1, name="Incident 1").wait_for()
        (session,) = app.engine.peek().console.sessions.values()
        (passkey,) = app.engine.peek().console.passkeys.values()
        assert (passkey.id, passkey.operator, "My phone") == (session.passkey, "jane", passkey.name)
        assert passkey.used_at
        await page.goto(f"{origin}/operator/passkeys")
        await page.get_by_role("button", name="Remove").click()
        await page.get_by_label("Access token").wait_for()

        assert (app.engine.peek().console.passkeys, app.engine.peek().console.sessions) == ({}, {})


async def test_an_answer_counts_once_and_only_for_us(named, chromium, browse):
    """Sent twice, for another origin, changed, or for another passkey: 403, and nobody is signed in."""
    app, origin = named
    async with phone(chromium) as page:
        await with_token(page, origin)
        await add(page)
        await page.context.clear_cookies()
        await page.goto(f"{origin}/operator/sign-in")
        assert await send(browse, origin, await answered(page, origin), Origin="https://evil.example") == 403
        answer = await answered(page, origin)
        for forged in (changed(answer, "signature"), changed(answer, "authenticatorData"), renamed(answer)):
            assert await send(browse, origin, forged) == 403
        assert await send(browse, origin, answer) == 303
        assert await send(browse, origin, answer) == 403

    assert len(app.engine.peek().console.sessions) == 2  # the one with the token, the one with the passkey


async def test_a_forged_host_is_nobody_in_the_ceremony(named, chromium, browse):
    """Relying party and origin are those of `[page] url`, whatever a request calls its host."""
    app, origin = named
    async with phone(chromium) as page:
        await with_token(page, origin)
        await add(page)
        browser = await browse()
        told = json.loads(await browser.get("/operator/sign-in/passkey", Host="evil.example"))
        assert told["rpId"] == "localhost"
        # A page of somebody else who passes our challenge on: its browser writes another origin into the answer.
        app.config = app.config.model_copy(
            update={"page": app.config.page.model_copy(update={"url": "http://localhost:1/"})}
        )
        answer = await answered(page, origin)
        assert await send(browse, origin, answer) == 403
        assert await send(browse, origin, answer, Host="localhost:1", Origin="http://localhost:1") == 403


async def test_somebody_else_with_the_phone_is_refused(named, chromium):
    """An authenticator that does not recognise its holder makes no passkey."""
    app, origin = named
    async with phone(chromium, verified=False) as page:
        await with_token(page, origin)
        await page.get_by_label("Name", exact=True).fill("My phone")
        await page.get_by_role("button", name="Add a passkey").click()
        await page.locator("#pk-new [role=status]").filter(has_text="not allowed").wait_for()

    assert not app.engine.peek().console.passkeys


async def test_whoever_leaves_takes_no_passkey_along(named, chromium, browse):
    """An operator who is not in the configuration any more is out; an owner removes what somebody lost."""
    app, origin = named
    async with phone(chromium) as page:
        await with_token(page, origin)
        await add(page)
        owner, other = await browse(), await browse()
        (id,) = app.engine.peek().console.passkeys
        await other.sign_in("vera-token-0123456789", "/operator/passkeys")
        await other.post(f"/operator/passkeys/{id}/remove")
        assert other.status == 404
        await owner.sign_in(OLGA, "/operator/passkeys")
        await owner.post(f"/operator/passkeys/{id}/remove")
        assert owner.status == 200

    assert not app.engine.peek().console.passkeys


@pytest.mark.parametrize(
    "answer",
    ["", "null", "[]", "{}", '{"response": {}}', '{"response": {"clientDataJSON": "e30"}}', "[" * 60_000, "x" * 70_000],
)
async def test_what_no_authenticator_says_is_refused(named, browse, answer):
    """Whatever is sent, the answer is the form again and a sentence."""
    _, origin = named
    assert await send(browse, origin, answer) == 403


async def test_the_manager_has_no_passkey(named, browse):
    """It belongs to a person: the page says so, and a direct request is refused."""
    browser = await browse()
    await browser.sign_in("manager-token", "/operator/passkeys")
    assert "belongs to an operator" in browser.words
    await browser.get("/operator/passkeys/options")
    assert browser.status == 409


async def test_an_address_without_a_name_has_none(browse):
    """The page says why, and the sign-in does not offer it."""
    browser = await browse()
    assert "Use a passkey" not in await browser.get("/operator/sign-in")
    await browser.sign_in(JANE, "/operator/passkeys")
    assert "localhost" in browser.words
    await browser.get("/operator/sign-in/passkey")
    assert browser.status == 404


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://status.acme.example/", ("status.acme.example", "https://status.acme.example")),
        ("https://Status.acme.example:443/x/", ("status.acme.example", "https://status.acme.example")),
        ("https://status.acme.example:8443/", ("status.acme.example", "https://status.acme.example:8443")),
        ("https://straße.example/", ("xn--strae-oqa.example", "https://xn--strae-oqa.example")),
        ("http://localhost:8080/", ("localhost", "http://localhost:8080")),
        ("http://status.acme.example/", None),
        ("https://192.0.2.1/", None),
        ("https://[2001:db8::1]/", None),
    ],
)
def test_relying_party_and_origin_are_as_browsers_write_them(url, party):
    """Lower case, ASCII, without a port that goes without saying."""
    assert relying_party(url) == party


def test_a_challenge_is_ours_young_and_for_one_purpose():
    """Another key, another purpose, five minutes later, or answered already: it does not count."""
    clock = FakeClock()
    ours, theirs = Ceremonies(clock, b"ours"), Ceremonies(clock, b"theirs")
    one, two = ours.new("sign-in"), ours.new("sign-in")
    assert ours.current(one, "sign-in")
    assert not ours.current(one, "jane")
    assert not ours.current(theirs.new("sign-in"), "sign-in")
    assert not ours.current(b"", "sign-in")
    ours.answered(one)
    assert (False, True) == (ours.current(one, "sign-in"), ours.current(two, "sign-in"))
    clock.advance(LIFE_SECONDS + 1)
    assert not ours.current(two, "sign-in")


def changed(answer, part):
    """The same with the last byte of one part turned."""
    told = json.loads(answer)
    raw = bytearray(base64.urlsafe_b64decode(told["response"][part] + "=="))
    raw[-1] ^= 1
    told["response"][part] = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return json.dumps(told)


def renamed(answer):
    """The same for a passkey that nobody has."""
    told = json.loads(answer)
    return json.dumps(told | {"id": "AAAA", "rawId": "AAAA"})
