"""A request of one's own making, against a real receiver."""

import json

import pytest
from pydantic import ValidationError

from crisp_status.channels import ChannelError, Http
from crisp_status.channels.request import FIELDS, Options, send
from tests.channels.notice import DOWN, NOON, notice
from tests.fakes import FakeClock
from tests.receivers import HttpReceiver, Reply


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON), timeout=1) as made:
        yield made


def options(url="https://chat.example/secret", **more):
    return Options.model_validate({"type": "request", "url": url} | more)


async def test_method_fields_and_body_are_as_they_were_written(http):
    """Placeholders are filled in before the JSON is made, so that no text breaks it; one alone keeps its type."""
    told = notice(title='Down: "a"\n{url}', incident=7)
    body = {"text": "{title}!", "n": "{incident}", "deep": [{"h": "{health}"}, 1, True], "plain": "{}"}
    async with HttpReceiver(Reply(204)) as chat:
        made = options(chat.url("/rooms/ops"), method="PUT", headers={"X-Token": "abc"}, body=body)
        assert await send(told, made, http) == "204"
        [request] = chat.requests

    assert (request.method, request.path, request.headers["x-token"]) == ("PUT", "/rooms/ops", "abc")
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {
        "text": 'Down: "a"\n{url}!', "n": 7, "deep": [{"h": told.health.word}, 1, True], "plain": "{}",
    }  # fmt: skip


async def test_without_a_body_everything_is_sent(http):
    """By the names of the placeholders."""
    async with HttpReceiver(Reply(200)) as chat:
        await send(DOWN, options(chat.url("/")), http)
        [request] = chat.requests

    assert set(json.loads(request.body)) == set(FIELDS)
    assert request.json()["id"] == DOWN.id


@pytest.mark.parametrize(("status", "permanent"), [(302, False), (400, True), (500, False)])
async def test_all_but_a_2xx_is_a_no(http, status, permanent):
    """A refusal is told apart from what passes by itself; the address stays a secret."""
    async with HttpReceiver(Reply(status, b"no")) as chat:
        with pytest.raises(ChannelError) as caught:
            await send(DOWN, options(chat.url("/secret")), http)

    assert caught.value.permanent == permanent
    assert "/secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"body": {"a": "{titel}"}}, 'there is no "{titel}"'),
        ({"method": "GET"}, "method"),
        ({"headers": {"Content-Length": "1"}}, "cannot be a header field of yours"),
        ({"headers": {"X-A": "a\nb"}}, "no header field may have"),
        ({"url": "ftp://a"}, ""),
    ],
)
def test_what_cannot_be_sent_is_said_at_the_start(more, words):
    """With the right names."""
    with pytest.raises(ValidationError) as caught:
        options(**more)

    assert words in str(caught.value)
