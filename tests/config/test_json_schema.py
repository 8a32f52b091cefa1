"""What is said about the configuration is what the configuration is: schema, reference, example."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli

from crisp_status import kinds
from crisp_status.config.json_schema import descriptions, json_schema
from crisp_status.config.load import load
from crisp_status.config.model_errors import inner, keys_of
from crisp_status.config.problems import ConfigError
from crisp_status.config.root import Config
from crisp_status.probes._connection import FamilyOptions, TlsOptions

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")
UNCOMMENTED = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)


def tables(model: Any, path: str) -> list[tuple[str, Any]]:
    """Every table of the file with its model."""
    found = [(path, model)]
    for name, field in keys_of(model).items():
        below = inner(field.annotation)
        if below is not None and name not in {"replicas", "scripts", "notifiers"}:
            found += tables(below, f"{path}.{name}".lstrip("."))
    rooms = kinds.rooms()
    if path == "services.nodes":
        found += [(f"{path}.{kind}", model) for kind, model in rooms.probes.items() if model.model_fields]
    return found


def plain(text: str) -> Any:
    """A document as JSON has it: times are texts."""
    return json.loads(json.dumps(tomli.loads(text), default=lambda time: time.isoformat()))


def in_example(path: str) -> set[str]:
    """Keys that the example shows, on or off, in tables of that name."""
    here: set[str] = set()
    for block in re.split(r"^(?=\[)", UNCOMMENTED, flags=re.MULTILINE)[1:]:
        if block.partition("]")[0].strip("[]") == path:
            here |= set(re.findall(r"^([a-z_]+) *=", block, flags=re.MULTILINE))
    return here


@pytest.mark.parametrize(("path", "model"), tables(Config, "")[1:])
def test_the_example_shows_every_key_with_a_line_of_help(path: str, model: Any) -> None:
    """A key that is not in the example does not exist for people. What all connections have stands at http."""
    common = set(keys_of(TlsOptions)) if issubclass(model, FamilyOptions) and path != "services.nodes.http" else set()
    hidden = common | {
        key for key, field in keys_of(model).items() if inner(field.annotation) and key not in {"replicas", "scripts"}
    }

    assert set(keys_of(model)) - hidden <= in_example(path)


@pytest.mark.parametrize("kind", [name for name in kinds.rooms().channels if name != "webhook"])
def test_the_example_shows_every_key_of_every_notifier(kind: str) -> None:
    """Each type has its entry; the common keys stand at the first."""
    common = {"id", "on", "services", "reminders_only", "enabled"}
    entries = tomli.loads(UNCOMMENTED)["notifiers"]

    shown = {key for entry in entries if entry["type"] == kind for key in entry}

    assert set(keys_of(kinds.rooms().channels[kind])) - common <= shown


def test_the_example_runs_as_it_is(tmp_path: Path) -> None:
    """With no environment at all; and it watches itself over HTTP, TCP and ICMP."""
    loaded = load(ROOT / "config.example.toml", kinds.rooms(), {})

    urls = [r.url for s in loaded.services for n in s.nodes for r in n.replicas]
    assert [u.partition(":")[0] for u in urls] == ["http", "tcp", "icmp"]
    assert all("127.0.0.1" in url for url in urls)
    assert loaded.server.listen == ("127.0.0.1:8080",)
    assert loaded.notifiers == ()


def test_every_key_that_is_off_in_the_example_can_be_turned_on(tmp_path: Path) -> None:
    """Without its `#` it is right, but for files that are not there and what needs another key."""
    file = tmp_path / "config.toml"
    file.write_text(UNCOMMENTED, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(file, kinds.rooms(), {}, scripts=True)

    allowed = (
        "branding",
        "own-ca.pem",
        "body is sent with method",
        "apprise",
        "with [tls] the page",
        "nothing listens for HTTPS",
        'it needs a "bucket", too',
    )
    assert [str(p) for p in caught.value.problems if not any(word in str(p) for word in allowed)] == []


def test_the_example_has_the_defaults() -> None:
    """Where a key of a plain table is on, it has its default, so that the file documents it."""
    written = tomli.loads(EXAMPLE)
    special = {"page.name", "page.url", "page.company", "server.reporter_token", "server.manager_token"}
    for path, model in tables(Config, "")[1:]:
        if isinstance(written.get(path), dict):
            for key, value in written[path].items():
                field = keys_of(model)[key]
                if f"{path}.{key}" not in special and inner(field.annotation) is None:
                    default = field.get_default(call_default_factory=True, validated_data={})
                    assert value == (list(default) if isinstance(default, tuple) else default), f"{path}.{key}"


def test_every_key_has_a_line_of_help() -> None:
    """The text below it in the code is what editors and the reference show."""
    for path, model in tables(Config, ""):
        assert set(keys_of(model)) <= set(descriptions(model)), path


def test_the_schema_takes_what_the_loader_takes() -> None:
    """The example, as it is and with everything turned on, is valid; mistakes are not."""
    schema = json_schema(kinds.rooms())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    assert [e.message for e in validator.iter_errors(plain(EXAMPLE))] == []
    assert [e.message for e in validator.iter_errors(plain(UNCOMMENTED))] == []
    for wrong in (
        '[page]\nname = "A"\nurl = "http://a/"\ncolour = "red"',
        "[poll]\ninterval = 0",
        '[[notifiers]]\ntype = "slak"',
        '[[services]]\nname = "A"\n[[services.nodes]]\nname = "B"\nmode = "pol"',
        '[[services]]\nname = "A"\n[[services.nodes]]\nname = "B"\n[services.nodes.http]\nhealty_above = 3',
    ):
        assert not validator.is_valid(plain(wrong)), wrong


def test_the_reference_is_up_to_date() -> None:
    """`python packaging/configuration_page.py` writes it; forgetting that is a failing test."""
    path = ROOT / "packaging" / "configuration_page.py"
    spec = importlib.util.spec_from_file_location("configuration_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    for name, text in module.files().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"run python {path.relative_to(ROOT)}"
