"""The form of a notifier or web hook, made from the option model of its kind: a new kind has one without a line here.

Laws
- A secret is never shown; a field that is left empty keeps it.
- What was not changed in the form keeps the words of the file, references to variables included.
- Keys that name files are changed in the file only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import SecretStr

from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic.fields import FieldInfo

    from crisp_status.config.strict import Strict

LISTED: Final = ("on", "services", "operators")
"""Keys whose values are chosen from a list."""

OWN: Final = ("type", "enabled")
"""Keys that have a place of their own in the form."""


class Field(NamedTuple):
    """One key in a form."""

    key: str
    kind: Literal["text", "lines", "number", "choice", "switch", "list"]
    value: Any
    """As it is shown: marks in place of secrets, and nothing at all for a field that is one."""
    required: bool
    secret: bool
    present: bool
    """The file has a value."""
    choices: tuple[str, ...] = ()


def fields(model: type[Strict], shown: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]) -> list[Field]:
    """The form of one entry; `known` has the choices of `LISTED`."""
    found = []
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key not in OWN and not key.endswith("_file"):
            found.append(_field(key, info, shown, known))
    # What must be filled in first, then what usually is as it is.
    return sorted(found, key=lambda f: not f.required)


def _field(key: str, info: FieldInfo, shown: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]) -> Field:
    leaves = list(_leaves(info.annotation))
    several = get_origin(info.annotation) is tuple
    secret = SecretStr in leaves
    value = shown.get(key, info.default if key in LISTED and not info.is_required() else None)
    required, present = info.is_required(), key in shown
    if key in LISTED:
        choices = known.get(key, ()) or tuple(c for leaf in leaves for c in get_args(leaf))
        return Field(key, "list", list(value or ()), required, secret, present, choices)
    if several:
        lines = [] if secret else [str(line) for line in value or ()]
        return Field(key, "lines", "\n".join(lines), required, secret, present)
    if bool in leaves:
        return Field(key, "switch", shown.get(key, info.default), required, secret, present)
    literal = next((leaf for leaf in leaves if get_origin(leaf) is Literal), None)
    if literal is not None:
        return Field(key, "choice", shown.get(key, ""), required, secret, present, get_args(literal))
    number = int in leaves or float in leaves
    text = "" if secret or value is None else str(value)
    return Field(key, "number" if number else "text", text, required, secret, present)


def _leaves(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif get_args(annotation):
        for part in get_args(annotation):
            yield from _leaves(part)
    else:
        yield annotation


def values(
    form: list[Field], sent: Callable[[str], list[str]], before: Mapping[str, Any], number: Callable[[str, str], Any]
) -> dict[str, Any]:
    """What a form changes: None takes a key away. `sent` gives the values of a key, `before` is the entry of the file."""
    found: dict[str, Any] = {}
    for field in form:
        given = [text for text in sent(field.key) if text]
        if field.kind == "list":
            _listed(field, given, found)
        elif field.kind == "switch":
            if bool(given) != field.value:
                found[field.key] = bool(given)
        elif field.secret and not given:
            continue
        elif field.kind == "lines":
            lines = [line.strip() for text in given for line in text.split("\n") if line.strip()]
            if field.secret or "\n".join(lines) != field.value:
                found[field.key] = _entries_of(lines, field, before.get(field.key)) or None
        elif not given:
            if field.present:
                found[field.key] = None
        elif given[-1] != field.value:
            found[field.key] = number(given[-1], field.key) if field.kind == "number" else given[-1]
    return found


def _listed(field: Field, given: list[str], found: dict[str, Any]) -> None:
    chosen = [choice for choice in field.choices if choice in given]
    # An id that the form does not offer, as of a service that a variable names, stays.
    chosen += [one for one in field.value if one not in field.choices]
    if field.key == "on" and not chosen:
        raise Refused(400, f"Choose what it tells: at least one of {', '.join(field.choices)}.")
    if set(chosen) != set(field.value):
        found[field.key] = chosen or None


def _entries_of(lines: list[str], field: Field, before: Any) -> list[Any]:
    """The lines, where each that was shown is the entry of the file that it stands for."""
    shown = field.value.split("\n") if field.value else []
    entries = before if isinstance(before, list) and len(before) == len(shown) else shown
    known = dict(zip(shown, entries, strict=True))
    return [known.get(line, line) for line in lines]
