"""The whole file as one value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PrivateAttr, SerializeAsAny

from crisp_status.config.certificates import TlsSection
from crisp_status.config.page import AnnouncementTable, Operator, Page, Template, WebHook
from crisp_status.config.redact import secrets_in
from crisp_status.config.sections import (
    AgentSection,
    ConsoleSection,
    EmbedSection,
    HeartbeatSection,
    LocalSection,
    MetricsSection,
    NotifySection,
    PlaceSection,
    PlaceTable,
    PollSection,
    PublishSection,
    PushSection,
    ScriptSection,
    ServerSection,
    WitnessSection,
)
from crisp_status.config.services import ServiceTable
from crisp_status.config.strict import AtStart, NotifierOptions, Rooms, Strict
from crisp_status.config.subscriber_options import SubscribersSection

if TYPE_CHECKING:
    from crisp_status.config.problems import Problem


def _agent_page() -> Page:
    """Stands in for [page] in the file of an agent."""
    return Page(name="crisp-status agent", url="http://localhost/")


class Config(Strict):
    """Everything that the operator wrote, checked; secrets included, so it is never shown as it is."""

    page: Page = Field(default_factory=_agent_page)
    """[page]"""
    server: ServerSection = Field(default_factory=ServerSection)
    """[server]"""
    tls: Annotated[TlsSection | None, AtStart(presence=True)] = None
    """[tls]"""
    poll: PollSection = Field(default_factory=PollSection)
    """[poll]"""
    push: PushSection = Field(default_factory=PushSection)
    """[push]"""
    local: LocalSection = Field(default_factory=LocalSection)
    """[local]"""
    script: ScriptSection = Field(default_factory=ScriptSection)
    """[script]"""
    witness: WitnessSection = Field(default_factory=WitnessSection)
    """[witness]"""
    notify: NotifySection = Field(default_factory=NotifySection)
    """[notify]"""
    notifiers: tuple[SerializeAsAny[NotifierOptions], ...] = ()
    """Each as [[notifiers]]."""
    operators: tuple[Operator, ...] = ()
    """Each as [[operators]]."""
    webhooks: tuple[WebHook, ...] = ()
    """Each as [[webhooks]]."""
    templates: Annotated[tuple[Template, ...], Field(max_length=200)] = ()
    """Each as [[templates]]."""
    console: ConsoleSection = Field(default_factory=ConsoleSection)
    """[console]"""
    subscribers: SubscribersSection = Field(default_factory=SubscribersSection)
    """[subscribers]"""
    embed: EmbedSection = Field(default_factory=EmbedSection)
    """[embed]"""
    metrics: Annotated[MetricsSection, AtStart()] = Field(default_factory=MetricsSection)
    """[metrics]"""
    heartbeat: HeartbeatSection | None = None
    """[heartbeat]"""
    publish: PublishSection = Field(default_factory=PublishSection)
    """[publish]"""
    place: PlaceSection = Field(default_factory=PlaceSection)
    """[place]"""
    places: Annotated[tuple[PlaceTable, ...], Field(max_length=50)] = ()
    """Each as [[places]]."""
    agent: AgentSection | None = None
    """[agent]"""
    announcements: tuple[AnnouncementTable, ...] = ()
    """Each as [[announcements]]."""
    services: Annotated[tuple[ServiceTable, ...], Field(max_length=1000)] = ()
    """Each as [[services]]."""

    _path: Path = PrivateAttr(default=Path("config.toml"))
    _rooms: Rooms = PrivateAttr(default_factory=Rooms)
    _state: Path = PrivateAttr(default=Path("state"))
    _remarks: tuple[Problem, ...] = PrivateAttr(default=())
    _written_ids: frozenset[str] = PrivateAttr(default=frozenset())
    """Ids of notifiers and web hooks that stand in the file; the others were made from the type."""
    _hidden: frozenset[str] | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path:
        """The file that this came from."""
        return self._path

    @property
    def rooms(self) -> Rooms:
        """The plug rooms that it was checked against."""
        return self._rooms

    @property
    def state_folder(self) -> Path:
        """Where the daemon keeps what it remembers."""
        return self._state

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """What is not wrong, but worth saying: keys that have no effect yet."""
        return self._remarks

    @property
    def without_own_id(self) -> list[str]:
        """Ids of notifiers and web hooks to which the file gives none."""
        ids = [notifier.id for notifier in self.notifiers] + [hook.id for hook in self.webhooks]
        return [key for key in ids if key not in self._written_ids]

    def file(self, name: str) -> Path:
        """A file that the configuration names, relative to its own folder."""
        return self._path.parent / name

    def secrets(self) -> set[str]:
        """Every password, token and secret in it, for the log to mask."""
        if self._hidden is None:
            self._hidden = frozenset(secrets_in(self.__dict__))
        return set(self._hidden)
