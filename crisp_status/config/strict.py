"""What every configuration model stands on: `Strict`, the keys common to all notifiers, and `Rooms`.

Kinds (probes, channels) import this file for their own `Options`; the sections of the file are in `sections`,
`people` and `services`, the whole in `model`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Ids stand in URLs and file names, and are joined by `/`: no slash, no space, nothing to escape."""

Id = Annotated[str, Field(pattern=ID_PATTERN)]
"""A stable name for machines."""


@dataclass(frozen=True)
class AtStart:
    """Marks a field that only a start can follow: `Annotated[bool, AtStart()]`. A reload names it and goes on."""

    presence: bool = False
    """Only whether there is a value at all; what is in it may change at any time."""


def start_only_changes(old: BaseModel, new: BaseModel, path: str = "") -> list[str]:
    """The keys marked with `AtStart` whose values differ, as people write them: `server.listen`."""
    changed = []
    for name, info in type(old).model_fields.items():
        mark = next((m for m in info.metadata if isinstance(m, AtStart)), None)
        before, after = getattr(old, name), getattr(new, name)
        if mark is not None:
            changed += [path + name] if (bool(before) != bool(after) if mark.presence else before != after) else []
        elif isinstance(before, BaseModel) and isinstance(after, BaseModel):
            changed += start_only_changes(before, after, f"{path}{name}.")
    return changed


class Filled(str):
    """Text that came out of `${…}`: it may also stand for a number or a yes/no, and is never shown."""

    __slots__ = ()


class Strict(BaseModel):
    """Base of all configuration models: no unknown keys, no silent conversions, never changed after loading.

    Two conversions only: a TOML array becomes a tuple where the field is one, and text from `${…}` becomes a number
    or a yes/no where the field is one (variables have no types).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False, defer_build=True
    )

    _converters: ClassVar[dict[str, tuple[bool, type | None]] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, data: Any) -> Any:
        return converted(cls, data) if isinstance(data, dict) else data


def converted(model: type[Strict], data: dict[str, Any]) -> dict[str, Any]:
    """The table with the two conversions that a model makes of it."""
    if "_converters" not in model.__dict__ or model._converters is None:
        found = {f.alias or n: _converter(f.annotation) for n, f in model.model_fields.items()}
        model._converters = {name: how for name, how in found.items() if how != (False, None)}
    converters = model._converters
    if converters.keys().isdisjoint(data):
        return data
    return {**data, **{key: _converted(data[key], converters[key]) for key in converters.keys() & data.keys()}}


def _converter(annotation: Any) -> tuple[bool, type | None]:
    """Whether a field of that type takes a tuple, and which scalar it takes."""
    options = [annotation, *get_args(annotation)]
    several = any(get_origin(a) is tuple for a in options)
    scalar = next((t for t in (bool, int, float) if t in options), None)
    return several, scalar


def _converted(value: Any, how: tuple[bool, type | None]) -> Any:
    several, scalar = how
    if several and isinstance(value, list):
        return tuple(value)
    if scalar is not None and isinstance(value, Filled):
        words = {"true": True, "false": False}
        if scalar is bool:
            return words.get(value.lower(), value)
        try:
            return scalar(value)
        except ValueError:
            return value
    return value


When = Literal["dead", "recovered", "sick", "unstable", "maintenance"]


class NotifierOptions(Strict):
    """Keys common to all notifiers; a channel subclasses it in its own file."""

    type: str
    """Kind of the notifier: how people are told."""
    id: Id = ""
    """Stable name, for `notify-test` and the log; made from the type when absent."""
    on: tuple[When, ...] = ("dead", "recovered")
    """What to tell: dead, recovered, sick, unstable, and maintenance when announced work begins and ends."""
    services: tuple[str, ...] = ()
    """Only these services; empty: all."""
    reminders_only: bool = False
    """Tell nothing but reminders: for a second line that is woken when the first does not react."""
    enabled: bool = True
    """Set to false to keep the entry without using it."""

    @property
    def devices_of(self) -> tuple[str, ...]:
        """Ids of the operators each of whose devices gets a message of its own; empty: one message reaches all at once."""
        return ()


@dataclass(frozen=True)
class Rooms:
    """What the plug rooms offer to the configuration; the mappings may load a kind only when it is asked for."""

    probes: Mapping[str, type[Strict]] = field(default_factory=dict)
    """Option model by probe kind: the tables a node may have."""
    channels: Mapping[str, type[NotifierOptions]] = field(default_factory=dict)
    """Option model by notifier type."""
    schemes: Mapping[str, str] = field(default_factory=dict)
    """URL scheme → probe kind that answers to it."""
    check: Callable[[str, str], None] | None = None
    """(probe kind, address) → ValueError with a sentence when the kind cannot look there; None: not asked."""

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Names of the probe kinds."""
        return frozenset(self.probes)
