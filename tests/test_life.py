"""The life of a real process: signals, reloads, systemd, a disk that is full, and an end that nothing holds up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time

import pytest

from crisp_status.core.model import State
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.store.state_folder import read_only
from tests.daemon import listening, until
from tests.process import COMMAND, Process
from tests.receivers import HttpReceiver, Reply

QUICK = "[poll]\ninterval = 1\nretry = 0\ndelay_dead = 1\n[notify]\ngroup_wait = 0\n"


HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec: the socket is descriptor 3, and the variables name this process."""

SIGNAL_AT_READY = """
import asyncio, os, signal, sys
from pathlib import Path
from crisp_status import kinds
from crisp_status.app import life
from crisp_status.config.load import load

def again():
    return load(Path(sys.argv[1]), kinds.rooms(), os.environ)

def ready(app):
    os.kill(os.getpid(), int(sys.argv[2]))

sys.exit(asyncio.run(life.run(again(), again, ready=ready)))
"""
"""A daemon that gets a signal in the moment in which it says that it runs."""


def node(name, port):
    return f'[[services]]\nname = "{name}"\n[[services.nodes]]\nname = "N"\nreplicas = ["tcp://127.0.0.1:{port}"]\n'


def saved(folder):
    """What a next start would know."""
    found = read_only(folder / "state")
    world = World(found.state or State())
    for _, event in found.events:
        step(world, event)
    return world.state


async def announce(process, title):
    status, told = await process.ask("POST", "/manager/announcement", {"title": title, "text": "Soon."})
    assert status == 200, told


@contextlib.asynccontextmanager
async def burdened(folder):
    """A daemon with everything in flight: looks that nobody answers, a receiver that hangs, clients that dawdle."""
    async with contextlib.AsyncExitStack() as stack:
        deaf = await stack.enter_async_context(HttpReceiver(Reply(hang=True)))
        stuck = await stack.enter_async_context(HttpReceiver(Reply(hang=True)))
        config = f"""
[poll]
interval = 2
delay_dead = 20
[notify]
group_wait = 0
startup = true
[[notifiers]]
type = "slack"
hook_url = "{stuck.url()}"
[[services]]
name = "Deaf"
[[services.nodes]]
name = "N"
replicas = [{", ".join(f'"{deaf.url(f"/{n}")}"' for n in range(20))}]
"""
        process = await stack.enter_async_context(Process(folder, config))
        await process.ready()
        await announce(process, "kept")
        for request in (
            b"",
            b"GET / HT",
            b"POST /manager/announcement HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
        ):
            _, writer = await asyncio.open_unix_connection(str(folder / "http.sock"))
            stack.callback(writer.close)
            writer.write(request)
        # Asks for many pages and reads none of them.
        _, writer = await asyncio.open_unix_connection(str(folder / "http.sock"), limit=1)
        stack.callback(writer.transport.abort)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        await until(lambda: len(deaf.requests) >= 5 and stuck.requests)
        yield process


async def test_a_stop_takes_less_than_five_seconds(tmp_path):
    """Whatever is in flight, SIGTERM ends with 0 in time, and everything is saved in a snapshot."""
    async with burdened(tmp_path) as process:
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        code = await process.ended()
        took = time.monotonic() - began

    assert code == 0, process.text
    print(f"the stop took {took:.1f} s")
    assert took < 5.0
    assert not process.events("error", "critical"), process.text
    assert "stopped; everything is saved" in process.events("info")
    assert [a.title for a in saved(tmp_path).announcements.values()] == ["kept"]
    assert not read_only(tmp_path / "state").events, "the snapshot is the last word"
    assert not (tmp_path / "http.sock").exists()


async def test_a_second_signal_ends_at_once(tmp_path):
    """Who is in a hurry says it twice; nothing durable is lost, and the next start is clean."""
    async with burdened(tmp_path) as process:
        process.signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        code = await process.ended()
        took = time.monotonic() - began

    assert code == 130
    assert took < 1.0
    assert [a.title for a in saved(tmp_path).announcements.values()] == ["kept"]
    async with Process(tmp_path) as process:
        await process.ready()
        assert (await process.ask("GET", "/healthz"))[0] == 200
        assert not process.events("error", "critical"), process.text


class Manager:
    """What systemd is for us: a socket that hears notifications."""

    def __init__(self, path):
        self.path = path
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.door.bind(str(path))
        self.door.setblocking(False)
        self.heard = []

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(dict(line.split("=", 1) for line in self.door.recv(4096).decode().split("\n")))
        return self.heard

    async def hears(self, key, after=0):
        """Wait for an assignment to that variable; its place."""
        await until(lambda: any(key in said for said in self.listen()[after:]))
        return next(place for place, said in enumerate(self.heard) if place >= after and key in said)


async def test_systemd_is_kept_informed(tmp_path):
    """READY with a status, WATCHDOG twice in its time, RELOADING with the time and READY again, STOPPING."""
    with contextlib.closing((manager := Manager(tmp_path / "notify")).door):
        environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000"}
        async with Process(tmp_path, QUICK, environ=environ) as process:
            ready = await manager.hears("READY")
            assert manager.heard[ready]["STATUS"].startswith("pending; 0 nodes")
            await until(lambda: sum("WATCHDOG" in said for said in manager.listen()) >= 3)
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            process.signal(signal.SIGHUP)
            reloading = await manager.hears("RELOADING")
            again = await manager.hears("READY", reloading)
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            assert before <= int(manager.heard[reloading]["MONOTONIC_USEC"]) <= after
            assert all("STOPPING" not in said for said in manager.heard[: again + 1])
            process.signal(signal.SIGTERM)
            assert await process.ended() == 0
            await manager.hears("STOPPING", again)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
async def test_who_hears_that_it_runs_may_reload_or_stop_it(tmp_path, number):
    """A signal right at READY is followed: left to the kernel, it would end us, and a reload would be an outage."""
    with contextlib.closing((manager := Manager(tmp_path / "notify")).door):
        process = Process(tmp_path, QUICK, environ={"NOTIFY_SOCKET": str(manager.path)})
        process.line = [sys.executable, "-c", SIGNAL_AT_READY, str(process.path), str(int(number))]
        async with process:
            if number == signal.SIGHUP:
                await manager.hears("READY", await manager.hears("RELOADING"))
                assert (await process.ask("GET", "/healthz"))[0] == 200
                process.signal(signal.SIGTERM)
            assert await process.ended() == 0, process.text
            await manager.hears("STOPPING")


async def test_a_reload_swaps_everything_or_nothing(tmp_path):
    """SIGHUP: a good file comes into force with the state kept; a bad one changes nothing and is told in full."""
    async with listening() as gone:
        pass
    async with listening() as alive, Process(tmp_path, QUICK + node("Shop", gone)) as process:
        await process.says("replica dead")
        _, before = await process.ask("GET", "/manager/status")
        good = process.path.read_text()

        process.path.write_text(good.replace('"Acme"', "5") + "[unknown]\n" + node("Web", "none"))
        process.signal(signal.SIGHUP)
        await process.says("the configuration was not changed")
        problems = "\n".join(process.events("error"))
        for words in ("page.name: ", "unknown: ", "services[1].nodes[0].replicas[0]: "):
            assert words in problems
        _, same = await process.ask("GET", "/manager/status")
        assert same["incidents"] == before["incidents"]
        assert [s["id"] for s in same["services"]] == ["shop"]

        process.path.write_text(good + node("Web", alive))
        process.signal(signal.SIGHUP)
        await process.says("the new configuration is in force")
        _, after = await process.ask("GET", "/manager/status")
        assert [s["id"] for s in after["services"]] == ["shop", "web"]
        assert after["incidents"] == before["incidents"]
        assert after["services"][0]["nodes"][0]["since"] == before["services"][0]["nodes"][0]["since"]
        async with asyncio.timeout(10):
            while "Web" not in (await process.ask("GET", "/"))[1]:
                await asyncio.sleep(0.05)


async def test_a_reload_takes_the_log_along(tmp_path):
    """Level and style of the log are those of the new file from its first line on."""
    async with Process(tmp_path, QUICK) as process:
        await process.ready()
        process.path.write_text(process.path.read_text().replace("[server]", '[server]\nlog_style = "human"', 1))
        process.signal(signal.SIGHUP)
        assert (await process.says("the new configuration is in force"))["level"] == "text"


async def test_the_file_is_watched(tmp_path):
    """With watch = true a saved file is enough, also a bad one, also one that is renamed over the old."""
    config = QUICK.replace("[poll]", "watch = true\n[poll]", 1)
    async with Process(tmp_path, config) as process:
        await process.ready()
        good = process.path.read_text()
        process.path.write_text("[page\n")
        await process.says("the configuration was not changed")
        (tmp_path / "new.toml").write_text(good + node("Web", 9))
        (tmp_path / "new.toml").rename(process.path)
        await process.says("the new configuration is in force")


async def test_a_socket_from_systemd_is_served(tmp_path):
    """listen = ["systemd"] takes the descriptor 3 that was opened for it, and keeps serving it after a restart."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as door:
        port = door.getsockname()[1]
        hand_over = (sys.executable, "-c", HAND_OVER, str(door.fileno()))
        config = QUICK.replace("[poll]", "[metrics]\nenabled = true\n[poll]")
        for _ in range(2):
            process = Process(tmp_path, config, wrap=hand_over, fds=(door.fileno(),))
            process.path.write_text(process.path.read_text().replace(f"unix:{tmp_path}/http.sock", "systemd"))
            async with process:
                said = await process.says("page is served")
                assert said["address"] == f"127.0.0.1:{port}"
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
                writer.close()
                process.signal(signal.SIGTERM)
                assert await process.ended() == 0


async def test_a_file_size_limit_is_told_at_the_start(tmp_path):
    """Where no file may grow, nothing is begun: a sentence, and an exit code after which systemd tries again."""
    async with Process(tmp_path, QUICK, wrap=("prlimit", "--fsize=16384")) as process:
        assert await process.ended() == 1

    assert "the state cannot be kept here: a file is larger than allowed" in process.text
    assert {p.name for p in (tmp_path / "state").iterdir()} == {"lock"}


def with_mounts(command):
    """What to put before a command that shall see other mounts than we; skips where mounting is not allowed."""
    line = ("unshare", "--mount", "sh", "-c", f'{command} && exec "$@"', "sh")
    if os.spawnvp(os.P_WAIT, "unshare", [*line, "true"]) != 0:
        pytest.skip("this user may not mount a file system")
    return line


def tiny_disk(folder, size):
    """The state folder on a disk of its own of that size."""
    (folder / "state").mkdir(exist_ok=True)
    return with_mounts(f"mount -t tmpfs -o size={size},mode=700 tmpfs '{folder}/state'")


async def test_a_full_disk_is_told_at_the_start(tmp_path):
    """Too small for a first start, which has nothing to serve; somebody may make room before the next."""
    async with Process(tmp_path, QUICK, wrap=tiny_disk(tmp_path, "32k")) as process:
        assert await process.ended() == 1

    assert (
        process.text == f"crisp-status: {tmp_path}/state: the state cannot be kept here: the disk is full; make room\n"
    )


async def test_a_disk_that_fills_up_while_it_runs(tmp_path):
    """The page stays, operators' words are refused as long as nothing can be saved, and what was acknowledged is there."""
    async with Process(tmp_path, QUICK, wrap=tiny_disk(tmp_path, "256k")) as process:
        await process.ready()
        taken, text = 0, "x" * 9000
        for number in range(60):
            body = {"title": f"Work {number}", "text": text}
            status, _ = await process.ask("POST", "/manager/announcement", body)
            assert status in {200, 503}
            taken += status == 200
            if status == 503:
                break
        assert 0 < taken < 60
        assert (await process.ask("GET", "/"))[0] == 200
        assert (await process.ask("GET", "/healthz"))[0] in {200, 503}
        _, told = await process.ask("GET", "/manager/announcements")
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
        errors = [e for e in process.events("error", "critical") if "bug" in e or "Traceback" in e]
        assert not errors, process.text
        assert len(told) in {taken, taken + 1}
        assert "stopped; the last changes could not be saved" in process.events("error")


async def test_a_silent_nameserver_holds_up_no_end(tmp_path):
    """Look-ups of targets and receivers hang in the system, where nobody can interrupt them: a stop is as quick as ever."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.254\noptions timeout:30 attempts:5\n")
    silent = with_mounts(f"mount --bind '{tmp_path}/resolv.conf' /etc/resolv.conf")
    config = (
        QUICK + 'startup = true\n[[notifiers]]\ntype = "slack"\nhook_url = "http://chat.acme.example/"\n'
        '[[services]]\nname = "S"\n[[services.nodes]]\nname = "N"\nreplicas = ["tcp://www.acme.example:1"]\n'
    )
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as nameserver:
        nameserver.bind(("127.0.0.254", 53))
        nameserver.setblocking(False)
        async with Process(tmp_path, config, wrap=silent) as process:
            await process.ready()
            asked = set()
            while not {b"chat", b"www"} <= asked:
                question = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(nameserver, 512), 10)
                asked.add(question[13 : 13 + question[12]])
            began = time.monotonic()
            process.signal(signal.SIGTERM)
            assert await process.ended(20) == 0
            took = time.monotonic() - began

    assert took < 5.0
    assert not process.events("error", "critical"), process.text


async def ask_raw(sock):
    """Ask a listening socket for the page, as a visitor would."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    return answer.split(b"\r\n", 1)[0].split()[1], answer


@pytest.mark.parametrize("broken", ["[page]\nnme = 1\n", "[page"])
async def test_a_broken_file_behind_socket_activation_is_said_to_visitors(tmp_path, broken):
    """systemd holds the port, so somebody has to answer: 503 with a sentence, and the page as soon as the file is right."""
    file = tmp_path / "config.toml"
    with socket.create_server(("127.0.0.1", 0)) as sock:
        wrap = (sys.executable, "-c", HAND_OVER, str(sock.fileno()))
        process = Process(tmp_path, wrap=wrap, fds=(sock.fileno(),))
        file.write_text(broken)
        async with process:
            await process.says("visitors get 503")
            for _ in range(3):
                status, answer = await ask_raw(sock)
                assert (status, b"This status page cannot start" in answer) == (b"503", True)
            assert f"{file}:" in process.text
            right = (
                '[page]\nname = "Acme"\nurl = "http://127.0.0.1:1/"\n[server]\nlisten = ["systemd"]\nstate = "state"\n'
            )
            other = tmp_path / "other.toml"
            other.write_text(right)
            other.rename(file)
            await process.ready()
            assert (await ask_raw(sock))[0] == b"200"
            process.signal()
            assert await process.ended() == 0


async def test_a_broken_file_without_socket_activation_ends_the_start(tmp_path):
    """Exit code 2, which systemd does not try again; and 503 is answered only where systemd handed a socket over."""
    (tmp_path / "config.toml").write_text("[page")
    async with Process(tmp_path) as process:
        assert await process.ended() == 2
        assert "503" not in process.text


async def typed(process, *words):
    """Exit code and output of a command beside the daemon."""
    command = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        "-c",
        str(process.path),
        env=process.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await command.communicate()
    return command.returncode, output.decode()


async def test_reload_waits_for_the_answer(tmp_path):
    """`crisp-status reload` says taken, or every problem; systemd shows in its status line what was refused."""
    systemd = tmp_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(systemd))
        listener.setblocking(False)

        def heard():
            found = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    found.append(listener.recv(4096).decode())
            return "\n".join(found)

        async with Process(tmp_path, QUICK, environ={"NOTIFY_SOCKET": str(systemd)}) as process:
            await process.ready()
            right = process.path.read_text()
            process.path.write_text(right + node("Added", 1).replace("tcp://127.0.0.1:1", "icmp://127.0.0.1"))
            assert await typed(process, "reload") == (0, "taken\n")
            assert len((await process.ask("GET", "/manager/status"))[1]["services"]) == 1

            process.path.write_text(right.replace('state = "state"', 'state = "elsewhere"'))
            code, output = await typed(process, "reload")
            assert (code, output) == (0, "server.state: takes effect at the next start\ntaken\n")

            heard()
            process.path.write_text(right + "[poll]\n[notfy]\n")
            assert (await typed(process, "reload"))[0] == 2
            status, answer = await process.ask("POST", "/manager/reload")
            assert (status, answer["error"]) == (409, "refused")
            assert any("config.toml:" in problem["text"] for problem in answer["problems"])
            assert "STATUS=reload refused: " in heard()

            process.path.write_text(right)
            assert await typed(process, "reload") == (0, "taken\n")
            assert "STATUS=reload refused: " not in heard().split("READY=1")[-1]


async def test_a_reload_that_only_the_daemon_refuses_says_why(tmp_path):
    """The command may read what the daemon may not: then the daemon's problems are printed, and the exit code is 1."""
    async with Process(tmp_path, QUICK, environ={"ONLY_THERE": "value"}) as process:
        await process.ready()
        process.environ = process.environ | {"ONLY_HERE": "Acme"}
        process.path.write_text(process.path.read_text().replace('"Acme"', '"${ONLY_HERE}"'))
        code, output = await typed(process, "reload")

        assert code == 1
        assert "ONLY_HERE" in output
        assert "The configuration was not changed" in output


async def test_reload_without_a_manager_token_signals_the_process(tmp_path):
    """As in the unit of systemd: a wrong file ends the command, a right one is taken by SIGHUP."""
    async with Process(tmp_path, QUICK) as process:
        await process.ready()
        process.path.write_text(process.path.read_text().replace('manager_token = "manager-token"\n', ""))
        code, output = await typed(process, "reload", "--pid", str(process.process.pid))
        assert (code, "the file is fine" in output) == (0, True)
        await process.says("the new configuration is in force")
        process.path.write_text("[page")
        assert (await typed(process, "reload", "--pid", str(process.process.pid)))[0] == 2
        assert (await typed(process, "reload"))[0] == 2


async def test_a_start_goes_on_without_a_logo(tmp_path):
    """A picture that cannot be used is a warning at a start; the page is shown without it, and a check refuses it."""
    branding = '[page.branding]\nheader_logo = "gone.svg"\nfooter_logo = "script.svg"\ncolor = "#123456"\n'
    (tmp_path / "script.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')
    async with Process(tmp_path, branding + QUICK) as process:
        await process.ready()
        assert (await typed(process, "check"))[0] == 2
        status, page = await process.ask("GET", "/")

    warnings = [event for event in process.events("warning") if "The page is shown without it" in event]
    assert (status, len(warnings)) == (200, 2)
    assert "#123456" in page
    assert "<script/>" not in page


async def test_a_swapped_symlink_is_noticed(tmp_path):
    """Secrets and configurations of Kubernetes are swapped by a symlink: time and size may stay the same."""
    async with Process(tmp_path, "watch = true\n" + QUICK) as process:
        await process.ready()
        text = process.path.read_text()
        for name, title in (("one", "Acme"), ("two", "Emca")):
            (tmp_path / name).write_text(text.replace('"Acme"', f'"{title}"'))
            os.utime(tmp_path / name, (1e9, 1e9))
        for name in ("one", "two"):
            link = tmp_path / "link"
            link.symlink_to(tmp_path / name)
            link.rename(process.path)
            process.log.clear()
            await process.says("the new configuration is in force")
        assert "Emca" in (await process.ask("GET", "/"))[1]


async def test_the_start_says_who_is_told(tmp_path):
    """Disabled notifiers are not among them; without any other there is a warning."""
    off = '[[notifiers]]\ntype = "slack"\nid = "off"\nhook_url = "https://hooks.example/x"\nenabled = false\n'
    async with Process(tmp_path, QUICK + off) as process:
        await process.ready()

        assert (await process.says("watching"))["notifiers"] == []
        assert any("nobody is told" in event for event in process.events("warning"))
