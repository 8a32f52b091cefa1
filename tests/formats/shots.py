"""Pictures of every state: `python -m tests.formats.shots FOLDER [STATE …]` (1440 and 360 pixels, light and dark)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, Route, sync_playwright

from crisp_status.formats import inner
from crisp_status.formats.html import Html
from crisp_status.view.build import build
from crisp_status.view.page_info import PageInfo
from tests.formats import samples

CHROMIUM = "/usr/bin/chromium"
ORIGIN = "https://status.acme.example"


FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><include>/etc/fonts/fonts.conf</include>
<match target="pattern"><test name="family" compare="not_eq"><string>monospace</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match></fontconfig>"""
"""A server has no system font; Inter, where it is installed, is near those that visitors have."""


def documents(name: str, info: PageInfo) -> dict[str, str]:
    """Every page of one state, by path."""
    html = Html(info)
    view = build(samples.ALL[name](), info, samples.NOW)
    pages = {"/": html.home(view), "/nothing": html.error(404)}
    pages |= {"/history": inner.history(html, view), "/updates": inner.updates(html, view)}
    for month in view.months:
        pages[f"/history/{month}"] = inner.month(html, view, month) or ""
    for incident in view.incidents:
        pages[f"/incidents/{incident.id}"] = inner.incident(html, view, incident.id) or ""
    for day in view.days:
        if made := inner.day(html, view, day):
            pages[f"/day/{day}"] = made
    for key in list(view.nodes)[:40]:
        pages[f"/nodes/{key}"] = inner.node(html, view, key) or ""
    return pages


def serve(page: Page, info: PageInfo, pages: dict[str, str], asked: list[str] | None = None) -> None:
    """Answer everything the browser asks from values; note what it asked."""

    def answer(route: Route) -> None:
        url = route.request.url
        if asked is not None:
            asked.append(url)
        path = url.removeprefix(ORIGIN).partition("#")[0].partition("?")[0]
        file = info.assets.get(path.removeprefix("/assets/"))
        if path in pages:
            headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": info.csp}
            route.fulfill(body=pages[path], headers=headers)
        elif file is not None:
            route.fulfill(body=file.body, content_type=file.content_type)
        else:
            route.fulfill(status=404, body="")

    page.route("**/*", answer)


def main(folder: str, *names: str) -> None:
    """Take them all."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    info = samples.acme()
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as fonts:
        fonts.write(FONTS)
    os.environ["FONTCONFIG_FILE"] = fonts.name
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            for width in (1440, 360):
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
                )
                page = context.new_page()
                for name in names or samples.ALL:
                    pages = documents(name, info)
                    page.unroute_all()
                    serve(page, info, pages)
                    wanted = ["/"]
                    if name == "dead":
                        wanted += ["/history", "/incidents/9", "/incidents/6", "/history/2025-10", "/nothing"]
                    for path in wanted:
                        page.goto(ORIGIN + path)
                        stem = name + path.replace("/", "-").rstrip("-")
                        page.screenshot(path=str(out / f"{stem}-{width}-{theme}.png"), full_page=True)
                        if name == "dead" and path in ("/", "/history"):
                            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                            page.screenshot(path=str(out / f"{stem}-open-{width}-{theme}.png"), full_page=True)
                context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "shots", *sys.argv[2:])
