"""What the models found wrong, turned into faults: paths as written, right names for unknown keys, no secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, SecretStr

from crisp_status.config.problems import Fault, RedactedValue, nearest, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

    from crisp_status.config.locate import Path


def faults_of(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    prefix: Path = (),
    extra: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Fault]:
    """One fault for each thing that is wrong. `extra` gives keys that a model has beside its fields."""
    found: dict[Path, Fault] = {}
    for item in error.errors(include_url=False):
        if item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]:
            continue  # pydantic counts only the items that are right; what is wrong with the others is said anyhow
        path = _as_written(item["loc"], data, missing=item["type"] in {"missing", "extra_forbidden"})
        owner, field = _field_at(model, path)
        if item["type"] == "extra_forbidden":
            text = _unknown(str(path[-1]), owner, model, extra or {})
        else:
            shown: dict[str, Any] = {**item}
            if field is not None and _secret(field.annotation):
                shown["input"] = RedactedValue(item["input"])
            text = sentence(shown) + _brackets(item, path)
        # The branches of a union say the same thing several times.
        found.setdefault((*prefix, *path), Fault((*prefix, *path), text))
    return list(found.values())


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys that people write for a model."""
    return {field.alias or name: field for name, field in model.model_fields.items() if not field.exclude}


def inner(annotation: Any) -> type[BaseModel] | None:
    """The model inside of an annotation, as in `tuple[Node, ...]` or `Agent | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(inner, get_args(annotation)) if m is not None), None)


def _as_written(loc: Path, data: Any, *, missing: bool) -> Path:
    """The part of a location that the file really has: what pydantic adds (names of branches) is dropped."""
    for depth, part in enumerate(loc):
        in_array = isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        if in_array or (isinstance(data, dict) and part in data):
            data = data[part]
        elif missing and isinstance(data, dict):
            return loc[: depth + 1]
        else:
            return loc[:depth]
    return loc


def _field_at(model: type[BaseModel], path: Path) -> tuple[type[BaseModel], FieldInfo | None]:
    """The model that a path ends in, and its field; None for a key that it has not."""
    field: FieldInfo | None = None
    here: type[BaseModel] | None = model
    owner = model
    for part in path:
        if isinstance(part, int):
            continue
        if here is None:
            break
        owner = here
        field = keys_of(owner).get(part)
        here = inner(field.annotation) if field is not None else None
    return owner, field


def _secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_secret(a) for a in get_args(annotation))


def _unknown(key: str, owner: type[BaseModel], root: type[BaseModel], extra: Mapping[str, tuple[str, ...]]) -> str:
    """An unknown key: a slip of the pen, a key of another table, or nothing we know."""
    known = [*keys_of(owner), *extra.get(owner.__name__, ())]
    near = nearest(key, known)
    if near.startswith("did"):
        return f"unknown key; {near}"
    elsewhere = list(_elsewhere(root))
    homes = [home for name, home in elsewhere if name == key]
    if homes:
        return f"unknown key here; it belongs in {' or '.join(homes)}"
    close = nearest(key, (name for name, _ in elsewhere), cutoff=0.8)
    if close.startswith("did"):
        home = next(home for name, home in elsewhere if f'"{name}"' in close)
        return f"unknown key here; {close.rstrip('?')} in {home}?"
    return f"unknown key; {near}".rstrip("; ")


def _elsewhere(root: type[BaseModel], above: str = "") -> Iterator[tuple[str, str]]:
    """Every key of every table below, with its table, as `[server]` or `[[services.nodes]]`."""
    for name, field in keys_of(root).items():
        model = inner(field.annotation)
        if model is None:
            continue
        path = f"{above}.{name}".lstrip(".")
        home = f"[[{path}]]" if "tuple" in str(field.annotation) else f"[{path}]"
        yield from ((key, home) for key in keys_of(model) if key not in {"id", "name", "url"})
        yield from _elsewhere(model, path)


def _brackets(item: Mapping[str, Any], path: Path) -> str:
    """Help with the brackets of TOML, the most usual slip."""
    name = ".".join(str(p) for p in path if isinstance(p, str))
    if item["type"] == "tuple_type" and isinstance(item["input"], dict):
        return f"; write [[{name}]], as there may be several"
    if item["type"] == "model_type" and isinstance(item["input"], list | tuple):
        return f"; write [{name}], as there is only one"
    return ""
