"""Visitors are told: a whole daemon, real targets that die, real receivers; seen as a visitor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from urllib.parse import urlsplit

import aiohttp
from standardwebhooks import Webhook

from tests.daemon import daemon, listening, until
from tests.receivers import HttpReceiver, PushReceiver, Reply, SmtpReceiver


def watched(web: int, shop: int) -> str:
    """Two services of a node each."""
    return "".join(
        f'[[services]]\nname = "{service}"\nnodes = [{{name = "{node}", replicas = ["tcp://127.0.0.1:{port}"]}}]\n'
        for service, node, port in (("Web", "Landing page", web), ("Shop", "Checkout", shop))
    )


def told(server: SmtpReceiver, **more: object) -> str:
    """`[subscribers]` by e-mail; `more` are other keys."""
    keys = {"after": 0, "per_minute": 60_000, **more}
    lines = "".join(f"{key} = {str(value).lower()}\n" for key, value in keys.items())
    return f"""[subscribers]
email = true
from = "news@acme.example"
smtp_host = "127.0.0.1"
smtp_port = {server.port}
smtp_security = "none"
{lines}"""


@contextlib.asynccontextmanager
async def visitor(app):
    """A browser without script: posts forms, follows redirects, keeps no cookie."""
    async with aiohttp.ClientSession(f"http://{app.bound[0]}", cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Visitor(session)


class Visitor:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def post(self, path: str, **fields: object) -> tuple[int, str]:
        async with self.session.post(path, data=fields) as answer:
            return answer.status, await answer.text()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(path) as answer:
            return answer.status, await answer.text()


def links(mail) -> list[str]:
    """The paths of ours that a mail links to."""
    text = mail.message.get_body(("plain",)).get_content()
    return [urlsplit(url).path for url in re.findall(r"http://127\.0\.0\.1:1(/\S+)", text)]


def link(mail, name: str) -> str:
    return next(path for path in links(mail) if path.startswith(f"/{name}/"))


async def subscribe(v: Visitor, server: SmtpReceiver, address: str, **fields: object) -> str:
    """From the form to the page where it is managed; that page's path."""
    before = len(server.mails)
    status, page = await v.post("/subscribe", address=address, **{"what": "all", **fields})
    assert status == 200
    assert "a message with a link is on its way" in page
    await until(lambda: len(server.mails) > before)
    path = link(server.mails[-1], "confirm")
    async with v.session.post(path) as answer:
        assert answer.status == 200
        return answer.url.path


async def test_a_visitor_hears_of_an_outage_and_its_end_once(tmp_path):
    """Typed on the page, confirmed from the mail, told of the outage and of its end, out with one click."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(SmtpReceiver(security="none"))
        shop = await stack.enter_async_context(listening())
        web = contextlib.AsyncExitStack()
        port = await web.enter_async_context(listening())
        app = await stack.enter_async_context(daemon(tmp_path, told(server) + watched(port, shop)))
        v = await stack.enter_async_context(visitor(app))
        await until(lambda: app.engine.peek().health.word == "healthy")
        await subscribe(v, server, "jane@example.com")

        await web.aclose()
        await until(lambda: len(server.mails) == 2)
        await stack.enter_async_context(listening(port))
        await until(lambda: len(server.mails) == 3)
        await asyncio.sleep(1.0)
        confirm, opened, over = server.mails
        left, gone = await v.post(link(opened, "unsubscribe")), await v.get(link(over, "manage"))

    assert [m.message["Subject"] for m in (confirm, opened, over)] == [
        "Confirm that we may write to you (Acme)",
        "Landing page is down (Acme)",
        "Back: Landing page (Acme)",
    ]
    assert left[0] == 200
    assert gone[0] == 410
    assert not app.engine.peek().subscribers


class Hook(HttpReceiver):
    """A visitor's server that answers challenges; then as its replies say."""

    def reply(self, request):
        given = request.json()
        if given.get("type") == "challenge":
            return Reply(200, json.dumps({"challenge": given["challenge"]}).encode())
        return super().reply(request)


@contextlib.asynccontextmanager
async def an_outage(tmp_path, config: str):
    """A daemon with one dead service; gives the app, a visitor, and what brings the service back."""
    async with contextlib.AsyncExitStack() as stack:
        shop = await stack.enter_async_context(listening())
        web = contextlib.AsyncExitStack()
        port = await web.enter_async_context(listening())
        app = await stack.enter_async_context(daemon(tmp_path, config + watched(port, shop)))
        v = await stack.enter_async_context(visitor(app))
        await until(lambda: app.engine.peek().health.word == "healthy")

        async def back():
            await stack.enter_async_context(listening(port))

        yield app, v, web.aclose, back


async def test_a_web_hook_is_challenged_signed_and_told(tmp_path):
    """The key is shown once, and verifies every message with the library of Standard Webhooks."""
    async with (
        Hook(Reply(204)) as hook,
        an_outage(tmp_path, "[subscribers]\nwebhook = true\nafter = 0\n") as (_, v, dies, back),
    ):
        status, page = await v.post("/subscribe", hook=hook.url("/x?key=1"), what="some", service="web")
        assert status == 200
        secret = re.search(r"whsec_[\w+/=]+", page).group()

        await dies()
        await until(lambda: len(hook.requests) == 2)
        await back()
        await until(lambda: len(hook.requests) == 3)

    told = [Webhook(secret).verify(r.body, r.headers) for r in hook.requests]
    assert [one["type"] for one in told] == ["challenge", "incident.opened", "incident.resolved"]
    assert told[1]["data"]["title"] == "Landing page is down"
    assert told[1]["data"]["services"] == ["web"]


async def test_a_server_that_does_not_answer_the_challenge_gets_nothing(tmp_path):
    """Whoever names the server of somebody else reaches it once."""
    async with (
        HttpReceiver(Reply(200, b"ok")) as other,
        an_outage(tmp_path, "[subscribers]\nwebhook = true\nafter = 0\n") as (app, v, *_),
    ):
        status, page = await v.post("/subscribe", hook=other.url("/"), what="all")

        assert status == 400
        assert "did not answer the challenge" in page
        assert not app.engine.peek().subscribers


async def test_a_channel_confirms_before_it_is_told(tmp_path):
    """The link goes into the channel; whoever presses the button there subscribes it."""
    async with (
        HttpReceiver(Reply(200, b"ok")) as slack,
        an_outage(tmp_path, "[subscribers]\nslack = true\nafter = 0\n") as (_, v, dies, _back),
    ):
        await v.post("/subscribe", slack=slack.url("/services/x"), what="all")
        await until(lambda: len(slack.requests) == 1)
        path = urlsplit(re.search(r"<(\S+?)\|", slack.requests[0].json()["text"]).group(1)).path
        assert (await v.post(path))[0] == 200

        await dies()
        await until(lambda: len(slack.requests) == 2)

    assert slack.requests[1].json()["text"].startswith("*Landing page is down*")


async def test_a_browser_is_told_when_its_push_service_says_yes(tmp_path):
    """The first message shows that it works; a browser that is gone is forgotten."""
    async with (
        PushReceiver(Reply(201), Reply(201), Reply(410)) as service,
        an_outage(tmp_path, "[subscribers]\nwebpush = true\nafter = 0\n") as (app, v, dies, back),
    ):
        device = service.subscription()
        given = {
            "subscription": {"endpoint": device.endpoint, "keys": {"p256dh": device.p256dh, "auth": device.auth}},
            "what": "all",
        }
        async with v.session.get("/subscribe/push-key") as answer:
            assert len((await answer.json())["key"]) == 87
        async with v.session.post("/subscribe/push", json=given) as answer:
            assert answer.status == 200

        await dies()
        await until(lambda: len(service.requests) == 2)
        await back()
        await until(lambda: not app.engine.peek().subscribers)

    assert [json.loads(m)["title"] if isinstance(m, (str, bytes)) else m["title"] for m in service.messages][:2] == [
        "Acme",
        "Landing page is down",
    ]


async def test_clients_of_statuspage_subscribe(tmp_path):
    """JSON and form, everything, a component, an incident: the answer has what their types say."""
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (app, v, *_):
        async with v.session.post(
            "/api/v2/subscribers.json", json={"subscriber": {"email": "a@example.com", "component_ids": ["web"]}}
        ) as answer:
            body = await answer.json()
            assert (answer.status, body["email"], body["mode"]) == (201, "a@example.com", "email")
            assert body["page"]["name"] == "Acme"
        async with v.session.post("/api/v2/subscribers.json", data={"subscriber[email]": "b@example.com"}) as answer:
            assert answer.status == 201
        async with v.session.post("/api/v2/subscribers.json", json={"subscriber": {"email": "nobody"}}) as answer:
            assert answer.status == 422
        await until(lambda: len(server.mails) == 2)

    assert [p.subscriber.services for p in app.engine.peek().audience.pending.values()] == ["web", ""]
