"""The one file where nothing else is: no Python, no shell, no time zones, no authorities; and as a service.

`make dist-test` runs this on what `make dist` made.
"""

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from PyInstaller.archive.readers import CArchiveReader

from tests import house
from tests.release.machine import Machine

DIST = house.ROOT / "dist"
CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
LIBRARIES = "libc.so.6 libdl.so.2 libm.so.6 libpthread.so.0 libresolv.so.2 librt.so.1 libutil.so.1 libz.so.1"
AUTHORITIES = ["etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem"]

CONFIG = """
[page]
name = "Seite"
url = "http://localhost:{port}/"
timezone = "Europe/Paris"
language = "de"
languages = ["de", "en", "ja"]
[server]
listen = ["127.0.0.1:{port}"]
reporter_token = "reporter-token-0123456789"
manager_token = "manager-token-0123456789"
[poll]
interval = 1
[[services]]
name = "Web"
nodes = [
    {{ name = "N", replicas = ["tcp://127.0.0.1:{port}", "dns://127.0.0.1:1/example.com"] }},
    {{ name = "P", mode = "push" }},
    {{ name = "L", mode = "local", replicas = ["tcp://127.0.0.1:{port}"] }},
]
"""


@pytest.fixture(scope="module")
def one_file():
    """The executable that `make dist` made."""
    return next(DIST.glob("crisp-status-*-linux-*"))


@pytest.fixture
def bare(one_file, tmp_path):
    """A root folder with the executable, the C library and zlib, and a command that runs there."""
    folder = tmp_path / "root"
    known = {}
    for line in subprocess.check_output(["/sbin/ldconfig", "-p"], text=True).splitlines():
        name, _, path = line.strip().partition(" => ")
        known.setdefault(name.split(" ")[0], path)
    linker = next(
        Path(path) for path in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if Path(path).exists()
    )
    for path in [linker, *(Path(known[name]) for name in LIBRARIES.split())]:
        target = folder / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("tmp", "proc", "dev", "page"):
        (folder / name).mkdir()
    subprocess.run(["mknod", "-m", "666", folder / "dev/null", "c", "1", "3"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", folder / "proc"], check=True)
    shutil.copy(one_file, folder / "crisp-status")
    yield folder
    subprocess.run(["umount", folder / "proc"], check=True)


def there(folder, *words):
    """What comes of a command line in that root folder."""
    return subprocess.run(
        [CHROOT, folder, "/crisp-status", *words], capture_output=True, text=True, env={}, check=False
    )


@contextlib.contextmanager
def running(folder):
    """The daemon in there, once its page is served."""
    with (folder / "page/log").open("w") as log:
        process = subprocess.Popen(
            [CHROOT, folder, "/crisp-status", "run", "-c", "/page/config.toml"],
            env={"STATE_DIRECTORY": "/page/state"},
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: "page is served" in (folder / "page/log").read_text(), "page")
            yield process
        finally:
            process.terminate()
            process.wait(30)


def until(fact, what, seconds=60):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        time.sleep(0.1)


def free_port():
    """A port that nobody has at the moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def page(port, language):
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept-Language": language})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.read().decode()


def test_it_lives_where_nothing_else_is(bare):
    """Page in languages with a time zone, looks, reports, an agent, commands, reload and stop; nothing stays unpacked."""
    port = free_port()
    (bare / "page/config.toml").write_text(CONFIG.format(port=port))
    (bare / "page/agent.toml").write_text(
        f'[agent]\nendpoint = "http://127.0.0.1:{port}"\ntoken = "reporter-token-0123456789"\n'
    )
    assert there(bare, "check", "-c", "/page/config.toml").stdout.startswith("/page/config.toml is fine")

    with running(bare) as process:
        assert '<html lang="de"' in page(port, "de")
        assert '<html lang="ja"' in page(port, "ja")
        told = there(
            *(bare, "report", "--url", f"http://127.0.0.1:{port}", "--token", "reporter-token-0123456789"),
            *("--service", "web", "--node", "p", "--replica", "r", "--interval", "60"),
        )
        assert told.returncode == 0, told.stderr
        agent = subprocess.Popen(
            [CHROOT, bare, "/crisp-status", "local", "-c", "/page/agent.toml"],
            env={},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: node(bare, "l") == "healthy", "report of the agent")
        agent.terminate()
        assert agent.wait(30) == 0
        until(lambda: node(bare, "n") == "dead", "death of a nameserver that is none")
        assert node(bare, "p") in {"healthy", "sick"}

        process.send_signal(signal.SIGHUP)
        until(lambda: "the new configuration is in force" in (bare / "page/log").read_text(), "reload")
        process.terminate()
        assert process.wait(30) == 0
    assert "stopped; everything is saved" in (bare / "page/log").read_text()
    assert [*(bare / "tmp").iterdir()] == []


def node(folder, name):
    """Its health, as `crisp-status status` has it."""
    tree = json.loads(there(folder, "status", "--json", "-c", "/page/config.toml").stdout)
    return next(one["health"] for one in tree["services"][0]["nodes"] if one["id"] == name)


@pytest.mark.parametrize("place", [*AUTHORITIES, None])
def test_it_believes_the_authorities_of_the_system(bare, place, tmp_path):
    """Wherever this system keeps them; where there are none it says so, and calls nobody dead."""
    authority, certificate, key = tmp_path / "authority", tmp_path / "certificate", tmp_path / "key"
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9")
    for command in (
        (*new, "-subj", "/CN=authority", "-keyout", tmp_path / "authority.key", "-out", authority),
        (
            *(*new, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key),
            *("-CA", authority, "-CAkey", tmp_path / "authority.key", "-out", certificate),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
        ),
    ):
        subprocess.run(command, check=True, capture_output=True)
    if place is not None:
        (bare / place).parent.mkdir(parents=True)
        shutil.copy(authority, bare / place)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        looked = there(bare, "look", f"https://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()

    if place is not None:
        assert looked.returncode == 0, looked.stdout
    else:
        assert (looked.returncode, "install ca-certificates" in looked.stdout) == (1, True), looked.stdout


def test_everything_of_the_wheel_is_inside(one_file):
    """Each module of ours, and what is imported only when it is needed."""
    found = set(CArchiveReader(str(one_file)).open_embedded_archive("PYZ.pyz").toc)
    ours = {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for name in house.modules()
        if name.startswith("crisp_status/")
    }

    assert ours - found == {"crisp_status.__main__"} - found
    assert {
        "acme.client",
        "josepy",
        "dns.resolver",
        "apprise.plugins.slack",
        "yaml",
        "prometheus_client",
        "uvloop",
    } <= found


def test_programs_that_it_starts_use_their_own_libraries(one_file, tmp_path):
    """A command beside `report --while` sees the environment that we were started with, not ours."""
    port = free_port()
    command = "echo \"[${LD_LIBRARY_PATH-unset}]\" && crisp-status --version && python3 -c 'import ssl, sqlite3'"
    done = subprocess.run(
        [
            *(one_file, "report", "--url", f"http://127.0.0.1:{port}", "--token", "t", "--service", "s", "--node", "n"),
            *("--while", command.replace("crisp-status", str(one_file)).replace("python3", sys.executable)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "[unset]"
    assert done.stdout.splitlines()[1].startswith("crisp-status ")
    assert [*tmp_path.iterdir()] == []


def test_apprise_works_inside(bare):
    """The library runs in a process of its own also where there is no Python, and knows its services."""
    got = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    notifier = f'[[notifiers]]\ntype = "apprise"\nurls = ["json://127.0.0.1:{server.server_port}/"]\n'
    (bare / "page/config.toml").write_text(CONFIG.format(port=free_port()) + notifier)
    with running(bare):
        done = there(bare, "notify-test", "-c", "/page/config.toml")
    server.shutdown()
    server.server_close()

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(got) == 1


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_it_is_a_service_with_its_drop_in(release, one_file):
    """Under systemd, with /run where no program may run: ready, reload, watchdog, one SIGTERM, socket, nothing left."""
    cache = "/var/cache/crisp-status"
    with Machine(release, {"/dist": DIST, "/packaging": house.ROOT / "packaging"}) as machine:
        machine.run("mount -o remount,noexec /run && rm -f /usr/bin/python3*")
        machine.run(f"install -m 0755 /dist/{one_file.name} /usr/local/bin/crisp-status")
        machine.run("install -D -m 0644 /packaging/sysusers.conf /etc/sysusers.d/crisp-status.conf && systemd-sysusers")
        machine.run("install -d -m 0750 -g crisp-status /etc/crisp-status")
        machine.run("crisp-status init /etc/crisp-status/config.toml")
        machine.run("chgrp crisp-status /etc/crisp-status/config.toml && chmod 0640 /etc/crisp-status/config.toml")
        folder = "/etc/systemd/system"
        machine.run(f"cp /packaging/crisp-status.service /packaging/crisp-status.socket {folder}")
        machine.run(f"install -D -m 0644 /packaging/one-file.conf {folder}/crisp-status.service.d/one-file.conf")
        machine.write(f"{folder}/crisp-status.service.d/soon.conf", "[Service]\nWatchdogSec=6\nTimeoutAbortSec=2\n")
        machine.run("systemctl daemon-reload && systemctl enable --now crisp-status")
        assert machine.page() == "200"
        machine.run("systemctl reload crisp-status && systemctl reload crisp-status")
        assert "the new configuration is in force" in machine.says("journalctl -u crisp-status -o cat")

        main = machine.property("MainPID")
        child = machine.says(f"cat /proc/{main}/task/{main}/children")
        assert child, "it is two processes"
        machine.run("sleep 8")
        assert machine.property("MainPID") == main, "the watchdog is fed"
        machine.run(f"kill -STOP {child}")
        machine.until(lambda: machine.property("MainPID") not in {main, "0"}, "restart by the watchdog")
        machine.until(lambda: machine.page() == "200", "page")
        assert machine.says(f"ls {cache} | wc -l") == "1", "what the killed one unpacked is gone"

        machine.run("systemctl stop crisp-status")
        log = machine.says("journalctl -u crisp-status -o cat -n 8")
        assert "stopped; everything is saved" in log
        assert "stopped at once" not in log
        assert machine.property("ExecMainStatus") == "0"
        assert machine.says(f"ls {cache}") == ""

        machine.run("sed -i 's/^listen = .*/listen = [\"systemd\"]/' /etc/crisp-status/config.toml")
        machine.run("systemctl enable --now crisp-status.socket && systemctl start crisp-status")
        assert machine.page("http://127.0.0.1/") == "200"
