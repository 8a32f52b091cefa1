"""Commands for a running daemon: `status`, `uptime`, `announce`, `silence`, `ack`, `notify-test`, `outbox`."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress

import click
import pytest
from click.testing import CliRunner

from crisp_status.api.manage import Manage
from crisp_status.cli import _client, commands
from crisp_status.core import events
from crisp_status.formats import documents
from crisp_status.http.authentication import Failures, Permissions, Proxies
from crisp_status.http.router import Router
from crisp_status.http.server import WebServer
from crisp_status.http.site import Site
from tests.fakes import FakeClock
from tests.formats import samples
from tests.story import Story

TOKEN = "a-manager-token"

CONFIG = """
[page]
name = "Acme"
url = "https://status.acme.example/"
[server]
listen = ["{listen}"]
{token}
"""


class Terminal:
    """Types commands at a daemon whose configuration stands in a folder."""

    def __init__(self, story, config):
        self.story, self.config = story, config

    async def __call__(self, *words, input=None):
        """What comes of typing these words; the daemon goes on meanwhile."""
        runner = CliRunner()
        line = ["-c", str(self.config), *words]
        return await asyncio.to_thread(runner.invoke, commands, line, input=input, catch_exceptions=False)


@asynccontextmanager
async def running(folder, *, unix=False, token=TOKEN):
    story, router = Story(), Router()
    story.all_well()
    Manage(story, story.clock, Permissions(TOKEN, "x", Failures(story.clock.monotonic)), Proxies(())).add_routes(router)
    site = Site(documents.table(samples.acme()), FakeClock())
    await site.show(story.view())
    address = f"unix:{folder}/http.sock" if unix else "127.0.0.1:0"
    server = WebServer(site, router, [address])
    await server.start()
    config = folder / "config.toml"
    line = f'manager_token = "{token}"' if token else ""
    config.write_text(CONFIG.format(listen=server.bound[0], token=line))
    try:
        yield Terminal(story, config)
    finally:
        await server.stop()
        site.close()


async def test_a_daemon_that_was_allowed_scripts_is_reached(tmp_path):
    """`run --scripts` takes a file that says nothing of scripts; the other commands take it as well."""
    async with running(tmp_path) as typed:
        with typed.config.open("a") as file:
            file.write(
                '[[services]]\nname = "S"\n[[services.nodes]]\nname = "N"\nmode = "script"\nscripts = ["true"]\n'
            )

        answer = await typed("status", "--json")

        assert json.loads(answer.stdout)["services"], answer.stderr


@pytest.mark.parametrize("unix", [False, True])
async def test_status(tmp_path, unix):
    """Over TCP and over a unix socket: what is wrong, where, since when and why; exit code 1 when the page is dead."""
    async with running(tmp_path, unix=unix) as typed:
        well = await typed("status")
        assert (well.exit_code, well.stderr) == (0, "")
        assert "● page is healthy" in well.stdout
        assert "10.0.0.1" not in well.stdout, "healthy replicas are only counted"

        typed.story.die("pay/checkout")
        dead = await typed("status")
        assert dead.exit_code == 1
        assert "✖ 1. https://10.0.0.1/checkout" in dead.stdout
        assert "no answer within 10 s" in dead.stdout
        assert "incident 1 since 2026-11-18" in dead.stdout
        assert json.loads((await typed("status", "--json")).stdout)["health"] == "dead"
        assert "https://10.0.0.1/landing  120 ms" in (await typed("status", "--all")).stdout


async def test_announce(tmp_path):
    """Added from words or standard input, listed, removed."""
    async with running(tmp_path) as typed:
        added = await typed("announce", "add", "Upgrade", "--text", "-", "--for", "1h30m", input="It *takes* long.\n")
        assert added.exit_code == 0, added.output
        id = added.stdout.strip()
        words = typed.story.state.announcements[id]
        assert (words.text, words.expires_at - words.starts_at) == ("It *takes* long.", 5400)
        short = await typed("announce", "add", "Just a title")
        assert (short.exit_code, typed.story.state.announcements[short.stdout.strip()].text) == (0, "")
        await typed("announce", "remove", short.stdout.strip())
        work = await typed("announce", "add", "Work", "--maintenance", "web/api", "--starts", "2026-12-01T22:00:00Z")
        assert work.exit_code == 0
        listed = (await typed("announce", "list")).stdout
        assert f"{id}  Upgrade" in listed
        assert "work on web/api" in listed
        assert len(json.loads((await typed("announce", "list", "--json")).stdout)) == 2
        assert (await typed("announce", "remove", id)).exit_code == 0
        again = await typed("announce", "remove", id)
        assert (again.exit_code, again.stderr) == (1, "There is no announcement of that id.\n")


async def test_silence(tmp_path):
    """Reminders for a while, one node until it is well, and off again."""
    async with running(tmp_path) as typed:
        assert "reminders are held until 2026-11-18T" in (await typed("silence", "2h")).stdout
        said = (await typed("silence", "healthy", "--scope", "web/api", "--by", "jane")).stdout
        assert said == "notices of web/api are held until everything is well\n"
        (whole, scoped) = typed.story.state.silences.values()
        assert (whole.until - typed.story.clock.now(), scoped.until, scoped.by) == (7200, 0, "jane")
        assert (await typed("silence", "off")).stdout == "notices go out again\n"
        assert (await typed("silence", "off")).stdout == "nothing was silenced there\n"
        assert list(typed.story.state.silences) == [scoped.id]
        unknown = await typed("silence", "1h", "--scope", "no/such")
        assert (unknown.exit_code, "no/such" in unknown.stderr) == (1, True)


async def test_ack(tmp_path):
    """Seen, with a word for everybody."""
    async with running(tmp_path) as typed:
        typed.story.die("pay/checkout")
        said = await typed("ack", "1", "--by", "jane", "--note", "It is the cable.")
        assert said.stdout == "incident 1 is acknowledged\n"
        incident = typed.story.state.open[1]
        assert incident.acknowledged_by == "jane"
        assert incident.timeline[-1].text == "It is the cable."
        assert (await typed("ack", "7")).exit_code == 1


async def test_notify_test(tmp_path):
    """What each receiver answered; one that did not take it is told, and is not tried for days."""
    async with running(tmp_path) as typed:
        asked = asyncio.create_task(typed("notify-test"))
        async with asyncio.timeout(10):
            while len(typed.story.state.outbox) < 2:
                await asyncio.sleep(0.01)
        by = {m.notifier: m.id for m in typed.story.state.outbox.values()}
        typed.story.happen(events.Delivered(message=by["mail"], detail="250 OK"))
        typed.story.happen(events.NotDelivered(message=by["hook"], error="connection refused"))
        said = await asked
        assert said.exit_code == 1
        assert "✔ mail: 250 OK" in said.stdout
        assert "✖ hook: connection refused" in said.stdout
        assert "– phone: nobody to send to" in said.stdout
        assert typed.story.state.outbox == {}
        silent = await typed("notify-test", "mail", "--wait", "1")
        assert (silent.exit_code, silent.stdout) == (1, "✖ mail: no answer within 1 s\n")
        assert (await typed("notify-test", "fax")).exit_code == 1


async def test_outbox(tmp_path):
    """What waits and why; tried again, dropped."""
    async with running(tmp_path) as typed:
        assert (await typed("outbox", "list")).stdout == "0 waiting, 0 ever given up\n"
        typed.story.happen(events.Tested(notifier="mail"))
        (id,) = typed.story.state.outbox
        typed.story.happen(events.NotDelivered(message=id, error="mailbox is full"))
        listed = await typed("outbox", "list")
        assert (listed.exit_code, "tried once, next at" in listed.stdout) == (1, True)
        assert "mailbox is full" in listed.stdout
        assert json.loads((await typed("outbox", "list", "--json")).stdout)["messages"][0]["id"] == id
        assert (await typed("outbox", "retry", id)).exit_code == 0
        assert typed.story.state.outbox[id].due_at == typed.story.clock.now()
        assert (await typed("outbox", "retry")).exit_code == 0
        assert (await typed("outbox", "drop", id)).exit_code == 0
        gone = await typed("outbox", "drop", id)
        assert (gone.exit_code, gone.stderr) == (1, "There is no such message.\n")


async def test_the_wrong_token(tmp_path):
    """A daemon that was started with another configuration says so."""
    async with running(tmp_path, token="another-token") as typed:
        said = await typed("status")
        assert said.exit_code == 1
        assert "does not take the manager token" in said.stderr


async def test_management_off(tmp_path):
    """Without a token in the configuration there is nothing to talk to."""
    async with running(tmp_path, token="") as typed:
        said = await typed("status")
        assert (said.exit_code, said.stderr) == (
            2,
            "management is off: set server.manager_token in the configuration and start the daemon again\n",
        )


def test_no_daemon(tmp_path):
    """Nobody listens, or somebody else does: a sentence, no traceback."""
    config = tmp_path / "config.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config.write_text(CONFIG.format(listen=f"127.0.0.1:{port}", token=f'manager_token = "{TOKEN}"'))
    said = CliRunner().invoke(commands, ["-c", str(config), "status"], catch_exceptions=False)

    assert said.exit_code == 1
    assert said.stderr == f"no daemon answers at http://127.0.0.1:{port}/: connection refused; is it running?\n"


async def test_somebody_else_listens(tmp_path):
    """What answers there is not crisp-status."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    found = _client.Daemon(f"http://127.0.0.1:{port}/", TOKEN)
    with pytest.raises(_client.DaemonError, match="is not crisp-status"):
        await asyncio.to_thread(found.ask, "GET", "/manager/status")
    other.close()
    await other.wait_closed()


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
async def test_an_answer_that_drips(tmp_path, beginning):
    """A byte now and then, in the head or in the body, does not hold a command for hours."""
    over = asyncio.Event()

    async def answer(reader, writer):
        writer.write(beginning)
        while not reader.at_eof():
            writer.write(b" ")
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(65536), 0.02)
        writer.close()
        over.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other, asyncio.timeout(5):
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/"
        found = _client.Daemon(url, TOKEN, whole_seconds=0.2)
        with pytest.raises(_client.DaemonError) as caught:
            await asyncio.to_thread(found.ask, "GET", "/manager/status")
        await over.wait()

    assert str(caught.value) == f"the answer of {url} was not complete after 0.2 s"


@pytest.mark.parametrize("shape", ["{}", "[]", "[1]", "1", "", '{"health": []}', '{"messages": {"m": 1}}'])
@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("outbox", "list"),
        ("announce", "list"),
        ("announce", "add", "Upgrade"),
        ("silence", "1h"),
        ("silence", "off"),
        ("notify-test",),
    ],
)
async def test_a_daemon_of_another_version(tmp_path, shape, words):
    """Whatever JSON it answers: exit code 0 or 1, and one sentence where the command makes nothing of it."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(shape)}\r\n\r\n{shape}".encode())
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        listen = f"127.0.0.1:{other.sockets[0].getsockname()[1]}"
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(listen=listen, token=f'manager_token = "{TOKEN}"'))

        said = await Terminal(None, config)(*words)

        if shape in {"[]", "{}"} and words in {("announce", "list"), ("silence", "off")}:
            assert said.exit_code == 0, "nothing in it, and none is right"
        else:
            assert said.exit_code == 1
            assert said.stderr.startswith(f"what answers at http://{listen}/ is another version of crisp-status")
            assert said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172800), ("1D2H", 93600)]
)
def test_durations(text, expected):
    """As people write them."""
    assert _client.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5h", "30m1h", "h"])
def test_no_durations(text):
    """Anything else is exit code 2."""
    with pytest.raises(click.exceptions.Exit) as caught:
        _client.seconds(text)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("words", [("silence", "3"), ("announce", "add", "Soon", "--for", "3")])
def test_a_bare_number_is_not_guessed(words, capsys):
    """`silence 3` could mean seconds or hours: it is refused with the nearest meanings."""
    with pytest.raises(click.exceptions.Exit) as caught:
        _client.seconds(words[-1])

    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == '"3" has no unit; write 3m (minutes), 3h (hours) or 3s (seconds)\n'


async def test_uptime(tmp_path):
    """The report of the running month as table, CSV and JSON; a month that is none is refused at once."""
    async with running(tmp_path) as typed:
        table = await typed("uptime")
        assert table.exit_code == 0, table.output
        assert "target 99.9 %" in table.stdout
        assert "pay/checkout" in table.stdout
        data = json.loads((await typed("uptime", "--json")).stdout)
        assert data["rows"][0]["budget_left_seconds"] > 0
        assert (await typed("uptime", data["month"], "--csv")).stdout.startswith("service,node,")
        assert (await typed("uptime", "november")).exit_code == 2
        assert (await typed("uptime", "1999-01")).exit_code == 1
