"""From the configuration to what the core works with: names, thresholds and ids, no secrets, no addresses."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec
from pydantic import SecretStr

from crisp_status.config.addresses import masked
from crisp_status.config.announcement_times import epoch
from crisp_status.core import policy
from crisp_status.core.cron import next_run

if TYPE_CHECKING:
    from collections.abc import Container

    from crisp_status.config.page import AnnouncementTable, WebHook
    from crisp_status.config.root import Config
    from crisp_status.config.services import NodeTable, ServiceTable
    from crisp_status.config.strict import NotifierOptions, Strict


class PlannedTarget(msgspec.Struct, frozen=True, gc=False):
    """What to look at for one replica: the real address with its password, so it is never shown or stored."""

    url: str
    """The address; of a script its text."""
    kind: str
    """Probe kind."""
    options: Strict
    """Of that kind."""

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
        operators=tuple(operator.id for operator in config.operators),
        announcements=tuple(_announcement(a, zone) for a in config.announcements),
        embed_after=config.embed.after,
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
            for identity, url, _, scripted in _looks(node):
                kind = "script" if scripted else schemes.get(url.partition("://")[0].lower(), "")
                options = own.get(kind)
                if options is None:
                    if kind not in defaults:
                        defaults[kind] = probes[kind]()
                    options = defaults[kind]
                found[key, identity] = PlannedTarget(url, kind, options)
    return found


def _ordered(items: tuple[Any, ...]) -> list[Any]:
    """Low order first; equal: as written."""
    return sorted(items, key=lambda item: item.order)


def _looks(node: NodeTable) -> list[tuple[str, str, str, bool]]:
    """The replicas of a node: id, real address or text of the script, name, and whether it is a script."""
    looks: list[tuple[str, str, str, bool]] = []
    taken: set[str] = set()
    for replica in node.replicas:
        base = identity = masked(replica.url)
        number = 1
        while identity in taken:
            number += 1
            identity = f"{base} ({number})"
        taken.add(identity)
        looks.append((identity, replica.url, replica.name, False))
    looks += [(str(index), script.run, script.name, True) for index, script in enumerate(node.scripts)]
    return looks


def _node(config: Config, service: ServiceTable, node: NodeTable) -> policy.NodePlan:
    return policy.NodePlan(
        service=service.id,
        id=node.id,
        name=node.name,
        mode=node.mode,
        replicas=tuple([policy.ReplicaPlan(identity, name) for identity, _, name, _ in _looks(node)]),
        depends_on=node.depends_on,
        reveal_replicas=node.reveal_replicas,
        link_url=node.link_url or "",
        link_label=node.link_label,
        heartbeat=node.heartbeat is not None,
        schedule=node.schedule,
        timezone=node.timezone or config.page.timezone,
        agent=node.agent,
        **_thresholds(config, node) | _lateness(config, node),
    )


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
