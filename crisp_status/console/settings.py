"""The configuration in forms: page, branding, services and nodes, and the whole file as text with its versions.

Each form changes the text of the file (`toml_edit`), which is checked whole, written and taken into force; when the
daemon cannot take it, the file is put back.
"""

from __future__ import annotations

import asyncio
import difflib
import math
from typing import TYPE_CHECKING, Any, Final

from crisp_status import log
from crisp_status.config.problems import ConfigError
from crisp_status.config.syntax import parse
from crisp_status.console import toml_edit
from crisp_status.console.config_file import ConfigFile, FileTrouble
from crisp_status.console.secret_marks import revealed
from crisp_status.console.uploads import keep_upload
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from crisp_status.config.problems import Problem
    from crisp_status.config.root import Config
    from crisp_status.console.frame import Frame, Visit
    from crisp_status.http.router import Router

PAGE_FIELDS: Final = ("name", "url", "company", "support_url", "website_url", "timezone")
DEFAULT_COLOR: Final = "#1972f5"
BRANDING_FILES: Final = ("header_logo", "footer_logo", "header_pattern", "header_image", "icon")
NODE_NUMBERS: Final = ("interval", "delay_sick", "delay_dead", "retry")
"""Keys of a node that are numbers in its form; left empty they are as in the table of its mode."""


class SettingsPages:
    """`/operator/settings` and below. For owners."""

    def __init__(self, frame: Frame, reload: Callable[[Config], Awaitable[None]]) -> None:
        """`reload` takes a checked configuration into force, or raises."""
        self._frame = frame
        self._reload = reload
        self._saving = asyncio.Lock()

    def add_routes(self, router: Router) -> None:
        """Register the pages and their forms."""
        add = self._frame.add
        add(router, "GET", "/operator/settings", self.page, "owner")
        add(router, "POST", "/operator/settings", self.save_page, "owner")
        add(router, "GET", "/operator/settings/services", self.services, "owner")
        add(router, "POST", "/operator/settings/services", self.save_service, "owner")
        add(router, "POST", "/operator/settings/nodes", self.save_node, "owner")
        add(router, "GET", "/operator/settings/file", self.file, "owner")
        add(router, "POST", "/operator/settings/file", self.save_file, "owner")

    def _file(self) -> ConfigFile:
        return ConfigFile(self._frame.config(), self._frame.access.key)

    def read(self) -> tuple[ConfigFile, str, dict[str, Any]]:
        """The file, its text and what it says."""
        try:
            file = self._file()
            text = file.read()
            data = parse(text, file.path.name)
        except (FileTrouble, ConfigError) as error:
            raise Refused(409, str(error)) from None
        if not _readable(data):
            raise Refused(409, toml_edit.UNSAFE)
        return file, text, data

    async def _save(self, file: ConfigFile, before: str, text: str, seen: str) -> None:
        """Write a new text and take it into force; when that fails the file is as it was."""
        # One after the other: a text that is put back must not take the next one with it.
        async with self._saving:
            try:
                config = file.save(text, seen)
            except FileTrouble as error:
                raise Refused(409, log.redactor.text(str(error))) from None
            except ConfigError as error:
                problems = " ".join(log.redactor.text(_plain(p)) for p in error.problems[:10])
                raise Refused(400, f"Nothing was saved. {problems}") from None
            if text == before:
                return
            try:
                await self._reload(config)
            except Exception as error:
                file.undo(before)
                reason = log.redactor.text(str(error))
                raise Refused(409, f"The daemon could not take it, so the file is as it was: {reason}") from None

    async def edit(self, visit: Visit, change: toml_edit.Change, back: str) -> web.StreamResponse:
        """Carry out one change of the file."""
        file, text, _ = self.read()
        try:
            new = toml_edit.edited(text, file.path.name, change)
        except FileTrouble as error:
            raise Refused(409, str(error)) from None
        await self._save(file, text, new, visit.field("seen"))
        return self._frame.redirect(back, "saved")

    async def page(self, visit: Visit) -> web.StreamResponse:
        """GET: page and branding."""
        file, text, data = self.read()
        page = data.get("page", {})
        return self._frame.page(
            visit,
            "settings.html",
            fault=file.fault(),
            file_name=file.path.name,
            seen=file.fingerprint(text),
            page=page,
            branding=page.get("branding", {}),
        )

    async def save_page(self, visit: Visit) -> web.StreamResponse:
        """POST: page and branding, with files that are uploaded."""
        values = {key: visit.field(key) for key in PAGE_FIELDS if key in visit.form}
        color = visit.field("color")
        fault = self._file().fault()
        if fault:
            raise Refused(409, fault)
        files = {
            key: keep_upload(self._frame.config(), key, visit.files[key])
            for key in BRANDING_FILES
            if visit.files.get(key)
        }

        def change(document: Any, make: toml_edit.Maker) -> None:
            page = toml_edit.section(document, make, "page")
            for key, value in values.items():
                toml_edit.put(page, key, value or None)
            # A browser's field of type color always has a value: the default is written only over another one.
            known = page.get("branding", {})
            looks = files | ({"color": color} if color and color != known.get("color", DEFAULT_COLOR) else {})
            if looks:
                branding = toml_edit.section(page, make, "branding")
                for name, look in looks.items():
                    toml_edit.put(branding, name, look)

        return await self.edit(visit, change, "/operator/settings")

    async def services(self, visit: Visit) -> web.StreamResponse:
        """GET: the tree of services, and the form of one node."""
        file, text, data = self.read()
        services = data.get("services", [])
        chosen = _chosen(visit.query.get("service", [""])[-1]), _chosen(visit.query.get("node", [""])[-1])
        node: dict[str, Any] = {}
        if chosen[0] is not None and chosen[0] < len(services) and chosen[1] is not None:
            node = _known(file.shown(text), *chosen)
        return self._frame.page(
            visit,
            "services.html",
            fault=file.fault(),
            seen=file.fingerprint(text),
            tree=sorted(enumerate(services), key=lambda s: (s[1].get("order", 50), s[0])),
            chosen=chosen,
            node=node,
            replicas=[_address(r) for r in node.get("replicas", [])],
            numbers=NODE_NUMBERS,
        )

    async def save_service(self, visit: Visit) -> web.StreamResponse:
        """POST: add, rename, move or remove a service."""
        number, name = _chosen(visit.field("service")), visit.field("name")
        action = visit.field("action")

        def change(document: Any, make: toml_edit.Maker) -> None:
            services = document.get("services", [])
            if action == "add":
                toml_edit.append(document, make, "services", {"name": name})
            elif number is None:
                raise FileTrouble("Choose a service.")
            elif action == "remove":
                toml_edit.remove(document, "services", number)
            elif action in {"up", "down"}:
                toml_edit.entry(services, number)
                toml_edit.move(services, number, -1 if action == "up" else 1)
            else:
                toml_edit.put(toml_edit.entry(services, number), "name", name)

        return await self.edit(visit, change, "/operator/settings/services")

    async def save_node(self, visit: Visit) -> web.StreamResponse:
        """POST: add, change or remove a node with its replicas."""
        service, number = _chosen(visit.field("service")), _chosen(visit.field("node"))
        if service is None:
            raise Refused(400, "Choose a service.")
        values = self._node(visit)

        def change(document: Any, make: toml_edit.Maker) -> None:
            table = toml_edit.entry(document.get("services", []), service)
            if visit.field("action") == "remove":
                toml_edit.remove(table, "nodes", -1 if number is None else number)
            elif number is None:
                toml_edit.append(table, make, "nodes", {k: v for k, v in values.items() if v is not None})
            else:
                node = toml_edit.entry(table.get("nodes", []), number)
                for key, value in values.items():
                    toml_edit.put(node, key, value)

        return await self.edit(visit, change, f"/operator/settings/services?service={service}")

    def _node(self, visit: Visit) -> dict[str, Any]:
        """What the form of a node says; None where the key is to be absent."""
        mode = visit.field("mode") or "poll"
        if mode not in toml_edit.CHOICES:
            raise Refused(400, "A node that runs scripts is changed in the file only.")
        replicas: list[Any] = [text for text in visit.fields("replica") if text]
        file, text, data = self.read()
        known = _known(data, _chosen(visit.field("service")), _chosen(visit.field("node")))
        replicas = _unmarked(replicas, known.get("replicas", []), file.meanings(text))
        tables = {_address(r): r for r in known.get("replicas", [])}
        values: dict[str, Any] = {"name": visit.field("name"), "mode": mode}
        # A replica that has a name or options in the file keeps them.
        values["replicas"] = [tables.get(address, address) for address in replicas] or None
        for key in NODE_NUMBERS:
            values[key] = toml_number(visit.field(key), key)
        if "mode" not in known and mode == "poll":
            values.pop("mode")
        return values

    async def file(self, visit: Visit) -> web.StreamResponse:
        """GET: the whole file as text, and an older version beside it."""
        file, text = self._text()
        wanted = _chosen(visit.query.get("version", [""])[-1])
        try:
            shown = text if wanted is None else file.version(wanted)
        except FileTrouble as error:
            raise Refused(404, str(error)) from None
        return self._show_file(visit, file, text, file.masked(shown))

    def _text(self) -> tuple[ConfigFile, str]:
        try:
            file = self._file()
            return file, file.read()
        except FileTrouble as error:
            raise Refused(409, str(error)) from None

    def _show_file(
        self, visit: Visit, file: ConfigFile, text: str, shown: str, problems: tuple[str, ...] = (), seen: str = ""
    ) -> web.Response:
        """`shown` has marks for secrets; what was sent is shown as it was sent."""
        before, after = file.masked(text).splitlines(), shown.splitlines()
        difference = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
        return self._frame.page(
            visit,
            "file.html",
            status=400 if problems else 200,
            fault=file.fault(),
            file_name=file.path.name,
            seen=seen or file.fingerprint(text),
            text=shown,
            lines=len(text.splitlines()),
            difference=difference,
            problems=problems,
            checked=visit.request.method == "POST",
            versions=file.versions(),
        )

    async def save_file(self, visit: Visit) -> web.StreamResponse:
        """POST: check a text, or save it."""
        file, text = self._text()
        given = visit.form.get("text", [""])[-1].replace("\r\n", "\n")
        given = given if given.endswith("\n") or not given else given + "\n"
        seen = visit.field("seen")
        try:
            new = file.revealed(given, text)
            file.check(new)
        except ConfigError as error:
            problems = tuple(log.redactor.text(_plain(p)) for p in error.problems)
            return self._show_file(visit, file, text, given, problems, seen)
        except FileTrouble as error:
            return self._show_file(visit, file, text, given, (log.redactor.text(str(error)),), seen)
        if not visit.field("save"):
            return self._show_file(visit, file, text, given, seen=seen)
        await self._save(file, text, new, seen)
        return self._frame.redirect("/operator/settings/file", "saved")


def _plain(problem: Problem) -> str:
    """A problem with its line, without the path of the file."""
    text = str(problem)
    place = f"{problem.line}:{problem.column}" if getattr(problem, "line", 0) else ""
    _, found, rest = text.partition(f":{place}: ")
    return f"{place}: {rest}" if place and found else text


def _readable(data: dict[str, Any]) -> bool:
    """Whether the parts that forms show have the shape that they should have; somebody may have broken the file."""
    page, services = data.get("page", {}), data.get("services", [])
    if not isinstance(page, dict) or not isinstance(page.get("branding", {}), dict) or not _tables(services):
        return False
    nodes = [service.get("nodes", []) for service in services]
    whole = all(isinstance(s.get("order", 50), int) for s in services)
    return (
        whole and all(map(_tables, nodes)) and all(isinstance(n.get("replicas", []), list) for ns in nodes for n in ns)
    )


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _chosen(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None


def _address(replica: Any) -> str:
    return str(replica.get("url", "")) if isinstance(replica, dict) else str(replica)


def _unmarked(replicas: list[str], known: list[Any], meanings: dict[str, str]) -> list[str]:
    """Addresses with the passwords where their marks are, of those only that this node has already."""
    own = {mark: part for mark, part in meanings.items() if any(part in _address(replica) for replica in known)}
    return [revealed(address, own) for address in replicas]


def _known(data: dict[str, Any], service: int | None, node: int | None) -> dict[str, Any]:
    services = data.get("services", [])
    if service is None or node is None or service >= len(services):
        return {}
    nodes = services[service].get("nodes", [])
    return nodes[node] if node < len(nodes) else {}


def toml_number(text: str, key: str) -> float | int | None:
    """A number of a form as TOML has it; None when it was left empty."""
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
        if not math.isfinite(value):
            raise ValueError(text)
    except ValueError:
        raise Refused(400, f"{key}: expected a number, got {text[:40]!r}.") from None
    return int(value) if value == int(value) else value
