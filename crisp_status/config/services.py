"""What is watched: services, nodes, replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr, SerializeAsAny, field_serializer, model_validator

from crisp_status.config.addresses import masked
from crisp_status.config.problems import kind, shown
from crisp_status.config.recurrence import schedule_fault
from crisp_status.config.sections import Delay, Interval, Ratio, Retries, Silence, Token, WebUrl
from crisp_status.config.strict import Id, Strict, converted
from crisp_status.config.time_zone import Zone
from crisp_status.core.policy import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_MAX: Final = 120
"""Characters of a name; longer ones break every layout, in mails and badges too."""

Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
Order = Annotated[int, Field(ge=1, le=100)]

HEARTBEAT_MIN: Final = 10
"""Characters of a heartbeat token: whoever has it can report. The shortest of Uptime Kuma have ten."""

LOOK_KEYS: Final = ("interval", "retry", "retry_wait", "delay_dead", "delay_sick", "expect_dead")
"""Keys of a mode that each replica may have for itself."""

SCRIPT_MAX: Final = 65536
"""Characters of one script; a longer one belongs into its own file."""


def _heartbeat(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < HEARTBEAT_MIN:
        raise ValueError(f"is too short for a token: expected at least {HEARTBEAT_MIN} characters, got {len(text)}")
    if not all(c.isascii() and (c.isalnum() or c in "._~-") for c in text):
        raise ValueError("stands in a URL as it is: expected letters, digits, dot, dash, underscore and tilde only")
    return token


def _schedule(text: str) -> str:
    fault = schedule_fault(text)
    if fault:
        raise ValueError(fault)
    return text


def _table(data: Any, otherwise: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"expected {otherwise} or a table, got {kind(data)} {shown(data)}")  # noqa: TRY004
    return data


class ReplicaTable(Strict):
    """One address that is looked at."""

    url: str
    """Its address: https, tcp, icmp, ssh, dns, tls, ws, postgres, redis and others; docs/probes.md has all."""
    name: Annotated[str, Field(max_length=NAME_MAX)] = ""
    """What people call it."""
    interval: Interval | None = None
    """In place of the node's."""
    retry: Retries | None = None
    """In place of the node's."""
    retry_wait: Annotated[float, Field(ge=0.0, le=60.0)] | None = None
    """In place of the node's."""
    delay_dead: Delay | None = None
    """In place of the node's."""
    delay_sick: Delay | None = None
    """In place of the node's."""
    expect_dead: bool | None = None
    """In place of the node's."""
    options: dict[str, SerializeAsAny[Strict]] = Field(default_factory=dict, exclude=True)
    """Not written as such: tables of probe kinds, as in http = { method = "GET" }; each key goes before the node's."""

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, data: Any) -> Any:
        if isinstance(data, str):  # replicas are many
            return {"url": data}
        return converted(cls, _table(data, "an address in quotes"))

    @field_serializer("url")
    def _masked(self, url: str) -> str:
        return masked(url)

    @property
    def limits(self) -> dict[str, float]:
        """Its own values of the keys of its mode."""
        return {} if len(self.model_fields_set) == 1 else _own(self, LOOK_KEYS)

    def __repr_args__(self) -> Any:
        yield "url", masked(self.url)
        yield "name", self.name


class Program(Strict):
    """One script that is run."""

    run: Annotated[str, Field(min_length=1, max_length=SCRIPT_MAX)] = Field(repr=False)
    """Its text, run by its `#!` line, else by /bin/sh. `${…}` in it is the shell's own."""
    name: Annotated[str, Field(max_length=NAME_MAX)] = ""
    """What people call it."""
    interval: Interval | None = None
    """In place of the node's."""
    timeout: Delay | None = None
    """In place of the node's."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"run": data} if isinstance(data, str) else _table(data, "a script in quotes")

    @property
    def limits(self) -> dict[str, float]:
        """Its own values of the keys of its mode, as those of a replica are called."""
        found = _own(self, ("interval", "timeout"))
        timeout = found.pop("timeout", None)
        return found if timeout is None else found | {"delay_dead": timeout, "delay_sick": timeout}


def _own(table: Strict, keys: Iterable[str]) -> dict[str, float]:
    return {key: value for key in keys if (value := getattr(table, key)) is not None}


class NodeTable(Strict):
    """Replicas of one kind. Keys of [poll], [push], [local] and [script] may be set again for one node."""

    id: Id = ""
    """Stable name in report URLs and in the history; default: made from the name."""
    name: Name
    """What people call it."""
    order: Order = 50
    """Place within the service, low first; equal: as written."""
    mode: Mode = "poll"
    """How it is observed: poll (we look), push (it reports), local (an agent looks), script (a program tells)."""
    replicas: tuple[ReplicaTable, ...] = ()
    """Poll and local: the addresses to look at, each as text or as { url = "…", name = "…", delay_sick = 2, http = { … } }."""
    scripts: tuple[Program, ...] = ()
    """Script, and local for our own agent: programs, each as text or as { run = "…", name = "…" }; exit 0 healthy, 1 sick, else dead."""
    heartbeat: Annotated[SecretStr, AfterValidator(_heartbeat)] | None = None
    """Push: reported by the URL /ping/{this token} alone, from cron or curl."""
    schedule: Annotated[str, AfterValidator(_schedule)] = ""
    """Of a heartbeat, instead of interval: when it should come, as in a crontab: "0 3 * * *"."""
    timezone: Zone | None = None
    """Of the schedule; default: that of [page]."""
    grace: Annotated[float, Field(gt=0.0, le=30 * 86400.0)] | None = None
    """Of a heartbeat: seconds by which it may be late; another name for delay_dead."""
    reporter_token: Token | None = None
    """Push and local: a password that can report this node and nothing else."""
    agent: Id = ""
    """Local: only the agent of this name looks; default: any."""
    places: tuple[str, ...] = ()
    """Poll: from where it is looked at, as in ["here", "fra", "nyc"]; default: ["here"], this daemon alone."""
    quorum: Annotated[int, Field(ge=1, le=51)] | None = None
    """Poll: how many of these places have to see it bad; default: the majority of them."""
    reveal_replicas: bool = False
    """Show replica names to the public."""
    depends_on: tuple[str, ...] = ()
    """Nodes ("service/node") or services; while one of them is dead, this sends no messages of its own."""
    link_url: WebUrl | None = None
    """A link beside the node."""
    link_label: Annotated[str, Field(max_length=NAME_MAX)] = ""
    """Text of that link."""
    interval: Interval | None = None
    """As in the table of its mode."""
    retry: Retries | None = None
    """Poll and local."""
    retry_wait: Annotated[float, Field(ge=0.0, le=60.0)] | None = None
    """Poll and local."""
    delay_dead: Silence | None = None
    """Poll, local and push, each with the limits of its own table."""
    delay_sick: Delay | None = None
    """Poll and local."""
    recover_after: Annotated[int, Field(ge=1, le=20)] | None = None
    """Poll."""
    expect_dead: bool = False
    """Poll and local: turn it around; dead is what must not be reached, or must not have what it is asked for."""
    timeout: Delay | None = None
    """Script."""
    cpu_sick_above: Ratio | None = None
    """Push."""
    ram_sick_above: Ratio | None = None
    """Push."""
    forget_after: Silence | None = None
    """Push."""
    max_replicas: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Push."""
    silent_dead: Silence | None = None
    """Local."""
    options: dict[str, SerializeAsAny[Strict]] = Field(default_factory=dict, exclude=True)
    """Not written as such: the tables of probe kinds, as in [services.nodes.http], by kind."""


class ServiceTable(Strict):
    """Nodes that belong together."""

    id: Id = ""
    """Stable name in report URLs and in the history; default: made from the name."""
    name: Name
    """What people call it."""
    order: Order = 50
    """Place on the page, low first; equal: as written."""
    reporter_token: Token | None = None
    """A password that can report the nodes of this service and nothing else."""
    nodes: tuple[NodeTable, ...] = Field((), max_length=10_000)
    """Each as [[services.nodes]]."""
