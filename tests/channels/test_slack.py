"""Slack, against a server that answers as Slack does."""

import pytest
from pydantic import ValidationError

from crisp_status.channels import ChannelError, Http
from crisp_status.channels.slack import HEADER_MAX, TEXT_MAX, Options, message, send
from crisp_status.core.model import Health, MessageKind
from crisp_status.core.notice import Affected
from tests.channels.notice import DOWN, NOON, UP, notice
from tests.fakes import FakeClock
from tests.receivers import HttpReceiver, Reply


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON), timeout=1) as made:
        yield made


def options(url="https://hooks.slack.example/services/T0/B0/secret", **more):
    return Options.model_validate({"type": "slack", "hook_url": url} | more)


def texts(payload):
    """Every text of every block."""
    [bar] = payload["attachments"]
    found = [b["text"]["text"] for b in bar["blocks"] if "text" in b]
    return found + [e["text"] for b in bar["blocks"] for e in b.get("elements", [])]


async def test_a_message_says_what_is_affected(http):
    """The title notifies; blocks show the sentences, the tree and the links."""
    async with HttpReceiver(Reply(200, b"ok")) as slack:
        assert await send(DOWN, options(slack.url("/services/T/B/x"), mention_channel=True), http) == "ok"
        [request] = slack.requests

    payload = request.json()
    header, lines, tree, links = texts(payload)
    assert (request.method, request.path, request.headers["content-type"]) == (
        "POST",
        "/services/T/B/x",
        "application/json",
    )
    assert payload["text"] == "<!channel> DOWN: Checkout, replicas 1 and 2 (Acme)"
    assert header == "Checkout is partly down"
    assert lines == "No answer since 12:00 UTC, 2 of 3 replicas.\nEverything else is working."
    assert tree.splitlines() == [
        "*Payments*",
        "• Checkout: *dead* · 12:00 UTC · connection refused by 10.0.0.5:443",
        "        ◦ tcp://10.0.0.5:443",
        "        ◦ Paris (tcp://10.0.0.6:443)",
        "        ◦ +1",
    ]
    assert "<https://status.acme.example/a/7.acknowledge.1.x|Acknowledge>" in links


@pytest.mark.parametrize(
    ("reply", "permanent", "words"),
    [
        (Reply(200, b"<html>proxy</html>"), False, "answered 200 but not “ok”"),
        (Reply(200, b""), False, "answered 200 but not “ok”"),
        (Reply(400, b"invalid_blocks"), True, "answered 400: invalid_blocks"),
        (Reply(403, b"action_prohibited"), True, "action_prohibited"),
        (Reply(404, b"no_service"), True, "no_service"),
        (Reply(410, b"channel_is_archived"), True, "channel_is_archived"),
        (Reply(500, b"rollup_error"), False, "rollup_error"),
        (Reply(302, headers={"Location": "/login"}), False, "answered 302"),
    ],
)
async def test_only_ok_is_a_yes(http, reply, permanent, words):
    """Anything but 200 with `ok` is not delivered; the codes of Slack are quoted, the address is not."""
    async with HttpReceiver(reply) as slack:
        with pytest.raises(ChannelError, match=words) as caught:
            await send(DOWN, options(slack.url("/services/secret")), http)

    assert caught.value.permanent is permanent
    assert "secret" not in caught.value.text


async def test_slack_asks_for_patience(http):
    """429 passes after the time that Slack asks for."""
    async with HttpReceiver(Reply(429, b"rate_limited", {"Retry-After": "30"})) as slack:
        with pytest.raises(ChannelError) as caught:
            await send(DOWN, options(slack.url()), http)

    assert (caught.value.permanent, caught.value.retry_after) == (False, 30.0)


def test_good_news_wakes_nobody():
    """The channel is mentioned for what is down, never for a recovery or for something sick."""
    loud = options(mention_channel=True, escalation_mentions=["U1"])

    assert message(UP, loud)["text"] == UP.title
    assert "<!channel>" not in message(notice(health=Health.SICK), loud)["text"]


def test_reminders_mention_one_more_each_time():
    """Escalation walks down the list of people and groups."""
    people = options(escalation_mentions=["U1", "S2", "W3"])
    found = [
        message(notice(kind=MessageKind.REMINDER, escalation=n), people)["text"].removesuffix(DOWN.title)
        for n in range(5)
    ]

    assert found == ["", "<@U1> ", "<@U1> <!subteam^S2> ", *["<@U1> <!subteam^S2> <@W3> "] * 2]


def test_names_cannot_be_markup():
    """A node that is called like a mention mentions nobody."""
    evil = notice(
        title="<!channel> & co", lines=("<!here>",), affected=(Affected("<b>", "<@U1>", Health.DEAD, "", ""),)
    )
    payload = message(evil, options())

    assert payload["text"] == "&lt;!channel&gt; &amp; co"
    assert not any("<!" in text or "<@" in text for text in texts(payload))


def test_the_limits_of_slack_are_kept():
    """Hundreds of nodes and long names still make a message that Slack takes."""
    many = tuple(Affected("S&" * 50, "N<" * 50, Health.DEAD, "12:00 UTC", "why " * 90) for _ in range(300))
    payload = message(notice(headline="h" * 999, title="t" * 9999, lines=("l&" * 200,) * 40, affected=many), options())
    header, *rest = texts(payload)

    assert len(header) <= HEADER_MAX
    assert all(len(text) <= TEXT_MAX for text in [payload["text"], *rest])
    assert len(payload["attachments"][0]["blocks"]) <= 50


def test_the_address_must_be_one():
    """A hook that is no web address is refused without being quoted."""
    with pytest.raises(ValidationError, match="expected a web address") as caught:
        options("hooks.slack.com/services/secret")

    assert "secret" not in str(caught.value)
    assert "secret" not in repr(options())


def test_names_with_marks_stay_as_they_are():
    """`*`, `_`, `~` and backticks in names and reasons format nothing: such a block goes out without markup."""
    odd = notice(
        title="DOWN: my_old_node (Acme)",
        affected=(Affected("*Payments*", "`rm -rf`", Health.DEAD, "12:00 UTC", "~no~ answer"),),
    )
    payload = message(odd, options())
    _, lines, tree, _ = [block.get("text") for block in payload["attachments"][0]["blocks"]]

    assert tree["type"] == "plain_text"
    assert tree["text"].splitlines() == ["*Payments*", "• `rm -rf`: dead · 12:00 UTC · ~no~ answer"]
    assert lines["type"] == "mrkdwn"
    assert (payload["text"], payload["mrkdwn"]) == ("DOWN: my_old_node (Acme)", False)
    assert "mrkdwn" not in message(DOWN, options())

    loud = message(odd, options(mention_channel=True))
    assert (loud["text"].replace("\u200b", ""), loud["mrkdwn"]) == ("<!channel> DOWN: my_old_node (Acme)", True)
    assert "_\u200bold" in loud["text"]
