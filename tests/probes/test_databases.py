"""Databases and brokers by their greeting, against the real servers and against scripted ones."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import pytest

from crisp_status import kinds
from tests.probes import databases
from tests.probes.servers import looked, refusing, saying, talking

SCHEMES = ("postgres", "redis", "mysql", "amqp")


async def test_redis() -> None:
    """PONG is healthy; a server that wants a password is up, and with one in the address it must be right."""
    async with databases.redis() as port:
        assert (await looked(f"redis://127.0.0.1:{port}")).outcome == "healthy"
    async with databases.redis("--requirepass", "right") as port:
        assert (await looked(f"redis://127.0.0.1:{port}")).outcome == "healthy"
        assert (await looked(f"redis://:right@127.0.0.1:{port}/0")).outcome == "healthy"
        seen = await looked(f"redis://:wrong@127.0.0.1:{port}")
        assert (seen.outcome, seen.reason.code) == ("dead", "error")
        assert "refuses the password" in seen.reason.text


async def test_postgresql() -> None:
    """A server that wants a password is up, whatever user and database are named; a full one is dead and says why."""
    async with databases.postgres(connections=2) as port:
        for target in (f"postgres://127.0.0.1:{port}", f"postgresql://owner@127.0.0.1:{port}/nowhere"):
            seen = await looked(target, delay_dead=10.0)
            assert seen.outcome == "healthy", seen.reason
        async with contextlib.AsyncExitStack() as held:
            for _ in range(8):  # they wait for a password, and take all the places
                await held.enter_async_context(waiting(port))
            seen = await looked(f"postgres://127.0.0.1:{port}")

    assert (seen.outcome, seen.reason.code, seen.reason.value) == ("dead", "error", "53300")
    assert "too many" in seen.reason.text


@contextlib.asynccontextmanager
async def waiting(port: int):
    """A client that was asked for its password and says nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"user\0owner\0database\0postgres\0\0"
    writer.write(struct.pack("!ii", len(body) + 8, 196_608) + body)
    await reader.read(9)
    try:
        yield
    finally:
        writer.close()


async def test_mariadb() -> None:
    """A server that refuses the user is up. Ten looks are no errors to it: it blocks a host after three."""
    async with databases.mariadb() as port:
        seen = [await looked(f"mysql://127.0.0.1:{port}/shop", delay_dead=10.0) for _ in range(10)]
        seen.append(await looked(f"mariadb://root@127.0.0.1:{port}"))

    assert {look.outcome for look in seen} == {"healthy"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" + b" " * 600, b"SSH-2.0-x\r\n" + b"\0" * 600]
)
async def test_another_protocol_is_dead(scheme: str, said: bytes) -> None:
    """Whatever else answers there is named as such."""
    async with talking(saying(said, after_head=False)) as server:
        seen = await looked(f"{scheme}://{server.address}", delay_dead=1.0)

    assert (seen.outcome, seen.reason.code) == ("dead", "banner")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_closing_silence_and_refusal(scheme: str) -> None:
    """A server that hangs up, one that says nothing, and nobody."""
    async with talking(saying(after_head=False)) as server:
        assert (await looked(f"{scheme}://{server.address}")).outcome == "dead"
    async with talking(saying(after_head=False, stay=True)) as server:
        assert "no answer as" in (await looked(f"{scheme}://{server.address}", delay_dead=0.2)).reason.text.replace(
            "Redis: an answer to PING did not come", "no answer as"
        ).replace("no no", "no")
    assert (await looked(f"{scheme}://{refusing()}")).reason.code == "refused"


def pg_error(code: str, text: str) -> bytes:
    """An ErrorResponse of PostgreSQL."""
    body = f"SFATAL\0C{code}\0M{text}\0\0".encode()
    return b"E" + struct.pack("!i", len(body) + 4) + body


def my_error(code: int, text: str) -> bytes:
    """A first packet of MySQL that refuses."""
    body = b"\xff" + code.to_bytes(2, "little") + text.encode()
    return len(body).to_bytes(3, "little") + b"\0" + body


def amqp_start() -> bytes:
    """Connection.Start, as RabbitMQ sends it."""
    body = struct.pack("!HHBB", 10, 10, 0, 9) + b"\x07productS\x00\x00\x00\x08RabbitMQ"
    return struct.pack("!BHI", 1, 0, len(body)) + body + b"\xce"


@pytest.mark.parametrize(
    ("scheme", "said", "outcome", "text"),
    [
        ("postgres", pg_error("57P03", "the database system is starting up"), "dead", "is starting up"),
        ("postgres", pg_error("28000", "no pg_hba.conf entry"), "healthy", ""),
        ("postgres", b"R" + struct.pack("!ii", 8, 10), "healthy", ""),
        ("mysql", my_error(1040, "Too many connections"), "dead", "Too many connections"),
        ("mysql", my_error(1129, "Host is blocked"), "dead", "Host is blocked"),
        ("mysql", my_error(1130, "Host is not allowed to connect"), "healthy", ""),
        ("redis", b"-LOADING Redis is loading the dataset in memory\r\n", "dead", "LOADING"),
        ("redis", b"-NOAUTH Authentication required.\r\n", "healthy", ""),
        ("amqp", amqp_start(), "healthy", ""),
        ("amqp", b"AMQP\x03\x01\x00\x00", "healthy", ""),
        ("amqp", struct.pack("!BHI", 1, 0, 8) + struct.pack("!HH", 10, 50) + b"1234" + b"\xce", "dead", "refuses"),
    ],
)
async def test_what_servers_say_of_themselves(scheme: str, said: bytes, outcome: str, text: str) -> None:
    """Starting, full, blocking and loading are dead, in the server's own words; not knowing us is up."""
    async with talking(saying(said, after_head=False)) as server:
        seen = await looked(f"{scheme}://{server.address}")

    assert seen.outcome == outcome
    assert text in seen.reason.text


@pytest.mark.parametrize("target", ["amqp://me:secret@mq/", "mongodb://me:secret@db/"])
def test_a_password_that_nobody_needs_is_refused(target: str) -> None:
    """It would stand in the file for nothing."""
    with pytest.raises(ValueError, match="nobody signs in"):
        kinds.check(kinds.scheme_owner()[target.partition("://")[0]], target)


async def test_signing_in_to_postgresql() -> None:
    """With a password a query must run; a wrong password, user, database and query are dead, each in its own words."""
    async with databases.postgres() as port:
        right = f"postgres://owner:secret@127.0.0.1:{port}/postgres"
        seen = {
            name: await looked(target, delay_dead=20.0, delay_sick=20.0, query=query)
            for name, target, query in (
                ("right", right, "SELECT 1"),
                ("password", right.replace("secret", "wrong"), "SELECT 1"),
                ("database", right.replace("/postgres", "/nowhere"), "SELECT 1"),
                ("query", right, "SELECT nothing"),
            )
        }
        with_tls = await looked(right, tls=True, delay_dead=20.0)
    away = await looked(f"postgres://owner:secret@{refusing()}/postgres")
    async with talking(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", after_head=False)) as server:
        other = await looked(f"postgres://owner:secret@{server.address}/postgres")

    assert seen["right"].outcome == "healthy", seen["right"].lines()
    assert {name: look.reason.value for name, look in seen.items() if name != "right"} == {
        "password": "28P01", "database": "3D000", "query": "42703",
    }  # fmt: skip
    assert "refuses the user or password" in seen["password"].reason.text
    assert (with_tls.outcome, away.reason.code, other.outcome) == ("dead", "refused", "dead"), (with_tls, away, other)


async def test_signing_in_to_mariadb() -> None:
    """The same."""
    async with databases.mariadb() as port:
        right = f"mysql://jane:secret@127.0.0.1:{port}"
        seen = {
            name: await looked(target, delay_dead=20.0, delay_sick=20.0, query=query)
            for name, target, query in (
                ("right", right, "SELECT 1"),
                ("password", right.replace("secret", "wrong"), "SELECT 1"),
                ("database", f"{right}/nowhere", "SELECT 1"),
                ("query", right, "SELECT nothing"),
            )
        }
    away = await looked(f"mysql://jane:secret@{refusing()}")
    async with talking(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", after_head=False)) as server:
        other = await looked(f"mysql://jane:secret@{server.address}")

    assert seen["right"].outcome == "healthy", seen["right"].lines()
    assert {name: look.reason.value for name, look in seen.items() if name != "right"} == {
        "password": "1045", "database": "1044", "query": "1054",
    }  # fmt: skip
    assert (away.reason.code, other.outcome) == ("refused", "dead"), (away, other)


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
async def test_a_sign_in_that_hangs_ends_with_its_time(scheme: str) -> None:
    """The driver has no deadline of its own; that of the attempt holds."""
    async with talking(saying(after_head=False, stay=True)) as server:
        seen = await looked(f"{scheme}://jane:secret@{server.address}", delay_dead=0.5)

    assert (seen.outcome, seen.reason.code, seen.silent) == ("dead", "no_answer", True)
