"""Pushover, against a server that answers as Pushover does."""

from urllib.parse import parse_qsl

import pytest

from crisp_status.channels import ChannelError, Http
from crisp_status.channels.pushover import MESSAGE_MAX, TITLE_MAX, Options, acknowledged, body, form, send, tag
from crisp_status.core.outbox_records import MessageKind
from tests.channels.notice import DOWN, NOON, UP, notice
from tests.fakes import FakeClock
from tests.receivers import HttpReceiver, Reply

OK = Reply(200, b'{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}')


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON), timeout=1) as made:
        yield made


def options(server=None, **more):
    keys = {"type": "pushover", "app_token": "a" * 30, "user_keys": ["u1"]}
    return Options.model_validate(keys | ({"api_url": server.url("/1/messages.json")} if server else {}) | more)


def forms(server):
    return [dict(parse_qsl(request.body.decode(), strict_parsing=True)) for request in server.requests]


async def failure(said, chosen, http):
    with pytest.raises(ChannelError) as caught:
        await send(said, chosen, http)
    return caught.value


async def test_a_message_is_queued(http):
    """One request with the fields that Pushover documents."""
    async with HttpReceiver(OK) as server:
        assert await send(DOWN, options(server, user_keys=["u1", "g2"]), http) == "queued for 2 of 2 users"
        [sent] = forms(server)

    assert server.requests[0].path == "/1/messages.json"
    assert sent.pop("message").startswith(
        "No answer since 12:00 UTC, 2 of 3 replicas.\nEverything else is working.\n<b>"
    )
    assert sent == {
        "token": "a" * 30,
        "user": "u1,g2",
        "title": DOWN.title,
        "html": "1",
        "priority": "0",
        "timestamp": str(int(NOON)),
        "url": DOWN.url,
        "url_title": "Acme Status",
    }


async def test_groups_of_fifty(http):
    """A hundred and twenty users are three requests; those that failed are the only ones to come again."""
    keys = [f"u{i}" for i in range(120)]
    broken = Reply(500, b"")
    async with HttpReceiver(OK, broken, OK) as server:
        error = await failure(DOWN, options(server, user_keys=keys), http)
        assert [len(f["user"].split(",")) for f in forms(server)] == [50, 50, 20]
        assert not error.permanent
        assert error.done == tuple(str(i) for i in range(120) if not 50 <= i < 100)

        server.requests.clear()
        await send(notice(done=error.done), options(server, user_keys=keys), http)
        [sent] = forms(server)

    assert sent["user"] == ",".join(keys[50:100])


async def test_a_slow_service_gets_no_second_limit():
    """However many requests there are, none is begun after the time of one delivery."""
    slow = Reply(200, OK.body, drip=0.01)
    async with HttpReceiver(slow) as server, Http(FakeClock(NOON), timeout=0.2) as hasty:
        error = await failure(DOWN, options(server, user_keys=[f"u{i}" for i in range(120)]), hasty)

    assert len(server.requests) < 3
    assert error.text.endswith("the time is up; the other users are told at the next attempt")
    assert len(error.done) in {50 * len(server.requests), 50 * (len(server.requests) - 1)}


async def test_reminders_escalate(http):
    """High for everybody; when they escalate, the first users are woken until they confirm, the others stay quiet."""
    people = {"user_keys": ["u1", "u2", "u3"]}
    async with HttpReceiver(OK) as server:
        await send(notice(kind=MessageKind.REMINDER), options(server, **people), http)
        await send(
            notice(kind=MessageKind.REMINDER, escalation=2), options(server, **people, retry=60, expire=3600), http
        )
        await send(
            notice(kind=MessageKind.REMINDER, escalation=9), options(server, **people, retry=30, expire=10800), http
        )
        high, emergency, rest, everybody = forms(server)

    assert (high["priority"], high["user"]) == ("1", "u1,u2,u3")
    assert (emergency["priority"], emergency["user"], emergency["retry"], emergency["expire"]) == (
        "2",
        "u1,u2",
        "72",
        "3600",
    )
    assert (rest["priority"], rest["user"]) == ("0", "u3")
    assert "retry" not in rest
    assert (everybody["user"], everybody["retry"]) == ("u1,u2,u3", "216")


@pytest.mark.parametrize(
    ("reply", "permanent", "words"),
    [
        (Reply(400, b'{"user":"invalid","errors":["user key is invalid"],"status":0}'), True, "user key is invalid"),
        (Reply(200, b'{"status":0,"errors":["message cannot be blank"]}'), True, "message cannot be blank"),
        (Reply(200, b"<html>captive portal</html>"), False, "did not take it"),
        (Reply(200, b"[1]"), False, "did not take it"),
        (Reply(500, b"oops"), False, "answered 500: oops"),
    ],
)
async def test_what_must_not_come_again(http, reply, permanent, words):
    """Bad input is a no for good, by status or by body; an answer that is none may come again. Keys are not shown."""
    async with HttpReceiver(reply) as server:
        error = await failure(DOWN, options(server), http)

    assert error.permanent is permanent
    assert words in error.text
    assert "aaaa" not in error.text


async def test_the_quota_is_used_up(http):
    """429 is the month's quota: it is asked again after an hour, however long the receiver wants."""
    async with HttpReceiver(Reply(429, b'{"status":0}'), Reply(429, b"", {"Retry-After": "7200"})) as server:
        waits = [(await failure(DOWN, options(server), http)).retry_after for _ in range(2)]

    assert waits == [3600.0, 3600.0]


def test_the_limits_are_characters():
    """Four-byte characters count once; title and message are cut to what Pushover takes, never inside markup."""
    long = notice(
        title="😀" * 999, lines=("😀&" * 900, *("<line>" * 40,) * 20), url="https://acme.example/" + "x" * 600
    )
    sent = form(long, options(), 0)

    assert len(sent["title"]) == TITLE_MAX
    assert len(sent["message"]) <= MESSAGE_MAX
    assert sent["message"].endswith("</a>")
    assert sent["message"].count("<a ") == 2
    assert "<line>" not in sent["message"]
    assert "url" not in sent


def test_a_message_is_never_empty():
    """However long the words and links are, something is said."""
    links = tuple(type(DOWN.links[0])("L" * 50, "https://x/" + "y" * 900) for _ in range(3))

    assert body(notice(lines=(), affected=(), links=links, headline="h" * 5000)).startswith("hhh")


def paths(server):
    return [request.path for request in server.requests]


async def test_what_rings_ends_with_the_incident(http):
    """An escalated reminder has a tag; the recovery, told first, ends everything with that tag."""
    async with HttpReceiver(OK) as server:
        await send(notice(kind=MessageKind.REMINDER, escalation=1), options(server), http)
        [ringing] = forms(server)
        await send(UP, options(server), http)

    assert ringing["tags"] == tag(7, "Acme Status") != tag(7, "Another page")
    assert paths(server)[1:] == ["/1/messages.json", f"/1/receipts/cancel_by_tag/{ringing['tags']}.json"]
    assert forms(server)[-1] == {"token": "a" * 30}


async def test_a_service_that_cannot_end_what_rings(http):
    """A refusal, as of a proxy, is no reason to send the recovery again; of a failure only that part is repeated."""
    async with HttpReceiver(OK, Reply(404), OK, Reply(503), OK) as server:
        await send(UP, options(server), http)
        error = await failure(UP, options(server), http)
        await send(notice(kind=MessageKind.RECOVERED, done=error.done), options(server), http)

    assert [path.rpartition("/")[2] for path in paths(server)].count("messages.json") == 2
    assert len(server.requests) == 5


async def test_an_acknowledgement_ends_what_rings(http):
    """One request, and nothing that people would read."""
    async with HttpReceiver(OK) as server:
        await acknowledged(7, "Acme Status", options(server), http)

    assert paths(server) == [f"/1/receipts/cancel_by_tag/{tag(7, 'Acme Status')}.json"]
