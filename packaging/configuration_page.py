"""Write the reference of the configuration in docs/ from the models: python packaging/configuration_page.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = "docs/config.schema.json"

PAGES = {
    "docs/configuration.md": (
        "page server tls console templates services poll push local script witness announcements metrics publish agent"
    ),
    "docs/configuration-notices.md": "notify notifiers operators webhooks subscribers embed",
    "docs/configuration-probes.md": "services.nodes",
}
"""Which tables are on which page, in the order of reading."""

HEAD = """\
# Configuration

One TOML file. `crisp-status init` writes a first one, `crisp-status check` tells everything that is wrong with it at
once, with line and column, and `config.example.toml` shows every key at work. It is looked for in this order: `-c FILE`,
`$CRISP_STATUS_CONFIG`, `./config.toml`, `/etc/crisp-status/config.toml`.

- All times are in **seconds**; all paths are relative to the file.
- **Ids** are made from names when you leave them out. They are part of report URLs and of the history: give one before
  you change a name. Letters, digits, dot, dash and underscore, up to 64.
- `${VAR}` is an environment variable and `${VAR:-text}` one with a default; `${file:/path}` is the content of a file
  without its last line break; `${credential:name}` is a credential of systemd (`LoadCredential=`). A missing one is an
  error that names it. `$${` is a plain `${`. Texts of `scripts` are left alone: there `${…}` is the shell's own.
- No text may have a control character in it (`\\u0000` and so on), but tabs and line breaks.
- **Secrets** (tokens, passwords, hook addresses, header values) never show in logs, errors or JSON. Best keep them out of
  the file altogether, in `${credential:…}` or `${file:…}`.
- **Changes** are taken over with SIGHUP, or by themselves with `watch = true`: a file with a mistake changes nothing.
- **Your editor** completes and checks it: `crisp-status schema > config.schema.json`, and as the first line of your file
  `#:schema ./config.schema.json` (Tombi, Even Better TOML).

Whom to tell, and when, is on its own page: [notices](configuration-notices.md). So are the options of
[probes](configuration-probes.md), as in `[services.nodes.http]`.
"""

NOTICES_HEAD = """\
# Configuration of notices

When people are told, and how. The rest is in [configuration](configuration.md); how to get the keys of each service is in
[notifiers](notifiers/).
"""

PROBES_HEAD = """\
# Configuration of probes

Tables of a node with the options of how its replicas are looked at, one for each kind of address. [How we look](probes.md) says
what each kind does; the rest of the keys is in [configuration](configuration.md).
"""

FOOT = "Made by `python packaging/configuration_page.py`; edit the models in `crisp_status/config/` instead.\n"

AFTER = {
    "services.nodes": """\
A key of another mode is an error: it would have no effect. Addresses of replicas: `https://…`, `http://…`,
`tcp://host:port`, `icmp://host`, `ssh://host`, `dns://server/name`, `tls://host:port`, `wss://host/path`, `postgres://host` and
[others](probes.md).
""",
    "notifiers": """\
Each `[[notifiers]]` has these keys, and those of its type.
""",
}


def files() -> dict[str, str]:
    """Every file that is made here, by its path, with its text."""
    from crisp_status import kinds
    from crisp_status.config.json_schema import json_schema

    schema = json_schema(kinds.rooms())
    made = {path: _page(names.split(), schema) for path, names in PAGES.items()}
    return {**made, SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"}


def _page(names: list[str], schema: dict[str, Any]) -> str:
    if names == ["services.nodes"]:
        return "\n".join([PROBES_HEAD, *_probes(schema), FOOT])
    parts = [NOTICES_HEAD if "notify" in names else HEAD]
    for name in names:
        section = schema["properties"][name]
        make = _notifiers if name == "notifiers" else _section
        parts += make(name, section, schema["$defs"])
    return "\n".join([*parts, FOOT])


def _section(name: str, section: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """A table of the file, then those inside of it."""
    model, several = _model(section, found)
    if model is None:
        return []
    head = f"[[{name}]]" if several else f"[{name}]"
    inside = {key for key, value in model["properties"].items() if _model(value, found)[0] is not None}
    inside -= {"replicas", "scripts"}
    rows = {**model, "properties": {key: value for key, value in model["properties"].items() if key not in inside}}
    parts = [f"## `{head}`\n", f"{model.get('description', '')}\n", _rows(rows)]
    if name in AFTER:
        parts.append(AFTER[name])
    for key, inner in model["properties"].items():
        if key in inside and name != "services.nodes":  # options of probes have a page of their own
            parts += _section(f"{name}.{key}", inner, found)
    return parts


def _probes(schema: dict[str, Any]) -> list[str]:
    """The tables of a node, one for each kind of probe that has options."""
    found = schema["$defs"]
    service, _ = _model(schema["properties"]["services"], found)
    assert service is not None
    node, _ = _model(service["properties"]["nodes"], found)
    assert node is not None
    tables = {key: value for key, value in node["properties"].items() if key not in {"replicas", "scripts"}}
    parts: list[str] = []
    for key, value in tables.items():
        parts += _section(f"services.nodes.{key}", value, found)
    return parts


def _notifiers(name: str, section: dict[str, Any], found: dict[str, Any]) -> list[str]:
    kinds = [found[branch["$ref"].rpartition("/")[2]] for branch in section["items"]["oneOf"]]
    common = ["type", "id", "on", "services", "reminders_only", "enabled"]
    types = ", ".join(f"`{kind['properties']['type']['const']}`" for kind in kinds)
    first = {**kinds[0], "properties": {key: kinds[0]["properties"][key] for key in common}}
    first["properties"]["type"] = {"description": f"How people are told: {types}."}
    parts = [
        "## `[[notifiers]]`\n",
        "Whom to tell. `crisp-status notify-test` tries them.\n",
        AFTER["notifiers"],
        _rows(first),
    ]
    for kind in kinds:
        own = {key: value for key, value in kind["properties"].items() if key not in common}
        parts += [f'### `type = "{kind["properties"]["type"]["const"]}"`\n', _rows({**kind, "properties": own})]
    return parts


def _model(value: dict[str, Any], found: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The table that a key holds, and whether it may be there several times."""
    several = value.get("type") == "array"
    inner = value.get("items", {}) if several else value
    for branch in (inner, *inner.get("anyOf", ())):
        if "$ref" in branch:
            return found[branch["$ref"].rpartition("/")[2]], several
    return None, several


def _rows(model: dict[str, Any]) -> str:
    required = set(model.get("required", ()))
    lines = ["| key | default | what it is |", "|---|---|---|"]
    for key, value in model["properties"].items():
        default = "**needed**" if key in required else _default(value)
        lines.append(f"| `{key}` | {default} | {_text(value)} |")
    return "\n".join(lines) + "\n"


def _default(value: dict[str, Any]) -> str:
    if "default" not in value:
        return ""
    default = value["default"]
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    if isinstance(default, list) and len(default) > 5:
        return "all"
    text = json.dumps(default, ensure_ascii=False).replace("|", "\\|")
    return "" if "***" in text else f"`{text}`"


def _text(value: dict[str, Any]) -> str:
    text = value.get("description", "").replace("|", "\\|")
    choices = value.get("enum", ())
    if choices and len(choices) <= 6 and not all(str(choice) in text for choice in choices):
        text += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    low, high = value.get("minimum", value.get("exclusiveMinimum")), value.get("maximum")
    if low is not None and high is not None:
        word = "Above" if "exclusiveMinimum" in value else "From"
        text += f" {word} {low:,.9g} to {high:,.9g}."
    return text


def main() -> None:
    """Write them."""
    sys.path.insert(0, str(ROOT))
    for path, text in files().items():
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
