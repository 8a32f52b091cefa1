"""Web hooks: delivered to real servers, verified by the libraries that consumers use."""

import asyncio
import hashlib
import hmac
import json
import shutil
import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from crisp_status.channels import ChannelError, Http
from crisp_status.channels.webhook import Hook, Options, crisp_body, hook_of, send
from crisp_status.clock import SystemClock
from crisp_status.core.model import Health, Message, MessageKind, NoticeNode
from crisp_status.core.policy import NodePlan, Plan, ServicePlan
from tests.channels.notice import NOON
from tests.fakes import FakeClock
from tests.receivers import HttpReceiver, Reply

NPM = Path(__file__).resolve().parents[1] / "npm"

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

DEAD = Hook(
    id="0-5-webhook",
    health=Health.DEAD,
    nodes=(("Primary load balancers", "tcp://edge-3.pool.net.crisp.chat:80"), ('É😀 "q" \\ \u2028', "é\u007f\t1.0")),
    replicas=("web:lb:tcp://edge-3.pool.net.crisp.chat:80",),
    timestamp_ms=1506985696616,
    attempt=1,
    attempt_limit=12,
    page_name="Acme Status",
    page_url="https://status.acme.example/",
)


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON), timeout=1) as made:
        yield made


def options(server=None, **more):
    return Options.model_validate(
        {"id": "webhook", "url": server.url("/hook?key=1") if server else "https://acme.example/", "website_id": "acme"}
        | more
    )


async def test_the_payload_is_crisps_to_the_byte(http):
    """The documented keys and no other, compact, with the emission's time in the headers."""
    async with HttpReceiver(Reply(202)) as receiver:
        await send(DEAD, options(receiver), http)
        [request] = receiver.requests

    assert request.path == "/hook?key=1"
    assert request.body.decode() == (
        '{"website_id":"acme","event":"status:health:changed","data":{"website_id":"acme","health":"dead","nodes":['
        '{"label":"Primary load balancers","replica":"tcp://edge-3.pool.net.crisp.chat:80"},'
        '{"label":"É😀 \\"q\\" \\\\ \u2028","replica":"é\u007f\\t1.0"}]},"timestamp":1506985696616}'
    )
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-crisp-request-timestamp"] == str(int(NOON * 1000))
    assert request.headers["x-crisp-hook-origin"]
    assert (request.headers["x-delivery-attempt-count"], request.headers["x-delivery-attempt-limit"]) == ("1", "12")
    assert "x-crisp-signature" not in request.headers
    assert "webhook-id" not in request.headers


@pytest.mark.npm
async def test_the_published_node_verifier_agrees(http):
    """`verifyHook` of crisp-api says yes to ours, whatever the names, and no to a changed one; its handler gets the data."""
    if shutil.which("node") is None or not (NPM / "node_modules" / "crisp-api").is_dir():
        pytest.skip("node and the packages of tests/npm are not installed")
    healthy = Hook("0-6-webhook", Health.HEALTHY, (), (), 1506985796616, 2, 12, "Acme", "https://acme.example/")
    async with HttpReceiver() as receiver:
        for hook in (DEAD, healthy):
            await send(hook, options(receiver, secret="a secret é"), http)
    asked = [
        {
            "secret": "a secret é",
            "body": r.body.decode(),
            "timestamp": r.headers["x-crisp-request-timestamp"],
            "signature": r.headers["x-crisp-signature"],
        }
        for r in receiver.requests
    ]
    asked.append(asked[0] | {"secret": "another"})
    asked.append(asked[0] | {"body": asked[0]["body"].replace("dead", "sick")})
    node = await asyncio.create_subprocess_exec("node", NPM / "verify_hook.cjs", stdin=-1, stdout=-1)
    out, _ = await node.communicate("\n".join(map(json.dumps, asked)).encode())
    answers = [json.loads(line) for line in out.splitlines()]

    assert [a["verified"] for a in answers] == [True, True, False, False]
    assert [a["error"] for a in answers] == [None] * 4
    assert answers[1]["data"] == {"website_id": "acme", "health": "healthy", "nodes": []}
    assert answers[0]["data"]["nodes"][1] == {"label": 'É😀 "q" \\ \u2028', "replica": "é\u007f\t1.0"}


async def test_the_signature_covers_the_raw_bytes(http):
    """What go-crisp-api computes: HMAC-SHA256 in lower-case hex over `[timestamp;body]` as received."""
    async with HttpReceiver() as receiver:
        await send(DEAD, options(receiver, secret="s3cret-s3cret"), http)
        [request] = receiver.requests
    stamp = request.headers["x-crisp-request-timestamp"].encode()
    trace = b"[" + stamp + b";" + request.body + b"]"

    assert request.headers["x-crisp-signature"] == hmac.new(b"s3cret-s3cret", trace, hashlib.sha256).hexdigest()
    assert "webhook-signature" not in request.headers


async def test_standard_webhooks_agrees():
    """With a whsec_ secret the reference library verifies it too, and both families of headers are there."""
    async with Http(SystemClock(), timeout=1) as real, HttpReceiver() as receiver:
        await send(DEAD, options(receiver, secret=WHSEC), real)
        [request] = receiver.requests

    assert Webhook(WHSEC).verify(request.body, request.headers)["data"]["health"] == "dead"
    assert request.headers["webhook-id"] == DEAD.id
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert "x-crisp-signature" in request.headers


async def test_vigils_format(http):
    """`format = "vigil"` sends what Vigil sends."""
    async with HttpReceiver() as receiver:
        await send(DEAD, options(receiver, format="vigil"), http)
        [request] = receiver.requests

    assert request.json() == {
        "type": "changed",
        "status": "dead",
        "time": "23:08:16 UTC+00:00",
        "replicas": ["web:lb:tcp://edge-3.pool.net.crisp.chat:80"],
        "page": {"title": "Acme Status", "url": "https://status.acme.example/"},
    }


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(301, False), (307, False), (400, True), (404, True), (410, True), (429, False), (503, False)],
)
async def test_what_is_no_yes(http, status, permanent):
    """Redirects are failures and not followed; client errors are for good; the address is not shown."""
    async with HttpReceiver(Reply(status, headers={"Location": "/x", "Retry-After": "9"})) as receiver:
        with pytest.raises(ChannelError) as caught:
            await send(DEAD, options(receiver), http)

    assert len(receiver.requests) == 1
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, 9.0)
    assert "key=1" not in caught.value.text


async def test_the_same_hook_keeps_its_body_and_id(http):
    """Every attempt has the same id and body; only count and time of emission move on."""
    clock = FakeClock(NOON)
    async with Http(clock, timeout=1) as moving, HttpReceiver() as receiver:
        for attempt in (1, 2):
            hook = Hook(DEAD.id, DEAD.health, DEAD.nodes, (), DEAD.timestamp_ms, attempt, 1, "", "")
            await send(hook, options(receiver, secret=WHSEC), moving)
            clock.advance(60)
        first, second = receiver.requests

    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 60
    assert (second.headers["x-delivery-attempt-count"], second.headers["x-delivery-attempt-limit"]) == ("2", "2")


async def test_a_broken_whsec_secret_is_told(http):
    """A secret that claims to be a Standard Webhooks key and is none is refused, without being shown."""
    chosen = Options.model_construct(url=SecretStr("https://acme.example/"), secret=SecretStr("whsec_not base64!"))
    with pytest.raises(ChannelError, match="base64 must follow") as caught:
        await send(DEAD, chosen, http)

    assert caught.value.permanent
    assert "not base64!" not in caught.value.text


def test_a_message_of_the_outbox_becomes_a_hook():
    """Labels come from the plan, gone nodes keep their id; healthy has no nodes, and pending is told as healthy."""
    nodes = (NodePlan("web", "lb", "Primary load balancers", "poll"),)
    plan = Plan(services=(ServicePlan("web", "Websites", nodes),))
    words = [
        NoticeNode("web/lb", Health.DEAD, NOON, replicas=["tcp://a:80", "tcp://b:80"], numbers=[1, 2], total=2),
        NoticeNode("web/gone", Health.SICK, NOON, replicas=["x"], numbers=[1], total=1),
    ]
    message = Message("0-5-h", "h", MessageKind.HOOK, NOON, NOON, health=Health.DEAD, nodes=words, attempts=2)
    hook = hook_of(message, plan, "Acme", "https://acme.example/", 12)

    assert hook.nodes == (
        ("Primary load balancers", "tcp://a:80"),
        ("Primary load balancers", "tcp://b:80"),
        ("web/gone", "x"),
    )
    assert hook.replicas == ("web:lb:tcp://a:80", "web:lb:tcp://b:80", "web:gone:x")
    assert (hook.timestamp_ms, hook.attempt, hook.id) == (int(NOON * 1000), 3, "0-5-h")
    message.health = Health.HEALTHY
    assert hook_of(message, plan, "", "", 1).nodes == ()
    message.health = Health.PENDING
    assert crisp_body(hook_of(message, plan, "", "", 1), "acme")["data"]["health"] == "healthy"
