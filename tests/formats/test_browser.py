"""The pages in a real browser: accessible, within the screen, from one origin, under their policy, without script too."""

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

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
    made["evil"] = {"/": html.home(view), "/history": html.history(view), "/incidents/1": html.incident(view, 1)}
    return made


def paths(name):
    """What is looked at of a state."""
    more = {"dead": ["/history", "/incidents/9", "/incidents/6", "/nothing"], "evil": ["/history", "/incidents/1"]}
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
    ("dead", "/incidents/9", WIDE, "dark"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "width", "theme"), ALL_LOOKS if PROOF else SOME_LOOKS)
def test_every_state_is_accessible(browser, info, sites, name, path, width, theme):
    """axe-core finds nothing: WCAG 2.2 AA and best practice, rows open; in the proof with rows closed too."""
    with Visit(browser, sites[name], info, width=width, theme=theme) as visit:
        page = visit.open(path)
        found = violations(page) if PROOF else []
        page.evaluate(OPEN_ALL)
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
    """At most five requests, and no layout shift while they come."""
    watch = """window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach(e => moved += e.value))
        .observe({type: "layout-shift", buffered: true})"""
    for width in (WIDE, PHONE):
        with Visit(browser, sites["dead"], info, width=width, reduced_motion="no-preference") as visit:
            visit.page.add_init_script(watch)
            page = visit.open()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("moved") == 0
            assert len(visit.asked) <= 5, visit.asked


def test_everything_works_without_script(browser, info, sites):
    """Rows open, links lead to their row, problems only hides what is well, updates open: all of it plain HTML."""
    with Visit(browser, sites["large"], info, java_script_enabled=False) as visit:
        page = visit.open()
        page.locator("summary").first.click()
        assert page.locator("details[open] table").count() == 1
        assert page.locator("li.css-home-services-group-node:visible").count() == 100
        page.get_by_label("Show problems only").check()
        assert page.locator("li.css-home-services-group-node:visible").count() == 4
        page.get_by_role("button", name="Updates").click()
        assert page.get_by_role("link", name="News feed (Atom)").is_visible()


def test_the_keyboard_reaches_everything(browser, info, sites):
    """Skip link first; then header, chips, rows; Enter opens a row; what has the focus can be seen."""
    with Visit(browser, sites["dead"], info) as visit:
        page = visit.open()
        reached = []
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)"))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid" or "skip" in page.evaluate("document.activeElement.className"), reached
        assert reached[0] == "Skip to the "
        assert ["History", "Updates", "Get support"] == reached[2:5]
        page.locator("#n-pay\\/checkout summary").focus()
        page.keyboard.press("Enter")
        assert page.locator("#n-pay\\/checkout").get_attribute("open") is not None


def test_small_targets_are_large_enough(browser, info, sites):
    """Rows are at least 56 pixels high on every screen (WCAG 2.5.8 asks for 24)."""
    for width in (WIDE, PHONE):
        with Visit(browser, sites["healthy"], info, width=width) as visit:
            heights = visit.open().eval_on_selector_all("summary", "all => all.map(e => e.offsetHeight)")
            assert min(heights) >= 56


def test_an_open_page_keeps_itself_fresh(browser, info, sites):
    """Each minute the script asks; when something changed it swaps the content, keeps rows open, and says so once."""
    pages = dict(sites["healthy"])
    with Visit(browser, pages, info) as visit:
        visit.page.clock.install()
        page = visit.open()
        page.locator("#n-web\\/dash summary").click()
        assert "ok." in page.locator("link[rel=icon]").last.get_attribute("href")
        pages["/"] = sites["dead"]["/"]
        page.clock.run_for(61_000)
        page.get_by_role("heading", level=1, name="are down").wait_for()

        assert page.title().startswith("✕ Checkout and Invoicing are down")
        assert "dead." in page.locator("link[rel=icon]").last.get_attribute("href")
        assert page.locator("#n-web\\/dash").get_attribute("open") is not None
        assert page.locator("[role=status]").text_content() == "Checkout and Invoicing are down"
        assert page.evaluate("document.activeElement.closest('details')?.id") == "n-web/dash"
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
                bars = page.eval_on_selector_all(".past path.dead", "all => all.map(e => e.getBoundingClientRect().x)")
                assert bars == sorted(bars, reverse=True)


def test_forced_colours_and_print_keep_the_facts(browser, info, sites):
    """In forced colours boxes keep their fill; on paper the header is gone and the words for health are back."""
    with Visit(browser, sites["dead"], info, forced_colors="active") as visit:
        page = visit.open()
        fills = page.eval_on_selector_all(
            "span.css-home-services-group-node-replica", "all => all.map(e => getComputedStyle(e).backgroundColor)"
        )
        assert len(set(fills)) == 3
        assert page.locator(".hero").evaluate("e => getComputedStyle(e).borderStyle") == "solid"
    with Visit(browser, sites["dead"], info, width=PHONE) as visit:
        page = visit.open()
        page.emulate_media(media="print")
        assert not page.locator(".top").is_visible()
        width = page.locator("#n-pay\\/checkout .st").evaluate("e => e.getBoundingClientRect().width")
        assert width > 20
        assert re.search("Dead", page.locator("#n-pay\\/checkout .st").inner_text())
