"""How a start is refused: one sentence for people, exit code 2, and nothing damaged. Real processes where it matters.

What may pass by itself keeps no page away where something is known, and ends with 1 where nothing is.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from crisp_status import cli, kinds
from crisp_status.app import App, life
from crisp_status.app.daemon import Host
from crisp_status.config.load import load
from crisp_status.core.events import Planned, Withdrawn
from crisp_status.engine import EngineTrouble
from crisp_status.store.file_store import FileStore
from crisp_status.store.state_folder import StateFolder, read_only
from tests import house
from tests.disk import FakeDisk

CONFIG = """
[page]
name = "Acme"
url = "http://127.0.0.1:1/"
[server]
listen = ["127.0.0.1:0"]
state = "state"
"""

NOBODY = 65534

PUSH = '[[operators]]\nid = "jane"\nname = "Jane"\n[[notifiers]]\ntype = "push"\noperators = ["jane"]\n'


@pytest.fixture
def folder(tmp_path):
    """A folder where a daemon has worked before; its configuration is fine."""
    (tmp_path / "config.toml").write_text(CONFIG)
    state = tmp_path / "state"
    state.mkdir(0o700)
    once(tmp_path)
    return tmp_path


def once(folder):
    """A daemon that starts and stops, without a process."""

    async def live():
        app = App(load(folder / "config.toml", kinds.rooms(), {}))
        await app.start()
        life.introduce(app)
        await app.stop()

    asyncio.run(live())


def contents(folder):
    """Every file with its bytes and mode; the lock holds the number of whoever looked last."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if path.name != "lock"
    }


@pytest.fixture
def refused(folder, capfd):
    """Start it in this process: it must be refused with 2 and leave all as it was. Gives what it said."""

    def start(as_whom=contextlib.nullcontext):
        before = contents(folder)
        capfd.readouterr()
        with as_whom():
            code = cli._run(["run", "-c", str(folder / "config.toml")])
        out, err = capfd.readouterr()
        assert code == 2, err
        assert out == ""
        assert "Traceback" not in err
        assert "fault of ours" not in err
        assert contents(folder) == before
        return err.replace(str(folder), "…").strip()

    return start


@pytest.fixture
def nobody(folder):
    """A user who may do nothing, where we are root, who may do everything. The program is loaded already."""

    @contextlib.contextmanager
    def being():
        if os.geteuid() != 0:
            yield
            return
        for parent in folder.parents[:4]:  # one more for each worker of a parallel run
            parent.chmod(parent.stat().st_mode | 0o011)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return being


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[page\nname = 1", "config.toml:1:6: "),
        ('[page]\nname = "A"\nurl = 5\n', "page.url: "),
        ('[page]\nname = ["A"]\nurl = "http://x/"\n[server]\nlisten = "8080"\n', "server.listen: "),
        ("\x00\x01\x02", "config.toml:1:1: "),
        ("", "page: is missing"),
    ],
)
def test_a_broken_configuration(refused, folder, text, words):
    """What is no TOML, or has values of the wrong type, is told with its place."""
    (folder / "config.toml").write_text(text)

    assert words in refused()


def test_a_configuration_of_fifty_megabytes(refused, folder):
    """It is not read into the memory first."""
    with (folder / "config.toml").open("wb") as file:
        file.truncate(50 * 2**20)

    assert "config.toml: is larger than 16 MB" in refused()


def test_a_configuration_that_is_a_folder(refused, folder):
    """A folder is no file."""
    (folder / "config.toml").unlink()
    (folder / "config.toml").mkdir()

    assert refused() == "…/config.toml: is a folder; expected a TOML file"


def test_a_configuration_that_is_not_there(refused, folder):
    """A wrong path is told as that."""
    (folder / "config.toml").unlink()

    assert refused().startswith("…/config.toml: ")


def test_a_configuration_that_may_not_be_read(refused, folder, nobody):
    """No permission is told as that."""
    folder.chmod(0o755)
    (folder / "config.toml").chmod(0)

    assert (
        refused(nobody) == "…/config.toml: cannot be read: permission denied; who runs this must be allowed to read it"
    )


def test_a_state_folder_of_somebody_else(refused, folder, nobody):
    """It may not even be looked into."""
    folder.chmod(0o755)
    (folder / "config.toml").chmod(0o644)

    assert "state: the state cannot be kept here: no permission for user" in refused(nobody)


def test_a_state_folder_that_may_only_be_read(refused, folder, nobody):
    """Everything in it can be read, and nothing written."""
    for path in (folder, folder / "state", *(folder / "state").iterdir()):
        path.chmod(0o755)

    assert "state: the state cannot be kept here: no permission for user" in refused(nobody)


def test_a_state_folder_that_cannot_be_made(refused, folder):
    """A file stands where the folder, or one above it, should be; or nobody can make one there."""
    shutil.rmtree(folder / "state")
    (folder / "state").write_text("a file")
    assert "a folder is expected there, and it is a file" in refused()

    (folder / "config.toml").write_text(CONFIG.replace('"state"', '"state/below"'))
    assert "a folder is expected there, and it is a file" in refused()

    (folder / "config.toml").write_text(CONFIG.replace('"state"', '"/proc/state"'))
    assert "/proc/state: the state cannot be kept here" in refused()


def test_a_missing_state_folder_is_made(folder):
    """It is no mistake: a first start makes it, for its user alone."""
    shutil.rmtree(folder / "state")
    once(folder)

    assert (folder / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("link.key", "the key of links in messages cannot be kept: …/state/link.key: Is a directory"),
        ("push-key.pem", "the key of push messages cannot be kept: …/state/push-key.pem: Is a directory"),
        ("lock", "state: the state cannot be kept here: Is a directory"),
    ],
)
def test_a_folder_where_a_file_of_the_state_should_be(refused, folder, name, words):
    """Whatever file it is."""
    (folder / "config.toml").write_text(CONFIG + (PUSH if name.startswith("push") else ""))
    (folder / "state" / name).unlink(missing_ok=True)
    (folder / "state" / name).mkdir()

    assert words in refused()


FILES = ("link.key", "push-key.pem", "lock", "journal-0000000000000001.jsonl")
NOT_FILES = [(name, how) for name in FILES for how in ("link", "pipe", "device") if (name, how) != ("lock", "pipe")]
"""A pipe can be locked as well as a file, and nothing is read from it."""


@pytest.mark.parametrize(("name", "how"), NOT_FILES)
def test_no_file_where_a_file_of_the_state_should_be(refused, folder, name, how):
    """It is neither waited for nor read without end, and what a link leads to stays as it is."""
    victim = folder / "victim"
    victim.write_text("not ours")
    (folder / "config.toml").write_text(CONFIG + (PUSH if name.startswith("push") else ""))
    for old in (folder / "state").glob("[sj]*-*" if name.startswith("journal") else name):
        old.unlink()
    place = folder / "state" / name
    if how == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(victim if how == "link" else "/dev/zero")

    said = refused()
    assert "a symbolic link is where a file is expected; remove the link" in said or "remove it" in said
    assert victim.read_text() == "not ours"


def test_keys_that_others_could_read(folder):
    """They are made private at the next start; a key of another length is replaced by a private one."""
    (folder / "config.toml").write_text(CONFIG + PUSH)
    once(folder)
    keys = [folder / "state" / name for name in ("link.key", "push-key.pem")]
    was = [key.read_bytes() for key in keys]
    for key in keys:
        key.chmod(0o644)
    once(folder)
    assert [key.stat().st_mode & 0o777 for key in keys] == [0o600, 0o600]
    assert [key.read_bytes() for key in keys] == was

    keys[0].write_bytes(b"x" * 5_000_000)
    keys[0].chmod(0o666)
    once(folder)
    assert (keys[0].stat().st_mode & 0o777, keys[0].stat().st_size) == (0o600, 32)


def test_a_broken_key_of_push_messages(refused, folder):
    """It is never replaced, because every device would be lost with it."""
    (folder / "config.toml").write_text(CONFIG + PUSH)
    (folder / "state" / "push-key.pem").write_text("no key")
    (folder / "state" / "push-key.pem").chmod(0o600)

    assert "state/push-key.pem is not a P-256 private key; restore it from a backup" in refused()


def test_a_full_disk_keeps_no_page_away(folder):
    """What is known is served, what is said is refused, and what happened is saved as soon as there is room."""
    state = folder / "state"
    disk = FakeDisk({path.name: path.read_bytes() for path in state.iterdir() if path.is_file()})
    disk.room = 0

    async def live():
        app = App(
            load(folder / "config.toml", kinds.rooms(), {}), host=Host(store=lambda _: FileStore(StateFolder(disk)))
        )
        await app.start()
        life.introduce(app)
        assert "the disk is full; make room" in app.engine.trouble
        host, port = app.bound[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readline()
        writer.close()
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"503" in await reader.readline()
        writer.close()
        with pytest.raises(EngineTrouble, match="the disk is full; make room"):
            await app.engine.commit(Withdrawn(id="work"))
        disk.room = 1 << 40
        await app.stop()
        assert app.engine.trouble == ""

    before = len(read_only(disk).events)
    asyncio.run(live())

    assert isinstance(read_only(disk).events[before][1], Planned)


FULL = """
import resource, sys
from crisp_status import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
sys.exit(cli._run(["run", "-c", sys.argv[1]]))
"""


def without_room(folder):
    """A real process that may write 20 bytes to a file, which is nothing but the lock."""
    return subprocess.Popen(
        [sys.executable, "-c", FULL, str(folder / "config.toml")], stderr=subprocess.PIPE, text=True
    )


def test_a_daemon_without_room_serves_its_page(folder):
    """Also the key that signs links is made anew and kept in memory, when it was lost."""
    (folder / "state" / "link.key").unlink()
    with without_room(folder) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "page is served" in line:
                with socket.create_connection(("127.0.0.1", int(re.search(r"127.0.0.1:([0-9]+)", line)[1]))) as page:
                    page.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert page.recv(15) == b"HTTP/1.1 200 OK"
                process.terminate()

    assert process.returncode == 0
    assert sum("a file is larger than allowed" in line for line in said) >= 3
    assert "the last changes could not be saved" in said[-1]
    once(folder)


def test_a_first_start_without_room_is_tried_again(folder):
    """There is nothing to serve yet: it ends with 1, so that systemd, which takes 2 for a final word, starts it again."""
    shutil.rmtree(folder / "state")
    with without_room(folder) as process:
        said = process.stderr.read()

    assert process.returncode == 1
    assert said.count("\n") == 1
    assert "state: the state cannot be kept here: a file is larger than allowed" in said
    assert [path.name for path in (folder / "state").iterdir()] == ["lock"]


def test_a_state_of_a_newer_version(refused, folder):
    """An older program does not touch it."""
    for path in (folder / "state").iterdir():
        if path.name.startswith(("snapshot", "journal")):
            path.unlink()
    (folder / "state" / "snapshot-0000000000000007.json").write_text("{}")

    assert "no snapshot can be read" in refused()
    assert "nothing in it was changed" in refused()


def test_a_second_daemon_on_the_same_state(refused, folder):
    """It is told which process holds the folder; the first one does not notice."""
    with (folder / "state" / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711\n")
        held.flush()

        said = refused()

    assert "in use by a running crisp-status (process 4711); stop that one first" in said


@pytest.mark.parametrize("key", ["[server]\nlisten", "[metrics]\nenabled = true\nlisten"])
def test_a_port_that_is_in_use(refused, folder, key):
    """The address is named, and the state is as if nothing had been tried."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        if "server" in key:
            config = CONFIG.replace('listen = ["127.0.0.1:0"]', f'listen = ["127.0.0.1:0", "{address}"]')
        else:
            config = CONFIG + f'{key} = "{address}"\n'
        (folder / "config.toml").write_text(config)

        assert refused() == (
            f"crisp-status: cannot listen on {address}: another program listens there; "
            "stop it, or set another port in server.listen"
        )


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("systemd", "it has handed over no socket"),
        ("203.0.113.5:8080", "this machine has no such address"),
        ("unix:/nonexistent/x.sock", "its folder does not exist"),
        ("unix:{folder}/config.toml", "a file that is not a socket is in its place"),
    ],
)
def test_an_address_that_cannot_be_listened_on(refused, folder, listen, words):
    """Each reason has its words."""
    (folder / "config.toml").write_text(CONFIG.replace("127.0.0.1:0", listen.format(folder=folder)))

    assert words in refused()


def test_a_logo_that_went_away_between_check_and_start(folder):
    """A file of [page] that cannot be read any more is a sentence, also for a reload."""
    (folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "config.toml").write_text(CONFIG + '[page.branding]\nheader_logo = "logo.svg"\n')
    config = load(folder / "config.toml", kinds.rooms(), {})
    (folder / "logo.svg").unlink()

    async def start():
        await App(config).start()

    with pytest.raises(Exception, match=r"logo\.svg: a file of \[page\] cannot be read: No such file"):
        asyncio.run(start())


def test_what_a_start_does_not_need_is_imported_later():
    """Libraries of Markdown, recurrence, encryption, mail and tables in a terminal wait until somebody asks for them."""
    code = (
        "import sys; from crisp_status import kinds; from crisp_status.app import life; kinds.rooms();"
        "late = 'rich', 'markdown_it', 'dateutil', 'cryptography', 'aiosmtplib', 'apprise', 'dns', 'psutil';"
        "print([name for name in late if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=house.ROOT)

    assert run.stdout.strip() == "[]"
