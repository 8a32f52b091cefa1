"""A configuration in the making: tables as they will be written, secrets apart, and remarks on what was not carried over."""

from __future__ import annotations

import datetime
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, urlsplit

from crisp_status.config.ids import slug
from crisp_status.config.strict import ID_PATTERN
from crisp_status.importers._files import text
from crisp_status.importers._history import History

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_MAX: Final = 120
"""Characters of a name, as in `config`; a longer one is cut and said."""

SENSITIVE: Final = re.compile(r"auth|cookie|token|secret|passw|api-?key|credential|signature|session", re.IGNORECASE)
"""Names of header fields whose values are secrets."""

VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class DraftTable(dict[str, Any]):
    """A TOML table, and the comments that stand in front of its keys."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.comments: list[str] = []


class Reference(str):
    """Text that has a `${…}` of ours in it, which is written as it is; in all other texts `${` is escaped."""

    __slots__ = ()


@dataclass(frozen=True)
class Remark:
    """One thing that was not carried over (`lost`), or only with a difference (`changed`)."""

    kind: Literal["lost", "changed"]
    where: str
    """What it stands at in the other file, as its owner would find it."""
    what: str
    instead: str = ""
    """What to do; "" when nothing is to be done."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"; {self.instead}" if self.instead else "")


@dataclass
class Draft:
    """What a kind fills. `data` has the shape of our own configuration."""

    today: datetime.date
    """Where a rule that repeats for ever begins."""
    schemes: frozenset[str] = frozenset()
    """Schemes that a probe of ours answers to, so that a new probe kind is used as soon as there is one."""
    everything: bool = False
    """Carry also what is not shown on any page of the other program."""
    wants_history: bool = False
    """Fill `history`, too."""
    history: History = field(default_factory=History)
    data: DraftTable = field(default_factory=DraftTable)
    secrets: dict[str, str] = field(default_factory=dict)
    """By the name of the file that each will have."""
    variables: set[str] = field(default_factory=set)
    """Environment variables that the other file named, and that ours names too."""
    remarks: list[Remark] = field(default_factory=list)

    def lost(self, where: str, what: str, instead: str = "", *, at: DraftTable | None = None) -> None:
        """Remember that something has no counterpart; `at` gets a comment that says so."""
        self._remark(Remark("lost", where, what, instead), at)

    def changed(self, where: str, what: str, instead: str = "", *, at: DraftTable | None = None) -> None:
        """Remember that something means a little less, or something else, than it did."""
        self._remark(Remark("changed", where, what, instead), at)

    def _remark(self, remark: Remark, at: DraftTable | None) -> None:
        if remark in self.remarks:
            return
        self.remarks.append(remark)
        if at is not None:
            at.comments.append(f"{remark.what}; {remark.instead}" if remark.instead else remark.what)

    def section(self, *path: str) -> DraftTable:
        """The table of that path, as in `section("page", "branding")`; made when it is not there."""
        here = self.data
        for part in path:
            here = here.setdefault(part, DraftTable())
        return here

    def append(self, name: str, table: DraftTable) -> DraftTable:
        """One more entry of an array of tables such as [[notifiers]]."""
        self.data.setdefault(name, []).append(table)
        return table

    def service(self, name: str, own: str = "") -> DraftTable:
        """The service of that name, made when it is not there. `own`: its id in the other program."""
        services: list[DraftTable] = self.data.setdefault("services", [])
        for service in services:
            if (service["id"] == own) if own else (service["name"] == self._name(name)):
                return service
        service = DraftTable(
            id=self._id(own or name, services, f'service "{own or name}"', own=bool(own)), name=self._name(name)
        )
        services.append(service)
        service["nodes"] = []
        return service

    def node(self, service: DraftTable, name: str, own: str = "") -> DraftTable:
        """A new node. `own`: its id in the other program, which is kept where it can be one of ours."""
        nodes: list[DraftTable] = service["nodes"]
        node = DraftTable(
            id=self._id(own or name, nodes, f'node "{own or name}"', own=bool(own)), name=self._name(name)
        )
        nodes.append(node)
        return node

    def secret(self, name: str, value: str) -> Reference:
        """A reference to a file of its own for that secret; `name` says whose it is."""
        if isinstance(value, Reference):
            return value
        value = text(value)
        base = slug(name) or "secret"
        free, number = base, 1
        while free in self.secrets and self.secrets[free] != value:
            number += 1
            free = f"{base}-{number}"
        self.secrets[free] = value
        return Reference(f"${{file:{free}}}")

    def fresh(self, name: str) -> Reference:
        """A reference to a new random token."""
        return self.secret(name, secrets.token_urlsafe(24))

    def variable(self, name: str) -> Reference:
        """A reference to an environment variable that the other program read, too."""
        self.variables.add(name)
        return Reference(f"${{{name}}}")

    def headers(self, owner: str, fields: Iterable[tuple[str, str]]) -> DraftTable:
        """Header fields, those with secrets in them as references."""
        return DraftTable(
            {name: self.secret(f"{owner}-{name}", value) if SENSITIVE.search(name) else value for name, value in fields}
        )

    def url(self, owner: str, url: str) -> str:
        """An address, its password as a reference when it has one."""
        if isinstance(url, Reference):
            return url
        try:
            parts = urlsplit(url)
            password = parts.password
        except ValueError:
            return url
        if not password:
            return url
        before, after = url.split(f":{password}@", 1) if f":{password}@" in url else ("", "")
        return Reference(f"{before}:{self.secret(f'{owner}-password', password)}@{after}") if before else url

    def tokens(self) -> None:
        """Give the page the two tokens that it needs, where the other program had none."""
        server = self.section("server")
        for key in ("reporter_token", "manager_token"):
            if key not in server:
                server[key] = self.fresh(key.replace("_", "-"))

    def _name(self, name: str) -> str:
        return " ".join(name.split())[:NAME_MAX] or "Unnamed"

    def _id(self, wanted: str, taken: list[DraftTable], where: str, *, own: bool) -> str:
        base = wanted if own and re.match(ID_PATTERN, wanted) else slug(wanted) or "unnamed"
        if own and base != wanted:
            self.changed(where, f'the id "{wanted}" cannot be one here and became "{base}"', "change it in the address")
        ids = {table["id"] for table in taken}
        free, number = base, 1
        while free in ids:
            number += 1
            free = f"{base[:60]}-{number}"
        return free


def host_port(host: str, port: int | str | None) -> str:
    """`host:port` with an IPv6 address in brackets."""
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{name}:{port}" if port not in {None, ""} else name


def userinfo(text: str) -> str:
    """Text as it may stand in front of the @ of a URL."""
    return quote(text, safe="")
