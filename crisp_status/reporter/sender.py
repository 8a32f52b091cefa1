"""One report, sent: HTTP with a deadline for the whole of it, and a token that never leaves its host in the clear."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

USER_AGENT: Final = "crisp-status-reporter/1"
TIMEOUT: Final = 10.0
"""Seconds that one report may take in all, as the published libraries give it."""
FLUSH_TIMEOUT: Final = 5.0
"""The same for a flush, for which the end of an application waits."""
REDIRECTS_MAX: Final = 3
"""Hops: to https, to another host name, to another path; more is a loop."""
RETRY_AFTER_MAX: Final = 300.0
"""A server may ask for patience, but not for so much that the application is forgotten."""
ANSWER_MAX: Final = 2048
"""Bytes of an answer that are read: enough for its error sentence."""
REASON_MAX: Final = 500
"""Characters of a reason that the server keeps."""


@dataclass(frozen=True)
class Outcome:
    """What became of one request: `status` is 0 when no answer came; `error` is "" when it was accepted."""

    status: int = 0
    error: str = ""
    retry_after: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the server took it."""
        return not self.error


class Sender:
    """Sends single reports; blocking, `timeout` seconds in all; tells of errors in the `Outcome`, raises none.

    `url` is the page's own address; an address that ends in `/v1` (as Crisp's own does) is taken as it is.
    """

    def __init__(self, url: str, token: str, service_id: str, node_id: str, replica_id: str = "") -> None:
        url, token, service_id, node_id = map(_whole, (url, token, service_id, node_id))
        base = url.strip().rstrip("/").removesuffix("/v1")
        self.replica_id = _whole(replica_id or socket.gethostname())
        where = f"{quote(service_id, safe='')}/{quote(node_id, safe='')}"
        self._report_url = f"{base}/v1/report/{where}"
        self._flush_url = f"{base}/reporter/{where}/{quote(self.replica_id, safe='')}"
        basic = base64.b64encode(f":{token}".encode()).decode()
        self._secrets = [secret for secret in (basic, token) if secret]
        self._headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            "Connection": "close",
        }
        given = {"url": base, "token": token, "service_id": service_id, "node_id": node_id}
        self.problem = next((f"{name} is empty" for name, value in given.items() if not value), "")
        if not self.problem and not base.startswith(("https://", "http://")):
            self.problem = f"url must start with https:// or http://, not {url!r}"

    def report(
        self,
        interval: float,
        cpu: float | None = None,
        ram: float | None = None,
        health: str = "",
        reason: str = "",
        timeout: float = TIMEOUT,
    ) -> Outcome:
        """Send one report; `health` and `reason` only when the application calls itself sick or dead."""
        body: dict[str, Any] = {"replica_id": self.replica_id, "interval": interval}
        if cpu is not None and ram is not None:
            body["load"] = {"cpu": round(cpu, 4), "ram": round(ram, 4)}
        if health:
            body |= {"health": health, "reason": _whole(reason[:REASON_MAX])}
        return self._request("POST", self._report_url, json.dumps(body).encode(), timeout)

    def flush(self, timeout: float = FLUSH_TIMEOUT) -> Outcome:
        """Ask the server to forget this replica."""
        return self._request("DELETE", self._flush_url, b"", timeout)

    def _request(self, method: str, url: str, body: bytes, timeout: float) -> Outcome:
        if self.problem:
            return Outcome(error=self.problem)
        end = time.monotonic() + timeout
        try:
            for _ in range(REDIRECTS_MAX + 1):
                answer, target, wait = self._exchange(method, url, body, end)
                if not target:
                    return Outcome(answer[0], "" if answer[0] == 200 else self._refusal(*answer), wait)
                if refused := _unsafe(url, target):
                    return Outcome(answer[0], refused)
                url = target
        except Exception as error:
            late = time.monotonic() >= end
            return Outcome(error=f"no answer within {timeout:g} s" if late else _why(url, error))
        return Outcome(error=f"more than {REDIRECTS_MAX} redirects")

    def _exchange(self, method: str, url: str, body: bytes, end: float) -> tuple[tuple[int, bytes], str, float]:
        """One request and its answer: (status, first bytes of the body), redirect target, seconds to wait."""
        left = max(0.1, end - time.monotonic())
        connection, target = _connection(url, left)
        # A socket timeout starts anew with each byte, so a server that drips its answer needs this one.
        open_sockets: list[socket.socket] = []
        guard = threading.Timer(left, _cut, (connection, open_sockets))
        guard.daemon = True
        guard.start()
        try:
            connection.connect()
            open_sockets.append(connection.sock)
            connection.request(method, target, body or None, self._headers)
            response = connection.getresponse()
            text = response.read(ANSWER_MAX) if response.status != 200 else b""
            moved = response.getheader("Location", "") if response.status in {301, 302, 307, 308} else ""
            wait = response.getheader("Retry-After", "0")
            patience = min(float(wait), RETRY_AFTER_MAX) if wait.isascii() and wait.isdigit() else 0.0
            return (response.status, text), urljoin(url, moved) if moved else "", patience
        finally:
            guard.cancel()
            connection.close()

    def _refusal(self, status: int, text: bytes) -> str:
        """What the server said, as one line."""
        said = text.decode("utf-8", "replace")
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            answer = json.loads(said)
            said = str(answer.get("detail") or answer.get("error") or "")
        # It goes into the application's log, where control characters could pretend to be anything, and no secret belongs.
        for secret in self._secrets:
            said = said.replace(secret, "<secret>")
        said = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        return f"HTTP {status} {said[:200]}".rstrip()


def _whole(text: str) -> str:
    """Without the half characters that stand for odd bytes in names of hosts and files: no server takes them."""
    return text.encode("utf-8", "replace").decode()


def _connection(url: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    """A connection for this address, through the proxy of the environment if there is one, and the request target."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    via = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    direct = not via.hostname or bool(urllib.request.proxy_bypass(host))
    at, at_port = (host, port) if direct else (via.hostname or "", via.port or 8080)
    if secure:
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            at, at_port, timeout=timeout, context=context
        )
        if not direct:
            connection.set_tunnel(host, port)
    else:
        connection = http.client.HTTPConnection(at, at_port, timeout=timeout)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return connection, url if not direct and not secure else target


def _cut(connection: http.client.HTTPConnection, open_sockets: list[socket.socket]) -> None:
    """End a request whose time is over, from another thread; the connection lets go of its socket while we read."""
    for sock in [*open_sockets, connection.sock]:
        with contextlib.suppress(Exception):
            sock.shutdown(socket.SHUT_RDWR)


def _why(url: str, error: Exception) -> str:
    """Why nothing came back, for people."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {host} is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with {host}: {error.reason or error}"
    if isinstance(error, http.client.HTTPException):
        return f"what answers at {host} does not speak HTTP as it should: {type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection to {host}: {error.strerror.lower()}"
    return f"{type(error).__name__}: {error}"


def _unsafe(url: str, target: str) -> str:
    """Why the token must not follow this redirect; "" when it may."""
    old, new = urlsplit(url), urlsplit(target)
    if new.scheme != "https" and (old.scheme, new.scheme) != ("http", "http"):
        return f"not following a redirect from {old.scheme} to {new.scheme}: the token would be readable"
    if old.hostname != new.hostname:
        return f"not following a redirect to another host, {new.hostname}: the token is not for it"
    return ""
