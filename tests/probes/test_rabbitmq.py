"""How full a queue is, against a real RabbitMQ with its management plugin."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from base64 import b64encode

import pytest

from tests.probes import databases
from tests.probes.servers import answering, blackhole, http, looked, refusing, talking

SIGNED = "Basic " + b64encode(b"guest:guest").decode()


async def asked(port: int, method: str, path: str, body: object) -> bytes:
    """The management plugin's answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{path}",
        json.dumps(body).encode(),
        {"Authorization": SIGNED, "Content-Type": "application/json"},
        method=method,
    )
    return await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=30).read())


async def test_a_real_queue_fills() -> None:
    """Healthy, sick and dead by the messages that wait; a queue, a user and a host that are not there are dead."""
    async with databases.rabbitmq() as port:
        await asked(port, "PUT", "queues/%2F/mails", {"durable": False})
        url = f"rabbitmq://guest:guest@127.0.0.1:{port}/%2F/mails"
        given = {"delay_dead": 20.0, "delay_sick": 20.0, "ready_healthy_below": 2, "ready_dead_above": 3}
        empty = await looked(url, **given)
        message = {"properties": {}, "routing_key": "mails", "payload": "x", "payload_encoding": "string"}

        async def filled(wanted: str, count: int) -> str:
            for _ in range(count):
                await asked(port, "POST", "exchanges/%2F/amq.default/publish", message)
            while (seen := await looked(url, **given)).outcome != wanted:  # its figures come every five seconds
                await asyncio.sleep(0.5)
            return seen.reason.text

        sick = await filled("sick", 2)
        dead = await filled("dead", 2)
        missing = await looked(url.replace("mails", "letters"), **given)
        wrong = await looked(url.replace("guest:guest", "guest:wrong"), **given)

    assert empty.outcome == "healthy", empty.lines()
    assert sick == "2 messages wait and 0 are not acknowledged: sick from 2 or 100"
    assert dead == "4 messages wait and 0 are not acknowledged: more than 3 or 1000"
    assert missing.reason.text == "there is no such queue: //letters"
    assert wrong.reason.text == "the management plugin refuses the user or password"
    assert {missing.outcome, wrong.outcome} == {"dead"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [(http("200 OK", b"<html>"), "is not that of RabbitMQ"), (http("503 Busy"), "answers 503")],
)
async def test_something_else_is_dead(answer: bytes, words: str) -> None:
    """In words."""
    async with talking(answering({"GET /api/queues/main/mails": answer})) as server:
        seen = await looked(f"rabbitmq://{server.address}/main/mails")

    assert seen.outcome == "dead"
    assert words in seen.reason.text


async def test_refused_and_silent() -> None:
    """As everywhere."""
    assert (await looked(f"rabbitmq://{refusing()}/a/b")).reason.code == "refused"
    with blackhole() as address:
        assert (await looked(f"rabbitmq://{address}/a/b", delay_dead=0.3)).reason.code == "no_answer"
