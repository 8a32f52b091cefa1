"""Apprise, through its own `json://` service on a real server."""

import asyncio
import subprocess
import sys
import threading

import psutil
import pytest
from pydantic import ValidationError

from crisp_status.channels import ChannelError, Http
from crisp_status.channels.apprise import Options, mask, send
from tests.channels.notice import DOWN, NOON, notice
from tests.fakes import FakeClock
from tests.fuzzing.world import memory
from tests.probes.servers import talking
from tests.receivers import HttpReceiver, Reply

pytest.importorskip("apprise")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of plugins that the library loads


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON), timeout=5) as made:
        yield made


def options(*urls):
    return Options.model_validate({"type": "apprise", "urls": list(urls)})


def address(server, secret="token-abcdef"):
    return f"json://user:{secret}@127.0.0.1:{server.port}/hook"


async def test_a_service_is_told(http):
    """Title, text and kind reach the service."""
    async with HttpReceiver() as server:
        assert await send(DOWN, options(address(server)), http) == "taken by json"
        [request] = server.requests

    told = request.json()
    assert (told["title"], told["type"]) == (DOWN.title, "failure")
    assert told["message"].strip() == DOWN.text.strip()


async def test_those_who_took_it_are_not_told_again(http):
    """One of two services fails: only that one is tried again, and its secret is not shown."""
    async with HttpReceiver() as good, HttpReceiver(Reply(503)) as bad:
        both = options(address(good), address(bad))
        with pytest.raises(ChannelError) as caught:
            await send(DOWN, both, http)
        assert (caught.value.permanent, caught.value.done) == (False, ("0",))
        assert caught.value.text.startswith("json: ")
        assert "token-abcdef" not in caught.value.text

        bad.replies = [Reply(200)]
        await send(notice(done=("0",)), both, http)

    assert (len(good.requests), len(bad.requests)) == (1, 2)


async def test_a_service_that_hangs_holds_nobody_up():
    """The loop goes on meanwhile, another service is told, and at the limit nothing of the library is left."""
    async with (
        HttpReceiver(Reply(hang=True)) as deaf,
        HttpReceiver() as good,
        Http(FakeClock(NOON), timeout=3) as hasty,
    ):
        ticks = 0
        sending = asyncio.create_task(send(DOWN, options(address(deaf), address(good)), hasty))
        while not sending.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(ChannelError, match=r"^json: no answer within 3 s$") as caught:
            await sending

    assert ticks > 50
    assert (caught.value.permanent, caught.value.done) == (False, ("1",))
    assert children() == []


def forever(head, more):
    """A server that says this again and again."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0.0)

    return talk


@pytest.mark.parametrize(
    ("head", "more"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_000_000), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["body", "interim answers"],
)
async def test_an_answer_without_end_takes_neither_memory_nor_threads(head, more):
    """The library would read it all; here it meets its own end, and this process does not notice."""
    before, threads = memory(), threading.active_count()
    async with talking(forever(head, more)) as server, Http(FakeClock(NOON), timeout=4) as hasty:
        with pytest.raises(ChannelError, match=r"^json: ") as caught:
            await send(DOWN, options(address(server)), hasty)

    assert not caught.value.permanent
    assert memory() - before < 50 * 2**20
    assert threading.active_count() <= threads
    assert children() == []


@pytest.mark.parametrize("how", ["html", "markdown"])
async def test_words_of_outsiders_are_no_markup(http, how):
    """A reason with a link in it is shown as it is by services that take HTML or Markdown."""
    evil = notice(text="DOWN: <a href='http://evil.example/'>x</a> [x](http://evil.example/)")
    async with HttpReceiver() as server:
        await send(evil, options(f"{address(server)}?format={how}"), http)
        [request] = server.requests

    said = request.json()["message"]
    assert "evil" in said
    assert {"html": "<a", "markdown": "[x]("}[how] not in said


async def test_a_stop_does_not_wait_for_the_library(http):
    """What is cancelled ends its process."""
    async with HttpReceiver(Reply(hang=True)) as server:
        sending = asyncio.create_task(send(DOWN, options(address(server)), http))
        async with asyncio.timeout(10):
            while not server.requests:
                await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    assert children() == []


def children():
    """Processes that this one began and that still run."""
    return [
        child.cmdline() for child in psutil.Process().children() if child.is_running() and child.status() != "zombie"
    ]


async def test_an_address_that_apprise_does_not_know(http):
    """Nobody answers to that scheme: a no for good, told without the address."""
    with pytest.raises(ChannelError, match="nosuch: Apprise does not understand this address") as caught:
        await send(DOWN, options("nosuch://token-abcdef"), http)

    assert caught.value.permanent
    assert "token" not in caught.value.text


def test_an_address_that_is_none():
    """What has no scheme is refused when the configuration is read, without being shown."""
    with pytest.raises(ValidationError, match=r"urls\[0\] is not an address of Apprise") as caught:
        options("secret-token")

    assert "secret-token" not in str(caught.value)


def test_without_the_extra_the_configuration_says_what_to_install():
    """Where the library is missing, `check` says so in words; nothing else needs it."""
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from crisp_status.channels.apprise import Options\n"
        "Options.model_validate({'type': 'apprise', 'urls': ['tgram://x']})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert 'run: pip install "crisp-status[apprise]"' in run.stderr


def test_tokens_are_masked():
    """Whatever part of the address is long enough to be a secret does not get into a log."""
    url = "tgram://123456:AbC%20dEfGh/@chat-name/?token=qwertyui"

    assert mask("failed: AbC dEfGh and qwertyui of chat-name", url) == "failed: <secret> and <secret> of <secret>"
