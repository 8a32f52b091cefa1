"""Stories of the store in a real folder."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import pytest
from structlog.testing import capture_logs

from benchmarks.states import big_state
from crisp_status.core.events import Announced, Observed, Planned, Withdrawn
from crisp_status.core.model import STATE_VERSION, Announcement, Health, Reason, ReasonCode, Silence, State
from crisp_status.core.policy import NodePlan, Plan, ServicePlan
from crisp_status.store import StoreBusy, StoreError, StoreTrouble, UnstorableError, journal, state_folder
from crisp_status.store.codec import encode_event
from crisp_status.store.disk import RealDisk
from crisp_status.store.state_folder import StateFolder, read_only
from tests.disk import FakeDisk
from tests.store.worlds import SPACE, Life, event, ids_of, refuse, scenario, state_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "state"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_there_after_a_restart(folder: Path):
    """A first start knows nothing; events and a snapshot come back as they were, numbered without a gap."""
    plan = Plan(services=(ServicePlan("web", "Web", (NodePlan("web", "home", "Home", "poll"),)),))
    written = [
        Planned(at=1.5, plan=plan, fresh=True),
        Observed(
            at=2.25,
            node="web/home",
            replica="https://a.example/?q=\"ü\n\u2028'",
            health=Health.DEAD,
            since=1.1,
            reason=Reason(ReasonCode.STATUS, 'it said "no"\n', "503"),
        ),
        Announced(at=3.0, announcement=Announcement("a", "Work")),
    ]
    store = StateFolder(folder)
    first = store.open()
    store.append(written[:2])
    store.sync()
    snapshot = store.begin_snapshot()
    state = State(plan=plan, at=2.25, health=Health.DEAD)
    snapshot.write(store.encode(state))
    store.append(written[2:])
    store.close()

    assert (first.state, first.events, first.notes) == (None, [], [])

    again = StateFolder(folder)
    found = again.open()

    assert found.state == state
    assert found.events == [(3, written[2])]
    assert again.sequence == 4
    assert found.notes == []
    assert names(folder) == [
        "journal-0000000000000001.jsonl",
        "journal-0000000000000003.jsonl",
        "lock",
        "snapshot-0000000000000003.json",
    ]
    again.close()


def test_a_big_state_goes_through_a_real_folder(folder: Path):
    """Megabytes in many chunks, written in slices."""
    state = big_state(4000, days=3)
    store = StateFolder(folder)
    store.open()
    store.begin_snapshot().write(store.encode(state))
    store.close()

    assert read_only(folder).state == state


def test_the_files_can_be_read_by_people(folder: Path):
    """Each line of a journal is JSON; a snapshot is a line about itself and then the state."""
    store = StateFolder(folder)
    store.open()
    store.append([event(1)])
    store.begin_snapshot().write(store.encode(State(at=1.0)))
    store.close()

    head, line = (folder / "journal-0000000000000001.jsonl").read_bytes().splitlines()
    about, state = (folder / "snapshot-0000000000000002.json").read_bytes().splitlines()

    assert msgspec.json.decode(head) == {
        "format": "crisp-status journal",
        "version": STATE_VERSION,
        "first": 1,
        "by": "0.1.0",
        "c": msgspec.json.decode(head)["c"],
    }
    assert (
        line == b'{"n":1,"c":"%b","e":{"type":"Withdrawn","id":"1","at":1.0}}' % msgspec.json.decode(line)["c"].encode()
    )
    assert msgspec.json.decode(about)["next"] == 2
    assert msgspec.json.decode(state)["at"] == 1.0


def test_only_its_owner_can_read_the_state(folder: Path):
    """Folder 0700, files 0600, whatever the umask; a folder that is open to others is told, not changed."""
    store = StateFolder(folder)
    before = os.umask(0)
    try:
        store.open()
        store.append([event(1)])
        store.begin_snapshot().write(store.encode(State()))
    finally:
        os.umask(before)
    store.close()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

    folder.chmod(0o755)
    store = StateFolder(folder)
    assert store.open().notes == [f"{folder}: other users can look into this folder; chmod 700 it"]
    store.close()


def test_two_generations_are_kept(folder: Path):
    """Older ones go when a snapshot is durable; the folder does not grow."""
    store = StateFolder(folder)
    store.open()
    for number in range(1, 6):
        store.append([event(number)])
        store.begin_snapshot().write(store.encode(state_of([str(n) for n in range(1, number + 1)])))
    store.close()

    assert names(folder) == [
        "journal-0000000000000005.jsonl",
        "journal-0000000000000006.jsonl",
        "lock",
        "snapshot-0000000000000005.json",
        "snapshot-0000000000000006.json",
    ]
    assert ids_of(read_only(folder)) == ["1", "2", "3", "4", "5"]


def hold(folder: str, ready: object, done: object) -> None:
    StateFolder(Path(folder)).open()
    ready.set()
    done.wait(20)


def test_a_second_daemon_is_refused(folder: Path):
    """Two processes, one folder: the second is told who has it; when the first is killed, the next gets it."""
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    first = spawn.Process(target=hold, args=(str(folder), ready, done))
    first.start()
    assert ready.wait(20)

    sentence = refuse(StateFolder(folder).open, StoreBusy)
    assert sentence == (
        f"{folder}: in use by a running crisp-status (process {first.pid}); stop that one first, or give this one "
        "a folder of its own in server.state"
    )
    assert read_only(folder).events == []

    first.kill()
    first.join(20)
    store = StateFolder(folder)
    assert store.open().notes == []
    store.close()


def test_a_second_store_in_one_process_is_refused_too(folder: Path):
    """And closing twice is nothing."""
    store = StateFolder(folder)
    store.open()

    assert "in use" in refuse(StateFolder(folder).open, StoreBusy)

    store.close()
    store.close()
    StateFolder(folder).open()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path):
    """Also when the file is on the way to it."""
    (tmp_path / "file").write_text("precious")

    for path in (tmp_path / "file", tmp_path / "file" / "state"):
        assert refuse(StateFolder(path).open, StoreError).startswith(
            f"{path}: the state cannot be kept here: a folder is expected there"
        )
    assert (tmp_path / "file").read_text() == "precious"


def test_a_folder_that_nobody_may_write_is_refused():
    """The kernel's own folder takes files from nobody, not even from root."""
    sentence = refuse(StateFolder(Path("/sys/kernel/crisp-status")).open, StoreError)

    assert sentence.startswith("/sys/kernel/crisp-status: the state cannot be kept here: no permission for user")


CANNOT = {
    "create 30": "the file system is read-only; mount it writable or choose another folder in server.state",
    "create 13": "no permission for user",
    "write 28": "the disk is full; make room",
    "write 122": "the disk quota is used up; make room",
    "names 13": "no permission for user",
}


@pytest.mark.parametrize("fault", CANNOT)
def test_a_first_start_on_a_disk_that_cannot_be_used_is_refused(fault: str):
    """Read-only, full or forbidden, and nothing to serve: a sentence that says what to do, and no trace."""
    operation, number = fault.split()
    disk = FakeDisk()
    disk.errors = {operation: int(number)}

    sentence = refuse(StateFolder(disk, SPACE).open, StoreError)

    assert sentence.startswith(f"/fake: the state cannot be kept here: {CANNOT[fault]}")
    assert not disk.held
    assert disk.entries.keys() <= {"probe.tmp"}
    disk.errors = {}
    assert StateFolder(disk, SPACE).open().notes == []


@pytest.mark.parametrize("fault", CANNOT)
def test_a_later_start_serves_what_it_knows(fault: str):
    """What a machine comes to by itself keeps no page away; what somebody set up wrongly is refused, and nothing changed."""
    operation, number = fault.split()
    disk = FakeDisk()
    life = Life(disk)
    scenario(life)
    before = disk.files()
    disk.errors = {operation: int(number)}
    store = StateFolder(disk, SPACE)

    if number == "13":
        sentence = refuse(store.open, StoreError)
        assert sentence.startswith(f"/fake: the state cannot be kept here: {CANNOT[fault]}")
        assert not disk.held
    else:
        found = store.open()
        assert ids_of(found) == life.taken
        assert found.notes == [
            f"/fake: {CANNOT[fault]}; what is known is served, and what happens is kept in memory until it can be saved"
        ]
        store.close()

    assert {name: data for name, data in disk.files().items() if name != "probe.tmp"} == before
    disk.errors = {}
    assert StateFolder(disk, SPACE).open().notes == []


def test_bad_sectors_are_told():
    """One snapshot that the disk cannot read is taken from the older generation; if none can be read, it is refused."""
    disk = FakeDisk()
    scenario(Life(disk))
    disk.errors = {"read": 5}

    sentence = refuse(StateFolder(disk, SPACE).open, StoreError)

    assert sentence.count("the disk reports an input/output error") == 2


def test_a_file_is_closed_once_also_when_that_fails(folder: Path):
    """Its number may be another file's by then."""
    disk = RealDisk(folder)
    disk.make()
    file = disk.create("file")
    spare = os.open(os.devnull, os.O_RDONLY)
    number = file._fd
    os.close(number)
    refuse(file.close, OSError)
    assert os.dup2(spare, number) == number

    file.close()

    os.fstat(number)
    os.close(number)
    os.close(spare)


def test_a_file_beyond_all_measure_is_not_read(folder: Path):
    """Terabytes of nothing instead of a journal: refused before the memory is full."""
    folder.mkdir(mode=0o700, parents=True)
    with (folder / FIRST).open("wb") as file:
        file.truncate(1 << 42)

    assert "a file is larger than allowed" in refuse(StateFolder(folder).open, StoreError)


def test_an_unreadable_journal_is_refused():
    """It has no double: the sentence names it, nothing is changed, and when the disk reads again all is there."""
    disk = disk_of(3)
    before = disk.files()
    disk.errors = {"read": 5}

    sentence = refuse(StateFolder(disk, SPACE).open, StoreTrouble)

    assert sentence.startswith(f"/fake/{FIRST}: what happened since the last snapshot cannot be read: the disk reports")
    assert (disk.files(), disk.held) == (before, False)
    disk.errors = {}
    assert ids_of(StateFolder(disk, SPACE).open()) == ["1", "2", "3"]


def torn_disk() -> tuple[FakeDisk, Life]:
    """A life that ended in half a line, beside what a snapshot left."""
    disk = FakeDisk()
    life = Life(disk)
    scenario(life)
    torn = max(name for name in disk.entries if name.startswith("journal"))
    return FakeDisk({**disk.files(), torn: disk.files()[torn] + b"torn", "old.tmp": b""}), life


@pytest.mark.parametrize("operation", ["make", "names", "read", "lock"])
@pytest.mark.parametrize("number", [5, 24, 13])
def test_a_start_that_cannot_read_is_refused(operation: str, number: int):
    """Bad sectors, too many files, no permission: nothing is changed, and the next start has everything."""
    disk, life = torn_disk()
    before = disk.files()
    disk.errors = {operation: number}

    sentence = refuse(StateFolder(disk, SPACE).open, StoreError if number == 13 else StoreTrouble)

    assert sentence.startswith("/fake: ")
    assert (disk.files(), disk.held) == (before, False)
    if operation in {"names", "read"}:
        assert refuse(lambda: read_only(disk), StoreError).startswith("/fake: ")
    disk.errors = {}
    assert ids_of(StateFolder(disk, SPACE).open()) == life.taken


@pytest.mark.parametrize(
    "operation", ["create", "open", "write", "truncate", "fsync", "close", "rename", "remove", "fsync_folder"]
)
def test_a_disk_that_breaks_during_the_start_is_waited_for(operation: str):
    """At each operation that writes: what is known is there at once, what happens is refused until the disk works."""
    disk, life = torn_disk()
    disk.errors = {operation: 5}
    store = StateFolder(disk, SPACE)
    found = store.open()

    assert ids_of(found) == life.taken
    assert any("the disk reports an input/output error" in note for note in found.notes)
    assert (store.sequence, store.journal_bytes) == (len(life.taken) + 1, 0)
    new = event(len(life.taken) + 1, "new")
    for _ in range(20):
        with suppress(StoreTrouble):
            store.sync()
        refuse(lambda: store.append([new]), StoreTrouble)
        refuse(store.begin_snapshot, StoreTrouble)

    assert len(disk.entries) <= 7, "what is kept aside is kept once"
    disk.errors = {}
    store.append([new])
    store.sync()
    store.close()
    assert [name for name in disk.entries if "broken" in name] == ["journal.broken-1"]
    assert disk.files()["journal.broken-1"] == b"torn"
    assert ids_of(StateFolder(disk.after_crash(Random(1)), SPACE).open()) == [*life.taken, new.id]


def test_what_was_kept_aside_late_is_told():
    """In the log, because the start is over."""
    disk, _ = torn_disk()
    disk.room = 0
    store = StateFolder(disk, SPACE)
    store.open()
    disk.room = 1 << 40

    with capture_logs() as said:
        store.append([])

    assert [line["event"] for line in said] == [f"the end of {journal.name_of(12)} is now in journal.broken-1"]


def test_a_read_only_folder_is_served(folder: Path):
    """The kernel does that to a failing disk. What is known is served, and a second daemon is still kept out."""
    store = StateFolder(folder)
    store.open()
    store.append([event(1)])
    store.close()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$1"',
         "sh", str(folder), sys.executable, READ_ONLY], capture_output=True, text=True, check=False, timeout=30)  # fmt: skip
    if done.returncode == 1 and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip("this machine lets nobody mount")

    assert done.stdout.splitlines() == ["1", "in use", "the file system is read-only"], done.stderr


READ_ONLY = """
import sys
from pathlib import Path
from crisp_status.store import StoreBusy, StoreTrouble
from crisp_status.store.state_folder import StateFolder
store = StateFolder(Path(sys.argv[1]))
print(len(store.open().events))
try:
    StateFolder(Path(sys.argv[1])).open()
except StoreBusy:
    print("in use")
try:
    store.append([])
except StoreTrouble as trouble:
    print(str(trouble).split(": ")[2].split(";")[0])
"""


def test_a_full_disk_is_told_at_the_start(folder: Path):
    """There is room for the lock, but not for work."""
    disk = FakeDisk(room=10_000)

    assert "the disk is full; make room" in refuse(StateFolder(disk).open, StoreError)
    assert "probe.tmp" not in disk.entries


LIMITED = """
import resource, sys
from pathlib import Path
from crisp_status.core.events import Withdrawn
from crisp_status.store import StoreTrouble
from crisp_status.store.state_folder import StateFolder
store = StateFolder(Path(sys.argv[1]), 100)
store.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
count = 0
try:
    while True:
        store.append([Withdrawn(at=1.0, id=str(count + 1))])
        count += 1
except StoreTrouble as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.append([Withdrawn(at=1.0, id=str(count + 1))])
store.sync()
print(count + 1)
"""


def test_the_system_stops_a_write_in_the_middle(folder: Path):
    """A real short write: the line that did not fit is gone whole, and comes whole when there is room."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)], capture_output=True, text=True, check=True, timeout=30
    )
    sentence, count = done.stdout.splitlines()

    assert "a file is larger than allowed" in sentence
    found = StateFolder(folder).open()
    assert found.notes == []
    assert len(found.events) == int(count)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_torn_line_is_cut_off_and_told(folder: Path):
    """The end of the journal is half a line: it is kept aside, told, and the next event goes in its place."""
    store = StateFolder(folder)
    store.open()
    store.append([event(1), event(2)])
    store.close()
    path = folder / "journal-0000000000000001.jsonl"
    path.write_bytes(path.read_bytes()[:-5])

    store = StateFolder(folder)
    found = store.open()

    assert ids_of(found) == ["1"]
    assert found.notes == [
        "journal-0000000000000001.jsonl: its last 61 bytes were half written; they were cut off and kept aside",
        "the end of journal-0000000000000001.jsonl is now in journal.broken-1",
    ]
    assert (folder / "journal.broken-1").read_bytes().startswith(b'{"n":2,')
    store.append([event(2, "again")])
    store.close()
    assert ids_of(read_only(folder)) == ["1", "2again"]


def disk_of(count: int, snapshots: tuple[int, ...] = ()) -> FakeDisk:
    """A disk with so many events, and snapshots after some of them, whose older generations are all kept."""
    disk = FakeDisk()
    kept: dict[str, bytes] = {}
    store = StateFolder(disk, SPACE)
    store.open()
    for number in range(1, count + 1):
        store.append([event(number)])
        if number in snapshots:
            store.begin_snapshot().write(store.encode(state_of([str(n) for n in range(1, number + 1)])))
            kept = {**kept, **disk.files()}
    store.close()
    return FakeDisk({**kept, **disk.files()})


def edited(disk: FakeDisk, name: str, edit: object) -> FakeDisk:
    return FakeDisk({**disk.files(), name: b"".join(edit(disk.files()[name].splitlines(keepends=True)))})


FIRST = "journal-0000000000000001.jsonl"


def salvaged_of(found):
    return [event.id for event in found.salvaged]


def test_a_line_that_is_missing_or_twice_ends_the_journal():
    """The checksum of each line is right, but their numbers are not. What is whole behind it is taken over, once."""
    for edit, behind in (
        (lambda lines: lines[:2] + lines[3:], ["4"]),
        (lambda lines: lines[:2] + lines[1:], ["2", "3", "4"]),
    ):
        found = StateFolder(edited(disk_of(4), FIRST, edit), SPACE).open()

        assert ids_of(found) == ["1"]
        assert salvaged_of(found) == behind
        assert found.notes[0].startswith(f"{FIRST}: event 2 is damaged; ")


def test_behind_a_damaged_line_in_the_middle_it_goes_on():
    """Each line proves itself by number and checksum. It is said, and nothing is thrown away."""
    disk = edited(disk_of(4), FIRST, lambda lines: [*lines[:2], lines[2].replace(b'"2"', b'"9"'), *lines[3:]])

    found = StateFolder(disk, SPACE).open()

    assert ids_of(found) == ["1"]
    assert salvaged_of(found) == ["3", "4"]
    assert found.notes[0] == f"{FIRST}: event 2 is damaged; 2 events behind it are taken over"
    assert disk.files()["journal.broken-1"].count(b"\n") == 3


def test_a_journal_without_its_first_line_is_kept_aside():
    """Nobody knows in which format it is."""
    disk = edited(disk_of(4, snapshots=(2,)), "journal-0000000000000003.jsonl", lambda lines: [b"{}\n", *lines[1:]])

    found = StateFolder(disk, SPACE).open()

    assert ids_of(found) == ["1", "2"]
    assert found.notes[0] == (
        "journal-0000000000000003.jsonl: its first line is damaged; 2 events in it cannot be used and are kept aside"
    )


def test_an_event_behind_a_damaged_first_line_is_not_thrown_away():
    """One line in the file, its line end gone with the first: it looks like one that was never begun, and is not."""
    disk = disk_of(1)
    data = disk.files()[FIRST]
    disk = FakeDisk({FIRST: data.replace(b"\n", b" ", 1)})

    found = StateFolder(disk, SPACE).open()

    assert found.notes == [
        f"{FIRST}: its first line is damaged; it is kept aside",
        f"{FIRST} is now journal.broken-1",
    ]
    assert b'"e":' in disk.files()["journal.broken-1"]


def test_a_start_that_fails_says_what_it_set_aside():
    """The damaged file is moved before the disk refuses; the next start finds an empty folder and nothing to tell of."""
    disk = edited(disk_of(4), FIRST, lambda lines: [b"{}\n", *lines[1:]])
    disk.errors = {"write": errno.EIO}

    sentence = refuse(StateFolder(disk, SPACE).open, StoreTrouble)
    disk.errors = {}

    assert f"; {FIRST}: its first line is damaged; 4 events in it cannot be used and are kept aside" in sentence
    assert StateFolder(disk, SPACE).open().notes == []


def test_journals_behind_a_gap_never_come_back():
    """Kept aside durably before anything new is written: else they could seem to follow it one day."""
    disk = disk_of(4, snapshots=(2,))
    del disk.entries["snapshot-0000000000000003.json"]
    disk = edited(disk, FIRST, lambda lines: lines[:2])
    store = StateFolder(disk, SPACE)
    found = store.open()

    assert ids_of(found) == ["1"]
    assert found.notes == [
        "journal-0000000000000003.jsonl: it does not follow event 1; 2 events behind it are taken over",
        "journal-0000000000000003.jsonl is now journal.broken-1",
    ]
    store.append([event(2, "new")])
    store.sync()
    for seed in range(20):
        assert ids_of(StateFolder(disk.after_crash(Random(seed)), SPACE).open()) == ["1", "2new"]


def test_a_snapshot_restored_beside_an_older_journal_is_taken():
    """The events that are in it already are not replayed; a journal that ends before it is left alone."""
    for count, known in ((6, ["1", "2", "3", "4", "5", "6"]), (2, ["1", "2", "3", "4"])):
        disk = disk_of(count)
        snapshot = "snapshot-0000000000000005.json"
        disk = FakeDisk({**disk.files(), snapshot: disk_of(4, snapshots=(4,)).files()[snapshot]})
        store = StateFolder(disk, SPACE)

        assert ids_of(store.open()) == known

        store.append([event(len(known) + 1)])
        store.close()
        assert ids_of(StateFolder(disk, SPACE).open()) == [*known, str(len(known) + 1)]


def test_a_snapshot_alone_is_enough():
    """A backup of one file is a backup, and what it does not have is said."""
    disk = disk_of(4, snapshots=(4,))
    name = "snapshot-0000000000000005.json"

    found = StateFolder(FakeDisk({name: disk.files()[name]}), SPACE).open()

    assert ids_of(found) == ["1", "2", "3", "4"]
    assert found.notes == [
        f"journal-0000000000000005.jsonl is gone; what happened after {name} was written is not known any more"
    ]


def test_a_store_without_a_beginning_is_refused():
    """No snapshot can be read and the first events are gone: starting with nothing would hide that."""
    disk = disk_of(4, snapshots=(2, 4))
    for name in list(disk.entries):
        if name.startswith("snapshot"):
            disk.entries[name].seen[50] ^= 1
    del disk.entries[FIRST]
    before = disk.files()

    assert "no snapshot can be read and the journals do not reach back" in refuse(
        StateFolder(disk, SPACE).open, StoreError
    )
    assert disk.files() == before


def newer(data: bytes) -> bytes:
    """The same journal, as a program with the next format would have written it."""
    lines = data.splitlines(keepends=True)
    head = msgspec.json.decode(lines[0], type=journal.JournalHeader)
    head.version = STATE_VERSION + 1
    head.by = "9.0.0"
    head.c = journal._header_crc(head.version, head.first, head.by)
    return b"".join([msgspec.json.encode(head) + b"\n", *lines[1:]])


def test_a_newer_format_is_refused_and_left_alone(monkeypatch: pytest.MonkeyPatch):
    """The sentence names both versions; neither file is touched."""
    disk = disk_of(3)
    disk = FakeDisk({FIRST: newer(disk.files()[FIRST])})
    before = disk.files()

    assert refuse(StateFolder(disk, SPACE).open, StoreError) == (
        f"/fake/{FIRST}: written by crisp-status 9.0.0 in format {STATE_VERSION + 1}, and this version reads up to "
        f"format {STATE_VERSION}; start that version again, or restore a backup from before the upgrade"
    )
    assert disk.files() == before


def test_an_unknown_event_is_refused_and_left_alone():
    """Same format, but an event that only a later program knows."""
    data = disk_of(1).files()[FIRST] + journal.line(2, b'{"type":"Danced","at":1.0}')
    disk = FakeDisk({FIRST: data})

    sentence = refuse(StateFolder(disk, SPACE).open, StoreError)

    assert sentence.startswith(f"/fake/{FIRST}: event 2, written by crisp-status 0.1.0, is not known to this version")
    assert disk.files() == {FIRST: data}


def test_what_could_not_be_read_back_is_not_written():
    """JSON has no infinity: such an event is refused with its neighbours, and the journal goes on."""
    life = Life(FakeDisk())
    life.open()
    bad = Observed(node="a/b", replica="r", health=Health.DEAD, since=float("inf"))

    for wrong in (
        bad,
        Announced(announcement=Announcement("a", "\ud800")),
        Withdrawn(at=1.0, id=5),
        Withdrawn(at=10**400, id="a"),
    ):
        assert "cannot be written" in refuse(lambda wrong=wrong: life.store.append([event(1), wrong]), UnstorableError)
    assert "the state cannot be written" in refuse(
        lambda: life.store.encode(State(silences={"a": Silence("a", 0.0, 0.0, by="\ud800")})), UnstorableError
    )
    assert "cannot be read back" in refuse(
        lambda: life.store.begin_snapshot().write(life.store.encode(State(at=float("nan")))), UnstorableError
    )
    life.append(1)
    life.store.close()
    life.kill()

    assert life.taken == ["1+1"]


def test_the_word_null_is_no_trouble():
    """Texts may hold it."""
    for text in ("null", ",null,", '[null]:null}"'):
        announced = Announced(announcement=Announcement("a", text))
        assert encode_event(announced)
        store = StateFolder(FakeDisk(), SPACE)
        store.open()
        store.begin_snapshot().write(store.encode(State(announcements={"a": announced.announcement})))


def test_few_files_are_kept_aside():
    """A disk that tears a line at every start does not fill up with torn lines."""
    disk = disk_of(1)
    for _ in range(state_folder.KEPT_BROKEN + 5):
        disk = FakeDisk({**disk.files(), FIRST: disk.files()[FIRST] + b'{"n":'})
        StateFolder(disk, SPACE).open()

    broken = {name for name in disk.entries if "broken" in name}
    assert broken == {f"journal.broken-{n}" for n in range(6, 16)}


def test_a_reader_sees_the_state_of_a_running_daemon(folder: Path):
    """Without the lock, without a trace; no folder is a refusal, not a new folder."""
    store = StateFolder(folder)
    store.open()
    store.append([event(1)])
    before = names(folder)

    assert ids_of(read_only(folder)) == ["1"]
    assert names(folder) == before
    store.close()

    missing = folder / "no"
    assert refuse(lambda: read_only(missing), StoreError).startswith(f"{missing}: there is no state here")
    assert not missing.exists()


def test_a_copy_taken_while_the_daemon_runs_can_be_opened(folder: Path, tmp_path: Path):
    """Plain file copies in any order between other events: a backup needs no tool."""
    import shutil

    store = StateFolder(folder)
    store.open()
    number = 0
    for backup in range(6):
        copy = tmp_path / f"backup-{backup}"
        copy.mkdir(mode=0o700)
        for name in sorted(names(folder), reverse=backup % 2 == 0):
            for _ in range(2):
                number += 1
                store.append([event(number)])
            shutil.copy(folder / name, copy / name)
        ids = ids_of(StateFolder(copy).open())
        assert ids == [str(n) for n in range(1, len(ids) + 1)]
        store.begin_snapshot().write(store.encode(state_of([str(n) for n in range(1, number + 1)])))
    store.close()


def test_a_store_that_is_not_open_says_so(folder: Path):
    """Nothing is created by accident."""
    store = StateFolder(RealDisk(folder))

    assert refuse(lambda: store.append([event(1)]), StoreError) == f"{folder}: the store is not open"
    assert not folder.exists()
    assert not issubclass(StoreTrouble, StoreBusy)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_journal_that_is_missing_is_said(how: str):
    """The snapshot is served, and nobody believes that nothing happened since."""
    disk = FakeDisk()
    store = StateFolder(disk, SPACE)
    store.open()
    store.append([event(1)])
    store.begin_snapshot().write(store.encode(state_of(["1"])))
    store.append([event(2)])
    store.close()
    files = disk.files()
    [last] = [name for name in files if name.startswith("journal-") and name.endswith("2.jsonl")]
    if how == "gone":
        del files[last]
    else:
        files[last] = b""
    found = StateFolder(FakeDisk(files), SPACE).open()

    assert ids_of(found) == ["1"]
    assert any(f"{last} is {how}; what happened after" in note for note in found.notes)
