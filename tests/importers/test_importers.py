"""What holds for every import: the contract, hostile files, what is already there, whose file it is."""

from __future__ import annotations

import datetime
import inspect
import json
import os
import random
import sqlite3
import warnings

import pytest
import tomli
from click.testing import CliRunner

from crisp_status import kinds
from crisp_status.cli import commands
from crisp_status.importers import Draft, ImportFailed, Source, settle
from crisp_status.importers._notifiers import ADDRESSES
from tests import house
from tests.importers.brought import FIXTURES, database

SAMPLES = {
    "gatus": "gatus/config.yaml",
    "healthchecks": "healthchecks/checks.json",
    "statuspage": "statuspage/summary.json",
    "uptime_kuma": "uptime-kuma/backup.json",
    "vigil": "vigil/config.cfg",
}

ODD = [
    None,
    True,
    -1,
    1e308,
    "",
    "\x00\x1b[31m",
    "${",
    "$$",
    "${UNSET}",
    "a" * 5000,
    [],
    [[]],
    {},
    {"a": {}},
    "2026-13-45",
    [1, "b"],
]


@pytest.mark.parametrize("name", kinds.importers())
def test_an_import_keeps_its_contract(name):
    """A title, a look at first bytes, a reading into a draft, a page on moving, and a file that it is tried with."""
    kind = kinds.importers()[name]

    assert kind.TITLE
    assert list(inspect.signature(kind.recognises).parameters) == ["head"]
    assert list(inspect.signature(kind.read).parameters) == ["files", "draft"]
    assert (house.ROOT / "docs" / f"move-from-{name.replace('_', '-')}.md").exists()
    assert name in SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_each_recognises_its_own_file_and_no_other(name):
    """Whose file it is, is never in doubt; ours, and nobody's, belong to none of them."""
    head = (FIXTURES / SAMPLES[name]).read_bytes()

    assert [n for n, kind in kinds.importers().items() if kind.recognises(head)] == [name]


@pytest.mark.parametrize(
    "content", [b"", b"[page]\nname = 'A'\n[[services]]\n", b"endpoints = 3", b'{"page": 1}', b"\xff" * 100]
)
def test_nobody_claims_what_is_not_theirs(content):
    """Our own file, an empty one and rubbish are no other program's."""
    assert not any(kind.recognises(content) for kind in kinds.importers().values())


def test_check_says_whose_file_it_is(tmp_path):
    """`check` on another program's file names the program, the command and the page, as text and as JSON."""
    files = {name: FIXTURES / sample for name, sample in SAMPLES.items()} | {"uptime_kuma": database(tmp_path)}
    for name, path in files.items():
        program = name.replace("_", "-")
        result = CliRunner().invoke(commands, ["check", "-c", str(path)])
        as_json = CliRunner().invoke(commands, ["check", "--json", "-c", str(path)])

        assert result.exit_code == as_json.exit_code == 2
        assert f"this is a file of {kinds.importers()[name].TITLE}, not of crisp-status" in result.output
        assert f"crisp-status import {program} {path}" in result.output
        assert f"docs/move-from-{program}.md" in json.loads(as_json.output)["problems"][0]["text"]


def test_nothing_is_overwritten(bring, tmp_path):
    """A configuration or secrets that are there stay as they are, and nothing is half written."""
    (tmp_path / "config.secrets").mkdir()
    first = bring("vigil", "vigil/config.cfg")
    (tmp_path / "config.secrets").rmdir()
    (tmp_path / "config.toml").write_text("mine")
    second = bring("vigil", "vigil/config.cfg")

    assert (first.code, second.code) == (2, 2)
    assert "is there already and stays as it is" in first.said
    assert (tmp_path / "config.toml").read_text() == "mine"
    assert not (tmp_path / "config.secrets").exists()


def test_json_for_scripts(bring):
    """--json has what was written, and each remark in its parts."""
    said = json.loads(bring("vigil", "vigil/config.cfg", options=("--json",)).said)

    assert said["written"].endswith("config.toml")
    assert {"changed", "lost"} == {remark["kind"] for remark in said["remarks"]}
    assert any(remark["where"] == "[notify.xmpp]" and remark["instead"] for remark in said["remarks"])


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("missing", "there is no such file"), ("", "is a folder; expected a file"), ("pipe", "is a pipe or a device")],
)
def test_files_that_cannot_be_read(bring, tmp_path, path, sentence):
    """A missing file, a folder and a pipe are said at once, and nothing is written."""
    os.mkfifo(tmp_path / "pipe")

    moved = bring("healthchecks", tmp_path / path)

    assert moved.code == 2
    assert sentence in moved.said


def test_apprise_takes_every_address_that_is_made():
    """Each way to tell through Apprise makes an address that Apprise itself understands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its plugins import what Python will lose
        import apprise

        apprise.Apprise.instantiate("json://localhost")

    fields = {
        "apprise": {"url": "ntfys://ntfy.sh/a"},
        "discord": {"url": f"https://discord.com/api/webhooks/123456789012345678/{'a' * 68}"},
        "google-chat": {"url": "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=KEY&token=TOKEN"},
        "teams": {
            "url": "https://prod-01.westeurope.logic.azure.com/workflows/abc/triggers/manual/paths/invoke?api-version=2016-06-01&sig=x"
        },
        "matrix": {"url": "https://matrix.org:8448", "token": "syt/token", "room": "!abc:matrix.org"},
        "ntfy": {"url": "https://ntfy.acme.example/", "topic": "a", "user": "me", "password": "p@ss"},
        "signal": {"url": "http://127.0.0.1:8080", "from": "+33611111111", "to": "+33622222222,+33633333333"},
        "twilio": {"sid": f"AC{'0' * 32}", "token": "0" * 32, "from": "+15551234567", "to": "+33611111111"},
        "zulip": {"bot": "bot-name@acme.zulipchat.com", "token": "a" * 32, "stream": "status"},
        "telegram": {"token": "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqq0", "chat": "-100123"},
        "mattermost": {"url": "https://chat.acme.example/hooks/abcdefghijklmnopqrstuvwxyz", "channel": "#ops"},
        "rocket-chat": {"url": "https://chat.acme.example/hooks/AbCdEf/GhIjKl"},
        "line": {"token": "abc", "to": "U0123"},
        "pushbullet": {"token": "o.abcdefghijklmnop"},
        "opsgenie": {"token": "8b799edf-6f98-4d3a-9be7-2862fb4e5752", "region": "eu"},
        "pushy": {"key": "apikey", "token": "device"},
        "pushdeer": {"key": "pushKey"},
        "gotify": {"url": "https://push.acme.example/sub", "token": "AbCdEfG.hIjKlMn"},
        "home-assistant": {"url": "https://ha.acme.example", "token": "token.abc.def"},
        "webex": {"token": "NzY5.YTg4", "room": "room-1"},
    }

    assert set(fields) == set(ADDRESSES)
    for service, given in fields.items():
        assert apprise.Apprise.instantiate(ADDRESSES[service](given)) is not None, service


def mutated(value, chance, odds):
    """The value with a few of its parts replaced by what does not belong there."""
    if chance.random() < odds:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {key: mutated(item, chance, odds) for key, item in value.items()}
    if isinstance(value, list):
        return [mutated(item, chance, odds) for item in value]
    return value


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", SAMPLES)
def test_hostile_files_are_refused_or_carried_over_validly(name, seed, tmp_path):
    """Whatever stands in a file: one sentence, or a configuration that our check takes."""
    import tomli_w
    import yaml

    chance = random.Random(f"{name} {seed}")
    path = FIXTURES / SAMPLES[name]
    text = path.read_text("utf-8")
    loaded = tomli.loads(text) if name == "vigil" else yaml.safe_load(text) if name == "gatus" else json.loads(text)
    odds = 0.02 if seed % 2 else 0.002
    changed = mutated(loaded, chance, odds)
    file = tmp_path / "file"
    dump = {"vigil": lambda v: tomli_w.dumps(strip(v)), "gatus": yaml.safe_dump}.get(name, json.dumps)
    file.write_text(dump(changed if isinstance(changed, dict) else loaded), "utf-8")
    draft = Draft(datetime.date(2026, 11, 30), frozenset(kinds.scheme_owner()), everything=True)

    refused_or_valid(name, file, draft)


def refused_or_valid(name, path, draft):
    """Read a file into the draft: an exception of any other sort fails the test, and so does what is not valid."""
    try:
        kinds.importers()[name].read([Source(path)], draft)
    except ImportFailed:
        return
    draft.section("page").setdefault("url", "https://a.example/")
    assert settle(draft, kinds.rooms(), {}) == []


def strip(value):
    """TOML has no null."""
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items() if item is not None}
    return [strip(item) for item in value if item is not None] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(10))
def test_hostile_databases_are_carried_over_validly(seed, tmp_path):
    """The same for the database, whose columns may hold anything, since SQLite does not care."""
    chance = random.Random(seed)
    path = database(tmp_path)
    with sqlite3.connect(path) as connection:
        for table in ("monitor", "notification", "status_page", "maintenance", "incident", "monitor_group"):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
            for column in chance.sample(columns, min(4, len(columns))):
                odd = chance.choice(["", "\x00", "[", "{}", "${", "x" * 3000, -1, 1e300, b"\xff\x00", '["a"]', "null"])
                connection.execute(
                    f"UPDATE OR IGNORE {table} SET {column} = ? WHERE id % 2 = ?", [odd, chance.randrange(2)]
                )
    connection.close()
    draft = Draft(datetime.date(2026, 11, 30), frozenset(kinds.scheme_owner()), everything=bool(seed % 2))

    refused_or_valid("uptime_kuma", path, draft)
