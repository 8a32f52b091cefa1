"""The pages in a real browser: accessible, within the screen, from one origin, under their policy, without script too."""

import os

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from crisp_status.formats import inner
from crisp_status.formats.html import Html
from crisp_status.view.assets import asset
from crisp_status.view.build import build
from tests.formats import samples
from tests.formats.shots import ORIGIN, documents, serve
from tests.formats.test_html import evil_state

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

STATES = samples.ALL | {"evil": evil_state}
WIDE, PHONE = 1440, 360


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


class Visit:
    """One open page, with everything that it asked for and complained about."""

    def __init__(self, browser, pages, info, *, width=WIDE, theme="light", **more):
        more.setdefault("reduced_motion", "reduce")
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, **more)
        self.page = self.context.new_page()
        self.asked, self.complaints = [], []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        serve(self.page, info, pages, self.asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def open(self, path="/"):
        self.page.goto(ORIGIN + path)
        return self.page


@pytest.fixture(scope="module")
def info():
    return samples.acme()


@pytest.fixture(scope="module")
def sites(info):
    made = {name: documents(name, info) for name in samples.ALL}
    view = build(evil_state(), info, samples.NOW)
    html = Html(info)
    made["evil"] = {
        "/day/2025-11-22": inner.day(html, view, "2025-11-22"),
        "/nodes/web/landing": inner.node(html, view, "web/landing"),
    }
    made["evil"] |= {
        "/": html.home(view),
        "/history": inner.history(html, view),
        "/incidents/1": inner.incident(html, view, 1),
    }
    return made


def paths(name):
    """What is looked at of a state."""
    more = {
        "dead": [
            "/history", "/history/2025-10", "/day/2025-11-08", "/day/2025-11-22", "/incidents/9", "/incidents/6",
            "/nodes/pay/checkout", "/updates", "/nothing",
        ],
        "evil": ["/history", "/incidents/1", "/day/2025-11-22", "/nodes/web/landing"],
    }  # fmt: skip
    return ["/", *more.get(name, [])]


def violations(page):
    """What axe-core complains about, in short."""
    found = Axe().run(page).response["violations"]
    return [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found]


OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT_OFF = """[...document.querySelectorAll('.hero a, .hero h1')].filter(e =>
    e.getBoundingClientRect().right > e.closest('.hero').getBoundingClientRect().right).length"""


PROOF = os.environ.get("CRISP_STATUS_PROOF") == "1"
"""Everything is looked at in every state, width and theme: minutes. Without it a cross-section is: seconds."""

ALL_LOOKS = [(n, p, w, t) for n in STATES for p in paths(n) for w in (WIDE, PHONE) for t in ("light", "dark")]
SOME_LOOKS = [
    ("dead", "/", WIDE, "light"), ("sick", "/", PHONE, "dark"), ("maintenance", "/", WIDE, "dark"),
    ("pending", "/", PHONE, "light"), ("evil", "/", PHONE, "dark"), ("dead", "/history", PHONE, "light"),
    ("dead", "/incidents/9", WIDE, "dark"), ("dead", "/day/2025-11-08", PHONE, "light"),
    ("dead", "/nodes/pay/checkout", WIDE, "light"), ("dead", "/updates", PHONE, "dark"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "width", "theme"), ALL_LOOKS if PROOF else SOME_LOOKS)
def test_every_state_is_accessible(browser, info, sites, name, path, width, theme):
    """axe-core finds nothing: WCAG 2.2 AA and best practice, rows open; in the proof with rows closed too."""
    with Visit(browser, sites[name], info, width=width, theme=theme) as visit:
        page = visit.open(path)
        found = violations(page) if PROOF else []
        page.evaluate(OPEN_ALL)
        if PROOF and path == "/":
            page.evaluate("document.getElementById('updates').showPopover()")
        assert found + violations(page) == []


@pytest.mark.parametrize("name", STATES)
def test_every_state_fits(browser, info, sites, name):
    """Nothing scrolls sideways or is cut off at 1440, 768, 360 and 320 pixels; one origin; no complaint of the policy."""
    with Visit(browser, sites[name], info) as visit:
        for path in paths(name):
            page = visit.open(path)
            page.evaluate(OPEN_ALL)
            for width in (WIDE, 768, PHONE, 320):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate(SIDEWAYS) <= 0, (path, width)
                assert page.evaluate(CUT_OFF) == 0, (path, width)
        assert [url for url in visit.asked if not url.startswith(ORIGIN)] == []
        assert [c for c in visit.complaints if "404" not in c] == []


def test_a_visit_asks_for_little_and_nothing_moves(browser, info, sites):
    """At most six requests; times that lose their zone move next to nothing (0.1 is what counts as good)."""
    watch = """window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach(e => moved += e.value))
        .observe({type: "layout-shift", buffered: true})"""
    for width in (WIDE, PHONE):
        with Visit(browser, sites["dead"], info, width=width, reduced_motion="no-preference") as visit:
            visit.page.add_init_script(watch)
            page = visit.open()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("moved") < 0.03
            assert len(visit.asked) <= 6, visit.asked


def test_everything_works_without_script(browser, info, sites):
    """Rows open, links lead to their row, problems only hides what is well, updates open: all of it plain HTML."""
    with Visit(browser, sites["large"], info, java_script_enabled=False) as visit:
        page = visit.open()
        assert page.locator("li.css-home-services-group-node:visible").count() == 10  # of the service that is dead
        page.locator("#svc-v0 > details > summary .nm").click()
        assert page.locator("li.css-home-services-group-node:visible").count() == 20
        page.get_by_label("Problems only").check()
        assert page.locator("li.css-home-services-group-node:visible").count() == 1
        assert not page.get_by_role("searchbox").is_visible()  # finding needs script
        page.get_by_role("button", name="Updates").click()
        assert page.get_by_role("link", name="Open the feed").is_visible()
        assert page.get_by_text("All times are in UTC").is_visible()


def test_a_bad_day_has_a_card_without_script(browser, info, sites):
    """A pointer over its bar shows what happened; the bar is a link to the day."""
    with Visit(browser, sites["dead"], info, java_script_enabled=False) as visit:
        page = visit.open()
        bar = page.locator(".past a.dead").first
        assert not bar.get_by_text("Checkout was down for 12 min").is_visible() or bar.bounding_box()["width"] < 40
        bar.hover()
        card = bar.locator(".card")
        assert card.bounding_box()["width"] > 200
        assert "Checkout was down for 12 min" in card.inner_text()
        assert bar.get_attribute("href") == "/day/2025-11-08"


def test_the_strip_is_one_tab_stop_and_arrows_walk_it(browser, info, sites):
    """With script every day has a card; the arrows go from day to day, Escape leaves."""
    with Visit(browser, sites["dead"], info) as visit:
        page = visit.open()
        assert page.locator(".past .days a[tabindex='0']").count() == 1
        page.locator(".past .days a[tabindex='0']").focus()
        assert "Today, Saturday 22 November" in page.evaluate("document.activeElement.textContent")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.textContent") == "21 Nov"
        for _ in range(13):
            page.keyboard.press("ArrowLeft")
        assert "Checkout was down for 12 min" in page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement === document.body")
        assert visit.complaints == []


def test_times_are_in_the_visitors_zone_and_the_choice_is_kept(browser, info, sites):
    """Script writes them in the zone of the device, the page's own in the tooltip; theme and zone stay chosen."""
    with Visit(browser, sites["dead"], info, timezone_id="America/New_York") as visit:
        page = visit.open()
        time = page.locator(".say time").first
        assert (time.inner_text(), time.get_attribute("title")) == ("09:02", "14:02 UTC")
        assert page.locator("#zone option").first.inner_text() == "America/New_York"
        page.get_by_label("Times in").select_option("page")
        assert time.inner_text() == "14:02 UTC"
        page.get_by_label("Theme").select_option("dark")
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert background == "rgb(12, 14, 20)"
        page.reload()
        assert page.locator(".say time").first.inner_text() == "14:02 UTC"
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == background


def test_typing_finds_nodes_and_chips_open_rows(browser, info, sites):
    """The field filters as somebody types; a link under the headline opens the row that it leads to."""
    with Visit(browser, sites["large"], info) as visit:
        page = visit.open()
        page.get_by_role("searchbox").fill("object storage")
        assert page.locator(".svc:visible").count() == 1
    with Visit(browser, sites["dead"], info) as visit:
        page = visit.open()
        page.locator(".chips a", has_text="Checkout").click()
        assert page.locator("#n-pay\\/checkout > details").get_attribute("open") is not None


def test_a_thousand_nodes_are_short_on_a_phone(browser, info):
    """Under 8,000 pixels at 390, as most of them are folded."""
    view = build(samples.thousand(), info, samples.NOW)
    with Visit(browser, {"/": Html(info).home(view)}, info, width=390) as visit:
        page = visit.open()
        assert page.evaluate("document.documentElement.scrollHeight") < 8000
        assert page.evaluate(SIDEWAYS) <= 0


def test_the_keyboard_reaches_everything(browser, info, sites):
    """Skip link first; then header, chips, rows; Enter opens a row; what has the focus can be seen."""
    with Visit(browser, sites["dead"], info) as visit:
        page = visit.open()
        reached = []
        for _ in range(16):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)"))
            outline, shadow = page.evaluate(
                "(s => [s.outlineStyle, s.boxShadow])(getComputedStyle(document.activeElement))"
            )
            seen = outline == "solid" or shadow != "none"
            assert seen or "skip" in page.evaluate("document.activeElement.className"), reached
        assert reached[0] == "Skip to the "
        assert ["History", "Updates", "Get support"] == reached[2:5]
        page.locator("#n-pay\\/checkout > details > summary").focus()
        page.keyboard.press("Enter")
        assert page.locator("#n-pay\\/checkout > details").get_attribute("open") is not None


def test_small_targets_are_large_enough(browser, info, sites):
    """Rows are at least 56 pixels high on every screen (WCAG 2.5.8 asks for 24)."""
    for width in (WIDE, PHONE):
        with Visit(browser, sites["healthy"], info, width=width) as visit:
            heights = visit.open().eval_on_selector_all(".bars summary", "all => all.map(e => e.offsetHeight)")
            heights = [height for height in heights if height]  # those that are folded away have none
            assert min(heights) >= 56


def test_an_open_page_keeps_itself_fresh(browser, info, sites):
    """Each minute the script asks; when something changed it swaps the content, keeps rows open, and says so once."""
    pages = dict(sites["healthy"])
    with Visit(browser, pages, info) as visit:
        visit.page.clock.install()
        page = visit.open()
        page.locator("#n-web\\/dash > details > summary .nm").click()
        assert "ok." in page.locator("link[rel=icon]").last.get_attribute("href")
        pages["/"] = sites["dead"]["/"]
        page.clock.run_for(61_000)
        page.get_by_role("heading", level=1, name="are down").wait_for()

        assert page.title().startswith("✕ Checkout and Invoicing are down")
        assert "dead." in page.locator("link[rel=icon]").last.get_attribute("href")
        assert page.locator("#n-web\\/dash > details").get_attribute("open") is not None
        assert page.locator("[role=status]").text_content() == "Checkout and Invoicing are down"
        assert page.evaluate("document.activeElement.closest('[id]')?.id") == "n-web/dash"
        page.clock.run_for(61_000)
        assert [c for c in visit.complaints if "404" not in c] == []


def test_a_page_that_can_not_be_reached_stays(browser, info, sites):
    """When we are gone, an open page keeps what it shows; its times tell how old that is."""
    pages = dict(sites["dead"])
    with Visit(browser, pages, info) as visit:
        visit.page.clock.install()
        page = visit.open()
        del pages["/"]
        page.clock.run_for(180_000)

        assert page.locator("h1").text_content() == "Checkout and Invoicing are down"


@pytest.mark.parametrize("color", ["#ffd400", "#c4122a", "#111111", "#f5f5f5"] if PROOF else ["#ffd400"])
def test_any_brand_is_accessible(browser, color):
    """Yellow, red, black and white brands; with pattern, with an image, with an own style sheet."""
    waves = asset("header", samples.WAVES.format("#888").encode())
    own = asset("own", b".hero{border-radius:0}", "text/css; charset=utf-8")
    for info in (samples.acme(color), samples.acme(color, pattern=None, image=waves, stylesheet=own, header_logo=None)):
        pages = documents("sick", info)
        for theme in ("light", "dark") if PROOF else ("dark" if info.stylesheet else "light",):
            with Visit(browser, pages, info, theme=theme) as visit:
                page = visit.open()
                assert violations(page) == []
                assert visit.complaints == []
                radius = page.eval_on_selector(".hero", "e => getComputedStyle(e).borderRadius")
                assert (radius == "0px") == (info.stylesheet is not None)


def test_arabic_reads_from_right_to_left(browser):
    """Mirrored without a sideways scroll: the day of today stands on the left."""
    info = samples.acme(language="ar", languages=("ar",))
    for width in (WIDE, PHONE):
        with Visit(browser, documents("dead", info), info, width=width) as visit:
            page = visit.open()
            assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
            assert page.evaluate(SIDEWAYS) <= 0
            assert not PROOF or violations(page) == []
            if width == WIDE:
                bars = page.eval_on_selector_all(
                    ".past .days a.dead", "all => all.map(e => e.getBoundingClientRect().x)"
                )
                assert bars == sorted(bars, reverse=True)


def test_forced_colours_and_print_keep_the_facts(browser, info, sites):
    """In forced colours boxes keep their fill; on paper the logo stays, controls are gone, and bars keep their colour."""
    with Visit(browser, sites["dead"], info, forced_colors="active") as visit:
        page = visit.open()
        fills = page.eval_on_selector_all(
            "span.css-home-services-group-node-replica", "all => all.map(e => getComputedStyle(e).backgroundColor)"
        )
        assert len(set(fills)) == 3
        assert page.locator(".hero").evaluate("e => getComputedStyle(e).borderTopStyle") == "solid"
    with Visit(browser, sites["dead"], info, width=PHONE) as visit:
        page = visit.open()
        page.emulate_media(media="print")
        assert not page.locator(".top nav").is_visible()
        assert page.locator(".top .logo").is_visible()
        assert not page.get_by_text("Check again").is_visible()
        bar = page.locator(".past .days a.dead").first
        assert "rgb(172, 1, 26)" in bar.evaluate("e => getComputedStyle(e).backgroundImage")
        assert bar.evaluate("e => getComputedStyle(e).printColorAdjust") == "exact"
