"""HTTP by aiohttp, for looks that read a body: chunked, compressed, of any length."""

from __future__ import annotations

import socket
import ssl
import zlib
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from crisp_status.net.contract import ProbeError, Unknowable, expect, note
from crisp_status.net.errors import explain
from crisp_status.net.http_message import BODY_MAX, FIELDS_MAX, HEAD_MAX, HttpAnswer, Question
from crisp_status.net.resolve import Address, Resolver
from crisp_status.net.stream import Shown, distrust, garbled
from crisp_status.net.tools import tools

GZIP_OR_ZLIB = 47
"""`zlib` finds out by itself which of the two it is."""

_certificate: ContextVar[bytes | None] = ContextVar("certificate", default=None)
"""Of the connection that this look has just made."""


class Client:
    """One session for all looks of a loop, with a new connection for each."""

    def __init__(self, resolver: Resolver) -> None:
        connector = _Connector(
            resolver=_Names(resolver),
            use_dns_cache=False,
            force_close=True,
            limit=0,  # the gate of `look` is the limit
            socket_factory=_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            auto_decompress=False,
            max_line_size=HEAD_MAX,
            max_field_size=HEAD_MAX,
            max_headers=FIELDS_MAX,
        )

    async def exchange(self, question: Question) -> HttpAnswer:
        """Ask and read the answer with its body. Raises `ProbeError` or `Unknowable`."""
        peer = f"{question.host}:{question.port}"
        try:
            return await self._exchange(question)
        except aiohttp.ClientConnectorCertificateError as error:
            trouble = error.certificate_error
            if isinstance(trouble, ssl.SSLCertVerificationError):
                raise await distrust(trouble, question.host, question.port) from error
            raise ProbeError("certificate", f"certificate is refused: {trouble}") from error
        except aiohttp.ClientConnectorError as error:
            raise _unreached(error.os_error, peer) from error
        except aiohttp.ClientOSError as error:
            raise _unreached(error, peer) from error
        except aiohttp.ServerDisconnectedError as error:
            raise ProbeError("no_answer", f"{peer} closed the connection without an answer") from error
        except aiohttp.ClientPayloadError as error:
            raise ProbeError("error", f"{peer} closed the connection in the middle of its answer") from error
        except aiohttp.ClientResponseError as error:
            raise ProbeError("error", f"{peer} does not answer with HTTP: {_short(error.message)}") from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise Unknowable(f"the address cannot be used: {error}", "missing") from error

    async def _exchange(self, question: Question) -> HttpAnswer:
        _certificate.set(None)
        async with self._session.request(
            question.method,
            question.url,
            headers=question.headers,
            data=question.body or None,
            ssl=tools().tls(question.verify_tls) if question.secure else True,
            allow_redirects=False,
        ) as response:
            expect("no complete answer")
            body = await _body(response) if question.wants_body else b""
            headers: dict[str, str] = {}
            for name, value in response.headers.items():
                headers.setdefault(name.lower(), value)
            return HttpAnswer(response.status, response.reason or "", headers, body, _certificate.get())

    async def close(self) -> None:
        """Give back what is open."""
        await self._session.close()


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The decoded body, as far as it is looked at. What is compressed is unpacked only so far: no bomb goes off."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise ProbeError("match", f"the body is encoded as {coding[:20]!r}, which was not asked for")
    unpacker = None if coding in {"identity", ""} else zlib.decompressobj(GZIP_OR_ZLIB)
    body = bytearray()
    async for chunk in response.content.iter_any():
        if unpacker is None:
            body += chunk[: BODY_MAX - len(body)]
        else:
            try:
                body += unpacker.decompress(chunk, BODY_MAX - len(body))
            except zlib.error as error:
                raise ProbeError("match", f"the body is not the {coding} that it says") from error
        if len(body) >= BODY_MAX:
            break
    return bytes(body)


class _Connector(aiohttp.TCPConnector):
    """Tells what a connection is like when it is made; a short answer gives it back before its head can be looked at."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        connection = await super().connect(req, traces, timeout)
        expect("no answer")
        transport = connection.transport
        if transport is None:
            return connection
        peer = transport.get_extra_info("peername")
        note("connected to {address}", address=str(Address(0, peer)) if peer else "nobody")
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            certificate = tls.getpeercert(binary_form=True)
            _certificate.set(certificate)
            note("{tls} agreed, certificate {certificate}", tls=tls.version(), certificate=Shown(certificate))
        return connection


class _Names(AbstractResolver):
    """aiohttp asks our resolver; by itself it would take another one as soon as that is installed."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port)
        expect(f"no connection to {found[0]}", peer=str(found[0]))
        return [
            ResolveResult(
                hostname=host, host=address.ip, port=port, family=address.family, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address in found
        ]

    async def close(self) -> None:
        """The resolver is closed by its owner."""


def _socket(info: Any) -> socket.socket:
    """Told which address is tried, so that it can be named when it does not answer."""
    family, kind, protocol, _, sockaddr = info
    peer = str(Address(family, sockaddr))
    expect(f"no connection to {peer}", peer=peer)
    return socket.socket(family, kind, protocol)


def _unreached(error: OSError, peer: str) -> ProbeError | Unknowable:
    if isinstance(error, ssl.SSLError):
        return garbled(error, peer)
    return explain(error, peer)


def _short(text: str) -> str:
    return " ".join(text.split())[:80]
