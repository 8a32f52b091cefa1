"""What a notice has to say, as values that its templates only put into sentences. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from crisp_status.core.model import Health, MessageKind, ReasonCode
from crisp_status.core.outbox_records import MESSAGES
from crisp_status.core.verdict import LOAD, PACE
from crisp_status.language import sights
from crisp_status.language.reasons import sentence
from crisp_status.log import printable
from crisp_status.messages.certificate_facts import CertificateFacts, of
from crisp_status.messages.moments import Times, listing, short_names
from crisp_status.messages.node_facts import NodeFacts, ReplicaFacts
from crisp_status.messages.table import rows
from crisp_status.messages.undelivered_facts import UndeliveredFacts, undelivered_of
from crisp_status.view.sanitize import MAX_LINE, clean

if TYPE_CHECKING:
    from pathlib import Path

    from crisp_status.core.model import Incident, Message, NoticeNode, Reason, Replica, State
    from crisp_status.core.policy import NodePlan
    from crisp_status.language.locale import Locale

LATE_AFTER: Final = 60.0
"""A message that is sent later than this after it was due says so. Grouping and one quick retry are not late."""

NUMBERS_MAX: Final = 5
"""Replica numbers that a title names before it only counts them."""

SENTENCES_MAX: Final = 3
"""Nodes that get a sentence each; the rest is in the list of what is affected."""


class Info(Protocol):
    """What is needed of `page.info.PageInfo`."""

    @property
    def name(self) -> str:
        """Title of the page."""

    @property
    def url(self) -> str:
        """Public address of the page, with a slash at its end."""

    @property
    def company(self) -> str:
        """Whose page it is; may be empty."""

    @property
    def timezone(self) -> str:
        """Zone of all times."""

    @property
    def templates(self) -> Path | None:
        """Folder of the operator's own templates."""


@dataclass(frozen=True)
class Facts:
    """All of it. Times and durations are in words."""

    page: str
    company: str
    notifier: str
    direction: str
    language: str
    health: Health
    look: str
    """`dead`, `sick`, `ok` or `pend`."""
    nodes: tuple[NodeFacts, ...]
    told: tuple[NodeFacts, ...]
    """Those that get a sentence each."""
    affected: int
    """Nodes that the message is about."""
    count: int
    """Of these, those that its title is about: the worst."""
    total: int
    """Nodes of the page."""
    working: int
    """Nodes of the page that are healthy now …"""
    observed: int
    """… of those that were ever observed …"""
    unseen: int
    """… and those that were not: nothing was seen or reported of them yet."""
    names: str
    """`Checkout`, `Checkout and Invoicing`; "" when there are too many to name."""
    single: NodeFacts | None
    """The node, when its title is about exactly one."""
    alone: bool
    """Whether it is about nothing else."""
    partly: bool
    """Whether each of those in the title has replicas that are well."""
    worse: bool
    """Whether the receiver was told before that these are bad …"""
    dead_before: bool
    """… and even dead, so that it is news that they are wholly."""
    too: bool
    """Whether others are as bad, of which this message does not tell."""
    was_dead: bool
    """Of what is over, whether any of it was dead, or may have been."""
    gone: bool
    """Whether it is over because nothing of it is watched any more."""
    everything: bool
    verb: int
    """Number of the verb: `everything` is one thing."""
    ailment: str
    """What all sick nodes suffer from: `slow`, `overloaded`, or `sick` in general."""
    still_bad: str
    """Names of nodes of the incident that are not well yet; "" when there are none, or too many."""
    still_bad_count: int
    since: str
    until: str
    lasted: str
    flap_changes: int
    flap_window: str
    next_reminder: str
    """"" when none will come."""
    tells_recovery: bool
    acknowledged_by: str
    acknowledged: bool
    late: str
    """How late, in words; "" when it is in time."""
    certificate: CertificateFacts | None
    """When it is about one."""
    places: str
    """`Frankfurt and New York`, of a notice about places."""
    undelivered: UndeliveredFacts
    """Of a notice about another notifier."""
    work: str
    """Title of the announced work that it is about."""
    over_since: str
    """When it ended, of a late message whose incident is over by now."""
    opened_at: float = 0.0
    late_seconds: float = 0.0
    rows: list[tuple[str, str]] = field(default_factory=list)
    """Label and value of each line of the letter's table."""


def facts(message: Message, state: State, info: Info, now: float, tongue: Locale) -> Facts:
    """Work out what `message` says at `now`."""
    kind = MESSAGES[message.kind]
    planned = {node.key: (service.name, node) for service in state.plan.services for node in service.nodes}
    incident = state.incident(message.incident) if message.incident else None
    times = Times(tongue, now)
    nodes = tuple(_node(n, message, state, planned, incident, times) for n in message.nodes if n.node)
    affected = len(nodes) + message.more
    titled = tuple(n for n in nodes if n.health is message.health or not kind.alerts)
    unlisted = message.more if len(titled) == len(nodes) else 0  # the worst are listed first
    count = len(titled) + unlisted
    names = short_names([n.name for n in titled], unlisted, tongue)
    still = [key for key, affected in incident.nodes.items() if affected.bad] if incident else []
    late = now - message.created_at if now - message.created_at > LATE_AFTER else 0.0
    over = late and incident and incident.closed_at and not kind.ends
    acknowledged = bool(incident and incident.acknowledged_at)
    reminds = kind.reminded and _of_death(message) and message.next_reminder_at > now and not (acknowledged or over)
    healths = Counter(node.health for node in state.nodes.values())
    working, unseen = healths[Health.HEALTHY], healths[Health.PENDING]
    single, whole = titled[0] if count == 1 and titled else None, bool(titled) and not unlisted
    return Facts(
        page=clean(info.name),
        company=clean(info.company or info.name),
        notifier=message.notifier,
        direction=tongue.direction,
        language=tongue.code,
        health=message.health,
        look=("pend", "ok", "sick", "dead")[message.health],
        nodes=nodes,
        told=nodes if affected <= SENTENCES_MAX else (),
        affected=affected,
        count=count,
        total=len(state.nodes),
        working=working,
        observed=len(state.nodes) - unseen,
        unseen=unseen,
        names=names,
        single=single,
        alone=single is not None and affected == 1,
        partly=whole and all(n.health is Health.DEAD and 0 < n.bad < n.total for n in titled),
        worse=whole and all(n.before.bad for n in titled),
        dead_before=whole and all(n.before is Health.DEAD for n in titled),
        too=_others(message, state, incident) > 0,
        was_dead=any(n.was_dead for n in nodes)
        or not (incident and all(n.node in incident.nodes for n in message.nodes)),
        gone=bool(nodes) and not any(n.health or n.node in planned for n in message.nodes if n.node),
        everything=count > 1 and count == len(state.nodes),
        verb=1 if count == len(state.nodes) else count,
        ailment=_ailment({n.code for n in titled}),
        still_bad=short_names([_name(key, planned) for key in still], 0, tongue),
        still_bad_count=len(still),
        since=times.moment(message.since),
        until=times.moment(message.until, message.since),
        lasted=times.span(message.since, message.until or now),
        flap_changes=state.plan.notify.flap_changes,
        flap_window=tongue.duration(state.plan.notify.flap_window),
        next_reminder=times.moment(message.next_reminder_at) if reminds else "",
        tells_recovery=_tells_recovery(message, state),
        acknowledged=acknowledged,
        acknowledged_by=clean(incident.acknowledged_by) if incident else "",
        late=tongue.duration(late) if late else "",
        certificate=of(message, times.moment(message.until), tongue.duration(max(0.0, message.until - now)), now),
        places=_places(message, tongue),
        undelivered=undelivered_of(message, state),
        work=_work(message),
        over_since=times.moment(incident.closed_at) if over and incident else "",
        opened_at=incident.opened_at if incident else message.created_at,
        late_seconds=late,
        rows=rows(message, nodes, single if affected == 1 else None, working, len(state.nodes) - unseen, tongue),
    )


def _places(message: Message, tongue: Locale) -> str:
    """The places that a notice about places is about."""
    return sights.names([sight for words in message.nodes if not words.node for sight in words.seen_from], tongue)


def _tells_recovery(message: Message, state: State) -> bool:
    notifier = next((n for n in state.plan.notifiers if n.id == message.notifier), None)
    return notifier is None or ("recovered" in notifier.on and not notifier.reminders_only)


def _of_death(message: Message) -> bool:
    return message.health is Health.DEAD or message.kind is MessageKind.PARTLY


def _work(message: Message) -> str:
    """Title of the announced work that a message is about; "" when it is about something else."""
    return printable(clean(message.work_title)) or message.work


def _node(
    words: NoticeNode,
    message: Message,
    state: State,
    planned: dict[str, tuple[str, NodePlan]],
    incident: Incident | None,
    times: Times,
) -> NodeFacts:
    service, plan = planned.get(words.node, (words.node.partition("/")[0], None))
    node = state.nodes.get(words.node)
    affected = incident.nodes.get(words.node) if incident else None
    since = words.since or message.since
    until = words.until or message.until
    named = {replica.id: replica.name for replica in plan.replicas} if plan else {}
    now = node.replicas if node else {}
    numbers = words.numbers if words.total > 1 and len(words.numbers) + words.more <= NUMBERS_MAX else []
    value = _value(words.reason, times._tongue)
    return NodeFacts(
        name=_name(words.node, planned),
        service=clean(service),
        health=words.health,
        before=words.before,
        code=words.reason.code,
        value=value,
        state=_state(words, value, times.moment(since), times._tongue),
        reason=clean(words.reason.text, MAX_LINE),
        since=times.moment(since),
        until=times.moment(until, since),
        lasted=times.span(since, until),
        was_dead=words.health is Health.DEAD or bool(affected and affected.outage_worst is Health.DEAD),
        bad=len(words.replicas) + words.more,
        total=words.total,
        numbers=listing(map(str, numbers), times._tongue),
        listed=len(numbers),
        replicas=tuple(
            ReplicaFacts(number, _label(key, named.get(key, "")), _replica_reason(now.get(key), words, message))
            for key, number in zip(words.replicas, words.numbers, strict=False)
        ),
        more=words.more,
        seen_from=sights.plain(words.seen_from, times._tongue),
        tries=plan.retry + 1 if plan and plan.mode == "poll" and words.health is Health.DEAD else 0,
    )


def _replica_reason(replica: Replica | None, words: NoticeNode, message: Message) -> str:
    """Its own reason as long as it is still in the state that the message tells of, else the node's."""
    same = replica is not None and replica.health is words.health and replica.since <= message.created_at
    reason = replica.reason if replica is not None and same else words.reason
    return clean(reason.text, MAX_LINE)


def _state(words: NoticeNode, value: str, time: str, tongue: Locale) -> str:
    dead = words.health is not Health.SICK
    found = sentence(words.reason.code, Health.DEAD if dead else Health.SICK, tongue, detail=bool(value))
    if not found:
        found = tongue.gettext("Dead since %(time)s") if dead else tongue.gettext("Sick since %(time)s")
    return found % {"time": time, "value": value, "date": value}


def _ailment(codes: set[ReasonCode]) -> str:
    """What all of them suffer from, as far as it has a word of its own."""
    if codes and codes <= LOAD:
        return "overloaded"
    return "slow" if codes and codes <= PACE - LOAD else "sick"


def _others(message: Message, state: State, incident: Incident | None) -> int:
    """Other nodes of the incident that are as bad as what the message tells, and of which its receiver knows it."""
    if message.others >= 0:
        return message.others
    listed = {words.node for words in message.nodes}
    bad = (key for key, a in incident.nodes.items() if a.bad and key not in listed) if incident else ()
    found = sum(1 for key in bad if key in state.nodes and state.nodes[key].health is message.health)
    return max(0, found - message.more)


def _label(id: str, name: str) -> str:
    address, name = clean(id, 160), clean(name)
    return f"{name} ({address})" if name and name != address else address


def _name(key: str, planned: dict[str, tuple[str, NodePlan]]) -> str:
    """Of a node; the id of one that is gone."""
    found = planned.get(key)
    return clean(found[1].name if found else key.partition("/")[2])


def _value(reason: Reason, tongue: Locale) -> str:
    """The detail of a reason: seconds and dates as the language writes them, anything else as it is.

    It may come from an agent, so what is no number or date is left out.
    """
    try:
        if reason.code in {ReasonCode.SLOW, ReasonCode.NO_ANSWER}:
            return tongue.seconds(float(reason.value))
        if reason.code == ReasonCode.CERTIFICATE:
            return tongue.date(reason.value[:10], year=True)
        if reason.code in LOAD:
            return tongue.percent(float(reason.value.rstrip("%")), 0)
    except (ValueError, OverflowError):
        return ""
    return clean(reason.value, 40)
