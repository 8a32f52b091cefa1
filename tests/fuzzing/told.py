"""Those whom we tell, and what they may answer: mail servers, hooks, push services, the server of an agent or reporter."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec

from crisp_status import kinds
from crisp_status.agent.upstream import Upstream, UpstreamError
from crisp_status.agent.watch_list import AgentReading, jobs, parsed
from crisp_status.channels import ChannelError, Http, apprise, email, push, pushover, slack, webhook
from crisp_status.channels._webpush import PushKeys, encode
from crisp_status.core.model import FINE, Health
from crisp_status.core.notice import Device
from crisp_status.reporter.sender import RETRY_AFTER_MAX, Sender
from tests.channels.notice import notice
from tests.fakes import FakeClock
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.outside import LOOK_SECONDS, SLACK_SECONDS, answer, babbling
from tests.fuzzing.world import World
from tests.probes.servers import Talk, talking
from tests.receivers import certificate, server_tls

REPLIES = (b"220 hi", b"250 ok", b"250-PIPELINING\r\n250-AUTH PLAIN\r\n250 8BITMIME", b"354 go", b"421 bye", b"450 later", b"550 \x1b[31mno\x00", b"999 x", b"", b"250", b"25", b"-1 x", b"250-" + b"x" * 2000, b"220 " + b"y" * 70_000, b"\xff\xfe")  # fmt: skip


MAIL_SECONDS = 20.0
"""More than all steps of a conversation may take, and less than the ten minutes after the end of a mail."""


@contextlib.asynccontextmanager
async def mail(world: World) -> AsyncIterator[Attempt]:
    """A mail server that says anything, without end or nothing: a yes, or a `ChannelError` in one printable line."""
    tls = server_tls()
    async with Http(FakeClock(), timeout=LOOK_SECONDS) as client:

        async def attempt(dice: Random) -> str:
            security = dice.choice(("none", "none", "starttls", "tls"))
            given = {
                "id": "m",
                "type": "email",
                "to": ["a@b.example", "c@d.example"],
                "from": "e@f.example",
                "smtp_host": "127.0.0.1",
                "smtp_security": security,
                "smtp_ca_file": str(certificate()[0]),
            }
            if dice.random() < 0.3:
                given |= {"smtp_username": "me", "smtp_password": "secret"}
            implicit = tls if security == "tls" and dice.random() < 0.9 else None
            async with talking(postman(dice, tls), tls=implicit) as server:
                options = email.Options.model_validate({**given, "smtp_port": server.port})
                try:
                    async with asyncio.timeout(MAIL_SECONDS):
                        return f"{security} {await delivered(email.send(notice(), options, client))}"
                except TimeoutError:
                    return f"{security} waits after the end of the mail"

        yield attempt


POLITE = {
    b"EHLO": b"250-me\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN",
    b"AUTH": b"235 in",
    b"STAR": b"220 go",
    b"DATA": b"354 go",
    b"QUIT": b"221 bye",
}


def postman(dice: Random, tls: ssl.SSLContext) -> Talk:
    """Answers each line of a client as it should, or as nobody should; a rare one goes on for ever."""
    rude = dice.choice((0.0, 0.1, 0.3))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = b"220 hi"
        while True:
            if dice.random() < rude:
                reply = chance.mangled(dice, dice.choice((*REPLIES, reply)), 0.3)
            writer.write(reply + b"\r\n")
            await writer.drain()
            while dice.random() < rude / 10:
                writer.write((b"250-" + b"x" * 900 + b"\r\n") * 5000)
                await writer.drain()
            if reply == b"354 go":
                await reader.readuntil(b"\r\n.\r\n")
                reply = b"250 taken"
                continue
            if reply == POLITE[b"STAR"]:
                await writer.start_tls(tls)
            said = await reader.readline()
            if not said:
                return
            reply = POLITE.get(said[:4].upper(), b"250 ok")

    return talk


async def delivered(sending: Awaitable[str]) -> str:
    """What became of a message; its error is for people."""
    began = time.monotonic()
    try:
        said = await sending
    except ChannelError as error:
        said, word = error.text, "no for good" if error.permanent else "no for now"
        claim(0 <= error.retry_after <= 86_400, "wait:", error.retry_after)
    else:
        word = "yes"
    took = time.monotonic() - began
    claim(took < LOOK_SECONDS + 4 + SLACK_SECONDS, f"{took:.1f} s")
    claim(said.isprintable() and len(said) < 1000, "not for people:", said[:400])
    return word


@contextlib.asynccontextmanager
async def receivers(world: World) -> AsyncIterator[Attempt]:
    """Slack, Pushover, hooks and push services that answer anything."""
    async with Http(FakeClock(), timeout=LOOK_SECONDS) as client:

        async def attempt(dice: Random) -> str:
            body = dice.choice(
                (
                    b"ok",
                    b'{"status":1,"request":"x"}',
                    b'{"status":0,"errors":["\\u001b[31m"]}',
                    b"[" * 9000,
                    b'{"status":[]}',
                    b"null",
                    b'{"errors":{"a":1}}',
                    b"\xff",
                )
            )
            said = (
                answer(dice)
                if dice.random() < 0.6
                else b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n"
                % (dice.choice((200, 200, 400, 429, 500)), len(body))
                + body
            )
            async with talking(babbling(dice, said)) as server:
                channel = dice.choice(tuple(RECEIVERS))
                return f"{channel} {await delivered(RECEIVERS[channel](server.url('/x'), client))}"

        yield attempt


def to_slack(url: str, client: Http) -> Awaitable[str]:
    """A message to Slack, or what answers in its place."""
    return slack.send(notice(), slack.Options.model_validate({"id": "s", "type": "slack", "hook_url": url}), client)


def to_pushover(url: str, client: Http) -> Awaitable[str]:
    """The same for Pushover."""
    keys = {"id": "p", "type": "pushover", "app_token": "a" * 30, "user_keys": ["b" * 30], "api_url": url}
    return pushover.send(notice(), pushover.Options.model_validate(keys), client)


def to_hook(url: str, client: Http) -> Awaitable[str]:
    """The same for a hook of machines."""
    options = webhook.Options.model_validate({"id": "w", "url": url, "secret": "whsec_c2VjcmV0", "website_id": "acme"})
    hook = webhook.Hook("1", Health.DEAD, (("A", "b"),), ("a:b:c",), 1, 1, 12, "Acme", "https://acme.example/")
    return webhook.send(hook, options, client)


KEYS = PushKeys(ec.generate_private_key(ec.SECP256R1()), "mailto:ops@acme.example")


def to_device(url: str, client: Http) -> Awaitable[str]:
    """The same for a push service: browsers choose it, so that nobody vouches for what answers there."""
    device = Device(url, KEYS.public, encode(b"sixteen secrets!"))
    options = push.Options.model_validate({"id": "j", "type": "push", "operators": ["jane"]})
    client.push_keys = KEYS
    return push.send(notice(target=device), options, client)


RECEIVERS: dict[str, Callable[[str, Http], Awaitable[str]]] = {
    "slack": to_slack,
    "pushover": to_pushover,
    "hook": to_hook,
    "push": to_device,
}


LISTS: tuple[object, ...] = (
    {"data": {"date": 5, "nodes": [{"service": "web", "id": "api", "targets": [{"id": "a", "address": "tcp://127.0.0.1:1", "kind": "tcp"}, {"id": "b", "address": "http://127.0.0.1:1/"}], "interval": 30, "retry": 1, "retry_wait": 0.1, "delay_dead": 1, "delay_sick": 1, "options": {"http": {"healthy_match": "x", "headers": {"A": "b"}}}}]}},
    {"data": {"date": 5, "services": [{"id": "web", "nodes": [{"id": "api", "replicas": ["tcp://127.0.0.1:1", "http://a/"], "http": {"status": {"healthy_above": 200}, "body": {"dead_match": "x"}}}]}], "metrics": {"local": {"retry": 1, "delay_dead": 1, "delay_sick": 1}}}},
    {"accepted": 1, "refused": [{"index": 0, "error": "x", "detail": "no"}]},
)  # fmt: skip


@contextlib.asynccontextmanager
async def agent(world: World) -> AsyncIterator[Attempt]:
    """What a server may send to our agent, as list and as answer to reports: taken with sane limits, or a `LinkError`."""
    word = AgentReading(("web/api", "a"), 30.0, Health.HEALTHY, FINE, 1.0, 3)

    async def attempt(dice: Random) -> str:
        body = chance.json_bytes(dice, chance.changed(dice, dice.choice(LISTS), 3))
        if dice.random() < 0.6:
            return plan(body)
        said = (
            b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (dice.choice((200, 200, 200, 304, 400, 503)), len(body))
            + body
        )
        talk = babbling(dice, said if dice.random() < 0.7 else answer(dice))
        async with talking(talk) as server, Upstream(server.url(""), "token", "crisp", "") as link:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    if dice.random() < 0.5:
                        await link.fetch()
                        return "list fetched"
                    await link.send([word], 5.0)
                    return "reports taken"
            except UpstreamError as error:
                claim(str(error).isprintable(), "not for people:", str(error)[:300])
                return "refused"
            except TimeoutError:
                return "too slow"

    yield attempt


def plan(body: bytes) -> str:
    """What an agent makes of a list."""
    try:
        fresh = parsed(body, 120.0)
    except ValueError as error:
        claim(str(error).isprintable(), "not for people:", str(error)[:300])
        return "list refused"
    wanted, refused = jobs(fresh.nodes, scripts=False)
    for job in wanted.values():
        claim(job.kind in kinds.probes() and job.kind != "script", "a job:", job)
        claim(1.0 <= job.interval < 1e9, "an interval:", job.interval)
        claim(
            0 <= job.policy.retry <= 100 and 0 <= job.policy.retry_wait <= 3600 and 0 < job.policy.delay_dead <= 3600,
            "no sane limits:",
            job,
        )
    for why in refused.values():
        claim(why.isprintable(), "not for people:", why[:300])
    return "list taken"


@contextlib.asynccontextmanager
async def reporter(world: World) -> AsyncIterator[Attempt]:
    """What a server may answer to our library inside an application: an outcome in time, its error for people."""

    async def attempt(dice: Random) -> str:
        body = chance.json_bytes(dice, chance.changed(dice, {"error": "x", "detail": "\x1b[31m no"}, 2))
        said = (
            b"HTTP/1.1 %d x\r\nContent-Length: %d\r\nRetry-After: %b\r\n\r\n"
            % (dice.choice((200, 200, 302, 400, 503)), len(body), dice.choice((b"7", b"9" * 5000, b"nan", b"-1")))
            + body
        )
        async with talking(babbling(dice, said if dice.random() < 0.5 else answer(dice))) as server:
            sender = Sender(server.url(""), "token", "web", "api", chance.word(dice)[:200])
            call = sender.flush if dice.random() < 0.2 else lambda timeout: sender.report(30, 0.1, 0.2, timeout=timeout)
            began = time.monotonic()
            outcome = await asyncio.to_thread(call, LOOK_SECONDS)
            took = time.monotonic() - began
        claim(took < LOOK_SECONDS + SLACK_SECONDS, f"{took:.1f} s")
        claim(outcome.error.isprintable() and len(outcome.error) < 1000, "not for people:", outcome.error[:300])
        claim(0 <= outcome.retry_after <= RETRY_AFTER_MAX, "wait:", outcome.retry_after)
        return "taken" if outcome.ok else "refused" if outcome.status else "no answer"

    yield attempt


SERVICES = (
    "json://user:password@{}/hook", "xml://{}/hook", "form://{}/hook?method=PUT", "ntfy://{}/topic", "gotify://{}/token-abcdef",
    "matrix://user:password@{}/#room", "mmost://{}/abcdefghijklmnopqrstuvwx", "rocket://user:password@{}/#room", "ncloud://user:password@{}/user",
    "apprise://{}/token-abcdef", "nosuch://{}/x",
)  # fmt: skip

APPRISE_SECONDS = 3.0
"""The library takes one to begin with."""


@contextlib.asynccontextmanager
async def services(world: World) -> AsyncIterator[Attempt]:
    """What answers to the Apprise library: a yes or a `ChannelError` in time, and its memory is not ours."""
    turn = asyncio.Semaphore(2)
    async with Http(FakeClock(), timeout=APPRISE_SECONDS) as client:

        async def attempt(dice: Random) -> str:
            if importlib.util.find_spec("apprise") is None:
                return "no library"
            said = answer(dice)
            if dice.random() < 0.4:
                body = chance.json_bytes(
                    dice,
                    chance.changed(
                        dice, {"access_token": "x", "data": {"authToken": "a", "userId": "b"}, "room_id": "r", "id": 1}
                    ),
                )
                said = (
                    b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (dice.choice((200, 200, 400, 500)), len(body))
                    + body
                )
            async with turn, talking(babbling(dice, said)) as server:
                urls = [url.format(server.address) for url in dice.sample(SERVICES, 3)]
                options = apprise.Options.model_validate({"id": "a", "type": "apprise", "urls": urls})
                try:
                    await apprise.send(notice(), options, client)
                except ChannelError as error:
                    claim(error.text.isprintable() and len(error.text) < 1000, "not for people:", error.text[:400])
                    claim("password" not in error.text and "abcdef" not in error.text, "a secret:", error.text)
                    return f"{3 - len(error.done)} of 3 refused"
                return "all took it"

        yield attempt
