"""Management over HTTP, as Vigil's clients and our own commands use it, with the real core behind it."""

import json
from base64 import b64encode
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from crisp_status.api.devices import Devices
from crisp_status.api.manage import Manage
from crisp_status.api.metrics import MetricsEndpoint
from crisp_status.core.events import Acknowledged
from crisp_status.core.model import Health
from crisp_status.http.authentication import Failures, Permissions, Proxies
from crisp_status.http.router import Router
from tests.http.site_fakes import dial, one, serving
from tests.story import Story

TOKEN = "a-manager-token"
AUTH = "Authorization: Basic " + b64encode(f"anyone:{TOKEN}".encode()).decode()


class Client:
    def __init__(self, port, story):
        self.port, self.story = port, story

    async def __call__(self, method, path, value=None, *headers, auth=True, raw=None, kind="application/json"):
        """Status, headers and decoded JSON (or the bytes). `kind` is the type of the body; "" sends none."""
        if kind and (raw is not None or value is not None):
            headers = (*headers, f"Content-Type: {kind}")
        body = raw if raw is not None else b"" if value is None else json.dumps(value).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
        if auth:
            lines.append(AUTH)
        async with dial(self.port) as (reader, writer):
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            status, fields, answer = await one(reader)
        if fields.get("content-type") == "application/json":
            answer = json.loads(answer)
        return SimpleNamespace(status=status, headers=fields, body=answer)


@asynccontextmanager
async def managed(token=TOKEN):
    story, router = Story(), Router()
    story.all_well()
    gate = Permissions(token, "Manager Token", Failures(story.clock.monotonic)) if token else None
    manage = Manage(story, story.clock, gate, Proxies(()), page_url=lambda: "https://status.acme.example/")
    manage.add_routes(router)
    Devices(story, manage.guard, lambda: "public-key").add_routes(router)
    async with serving(router=router, ready=False) as server:
        await server.site.show(story.view())
        MetricsEndpoint(story, story.clock, server.site).add_routes(router, manage.guard)
        yield Client(server.port, story)


async def test_announcements_as_vigil_has_them():
    """PROTOCOLS 3.3: post, list and delete, with and without trailing slash."""
    async with managed() as ask:
        posted = await ask("POST", "/manager/announcement/", {"title": "Hello", "text": "**World**"})
        assert posted.status == 200
        listed = (await ask("GET", "/manager/announcements/")).body
        assert [(a["id"], a["title"]) for a in listed] == [(posted.body["id"], "Hello")]
        removed = await ask("DELETE", f"/manager/announcement/{posted.body['id']}/")
        assert (removed.status, removed.body) == (200, b"")
        assert (await ask("DELETE", f"/manager/announcement/{posted.body['id']}")).status == 404
        assert (await ask("GET", "/manager/announcements")).body == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"title": "", "text": "x"}, '"title" is missing or empty'),
        ({"title": "x", "text": " "}, '"text" is missing or empty'),
        ({"title": "x" * 300, "text": "x"}, "300 characters"),
        ({"title": 7, "text": "x"}, '"title" must be a string'),
        ({"title": "x", "text": "x", "starts_at": "tomorrow"}, '"starts_at" must be a time'),
        ({"title": "x", "text": "x", "starts_at": "2030-01-01T00:00:00"}, "needs a zone"),
        ({"title": "x", "text": "x", "expires_at": 5}, "must be later"),
        ({"title": "x", "text": "x", "expires_at": True}, "must be a number"),
        ({"title": "x", "text": "x", "maintenance": "web"}, "must be a list"),
        ({"title": "x", "text": "x", "maintenance": ["nothing"]}, "no such service"),
        ({"title": "x", "text": "x", "rrule": "FREQ=WEEKLY"}, 'needs "expires_at"'),
        ({"title": "x", "text": "x", "rrule": "FREQ=HOURLY", "expires_in": 60}, "daily at most"),
        ({"title": "x", "text": "x", "rrule": "FREQ=SOMETIMES", "expires_in": 60}, "RFC 5545"),
        ([1], "must be a JSON object"),
    ],
)
async def test_announcements_that_cannot_be(value, words):
    """Each mistake has its sentence, and nothing is changed."""
    async with managed() as ask:
        answer = await ask("POST", "/manager/announcement", value)

        assert answer.status == 400
        assert words in answer.body["detail"]
        assert ask.story.state.announcements == {}


HELLO = {"title": "Hello", "text": "World"}


@pytest.mark.parametrize(
    "header",
    [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://status.acme.example.evil.example",
        "Origin: http://x:8080",
        "Origin: ",
        "Sec-Fetch-Site: cross-site",
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "value"),
    [
        ("POST", "/manager/announcement", HELLO),
        ("POST", "/manager/silences", {"seconds": 60}),
        ("POST", "/manager/notify-test", {}),
        ("POST", "/manager/outbox/retry", None),
        ("DELETE", "/manager/announcement/1", None),
        ("POST", "/operator/push/subscriptions", {}),
    ],
)
async def test_another_site_cannot_use_the_sign_in_of_a_browser(header, method, path, value):
    """A browser that has signed in by Basic sends the token along with the form of any page; nothing happens."""
    async with managed() as ask:
        answer = await ask(method, path, value, header)

        assert (answer.status, answer.body["detail"][:40]) == (403, "A page of another web site sent this req")
        assert (ask.story.state.announcements, ask.story.state.silences) == ({}, {})


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Origin: https://x", "Sec-Fetch-Site: same-origin"),
        ("Origin: http://x:80",),
        ("Origin: https://status.acme.example",),
        ("Sec-Fetch-Site: none",),
    ],
)
async def test_our_own_pages_and_programs_may(headers):
    """Programs send no origin; a page of ours sends that of the request, or that of [page] url behind a proxy."""
    async with managed() as ask:
        assert (await ask("POST", "/manager/announcement", HELLO, *headers)).status == 200
        assert (await ask("GET", "/manager/status", None, "Origin: https://evil.example")).status == 200


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "text/plain;application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
)
async def test_only_json_is_taken(kind):
    """What a form can send is refused, whatever is in it; the sentence says what to send."""
    async with managed() as ask:
        answer = await ask("POST", "/manager/announcement", HELLO, kind=kind)
        empty = await ask("POST", "/manager/outbox/retry", None, *([f"Content-Type: {kind}"] if kind else []))

        assert (answer.status, "Content-Type: application/json" in answer.body["detail"]) == (415, True)
        assert empty.status == (415 if kind else 404)
        assert ask.story.state.announcements == {}
        assert (await ask("POST", "/manager/announcement", HELLO, kind="application/json; charset=utf-8")).status == 200


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"title": "\\ud800", "text": "x"}'])
async def test_bodies_that_are_no_json(raw):
    """Broken JSON, endless nesting and half characters are the client's mistake."""
    async with managed() as ask:
        assert (await ask("POST", "/manager/announcement", raw=raw)).status in {400, 413}


async def test_bodies_too_large():
    """More than 64 kB is refused before it is read."""
    async with managed() as ask:
        answer = await ask("POST", "/manager/announcement", raw=b" " * 70_000)

        assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_maintenance_with_a_window():
    """A window that mutes nodes, replaced and withdrawn."""
    async with managed() as ask:
        work = {"title": "Upgrade", "maintenance": ["web/api"], "starts_at": "2026-12-01T22:00:00Z", "expires_in": 3600}
        id = (await ask("POST", "/manager/announcement", work)).body["id"]
        made = ask.story.state.announcements[id]
        assert (made.starts_at, made.expires_at) == (1_796_162_400.0, 1_796_166_000.0)
        assert (await ask("PUT", f"/manager/announcement/{id}", work | {"title": "Later"})).status == 200
        assert ask.story.state.announcements[id].title == "Later"
        assert (await ask("PUT", "/manager/announcement/other", work)).status == 404


async def test_alerts():
    """Dead and sick replicas by name of service and node, as Vigil gives them."""
    async with managed() as ask:
        ask.story.die("pay/checkout")
        ask.story.see("web/api", "https://10.0.0.2/api", Health.SICK)

        assert (await ask("GET", "/manager/prober/alerts/")).body == {
            "dead": [{"probe": "pay", "node": "checkout", "replica": "https://10.0.0.1/checkout"}],
            "sick": [{"probe": "web", "node": "api", "replica": "https://10.0.0.2/api"}],
        }


async def test_reminders_are_held():
    """Vigil's way to hold reminders: for so many seconds, and null to lift it."""
    async with managed() as ask:
        path = "/manager/prober/alerts/ignored/"
        assert (await ask("GET", path)).body == {"reminders_seconds": None}
        set_ = await ask("PUT", path, {"reminders_seconds": 600})
        assert (set_.status, set_.body) == (200, b"")
        ask.story.pass_time(100)
        assert (await ask("GET", path)).body == {"reminders_seconds": 500}
        assert (await ask("PUT", path, {"reminders_seconds": None})).status == 200
        assert (await ask("GET", path)).body == {"reminders_seconds": None}
        assert (await ask("PUT", path, {})).status == 200
        for wrong in (65536, -1, "600", True):
            assert (await ask("PUT", path, {"reminders_seconds": wrong})).status == 400


async def test_silences():
    """Reminders for a while, or everything of one node; lifted by id."""
    async with managed() as ask:
        made = await ask("POST", "/manager/silences", {"seconds": 3600, "scope": "web/api", "by": "jane"})
        assert made.status == 200
        (listed,) = (await ask("GET", "/manager/silences")).body
        assert (listed["scope"], listed["by"]) == ("web/api", "jane")
        assert (await ask("POST", "/manager/silences", {"seconds": 60, "scope": "no/such"})).status == 404
        assert (await ask("POST", "/manager/silences", {})).status == 400
        assert (await ask("DELETE", f"/manager/silences/{listed['id']}")).status == 200
        assert (await ask("DELETE", f"/manager/silences/{listed['id']}")).status == 404


async def test_incidents():
    """Seen, noted, and over."""
    async with managed() as ask:
        ask.story.die("pay/checkout")
        (incident,) = (await ask("GET", "/manager/incidents")).body
        assert (incident["id"], incident["worst"], incident["closed_at"]) == (1, "dead", None)
        assert (await ask("POST", "/manager/incidents/1/ack", {"by": "jane"})).status == 200
        assert (await ask("POST", "/manager/incidents/1/notes", {"text": "We know."})).status == 200
        assert (await ask("GET", "/manager/incidents")).body[0]["acknowledged_by"] == "jane"
        assert [a["by"] for a in (await ask("GET", "/manager/incidents")).body[0]["acknowledgements"]] == ["jane"]
        assert [e.what for e in ask.story.state.open[1].timeline][-2:] == ["acknowledged", "note"]
        ask.story.recover("pay/checkout")
        assert (await ask("POST", "/manager/incidents/1/ack")).status == 409
        assert (await ask("POST", "/manager/incidents/1/notes", {"text": "It was a cable."})).status == 200
        assert (await ask("POST", "/manager/incidents/1/notes", {"text": ""})).status == 400
        for unknown in ("2", "x", "-1", "9" * 40):
            assert (await ask("POST", f"/manager/incidents/{unknown}/ack")).status == 404


async def test_outbox():
    """What is unsent, tried again or dropped by an operator."""
    async with managed() as ask:
        tested = await ask("POST", "/manager/notify-test", {"notifier": "mail"})
        (message,) = tested.body["messages"]
        assert message["notifier"] == "mail"
        box = (await ask("GET", "/manager/outbox")).body
        assert [(m["id"], m["kind"], m["attempts"]) for m in box["messages"]] == [(message["id"], "test", 0)]
        assert (await ask("POST", "/manager/outbox/retry")).status == 200
        assert (await ask("POST", f"/manager/outbox/{message['id']}/retry")).status == 200
        assert (await ask("POST", "/manager/outbox/none/retry")).status == 404
        assert (await ask("DELETE", f"/manager/outbox/{message['id']}")).status == 200
        assert (await ask("DELETE", f"/manager/outbox/{message['id']}")).status == 404


async def test_what_is_held_back_is_told_with_the_reason():
    """An operator who wonders why nobody was told finds the answer beside what waits."""
    async with managed() as ask:
        ask.story.die("web/landing")
        held = (await ask("GET", "/manager/outbox")).body["held"]

        assert {(h["notifier"], h["node"], h["reason"]) for h in held} == {
            ("mail", "web/landing", "grouping wait"),
            ("phone", "web/landing", "grouping wait"),
        }


async def test_test_messages():
    """All notifiers at once; a push notifier without devices has nobody to tell."""
    async with managed() as ask:
        everyone = (await ask("POST", "/manager/notify-test")).body
        assert sorted(m["notifier"] for m in everyone["messages"]) == ["hook", "mail"]
        assert everyone["nothing_to_send_to"] == ["phone"]
        assert (await ask("POST", "/manager/notify-test", {"notifier": "fax"})).status == 404


async def test_the_tree():
    """`crisp-status status` sees reasons and addresses."""
    async with managed() as ask:
        ask.story.die("pay/checkout")
        tree = (await ask("GET", "/manager/status")).body
        assert tree["health"] == "dead"
        replica = tree["services"][1]["nodes"][0]["replicas"][0]
        assert (replica["id"], replica["reason"]["code"]) == ("https://10.0.0.1/checkout", "no_answer")
        assert tree["incidents"][0]["id"] == 1


async def test_devices():
    """Subscribed as the browser says, listed without their addresses, unsubscribed by id or by the same words."""
    said = {"endpoint": "https://push.example/abc", "keys": {"p256dh": "B" * 87, "auth": "a" * 22}}
    async with managed() as ask:
        assert (await ask("GET", "/operator/push/key")).body == {"key": "public-key"}
        path = "/operator/push/subscriptions"
        made = await ask("POST", path, {"operator": "jane", "subscription": said})
        assert made.status == 200
        (device,) = (await ask("GET", path)).body
        assert (device["id"], device["operator"]) == (made.body["id"], "jane")
        assert "push.example" not in json.dumps(device)
        assert (await ask("DELETE", path, {"operator": "jane", "subscription": said})).status == 200
        assert (await ask("DELETE", path, {"id": made.body["id"]})).status == 404
        assert (await ask("POST", path, {"operator": "joe", "subscription": said})).status == 404
        for inner in ("https://127.0.0.1/x", "http://localhost:9/x", "https://[fd00::1]/x", "https://169.254.169.254/"):
            answer = await ask("POST", path, {"operator": "jane", "subscription": said | {"endpoint": inner}})
            assert (answer.status, "not a public address" in answer.body["detail"]) == (400, True)
        for wrong in ({}, {"endpoint": "file:///etc"}, {"endpoint": "https://x/"}, said | {"keys": {}}):
            assert (await ask("POST", path, {"operator": "jane", "subscription": wrong})).status == 400


async def test_the_service_worker_is_public():
    """A browser fetches it without a token."""
    async with managed() as ask:
        answer = await ask("GET", "/operator/push/worker.js", auth=False)

        assert (answer.status, answer.headers["service-worker-allowed"]) == (200, "/operator/")
        assert b"notificationclick" in answer.body


async def test_metrics_need_the_token():
    """On the page's own address figures are the operator's."""
    async with managed() as ask:
        assert (await ask("GET", "/metrics", auth=False)).status == 401
        answer = await ask("GET", "/metrics")
        assert answer.status == 200
        assert b"crisp_status_requests_total" in answer.body


@pytest.mark.parametrize(
    "path", ["/manager/announcements", "/manager/status", "/manager/outbox", "/operator/push/key", "/metrics"]
)
async def test_every_door_is_shut(path):
    """No token: 401. The wrong one: 403. Management switched off: 404 with the reason."""
    async with managed() as ask:
        assert (await ask("GET", path, auth=False)).status == 401
        assert (await ask("GET", path, None, "Authorization: Bearer wrong", auth=False)).status == 403
        assert (await ask("GET", path, None, f"Authorization: Bearer {TOKEN}", auth=False)).status == 200
    async with managed(token="") as ask:
        answer = await ask("GET", path)
        assert (answer.status, "server.manager_token" in answer.body["detail"]) == (404, True)


async def test_the_token_is_asked_before_the_body():
    """Who may not speak is not listened to."""
    async with managed() as ask:
        assert (await ask("POST", "/manager/announcement", raw=b"{", auth=False)).status == 401


async def test_a_disk_in_trouble():
    """When a word cannot be kept the operator is told so, and to come again."""
    async with managed() as ask:
        ask.story.die("pay/checkout")
        ask.story.trouble = "no space left on device"
        answer = await ask("POST", "/manager/incidents/1/ack")

        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert ask.story.state.open[1].acknowledged_at == 0
        assert not any(isinstance(e, Acknowledged) for e in ask.story.state.open[1].timeline)


@pytest.mark.parametrize(
    "times",
    [
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"starts_at": "0001-01-01T00:00:00+14:00", "expires_in": 60},
        {"starts_at": 1e12},
        {"expires_in": 1e12},
        {"starts_at": -1},
    ],
)
async def test_times_that_no_page_can_show(times):
    """The ends of the calendar are refused: one announcement must not keep the page from being made."""
    async with managed() as ask:
        answer = await ask("POST", "/manager/announcement", {"title": "x", "text": "x", **times})

    assert answer.status == 400


async def test_incidents_by_hand_as_json():
    """Open, end by a correction that is refused while it goes on, explain, and refuse what cannot be, each with a sentence."""
    async with managed() as ask:
        opened = await ask("POST", "/manager/incidents", {"title": "Bank", "health": "dead", "by": "jane"})
        number = opened.body["id"]
        assert ask.story.state.open[number].record.title == "Bank"
        assert (await ask("PUT", f"/manager/incidents/{number}/postmortem", {"text": "A switch."})).status == 200
        assert ask.story.state.open[number].record.postmortem == "A switch."
        for method, path, body, status in (
            ("POST", f"{number}/strike", {}, 409),
            ("POST", f"{number}/merge", {"into": 99}, 409),
            ("PUT", f"{number}/times", {"end": "2001-01-01T00:00:00Z"}, 409),
            ("PUT", f"{number}/times", {"end": "yesterday"}, 400),
            ("POST", "99/strike", {}, 404),
            ("POST", "x/strike", {}, 404),
        ):
            assert (await ask(method, f"/manager/incidents/{path}", body)).status == status
        for wrong in (
            {},
            {"title": "x", "nodes": "web"},
            {"title": "x", "nodes": ["no/such"]},
            {"title": "x", "health": "fine"},
        ):
            assert (await ask("POST", "/manager/incidents", wrong)).status == 400
        assert (await ask("POST", "/manager/incidents", {"title": "x"}, auth=False)).status == 401
