"""A page is initialized in a browser by five answers, once, and the file that comes out is a good one."""

from __future__ import annotations

import asyncio
import os
import re
import sys

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.config.load import load
from tests.house import ROOT

GOOD = {
    "name": 'Acme "Status" ]]',
    "url": "status.acme.example",
    "color": "#2f4fe0",
    "watch": "tcp://127.0.0.1:9",
    "mail": "ops@acme.example",
}


@pytest.fixture
async def started(tmp_path):
    """`crisp-status init --web`, and the link that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crisp_status", "init", "--web", "--listen", "127.0.0.1:0", str(tmp_path / "config.toml"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    lines = [await process.stdout.readline() for _ in range(2)]
    yield process, lines[1].decode().strip()
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_five_answers_make_a_page(started, tmp_path):
    """The file checks out and says what was answered; the process ends; nobody else can read it."""
    process, link = started
    async with aiohttp.ClientSession() as session:
        async with session.get(link) as answer:
            assert answer.status == 200
            assert "Initialize my Status Page" in await answer.text()
        async with session.post(link, data=GOOD) as answer:
            assert "is ready" in await answer.text()
    assert await process.wait() == 0, await process.stderr.read()
    file = tmp_path / "config.toml"
    config = load(file, kinds.rooms(), {})

    assert (GOOD["name"], "https://status.acme.example/") == (config.page.name, str(config.page.url))
    assert config.page.branding.color == "#2f4fe0"
    assert config.services[0].nodes[0].replicas[0].url == "tcp://127.0.0.1:9"
    assert config.notifiers[0].to == ("ops@acme.example",)
    assert file.stat().st_mode & 0o077 == 0


async def test_wrong_answers_are_said_beside_their_fields(started, tmp_path):
    """Nothing is written, what was typed stays, and a second try succeeds."""
    process, link = started
    async with aiohttp.ClientSession() as session:
        wrong = {"name": "", "url": "two words", "color": "red", "watch": "gopher://x", "mail": "nobody"}
        async with session.post(link, data=wrong) as answer:
            text = await answer.text()
            assert answer.status == 400
        assert set(re.findall(r'id="e-(\w+)"', text)) == set(wrong)
        assert 'value="two words"' in text
        assert not (tmp_path / "config.toml").exists()
        async with session.post(link, data={"name": "Acme"}) as answer:
            assert answer.status == 200
    assert await process.wait() == 0


async def test_only_the_link_opens_it(started):
    """Another path shows no form and takes none."""
    process, link = started
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/init/", "/init/guess", f"/init/{'x' * 32}"):
            address = f"{link.partition('/init/')[0]}{path}"
            async with session.post(address, data=GOOD) as answer:
                assert answer.status == 404
                assert "not valid" in await answer.text()

    assert process.returncode is None


async def test_answers_that_come_in_pieces_are_all_taken(started, tmp_path):
    """A slow line cuts a form anywhere; two who send theirs at once get one answer each, and the first counts."""
    process, link = started
    host, _, path = link.removeprefix("http://").partition("/")
    body = b"name=Acme&watch=tcp%3A%2F%2F127.0.0.1%3A9&color=%23112233"
    head = f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    connections = [await asyncio.open_connection(*host.split(":")) for _ in range(2)]
    for _, writer in connections:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:9])
        await writer.drain()
    async with aiohttp.ClientSession() as session, session.get(link) as answer:
        assert answer.status == 200  # both forms are on their way by now
    for _, writer in connections:
        writer.write(body[9:])
    answers = [(await reader.readline()).split()[1] for reader, _ in connections]
    for _, writer in connections:
        writer.close()
    assert await process.wait() == 0
    config = load(tmp_path / "config.toml", kinds.rooms(), {})

    assert sorted(answers) == [b"200", b"404"]
    assert config.page.branding.color == "#112233"
