"""systemd is told what it wants to know, and hands over its sockets. PROTOCOLS section 9."""

import os
import re
import socket
import subprocess
import sys
import time

import pytest

from crisp_status import sdnotify


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path):
    """What systemd does: a datagram socket, at a path or at an abstract name, and its address for the variable."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    door.settimeout(5)
    name = str(tmp_path / "notify") if request.param == "path" else f"@crisp-status-test-{os.getpid()}"
    door.bind(name.replace("@", "\0", 1))
    yield door, {"NOTIFY_SOCKET": name}
    door.close()


def test_ready_is_told_with_its_status(listener):
    """Readiness and the status line arrive in one message."""
    door, environ = listener

    assert sdnotify.SystemdNotify(environ).notify_ready("watching 7 replicas") is True
    assert door.recv(4096) == b"READY=1\nSTATUS=watching 7 replicas"


def test_reloading_carries_the_monotonic_time(listener):
    """`Type=notify-reload` takes a reload for begun only with the time of CLOCK_MONOTONIC in the same message."""
    door, environ = listener
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    sdnotify.SystemdNotify(environ).reloading()
    found = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", door.recv(4096))

    assert found
    assert before <= int(found[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_is_one_line(listener):
    """A line break in a status would start another assignment: nobody can smuggle one in."""
    door, environ = listener

    sdnotify.SystemdNotify(environ).status("fine\nMAINPID=1\n" + "x" * 1000)
    message = door.recv(4096).decode()

    assert message.startswith("STATUS=fine MAINPID=1 xxx")
    assert "\n" not in message
    assert len(message) <= len("STATUS=") + sdnotify.STATUS_MAX


def test_the_other_words(listener):
    """Stopping and the watchdog are said as sd_notify(3) spells them."""
    door, environ = listener
    notifier = sdnotify.SystemdNotify(environ)

    notifier.stopping("bye")
    notifier.watchdog()

    assert [door.recv(4096) for _ in range(2)] == [
        b"STOPPING=1\nSTATUS=bye",
        b"WATCHDOG=1",
    ]


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "@nobody-listens-here"])
def test_no_systemd_is_no_trouble(address):
    """Without a receiver nothing is sent, nothing is raised, and the answer says so."""
    assert sdnotify.SystemdNotify({"NOTIFY_SOCKET": address}).notify_ready() is False


def test_a_full_receiver_does_not_hold_us(tmp_path):
    """A systemd that does not read never blocks the daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        notifier = sdnotify.SystemdNotify({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        answers = [notifier.watchdog() for _ in range(5000)]

    assert answers[0] is True
    assert answers[-1] is False


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "٣"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(environ, expected):
    """Half of WatchdogSec; nothing when it waits for another process, or says nonsense."""
    assert sdnotify.watchdog_interval(environ) == expected


CHILD = """
import os, sys
from crisp_status import sdnotify
os.environ["LISTEN_PID"] = sys.argv[1].replace("me", str(os.getpid()))
try:
    doors = sdnotify.take_sockets(first=int(sys.argv[2]))
except OSError as error:
    print("error:", error)
    sys.exit(0)
left = [name for name in os.environ if name.startswith("LISTEN_")]
print([door.getsockname()[1] for door in doors], [os.get_inheritable(door.fileno()) for door in doors], left)
"""


def handed_over(door, pid="me", count="1"):
    """What a process sees of a descriptor that it inherits."""
    environ = {**os.environ, "LISTEN_FDS": count, "LISTEN_FDNAMES": "http"}
    command = [sys.executable, "-c", CHILD, pid, str(door.fileno())]
    run = subprocess.run(command, env=environ, pass_fds=[door.fileno()], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.fixture
def door():
    """A listening socket on a free port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door


def test_sockets_are_taken_over(door):
    """A socket that systemd listens on becomes ours, is closed on exec, and the variables are gone."""
    assert handed_over(door) == f"[{door.getsockname()[1]}] [False] []"


@pytest.mark.parametrize(("pid", "count"), [("1", "1"), ("me", ""), ("me", "0"), ("me", "-1"), ("me", "x")])
def test_sockets_of_others_are_left_alone(door, pid, count):
    """Variables that an ancestor left behind, or nonsense, give no sockets."""
    assert handed_over(door, pid, count) == "[] [] []"


def test_too_many_sockets_are_refused(door):
    """A wild number does not make us look at descriptors of our own."""
    assert handed_over(door, count="9999") == (
        "error: systemd announces 9999 sockets (LISTEN_FDS), at most 64 are expected"
    )


def test_what_does_not_listen_is_refused_with_advice():
    """`Accept=yes` and datagram sockets are mistakes in the unit: the sentence names the cure."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        answer = handed_over(datagrams)

    assert answer.endswith(
        "(http) from systemd is not a listening stream socket: use ListenStream= with Accept=no in the .socket unit"
    )
