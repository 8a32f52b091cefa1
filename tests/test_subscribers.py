"""Visitors are told: a whole daemon, real targets that die, real receivers; seen as a visitor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from urllib.parse import urlsplit

import aiohttp

from tests.daemon import daemon, listening, until
from tests.receivers import SmtpReceiver


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
