"""`crisp-status look`: one look, the whole story, an exit code for scripts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from crisp_status.cli import commands
from tests.probes.servers import refusing


class Target(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.headers.get("X-Key") == "abc" else 403)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"Welcome" if self.command == "GET" else b"")

    do_HEAD = do_GET  # noqa: N815 - so is this

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["look", *arguments])


def test_it_tells_the_story(target: str) -> None:
    """Headline, then step by step; healthy is 0."""
    result = typed(target, "-o", "headers.X-Key=abc", "-o", "healthy_match=Welcome")

    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"● {target} is healthy in ")
    assert f"connected to {target[7:-1]}" in result.output
    assert f"GET {target} answered 200 OK" in result.output


def test_dead_is_one(target: str) -> None:
    """With the reason, after the retries."""
    result = typed(target, "--retry", "1", "--retry-wait", "0")

    assert result.exit_code == 1
    assert "is dead: answered 403 Forbidden; healthy is 200 to 399" in result.output
    assert result.output.count("failed: ") == 2


def test_json_is_for_programs() -> None:
    """The same as data."""
    address = refusing()
    result = typed(f"tcp://{address}", "--json")
    told = json.loads(result.output)

    assert result.exit_code == 1
    assert told["outcome"] == "dead"
    assert told["reason"]["text"] == f"connection refused by {address}"
    assert told["latency_ms"] is None
    assert told["story"][-1]["attempt"] == 1


def test_passwords_are_not_repeated(target: str) -> None:
    """Neither in text nor in JSON."""
    url = target.replace("://", "://jane:s3cret-word@")

    assert "s3cret-word" not in typed(url).output
    assert "s3cret-word" not in typed(url, "--json").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gopher://a"], "gopher://a is not an address that a probe knows; expected one of amqp://, amqps://"),
        (["acme.example"], "is not an address"),
        (["tcp://a"], "tcp://a: a port is needed"),
        (["tcp://a:1", "-o", "x"], "--option x: expected KEY=VALUE"),
        (["http://a", "-o", "healthy_abov=1"], '--option healthy_abov: unknown key; did you mean "healthy_above"?'),
        (["http://a", "-o", "healthy_match=("], "not a regular expression"),
    ],
)
def test_a_wrong_call_is_two(arguments: list[str], said: str) -> None:
    """One readable line on stderr each."""
    result = typed(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_wrong_option_is_told_as_in_a_configuration(target: str) -> None:
    """With the nearest right name, all of them at once."""
    result = typed(target, "-o", "metod=GET", "-o", "healthy_above=high")

    assert result.exit_code == 2
    assert result.output.splitlines() == [
        '--option healthy_above: expected a whole number, got the text "high"',
        '--option metod: unknown key; did you mean "method"?',
    ]
