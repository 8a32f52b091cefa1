"""Proof of delivery: a whole daemon, real targets that die, and real receivers of every kind that behave in every way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from standardwebhooks import Webhook

from crisp_status.clock import SystemClock
from crisp_status.core.model import Health
from tests.daemon import daemon, get, listening, until
from tests.receivers import HttpReceiver, PushReceiver, Reply, SmtpReceiver, certificate

NPM = Path(__file__).resolve().parent / "npm"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OK = Reply(200, b"ok")
QUEUED = Reply(200, b'{"status":1,"request":"x"}')
HOURS = 5 * 3600.0

NO_REMINDERS = "reminder_interval = 0\n"
"""Goes first: the last table of `daemon.BASE` is [notify]."""

# Plugins that Apprise loads.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Ahead(SystemClock):
    """The clocks of this machine, so many seconds ahead: a daemon that is started again hours later."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return super().now() + self.seconds


def watched(*ports: int) -> str:
    """Service Web with the node Landing page, one service more for each further port."""
    names = [("Web", "Landing page"), ("Shop", "Checkout")]
    return "".join(
        f'[[services]]\nname = "{service}"\n[[services.nodes]]\nname = "{node}"\nreplicas = ["tcp://127.0.0.1:{port}"]\n'
        for (service, node), port in zip(names, ports, strict=False)
    )


def slack(id: str, receiver: HttpReceiver) -> str:
    return f'[[notifiers]]\ntype = "slack"\nid = "{id}"\nhook_url = "{receiver.url("/services/x")}"\n'


@dataclass
class Team:
    """One receiver of every kind."""

    starttls: SmtpReceiver
    tls: SmtpReceiver
    chat: HttpReceiver
    pushover: HttpReceiver
    phone: PushReceiver
    apprise: HttpReceiver
    hook: HttpReceiver

    @property
    def config(self) -> str:
        mail = "".join(
            f"""
[[notifiers]]
type = "email"
id = "mail-{server.security}"
to = ["ops@acme.example", "Boss <boss@acme.example>"]
from = "status@acme.example"
smtp_host = "localhost"
smtp_port = {server.port}
smtp_security = "{server.security}"
smtp_username = "jane"
smtp_password = "s3cret-password"
smtp_ca_file = "{certificate()[0]}"
"""
            for server in (self.starttls, self.tls)
        )
        return (
            mail
            + slack("chat", self.chat)
            + f"""
[[notifiers]]
type = "pushover"
id = "pushover"
app_token = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
user_keys = ["uQiRzpo4DXghDmr9QzzfQu27cmVRsG", "gznej3rKEVAvPUxu9vvNnqpmZpokzF"]
api_url = "{self.pushover.url("/1/messages.json")}"
[[operators]]
id = "jane"
name = "Jane"
[[notifiers]]
type = "push"
id = "phone"
operators = ["jane"]
[[notifiers]]
type = "apprise"
id = "apprise"
urls = ["json://127.0.0.1:{self.apprise.port}/hook"]
[[webhooks]]
id = "hook"
url = "{self.hook.url("/hook")}"
website_id = "acme"
secret = "{WHSEC}"
"""
        )

    @property
    def counts(self) -> list[int]:
        """How many messages each has."""
        return [
            len(self.starttls.mails),
            len(self.tls.mails),
            len(self.chat.requests),
            len(self.pushed),
            len(self.phone.messages),
            len(self.apprise.requests),
            len(self.hook.requests),
        ]

    def titles(self, place: int) -> list[str]:
        """What each of those who get words is told by its message of that place."""
        forms = [dict(parse_qsl(r.body.decode())) for r in self.pushed]
        return [
            self.starttls.mails[place].message["Subject"],
            self.tls.mails[place].message["Subject"],
            self.chat.requests[place].json()["text"],
            forms[place]["title"],
            self.phone.messages[place]["title"],
            self.apprise.requests[place].json()["title"],
        ]

    def texts(self, place: int) -> list[str]:
        """The whole of it."""
        forms = [dict(parse_qsl(r.body.decode())) for r in self.pushed]
        return [
            self.starttls.mails[place].message.get_body(("plain",)).get_content(),
            self.tls.mails[place].message.get_body(("plain",)).get_content(),
            json.dumps(self.chat.requests[place].json(), ensure_ascii=False),
            forms[place]["message"],
            self.phone.messages[place]["body"],
            self.apprise.requests[place].json()["message"],
        ]

    @property
    def pushed(self) -> list[Any]:
        """The messages that Pushover got; it is also asked to end what rings."""
        return [request for request in self.pushover.requests if request.path.endswith("/messages.json")]

    def down(self) -> None:
        """Every receiver answers with an error from now on."""
        for mail in (self.starttls, self.tls):
            mail.data = "451 4.3.0 come back later"
        for web in (self.chat, self.pushover, self.phone, self.apprise, self.hook):
            web.replies = [Reply(503, b"maintenance")]

    def up(self) -> None:
        """They work again, and forget what they refused."""
        for mail in (self.starttls, self.tls):
            mail.data = "250 2.0.0 taken"
        for web in (self.chat, self.phone, self.apprise, self.hook):
            web.replies = [OK]
        self.pushover.replies = [QUEUED]
        for web in (self.chat, self.pushover, self.phone, self.apprise, self.hook):
            web.requests.clear()
        self.phone.messages.clear()


@contextlib.asynccontextmanager
async def team():
    async with (
        SmtpReceiver("starttls", {"jane": "s3cret-password"}) as starttls,
        SmtpReceiver("tls", {"jane": "s3cret-password"}) as tls,
        HttpReceiver(OK) as chat,
        HttpReceiver(QUEUED) as pushover,
        PushReceiver() as phone,
        HttpReceiver(OK) as apprise,
        HttpReceiver(OK) as hook,
    ):
        yield Team(starttls, tls, chat, pushover, phone, apprise, hook)


async def manage(app, method, path, body=None):
    """Status and JSON of a management request."""
    auth = {"Authorization": aiohttp.encode_basic_auth("", "manager-token")}
    async with (
        aiohttp.ClientSession(headers=auth) as session,
        session.request(method, f"http://{app.bound[0]}{path}", json=body) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


async def subscribe(app, phone):
    """Jane's browser."""
    one = phone.subscription()
    browser = {"endpoint": one.endpoint, "keys": {"p256dh": one.p256dh, "auth": one.auth}}
    return await manage(app, "POST", "/operator/push/subscriptions", {"operator": "jane", "subscription": browser})


async def is_well(app):
    await until(lambda: app.engine.peek().health is Health.HEALTHY)


async def verified_by_crisp(requests):
    """What the published Node verifier says of each hook."""
    asked = [
        {
            "secret": WHSEC,
            "body": r.body.decode(),
            "timestamp": r.headers["x-crisp-request-timestamp"],
            "signature": r.headers["x-crisp-signature"],
        }
        for r in requests
    ]
    node = await asyncio.create_subprocess_exec("node", NPM / "verify_hook.cjs", stdin=-1, stdout=-1)
    out, _ = await node.communicate("\n".join(map(json.dumps, asked)).encode())
    return [json.loads(line) for line in out.splitlines()]


async def test_one_death_is_one_clear_message_to_each(tmp_path):
    """Mail over both kinds of TLS, chat, Pushover, phone, Apprise and hook get one message each, and one at the end."""
    async with team() as all_:
        async with listening() as port, daemon(tmp_path, watched(port) + all_.config) as app:
            await is_well(app)
            assert (await subscribe(app, all_.phone))[0] == 200
        async with daemon(tmp_path, watched(port) + all_.config) as app:
            state = app.engine.peek()
            await until(lambda: all_.counts == [1] * 7)
            await until(lambda: not state.outbox)
            async with listening(port):
                await until(lambda: all_.counts == [2] * 7)
                await until(lambda: not state.outbox)

        assert all_.counts == [2] * 7, "nobody is told twice"
        assert len(state.attempts) == 14
        assert {a.outcome for a in state.attempts} == {"delivered"}
        for title in all_.titles(0):
            assert "Landing page" in title
            assert "down" in title.lower()
        for title in all_.titles(1):
            assert "Landing page" in title
            assert "back" in title or re.search(r"UP: .* after \d+ seconds? \(Acme\)", title)
        for text in all_.texts(0):
            assert "connection refused" in text.lower()
        for text in all_.texts(1):
            assert re.search(r"It was down (at .*|from .* to .*), for \d+ seconds?\.", text)
        for mails in (all_.starttls.mails, all_.tls.mails):
            assert all(mail.over_tls for mail in mails)
            assert {tuple(mail.recipients) for mail in mails} == {("ops@acme.example", "boss@acme.example")}
            assert mails[0].message["Message-ID"] != mails[1].message["Message-ID"]
            assert mails[0].message["References"] == mails[1].message["References"]
        hooks = [request.json() for request in all_.hook.requests]
        label = {"label": "Landing page", "replica": f"tcp://127.0.0.1:{port}"}
        assert [(h["data"]["health"], h["data"]["nodes"]) for h in hooks] == [("dead", [label]), ("healthy", [])]
        for request in all_.hook.requests:
            assert Webhook(WHSEC).verify(request.body, request.headers)["event"] == "status:health:changed"


@pytest.mark.npm
async def test_the_published_verifier_accepts_the_hooks_of_a_whole_outage(tmp_path):
    """`verifyHook` of crisp-api says yes to what a daemon sends on a death and on its end, and its handler gets the data."""
    if shutil.which("node") is None or not (NPM / "node_modules" / "crisp-api").is_dir():
        pytest.skip("node and the packages of tests/npm are not installed")
    async with HttpReceiver() as receiver:
        config = f'[[webhooks]]\nurl = "{receiver.url("/hook")}"\nwebsite_id = "acme"\nsecret = "{WHSEC}"\n'
        async with listening() as port, daemon(tmp_path, watched(port) + config) as app:
            await is_well(app)
        async with daemon(tmp_path, watched(port) + config):
            await until(lambda: receiver.requests)
            async with listening(port):
                await until(lambda: len(receiver.requests) == 2)
        told = await verified_by_crisp(receiver.requests)

    assert [t["verified"] for t in told] == [True, True]
    assert [t["data"]["health"] for t in told] == ["dead", "healthy"]


async def test_what_each_answer_means(tmp_path):
    """Refusals wait longer; Retry-After is honoured up to an hour; all but a yes stays owed, until they say yes."""
    async with contextlib.AsyncExitStack() as stack:
        replies = {
            "fine": OK,
            "no": Reply(404, b"no_service"),
            "wait": Reply(429, headers={"Retry-After": "7200"}),
            "broken": Reply(500, b"oops"),
            "garbage": Reply(raw=b"\x00\xffgarbage\r\n\r\n"),
            "nothing": Reply(raw=b""),
        }
        made = {name: await stack.enter_async_context(HttpReceiver(reply)) for name, reply in replies.items()}
        config = "".join(slack(name, receiver) for name, receiver in made.items())
        port = await closed_port()
        app = await stack.enter_async_context(daemon(tmp_path, watched(port) + config))
        state = app.engine.peek()
        await until(lambda: len(state.attempts) >= 6)

        owed = {m.notifier: m for m in state.outbox.values() if m.kind == "opened"}
        assert owed.keys() == {"no", "wait", "broken", "garbage", "nothing"}
        outcomes = {a.notifier: a.outcome for a in state.attempts[:6]}
        assert outcomes == dict.fromkeys(made, "failed") | {"fine": "delivered", "no": "refused"}
        assert owed["wait"].due_at - owed["wait"].last_at == pytest.approx(3600)
        assert 800 < owed["no"].due_at - owed["no"].last_at < 1000
        assert 4 < owed["broken"].due_at - owed["broken"].last_at < 7
        status, told = await manage(app, "GET", "/manager/outbox")
        assert status == 200
        assert "answered 500: oops" in json.dumps(told)
        for receiver in made.values():
            receiver.replies = [OK]
        assert (await manage(app, "POST", "/manager/outbox/retry"))[0] == 200
        await until(lambda: not state.outbox)

        # That one of them refuses is told to the others, too.
        told = {name: [r for r in receiver.requests if b"refuses" not in r.body] for name, receiver in made.items()}
        assert {name: len(requests) for name, requests in told.items()} == {
            "fine": 1,
            "no": 2,
            "wait": 2,
            "broken": 2,
            "garbage": 2,
            "nothing": 2,
        }
        assert [a.outcome for a in state.attempts[-5:]] == ["delivered"] * 5


async def closed_port():
    """A port where nobody listens."""
    async with listening() as port:
        return port


async def test_a_receiver_that_hangs_delays_nobody(tmp_path):
    """While one says nothing for its whole limit, the others are told, every look is on time, and the page answers."""
    async with HttpReceiver(Reply(hang=True)) as stuck, HttpReceiver(OK) as chat, listening() as alive:
        config = slack("stuck", stuck) + slack("chat", chat)
        dying = await closed_port()
        async with daemon(tmp_path, watched(dying, alive) + config) as app:
            app._http.timeout = 3.0  # of 25 s: the story is the same, only shorter
            state, counters = app.engine.peek(), app.counters
            await until(lambda: stuck.requests and chat.requests)
            began, looks, slowest = time.monotonic(), counters.looks, 0.0
            counters.late_ms_max = 0
            while all(a.notifier != "stuck" for a in state.attempts):
                asked = time.monotonic()
                assert (await get(app, "/"))[0] == 200
                slowest = max(slowest, time.monotonic() - asked)
                await asyncio.sleep(0.05)
            hung = time.monotonic() - began

            assert hung > 2.0, "it hung for its whole limit"
            assert [a.notifier for a in state.attempts] == ["chat", "stuck"], "the other one did not wait"
            assert counters.looks - looks >= 2 * int(hung - 1), "both targets are looked at every second"
            assert counters.late_ms_max < 1000
            assert slowest < 1.0
            assert state.attempts[0].at - state.open[1].seen_at < 3.0
            assert len(stuck.requests) == 1
            print(f"hung {hung:.1f} s; slowest page {slowest * 1000:.0f} ms; latest look {counters.late_ms_max} ms")


async def test_killed_while_every_receiver_is_down_and_started_hours_later(tmp_path):
    """A crash between the death and its delivery loses nothing: everybody is told hours later, and told that it is late."""
    before, after = tmp_path / "before", tmp_path / "after"
    async with team() as all_:
        async with listening() as port:
            config = NO_REMINDERS + watched(port) + all_.config
            async with daemon(before, config) as app:
                await is_well(app)
                await subscribe(app, all_.phone)
        all_.down()
        async with daemon(before, config) as app:
            state = app.engine.peek()
            await until(lambda: len({a.notifier for a in state.attempts if a.outcome == "failed"}) == 7)
            # What SIGKILL would leave: the folder as it is now, with nothing saved at the end.
            shutil.copytree(before, after)
        all_.up()
        async with daemon(after, config, Ahead(HOURS)) as app:
            state = app.engine.peek()
            await until(lambda: all_.counts == [1] * 7)
            await until(lambda: not state.outbox)
            async with listening(port):
                await until(lambda: all_.counts == [2] * 7)
                await until(lambda: not state.outbox)

        for text in all_.texts(0):
            assert re.search(r"comes (5 hours|4 hours 59 minutes).* late: it could not be delivered before", text), text
        for text in all_.texts(1):
            assert "late" not in text
            assert re.search(r"for (5 hours|4 hours 59 minutes)", text), text
        for title in all_.titles(0):
            assert "down" in title.lower()
        assert [r.json()["data"]["health"] for r in all_.hook.requests] == ["dead", "healthy"]
        ids = [r.headers["webhook-id"] for r in all_.hook.requests]
        assert len(set(ids)) == 2


async def test_an_outage_that_ended_unseen_is_told_whole(tmp_path):
    """Death, crash, hours with nobody there, target well again: the beginning comes before the end, to each."""
    before, after = tmp_path / "before", tmp_path / "after"
    async with HttpReceiver(Reply(503)) as chat, SmtpReceiver("none", data="451 later") as mail:
        port = await closed_port()
        config = (
            NO_REMINDERS
            + watched(port)
            + slack("chat", chat)
            + (
                '[[notifiers]]\ntype = "email"\nto = ["ops@acme.example"]\nfrom = "status@acme.example"\n'
                f'smtp_host = "127.0.0.1"\nsmtp_port = {mail.port}\nsmtp_security = "none"\n'
            )
        )
        async with daemon(before, config) as app:
            state = app.engine.peek()
            await until(lambda: len({a.notifier for a in state.attempts}) == 2)
            shutil.copytree(before, after)
        chat.replies, mail.data = [OK], "250 taken"
        chat.requests.clear()
        async with listening(port), daemon(after, config, Ahead(HOURS)):
            await until(lambda: len(chat.requests) == len(mail.mails) == 2)

        subjects = [m.message["Subject"] for m in mail.mails]
        assert subjects[0].startswith("DOWN: Landing page")
        assert subjects[1].startswith("UP: Landing page")
        assert [("down" in r.json()["text"].lower()) for r in chat.requests] == [True, False]


async def test_nothing_is_claimed_before_anybody_has_looked_again(tmp_path):
    """After hours away a daemon does not say "still down" of a target that is well: the reminder waits for a look."""
    before, after = tmp_path / "before", tmp_path / "after"
    port = await closed_port()
    async with HttpReceiver(OK) as chat:
        config = watched(port) + slack("chat", chat)
        async with daemon(before, config) as app:
            await until(lambda: not app.engine.peek().outbox and chat.requests)
            shutil.copytree(before, after)
        async with listening(port), daemon(after, config, Ahead(HOURS)):
            await until(lambda: len(chat.requests) == 2)

        assert [("down" in r.json()["text"].lower()) for r in chat.requests] == [True, False]


async def test_links_in_a_message_act_only_when_pressed(tmp_path):
    """A scanner's GET changes nothing, a POST acknowledges or silences; forged and expired links are refused."""
    clock = Ahead()
    port = await closed_port()
    async with HttpReceiver(OK) as chat, daemon(tmp_path, watched(port) + slack("chat", chat), clock) as app:
        await until(lambda: chat.requests)
        state = app.engine.peek()
        found = re.findall(r"/act/[0-9]+\.[a-z]+\.[A-Za-z0-9_.-]+", chat.requests[0].body.decode())
        links = {link.split(".")[1]: link for link in found}
        assert set(links) == {"acknowledge", "silence"}
        for link in links.values():
            for _ in range(3):
                status, page = await get(app, link)
                assert (status, '<button class="btn">' in page) == (200, True)
        assert not state.open[1].acknowledged_at
        assert not state.silences

        assert (await post(app, links["acknowledge"]))[0] == 200
        assert state.open[1].acknowledged_by == "link"
        assert (await post(app, links["silence"]))[0] == 200
        assert [s.scope for s in state.silences.values()] == [""]
        forged = links["acknowledge"].replace(".acknowledge.", ".silence.")
        other = links["acknowledge"].replace("/act/1.", "/act/2.")
        for wrong in (forged, other, links["silence"][:-1]):
            assert (await get(app, wrong))[0] == 404
            assert (await post(app, wrong))[0] == 404
        clock.seconds += 8 * 86400
        for link in links.values():
            assert (await get(app, link))[0] == 410
            assert (await post(app, link))[0] == 410


async def post(app, path):
    """The button is pressed."""
    async with aiohttp.ClientSession() as session, session.post(f"http://{app.bound[0]}{path}") as answer:
        return answer.status, await answer.text()


async def test_vigils_doors_for_alerts(tmp_path):
    """What Vigil's clients ask for: who is dead, and for how long reminders are ignored."""
    port = await closed_port()
    async with daemon(tmp_path, watched(port)) as app:
        await until(lambda: app.engine.peek().health is Health.DEAD)
        one = {"probe": "web", "node": "landing-page", "replica": f"tcp://127.0.0.1:{port}"}
        assert await manage(app, "GET", "/manager/prober/alerts") == (200, {"dead": [one], "sick": []})
        assert await manage(app, "GET", "/manager/prober/alerts/ignored") == (200, {"reminders_seconds": None})
        assert (await manage(app, "PUT", "/manager/prober/alerts/ignored", {"reminders_seconds": 600}))[0] == 200
        status, told = await manage(app, "GET", "/manager/prober/alerts/ignored")
        assert (status, 590 < told["reminders_seconds"] <= 600) == (200, True)
        assert (await manage(app, "PUT", "/manager/prober/alerts/ignored", {"reminders_seconds": None}))[0] == 200
        assert await manage(app, "GET", "/manager/prober/alerts/ignored") == (200, {"reminders_seconds": None})
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{app.bound[0]}/manager/prober/alerts") as answer,
        ):
            assert answer.status == 401
