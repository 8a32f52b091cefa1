"""What the operator decided, as the core needs it: no secrets, no addresses beyond replica ids, no files.

`config` makes a `Plan` from the TOML file. It is part of the state, because replay needs the plan that was in force.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["poll", "push", "local", "script"]


class ReplicaPlan(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A replica that the operator wrote down."""

    id: str
    """Its address as written, passwords replaced; the index for a script."""
    name: str = ""


class NodePlan(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One node with the thresholds in force for it. Seconds throughout."""

    service: str
    id: str
    name: str
    mode: Mode
    replicas: tuple[ReplicaPlan, ...] = ()
    interval: float = 120.0
    """Of looks (poll, script), or how often a heartbeat should come."""
    retry: int = 2
    retry_wait: float = 0.5
    delay_dead: float = 10.0
    """Poll: budget of an attempt. Push: grace after the announced interval."""
    delay_sick: float = 5.0
    cpu_sick_above: float = 0.9
    ram_sick_above: float = 0.9
    silent_dead: float = 300.0
    forget_after: float = 0.0
    """Push: a silent replica is forgotten after this; 0: never."""
    max_replicas: int = 1000
    depends_on: tuple[str, ...] = ()
    reveal_replicas: bool = False
    link_url: str = ""
    link_label: str = ""
    heartbeat: bool = False
    """Reported by a URL alone."""
    schedule: str = ""
    """When its heartbeat should come, as a cron expression; "": every `interval`."""
    timezone: str = "UTC"
    """Of the schedule."""
    agent: str = ""
    """Local: which agent looks; "" any."""
    interval_most: float = 0.0
    """The longest interval of a replica that has its own; 0: none has."""
    verdict_most: float = 0.0
    """The same for `verdict_seconds`."""
    recover_after: int = 1
    """Poll: good looks in a row until a dead replica is well."""
    expect_dead: bool = False
    """Poll and local: what answers is dead."""
    places: tuple[str, ...] = ()
    """Poll: places that look at it and vote; (): only this daemon looks, and what it sees is so."""
    quorum: int = 1
    """How many of these places have to see it bad."""

    @property
    def key(self) -> str:
        """`service/node`."""
        return f"{self.service}/{self.id}"

    @property
    def verdict_seconds(self) -> float:
        """The longest that one look, with its retries, may take to say dead."""
        return max((self.retry + 1) * self.delay_dead + self.retry * self.retry_wait, self.verdict_most)


class ServicePlan(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A service with its nodes, in page order."""

    id: str
    name: str
    nodes: tuple[NodePlan, ...] = ()


class NotifierPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom to tell what; how is the channel's business."""

    id: str
    kind: str
    on: tuple[str, ...] = ("dead", "recovered")
    """dead, recovered, sick, unstable, maintenance."""
    services: tuple[str, ...] = ()
    """Empty: all."""
    reminders_only: bool = False
    enabled: bool = True
    operators: tuple[str, ...] = ()
    """Each of their devices gets a message of its own; empty: one message reaches all its targets at once."""
    target: str = ""
    """A hash of its type and receivers."""
    id_is_written: bool = True
    """Whether the operator wrote the id: then that says who it is, also when the receivers change. Else the target does,
    wherever it stands in the file."""


class NotifyPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """When to tell."""

    group_wait: float = 10.0
    reminder_interval: float = 3600.0
    """0: no reminders."""
    reminder_backoff: Literal["none", "linear", "square", "cubic"] = "linear"
    reminder_backoff_limit: int = 3
    reminder_escalate: bool = False
    flap_changes: int = 6
    flap_window: float = 3600.0
    startup: bool = False
    give_up_after: float = 259200.0


class SubscribersPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What visitors who subscribed are told."""

    after: float = 180.0
    """Seconds that an outage has lasted before they hear of it."""


class PlannedAnnouncement(msgspec.Struct, frozen=True, omit_defaults=True):
    """An announcement that stands in the file."""

    id: str
    title: str
    text: str = ""
    starts_at: float = 0.0
    expires_at: float = 0.0
    maintenance: tuple[str, ...] = ()
    rrule: str = ""


class PlacePlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A network from which replicas are seen."""

    id: str
    name: str = ""
    silent_after: float = 60.0
    """Seconds without a word, after which what it said does not count any more."""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole of it."""

    timezone: str = "UTC"
    history_days: int = 90
    services: tuple[ServicePlan, ...] = ()
    notify: NotifyPlan = NotifyPlan()
    notifiers: tuple[NotifierPlan, ...] = ()
    webhooks: tuple[str, ...] = ()
    """Ids."""
    hook_targets: tuple[tuple[str, bool], ...] = ()
    """As `NotifierPlan.target` and `id_is_written`, for each of `webhooks`."""
    hooks_on: tuple[tuple[str, ...], ...] = ()
    """What each of `webhooks` hears of: health, maintenance."""
    operators: tuple[str, ...] = ()
    """Ids."""
    announcements: tuple[PlannedAnnouncement, ...] = ()
    embed_after: float = 180.0
    subscribers: SubscribersPlan | None = None
    """None: nobody can subscribe, and nobody is told."""
    here: PlacePlan = PlacePlan("here")
    """The place that this daemon is."""
    places: tuple[PlacePlan, ...] = ()
    """The others, each an agent."""

    def place_name(self, place: str) -> str:
        """What people call a place; "" is this daemon, where nobody gave it a name."""
        if place == self.here.id:
            return self.here.name
        return next((other.name for other in self.places if other.id == place), "") or place
