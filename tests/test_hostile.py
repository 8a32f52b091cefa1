"""Hostile input against a real daemon: every door fuzzed, crowds of connections, floods of reports; the page stays."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.daemon import daemon, get, until
from tests.fuzz import DOORS, Tally, fuzz, leaks
from tests.fuzzing.world import BEAT, CONFIG, REPORTER, memory
from tests.process import Process

SECONDS = 0.25
"""Of each door; `python -m tests.fuzz` and `make soak` go on for longer."""

CROWD = 5000


async def test_every_door() -> None:
    """No 5xx, no hang, no exception that nobody expects, no unclean log line, and the page answers."""
    said = await fuzz(DOORS, SECONDS, seed=1, turn_seconds=SECONDS)

    assert said.endswith("nothing broke"), said


def test_a_leak_is_told_from_a_cache() -> None:
    """A door that goes on growing is named; one that levels off, and noise, are not; of a short run nothing is said."""
    leak = [2 * 2**20] * 20
    cache = [20 * 2**20, 10 * 2**20, 5 * 2**20] + [0] * 17
    noise = [2 * 2**20, -2 * 2**20] * 10
    tallies = {"leak": Tally(grown=leak), "cache": Tally(grown=cache), "noise": Tally(grown=noise)}
    sizes = [100 * 2**20 + sum(map(sum, zip(leak[:n], cache[:n], noise[:n], strict=True))) for n in range(1, 21)]

    assert leaks(tallies, sizes) == ["memory grew by 20 MB in the second half of the turns of leak"]
    assert leaks({"leak": Tally(grown=leak[:5])}, sizes[:5]) == []
    assert leaks({}, [0] * 10 + [2**30] * 10 + [2**31]) == ["memory grew by 1024 MB in the second half"]


def test_memory_that_is_free_does_not_count() -> None:
    """What is measured rises with what is held, and falls when it is let go, in large pieces and in small ones."""
    for size in (2**20, 300):
        before = memory()
        held = [bytearray(b"x" * size) for _ in range(32 * 2**20 // size)]
        assert memory() - before > 24 * 2**20
        del held
        assert memory() - before < 8 * 2**20


@contextlib.asynccontextmanager
async def crowd(address: str, count: int, manner: str) -> AsyncIterator[None]:
    """So many clients, in a process of their own."""
    host, _, port = address.rpartition(":")
    line = (sys.executable, "-m", "tests.fuzzing.crowd", host, port, str(count), manner)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *line, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, cwd=Path(__file__).parents[1]
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()
        process.stdin.close()


async def slowest(app: object, times: int = 20) -> float:
    """The longest wait for the page, on a new connection each time."""
    worst = 0.0
    for _ in range(times):
        began = time.monotonic()
        async with asyncio.timeout(60):
            status, text = await get(app, "/")  # type: ignore[arg-type]
        assert (status, "</html>" in text) == (200, True)
        worst = max(worst, time.monotonic() - began)
    return worst


@pytest.mark.parametrize("manner", ["idle", "all"])
async def test_a_crowd_that_only_holds_connections(tmp_path: Path, manner: str) -> None:
    """5,000 clients that say nothing, drip, do not read, or never finish: a visitor still gets the page, soon."""
    # Where fewer files may be open it is a smaller crowd, still larger than what the daemon would hold.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(CROWD, files - 100)
    if count < CROWD:
        print(f"only {count} clients, not {CROWD}: the hard limit of open files is {files}; try ulimit -Hn 20000")
    async with daemon(tmp_path, CONFIG) as app:
        soon = 10.0 + 20 * await slowest(app)  # beside what else this machine does
        before = memory()
        async with crowd(app.bound[0], count, manner):
            await until(lambda: app.counters.connections > min(3000, count // 2))
            assert await slowest(app) < soon
            assert app.counters.connections <= 4096 + 1
            grown = memory() - before
        assert grown < 100 * 2**20, f"{grown / 2**20:.0f} MB"
        assert await slowest(app, 3) < soon


async def test_few_files(tmp_path: Path) -> None:
    """Where only 512 files may be open, a crowd of 1,000 idle clients still leaves room for a visitor."""
    prlimit = (sys.executable, "-c", LOWER)
    async with Process(tmp_path, CONFIG, wrap=prlimit) as one:
        await one.ready()
        holders = []
        try:
            for _ in range(1000):
                with contextlib.suppress(OSError):
                    holders.append(await asyncio.open_unix_connection(str(tmp_path / "http.sock")))
            for _ in range(5):
                async with asyncio.timeout(5):
                    status = (await one.ask("GET", "/healthz"))[0]
                assert status == 200
        finally:
            for _, writer in holders:
                writer.close()


LOWER = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)); os.execvp(sys.argv[1], sys.argv[1:])"

REPLICAS = 50
"""As `max_replicas` of the node says."""


async def flood(app: object, count: int) -> dict[int, int]:
    """Report so many distinct replica ids, in batches; how many of each were taken (200) and refused (409)."""
    seen = {200: 0, 409: 0}
    headers = {"Authorization": REPORTER, "Accept": "application/vnd.crisp-status+json"}
    url = f"http://{app.bound[0]}/v1/report"  # type: ignore[attr-defined]
    async with aiohttp.ClientSession(headers=headers) as session:

        async def batch(first: int) -> None:
            words = [
                {"service": "web", "node": "api", "replica_id": f"replica-{n:09d}", "interval": 30}
                for n in range(first, min(first + 5000, count))
            ]
            async with session.post(url, json=words) as answer:
                assert answer.status == 200, await answer.text()
                told = await answer.json()
            seen[200] += told["accepted"]
            seen[409] += len(told["refused"])
            assert all(r["error"] == "too_many_replicas" for r in told["refused"])

        for first in range(0, count, 10_000):
            await asyncio.gather(*(batch(n) for n in range(first, min(first + 10_000, count), 5000)))
    return seen


async def test_a_flood_of_replica_ids(tmp_path: Path) -> None:
    """Beyond the node's limit distinct ids are refused, with memory flat and the page unharmed; a known one is taken."""
    async with daemon(tmp_path, CONFIG) as app:
        await flood(app, 10_000)
        before = memory()
        assert await flood(app, 50_000) == {200: REPLICAS, 409: 50_000 - REPLICAS}
        grown = memory() - before
        assert len(app.engine.peek().nodes["web/api"].replicas) == REPLICAS
        assert await slowest(app, 3) < 3.0
    assert grown < 24 * 2**20, f"{grown / 2**20:.0f} MB"


async def test_bombs(tmp_path: Path) -> None:
    """Bodies of 50 MB packed into 50 kB, at doors with and without a token: refused, never unpacked whole."""
    bomb = gzip.compress(bytes(50_000_000), 9)
    async with daemon(tmp_path, CONFIG) as app, aiohttp.ClientSession(f"http://{app.bound[0]}") as session:

        async def send(path: str, token: str) -> int:
            headers = {"Content-Encoding": "gzip", "Authorization": token}
            try:
                async with session.post(path, data=bomb, headers=headers) as answer:
                    return answer.status
            except aiohttp.ClientError:
                return 413  # it was cut off while it was still sending

        await send("/", REPORTER)
        before = memory()
        doors = ("/", "/nothing", f"/ping/{BEAT}", "/v1/report", "/manager/silences", "/act/x")
        async with asyncio.timeout(10):
            statuses = await asyncio.gather(*(send(door, REPORTER) for door in doors * 10))
            answers = {door: set(statuses[place :: len(doors)]) for place, door in enumerate(doors)}
            # The signal of a heartbeat counts whatever comes with it.
            assert answers.pop(f"/ping/{BEAT}") <= {200, 429}
            assert set().union(*answers.values()) <= {400, 403, 404, 405, 413, 429}
            assert await slowest(app, 3) < 3.0
    assert memory() - before < 32 * 2**20


async def test_guessing_does_not_lock_out(tmp_path: Path) -> None:
    """Hundreds of wrong tokens from one address are answered 403, then 429; the right one works in between and after."""
    async with daemon(tmp_path, CONFIG) as app, aiohttp.ClientSession() as session:
        for path, right, body in (
            ("/manager/silences", aiohttp.encode_basic_auth("", "manager-token"), None),
            ("/v1/probes/local", REPORTER, None),
        ):
            answers = []
            for number in range(300):
                wrong = aiohttp.encode_basic_auth("", f"guess-{number}")
                async with session.get(f"http://{app.bound[0]}{path}", headers={"Authorization": wrong}) as answer:
                    answers.append(answer.status)
                if number % 100 == 99:
                    headers = {"Authorization": right}
                    async with session.get(f"http://{app.bound[0]}{path}", headers=headers, json=body) as answer:
                        assert answer.status == 200
            assert set(answers) <= {401, 403, 429}
            assert answers.count(429) > 250
        async with session.get(f"http://{app.bound[0]}/ping/{BEAT}") as answer:
            assert answer.status == 200
