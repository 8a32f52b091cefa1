"""The console in a real Chromium, on a phone and on a desk, with and without script: the whole night, without a shell."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright

from tests.console.browser import OLGA
from tests.daemon import until

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture
async def chrome(chromium):
    """A Chromium for one test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()


async def accessible(page):
    """No violation of WCAG 2.2 AA, and nothing to scroll sideways."""
    found = await Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert not found.response["violations"], found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


@pytest.mark.parametrize(("width", "script"), [(390, False), (1440, True)])
async def test_a_night(app, chrome, width, script):
    """Sign in, see what is dead, acknowledge, write, announce, plan, add a service with a node, see it healthy."""
    context = await chrome.new_context(
        viewport={"width": width, "height": 844}, java_script_enabled=script, color_scheme="dark" if script else "light"
    )
    page = await context.new_page()
    origin = f"http://{app.bound[0]}"
    before = app.config.path.read_text()
    await page.goto(f"{origin}/operator/")
    await page.get_by_label("Access token").fill(OLGA)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", level=1, name="API is down").wait_for()
    await page.get_by_role("button", name="Acknowledge").click()
    await page.get_by_text("Acknowledged by Olga").wait_for()
    await page.get_by_text("Identified", exact=True).click()
    await page.get_by_label("Message").fill("A **switch** failed.")
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_text("The update is written.").wait_for()
    await page.goto(f"{origin}/operator/announcements")
    await page.get_by_label("Title").fill("Please wait")
    await page.get_by_label("Text", exact=True).fill("We are on it.")
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_text("The announcement is posted.").wait_for()
    await page.goto(f"{origin}/operator/settings/services")
    await page.get_by_label("Name", exact=True).fill("Payments")
    await page.get_by_role("button", name="Add", exact=True).click()
    await page.get_by_text("Saved and in force.").wait_for()
    await page.goto(f"{origin}/operator/settings/services?service=1")
    await page.locator("#node input[name=name]").fill("Checkout")
    await page.get_by_label("Address of replica 1").fill(f"{origin}/healthz")
    await page.get_by_label("Address of replica 2").fill(f"tcp://{app.bound[0]}")
    await page.locator("#node").get_by_role("button", name="Save").click()
    await page.get_by_text("Saved and in force.").wait_for()
    await until(lambda: app.engine.peek().nodes["payments/checkout"].health.word == "healthy")

    after = app.config.path.read_text()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert app.engine.peek().open[1].acknowledged_by == "Olga"
    await context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light"), (320, "light")])
async def test_every_page_is_accessible(app, chrome, width, scheme):
    """Axe finds nothing on any page, in both themes, and a phone needs no sideways scroll."""
    context = await chrome.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = await context.new_page()
    origin = f"http://{app.bound[0]}"
    await page.goto(f"{origin}/operator/")
    await accessible(page)
    await page.get_by_label("Access token").fill(OLGA)
    await page.get_by_role("button", name="Sign in").click()
    for path in (
        "", "incidents", "incidents/1", "announcements", "notices", "settings",
        "settings/services?service=0&node=0", "settings/notifiers?type=email", "passkeys", "settings/file", "incidents/99",
    ):  # fmt: skip
        await page.goto(f"{origin}/operator/{path}")
        await accessible(page)
    await context.close()
