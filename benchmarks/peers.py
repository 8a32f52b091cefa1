"""Seeing 30 nodes of 3 replicas: our page beside other status pages whose binaries are given, each on one core.

All look at the same targets. A visit is every request without which a browser shows no statuses: where the page is only
a shell, its script and the calls of that script too. They have no history to show, and ours shows 90 days.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks.page import GZIP, Server, load, quiet
from benchmarks.programs import DAY, NODES, REPLICAS, PeerError, gatus, got, uptime_kuma, vigil
from benchmarks.states import save
from benchmarks.targets import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.harness import Row, Sample, Settings
    from benchmarks.programs import Program

PAGE_SECONDS, LOOK_SECONDS = 60.0, 120.0
"""To the first page, and from there to the first look at everybody: some begin one after the other."""

SCRIPT = re.compile(r"<script(?![^>]*\bnomodule\b)[^>]*\bsrc=\"(/[^\"]+)\"")

CYCLE = """local paths, ready, n = {%s}, {}, 0
function init() for k, path in ipairs(paths) do ready[k] = wrk.format("GET", path) end end
function request() n = n %% #paths + 1; return ready[n] end
"""
"""For wrk: one path after the other."""


@dataclass
class Visit:
    """The requests of a visitor, and what they bring."""

    paths: list[str]
    size: int

    def __str__(self) -> str:
        return f"{len(self.paths)} request{'s' * (len(self.paths) > 1)}, {self.size / 1000:.0f} kB"


def missing() -> str:
    """What must be installed first; "" when all is there."""
    return "" if shutil.which("wrk") else "needs wrk: apt install wrk"


def measure(settings: Settings) -> list[Row]:
    """Our page beside that of each whose binary is there."""
    given = [(settings.vigil, vigil), (settings.gatus, gatus), (settings.uptime_kuma, uptime_kuma)]
    rows: list[Row] = []
    if not any(where for where, _ in given):
        return rows
    with harness.folder() as folder, answering("http") as target:
        at = configs.address(target)
        # All at once, so that a wrong path is told before anything is measured.
        programs = [program(where, _made(folder / program.__name__), at) for where, program in given if where]
        port = configs.free_port()
        save(folder / "state", REPLICAS, at, time.time())
        config = configs.write(folder, REPLICAS, at, interval=DAY, port=port)
        with configs.daemon(config, port) as we:
            quiet(we.pid)
            for number, program in enumerate(programs):
                rows += _beside(program, we, settings, folder / f"{number}.lua")
    return rows


def _beside(program: Program, we: configs.Daemon, settings: Settings, lua: Path) -> list[Row]:
    """The rows of one."""
    with _running(program, program.empty or program.page) as (process, _):
        if program.prepare is not None:
            program.prepare()
        _wait(program, process, lambda: program.shown() >= REPLICAS, LOOK_SECONDS, f"show {REPLICAS} healthy replicas")
        quiet(process.pid)
        memory = harness.resident_mb(we.pid), harness.resident_mb(process.pid)
        mine, visit, again = _visit("ours", we.port, ["/"]), *_visits(program)
        they, us = _server(program.name, process.pid, program.port), _server("ours", we.pid, we.port)

        def rounds(asked: Visit) -> tuple[list[Sample], list[Sample]]:
            load(us, 1.0, GZIP)  # to warm up
            _seen(they, asked, 1.0, lua)
            found = harness.alternate(
                settings.rounds,
                {
                    "ours": lambda: load(us, settings.seconds, GZIP),
                    "theirs": lambda: _seen(they, asked, settings.seconds, lua),
                },
            )
            return found["ours"], found["theirs"]

        harness.say(f"  {program.name} {program.version}: {visit}")
        ours, theirs = rounds(visit)
        kept = rounds(again) if len(again.paths) < len(visit.paths) else None
    with _running(program, program.page) as (_, started):
        pass
    what = f"{NODES} nodes, beside {program.name}"
    rows = [
        harness.rated(f"visits, {what}", ours, theirs, program.name),
        _less(f"p99 of a request, {what}", *(harness.median(found, "p99_ms") for found in (ours, theirs)), "ms"),
        _less(f"memory, idle, {what}", *memory, "MB"),
        _less(f"restart to the first page, {what}", we.started_seconds, started, "s"),
    ]
    rows[0].note = f"{program.version}: {visit}{', with its script' * bool(kept)}; ours {mine}".removeprefix(": ")
    if kept:
        rows.insert(1, harness.rated(f"visits, script kept, {what}", *kept, program.name))
        rows[1].note = f"{again}: {' '.join(path.partition('?')[0] for path in again.paths)}"
    for row in rows:
        row.against = program.name
    return rows


def _less(what: str, ours: float, theirs: float, unit: str) -> Row:
    return harness.Row(what, ours, unit, "", theirs, ours / max(theirs, 1e-9))


def _seen(server: Server, visit: Visit, seconds: float, lua: Path) -> Sample:
    """Visits for so long; p99 is that of one request."""
    if len(visit.paths) == 1:
        return load(server, seconds, GZIP, path=visit.paths[0].removeprefix("/"))
    lua.write_text(CYCLE % ", ".join(json.dumps(path) for path in visit.paths))
    found = load(server, seconds, GZIP, lua=lua)
    many = len(visit.paths)
    return harness.Sample(found.rate / many, found.cpu_us * many, found.p99_ms)


def _visits(program: Program) -> tuple[Visit, Visit]:
    """All that must be asked for to see the statuses, first and with the scripts kept."""
    # Older versions do not have every call.
    calls = [path for path in program.calls if got(program.port, path)[0] == 200]
    scripts = SCRIPT.findall(got(program.port, program.page)[1]) if calls else []
    if calls and not scripts:
        raise PeerError(f"{program.name}: its page names no script")
    again = _visit(program.name, program.port, [program.page, *calls])
    return Visit([program.page, *scripts, *calls], again.size + sum(got(program.port, s)[2] for s in scripts)), again


def _visit(name: str, port: int, paths: list[str]) -> Visit:
    """What these requests bring, and they bring all nodes."""
    answers = [got(port, path) for path in paths]
    text = "".join(answer[1] for answer in answers)
    absent = sum(not re.search(rf"The node-{n}\b", text) for n in range(NODES))
    if absent:
        raise PeerError(f"{name}: its page lacks {absent} of {NODES} nodes")
    return Visit(paths, sum(answer[2] for answer in answers))


@contextmanager
def _running(program: Program, page: str) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """The program with all its threads on the first core, and the seconds to its first page."""
    with harness.folder() as own:
        output = own / "output"
        began = time.perf_counter()
        with (
            output.open("w") as out,
            harness.running(
                program.command,
                0,
                cwd=program.folder or own,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(own)} | program.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: harness.pin(0, 0),
            ) as process,
        ):
            try:
                _wait(program, process, lambda: configs.served(program.port, page), PAGE_SECONDS, "serve its page")
                yield process, time.perf_counter() - began
            except PeerError as error:
                said = output.read_text(errors="replace").strip().splitlines()[-5:]
                raise PeerError("\n".join([str(error), *said])) from None


def _wait(
    program: Program, process: subprocess.Popen[str], done: Callable[[], bool], seconds: float, what: str
) -> None:
    """Wait until it does that; say so when it ends before, or does not in time."""
    who = f"{program.name} ({program.command[0]})"
    until = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise PeerError(f"{who} ended with {process.returncode} and did not {what}")
        try:
            if done():
                return
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError):
            # Whatever another program answers there, it is not what was asked for.
            pass
        if time.monotonic() > until:
            raise PeerError(f"{who} did not {what} within {seconds:.0f} s")
        time.sleep(0.02)


def _server(name: str, pid: int, port: int) -> Server:
    return Server(name, pid, f"http://127.0.0.1:{port}/")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
