"""Doors that anybody on the Internet can knock at, and those behind a token: HTTP into the running daemon."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from random import Random
from urllib.parse import quote

from crisp_status.core.model import State
from crisp_status.messages import action_links
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.world import BEAT, MANAGER, REPORTER, World

HEAD = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2}) [A-Za-z' -]+\r\n((?:[A-Za-z-]+: ?[^\r\n\0]*\r\n)*)\r\n")

PATHS = (
    "/", "/fr/", "/history", "/history/2026-11", "/history/0000-00", "/incidents/1", "/incidents/99999999999999999999",
    "/feed.atom", "/history.rss", "/maintenance.ics", "/api/v2/summary.json", "/api/v2/../v2/summary.json", "/status/text",
    "/status/report", "/badge/icon", "/badge/web.svg", "/badge/web/api.svg?show=uptime", "/badge/..%2f..%2fetc%2fpasswd.svg",
    "/embed.js", "/embed.json", "/robots.txt", "/healthz", "/assets/../../../../etc/passwd", "/assets/%2e%2e%2fconfig.toml",
    "/metrics", "/manager/status", "/operator/", "/operator/push/worker.js", "/act/1.acknowledge.1.x", "/ping/x/fail",
    "/v1/probes/local", "/reporter/web/api", "//", "/.", "/%", "*", "http://x/", "x:443", "/" + "a/" * 900, "/?" + "a=b&" * 900,
)  # fmt: skip

FIELDS = (
    "Accept: text/html", "Accept-Encoding: gzip, br;q=0.5, *;q=0", "Accept-Language: " + "a-b-c-d," * 300,
    "If-None-Match: *", 'If-None-Match: "x", W/"y"', "Connection: close", "Connection: upgrade, keep-alive", "Upgrade: websocket",
    "Upgrade: h2c", "Expect: 100-continue", "Expect: 200-ok", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding:\tchunked", "Transfer-Encoding: xchunked", "Content-Length: 5", "Content-Length: +5", "Content-Length: 0x5",
    "Content-Length: 99999999999999999999", "Content-Length: 5, 5", "Content-Encoding: gzip", "Content-Encoding: br",
    "Content-Type: multipart/form-data; boundary=x", "Cookie: a=b; " + "c=d; " * 500, "Range: bytes=0-1,2-3", "Forwarded: for=x",
    "X-Forwarded-For: 1.2.3.4, ::1, x", "X-Forwarded-For: " + "1," * 2000, "Origin: null", "Authorization: Basic \xff",
    "Authorization: " + MANAGER, "Authorization: " + REPORTER, "Authorization: Basic " + "A" * 4000, "X: \x00", "X : y", " folded: 1",
    "Host: a", "Host: a b", "\u00e4: 1", "X: " + "y" * 9000, *(["A: 1"] * 3),
)  # fmt: skip


BODIES = (
    ("Content-Length: 5", b"hello"),
    ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked", b"5;x=" + b"y" * 3000 + b"\r\nhello\r\n0\r\nA: b\r\n\r\n"),
    ("Transfer-Encoding: chunked", b"ffffffffffffffff1\r\nx"),
    ("Content-Length: 36", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
)
"""With the field that belongs to it; it does not always stand there."""


def statuses(said: bytes) -> list[int]:
    """Of every answer in a stream; each has a clean head, and none is a failure of ours."""
    claim(not said or HEAD.match(said), "not an answer:", said[:400])
    found = []
    for head in HEAD.finditer(said):
        status = int(head[1])
        claim(status < 500, "a client made a", status, said[:600])
        claim(b"set-cookie" not in head[2].lower(), "a cookie:", head[2])
        found.append(status)
    return found


def request(dice: Random) -> bytes:
    """A request that is nearly right: most parts of it are, so that the odd one gets as far as it can."""

    def part(good: str, *odd: str) -> str:
        return good if dice.random() < 0.95 else dice.choice(odd)

    method = part(
        dice.choice(("GET", "GET", "HEAD", "POST")),
        *("OPTIONS", "PUT", "DELETE", "BREW", "get", "CONNECT", "TRACE", "PRI", ""),
    )
    version = part("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.1 ", "http/1.1", "HTTP/1.10", "")
    lines = [
        f"{method} {dice.choice(PATHS)} {version}",
        part("Host: x", "Host: a b", "Host:", "host : x", "X: y"),
        *dice.choices(FIELDS, k=dice.choice((0, 0, 0, 0, 1, 1, 1, 2, 4, 70))),
    ]
    framing, body = dice.choice(BODIES) if dice.random() < 0.3 else ("", b"")
    if framing and dice.random() < 0.8:
        lines.append(framing)
    end = part("\r\n", "\n", "\r", "\r\r\n")
    return (end.join(lines) + end + end).encode("latin-1", "replace") + body


@contextlib.asynccontextmanager
async def http(world: World) -> AsyncIterator[Attempt]:
    """Raw bytes: odd lines, fields, framings, pipelines, broken off anywhere. A 4xx or an answer, never a hang."""

    async def attempt(dice: Random) -> str:
        raw = b"".join(request(dice) for _ in range(dice.choice((1, 1, 1, 2, 5))))
        raw = chance.mangled(dice, raw, 0.4)
        if dice.random() < 0.03:
            raw = dice.randbytes(dice.choice((1, 100, 70_000)))
        reader, writer = await asyncio.open_connection(*world.address)
        said = bytearray()
        try:
            async with asyncio.timeout(10):
                for part in cut(dice, raw, dice.choice((1, 1, 1, 2, 3))):
                    writer.write(part)
                    await asyncio.sleep(0)
                if dice.random() < 0.15:
                    writer.write_eof()  # has said all, and still gets an answer to a whole request
                while True:
                    async with asyncio.timeout(0.05 if said or not writer.can_write_eof() else 0.1):
                        more = await reader.read(1 << 16)
                    if not more:
                        break
                    said += more
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        found = statuses(bytes(said))
        return str(found[0]) if found else "closed"

    yield attempt


def cut(dice: Random, raw: bytes, parts: int) -> Sequence[bytes]:
    """The bytes in so many segments."""
    places = sorted(dice.randrange(len(raw) + 1) for _ in range(parts - 1))
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]


INNER = b"GET /status/text HTTP/1.1\r\nHost: x\r\n\r\n"
AUTH = f"Authorization: {MANAGER}\r\nContent-Type: application/json\r\n".encode()


def framed(dice: Random) -> tuple[bytes, int, bool]:
    """A good request, the status that it gets, and whether its answer has a body; some carry a request inside."""
    kind = dice.randrange(7)
    if kind < 3:
        path, status = dice.choice(
            ((b"/", 200), (b"/status/text", 200), (b"/healthz", 200), (b"/nothing", 404), (b"/badge/web.svg", 200))
        )
        extra = dice.choice(
            (b"", b"Accept-Encoding: gzip\r\n", b"X-Y: z\r\n", b"accept: */*\r\nAccept-Language: fr\r\n")
        )
        return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\n", status, True
    if kind == 3:
        return b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200, False
    words = json.dumps({"seconds": 0.5, "by": INNER.decode()}).encode()
    if kind == 4:
        return (
            b"POST /manager/silences HTTP/1.1\r\nHost: x\r\n"
            + AUTH
            + b"Content-Length: %d\r\n\r\n" % len(words)
            + words,
            200,
            True,
        )
    if kind == 5:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in cut(dice, words, 3) if p) + b"0\r\n\r\n"
        return (
            b"POST /manager/silences HTTP/1.1\r\nHost: x\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
            200,
            True,
        )
    return b"PUT /manager/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER, 404, True


@contextlib.asynccontextmanager
async def pipeline(world: World) -> AsyncIterator[Attempt]:
    """Good requests in one stream, cut into any segments: each gets its one answer, in order, and no body is a request."""

    async def attempt(dice: Random) -> str:
        asked = [framed(dice) for _ in range(dice.choice((1, 2, 3, 6)))]
        reader, writer = await asyncio.open_connection(*world.address)
        try:
            async with asyncio.timeout(10):
                for part in cut(dice, b"".join(raw for raw, _, _ in asked), dice.choice((1, 2, 4))):
                    writer.write(part)
                    await asyncio.sleep(dice.choice((0, 0, 0.002)))
                for raw, status, bodied in asked:
                    head = await reader.readuntil(b"\r\n\r\n")
                    claim(head.startswith(b"HTTP/1.1 %d " % status), "expected", status, "for", raw, "got", head)
                    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
                    await reader.readexactly(length if bodied else 0)
                writer.write(b"GET /status/text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                last = await reader.read()
                claim(len(HEAD.findall(last)) == 1, "more answers than requests:", last[:600])
        except asyncio.IncompleteReadError as error:
            claim(False, "an answer is missing:", asked, error.partial)
        finally:
            writer.close()
        return f"{len(asked)} in order"

    yield attempt


GOOD_REPORTS = (
    {"replica_id": "a", "interval": 30, "load": {"cpu": 0.5, "ram": 0.5}},
    {"replica_id": "a", "interval": "30", "health": "dead", "reason": "no", "load": None},
    {"replica": "a", "interval": 30, "load": {"cpu": 0.95, "ram": 0.1}},
    {"replica": "tcp://127.0.0.1:1", "interval": 30, "health": "sick"},
    [{"service": "web", "node": n, "replica_id": "b", "interval": 9, "health": "sick", "reason": "r", "code": "status", "value": "5", "latency_ms": 3, "ago": 2} for n in ("roam", "lan", "api")],
)  # fmt: skip

REPORT_PATHS = (
    "/v1/report/web/api",
    "/v1/report/web/roam/",
    "/v1/report/web/lan",
    "/v1/report",
    "/reporter/web/api/",
    "/reporter/web/roam",
)


@contextlib.asynccontextmanager
async def reports(world: World) -> AsyncIterator[Attempt]:
    """Bodies and paths of every report dialect, with the right token: 200 or a 4xx, and no more replicas than allowed."""

    async def attempt(dice: Random) -> str:
        path, method = dice.choice(REPORT_PATHS), "POST"
        if dice.random() < 0.1:
            path, method = f"/reporter/web/api/{quote(chance.word(dice)[:1500], errors='replace', safe='')}", "DELETE"
        if dice.random() < 0.15:
            path = chance.mangled(dice, path.encode()).decode("latin-1")
        if dice.random() < 0.05:
            agent = quote(dice.choice(("roamer", chance.word(dice)[:200])), errors="replace")
            path, method = f"/v1/probes/local?agent={agent}&since={dice.choice(('', '5', 'x'))}", "GET"
        body = chance.json_bytes(dice, chance.changed(dice, dice.choice(GOOD_REPORTS)))
        packed = dice.random() < 0.1
        if packed:
            body = chance.mangled(dice, dice.choice((gzip.compress, zlib.compress))(body), 0.3)
        field = f"Content-Encoding: {dice.choice(('gzip', 'deflate', 'br', 'gzip, gzip'))}\r\n" if packed else ""
        status = await told(world, method, path, body, dice.choice((REPORTER,) * 9 + ("Basic eDp4",)), field)
        nodes = world.app.engine.peek().nodes
        claim(len(nodes["web/api"].replicas) <= 50 and len(nodes["web/roam"].replicas) <= 1000, "too many replicas")
        return str(status)

    yield attempt


async def told(world: World, method: str, path: str, body: bytes, token: str, field: str = "") -> int:
    """One whole exchange of a client with a token; its status, 0 when the connection just ended."""
    target = re.sub(r"[\s\x00-\x1f]", "", path)
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nConnection: close\r\n{field}Content-Length: {len(body)}\r\n\r\n"
    said = await world.ask(head.encode("latin-1", "replace") + body)
    found = statuses(said)
    claim(len(found) <= 1 or found[0] == 100, "two answers:", said[:500])
    if method != "HEAD" and b"application/json" in said.partition(b"\r\n\r\n")[0]:
        json.loads(said.partition(b"\r\n\r\n")[2])
    return found[0] if found else 0


@contextlib.asynccontextmanager
async def heartbeats(world: World) -> AsyncIterator[Attempt]:
    """Heartbeats by URL alone: signals, exit codes, queries, outputs, wrong tokens."""

    async def attempt(dice: Random) -> str:
        token = dice.choice((BEAT, BEAT, BEAT, chance.word(dice), BEAT.upper(), BEAT[:-1]))
        signal = dice.choice(("", "/start", "/fail", "/log", "/0", "/7", "/256", "/" + chance.word(dice)))
        fields = "&".join(
            f"{dice.choice(('rid', 'status', 'msg', 'ping', 'success', 'error', 'duration', 'x'))}={quote(chance.word(dice)[:400], errors='replace')}"
            for _ in range(dice.choice((0, 1, 3, 40)))
        )
        door = dice.randrange(3)
        if door == 0:
            path = f"/ping/{quote(token[:300], errors='replace')}{quote(signal[:300], errors='replace')}?{fields}"
        elif door == 1:
            path = f"/api/push/{quote(token[:300], errors='replace')}?{fields}"
        else:
            path = f"/api/v1/endpoints/{dice.choice(('web_beat', 'x', '%00'))}/external?success={dice.choice(('true', 'false', 'x'))}&{fields}"
        authorization = f"Bearer {BEAT}" if dice.random() < 0.8 else "Bearer x"
        return str(
            await told(
                world, dice.choice(("GET", "POST", "POST")), path, chance.mangled(dice, b"out\n" * 9), authorization
            )
        )

    yield attempt


DOORS = (
    ("POST", "/manager/announcement", {"title": "T", "text": "*x* [a](http://b/)", "starts_at": 1, "expires_in": 9, "maintenance": ["web/api"], "rrule": "FREQ=DAILY"}),
    ("POST", "/manager/announcement", {"title": "T", "text": "t", "expires_at": "2030-01-01T00:00:00Z"}),
    ("PUT", "/manager/announcement/x", {"title": "T", "text": "t"}),
    ("PUT", "/manager/prober/alerts/ignored", {"reminders_seconds": 5}),
    ("POST", "/manager/silences", {"seconds": 5, "scope": "web/api", "by": "me"}),
    ("POST", "/manager/incidents/1/ack", {"by": "me"}),
    ("POST", "/manager/incidents/1/notes", {"text": "n", "by": "me"}),
    ("POST", "/manager/notify-test", {"notifier": "push"}),
    ("POST", "/operator/push/subscriptions", {"operator": "jane", "subscription": {"endpoint": "https://push.invalid/a", "keys": {"p256dh": "x", "auth": "y"}}}),
    ("DELETE", "/operator/push/subscriptions", {"id": "x"}),
    ("DELETE", "/manager/silences/x", {}),
    ("DELETE", "/manager/announcement/x", {}),
    ("POST", "/manager/outbox/x/retry", {}),
    ("DELETE", "/manager/outbox/x", {}),
)  # fmt: skip

READS = (
    "/manager/status",
    "/manager/announcements",
    "/manager/silences",
    "/manager/incidents",
    "/manager/outbox",
    "/manager/prober/alerts",
    "/manager/prober/alerts/ignored",
    "/operator/push/subscriptions",
    "/metrics",
)


@contextlib.asynccontextmanager
async def manage(world: World) -> AsyncIterator[Attempt]:
    """JSON of operators and browsers, announcements and push subscriptions among it; what was taken can be read again."""

    async def attempt(dice: Random) -> str:
        method, path, good = dice.choice(DOORS)
        if path.endswith("/x") or "/x/" in path:
            path = path.replace(
                "/x", "/" + quote(dice.choice(("x", chance.word(dice)[:500])), errors="replace", safe="%/")
            )
        body = chance.json_bytes(dice, chance.changed(dice, good))
        status = await told(world, method, path, body, MANAGER)
        claim(status != 401, "the right token was not taken")
        read = await told(world, "GET", dice.choice(READS), b"", MANAGER)
        claim(read == 200, "after", (method, path, body), "a list is", read)
        await tidy(world, dice)
        return str(status)

    yield attempt


async def tidy(world: World, dice: Random) -> None:
    """Take down what was posted now and then, so that the limits on it are not all that is met."""
    state = world.app.engine.peek()
    for name, held in (("announcement", state.announcements), ("silences", state.silences)):
        if len(held) > 20:
            for id in list(held):
                await told(world, "DELETE", f"/manager/{name}/{quote(id, safe='')}", b"", MANAGER)


@contextlib.asynccontextmanager
async def act(world: World) -> AsyncIterator[Attempt]:
    """Signed links, changed anywhere: nothing but the exact one opens, and neither GET nor HEAD changes anything."""
    app = world.app
    await told(
        world, "POST", "/v1/report/web/api", b'{"replica_id": "sad", "interval": 3600, "health": "dead"}', REPORTER
    )
    async with asyncio.timeout(10):
        while not app.engine.peek().open:
            await asyncio.sleep(0.05)
    incident = min(app.engine.peek().open)
    key = (app.config.state_folder / "link.key").read_bytes()
    turn = asyncio.Lock()

    async def attempt(dice: Random) -> str:
        async with turn:
            return await one(dice)

    def acknowledged(held: State) -> set[int]:
        return {number for number, one in held.open.items() if one.acknowledged_at}

    async def one(dice: Random) -> str:
        now = app.clock.now()
        purpose = dice.choice(action_links.PURPOSES)
        expires = now + dice.choice((60.0, 60.0, -60.0, 0.0))
        token = action_links.sign(dice.choice((key, key, b"x" * 32)), incident, purpose, expires)
        if dice.random() < 0.2:  # what we never say, with our signature
            claims = dice.choice((f"{incident}.reopen.", "0.acknowledge.", f"{10**14}.acknowledge.")) + "999999999999"
            token = f"{claims}.{action_links._signature(key, claims)}"
        sent = token if dice.random() < 0.3 else chance.mangled(dice, token.encode(), 1.0).decode("latin-1")
        held = app.engine.peek()
        before = acknowledged(held), set(held.silences)
        method = dice.choice(("GET", "HEAD", "POST", "PUT", "OPTIONS"))
        status = await told(world, method, f"/act/{quote(sent, safe='')}", b"", "x")
        # A silence may end meanwhile, and so may the incident: what the door itself may do is to add.
        if method != "POST":
            claim(acknowledged(held) <= before[0] and set(held.silences) <= before[1], method, "changed something")
        good = sent == token and token == action_links.sign(key, incident, purpose, expires) and expires > now
        claim(good or status != 200, "a link that is not ours opened:", (token, sent, method, status))
        await tidy(world, dice)
        return str(status)

    yield attempt
