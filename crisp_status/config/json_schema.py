"""The configuration described for editors: JSON Schema (2020-12), with every key's line of help."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from crisp_status.config.root import Config
from crisp_status.config.strict import Strict

if TYPE_CHECKING:
    from pydantic import BaseModel

    from crisp_status.config.strict import Rooms


def json_schema(rooms: Rooms) -> dict[str, Any]:
    """The schema of the whole file, the options of all kinds included."""
    schema = _plain(Config)
    found = schema["$defs"]
    node = found["NodeTable"]["properties"]
    del node["options"]
    for key, name in (("replicas", "ReplicaTable"), ("scripts", "Program")):
        node[key]["items"] = {"anyOf": [{"type": "string"}, {"$ref": f"#/$defs/{name}"}]}
    replica = found["ReplicaTable"]["properties"]
    del replica["options"]
    for kind, options in rooms.probes.items():
        if options.model_fields:
            node[kind] = replica[kind] = _added(options, f"{kind}_probe", found)
    kinds = [kind for kind in rooms.channels if kind != "webhook"]
    notifiers = {kind: _added(rooms.channels[kind], f"{kind}_notifier", found) for kind in kinds}
    for kind in kinds:
        found[f"{kind}_notifier"]["properties"]["type"] = {"const": kind, "description": "Kind of the notifier."}
    schema["properties"]["notifiers"]["items"] = {"oneOf": list(notifiers.values())}
    found.pop("NotifierOptions", None)
    found.pop("Strict", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of crisp-status",
        **_tidied(schema),
    }


def _added(model: type[BaseModel], name: str, found: dict[str, Any]) -> dict[str, str]:
    """Put the model of a kind among the definitions; the reference to it."""
    schema = _plain(model, f"#/$defs/{name}_{{model}}")
    for inner, definition in schema.pop("$defs", {}).items():
        found[f"{name}_{inner}"] = definition
    found[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def _plain(model: type[BaseModel], template: str = "#/$defs/{model}") -> dict[str, Any]:
    """What pydantic says of a model, with our lines of help."""
    schema = model.model_json_schema(ref_template=template)
    models = {m.__name__: m for m in _models(model)}
    for name, definition in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        if name in models:
            for key, text in descriptions(models[name]).items():
                if key in definition.get("properties", {}):
                    definition["properties"][key]["description"] = text
    return schema


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and those inside of it."""
    from crisp_status.config.model_errors import inner

    found = [model]
    for field in model.model_fields.values():
        below = inner(field.annotation)
        if below is not None and below is not Strict:
            found += _models(below)
    return found


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The line of help of each key: the text that stands below it in the code; nothing where there is no source."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, Strict) or owner is Strict:
            continue
        aliases = {name: field.alias or name for name, field in owner.model_fields.items()}
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for above, below in pairwise(body):
            if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name) and isinstance(below, ast.Expr):
                value = below.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[aliases.get(above.target.id, above.target.id)] = " ".join(value.value.split())
    return found


def _tidied(schema: Any) -> Any:
    """Without titles that only repeat names, and without defaults that only mean "absent"."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "default" and (value is None or value in ("", {}, [])):
            continue
        tidied[key] = _tidied(value) if key != "properties" else {k: _tidied(v) for k, v in value.items()}
    return tidied
