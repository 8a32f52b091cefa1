"""Which place sees what, in words: `dead from Frankfurt and here, healthy from New York`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from crisp_status.core.model import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crisp_status.core.vote import Sight
    from crisp_status.language.locale import Locale


def place(name: str, t: Locale) -> Markup:
    """What a place is called; this daemon, where nobody gave it a name, is `here`."""
    return Markup("<bdi>{}</bdi>").format(name) if name else escape(t.pgettext("place", "here"))


def line(sights: Iterable[Sight], t: Locale) -> Markup:
    """The worst first; "" without sights. As safe HTML."""
    by_health: dict[Health, list[Markup]] = {}
    for sight in sights:
        by_health.setdefault(sight.health, []).append(place(sight.place, t))
    words = {
        Health.DEAD: t.gettext("dead from %(places)s"),
        Health.SICK: t.gettext("sick from %(places)s"),
        Health.HEALTHY: t.gettext("healthy from %(places)s"),
    }
    said = [Markup(escape(words[h])) % {"places": t.listing(by_health[h])} for h in words if h in by_health]
    return escape(t.pgettext("between items of a list", ", ")).join(said)


def plain(sights: Iterable[Sight], t: Locale) -> str:
    """The same as text."""
    return str(line(sights, t).striptags())


def names(sights: Sequence[Sight], t: Locale) -> str:
    """The places alone, as text: `Frankfurt and New York`."""
    return str(t.listing(place(sight.place, t) for sight in sights).striptags())
