"""The library for Python applications, against a server that plays every trick (PROTOCOLS section 1)."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from crisp_status import reporter
from crisp_status.reporter import AsyncReporter, Load, Outcome, Reporter, Sender
from crisp_status.reporter.system_load import MEASURE_SECONDS

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Scripted:
    """A real server: to each connection it plays the next of its tricks, to further ones the last."""

    def __init__(self, *tricks):
        self.tricks = list(tricks)
        self.requests = []
        self.came = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                trick = self.tricks.pop(0) if len(self.tricks) > 1 else self.tricks[0]
                threading.Thread(target=self._play, args=(connection, trick), daemon=True).start()

    def _play(self, connection, trick):
        with contextlib.suppress(OSError), connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(body) < length:
                body += connection.recv(65536)
            with self.came:
                self.requests.append((head.decode(), body))
                self.came.notify_all()
            if callable(trick):
                trick(connection)
            else:
                connection.sendall(trick)

    def wait(self, count, seconds=5):
        """Until so many requests have come."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.requests) >= count, seconds), f"only {len(self.requests)} came"

    def close(self):
        # A blocked accept is woken by shutdown, not by close.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)


@pytest.fixture
def server():
    started = []

    def start(*tricks):
        started.append(Scripted(*tricks))
        return started[-1]

    yield start
    for one in started:
        one.close()


def answer(status, body=b"", *headers):
    return "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def drip(connection):
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_body(connection):
    connection.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(0.05)


def sender(url):
    return Sender(url, "to:ken", "svc 1", "no/de", "host 1")


class TestWire:
    """What stands in a report."""

    def test_one_report(self, server):
        """PROTOCOLS 1.1: POST, empty user, token as password, replica, interval and load; ids escaped."""
        there = server(FINE)

        assert sender(there.url).report(30, 0.5, 0.25) == Outcome(200)

        head, body = there.requests[0]
        assert head.startswith("POST /v1/report/svc%201/no%2Fde HTTP/1.1\r\n")
        assert f"Authorization: Basic {base64.b64encode(b':to:ken').decode()}" in head
        assert json.loads(body) == {"replica_id": "host 1", "interval": 30, "load": {"cpu": 0.5, "ram": 0.25}}

    def test_names_with_odd_bytes(self, server):
        """Python reads odd bytes in names of hosts and files as half characters: the report goes out without them."""
        there = server(FINE)
        half = os.fsdecode(b"caf\xe9")

        one = Sender(there.url, half, half, "api", half)
        assert one.report(30, health="sick", reason=f"cannot read {half}") == Outcome(200)
        assert one.flush() == Outcome(200)

        (head, body), (flush, _) = there.requests
        assert head.startswith("POST /v1/report/caf%3F/api HTTP/1.1\r\n")
        assert flush.startswith("DELETE /reporter/caf%3F/api/caf%3F HTTP/1.1\r\n")
        assert json.loads(body)["replica_id"] == "caf?"
        assert json.loads(body)["reason"] == "cannot read caf?"

    def test_no_load_and_a_word_of_its_own(self, server):
        """Load is both ratios or none; health is sent only when it is bad."""
        there = server(FINE)
        sender(there.url).report(30, 0.5, None, "sick", "x" * 600)

        assert json.loads(there.requests[0][1]) == {
            "replica_id": "host 1",
            "interval": 30,
            "health": "sick",
            "reason": "x" * 500,
        }

    @pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/status/v1"])
    def test_the_address_of_the_page_or_of_its_v1(self, server, suffix):
        """Crisp's own address ends in /v1; a page may live below a path."""
        there = server(FINE)
        sender(there.url + suffix).report(30)
        base = "/status" if "status" in suffix else ""

        assert there.requests[0][0].startswith(f"POST {base}/v1/report/svc%201/no%2Fde ")

    def test_flush(self, server):
        """PROTOCOLS 3.1: DELETE with the replica in the path."""
        there = server(FINE)

        assert sender(there.url).flush().ok
        assert there.requests[0][0].startswith("DELETE /reporter/svc%201/no%2Fde/host%201 ")


class TestTricks:
    """No answer of a server becomes an exception, and none takes longer than its time."""

    @pytest.mark.parametrize(
        ("trick", "status", "words"),
        [
            (
                answer(401, b'{"error": "wrong_token", "detail": "This token is\\nnot known."}'),
                401,
                "HTTP 401 This token is not known.",
            ),
            (answer(500, b"<h1>oh</h1>"), 500, "HTTP 500 <h1>oh</h1>"),
            (answer(500, b"\x1b[31mred\r\nfake line"), 500, "HTTP 500 [31mred fake line"),
            (answer(500, b"[" * 5000), 500, "HTTP 500 [[["),
            (answer(503, b'["x"]'), 503, 'HTTP 503 ["x"]'),
            (answer(201), 201, "HTTP 201"),
            (answer(302), 302, "HTTP 302"),
            (b"garbage\r\n\r\n", 0, "does not speak HTTP as it should: BadStatusLine"),
            (b"", 0, "RemoteDisconnected"),
            (b"HTTP/1.1 999999 what\r\n\r\n", 0, "BadStatusLine"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, 0, "HTTPException"),
            (b"\xff" * 200_000, 0, "LineTooLong"),
        ],
    )
    def test_it_is_told_in_words(self, server, trick, status, words):
        """With the status where there was one, and never the token."""
        outcome = sender(server(trick).url).report(30)

        assert (outcome.ok, outcome.status) == (False, status)
        assert words in outcome.error
        assert "to:ken" not in outcome.error

    def test_why_nothing_came_back_is_a_sentence(self):
        """Nobody there, and somebody who speaks no TLS."""
        with socket.socket() as alone:
            alone.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{alone.getsockname()[1]}"
            assert sender(f"http://{host}").report(30).error == f"no connection to {host}: connection refused"

        with socket.create_server(("127.0.0.1", 0)) as plain:
            host = f"127.0.0.1:{plain.getsockname()[1]}"

            def talk():
                with plain.accept()[0] as connection:
                    connection.sendall(b"220 mail.example ESMTP\r\n")
                    connection.recv(4096)

            talker = threading.Thread(target=talk)
            talker.start()
            assert sender(f"https://{host}").report(30).error.startswith(f"no TLS with {host}: ")
            talker.join()

    @pytest.mark.parametrize("trick", [lambda c: time.sleep(3), drip, drip_body])
    def test_slow_ones_are_cut_off(self, server, trick):
        """A server that says nothing, or drips its head or its body, takes no more than the timeout in all."""
        there = server(trick)
        began = time.monotonic()
        outcome = sender(there.url).report(30, timeout=0.4)

        assert not outcome.ok
        assert time.monotonic() - began < 1.5

    def test_nobody_there(self):
        """Refused connections and names that do not exist."""
        assert "refused" in sender("http://127.0.0.1:1").report(30).error
        assert not sender("http://nowhere.invalid").report(30, timeout=2).ok
        assert not sender("http://[::1").report(30, timeout=2).ok

    def test_retry_after_is_heard_within_reason(self, server):
        """A server may ask for patience, but not for ever."""
        assert sender(server(answer(429, b"", "Retry-After: 7")).url).report(30).retry_after == 7
        assert sender(server(answer(503, b"", "Retry-After: 99999")).url).report(30).retry_after == 300
        assert (
            sender(server(answer(503, b"", "Retry-After: Fri, 01 Jan 2027 00:00:00 GMT")).url).report(30).retry_after
            == 0
        )


class TestRedirects:
    """The token goes nowhere that it was not meant for."""

    def test_the_same_host_gets_the_whole_report_again(self, server):
        """Unlike the published libraries, which lose the body on the way (PROTOCOLS 1.3)."""
        there = server(answer(301, b"", "Location: /status/v1/report"), FINE)

        assert sender(there.url).report(30).ok
        assert there.requests[1][0].startswith("POST /status/v1/report ")
        assert there.requests[1][1] == there.requests[0][1]

    @pytest.mark.parametrize("target", ["http://localhost:{port}/", "ftp://127.0.0.1/", "//other.example/"])
    def test_another_host_or_scheme_gets_nothing(self, server, target):
        """And it is said why."""
        there = server(b"")
        there.tricks = [answer(308, b"", "Location: " + target.format(port=there.port))]
        outcome = sender(there.url).report(30)

        assert "not following a redirect" in outcome.error
        assert len(there.requests) == 1

    def test_never_from_https_to_cleartext(self):
        """Whatever the host."""
        from crisp_status.reporter.sender import _unsafe

        assert "readable" in _unsafe("https://a.example/x", "http://a.example/x")
        assert _unsafe("http://a.example/x", "https://a.example/x") == ""

    def test_a_circle_ends(self, server):
        """After three."""
        there = server(answer(307, b"", "Location: /again"))

        assert "more than 3 redirects" in sender(there.url).report(30).error
        assert len(there.requests) == 4


class TestReporter:
    """The daemon thread."""

    def make(self, there, **options):
        return Reporter(there.url, "token", "web", "api", "r1", **{"interval": 1.0, **options})

    def test_it_reports_at_once_and_again(self, server):
        """First without delay, then a little before each interval ends."""
        there = server(FINE)
        with self.make(there) as mine:
            there.wait(2, 3)

        assert mine.last_error == ""

    def test_it_goes_on_after_every_error(self, server, caplog):
        """Failures are retried with back-off, said once, and so is the recovery."""
        caplog.set_level(logging.DEBUG, "crisp_status.reporter")
        there = server(answer(500), b"", b"garbage\r\n\r\n", answer(404), FINE)
        with self.make(there, retry=0.02):
            there.wait(6)

        assert [r.levelname for r in caplog.records] == ["WARNING", "DEBUG", "DEBUG", "DEBUG", "INFO"]

    @pytest.mark.parametrize(
        ("said", "health", "reason"),
        [
            (None, None, None),
            ("healthy", None, None),
            (True, None, None),
            (False, "sick", ""),
            ("dead", "dead", ""),
            (("sick", "queue is long"), "sick", "queue is long"),
            (["what"], None, None),
        ],
    )
    def test_the_application_may_call_itself_sick(self, server, said, health, reason):
        """By what its callback answers."""
        there = server(FINE)
        with self.make(there, health=lambda: said):
            there.wait(1)
        body = json.loads(there.requests[0][1])

        assert (body.get("health"), body.get("reason")) == (health, reason)

    def test_a_callback_that_raises_is_sick(self, server):
        """The check of an application that cannot check itself."""
        there = server(FINE)
        with self.make(there, health=lambda: 1 / 0):
            there.wait(1)

        assert (
            json.loads(there.requests[0][1])["reason"] == "the health check raised ZeroDivisionError: division by zero"
        )

    def test_end_with_flush_takes_the_replica_off_the_page(self, server):
        """Once, and after the report that was on its way."""
        there = server(FINE)
        mine = self.make(there)
        there.wait(1)
        mine.end(flush=True)
        mine.end(flush=True)

        assert [head.split()[0] for head, _ in there.requests] == ["POST", "DELETE"]

    def test_end_waits_for_nobody(self, server):
        """Not without flush, and with it only so long."""
        there = server(lambda c: time.sleep(2))
        mine = self.make(there)
        there.wait(1)
        began = time.monotonic()
        mine.end(flush=True, timeout=0.2)

        assert time.monotonic() - began < 1

    @pytest.mark.parametrize(
        "wrong", [{"token": None}, {"url": ""}, {"url": "status.example"}, {"service_id": ""}, {"url": None}]
    )
    def test_wrong_arguments_are_logged_not_raised(self, wrong, caplog):
        """An application must not fail to start for its status page."""
        given = {"url": "http://127.0.0.1:1", "token": "t", "service_id": "s", "node_id": "n"}
        mine = Reporter(**(given | wrong))
        mine.end(flush=True)

        assert mine.last_error
        assert "not reporting" in caplog.text

    def test_the_pace(self):
        """A little early after success; after failures growing, jittered, never above the interval, patient if asked."""
        pace = reporter._Pace(30, 2)
        assert all(27 <= pace.after(Outcome(200)) <= 30 for _ in range(50))
        waits = [pace.after(Outcome(500, "x")) for _ in range(50)]
        assert all(0.5 * min(30, 2 * 2**n) <= wait <= min(30, 2 * 2**n) for n, wait in enumerate(waits))
        assert pace.after(Outcome(503, "x", 200)) == 200


class TestAsyncReporter:
    """The task of an event loop."""

    async def test_it_reports_and_flushes(self, server):
        """With a health check that is a coroutine."""
        there = server(FINE)

        async def health():
            await asyncio.sleep(0)
            return "sick", "busy"

        async with AsyncReporter(there.url, "token", "web", "api", "r1", 1.0, health=health, flush=True):
            await asyncio.to_thread(there.wait, 2)

        assert there.requests[-1][0].startswith("DELETE")
        assert json.loads(there.requests[0][1])["health"] == "sick"

    async def test_it_never_holds_the_loop_up(self, server):
        """A server that says nothing costs the loop nothing, not even at the end."""
        there = server(lambda c: time.sleep(3))
        mine = AsyncReporter(there.url, "token", "web", "api")
        mine.start()
        mine.start()
        await asyncio.to_thread(there.wait, 1)
        began = time.monotonic()
        await mine.end()
        await mine.end(flush=True)

        assert time.monotonic() - began < 0.5


class TestLoad:
    """Ratios of what the container may use, else of the machine."""

    def tree(self, root, files):
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Load(str(root))

    def test_this_machine(self):
        """Something between nothing and a lot."""
        load = Load()

        assert load.cpu() >= 0
        assert 0 < load.ram() < 1.5

    def test_one_report_measures_the_processor(self, tmp_path):
        """A report from cron is made right away: the load average of the last minute would be another figure."""
        load = self.tree(tmp_path, {"proc/stat": "cpu 100 0 100 9000 0 0 0 0 0 0\n"})
        began = time.monotonic()

        assert load.cpu() == 0.0
        assert time.monotonic() - began >= MEASURE_SECONDS

    def test_memory_of_the_machine(self, tmp_path):
        """What could not be freed, over what there is."""
        load = self.tree(tmp_path, {"proc/meminfo": "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n"})

        assert load.ram() == pytest.approx(0.6)

    def test_cgroup_v2(self, tmp_path):
        """The tightest limit on the way up counts; page cache that can go does not."""
        group = "sys/fs/cgroup/system.slice/app.service"
        load = self.tree(
            tmp_path,
            {
                "proc/self/cgroup": "0::/system.slice/app.service\n",
                "proc/meminfo": "MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n",
                f"{group}/memory.max": "max\n",
                f"{group}/memory.current": "500\n",
                "sys/fs/cgroup/system.slice/memory.max": "1000\n",
                "sys/fs/cgroup/system.slice/memory.current": "900\n",
                "sys/fs/cgroup/system.slice/memory.stat": "anon 5\ninactive_file 150\n",
                f"{group}/cpu.max": "50000 100000\n",
                f"{group}/cpu.stat": "usage_usec 1000000\nuser_usec 1\n",
            },
        )
        load._before = (time.monotonic() - 10, 1.0)
        (tmp_path / group / "cpu.stat").write_text("usage_usec 4000000\n")

        assert load.ram() == pytest.approx(0.75)
        assert load.cpu() == pytest.approx(3 / 10 / 0.5, rel=0.01)

    def test_cgroup_v1_in_a_container(self, tmp_path):
        """Its own path is not there: the controllers are mounted at their root."""
        load = self.tree(
            tmp_path,
            {
                "proc/self/cgroup": "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500\n",
                "sys/fs/cgroup/memory/memory.stat": "cache 9\ntotal_inactive_file 500\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "25000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpuacct.usage": "1000000000\n",
            },
        )
        load._before = (time.monotonic() - 10, 0.0)

        assert load.ram() == pytest.approx(0.5)
        assert load.cpu() == pytest.approx(1 / 10 / 0.25, rel=0.01)

    def test_cgroup_v1_without_limits_is_the_machine(self, tmp_path):
        """An unlimited group says a number near 2**63 and a quota of -1."""
        load = self.tree(
            tmp_path,
            {
                "proc/self/cgroup": "5:memory:/\n3:cpu:/\n",
                "proc/meminfo": "MemTotal: 10 kB\nMemAvailable: 5 kB\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
        )

        assert load.ram() == pytest.approx(0.5)

    @pytest.mark.parametrize("text", ["", "garbage", "0::", "0:", "\xff", "1:2:3:4:5"])
    def test_nonsense_is_survived(self, tmp_path, text):
        """Files may say anything."""
        load = self.tree(tmp_path, {"proc/self/cgroup": text, "proc/meminfo": text, "proc/stat": text})
        load.cpu()

        assert load.ram() is None


def test_importing_it_pulls_in_nothing_of_the_daemon():
    """Standard library only."""
    code = (
        "import sys, crisp_status.reporter; "
        "print(sorted(m for m in sys.modules if m.startswith('crisp_status') "
        "or m.split('.')[0] in {'aiohttp', 'msgspec', 'pydantic', 'structlog', 'psutil', 'click'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.strip() == str(
        ["crisp_status", "crisp_status.reporter", "crisp_status.reporter.sender", "crisp_status.reporter.system_load"]
    )


def test_a_process_ends_while_a_report_hangs(server):
    """Neither thread keeps an interpreter alive."""
    there = server(lambda c: time.sleep(5))
    code = (
        "import sys, time; from crisp_status.reporter import Reporter; "
        f"Reporter('{there.url}', 't', 's', 'n'); time.sleep(0.3)"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=10)

    assert time.monotonic() - began < 3
