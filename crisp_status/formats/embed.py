"""The warning on the operator's other sites: `/embed.js`, a script of their page, and `/embed.json`, which it asks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crisp_status.formats.embed_policy import EmbedPolicy
from crisp_status.formats.statuspage import iso, link
from crisp_status.language import headline
from crisp_status.view.assets import own_folder

if TYPE_CHECKING:
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import PageView


def answer(view: PageView, policy: EmbedPolicy, t: Locale) -> dict[str, Any]:
    """What `/embed.json` says: whether to warn, where, and in which words."""
    show = shown(view, policy)
    incident = max((i.id for i in view.open), default=None) if show else None
    first = min((i.id for i in view.open if any(h.dead_at and not h.until for h in i.nodes)), default=incident)
    base = link(view, f"{t.code}/" if len(view.info.languages) > 1 else "")
    said: dict[str, Any] = {
        "show": show,
        "surfaces": {"chatbox": policy.chatbox, "helpdesk": policy.helpdesk, "site": policy.site},
        "headline": headline.headline(view, t) if show else "",
        "since": iso(view.dead_since) if show else None,
        "incident": first if show else None,
        "url": base,
    }
    if show:
        said["detail"] = _detail(view, t)
        said["words"] = {
            "title": t.gettext("Service status"),
            "link": t.gettext("See status"),
            "close": t.gettext("Hide this message"),
            "slow": t.gettext("Replies may take longer than usual."),
            "lang": t.code,
            "dir": t.direction,
        }
    return said


def shown(view: PageView, policy: EmbedPolicy) -> bool:
    """Whether the page has been dead for long enough, in a row."""
    return view.dead_since > 0 and view.at - view.dead_since > policy.after


def turns_at(view: PageView, policy: EmbedPolicy) -> float:
    """When the answer changes by time alone; 0: it does not."""
    return view.dead_since + policy.after if view.dead_since and not shown(view, policy) else 0.0


def _detail(view: PageView, t: Locale) -> str:
    at = view.alerted_at
    if not at:
        return ""
    return t.gettext("Our team was alerted at %(time)s.") % {"time": t.moment(at, view.days[-1]).striptags()}


@lru_cache(1)
def script() -> str:
    """`/embed.js`, without comments and indentation: it has to fit 2 kB compressed."""
    text = re.sub(r"/\*.*?\*/", "", (own_folder() / "embed.js").read_text("utf-8"), flags=re.DOTALL)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()).replace('" +\n"', "") + "\n"
