"""Scripts: exit codes, output, and nothing that is left running."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from crisp_status.net import tools as net_tools
from crisp_status.probes.script import check
from tests.probes.servers import looked


async def ran(script: str, **given):
    return await looked(script, "script", **given)


@pytest.mark.parametrize(
    ("script", "outcome", "text"),
    [
        ("echo fine; exit 0", "healthy", ""),
        ("echo so so; exit 1", "sick", "so so"),
        ("exit 1", "sick", "exit code 1"),
        ("echo bad >&2; exit 2", "dead", "exit code 2: bad"),
        ("exit 250", "dead", "exit code 250"),
        ("kill -9 $$", "dead", "killed by signal 9 (SIGKILL)"),
        ("no-such-command-here", "dead", "exit code 127: "),
        ("echo \0", "dead", "a NUL stands in the script"),
        ('#!/bin/sh "x\necho', "dead", "the first line of the script cannot be read: no closing quotation"),
        ("#!/no/such/interpreter\n", "dead", "/no/such/interpreter could not be run: No such file or directory"),
    ],
)
async def test_the_exit_code_decides(script: str, outcome: str, text: str) -> None:
    """0, 1, anything else; what was printed is the reason."""
    seen = await ran(script)

    assert seen.outcome == outcome
    assert seen.reason.text.startswith(text)


async def test_a_slow_script_is_not_sick() -> None:
    """It may take its time up to the timeout."""
    assert (await ran("sleep 0.1", delay_sick=0.05)).outcome == "healthy"


async def test_an_interpreter_may_be_named() -> None:
    """`#!` with arguments, run without needing the right to execute."""
    seen = await ran("#!/usr/bin/env -S python3 -I\nimport sys\nprint(sys.flags.isolated)\nsys.exit(1)")

    assert (seen.outcome, seen.reason.text) == ("sick", "1")


async def test_much_output_is_cut_and_does_not_hold_it_up() -> None:
    """The first 4 kB of megabytes."""
    seen = await ran("head -c 3000000 /dev/zero | tr '\\0' x; exit 1")

    assert (seen.outcome, len(seen.reason.text)) == ("sick", 4096)


async def test_output_without_end_leaves_the_processor_to_others() -> None:
    """What nobody keeps is read now and then: this process and the script sleep in between."""
    began = time.process_time()
    seen = await ran("yes", delay_dead=1.0)

    assert seen.outcome == "dead"
    assert time.process_time() - began < 0.8, "it was busy for as long as it waited"


@pytest.mark.parametrize("script", ["", " ", "#!/bin/sh 'x", "a\0b", "#!/bin/sh " + "x" * 1_000_000])
def test_a_script_that_cannot_be_one(script: str) -> None:
    """Told when the configuration is read."""
    with pytest.raises(ValueError, match=r"script"):
        check(script)


async def test_control_characters_do_not_reach_the_terminal() -> None:
    """Nor does broken UTF-8 do harm."""
    seen = await ran("printf '\\033[2Jred\\377\\n'; exit 1")

    assert seen.reason.text == "[2Jred\ufffd"


async def test_it_is_killed_at_the_timeout_with_all_its_children(tmp_path: Path) -> None:
    """Grandchildren too: nothing writes the file afterwards. The last words stand in the reason."""
    late = tmp_path / "late"
    began = time.monotonic()
    seen = await ran(f"echo working; (sleep 2; touch {late}) & sleep 300", delay_dead=1.0)

    assert time.monotonic() - began < 60
    assert seen.reason.text == "the script did not end (it said: working) within 1 s"
    await asyncio.sleep(2)
    assert not late.exists()


async def test_what_it_leaves_in_the_background_is_ended(tmp_path: Path) -> None:
    """A healthy script cannot pile up processes; its open output does not hold the look for long."""
    late = tmp_path / "late"
    seen = await ran(f"(sleep 1; touch {late}) & echo started; exit 1")

    assert (seen.outcome, seen.reason.text) == ("sick", "started")
    await asyncio.sleep(0.7)
    assert not late.exists()


async def test_secrets_of_ours_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens in our environment and the socket of the service manager stay with us; other variables go on."""
    monkeypatch.setenv("CRISP_STATUS_MANAGER_TOKEN", "s3cret")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("PGPASSWORD", "theirs")
    seen = await ran('echo "$CRISP_STATUS_MANAGER_TOKEN:$NOTIFY_SOCKET:$PGPASSWORD"; exit 1')

    assert seen.reason.text == "::theirs"


async def test_no_more_than_so_many_run_at_once(shared: net_tools.Tools) -> None:
    """The last waits for its turn longer than it may take, and its waiting does not count."""
    assert shared.limits["scripts"]._value == 2
    shared.limits["scripts"] = asyncio.Semaphore(1)
    began = time.monotonic()
    seen = await asyncio.gather(*(ran("sleep 0.2", delay_dead=0.7) for _ in range(4)))

    assert [look.outcome for look in seen] == ["healthy"] * 4
    assert time.monotonic() - began >= 0.8


async def test_no_descriptor_is_left_open() -> None:
    """Pipes are closed whatever happens."""
    await ran("true")
    before = len(os.listdir("/proc/self/fd"))
    for script in ("true", "exit 3", "sleep 5", "#!/no/such\n"):
        await ran(script, delay_dead=0.1)

    assert len(os.listdir("/proc/self/fd")) == before
