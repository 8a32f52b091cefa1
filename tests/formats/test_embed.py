"""The warning on other sites: when it shows, what it says, and that it never gets in the way."""

import gzip
import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from crisp_status.core import events
from crisp_status.formats import embed, statuspage
from crisp_status.formats.embed_policy import EmbedPolicy
from crisp_status.language.locale import Locale
from tests.formats.test_statuspage import dead, healthy, sick

T = Locale()
POLICY = EmbedPolicy()


def told(story, policy=POLICY):
    return embed.answer(story.view(), policy, T)


def test_nothing_to_say():
    """While the page is not dead there is nothing but the switches."""
    for tale in (healthy, sick):
        assert told(tale()) == {
            "show": False,
            "surfaces": {"chatbox": True, "helpdesk": True, "site": True},
            "headline": "",
            "since": None,
            "incident": None,
            "url": "https://status.acme.example/en/",
        }


def test_after_three_minutes_in_a_row():
    """Not before the time is over, and gone with the outage."""
    story = healthy()
    story.die("pay/checkout")
    began = story.clock.now()
    story.pass_time(180)
    assert told(story)["show"] is False
    assert embed.turns_at(story.view(), POLICY) == began + 180
    story.pass_time(1)
    assert told(story)["show"] is True
    story.recover("pay/checkout")
    assert told(story)["show"] is False


def test_what_it_says():
    """Headline, since when, which incident; that the team was alerted only when it was."""
    story = dead()
    story.pass_time(200)
    said = told(story, EmbedPolicy(chatbox=False))

    assert (said["headline"], said["incident"]) == ("Checkout is down", 1)
    assert said["since"] == statuspage.iso(story.state.dead_since)
    assert said["surfaces"] == {"chatbox": False, "helpdesk": True, "site": True}
    assert said["detail"] == ""
    message = next(m for m in story.state.outbox.values() if m.notifier == "mail")
    story.happen(events.Delivered(message=message.id))
    assert told(story)["detail"].startswith("Our team was alerted at ")


def test_the_script_is_small():
    """Under 2 kB, and it needs nothing that a strict policy forbids."""
    text = embed.script()

    assert len(gzip.compress(text.encode(), 9)) < 2048
    for forbidden in ("eval", "innerHTML", "document.write", "style=", ".style.", "new Function", "cookie"):
        assert forbidden not in text


HOST = "https://shop.example"
STATUS = "https://status.acme.example"
POLICY_OF_HOST = (
    f"default-src 'none'; img-src data:; script-src {STATUS}; connect-src {STATUS}; style-src 'self'; "
    "require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'"
)


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


class Shop:
    """Somebody's own site with the script on it, in a real browser, under a strict policy."""

    def __init__(self, browser, said, *, surface="site", target="", width=1280, theme="light"):
        self.said = said
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.html = (
            "<!doctype html><html lang=en><title>Shop</title><link rel=icon href=data:,><main><h1>Shop</h1>"
            "<div id=chat><p>Hello</p></div></main>"
            f'<script async src="{STATUS}/embed.js" data-surface="{surface}" data-target="{target}"></script>'
        )
        self.page.route("**/*", self._answer)

    def _answer(self, route):
        url = route.request.url
        open_ = {"Access-Control-Allow-Origin": "*"}
        if url.startswith(HOST):
            headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY_OF_HOST}
            route.fulfill(body=self.html, headers=headers)
        elif url == f"{STATUS}/embed.js":
            route.fulfill(body=embed.script(), headers=open_ | {"Content-Type": "text/javascript"})
        elif url == f"{STATUS}/embed.json":
            if self.said is None:
                route.abort()
            elif isinstance(self.said, str):
                route.fulfill(body=self.said, headers=open_)
            else:
                route.fulfill(json=self.said, headers=open_)
        else:
            route.fulfill(body="See", headers={"Content-Type": "text/plain"})

    def __enter__(self):
        self.asked(lambda: self.page.goto(f"{HOST}/"))
        return self

    def __exit__(self, *_):
        self.context.close()

    def asked(self, what):
        """Do it, and wait until the script has asked and drawn."""

        def over(request):
            return request.url.endswith("embed.json")

        event = "requestfailed" if self.said is None else "requestfinished"
        with self.page.expect_event(event, over):
            what()
        self.page.wait_for_timeout(100)

    def look_again(self):
        """Somebody returns to the window."""
        self.asked(lambda: self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))"))

    @property
    def warning(self):
        return self.page.get_by_role("status")


@pytest.fixture(scope="module")
def outage():
    story = dead()
    story.pass_time(200)
    message = next(m for m in story.state.outbox.values() if m.notifier == "mail")
    story.happen(events.Delivered(message=message.id))
    return told(story)


@pytest.mark.browser
@pytest.mark.parametrize(("surface", "theme"), [("site", "light"), ("helpdesk", "dark"), ("chatbox", "light")])
def test_it_shows(browser, outage, surface, theme):
    """Under a strict policy, accessible, in every place; replies are slow only where there are replies."""
    with Shop(browser, outage, surface=surface, theme=theme) as shop:
        shop.warning.get_by_role("link", name="See status").wait_for()
        text = shop.warning.inner_text()
        assert "Checkout is down" in text
        assert "Our team was alerted at" in text
        assert ("Replies may take longer" in text) is (surface != "site")
        assert shop.warning.get_by_role("link").get_attribute("href") == "https://status.acme.example/en/"
        found = Axe().run(shop.page).response["violations"]
        assert [v["id"] for v in found if "region" not in v["id"] and "landmark" not in v["id"]] == []
        assert shop.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_it_makes_room_and_covers_nothing(browser, outage, width):
    """It stands first in the body: the site moves down by its height, and nothing gets wider than the screen."""
    with Shop(browser, {"show": False, "surfaces": {}}, width=width) as shop:
        before = shop.page.locator("h1").bounding_box()
        shop.said = outage
        shop.look_again()
        shop.warning.get_by_role("button").wait_for()
        box = shop.page.locator("crisp-status-warning").bounding_box()
        assert (box["y"], box["width"]) == (8, width - 16)  # the margin is that of the site's body
        # The margin of the body no longer collapses with that of the heading: 8 more.
        assert shop.page.locator("h1").bounding_box()["y"] == pytest.approx(before["y"] + box["height"] + 8, abs=1)
        assert shop.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
@pytest.mark.parametrize(("surface", "fixed"), [("site", True), ("corner", False)])
def test_a_header_that_is_fixed_is_not_covered(browser, outage, surface, fixed):
    """Such a header could not be pushed: the warning is a card in the corner then, as for those that ask for it."""
    with Shop(browser, outage | {"show": False}, surface=surface) as shop:
        if fixed:
            shop.page.evaluate(
                "h = document.querySelector('h1').style; h.position = 'fixed'; h.margin = 0; h.inset = '0 0 auto'"
            )
        before = shop.page.locator("h1").bounding_box()
        shop.said = outage
        shop.look_again()
        shop.warning.get_by_role("button").wait_for()
        box = shop.page.locator("crisp-status-warning").bounding_box()
        assert shop.page.locator("h1").bounding_box() == before
        assert box["y"] > 500
        assert box["x"] + box["width"] <= 1260


@pytest.mark.browser
def test_in_a_place_of_the_host(browser, outage):
    """Where the site names an element, the warning stands inside it, first."""
    with Shop(browser, outage, surface="chatbox", target="#chat") as shop:
        shop.warning.get_by_role("button").wait_for()
        assert (
            shop.page.evaluate("document.querySelector('#chat').firstElementChild.localName") == "crisp-status-warning"
        )
        box, chat = shop.warning.bounding_box(), shop.page.locator("#chat").bounding_box()
        assert box["y"] >= chat["y"]


@pytest.mark.browser
def test_dismissed_for_that_incident(browser, outage):
    """Hidden with the keyboard it stays hidden for this incident, also after a reload, and comes back with the next."""
    with Shop(browser, outage) as shop:
        close = shop.warning.get_by_role("button", name="Hide this message")
        close.wait_for()
        close.focus()
        shop.page.keyboard.press("Enter")
        assert shop.warning.count() == 0
        shop.asked(shop.page.reload)
        assert shop.warning.count() == 0
        shop.said = outage | {"incident": 2, "headline": "API is down"}
        shop.asked(shop.page.reload)
        shop.warning.get_by_role("button").wait_for()
        assert "API is down" in shop.warning.inner_text()


@pytest.mark.browser
def test_it_goes_with_the_outage(browser, outage):
    """Asked again when somebody returns to the window: it changes with the outage and goes with it."""
    with Shop(browser, outage) as shop:
        shop.warning.get_by_role("button").wait_for()
        shop.said = outage | {"headline": "Checkout and API are down"}
        shop.look_again()
        shop.warning.get_by_text("Checkout and API are down").wait_for()
        shop.said = None
        shop.look_again()
        assert shop.warning.count() == 1, "silence is no recovery"
        shop.said = {"show": False, "surfaces": {}}
        shop.look_again()
        shop.warning.wait_for(state="detached")


@pytest.mark.browser
def test_the_host_never_breaks(browser):
    """When we are down, or talk nonsense, the site goes on without a word in its console from our script."""
    nonsense = [
        "<html>502 Bad Gateway</html>",
        "null",
        "{}",
        json.dumps({"show": True}),
        json.dumps({"show": True, "surfaces": {"site": True}}),
        json.dumps({"show": True, "surfaces": {"site": False}}),
    ]
    with Shop(browser, None) as shop:
        for said in nonsense:
            shop.said = said
            shop.look_again()
            assert shop.warning.count() == 0
        assert shop.page.locator("h1").inner_text() == "Shop"
        assert [c for c in shop.complaints if "Failed to load resource" not in c] == []


@pytest.mark.browser
def test_hostile_words(browser, outage):
    """A headline of markup is text."""
    with Shop(browser, outage | {"headline": "<img src=x onerror=alert(1)>"}) as shop:
        shop.warning.get_by_role("button").wait_for()
        assert "<img src=x onerror=alert(1)>" in shop.warning.inner_text()
        assert shop.complaints == []


@pytest.mark.browser
def test_from_right_to_left(browser, outage):
    """In Arabic the sign stands on the right."""
    words = outage["words"] | {"dir": "rtl", "lang": "ar"}
    with Shop(browser, outage | {"words": words}, surface="chatbox") as shop:
        shop.warning.get_by_role("button").wait_for()
        close, link = shop.warning.get_by_role("button").bounding_box(), shop.warning.get_by_role("link").bounding_box()
        assert close["x"] < link["x"]
