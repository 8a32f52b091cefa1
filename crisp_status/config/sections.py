"""How the daemon works: one model for each plain table of the file. Seconds throughout."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from crisp_status.config.addresses import Listen, listen_text, network_text, parse_listen, web_url
from crisp_status.config.strict import AtStart, Id, Strict
from crisp_status.config.token_value import checked_token

DAY: Final = 86400.0

TOKEN_MIN: Final = 8
"""Characters of a reporter or manager token; shorter ones are guessed."""

Token = Annotated[SecretStr, Field(min_length=TOKEN_MIN, max_length=512), AfterValidator(checked_token)]
"""A password that clients send."""

Interval = Annotated[float, Field(ge=1.0, le=366 * DAY)]
"""A period. Below a second it is load, not monitoring; a yearly job is the rarest that makes sense."""

Delay = Annotated[float, Field(gt=0.0, le=3600.0)]
"""A limit on one answer; an hour is beyond every network's own patience."""

Silence = Annotated[float, Field(ge=0.0, le=30 * DAY)]
"""How long nothing may be heard."""

Ratio = Annotated[float, Field(gt=0.0, le=100.0)]
"""A load; 1 is one whole machine, and CPU may exceed it."""

Retries = Annotated[int, Field(ge=0, le=20)]
"""Attempts after the first; twenty of them at ten seconds are already three minutes for one look."""

WebUrl = Annotated[str, AfterValidator(web_url)]


class ServerSection(Strict):
    """Where it listens, what it keeps, who may talk to it."""

    listen: Annotated[tuple[Annotated[str, AfterValidator(listen_text)], ...], AtStart()] = Field(
        ("127.0.0.1:8080",), min_length=1
    )
    """Addresses to listen on: "host:port", "[::1]:8080", "*:8080", "unix:/run/…/http.sock", "systemd" (socket activation). Port 443, and "tls:host:port", speaks TLS as [tls] says."""
    state: Annotated[str, AtStart()] = ""
    """Folder for what is remembered; default: $STATE_DIRECTORY, else "state" beside this file."""
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(network_text)], ...], AtStart()] = (
        "127.0.0.1",
        "::1",
    )
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    reporter_token: Token | None = None
    """Password of reporters and agents; absent: only services and nodes with their own token are reported."""
    manager_token: Annotated[Token | None, AtStart()] = None
    """Password of the management API; absent: it is off."""
    watch: bool = False
    """Load this file again by itself when it changes; SIGHUP does so in any case."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Log lines of this weight and above."""
    log_style: Literal["auto", "human", "json"] = "auto"
    """How log lines look; auto: human on a terminal, else one JSON object a line."""

    @property
    def addresses(self) -> tuple[Listen, ...]:
        """`listen`, parsed."""
        return tuple(map(parse_listen, self.listen))


class PollSection(Strict):
    """How the daemon looks at replicas of mode poll. A node may set any of these again."""

    interval: Interval = 120.0
    """Seconds from one look at a replica to the next."""
    retry: Retries = 2
    """Attempts after a failed one, before it counts as dead."""
    retry_wait: Annotated[float, Field(ge=0.0, le=60.0)] = 0.5
    """Seconds between two attempts."""
    delay_dead: Delay = 10.0
    """Seconds for one attempt in all; no answer by then: it failed."""
    delay_sick: Delay = 5.0
    """Seconds; an answer that takes this long or longer is sick."""
    recover_after: Annotated[int, Field(ge=1, le=20)] = 1
    """Looks in a row that a dead replica must answer before it is well again."""


class PushSection(Strict):
    """When replicas that report themselves are sick or dead. A node may set any of these again."""

    interval: Interval = 120.0
    """Seconds between reports that name no interval of their own, such as heartbeats."""
    delay_dead: Silence = 20.0
    """Seconds of silence beyond the interval, then dead."""
    cpu_sick_above: Ratio = 0.9
    """CPU load above this is sick; 1 is all processors busy."""
    ram_sick_above: Ratio = 0.9
    """Share of memory in use above this is sick."""
    forget_after: Silence = 0.0
    """Seconds of silence after which a replica is forgotten; 0: never."""
    max_replicas: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Replicas that one node may get by reports; more are refused."""


class LocalSection(Strict):
    """How agents in private networks look, and when they are silent. A node may set any of these again."""

    interval: Interval = 120.0
    """Seconds from one look to the next, by our own agent; the agents of Crisp and Vigil have their own."""
    retry: Retries = 2
    """Attempts after a failed one, before it counts as dead."""
    retry_wait: Annotated[float, Field(ge=0.0, le=60.0)] = 0.5
    """Seconds between two attempts, by our own agent."""
    delay_dead: Delay = 10.0
    """Seconds for one attempt in all; no answer by then: it failed."""
    delay_sick: Delay = 5.0
    """Seconds; an answer that takes this long or longer is sick."""
    silent_dead: Silence = 300.0
    """Seconds of silence beyond the agent's interval, then dead; generous, as the agent of Crisp looks one by one."""


class ScriptSection(Strict):
    """How programs of yours are run that tell a health by their exit code. A node may set interval and timeout again."""

    enabled: bool = False
    """Scripts run only when this is true, or with `run --scripts`: whoever writes this file may then run programs."""
    interval: Interval = 300.0
    """Seconds from one run to the next."""
    timeout: Delay = 60.0
    """Seconds; a script that runs longer is killed, and dead."""
    parallel: Annotated[int, Field(ge=1, le=256), AtStart()] = 2
    """Scripts that run at the same time."""


GATEWAY: Final = "gateway"
"""Among the witnesses: the default gateway of this host, whatever its address is at the moment."""


class WitnessSection(Strict):
    """Addresses that tell whether our own network works. All silent: every health is held, and the team is informed when
    they answer again. One that has never answered since the start does not count.
    """

    urls: tuple[str, ...] = ("tcp://1.1.1.1:443", "tcp://9.9.9.9:443", "tcp://8.8.8.8:443", GATEWAY)
    """Addresses as for replicas, of different networks, and "gateway" for the default gateway; []: none."""


class NotifySection(Strict):
    """When people are told."""

    group_wait: Annotated[float, Field(ge=0.0, le=3600.0)] = 10.0
    """Seconds to gather what fails together into one message."""
    reminder_interval: Annotated[float, Field(ge=0.0, le=30 * DAY)] = 3600.0
    """Seconds to the first reminder of what is still dead; 0: none."""
    reminder_backoff: Literal["none", "linear", "square", "cubic"] = "linear"
    """How the time between reminders grows with their number."""
    reminder_backoff_limit: Annotated[int, Field(ge=1, le=100)] = 3
    """Number of the reminder at which it stops growing."""
    reminder_escalate: bool = False
    """Each reminder is urgent for one more target of a notifier; false: for all at once."""
    flap_changes: Annotated[int, Field(ge=2, le=100)] = 6
    """More changes than this within `flap_window`: one "unstable" message, then quiet until calm."""
    flap_window: Annotated[float, Field(ge=60.0, le=7 * DAY)] = 3600.0
    """Seconds."""
    startup: bool = False
    """Tell when the daemon has started."""
    give_up_after: Annotated[float, Field(ge=60.0, le=90 * DAY)] = 259_200.0
    """Seconds for which a message is tried (three days); then it is logged, counted and shown to the operator."""


class MetricsSection(Strict):
    """Figures for Prometheus under /metrics."""

    enabled: bool = False
    """Serve them at all."""
    listen: Annotated[str, AfterValidator(lambda text: text and listen_text(text))] = ""
    """Their own address, open to whoever reaches it; absent: on the page's, behind the manager token."""


class EmbedSection(Strict):
    """The warning that your own sites show while the page is dead."""

    after: Annotated[float, Field(ge=0.0, le=DAY)] = 180.0
    """Seconds that the page must have been dead in a row."""
    chatbox: bool = True
    """Show it in the chatbox."""
    helpdesk: bool = True
    """Show it in the helpdesk."""
    site: bool = True
    """Show it on other sites that carry it."""


class ConsoleSection(Strict):
    """The operators' console under /operator/."""

    edit: bool = False
    """Let owners change this file in the browser."""
    trust_header: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9-]*$")] = ""
    """Header in which a trusted proxy names the operator who signed in there, as in "X-Forwarded-User"."""


class PlaceSection(Strict):
    """The place that this daemon itself is, where replicas are seen from several ([[places]])."""

    id: Id = "here"
    """Its name in `places` of nodes."""
    name: Annotated[str, Field(max_length=120)] = ""
    """What people call it, as in "Paris"; absent: "here"."""


class PlaceTable(Strict):
    """Another network that sees the same replicas: a machine with `crisp-status local --place` and this id."""

    id: Id
    """Its name in `places` of nodes."""
    name: Annotated[str, Field(min_length=1, max_length=120)]
    """What people call it, as in "Frankfurt"."""
    token: Token
    """The password of its agent, which opens nothing else."""
    silent_after: Annotated[float, Field(ge=10.0, le=DAY)] = 60.0
    """Seconds without a word, after which it has no vote and the team is told."""


def _secret_web_url(url: SecretStr) -> SecretStr:
    web_url(url.get_secret_value())
    return url


class HeartbeatSection(Strict):
    """A sign of life to somebody else, who raises the alarm when it stops: who watches the watcher."""

    url: Annotated[SecretStr, AfterValidator(_secret_web_url)]
    """Asked by GET as long as this daemon works: a ping address of Healthchecks, of Uptime Kuma, or of another crisp-status."""
    interval: Interval = 60.0
    """Seconds between two of them."""


class PublishSection(Strict):
    """A copy of the page as static files, at each change."""

    folder: str = ""
    """Where to write it, relative to this file; absent: nowhere."""
    bucket: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9.-]*$")] = ""
    """Bucket of S3-compatible object storage to put it into; absent: none."""
    prefix: Annotated[str, Field(max_length=200, pattern=r"^[^\\/]?([^\\]*[^\\/])?$")] = ""
    """Folder in the bucket, as in "status"."""
    endpoint: Annotated[str, AfterValidator(lambda text: text and web_url(text))] = ""
    """Address of the storage, of others than Amazon's."""
    region: Annotated[str, Field(min_length=1, max_length=64)] = "us-east-1"
    """Region of the bucket; many others than Amazon take "auto"."""
    access_key: SecretStr | None = None
    """Id of the key; absent: that of the environment or of the machine's role, as Amazon's tools have it."""
    secret_key: SecretStr | None = None
    """The key itself."""


class AgentSection(Strict):
    """For `crisp-status local`, in the file of a machine in a private network. Such a file needs no [page]."""

    endpoint: WebUrl
    """Where to fetch the list and to report: the page's address, https://report.crisp.watch/v1, or a Vigil."""
    token: Token
    """The reporter token of that page."""
    protocol: Literal["crisp", "vigil"] = "crisp"
    """vigil: report to a Vigil; it has no list to fetch, so the services stand in this file."""
    name: Id = ""
    """Look only at nodes whose `agent` is this; absent: at those that name none."""
    interval: Interval = 120.0
    """Seconds from one look to the next, where the list does not say."""
