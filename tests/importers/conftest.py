"""What the tests of imports share: a web server that has what the fixtures watch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.importers.brought import FIXTURES, Brought

BODIES = {
    "/": b"<title>Acme</title>Welcome (to Acme)",
    "/version.json": b'{"version": "2"}',
    "/ok.txt": b"ok\n",
    "/health": b"fine",
    "/api/queues/acme/client": b'{"messages_ready": 3, "messages_unacknowledged": 0}',
}


class Handler(BaseHTTPRequestHandler):
    """Answers what is asked for, and everything that is posted."""

    def do_GET(self) -> None:
        """The body of that path, or 404."""
        body = BODIES.get(self.path.partition("?")[0])
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body or b"")

    do_HEAD = do_GET  # noqa: N815 -- as the library calls it

    def do_POST(self) -> None:
        """The same, after the body has come."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def web() -> Iterator[int]:
    """The port of a web server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., Brought]:
    """Import files, named within the fixtures or by path, into a folder of this test."""

    def run(program: str, *files: str | Path, options: tuple[str, ...] = ()) -> Brought:
        return Brought(tmp_path, program, *(FIXTURES / file for file in files), options=options)

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file of another program."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write
