"""The table in the letter of a notice, and its columns where letters have the width of a terminal's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import combining, east_asian_width

from crisp_status.core.model import Health

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.core.model import Message
    from crisp_status.language.locale import Locale
    from crisp_status.messages.node_facts import NodeFacts


def rows(
    message: Message, nodes: tuple[NodeFacts, ...], single: NodeFacts | None, working: int, total: int, tongue: Locale
) -> list[tuple[str, str]]:
    """Label and value of each line: one node in detail, several in a line each."""
    if message.work:
        return []
    _ = tongue.gettext
    found: list[tuple[str, str]] = []
    if single:
        found += [(_("Service"), single.service), (_("Node"), single.name)]
    for node in nodes:
        if not single:
            found.append((f"{node.service} / {node.name}", _summary(node, tongue)))
        for replica in node.replicas:
            told = tongue.labelled(replica.label, replica.reason) if replica.reason else replica.label
            found.append((_("Replica %(number)s") % {"number": replica.number}, told))
        if node.more:
            more = tongue.ngettext("%(n)s more replica", "%(n)s more replicas", node.more) % {"n": node.more}
            found.append(("", more))
    if message.more:
        found.append(("", tongue.ngettext("%(n)s more node", "%(n)s more nodes", message.more) % {"n": message.more}))
    if single and single.tries:
        tries = tongue.ngettext("%(n)s try each", "%(n)s tries each", single.tries) % {"n": single.tries}
        found.append((_("Checked"), tries))
    if message.health.bad and total > 1:
        found.append((_("Still working"), _("%(working)s of %(total)s nodes") % {"working": working, "total": total}))
    return found


def _summary(node: NodeFacts, tongue: Locale) -> str:
    state = health_word(node, tongue)
    if not node.health.bad:
        return state
    words = tongue.gettext("%(state)s since %(time)s") % {"state": state, "time": node.since}
    return tongue.labelled(words, node.reason) if node.reason else words


def health_word(node: NodeFacts, tongue: Locale) -> str:
    """Its health in a word; one that is gone has none that matters."""
    if not node.health.bad:
        return tongue.gettext("Healthy")
    return tongue.gettext("Dead") if node.health is Health.DEAD else tongue.gettext("Sick")


def columns(table: Iterable[tuple[str, str]]) -> list[str]:
    """Each line with its value below the others', also where letters are two columns wide, as Chinese ones."""
    table = list(table)
    edge = max((_width(label) for label, _ in table), default=0) + 2
    return [label + " " * (edge - _width(label)) + value for label, value in table]


def _width(text: str) -> int:
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
