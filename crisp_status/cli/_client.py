"""Talks with a running daemon through its management API. Standard library only, so that commands start quickly."""

from __future__ import annotations

import functools
import http.client
import json
import os
import re
import socket
import threading
from base64 import b64encode
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import click

from crisp_status.cli import WRONG, config_option, fail, open_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from crisp_status.config.root import Config

SECONDS: Final = 10.0
"""A daemon that is alive answers in milliseconds; one that writes to a slow disk in a second."""

WHOLE_SECONDS: Final = 60.0
"""For a whole answer, however it drips; a large one over a slow line takes its time."""

ANSWER_MAX: Final = 64 * 1024 * 1024
"""Bytes of an answer: the whole tree of 100,000 replicas fits."""

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

json_option = click.option("--json", "as_json", is_flag=True, default=False, help="Print JSON.")


class DaemonError(Exception):
    """The daemon does not answer, or says no; the message is for people. `status` is 0 when it did not answer."""

    def __init__(self, text: str, status: int = 0, problems: Sequence[str] = ()) -> None:
        from crisp_status import log

        super().__init__(log.redactor.text(text))  # what answers may quote what we sent
        self.status = status
        self.problems = tuple(log.redactor.text(problem) for problem in problems)
        """Of a configuration that was refused, one line each."""


class Daemon:
    """One running daemon."""

    def __init__(self, url: str, token: str, path: str = "", whole_seconds: float = WHOLE_SECONDS) -> None:
        """`url` is where it listens, `path` its unix socket if it has one."""
        from crisp_status import log
        from crisp_status.config.addresses import masked

        self.where = f"unix:{path}" if path else masked(url)
        self._path = path
        self._url = urlsplit(url)
        self._whole_seconds = whole_seconds
        basic = b64encode(f":{token}".encode()).decode()
        log.hide(token, basic)
        self._authorization = f"Basic {basic}"

    def ask(self, method: str, path: str, value: object = None) -> Any:
        """The decoded answer, None when it is empty. Raises DaemonError."""
        body = None if value is None else json.dumps(value).encode()
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connect()
        try:
            connection.connect()
            with self._in_time(connection.sock):
                connection.request(method, self._url.path.rstrip("/") + path, body, headers)
                answer = connection.getresponse()
                text = answer.read(ANSWER_MAX)
        except TimeoutError:
            raise DaemonError(f"the daemon at {self.where} did not answer within {SECONDS:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DaemonError(f"no daemon answers at {self.where}: {why.lower()}; is it running?") from None
        finally:
            connection.close()
        return _decoded(answer.status, text, self.where)

    @contextmanager
    def _in_time(self, sock: socket.socket) -> Iterator[None]:
        """Ends an answer that drips: the timeout of a socket is for each read alone."""
        late = threading.Event()

        def end() -> None:
            late.set()
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

        timer = threading.Timer(self._whole_seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():
            raise DaemonError(f"the answer of {self.where} was not complete after {self._whole_seconds:g} s")

    def _connect(self) -> http.client.HTTPConnection:
        host = self._url.hostname or "localhost"
        if self._path:
            return _UnixConnection(self._path)
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, self._url.port, timeout=SECONDS)
        return http.client.HTTPConnection(host, self._url.port, timeout=SECONDS)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


def _decoded(status: int, text: bytes, where: str) -> Any:
    try:
        value = _plain(json.loads(text)) if text.strip() else None
    except (ValueError, RecursionError):
        raise DaemonError(f"the program at {where} is not crisp-status: its answer is not JSON", status) from None
    if 200 <= status < 300:
        return value
    detail = value.get("detail") if isinstance(value, dict) else None
    if status in {401, 403}:
        detail = f"the daemon at {where} does not take the manager token; was it started with another configuration?"
    problems = [str(p["text"]) for p in value.get("problems", ())] if isinstance(value, dict) else []
    raise DaemonError(str(detail or f"the daemon at {where} answered {status}"), status, problems)


def _plain(value: Any, keep: str = "") -> Any:
    """The same fit for a terminal: names and reasons in it may come from anybody who reports to the daemon."""
    from crisp_status.log import printable

    if isinstance(value, str):
        return printable(value, keep)
    if isinstance(value, list):
        return [_plain(item, keep) for item in value]
    if isinstance(value, dict):
        # Only what an operator wrote for visitors has several lines.
        return {printable(key): _plain(item, "\n" if key == "text" else "") for key, item in value.items()}
    return value


def daemon(config: Config, url: str | None = None) -> Daemon:
    """The daemon of a configuration; `url` says where it is when the configuration's own address does not reach it."""
    token = config.server.manager_token
    if token is None:
        fail("management is off: set server.manager_token in the configuration and start the daemon again", WRONG)
    if url:
        return Daemon(url, token.get_secret_value())
    for listen in config.server.addresses:
        if listen.kind == "unix":
            return Daemon("http://localhost/", token.get_secret_value(), listen.path)
        if listen.kind == "tcp" and listen.port and not listen.tls:
            host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
            name = f"[{host}]" if ":" in host else host
            return Daemon(f"http://{name}:{listen.port}/", token.get_secret_value())
    return Daemon(config.page.url, token.get_secret_value())


def reach(path: Path, url: str | None) -> Daemon:
    """The daemon of the configuration at `path`; ends with exit code 2 when that is wrong."""
    found = daemon(open_config(path, scripts=True), url)  # the daemon may run with --scripts
    click.get_current_context().meta[_REACHED] = found.where
    return found


def asked(found: Daemon, method: str, path: str, value: object = None) -> Any:
    """As `Daemon.ask`, but ends with the sentence and exit code 1 when the daemon does not answer or says no."""
    try:
        return found.ask(method, path, value)
    except DaemonError as error:
        fail(str(error))


def part(text: str) -> str:
    """One segment of a path."""
    return quote(text, safe="")


def seconds(text: str) -> float:
    """`90s`, `30m`, `1h30m`, `2d` in seconds; ends with exit code 2 and the nearest meanings for anything else."""
    given = text.strip().lower()
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", given)
    if given.isdecimal():
        near = f"{given}m (minutes), {given}h (hours) or {given}s (seconds)"
        fail(f'"{text}" has no unit; write {near}', WRONG)
    if not given or found is None:
        fail(f'"{text}" is not a duration; write one like 90s, 30m, 1h30m or 2d', WRONG)
    return float(sum(int(n or 0) * UNITS[u] for n, u in zip(found.groups(), "dhms", strict=True)))


def whoami() -> str:
    """Who types, for the record."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


_REACHED: Final = f"{__name__}.reached"
"""Where the daemon of this command is, in the context of click."""


def url_option(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command that talks with a daemon `--url`, and an end in words when it cannot make sense of the answer."""

    @functools.wraps(command)
    def understood(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UnicodeError:
            raise  # The terminal's business.
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            where = click.get_current_context().meta.get(_REACHED)
            if where is None or os.environ.get("CRISP_STATUS_DEBUG"):
                raise
            fail(
                f"what answers at {where} is another version of crisp-status, or none: its answer has another shape "
                f"({type(error).__name__}: {error}); use the version that runs there"
            )

    return _url_option(understood)


_url_option: Final = click.option(
    "--url", metavar="URL", default=None, help="Where the daemon is, when server.listen does not say it."
)

__all__ = [
    "Daemon",
    "DaemonError",
    "asked",
    "config_option",
    "daemon",
    "json_option",
    "part",
    "reach",
    "seconds",
    "url_option",
    "whoami",
]
