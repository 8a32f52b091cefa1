"""Visitors are told: a whole daemon, real targets that die, real receivers; seen as a visitor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from urllib.parse import urlsplit

import aiohttp
from standardwebhooks import Webhook

from tests.daemon import daemon, get, listening, until
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


async def test_operators_find_remove_and_send_the_link_again(tmp_path):
    """The console and the command line show who is told; viewers of the console do not see addresses."""
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (app, v, *_):
        await subscribe(v, server, "jane@example.com", what="some", service="web")
        await v.post("/subscribe", address="late@example.com", what="all")
        await until(lambda: len(server.mails) == 2)
        auth = {"Authorization": aiohttp.encode_basic_auth("", "manager-token")}
        async with v.session.get("/manager/subscribers?find=JANE", headers=auth) as answer:
            listed = await answer.json()
        async with v.session.post(
            "/manager/subscribers/remove", headers=auth, json={"address": "jane@example.com"}
        ) as answer:
            assert await answer.json() == {"removed": 1}
        async with v.session.post(
            "/manager/subscribers",
            headers=auth,
            json={"subscribers": [{"address": "b@example.com", "services": ["shop"], "language": "de"}]},
        ) as answer:
            assert await answer.json() == {"imported": 1}
        held = app.engine.peek()
        (one,) = held.subscribers.values()

    assert [(s["address"], s["services"]) for s in listed["subscribers"]] == [("jane@example.com", ["web"])]
    assert (listed["total"], listed["pending"]) == (1, 1)
    assert (one.address, one.services, one.language) == ("b@example.com", "shop", "de")


async def test_the_answer_does_not_tell_who_subscribed(tmp_path):
    """Unknown, known and waiting addresses: the same page, the same headers, one event on the disk each."""
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (app, v, *_):
        await subscribe(v, server, "known@example.com")
        await v.post("/subscribe", address="waiting@example.com", what="all")
        answers = []
        for address in ("known@example.com", "waiting@example.com", "unknown@example.com"):
            before = app.engine.revision
            async with v.session.post(
                "/subscribe", data={"address": address, "what": "all"}, allow_redirects=False
            ) as answer:
                headers = {k: x for k, x in answer.headers.items() if k != "Date"}
                answers.append((answer.status, headers, await answer.text(), app.engine.revision - before >= 1))

    assert answers[0] == answers[1] == answers[2]


async def test_a_scanner_that_follows_every_link_changes_nothing(tmp_path):
    """It reads each mail, asks for every link in it with GET and HEAD, and the links on the pages behind."""
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (app, v, dies, _):
        await subscribe(v, server, "jane@example.com")
        await dies()
        await until(lambda: len(server.mails) == 2)
        await v.post("/subscribe", address="other@example.com", what="all")
        await until(lambda: len(server.mails) == 3)
        await until(lambda: all(not p.due_at for p in app.engine.peek().audience.pending.values()))
        before = json.dumps([str(app.engine.peek().subscribers), str(app.engine.peek().audience.pending)])
        for mail in server.mails:
            for path in links(mail):
                _, page = await v.get(path)
                await v.session.head(path)
                for href in re.findall(r'href="(/(?:manage|confirm|unsubscribe)/[^"]+)"', page):
                    await v.get(href)
        after = json.dumps([str(app.engine.peek().subscribers), str(app.engine.peek().audience.pending)])

    assert before == after


async def test_one_click_ends_it_as_rfc_8058_says(tmp_path):
    """One https address, one field beside it, and a POST without cookie that is answered 200 and not sent on; undo for an hour."""
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (app, v, dies, _):
        await subscribe(v, server, "jane@example.com")
        await dies()
        await until(lambda: len(server.mails) == 2)
        mail = server.mails[1].message
        (header,) = mail.get_all("List-Unsubscribe")
        path = urlsplit(header.strip("<> ")).path
        async with v.session.post(path, data={"List-Unsubscribe": "One-Click"}, allow_redirects=False) as answer:
            page = await answer.text()
            assert answer.status == 200
            assert "Set-Cookie" not in answer.headers
        assert not app.engine.peek().subscribers
        undo = re.search(r'name="undo" value="([^"]+)"', page).group(1)
        assert (await v.post("/undo", undo=undo + "x"))[0] == 410
        assert (await v.post("/undo", undo=undo))[0] == 200
        assert len(app.engine.peek().subscribers) == 1
        assert (await v.post(path + "x"))[0] == 410


async def test_addresses_that_are_odd_and_addresses_that_are_attacks(tmp_path):
    """Plus, quotes, an international domain arrive; what would be a second header or recipient is refused."""
    good = ("jane+status@example.com", '"jane doe"@example.com', "jane@bücher.example")
    bad = ("a@example.com\nBcc: b@example.com", "a@example.com,b@example.com", "a@b@example.com", "<a@example.com>",
           "a@example.com\r\n.\r\n", "a b@example.com", "a@localhost", "@example.com", "a@", "a" * 65 + "@example.com")  # fmt: skip
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (_, v, *_rest):
        for address in good:
            await v.session.post(
                "/subscribe",
                data={"address": address, "what": "all"},
                headers={"X-Forwarded-For": f"192.0.2.{good.index(address) + 1}"},
            )
        await until(lambda: len(server.mails) == len(good))
        for address in bad:
            status, page = await v.post("/subscribe", address=address, what="all")
            assert (address, status) == (address, 400)
            assert "not an e-mail address" in page
        await v.post("/subscribe", address="x@example.com", what="some", service="web\r\nX: y")
        await until(lambda: len(server.mails) == len(good) + 1)

    assert [m.recipients for m in server.mails[: len(good)]] == [
        ["jane+status@example.com"],
        ['"jane doe"@example.com'],
        ["jane@xn--bcher-kva.example"],
    ]
    assert all(len(m.message.get_all("To")) == 1 and "Bcc" not in m.message for m in server.mails)


async def test_a_burst_from_many_addresses_bombs_nobody(tmp_path):
    """A thousand clients ask ten times each for one mailbox and its spellings: three mails, and the page answers as before."""
    spellings = ("victim@example.com", "Victim@example.com", "vic.tim@example.com", "victim+1@example.com")
    async with SmtpReceiver(security="none") as server, an_outage(tmp_path, told(server)) as (app, v, *_):

        async def ask(client: int) -> None:
            for number in range(3):
                where = {"X-Forwarded-For": f"198.18.{client // 250}.{client % 250 + 1}"}
                data = {"address": spellings[(client + number) % 4], "what": "all"}
                async with v.session.post("/subscribe", data=data, headers=where, allow_redirects=False) as answer:
                    assert answer.status in {303, 429}

        for start in range(0, 300, 25):
            await asyncio.gather(*(ask(client) for client in range(start, start + 25)))
            assert (await get(app, "/"))[0] == 200
        codes = []
        for _ in range(7):
            async with v.session.post(
                "/subscribe", data={"address": "me@example.org", "what": "all"}, allow_redirects=False
            ) as answer:
                codes.append(answer.status)
        await asyncio.sleep(0.5)

    assert sum(m.recipients[0].lower().startswith("vic") for m in server.mails) == 3
    assert codes == [303] * 5 + [429] * 2
