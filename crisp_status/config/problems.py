"""A problem of the configuration as one sentence for people: where, what is wrong, what was expected, the nearest name."""

from __future__ import annotations

import datetime
import operator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.addresses import masked
from crisp_status.config.strict import Filled
from crisp_status.log import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crisp_status.config.locate import Path

SHOWN_MAX: Final = 60
"""Characters of a wrong value that are shown; more would push the sentence off the line."""

NAMES_MAX: Final = 12
"""Right names that are listed when none is near."""


class RedactedValue:
    """A wrong value of a secret key: of what kind and how long it is, and nothing more."""

    def __init__(self, value: Any) -> None:
        self.kind = kind(value)
        self._length = len(value) if hasattr(value, "__len__") else 0

    def __len__(self) -> int:
        return self._length


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `str` is the line for people."""

    file: str
    text: str
    path: str = ""
    line: int = 0
    """From 1; 0: the file as a whole."""
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return printable(f"{place}: {self.path}: {self.text}" if self.path else f"{place}: {self.text}")


class ConfigError(Exception):
    """The configuration cannot be used. `problems` are all of them, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Fault:
    """A problem that has a path and not yet a place."""

    path: Path
    text: str


def written(path: Path) -> str:
    """`services[1].nodes[0]`, with keys that need it in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part and all(c.isascii() and (c.isalnum() or c in "_-") for c in part)
            text += ("." if text else "") + (part if bare else f'"{part}"')
    return text


def shown(value: Any) -> str:
    """A wrong value as the file has it, short, without passwords. What came out of `${…}` stays hidden."""
    if isinstance(value, RedactedValue):
        return f"{value.kind} that stands there"
    if isinstance(value, Filled):
        return "what ${…} stands for"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = masked(value).replace("\n", "\\n")
        return f'"{text}"' if len(text) <= SHOWN_MAX else f'"{text[: SHOWN_MAX - 1]}…"'
    return str(value)


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "yes/no value"),
    (int, "number"),
    (float, "number"),
    (str, "text"),
    (list, "array"),
    (tuple, "array"),
    (dict, "table"),
    (datetime.datetime, "date and time"),
    (datetime.date, "date"),
    (datetime.time, "time"),
)


def kind(value: Any) -> str:
    """What sort of TOML value that is."""
    return next((f"the {name}" for t, name in _KINDS if isinstance(value, t)), "something else")


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """`did you mean "color"?`, else the names there are, else nothing."""
    right = sorted(set(names))
    lower = {n.lower().replace("-", "_"): n for n in right}
    close = get_close_matches(name.lower().replace("-", "_"), lower, n=1, cutoff=cutoff)
    if close:
        return f'did you mean "{lower[close[0]]}"?'
    if not right:
        return ""
    more = f" and {len(right) - NAMES_MAX} more" if len(right) > NAMES_MAX else ""
    return f"known here: {', '.join(right[:NAMES_MAX])}{more}"


_TYPES: Final[Mapping[str, str]] = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "an array",
    "list_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "datetime_type": "a date and time, as in 2026-12-01T22:00:00Z",
    "date_type": "a date, as in 2026-12-01",
}

_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def sentence(error: Mapping[str, Any]) -> str:
    """What pydantic found, in our words. Unknown keys are the caller's business: it knows the right names."""
    code, value, context = str(error["type"]), error["input"], error.get("ctx", {})
    if code == "missing":
        return "is missing"
    if code in _TYPES:
        hint = f"; write [{shown(value)}]" if code == "tuple_type" and type(value) is str else _duration(code, value)
        return f"expected {_TYPES[code]}, got {_got(value)}{hint}"
    if code in _BOUNDS:
        key, word = _BOUNDS[code]
        return f"expected a number {word} {_number(context[key])}, got {shown(value)}"
    if code == "literal_error":
        near = nearest(str(value), _literals(context))
        return f"expected {context['expected']}, got {shown(value)}" + (f"; {near}" if near.startswith("did") else "")
    if code == "string_pattern_mismatch":
        return f"{shown(value)} is not a valid id: letters, digits, dot, dash and underscore, up to 64, starting with a letter or digit"
    if code in {"string_too_short", "too_short"}:
        return _length("at least", context["min_length"], value, code)
    if code in {"string_too_long", "too_long"}:
        return _length("at most", context["max_length"], value, code)
    if code == "finite_number":
        return f"expected a finite number, got {shown(value)}"
    if code == "value_error":
        return str(context["error"])
    text = str(error["msg"])
    return text[:1].lower() + text[1:]


_COMPARE: Final = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


def out_of_bounds(value: Any, limits: Mapping[str, float]) -> str:
    """The sentence for a number outside of `gt`, `ge`, `lt`, `le`; "" for a good one, and for what is not a number."""
    number = value
    if isinstance(value, Filled):
        with suppress(ValueError):
            number = float(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return ""
    for key, word in _BOUNDS.values():
        if key in limits and not _COMPARE[key](number, limits[key]):
            return f"expected a number {word} {_number(limits[key])}, got {shown(value)}"
    return ""


def _got(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        return kind(value).replace("the ", "an " if isinstance(value, list | tuple) else "a ")
    return shown(value) if isinstance(value, Filled | RedactedValue) else f"{kind(value)} {shown(value)}"


def _number(value: Any) -> str:
    """A limit as people write it: 2592000 and 0.5, not 2.592e+06."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _literals(context: Mapping[str, Any]) -> list[str]:
    return str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")


def _length(word: str, limit: int, value: Any, code: str) -> str:
    unit = "character" if code.startswith("string") or isinstance(value, RedactedValue) else "item"
    count = len(value) if hasattr(value, "__len__") else 0
    plural = "" if limit == 1 else "s"
    if not count and limit == 1:
        return "must not be empty"
    return f"expected {word} {limit} {unit}{plural}, got {count}"


_UNITS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _duration(code: str, value: Any) -> str:
    """Help for those who write "2m" where seconds are meant."""
    if code not in {"float_type", "int_type"} or not isinstance(value, str) or isinstance(value, Filled):
        return ""
    digits = value.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = value[len(digits) :].strip()
    if not digits.replace(".", "", 1).isdigit() or unit not in {"", *_UNITS}:
        return ""
    return f"; write {float(digits) * _UNITS.get(unit, 1):g} (no quotes{', in seconds' if unit else ''})"
