"""SSH looks: the banner decides."""

from __future__ import annotations

import asyncio

import pytest

from tests.probes.servers import looked, refusing, saying, talking


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.9\r\n", b"SSH-1.99-old\n", b"Welcome.\r\nNo trespassing.\r\nSSH-2.0-x\r\n"]
)
async def test_a_banner_is_healthy(said: bytes) -> None:
    """Also after lines of law, and when it ends in a bare newline."""
    async with talking(saying(said, after_head=False)) as server:
        assert (await looked(f"ssh://{server.address}")).outcome == "healthy"


async def test_a_banner_may_come_in_pieces_and_is_answered() -> None:
    """We introduce ourselves as well."""
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk(reader, writer):
        writer.write(b"SSH-2")
        await writer.drain()
        writer.write(b".0-x\r\n")
        answers.put_nowait(await reader.readline())

    async with talking(talk) as server:
        assert (await looked(f"ssh://{server.address}")).outcome == "healthy"
        assert (await answers.get()).startswith(b"SSH-2.0-crisp_status_")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"", "closed the connection without an SSH banner"),
        (b"220 smtp ready\r\n", "without an SSH banner after '220 smtp ready'"),
        (b"SSH-1.5-ancient\r\n", "speaks an old or unknown SSH: 'SSH-1.5-ancient'"),
        (b"x" * 9000, "is not an SSH server: it sent 'xxx"),
    ],
)
async def test_anything_else_is_dead(said: bytes, text: str) -> None:
    """With what was said instead."""
    async with talking(saying(said, after_head=False)) as server:
        seen = await looked(f"ssh://{server.address}")

    assert (seen.outcome, seen.reason.code) == ("dead", "banner")
    assert text in seen.reason.text


async def test_silence_and_refusal() -> None:
    """No banner in time, nobody there."""
    async with talking(saying(after_head=False, stay=True)) as server:
        assert (await looked(f"ssh://{server.address}", delay_dead=0.1)).reason.text == "no SSH banner within 0.1 s"
    assert (await looked(f"ssh://{refusing()}")).reason.code == "refused"
