"""Folders that older versions wrote start in this one: everything is kept, and nothing is sent twice.

A folder of tests/upgrade is what one format looked like on disk, with `expected.json` beside it: what the version that
wrote it said of it. README.md there says how each was made, and that none is ever changed.
"""

import asyncio
import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.agent import Agent
from crisp_status.config.load import load
from crisp_status.core.model import STATE_VERSION
from crisp_status.store.state_folder import read_only
from tests.daemon import started
from tests.fakes import FakeClock
from tests.receivers import HttpReceiver, Reply, SmtpReceiver

FOLDERS = sorted((Path(__file__).parent / "upgrade").glob("v*"))

OWED = ("id", "notifier", "target", "kind", "incident", "created_at")
"""What stays of a message that is owed, however often it was tried."""


RECEIVERS = {"SLACK_HOOK": "slack", "SLACK_HOOK_2": "slack-2", "WEB_HOOK": "webhook", "WEB_HOOK_2": "webhook-2"}
"""By the variable that says where it is: who stands in messages by an id that the program made."""


def test_every_older_format_has_a_folder():
    """A format that was ever written is tried for ever: raising `STATE_VERSION` means adding a folder of the old one."""
    assert {f"v{number}" for number in range(1, STATE_VERSION)} <= {folder.name for folder in FOLDERS}


@dataclass
class Old:
    """A copy of one folder, and what was true of it when it was written."""

    folder: Path
    expected: dict[str, Any]

    @property
    def state(self):
        return self.folder / "state"

    def started(self, later=0.0, **environ):
        """The daemon of today in it, at a clock that stands still. Without `environ` nobody can be reached."""
        return started(self.folder / "config.toml", FakeClock(self.expected["at"] + later), environ)

    def journaled(self):
        """Every event behind the newest snapshot, as it stands in the file."""
        first = max(head["next"] for head in heads(self.state, "snapshot").values())
        lines = [json.loads(line) for name in heads(self.state, "journal") for line in body(self.state / name)]
        return [line["e"] for line in lines if line["n"] >= first]


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def old(request, tmp_path):
    """Each folder in turn, copied."""
    folder = tmp_path / "old"
    shutil.copytree(request.param, folder)
    (folder / "state").chmod(0o700)
    return Old(folder, json.loads((folder / "expected.json").read_text()))


def heads(state, kind):
    """The first line of each snapshot or journal by its name; every format keeps the keys of these lines."""
    return {path.name: json.loads(path.read_text().partition("\n")[0]) for path in sorted(state.glob(f"{kind}-*"))}


def body(path):
    """The lines after the first."""
    return path.read_text().splitlines()[1:]


def only_in_an_older_format(state):
    """Journals of an older format than the one written now, with an event that no snapshot of this one holds."""
    journals, snapshots = heads(state, "journal"), heads(state, "snapshot")
    present = max(head["version"] for head in (journals | snapshots).values())
    saved = max((head["next"] for head in snapshots.values() if head["version"] == present), default=0)
    older = [name for name, head in journals.items() if head["version"] < present]
    return [name for name in older if any(json.loads(line)["n"] >= saved for line in body(state / name))]


async def ask(app, path, method="GET"):
    """What the operator gets: the status, and the answer as JSON or text."""
    token = {"Authorization": aiohttp.encode_basic_auth("", "manager-token")}
    async with (
        aiohttp.ClientSession(headers=token) as session,
        session.request(method, f"http://{app.bound[0]}{path}") as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


async def told(app, path):
    """The answer to a question that must be answered."""
    status, answer = await ask(app, path)
    assert status == 200, (path, answer)
    return answer


def part(expected, actual):
    """As much of `actual` as `expected` speaks of: later versions may say more of the same thing."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: part(value, actual[key]) for key, value in expected.items() if key in actual}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [part(*pair) for pair in zip(expected, actual, strict=True)]
    return actual


async def tree(app):
    """Health and maintenance of the page, and of each replica its number, its health and since when."""
    status = await told(app, "/manager/status")
    replicas = {
        f"{service['id']}/{node['id']}": {r["id"]: [r["number"], r["health"], r["since"]] for r in node["replicas"]}
        for service in status["services"]
        for node in service["nodes"]
    }
    return {
        "health": [status["health"], status["since"]],
        "maintenance": status["maintenance"],
        "replicas": replicas,
    }


async def words(app):
    """What operators said and hear, and what is owed to whom."""
    outbox = await told(app, "/manager/outbox")
    return {
        "incidents": await told(app, "/manager/incidents"),
        "owed": [{key: message[key] for key in OWED} for message in outbox["messages"]],
        "gave_up": outbox["gave_up"],
        "silences": await told(app, "/manager/silences"),
        "announcements": await told(app, "/manager/announcements"),
        "devices": await told(app, "/operator/push/subscriptions"),
        "push_key": (await told(app, "/operator/push/key"))["key"],
    }


async def history(app):
    """The uptime of each node over all days, as it stands in the figures."""
    found = re.findall(r"crisp_status_node_uptime_ratio\{([^}]*)\} (\S+)", await told(app, "/metrics"))
    return {"uptime": {labels: float(ratio) for labels, ratio in found}}


async def test_everything_is_kept(old):
    """Health, incidents, what is owed, words, devices and history are what they were, after a second start too."""
    for _ in range(2):
        async with old.started() as app:
            said = await tree(app) | await words(app) | await history(app)
            for key, value in said.items():
                assert part(old.expected[key], value) == old.expected[key], key
            gone = (await told(app, "/manager/outbox"))["attempts"]
            assert [[line["message"], line["outcome"]] for line in gone][: len(old.expected["left"])] == (
                old.expected["left"]
            )
            for month in old.expected["months"]:
                await told(app, f"/history/{month}")
        assert len(read_only(old.state).state.days) == old.expected["days"]
        assert not list(old.state.glob("*.broken*"))


async def test_every_kind_of_event_is_read(old):
    """Each event in the old journal is understood; the fixture has every kind that its version knew."""
    written = old.journaled()
    assert Counter(event["type"] for event in written) == old.expected["events"]

    found = read_only(old.state)

    assert len(found.events) == len(written)
    assert not found.notes


class Watched:
    """A receiver that notes, before it says yes, what would be lost if its sender crashed now and ran no old code."""

    def __init__(self, state):
        self.state = state
        self.early = []

    def note(self):
        self.early += only_in_an_older_format(self.state)


class HttpWatched(HttpReceiver):
    """Slack, and whoever gets a web hook."""

    def __init__(self, watched):
        super().__init__(Reply(200, b"ok"))
        self.watched = watched

    def reply(self, request):
        self.watched.note()
        return super().reply(request)


class SmtpWatched(SmtpReceiver):
    """A mail server."""

    def __init__(self, watched):
        super().__init__(security="none")
        self.watched = watched

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.watched.note()
        return await super().handle_DATA(server, session, envelope)


async def undelivered(app, done):
    """Wait until `done` says yes to the messages that are owed; fails after 45 seconds."""
    async with asyncio.timeout(45):
        while not done((await told(app, "/manager/outbox"))["messages"]):
            await asyncio.sleep(0.05)


def delivered(outbox):
    """How often each message was delivered."""
    return Counter(line["message"] for line in outbox["attempts"] if line["outcome"] == "delivered")


async def test_what_is_owed_arrives_once(old):
    """What is owed arrives once, what the journal calls delivered not again, and nothing before the folder is upgraded.

    The device's address leads nowhere, so what it is owed stays.
    """
    watched = Watched(old.state)
    before = Counter(message for message, outcome in old.expected["left"] if outcome == "delivered")
    owed = [message for message in old.expected["owed"] if message["notifier"] != "push"]
    async with HttpWatched(watched) as http, SmtpWatched(watched) as mail:
        environ = {name: http.url(f"/{receiver}") for name, receiver in RECEIVERS.items()}
        environ["SMTP_PORT"] = str(mail.port)
        async with old.started(**environ) as app:
            await undelivered(
                app,
                lambda left: (
                    all(message["notifier"] == "push" for message in left)
                    and any(message["attempts"] for message in left)
                ),
            )
            outbox = await told(app, "/manager/outbox")
        tries = {message["id"]: message["attempts"] for message in outbox["messages"] if message["attempts"]}
        async with old.started(later=30.0, **environ) as app:
            await undelivered(app, lambda left: all(m["attempts"] > tries[m["id"]] for m in left if m["id"] in tries))

            assert delivered(await told(app, "/manager/outbox")) == delivered(outbox)

    assert delivered(outbox) - before == Counter(message["id"] for message in owed)
    came = Counter(request.path[1:] for request in http.requests) + Counter(email=len(mail.mails))
    assert came == Counter(message["notifier"] for message in owed)
    assert [message["id"] for message in outbox["messages"]] == [
        message["id"] for message in old.expected["owed"] if message["notifier"] == "push"
    ]
    assert not watched.early


async def test_whoever_has_the_mail_gets_no_second_one(old):
    """Of two people on one message, the one whose yes stands in the journal is left out."""
    async with SmtpReceiver(security="none") as mail, old.started(SMTP_PORT=str(mail.port)) as app:
        await undelivered(app, lambda left: all(message["notifier"] != "email" for message in left))

    for address, count in old.expected["mails"].items():
        assert sum(address in found.recipients for found in mail.mails) == count, address


async def test_links_in_old_messages_work(old):
    """A link that was sent acts until it expires; one that was altered never did."""
    async with old.started() as app:
        for token in old.expected["links"].values():
            await told(app, f"/act/{token}")
            altered = token[:-1] + ("A" if token[-1] != "A" else "B")
            assert (await ask(app, f"/act/{altered}"))[0] == 404
        assert (await ask(app, f"/act/{old.expected['links']['silence']}", "POST"))[0] == 200
        assert [silence["by"] for silence in await told(app, "/manager/silences")] == ["link"]

    async with old.started(later=8 * 86400.0) as app:
        for token in old.expected["links"].values():
            assert (await ask(app, f"/act/{token}"))[0] == 410


async def test_agents_go_on_with_the_list_they_kept(old):
    """An agent whose server is away looks at what an older version kept for it."""
    for name, replicas in old.expected["agents"].items():
        agent = Agent(load(old.folder / name, kinds.rooms(), {}, role="agent"), FakeClock(old.expected["at"]))
        running = asyncio.create_task(agent.run())
        try:
            async with asyncio.timeout(45):
                while not re.search(r"[1-9]", agent.status):
                    await asyncio.sleep(0.05)
            assert re.search(r"\d+", agent.status)[0] == str(replicas), name
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
