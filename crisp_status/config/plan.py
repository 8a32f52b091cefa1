"""From the configuration to what the core works with: names, thresholds and ids, no secrets, no addresses."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec
from pydantic import SecretStr

from crisp_status.config import client_files
from crisp_status.config.addresses import masked
from crisp_status.config.announcement_times import epoch
from crisp_status.config.services import Program
from crisp_status.core import policy
from crisp_status.core.cron import next_run

if TYPE_CHECKING:
    from collections.abc import Container

    from crisp_status.config.page import AnnouncementTable, WebHook
    from crisp_status.config.root import Config
    from crisp_status.config.services import NodeTable, ReplicaTable, ServiceTable
    from crisp_status.config.strict import NotifierOptions, Strict


class PlannedTarget(msgspec.Struct, frozen=True, gc=False):
    """What to look at for one replica: the real address with its password, so it is never shown or stored."""

    url: str
    """The address; of a script its text."""
    kind: str
    """Probe kind."""
    options: Strict
    """Of that kind."""
    limits: dict[str, float] = {}
    """Its own values in place of the node's: interval, retry, retry_wait, delay_dead, delay_sick, expect_dead."""

    def __repr__(self) -> str:
        return f"Target({self.kind})"


def plan(config: Config) -> policy.Plan:
    """What the operator decided, as the core needs it. Services and nodes come in page order."""
    zone = config.page.timezone
    return policy.Plan(
        timezone=zone,
        history_days=config.page.history_days,
        services=tuple(
            policy.ServicePlan(
                id=service.id,
                name=service.name,
                nodes=tuple(_node(config, service, node) for node in _ordered(service.nodes)),
            )
            for service in _ordered(config.services)
        ),
        notify=policy.NotifyPlan(**config.notify.model_dump()),
        notifiers=tuple(_notifier(config, notifier) for notifier in config.notifiers),
        webhooks=tuple(hook.id for hook in config.webhooks if hook.enabled),
        hook_targets=tuple(
            (_target("webhook", hook), hook.id in config._written_ids) for hook in config.webhooks if hook.enabled
        ),
        hooks_on=tuple(hook.on for hook in config.webhooks if hook.enabled),
        operators=tuple(operator.id for operator in config.operators),
        announcements=tuple(_announcement(a, zone) for a in config.announcements),
        embed_after=config.embed.after,
        here=policy.PlacePlan(config.place.id, config.place.name),
        places=tuple(policy.PlacePlan(place.id, place.name, place.silent_after) for place in config.places),
        subscribers=policy.SubscribersPlan(config.subscribers.after) if config.subscribers.kinds else None,
    )


def targets(config: Config, modes: Container[str] | None = None) -> dict[tuple[str, str], PlannedTarget]:
    """What to look at, by node key and replica id: of the nodes that are polled, scripts, or an agent's business.

    `modes`: only of nodes in these.
    """
    found: dict[tuple[str, str], PlannedTarget] = {}
    defaults: dict[str, Strict] = {}
    probes, schemes = config.rooms.probes, config.rooms.schemes
    for service in config.services:
        for node in service.nodes:
            if modes is not None and node.mode not in modes:
                continue
            key = f"{service.id}/{node.id}"
            own = node.options
            # The files of an agent's node are on the agent's machine.
            placed: dict[int, Strict] = {}
            for identity, written in _looks(node):
                options: Strict | None = None
                if isinstance(written, Program):
                    url, kind = written.run, "script"
                else:
                    url = written.url
                    kind = schemes.get(url.partition("://")[0].lower(), "")
                    options = written.options.get(kind)
                options = own.get(kind) if options is None else options
                if options is None:
                    if kind not in defaults:
                        defaults[kind] = probes[kind]()
                    options = defaults[kind]
                elif node.mode != "local":
                    if id(options) not in placed:
                        placed[id(options)] = client_files.placed(options, config.file)
                    options = placed[id(options)]
                found[key, identity] = PlannedTarget(url, kind, options, written.limits)
    return found


def _ordered(items: tuple[Any, ...]) -> list[Any]:
    """Low order first; equal: as written."""
    return sorted(items, key=lambda item: item.order)


def _looks(node: NodeTable) -> list[tuple[str, ReplicaTable | Program]]:
    """The replicas of a node, each with its id."""
    looks: list[tuple[str, ReplicaTable | Program]] = []
    taken: set[str] = set()
    for replica in node.replicas:
        base = identity = masked(replica.url)
        number = 1
        while identity in taken:
            number += 1
            identity = f"{base} ({number})"
        taken.add(identity)
        looks.append((identity, replica))
    looks += [(str(index), script) for index, script in enumerate(node.scripts)]
    return looks


def _node(config: Config, service: ServiceTable, node: NodeTable) -> policy.NodePlan:
    looks = _looks(node)
    thresholds = _thresholds(config, node) | _lateness(config, node)
    return policy.NodePlan(
        service=service.id,
        id=node.id,
        name=node.name,
        mode=node.mode,
        replicas=tuple([policy.ReplicaPlan(identity, written.name) for identity, written in looks]),
        depends_on=node.depends_on,
        reveal_replicas=node.reveal_replicas,
        link_url=node.link_url or "",
        link_label=node.link_label,
        heartbeat=node.heartbeat is not None,
        schedule=node.schedule,
        timezone=node.timezone or config.page.timezone,
        agent=node.agent,
        expect_dead=node.expect_dead,
        **_places(config, node),
        **thresholds,
        **_slowest(thresholds, [written.limits for _, written in looks if written.limits]),
    )


def _slowest(thresholds: dict[str, Any], own: list[dict[str, float]]) -> dict[str, Any]:
    """What the replicas with limits of their own need at most; nothing when the node's are enough."""
    found = {"interval_most": 0.0, "verdict_most": 0.0}
    for limits in own:
        each = {**thresholds, **limits}
        verdict = (each["retry"] + 1) * each["delay_dead"] + each["retry"] * each["retry_wait"]
        found["interval_most"] = max(found["interval_most"], each["interval"])
        found["verdict_most"] = max(found["verdict_most"], verdict)
    return found


def _places(config: Config, node: NodeTable) -> dict[str, Any]:
    """Where it is looked at from; this daemon alone is no vote."""
    if not node.places or node.places == (config.place.id,):
        return {}
    return {"places": node.places, "quorum": node.quorum or len(node.places) // 2 + 1}


def _thresholds(config: Config, node: NodeTable) -> dict[str, Any]:
    """The values in force: those of the node, else those of the table of its mode."""
    if node.mode == "script":
        timeout = config.script.timeout if node.timeout is None else node.timeout
        # A script may take its time: what ends within the timeout is never slow, and one run is the verdict.
        return {
            "interval": config.script.interval if node.interval is None else node.interval,
            "retry": 0,
            "retry_wait": 0.0,
            "delay_dead": timeout,
            "delay_sick": timeout,
        }
    section = {"poll": config.poll, "push": config.push, "local": config.local}[node.mode]
    found = {}
    for name in _names(type(section)):
        own = getattr(node, name)
        found[name] = getattr(section, name) if own is None else own
    return found


def _lateness(config: Config, node: NodeTable) -> dict[str, Any]:
    """Of a heartbeat: how late it may be, and of one on a schedule the time between two reports."""
    found: dict[str, Any] = {}
    if node.grace is not None:
        found["delay_dead"] = node.grace
    if node.schedule:
        zone = node.timezone or config.page.timezone
        first = next_run(node.schedule, zone, 0.0)
        found["interval"] = next_run(node.schedule, zone, first) - first
    return found


@cache
def _names(section: type[Strict]) -> tuple[str, ...]:
    """Keys of that table that are a node's as well."""
    return tuple(name for name in section.model_fields if name in policy.NodePlan.__struct_fields__)


RECEIVERS: Final = ("to", "hook_url", "operators", "user_keys", "urls", "url")
"""Keys of notifiers and web hooks that say where their messages arrive."""


def _target(type_: str, options: NotifierOptions | WebHook) -> str:
    """Who a notifier or web hook is: a keyed hash of its type and receivers, from which no address can be read."""
    receivers = [_plain(getattr(options, key)) for key in RECEIVERS if hasattr(options, key)]
    return blake2b(repr((type_, receivers)).encode(), key=b"crisp-status receiver", digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    """A value with its secrets, for the hash alone."""
    if isinstance(value, tuple):
        return sorted(str(_plain(one)) for one in value)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _notifier(config: Config, options: NotifierOptions) -> policy.NotifierPlan:
    return policy.NotifierPlan(
        id=options.id,
        kind=options.type,
        on=options.on,
        services=options.services,
        reminders_only=options.reminders_only,
        enabled=options.enabled,
        operators=options.devices_of,
        target=_target(options.type, options),
        id_is_written=options.id in config._written_ids,
    )


def _announcement(written: AnnouncementTable, zone: str) -> policy.PlannedAnnouncement:
    return policy.PlannedAnnouncement(
        id=written.id,
        title=written.title,
        text=written.text,
        starts_at=epoch(written.starts_at, zone),
        expires_at=epoch(written.expires_at, zone),
        maintenance=written.maintenance,
        rrule=written.rrule,
    )
