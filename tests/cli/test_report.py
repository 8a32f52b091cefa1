"""`crisp-status report`: from a shell, against a real socket."""

import json
import subprocess
import sys

import pytest

from tests.test_reporter import FINE, Scripted, answer


@pytest.fixture
def server():
    started = []

    def start(*tricks):
        started.append(Scripted(*tricks))
        return started[-1]

    yield start
    for one in started:
        one.close()


def report(url, *more):
    given = ["--url", url, "--token", "token", "--service", "web", "--node", "api", "--replica", "r1", *more]
    return subprocess.run(
        [sys.executable, "-m", "crisp_status", "report", *given],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_one_report_and_silence_on_stdout(server):
    """Exit code 0; cron sends no mail."""
    there = server(FINE)
    done = report(there.url, "--interval", "120", "--health", "sick", "--reason", "queue is long")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    body = json.loads(there.requests[0][1])
    assert (body["interval"], body["health"], body["reason"]) == (120, "sick", "queue is long")


def test_a_refusal_is_one_line_and_exit_code_1(server):
    """With the server's own sentence, and without the token."""
    done = report(server(answer(404, b'{"error": "unknown_node", "detail": "There is no node web/api."}')).url)

    assert done.returncode == 1
    assert done.stderr == "crisp-status report: HTTP 404 There is no node web/api.\n"


def test_a_wrong_call_is_exit_code_2():
    """As everywhere."""
    assert report("status.example").returncode == 2


def test_flush(server):
    """The replica is taken off the page."""
    there = server(FINE)

    assert report(there.url, "--flush").returncode == 0
    assert there.requests[0][0].startswith("DELETE ")


def test_for_as_long_as_a_command_runs(server):
    """Its output and its exit code come through, whatever becomes of the reports."""
    there = server(FINE)
    done = report(there.url, "--flush", "--while", "echo said; sleep 0.4; exit 7")

    assert (done.returncode, done.stdout) == (7, "said\n")
    assert [head.split()[0] for head, _ in there.requests] == ["POST", "DELETE"]
