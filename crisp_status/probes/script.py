"""A script of the operator: exit code 0 is healthy, 1 sick, anything else dead; what it prints is the reason.

The target is the script itself. One that begins with `#!` is run by that interpreter, any other by `/bin/sh`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shlex
import signal
import tempfile
from collections.abc import Iterator

from crisp_status.config.strict import Strict
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.probes import ProbeError, Reading, Unknowable, expect, note

SCHEMES: tuple[str, ...] = ()
LIMIT = "scripts"

LINE_MAX = 4096
"""Characters of a first line; splitting it into words takes the square of that, some ms."""

OUTPUT_MAX = 4096
"""Bytes that are kept as the reason; the rest is read and thrown away, so that the script is not held up."""

OUTPUT_PAUSE = 0.005
"""Seconds between two reads of what is thrown away: 13 MB a second, and one that prints without end costs no core."""

OUTPUT_WAIT = 0.5
"""Seconds for the last words after the script has ended; something it left behind may keep its output open."""

END_WAIT = 1.0
"""Seconds for the kernel to end a killed script; one stuck in the kernel is left to it."""

PRIVATE = ("CRISP_STATUS_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY", "MAINPID")
"""Variables that are between us and our service manager, or secrets of the configuration: not for scripts."""

NOT_OURS = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.E2BIG}
"""Reasons for not starting that lie in the script or its interpreter."""


class Options(Strict):
    """A script has no options of its own; `[script]` has interval and timeout."""


def check(target: str) -> None:
    """A `ValueError` when there is nothing to run."""
    if not target.strip():
        raise ValueError("the script is empty")
    if "\0" in target:
        raise ValueError("a NUL stands in the script")
    _interpreter(target)


async def probe(target: str, options: Options) -> Reading:
    """Run it in a process group of its own, which does not outlive this look."""
    expect("the script did not end")
    with _command(target) as command, _pipe() as (source, sink):
        process = await _start(command, sink)
        said = _ScriptOutput(source)
        try:
            code = await process.wait()
            await said.finished()
        except asyncio.CancelledError:
            expect(f"the script did not end (it said: {said})" if said else "the script did not end")
            raise
        finally:
            said.close()
            await _end(process)
    text = str(said)
    note("exit code {exit}: {output}", exit=code, output=text)
    if code == 0:
        return Reading(timed=False)
    if code == 1:
        return Reading(Health.SICK, Reason(ReasonCode.EXIT, text or "exit code 1", "1"), timed=False)
    ended = f"exit code {code}" if code > 0 else f"killed by signal {-code} ({_signal(-code)})"
    raise ProbeError(ReasonCode.EXIT, f"{ended}: {text}" if text else ended, str(code))


def _interpreter(script: str) -> list[str]:
    """What the first line names, with its arguments; a `ValueError` when that cannot be read."""
    if not script.startswith("#!"):
        return []
    line = script.splitlines()[0]
    if len(line) > LINE_MAX:
        raise ValueError("the first line of the script is too long")
    try:
        return shlex.split(line[2:])
    except ValueError as error:
        raise ValueError(f"the first line of the script cannot be read: {error}".lower()) from None


@contextlib.contextmanager
def _command(script: str) -> Iterator[list[str]]:
    try:
        check(script)
    except ValueError as error:  # of a list that comes from elsewhere
        raise ProbeError(ReasonCode.EXIT, str(error)) from None
    if not script.startswith("#!"):
        yield ["/bin/sh", "-c", script]
        return
    # Given to its interpreter by name, so that a /tmp without the right to execute does not matter.
    try:
        file = tempfile.NamedTemporaryFile("w", prefix="crisp-status-", encoding="utf-8")  # noqa: SIM115 - below
    except OSError as error:
        raise Unknowable(f"the script could not be written to a file: {error}") from None
    with file:
        file.write(script)
        file.flush()
        yield [*_interpreter(script), file.name]


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe of our own: unlike that of asyncio it can be left although something the script left still holds it."""
    try:
        source, sink = os.pipe()
    except OSError as error:
        raise Unknowable(f"the script could not be started: {error.strerror}") from None
    try:
        yield source, sink
    finally:
        os.close(source)


async def _start(command: list[str], output: int) -> asyncio.subprocess.Process:
    """Start it; `output` is its alone from then on."""
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)},
        )
    except OSError as error:
        if error.errno in NOT_OURS:
            raise ProbeError(ReasonCode.EXIT, f"{command[0]} could not be run: {error.strerror}") from None
        raise Unknowable(f"the script could not be started: {error.strerror}") from None
    finally:
        os.close(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End everything that the script started and left in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await asyncio.wait((asyncio.ensure_future(process.wait()),), timeout=END_WAIT)


class _ScriptOutput:
    """What the script says: its first `OUTPUT_MAX` bytes are kept."""

    def __init__(self, source: int) -> None:
        self._kept = b""
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._pause: asyncio.TimerHandle | None = None
        os.set_blocking(source, False)
        self._listen()

    def _listen(self) -> None:
        self._loop.add_reader(self._source, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._source, 65_536)
        except BlockingIOError:
            return
        self._kept += chunk[: OUTPUT_MAX - len(self._kept)]
        if not chunk:
            self._loop.remove_reader(self._source)
            self._ended.set()
        elif len(self._kept) == OUTPUT_MAX:
            self._loop.remove_reader(self._source)
            self._pause = self._loop.call_later(OUTPUT_PAUSE, self._listen)

    async def finished(self) -> None:
        """Wait a little for the last words."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTPUT_WAIT):
                await self._ended.wait()

    def close(self) -> None:
        """Stop listening."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._source)

    def __bool__(self) -> bool:
        return bool(str(self))

    def __str__(self) -> str:
        text = self._kept.decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in text).strip()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
