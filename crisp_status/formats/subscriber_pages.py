"""Pages on which visitors subscribe, and each step after that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crisp_status.formats.html import Html
    from crisp_status.view.page_view import PageView


def subscribe(html: Html, view: PageView, language: str = "") -> str:
    """All ways to be told."""
    t = html.locale(language)
    title = t.gettext("Get updates")
    return html.render(
        "subscribe.html",
        view,
        t,
        title=f"{title} · {html.info.name}",
        headline=title,
        current="subscribe",
        slim=True,
        **html.found(view, t, title, "", "subscribe"),
    )


def step(html: Html, view: PageView, language: str, name: str, headline: str, *said: str, **more: Any) -> str:
    """One step of a subscription, in the language of whoever subscribes."""
    t = html.locale(language)
    context = {"eye": "", "chosen": [], **more}
    return html.render(
        "subscription.html",
        view,
        t,
        title=f"{headline} · {html.info.name}",
        step=name,
        headline=headline,
        sentences=said,
        current="subscribe",
        slim=True,
        **context,
    )


def sent(html: Html, view: PageView, language: str = "") -> str:
    """A message with a link is on its way, or is not: it says the same to everybody."""
    t = html.locale(language)
    words = t.gettext(
        "If it can be reached, a message with a link is on its way. It is valid for a day. Nothing is sent before you confirm."
    )
    return step(html, view, language, "sent", t.gettext("Look for our message"), words)
