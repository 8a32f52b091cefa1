"""What a JSON body must have, asked of a real nginx."""

from __future__ import annotations

import json
import time

import pytest
from pydantic import ValidationError

from crisp_status.probes.http import Options
from tests.probes.servers import answering, http, looked, talking
from tests.probes.webservers import nginx

BODY = (
    '{"status": "ok", "queue": 12, "ready": true, "parts": [{"name": "db", "up": true}, {"name": "mail", "up": false}]}'
)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"$.status": "ok", "$.queue": 12, "$.ready": True}, ""),
        ({"$.queue": {"above": 10, "below": 100}}, ""),
        ({"$.status": {"match": "^o"}, "$.parts": {"match": '"mail"'}}, ""),
        ({"$.parts[?@.name == 'db'].up": True, "$..name": "mail", "$.error": {"exists": False}}, ""),
        ({"$.status": "down"}, '$.status is "ok"; healthy is "down"'),
        ({"$.queue": "12"}, '$.queue is 12; healthy is "12"'),
        ({"$.ready": 1}, "$.ready is true; healthy is 1"),
        ({"$.queue": {"below": 5}}, "$.queue is 12; healthy is below 5"),
        ({"$.status": {"above": 1}}, '$.status is "ok"; healthy is above 1'),
        ({"$.missing": 1}, "the body has no $.missing"),
        ({"$.status": {"exists": False}}, '$.status is "ok", and must not be there'),
        ({"$..up": {"match": "maybe"}}, "$..up is true or false; healthy is what matches maybe"),
    ],
)
async def test_values_are_found_by_their_path(wanted: dict[str, object], reason: str) -> None:
    """One of the values that a path selects must fit; a number is no text, and true is no number."""
    async with nginx(f"server {{ listen 127.0.0.1:PORT; location / {{ return 200 '{BODY}'; }} }}") as port:
        seen = await looked(f"http://127.0.0.1:{port}/", json=wanted)

    assert (seen.outcome, seen.reason.text) == ("dead" if reason else "healthy", reason)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "the body is not JSON: Expecting value"),
        (b'{"a": 1', "the body is not JSON: Expecting ',' delimiter"),
        (b"[" * 5000 + b"]" * 5000, "the body is not JSON: it is nested too deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "the body cannot be searched: recursion limit"),
    ],
)
async def test_a_body_that_cannot_be_searched_is_dead(body: bytes, words: str) -> None:
    """Whatever a server sends in place of JSON."""
    async with talking(answering({"GET /": http("200 OK", body)})) as server:
        seen = await looked(server.url(), json={"$..z": 1})

    assert seen.outcome == "dead"
    assert seen.reason.text.startswith(words)


async def test_as_much_of_the_body_is_looked_at_as_is_wanted() -> None:
    """Beyond `body_max` nothing is read; of JSON that is cut off the reason names the key."""
    body = json.dumps([{"n": n} for n in range(1000)] + ["end"]).encode()
    async with talking(answering({"GET /": http("200 OK", body)})) as server:
        whole = await looked(server.url(), healthy_match="end", json={"$[1000]": "end"})
        short = await looked(server.url(), healthy_match="end", body_max=2048)
        cut = await looked(server.url(), json={"$[1000]": "end"}, body_max=2048)

    assert whole.outcome == "healthy"
    assert "must have: end" in short.reason.text
    assert cut.reason.text == "the body is longer than body_max, so its JSON is not whole"


async def test_the_largest_body_does_not_hold_up_the_others() -> None:
    """A megabyte of small values is searched in a thread."""
    body = json.dumps([{"n": n} for n in range(60_000)]).encode()
    async with talking(answering({"GET /": http("200 OK", body)})) as server:
        began = time.process_time()
        seen = await looked(server.url(), json={"$..n": 59_999}, delay_dead=0.5)

    assert seen.outcome == "healthy"
    assert time.process_time() - began < 30


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"status": 1}, "is not a JSONPath"),
        ({"$..a..b": 1}, "several times"),
        ({"$[?$[?@.a]]": 1}, "several times"),
        ({"$[?match(@.a, '(a+)+')]": 1}, "regular expression"),
        ({"$.a": {"match": "("}}, "not a regular expression"),
        ({"$.a": {"exists": False, "above": 1}}, "stands alone"),
        ({"$.a": []}, ""),
    ],
)
def test_paths_that_cannot_be(wanted: dict[str, object], words: str) -> None:
    """Each has its sentence at the start; none goes over a body of others again and again."""
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"json": wanted})

    assert words in str(caught.value)
