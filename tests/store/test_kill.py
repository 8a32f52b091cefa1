"""The real thing: a process that writes to a real folder is killed without warning, again and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

from crisp_status.store.state_folder import StateFolder, read_only
from tests.store.worlds import ids_of

WRITER = """
import sys, threading
from pathlib import Path
from tests.store.worlds import event, ids_of, state_of
from crisp_status.store.state_folder import StateFolder
store = StateFolder(Path(sys.argv[1]), 100)
ids = ids_of(store.open())
print(len(ids), flush=True)
while True:
    for _ in range(3):
        ids.append(str(len(ids) + 1))
        store.append([event(len(ids))])
        store.sync()
        print(len(ids), flush=True)
    snapshot = store.begin_snapshot()
    state = store.encode(state_of(ids))
    threading.Thread(target=snapshot.write, args=(state,)).start()
"""


def test_sigkill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path):
    """Snapshots are written in a thread beside; each start finds all that the one before had acknowledged."""
    folder = tmp_path / "state"
    dice = Random(1)
    acknowledged = 0
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as writer:
            assert writer.stdout is not None
            for _ in range(dice.randrange(2, 60)):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            for line in writer.stdout:
                acknowledged = int(line) if line.endswith(b"\n") else acknowledged

        found = read_only(folder)

        ids = ids_of(found)
        assert len(ids) >= acknowledged
        assert ids == [str(number) for number in range(1, len(ids) + 1)]
    store = StateFolder(folder)
    assert store.open().notes == []
    store.close()
