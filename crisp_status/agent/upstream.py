"""The agent's line to its server: ours (batches), Crisp's, or a Vigil (one report a request)."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from collections.abc import Sequence
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import aiohttp
import msgspec

from crisp_status import __version__, log
from crisp_status.agent.watch_list import AgentReading, WatchList, parsed
from crisp_status.loops.poll import Key
from crisp_status.reports import OURS

TIMEOUT: Final = 20.0
"""Seconds for one request, as the published agent has it."""
ANSWER_MAX: Final = 16 * 1024 * 1024
"""Bytes of a list: a hundred thousand replicas."""
AT_ONCE: Final = 8
"""Requests in flight where reports go one by one: polite, and fast enough for thousands a minute."""
PASSING: Final = frozenset({408, 425, 429})
"""Refusals that mean "not now"; any other 4xx means this report."""
CONCERNS_ALL: Final = frozenset({401, 403})


class UpstreamError(Exception):
    """The server could not be reached, or does not want us; `taken` are the reports that it took before."""

    def __init__(self, text: str, taken: Sequence[AgentReading] = (), *, unwanted: bool = False) -> None:
        super().__init__(log.printable(" ".join(text.split())))  # it may quote what a server said
        self.taken = taken
        self.unwanted = unwanted


class Upstream:
    """Open it with `async with`. `batch`: send reports together, until the server shows that it cannot."""

    def __init__(
        self,
        endpoint: str,
        token: str,
        protocol: Literal["crisp", "vigil"],
        name: str,
        interval: float = 120.0,
        place: str = "",
    ) -> None:
        """`endpoint` is the page's address, with or without /v1; `name` is this agent's; `interval` where the list
        says none; `place` is the one that this agent is, if it is one.
        """
        self.batch = protocol == "crisp"
        self._base = endpoint.rstrip("/").removesuffix("/v1")
        self._protocol = protocol
        self._name = name
        self._interval = interval
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f":{token}".encode()).decode(),
            "User-Agent": f"crisp-status-agent/{__version__}",
            "Accept": f"{OURS}, application/json",
        }
        self._place = place
        self._run = secrets.token_hex(8)
        self._batches = 0
        self.again = False
        """Of a place: whether the server wants the last of everything again, as it has forgotten it."""
        self._date: int | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), limit=AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=self._headers, trust_env=True, auto_decompress=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self) -> WatchList | None:
        """The list; None when it is still the last one. Raises LinkError."""
        query = {"agent": self._name} if self._name else {}
        if self._date is not None:
            query["since"] = str(self._date)
        status, body = await self._ask("GET", self._path("probes"), query=query)
        if status == 304:
            return None
        if status != 200:
            raise UpstreamError(_refusal(status, body), unwanted=status in CONCERNS_ALL)
        try:
            fresh = parsed(body, self._interval)
        except ValueError as error:
            raise UpstreamError(str(error)) from None
        self._date = fresh.date
        return msgspec.structs.replace(fresh, answer=body)

    def _path(self, what: str) -> str:
        return f"/v1/places/{quote(self._place, safe='')}/{what}" if self._place else f"/v1/{what}/local"

    async def vote(self, readings: Sequence[AgentReading], now: float) -> dict[Key, str]:
        """Tell the server what this place saw, and that it lives; what is refused for good, and why. Raises LinkError."""
        self._batches += 1
        batch = {"run": self._run, "batch": self._batches, "looks": [_look(reading, now) for reading in readings]}
        status, body = await self._ask("POST", self._path("looks"), batch)
        if status != 200:
            raise UpstreamError(_refusal(status, body))
        refused, self.again = _refused(readings, body), _wants_again(body)
        return refused

    async def send(self, readings: Sequence[AgentReading], now: float) -> dict[Key, str]:
        """Tell the server; what it refuses for good, and why. `now` is monotonic. Raises LinkError."""
        if self._place:
            return await self.vote(readings, now)
        if self.batch:
            status, body = await self._ask("POST", "/v1/report", [_ours(reading, now) for reading in readings])
            if status == 200:
                return _refused(readings, body)
            if status not in {404, 405}:
                raise UpstreamError(_refusal(status, body))
            log.get().info("the server takes no batches; reporting one by one")
            self.batch = False
        return await self._one_by_one(readings)

    async def _one_by_one(self, readings: Sequence[AgentReading]) -> dict[Key, str]:
        limit = asyncio.Semaphore(AT_ONCE)
        taken: list[AgentReading] = []
        refused: dict[Key, str] = {}
        cut: list[str] = []

        async def one(reading: AgentReading) -> None:
            async with limit:
                if cut:
                    return
                try:
                    status, body = await self._ask("POST", *self._single(reading))
                except UpstreamError as error:
                    cut.append(str(error))
                    return
            if 200 <= status < 300:
                taken.append(reading)
            elif 400 <= status < 500 and status not in PASSING | CONCERNS_ALL:
                taken.append(reading)
                refused[reading.key] = _refusal(status, body)
            else:
                cut.append(_refusal(status, body))

        await asyncio.gather(*map(one, readings))
        if cut:
            raise UpstreamError(cut[0], taken)
        return refused

    def _single(self, reading: AgentReading) -> tuple[str, dict[str, Any]]:
        """Path and body of one report, as the published agents have them (PROTOCOLS sections 2.4 and 3.2)."""
        where = "/".join(quote(part, safe="") for part in reading.key[0].split("/", 1))
        report = {"interval": max(1, round(reading.interval)), "health": _word(reading)}
        if self._protocol == "vigil":
            return f"/reporter/{where}/", {"replica": reading.key[1], **report}
        return f"/v1/report/{where}", {"replica_id": reading.key[1], **report}

    async def _ask(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise UpstreamError("the line is not open")
        headers = {"Content-Type": "application/json"} if body is not None else {}
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(
                method, self._base + path, params=query, data=data, headers=headers, allow_redirects=False
            ) as response:
                whole = bytearray()
                async for part in response.content.iter_any():
                    whole += part
                    if len(whole) > ANSWER_MAX:
                        raise UpstreamError(f"the answer is larger than {ANSWER_MAX // 1024**2} MB")
                return response.status, bytes(whole)
        except TimeoutError:
            raise UpstreamError(f"no answer within {TIMEOUT:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(_why(error)) from None


def _why(error: Exception) -> str:
    """Why nothing came back, for people."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {error.host}:{error.port} is refused: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS with {error.host}:{error.port}: {getattr(error.os_error, 'reason', None) or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        # A negative number is that of a name look-up, whose words stand in the error itself.
        detail = os.strerror(number) if number is not None and number > 0 else error.os_error.strerror
        return f"no connection to {error.host}:{error.port}: {detail or error.os_error}".lower()
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection without an answer"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _word(reading: AgentReading) -> str:
    """Only a place tells of looks that it could not do."""
    return "healthy" if reading.health is None else reading.health.word


def _ours(reading: AgentReading, now: float) -> dict[str, Any]:
    service, node = reading.key[0].split("/", 1)
    report: dict[str, Any] = {
        "service": service,
        "node": node,
        "replica_id": reading.key[1],
        "interval": reading.interval,
        "health": _word(reading),
    }
    return report | _seen(reading, now)


def _look(reading: AgentReading, now: float) -> dict[str, Any]:
    look: dict[str, Any] = {
        "node": reading.key[0],
        "replica": reading.key[1],
        "health": reading.health.word if reading.health is not None else None,
        "age": round(max(0.0, now - reading.looked_at), 3),
    }
    return look | _seen(reading, now)


def _seen(reading: AgentReading, now: float) -> dict[str, Any]:
    """Since when, how fast, and why it is bad."""
    seen: dict[str, Any] = {"ago": round(max(0.0, now - reading.since), 3)}
    if reading.latency_ms >= 0:
        seen["latency_ms"] = reading.latency_ms
    if reading.health is not None and reading.health.bad:
        seen |= {"code": reading.reason.code, "reason": reading.reason.text, "value": reading.reason.value}
    return seen


def _wants_again(body: bytes) -> bool:
    """Whether the server has forgotten what this place said."""
    return msgspec.json.decode(body).get("again") is True


def _refused(readings: Sequence[AgentReading], body: bytes) -> dict[Key, str]:
    """Which of a batch the server did not take."""
    try:
        answer = msgspec.json.decode(body)
        return {readings[int(entry["index"])].key: str(entry["detail"]) for entry in answer["refused"]}
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError):
        raise UpstreamError("the answer to a batch cannot be read") from None


def _refusal(status: int, body: bytes) -> str:
    """What the server said, as one line."""
    if 300 <= status < 400:
        return f"HTTP {status}: a redirect is not followed with the token; set the endpoint to where it leads"
    text = body[:2048].decode("utf-8", "replace")
    try:
        answer = msgspec.json.decode(body)
        text = str(answer.get("detail") or answer.get("error") or "")
    except (msgspec.MsgspecError, AttributeError, RecursionError, UnicodeError):
        pass
    text = log.redactor.text(" ".join(text.split()))[:200]  # it may quote our token; the cut must not leave half of it
    return log.printable(f"HTTP {status} {text}".rstrip())
