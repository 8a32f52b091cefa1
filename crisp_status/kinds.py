"""Plug rooms: every file in `probes/`, `channels/`, `reports/` and `importers/` is a kind, named after the file.

Adding a kind is adding a file. A file that starts with "_" is shared by the kinds of its room and is no kind.
Names are known without importing; a kind is imported when it is first asked for. What a kind must have says the Protocol of
its room.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from crisp_status.channels import ChannelKind
    from crisp_status.config.strict import Rooms
    from crisp_status.importers import ImporterKind
    from crisp_status.probes import ProbeKind
    from crisp_status.reports import Dialect

Kind = TypeVar("Kind")
Model = TypeVar("Model")


class KindError(Exception):
    """A file in a plug room breaks the contract of the room; the sentence says which and how."""


class Room(Mapping[str, Kind]):
    """The kinds of one plug room by name, in alphabetical order. An unknown name is a `KeyError`."""

    def __init__(self, package: str, needs: tuple[str, ...]) -> None:
        self._package = package
        self._needs = needs
        self._names = _names(package)
        self._loaded: dict[str, Kind] = {}

    def __getitem__(self, name: str) -> Kind:
        known = self._loaded.get(name)
        if known is not None:
            return known
        if name not in self._names:
            raise KeyError(name)
        module = importlib.import_module(f"{self._package}.{name}")
        missing = [need for need in self._needs if not hasattr(module, need)]
        if missing:
            raise KindError(f"{self._package}.{name} is a kind, so it needs {' and '.join(missing)}")
        return self._loaded.setdefault(name, cast("Kind", module))

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _OptionModels(Mapping[str, Model]):
    """What may be configured of each kind. A kind is imported when its options are asked for."""

    def __init__(self, room: Mapping[str, Any]) -> None:
        self._room = room

    def __getitem__(self, name: str) -> Model:
        return cast("Model", self._room[name].Options)

    def __contains__(self, name: object) -> bool:
        return name in self._room

    def __iter__(self) -> Iterator[str]:
        return iter(self._room)

    def __len__(self) -> int:
        return len(self._room)


def _names(package: str) -> tuple[str, ...]:
    """The kinds of a room, from its folder alone."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return ()
    found = (module.name for module in pkgutil.iter_modules(spec.submodule_search_locations))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@functools.cache
def probes() -> Mapping[str, ProbeKind[Any]]:
    """How we look."""
    return Room("crisp_status.probes", ("SCHEMES", "Options", "probe"))


@functools.cache
def channels() -> Mapping[str, ChannelKind[Any, Any]]:
    """How we tell people."""
    return Room("crisp_status.channels", ("Options", "targets", "send"))


@functools.cache
def reports() -> Mapping[str, Dialect]:
    """How others tell us."""
    return Room("crisp_status.reports", ("routes",))


@functools.cache
def importers() -> Mapping[str, ImporterKind]:
    """Other programs that people come from."""
    return Room("crisp_status.importers", ("TITLE", "recognises", "read"))


def owners(room: Mapping[str, ProbeKind[Any]]) -> dict[str, str]:
    """Which probe kind answers to a URL scheme. Two files that claim one scheme are a `KindError`."""
    owner: dict[str, str] = {}
    for name, kind in room.items():
        for scheme in kind.SCHEMES:
            if scheme in owner:
                raise KindError(
                    f"probes/{owner[scheme]}.py and probes/{name}.py both claim {scheme}://; one must let go"
                )
            owner[scheme] = name
    return owner


@functools.cache
def scheme_owner() -> Mapping[str, str]:
    """Which probe kind answers to a URL scheme: {"https": "http", "tcp": "tcp", ...}."""
    return owners(probes())


@functools.cache
def _check_of(kind: str) -> Callable[[str], None]:
    """What tells of an address whether that probe kind can look at it."""
    from crisp_status.probes import ChecksAddress

    found = probes()[kind]
    return found.check if isinstance(found, ChecksAddress) else lambda _: None


def check(kind: str, target: str) -> None:
    """A `ValueError` with a sentence when that probe kind cannot look at that address."""
    _check_of(kind)(target)


def rooms() -> Rooms:
    """What the configuration has to know of the plug rooms."""
    from crisp_status.config.strict import Rooms

    return Rooms(
        channels=_OptionModels(channels()),
        probes=_OptionModels(probes()),
        schemes=scheme_owner(),
        check=check,
    )
