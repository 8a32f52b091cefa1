"""What outsiders say reaches every output as plain text: pages, JSON, feeds, mail, messages, hooks, logs, terminals."""

from __future__ import annotations

import asyncio
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client import parser

from crisp_status import log
from crisp_status.cli import commands
from crisp_status.core.model import Health
from crisp_status.formats.exposition import HEALTHS
from crisp_status.messages.action_links import sign
from crisp_status.net.certificate import Certificate
from crisp_status.view.markdown import MAX_TEXT
from tests.daemon import daemon, get, until
from tests.fuzzing.outside import strange
from tests.fuzzing.shown import SVG, calendar
from tests.probes.servers import http, saying, talking
from tests.receivers import HttpReceiver, PushReceiver, Reply, SmtpReceiver

TAG = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>"
"""Ends an attribute, then an element of its own."""

CURSED = (
    f"{TAG}\x1b[2J\x1b]0;owned\x07\r\nforged: line\r\n\r\n\u202egnp.exe\u2066\x00\x85\u2028\x9b31m<!channel> [x](http://evil.example) {{{{1234567*9}}}} %s ${{X}}"
    + "A" * 10_000
)
LONE = CURSED.replace("\x00", "\ud800")

DOCUMENTS = (
    "/", "/history", "/incidents/1", "/feed.atom", "/history.atom", "/history.rss", "/maintenance.ics", "/status/report",
    "/api/v2/summary.json", "/api/v2/components.json", "/api/v2/incidents.json", "/api/v2/scheduled-maintenances.json", "/badge.svg",
    "/badge.json", "/badge/web.svg", "/badge/web/push.svg", "/embed.json", "/sitemap.xml", "/robots.txt", "/metrics",
    "/manager/status", "/manager/announcements", "/manager/silences", "/manager/incidents", "/manager/outbox",
)  # fmt: skip


LABELS = {"service": {"web"}, "node": {"www", "push", "beat"}, "health": set(HEALTHS)}
"""Of the metrics, with all that may stand there."""


def config(hooks: HttpReceiver, mail: SmtpReceiver, apprise: HttpReceiver, target: str) -> str:
    """Names that hurt, every channel, and nodes that are told of in every way."""
    evil = json.dumps(TAG + "\u202e")
    return f"""
[metrics]
enabled = true
[[notifiers]]
type = "slack"
hook_url = "{hooks.url("/slack")}"
on = ["dead", "sick", "recovered"]
[[notifiers]]
type = "pushover"
app_token = "{"a" * 30}"
user_keys = ["{"b" * 30}"]
api_url = "{hooks.url("/pushover")}"
[[notifiers]]
type = "email"
to = ["ops@acme.example"]
from = "status@acme.example"
smtp_host = "127.0.0.1"
smtp_port = {mail.port}
smtp_security = "none"
[[webhooks]]
url = "{hooks.url("/hook")}"
[[operators]]
id = "jane"
name = {evil}
[[notifiers]]
type = "push"
operators = ["jane"]
[[notifiers]]
type = "apprise"
id = "html"
urls = ["json://127.0.0.1:{apprise.port}/html?format=html", "json://127.0.0.1:{apprise.port}/markdown?format=markdown"]
[[services]]
id = "web"
name = {evil}
[[services.nodes]]
id = "www"
name = {evil}
reveal_replicas = true
replicas = [{{ url = "{target}", name = {evil} }}]
link_url = "https://a.example/?%22%3E%3Cscript%3E&x='"
link_label = {evil}
[[services.nodes]]
id = "push"
name = "Push"
mode = "push"
reveal_replicas = true
[[services.nodes]]
id = "beat"
name = "Beat"
mode = "push"
heartbeat = "heartbeat-token-1"
"""


class Elements(HTMLParser):
    """Every tag and attribute of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "action"}]


def unclean(where: str, text: str) -> str:
    """What is wrong with an output; "" when nothing is."""
    strange = sorted(
        {
            c
            for c in text
            if not c.isprintable() and c not in "\r\n\t\u200b\u00a0\u202f\u2009\u200d\u200c\u2068\u2069\u00ad"
        }
    )
    if strange:
        return f"{where}: {strange}"
    if where.startswith(("log", "status", "look", "outbox", "check")) and re.search(r"^forged", text, re.MULTILINE):
        return f"{where}: a forged line"
    if not where.startswith(("/manager", "announce")) and re.search(rf"A{{{MAX_TEXT + 1}}}", text):
        return f"{where}: endless"
    return ""


def unsafe(where: str, text: str) -> str:
    """The same for HTML."""
    seen = Elements(text)
    if any(name.startswith("on") for name in seen.names) or any(
        s == "x" or s.startswith("javascript") for s in seen.sources
    ):
        return f"{where}: markup came through"
    return "" if "alert(2)</script>" not in text and "11111103" not in text else f"{where}: script or template"


async def plant(app: Any, phone: PushReceiver) -> None:
    """Say it at every door."""
    device = phone.subscription()
    browser = {"endpoint": device.endpoint, "keys": {"p256dh": device.p256dh, "auth": device.auth}}
    auth = {"Authorization": aiohttp.encode_basic_auth("", "reporter-token")}
    manager = {"Authorization": aiohttp.encode_basic_auth("", "manager-token")}
    sick = {"interval": 60, "health": "dead"}
    async with aiohttp.ClientSession(f"http://{app.bound[0]}") as session:

        async def post(path: str, body: Any, headers: dict[str, str], *statuses: int) -> None:
            data = json.dumps(body).encode() if not isinstance(body, bytes) else body
            async with session.post(path, data=data, headers={**headers, "Content-Type": "application/json"}) as answer:
                assert answer.status in statuses, (path, answer.status, await answer.text())
                assert unclean(path, await answer.text()) == ""

        subscription = {"operator": "jane", "subscription": browser}
        await post("/operator/push/subscriptions", subscription, manager, 200, 201)
        await post("/v1/report/web/push", {"replica_id": TAG, "reason": CURSED, **sick}, auth, 200)
        await post("/v1/report/web/push", {"replica_id": CURSED, "reason": CURSED, **sick}, auth, 400)
        await post("/v1/report/web/push", {"replica_id": CURSED[:150], **sick}, auth, 400)
        await post("/v1/report/web/push", {"replica_id": "b", "reason": LONE, **sick}, auth, 200, 400)
        await post("/v1/report/web/" + "%1b%0a%3Cscript%3E", {"replica_id": "b", **sick}, auth, 404)
        await post("/ping/heartbeat-token-1/fail", CURSED.encode(), {}, 200)
        await post("/ping/" + "%1b%5b2J%0d%0aforged", b"", {}, 404)
        words = {"title": CURSED[:200], "text": CURSED[:9000]}
        await post("/manager/announcement", words, manager, 200, 400)
        await post(
            "/manager/announcement", {**words, "maintenance": ["web/beat"], "expires_in": 600}, manager, 200, 400
        )
        await post("/manager/silences", {"seconds": 60, "scope": CURSED[:199]}, manager, 400, 404)
        await post("/manager/silences", {"seconds": 60, "scope": "web/beat", "by": CURSED[:199]}, manager, 200, 400)
        await until(lambda: app.engine.peek().open)
        incident = min(app.engine.peek().open)
        await post(
            f"/manager/incidents/{incident}/notes", {"text": CURSED[:9000], "by": CURSED[:199]}, manager, 200, 400
        )
        await post(f"/manager/incidents/{incident}/ack", {"by": CURSED[:199]}, manager, 200, 400)


@pytest.mark.parametrize("style", ["human", "json"])
async def test_nothing_from_outside_comes_out_as_more_than_text(tmp_path: Path, style: str) -> None:
    """HTML, script, terminal commands, line breaks, marks of direction, NUL, half characters, 10,000 characters."""
    pytest.importorskip("apprise")
    lines = io.StringIO()
    log.configure(level="debug", style=style, stream=lines)
    head = f"503 {CURSED[:200]}".replace("\r", "").replace("\n", "").replace("\x00", "")
    talk = saying(http(head, b"", "X: \x1b[2J"))
    async with (
        talking(talk) as target,
        HttpReceiver(Reply(500, CURSED.encode()), Reply(200, b"ok")) as hooks,
        SmtpReceiver("none") as mail,
        PushReceiver() as phone,
        HttpReceiver() as apprise,
        daemon(tmp_path, config(hooks, mail, apprise, target.url())) as app,
    ):
        await plant(app, phone)
        state = app.engine.peek()
        await until(lambda: state.health is Health.DEAD and mail.mails and len(hooks.requests) >= 3 and phone.messages)
        await until(lambda: {request.path.partition("?")[0] for request in apprise.requests} == {"/html", "/markdown"})
        await asyncio.sleep(1.1)
        auth = aiohttp.encode_basic_auth("", "manager-token")
        seen = {path: await get(app, path, Authorization=auth) for path in DOCUMENTS}
        links = [await get(app, f"/act/{token}") for token in tokens(app)]
        lost = await get(app, "/%22%3E%3Cscript%3Ealert(2)%3C/script%3E%1b", Accept="text/html")
        shown = await asyncio.to_thread(typed, tmp_path / "config.toml", f"http://{app.bound[0]}/", target.url())

    problems = [unclean(path, text) for path, (_, text) in seen.items()] + [unsafe("404", lost[1])]
    assert {status for status, _ in seen.values()} == {200}
    problems += [unsafe(path, seen[path][1]) for path in ("/", "/history", "/incidents/1")]
    assert [status for status, _ in links] == [200, 200]
    problems += [unclean("/act", text) or unsafe("/act", text) for _, text in links]
    problems += badges(seen) + figures(seen["/metrics"][1])
    for path, (_, text) in seen.items():
        if path.endswith(".json") or path.startswith(("/manager", "/status/report")):
            json.loads(text)
        if path.endswith((".atom", ".rss", ".svg", ".xml")):
            ElementTree.fromstring(text)
        if path.endswith(".ics"):
            calendar(text)
    problems += messages(hooks, mail) + told(phone, apprise)
    problems += [unclean(" ".join(words), re.sub(r"\x1b\[[0-9;]*m", "", text)) for words, text in shown.items()]
    said = lines.getvalue()
    problems += [unclean(f"log: {line[:200]}", line) for line in said.splitlines()]
    if style == "json":
        assert all(json.loads(line)["event"] for line in said.splitlines())
    assert "\n".join(p for p in problems if p) == ""
    assert "replica dead" in said


def test_names_in_certificates(tmp_path: Path) -> None:
    """Whom a target's certificate names becomes lines without controls before anybody sees it, and not too many."""
    made = [found.public_bytes(Encoding.DER) for found, _ in strange(tmp_path)]
    read = [Certificate.read(der) for der in made]

    assert read[0].subject == " [2J<script>alert(1)</script> "
    for one in read:
        assert all(word.isprintable() for word in (str(one), one.subject, one.issuer, *one.names))
        assert len(one.names) <= 100
        assert json.dumps(one.plain(), ensure_ascii=False).isprintable()


def typed(file: Path, url: str, target: str) -> dict[tuple[str, ...], str]:
    """What commands print."""
    calls = (
        ("status", "--url", url, "--all", "-c", str(file)),
        ("status", "--url", url, "--json", "-c", str(file)),
        ("announce", "list", "--url", url, "-c", str(file)),
        ("outbox", "list", "--url", url, "-c", str(file)),
        ("look", target),
        ("look", target, "--json"),
        ("check", "--probe", "-c", str(file)),
        ("check", "--probe", "--json", "-c", str(file)),
    )
    return {words: CliRunner().invoke(commands, words, color=True).output for words in calls}


def tokens(app: Any) -> list[str]:
    """Of links that our own messages would hold: one asks, one says who did it."""
    key = (app.config.state_folder / "link.key").read_bytes()
    incident = min(app.engine.peek().open)
    return [sign(key, incident, purpose, app.clock.now() + 60) for purpose in ("silence", "acknowledge")]


def badges(seen: dict[str, tuple[int, str]]) -> list[str]:
    """What is wrong with the pictures: elements and attributes that ours do not have."""
    found = []
    for path, (_, text) in seen.items():
        if path.endswith(".svg"):
            for element in ElementTree.fromstring(text).iter():
                tag = element.tag.rpartition("}")[2]
                if tag not in SVG or any(name.startswith("on") or "href" in name for name in element.attrib):
                    found.append(f"{path}: {tag} {element.attrib}")
    return found


def figures(text: str) -> list[str]:
    """What is wrong with the metrics: a family that is not ours, or a label that ends too early."""
    families = list(parser.text_string_to_metric_families(text))
    assert {"crisp_status_node_health", "crisp_status_service_health"} <= {family.name for family in families}
    labels = [sample.labels for family in families for sample in family.samples if sample.labels]
    wrong = [f"/metrics: {said}" for said in labels if not said.items() <= {(k, v) for k in LABELS for v in LABELS[k]}]
    return wrong + [f"/metrics: {f.name}" for f in families if not f.name.startswith("crisp_status_")]


def told(phone: PushReceiver, apprise: HttpReceiver) -> list[str]:
    """What is wrong with what a phone decrypted, and with what services of Apprise got that take markup."""
    problems = []
    for message in phone.messages:
        problems += [unclean(f"push: {key}", str(value).replace("\u202e", "")) for key, value in message.items()]
        addresses = [message["url"], *(link["url"] for link in message["links"])]
        problems += [f"push: a link to {url}" for url in addresses if not url.startswith("http://127.0.0.1:1/")]
    for request in apprise.requests:
        body = json.loads(request.body)
        problems += [unclean(request.path, text) for text in (body["title"], body["message"])]
        if request.path.startswith("/html"):
            problems.append(unsafe(request.path, body["message"]))
        elif re.search(r"<[a-zA-Z/][^<>\\]*>|[^\\]\]\(", body["message"]):
            problems.append(f"{request.path}: markup came through: {body['message']}")
    return problems


def messages(hooks: HttpReceiver, mail: SmtpReceiver) -> list[str]:
    """What is wrong with what receivers got."""
    problems = []
    for request in hooks.requests:
        body = request.body.decode()
        problems += [unclean(request.path, json.dumps(request.headers))]
        # JSON may hold any character; what our own names have not is what outsiders said.
        problems += [unclean(request.path, body.replace("\u202e", ""))]
        if request.path == "/slack":
            texts = json.dumps(json.loads(body), ensure_ascii=False)
            problems.append(
                "a mention in Slack"
                if "<!" in texts
                or (
                    "<img" in texts.replace("plain_text", "")
                    and "mrkdwn" in texts
                    and "<img" in _marked(json.loads(body))
                )
                else ""
            )
        if request.path == "/hook":
            assert set(json.loads(body)) == {"website_id", "event", "data", "timestamp"}
    for one in mail.mails:
        assert one.recipients == ["ops@acme.example"]
        assert one.message["forged"] is None
        plain, html = (one.message.get_body((kind,)).get_content() for kind in ("plain", "html"))
        problems += [
            unclean("subject", str(one.message["Subject"])),
            unclean("text", plain),
            unclean("html", html),
            unsafe("mail", html),
        ]
    return problems


def _marked(value: Any) -> str:
    """All text in a message to Slack that is read as its markup."""
    if isinstance(value, dict):
        own = value.get("text", "") if value.get("type") == "mrkdwn" else ""
        return str(own) + "".join(_marked(inner) for inner in value.values())
    return "".join(map(_marked, value)) if isinstance(value, list) else ""
