"""A page of the console follows the state, takes nothing from under a writer's hands, and works without script."""

from __future__ import annotations

import pytest

from crisp_status.console.live import OWN_MAX, LiveUpdates
from crisp_status.core.events import Acknowledged, Noted
from crisp_status.messages.action_links import sign
from tests.console.browser import JANE
from tests.console.test_browser import chrome  # noqa: F401
from tests.daemon import until


async def stream(browser, mark="old"):
    """Open the stream, and give the answer, which goes on."""
    return await browser._session.get(f"{browser.origin}/operator/live?mark={mark}")


async def test_it_is_for_those_who_are_signed_in(browse):
    """Whoever is not is led to the form."""
    browser = await browse()
    await browser.get("/operator/live")
    assert "Access token" in browser.text


async def test_one_word_when_the_page_is_old(app, browse):
    """At once when it was old already, else when something happens; then the stream ends."""
    browser = await browse()
    await browser.sign_in()
    async with await stream(browser) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert await answer.text() == "data: changed\n\n"
    now = browser.text.partition('data-live="')[2].partition('"')[0]
    async with await stream(browser, now) as answer:
        await app.engine.commit(Acknowledged(incident=1, by="Olga"))
        assert "data: changed" in await answer.text()


async def test_streams_are_bounded(app, browse):
    """One session has six; the next is told to load the page by hand, and one that leaves makes room."""
    browser = await browse()
    await browser.sign_in()
    live = next(part for part in app.console.parts if isinstance(part, LiveUpdates))
    now = browser.text.partition('data-live="')[2].partition('"')[0]
    answers = [await stream(browser, now) for _ in range(OWN_MAX)]
    refused = await stream(browser, now)
    assert refused.status == 503
    await app.engine.commit(Acknowledged(incident=1, by="Olga"))
    for answer in answers:
        await answer.text()
    await until(lambda: not live._open)
    assert (await stream(browser)).status == 200


@pytest.mark.browser
async def test_the_page_follows_unless_somebody_writes(app, chrome):  # noqa: F811
    """What a colleague does appears by itself; a text that is being written stays, with a word that there is news."""
    page = await (await chrome.new_context(viewport={"width": 390, "height": 844})).new_page()
    await page.goto(f"http://{app.bound[0]}/operator/")
    await page.get_by_label("Access token").fill(JANE)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("Nobody has acknowledged it.").wait_for()
    await app.engine.commit(Acknowledged(incident=1, by="Olga"))
    await page.get_by_text("Acknowledged by Olga.").wait_for()
    await page.get_by_label("From a template").select_option("Partner outage")
    await page.get_by_role("button", name="Insert").click()
    await app.engine.commit(Noted(incident=1, text="Somebody else writes.", by="Olga"))
    await page.get_by_text("Something has changed meanwhile.").wait_for()

    assert await page.get_by_label("Message").input_value() == "Our payment partner has trouble."


async def test_a_template_works_without_script(browse):
    """The button brings the form again with the text in it."""
    browser = await browse()
    await browser.sign_in()
    await browser.post("/operator/incidents/1/update", template="Partner outage", use="1", text="")
    assert ">Our payment partner has trouble.</textarea>" in browser.text


async def test_a_link_in_an_alert_leads_into_the_console(app, browse):
    """Whoever is signed in comes to the incident with all its buttons; everybody else to the one question."""
    link = f"/act/{sign(app.console.access.key, 1, 'acknowledge', app.clock.now() + 60)}"
    browser = await browse()
    await browser.get(link)
    assert "Sign out" not in browser.words
    await browser.sign_in()
    await browser.get(link)

    assert "Incident 1" in browser.words
    assert "Sign out" in browser.words
    assert not app.engine.peek().open[1].acknowledged_at
