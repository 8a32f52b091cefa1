"""What everybody may ask for with words of their own, and what is made of announced words: badges, calendar, feeds, JSON."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import quote
from xml.etree import ElementTree

from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.inbound import statuses, tidy, told
from tests.fuzzing.world import MANAGER, World

PATHS = (
    "/badge.svg", "/badge.json", "/badge/web.svg", "/badge/web.json", "/badge/web/api.svg", "/badge/web/api.json", "/badge/icon",
    "/badge/color", "/badge/{}", "/badge/{}.svg", "/badge/{}.json", "/badge/web/{}.svg", "/badge/{}/{}.json", "/maintenance.ics", "/feed.atom",
    "/history.atom", "/history.rss", "/embed.json", "/embed.js", "/api/v2/summary.json", "/api/v2/scheduled-maintenances.json", "/api/v2/{}.json",
    "/{}/", "/{}/maintenance.ics", "/history/{}", "/incidents/{}", "/incidents/{}.json", "/act/{}", "/act/{}.acknowledge.{}.{}", "/act/1.{}.9.{}",
)  # fmt: skip

KEYS = (
    "show",
    "label",
    "style",
    "color",
    "logo",
    "lang",
    "theme",
    "days",
    "month",
    "page",
    "service",
    "node",
    "format",
    "x",
)
VALUES = ("uptime", "health", "flat", "fr", "ar", "web", "api", "1", "90", "2026-11")

SVG = frozenset(["svg", "title", "clipPath", "rect", "g", "path", "text", "circle"])
SHIELDS = {"schemaVersion", "label", "message", "color", "labelColor", "cacheSeconds", "isError"}
LINE = re.compile(r"(?:BEGIN|END|VERSION|PRODID|CALSCALE|METHOD|NAME|UID|DTSTAMP|DTSTART|DTEND|DURATION|RRULE|EXDATE|RDATE|SUMMARY|DESCRIPTION|URL|STATUS|TRANSP|SEQUENCE|CREATED|LAST-MODIFIED|CATEGORIES|CLASS|TZ[A-Z]+|REFRESH-INTERVAL|X-[A-Z-]+)[;:]")  # fmt: skip

WORKS = (
    {"title": "T", "text": "t", "maintenance": ["web/api"], "starts_at": "2026-12-01T22:00:00Z", "expires_in": 600},
    {"title": "T", "text": "t", "maintenance": ["web"], "starts_in": 60, "expires_in": 600, "rrule": "FREQ=DAILY"},
    {"title": "T", "text": "t", "maintenance": ["web/beat"]},
)  # fmt: skip


@contextlib.asynccontextmanager
async def shown(world: World) -> AsyncIterator[Attempt]:
    """Odd addresses and odd words: each document keeps to its format, and nothing in it is more than text."""

    async def attempt(dice: Random) -> str:
        if dice.random() < 0.3:
            work = chance.changed(dice, dice.choice(WORKS), 2)
            work |= {key: chance.word(dice)[:900] for key in ("title", "text") if dice.random() < 0.5}
            await told(world, "POST", "/manager/announcement", chance.json_bytes(dice, work), MANAGER)
            await tidy(world, dice)
        path = re.sub(r"\{\}", lambda _: odd(dice), dice.choice(PATHS))
        if dice.random() < 0.5:
            pairs = (f"{odd(dice, KEYS)}={odd(dice, VALUES)}" for _ in range(dice.choice((1, 1, 3, 30))))
            path += "?" + "&".join(pairs)
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Language: {dice.choice(('en', 'fr', 'ar'))}\r\n\r\n"
        raw = await world.ask(head.encode())
        (status,) = statuses(raw)[:1] or (0,)
        fields, _, body = raw.partition(b"\r\n\r\n")
        kind = re.search(rb"(?i)\r\ncontent-type: ([a-z/+-]+)", fields)
        if status == 200 and kind:
            checked(kind[1].decode(), body.decode(), path)
        return f"{status} {kind[1].decode()}" if status == 200 and kind else str(status)

    yield attempt


def odd(dice: Random, good: tuple[str, ...] = VALUES) -> str:
    """A part of an address: right, strange and quoted, or strange and hardly."""
    if dice.random() < 0.4:
        return dice.choice(good)
    word = chance.word(dice)[:300]
    if dice.random() < 0.5:
        return quote(word, errors="replace", safe="")
    return re.sub(r"[^!-~]|[#?]", "", word)


def checked(kind: str, body: str, path: str) -> None:
    """The document is what its type says."""
    if kind == "image/svg+xml":
        for element in ElementTree.fromstring(body).iter():
            claim(element.tag.rpartition("}")[2] in SVG, "an element:", element.tag, path)
            claim(not any(name.startswith("on") or "href" in name for name in element.attrib), "an attribute:", path)
    elif kind in {"application/atom+xml", "application/rss+xml", "application/xml"}:
        ElementTree.fromstring(body)
    elif kind == "application/json":
        said = json.loads(body)
        claim(not path.startswith("/badge") or set(said) <= SHIELDS, "a badge with", said)
    elif kind == "text/calendar":
        calendar(body)


def calendar(body: str) -> None:
    """Lines as RFC 5545 has them, in blocks that begin and end."""
    lines = body.split("\r\n")
    claim(lines.pop() == "", "no end of the last line")
    claim(all(len(line.encode()) <= 75 for line in lines), "a line that is too long")
    claim(not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", "".join(lines)), "a control character")
    open_blocks = []
    for line in "\r\n".join(lines).replace("\r\n ", "").split("\r\n"):
        claim(LINE.match(line), "no line of a calendar:", line[:200])
        if line.startswith("BEGIN:"):
            open_blocks.append(line[6:])
        if line.startswith("END:"):
            claim(open_blocks and open_blocks.pop() == line[4:], "the end of another block:", line)
    claim(not open_blocks, "blocks without an end:", open_blocks)
