"""From a file to a checked `Config`, or to all its problems at once.

Several checks look at the same document, each blind to the faults of the others; only then is anything said.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from crisp_status import log
from crisp_status.config import (
    announcement_times,
    branding,
    certificates,
    characters,
    client_files,
    ids,
    token_strength,
)
from crisp_status.config.locate import Places
from crisp_status.config.model_errors import faults_of
from crisp_status.config.problems import ConfigError, Fault, Problem, nearest, written
from crisp_status.config.references import References
from crisp_status.config.root import Config
from crisp_status.config.secrets import Expander
from crisp_status.config.syntax import parse, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.config.locate import Path
    from crisp_status.config.strict import NotifierOptions, Rooms, Strict

Role = Literal["page", "agent", "any"]
"""What the file is for: the daemon, `crisp-status local`, or either."""


def load(
    path: str | File,
    rooms: Rooms,
    environ: Mapping[str, str] = os.environ,
    *,
    scripts: bool = False,
    role: Role = "page",
    without_files: bool = False,
) -> Config:
    """The configuration in that file; `scripts` allows them as `[script] enabled` does. Raises ConfigError.

    The error has all problems. `without_files` leaves out a logo, style sheet or template folder that cannot be used
    and puts its fault into `remarks`: a start must not take the page away for want of a picture. The secrets of the
    configuration are masked in the log of this process from then on.
    """
    file = File(path)
    text = read(file, str(path))
    return load_text(text, path, rooms, environ, scripts=scripts, role=role, without_files=without_files)


def load_text(
    text: str,
    path: str | File,
    rooms: Rooms,
    environ: Mapping[str, str] = os.environ,
    *,
    scripts: bool = False,
    role: Role = "page",
    without_files: bool = False,
) -> Config:
    """The same for a text that would stand in that file. Nothing is written."""
    file = File(path)
    data = parse(text, str(path))
    config, faults, remarks = _check(
        data, rooms, file, environ, scripts=scripts, role=role, without_files=without_files
    )
    if faults or remarks:
        places = Places(text)
        problems, notes = (_placed(f, places, str(path)) for f in (faults, remarks))
        if problems or config is None:
            raise ConfigError(problems)
        config._remarks = tuple(notes)
    assert config is not None, "no fault, so there is a configuration"
    config._path = file
    config._rooms = rooms
    config._state = state_folder(config, environ)
    log.hide(*config.secrets())
    return config


def state_folder(config: Config, environ: Mapping[str, str]) -> File:
    """Where the daemon keeps what it remembers: as written, else as systemd says, else beside the file."""
    if config.server.state:
        return config.file(config.server.state)
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return File(given) if given else config.file("state")


def _check(
    written_data: dict[str, Any],
    rooms: Rooms,
    file: File,
    environ: Mapping[str, str],
    *,
    scripts: bool,
    role: Role,
    without_files: bool,
) -> tuple[Config | None, list[Fault], list[Fault]]:
    """All checks over one document: the configuration, what is wrong, what is worth saying."""
    expander = Expander(file.parent, environ)
    data = expander.expand(written_data)
    unreadable = list(characters.faults(data))
    garbled = {fault.path for fault in unreadable}
    unfilled = [fault for fault in expander.faults if fault.path not in garbled]
    said = garbled | {fault.path for fault in unfilled}
    written_ids = ids.written_ids(data)
    faults = [*_role(data, role), *ids.fill(data)]
    remarks: list[Fault] = []
    enabled = data.get("script")
    scripts = scripts or (isinstance(enabled, dict) and str(enabled.get("enabled")).lower() == "true")
    faults += References(data, rooms, scripts=scripts).all()
    faults += announcement_times.faults(data)
    faults += certificates.faults(data)
    unusable = list(branding.faults(data, file.parent))
    keys = list(client_files.faults(data, file.parent, rooms))
    if without_files:
        remarks += [Fault(fault.path, f"{fault.text}. Its looks are unknown until then") for fault in keys]
        data = branding.without(data, unusable)
        remarks += [Fault(fault.path, f"{fault.text}. The page is shown without it") for fault in unusable]
    else:
        faults += unusable + keys
    config, wrong = _build(data, rooms)
    if config is not None:
        config._written_ids = written_ids
    faults += wrong
    # What could not be filled in or read is said once; that it fits nowhere would only be noise.
    faults = [f for f in faults if f.path not in said]
    return config, [*unreadable, *unfilled, *faults], [*remarks, *token_strength.remarks(data)]


def _role(data: dict[str, Any], role: Role) -> list[Fault]:
    if role == "agent" and "agent" not in data:
        return [Fault(("agent",), "is missing: an agent needs [agent] with endpoint and token")]
    if role != "agent" and "page" not in data:
        if role == "any" and "agent" in data:
            return []
        what = "this file is for `crisp-status local`" if "agent" in data else "expected [page] with name and url"
        return [Fault(("page",), f"is missing: {what}")]
    return []


def _build(data: dict[str, Any], rooms: Rooms) -> tuple[Config | None, list[Fault]]:
    """The models from the data; tables of kinds are checked by the models of these kinds."""
    faults: list[Fault] = []
    rest = copy.copy(data)
    if isinstance(data.get("notifiers"), list):
        rest["notifiers"] = _notifiers(data["notifiers"], rooms, faults)
    if isinstance(data.get("services"), list):
        rest["services"] = [_service(s, ("services", i), rooms, faults) for i, s in enumerate(data["services"])]
    try:
        return Config.model_validate(rest), faults
    except ValidationError as error:
        return None, [
            *faults,
            *faults_of(
                error, Config, data, extra={"NodeTable": tuple(rooms.probes), "ReplicaTable": tuple(rooms.probes)}
            ),
        ]


def _notifiers(entries: list[Any], rooms: Rooms, faults: list[Fault]) -> tuple[NotifierOptions, ...]:
    built = []
    for index, entry in enumerate(entries):
        path: Path = ("notifiers", index)
        types = [name for name in rooms.channels if name != "webhook"]
        if not isinstance(entry, dict):
            faults.append(Fault(path, "expected a table, as in [[notifiers]]"))
        elif "type" not in entry:
            faults.append(Fault((*path, "type"), f"is missing: expected one of {', '.join(types)}"))
        elif entry["type"] == "webhook":
            faults.append(Fault((*path, "type"), "web hooks have their own [[webhooks]]"))
        elif entry["type"] not in types:
            text = f'there is no notifier of type "{entry["type"]}"; {nearest(str(entry["type"]), types)}'
            faults.append(Fault((*path, "type"), text))
        else:
            try:
                built.append(rooms.channels[entry["type"]].model_validate(entry))
            except ValidationError as error:
                faults += faults_of(error, rooms.channels[entry["type"]], entry, path)
    return tuple(built)


def _service(service: Any, path: Path, rooms: Rooms, faults: list[Fault]) -> Any:
    if not isinstance(service, dict) or not isinstance(service.get("nodes"), list):
        return service
    nodes = [_node(n, (*path, "nodes", i), rooms, faults) for i, n in enumerate(service["nodes"])]
    return {**service, "nodes": nodes}


def _node(node: Any, path: Path, rooms: Rooms, faults: list[Fault]) -> Any:
    """The node with the tables of probe kinds turned into their option models."""
    if not isinstance(node, dict):
        return node
    found = _optioned(node, path, rooms, faults)
    replicas = node.get("replicas")
    if isinstance(replicas, list) and any(isinstance(replica, dict) for replica in replicas):
        above = {kind: node[kind] for kind in found.get("options", ())}
        found["replicas"] = [
            _optioned(replica, (*path, "replicas", index), rooms, faults, above)
            for index, replica in enumerate(replicas)
        ]
    return found


def _optioned(
    table: Any, path: Path, rooms: Rooms, faults: list[Fault], above: Mapping[str, dict[str, Any]] | None = None
) -> Any:
    """A node or replica with its tables of probe kinds turned into option models; `above` has those of the node."""
    if not isinstance(table, dict) or (rooms.kinds.isdisjoint(table) and "options" not in table):
        return dict(table) if isinstance(table, dict) else table
    kinds = [key for key in table if key in rooms.kinds]
    rest = {key: value for key, value in table.items() if key not in kinds and key != "options"}
    options: dict[str, Strict] = {}
    if "options" in table:
        faults.append(Fault((*path, "options"), f"unknown key; tables of options are {written(path)}.http and so on"))
    for kind in kinds:
        given = table[kind]
        if isinstance(given, dict):
            given = {**(above or {}).get(kind, {}), **given}
        try:
            options[kind] = rooms.probes[kind].model_validate(given)
        except ValidationError as error:
            faults += faults_of(error, rooms.probes[kind], table[kind], (*path, kind))
    return {**rest, "options": options} if options else rest


def _placed(faults: list[Fault], places: Places, name: str) -> list[Problem]:
    """In the order of the file, each with its place, none twice."""
    found: dict[tuple[Path, str], Problem] = {}
    for fault in faults:
        place = places.place(fault.path)
        found.setdefault((fault.path, fault.text), Problem(name, fault.text, written(fault.path), *place))
    return sorted(found.values(), key=lambda p: (p.line, p.column))
