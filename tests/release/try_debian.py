"""The Debian package on a machine that boots: installed, configured, reloaded, killed, upgraded, removed, purged.

`make dist-test` runs this on what `make dist` made.
"""

import re
import subprocess

import pytest

from tests import house
from tests.release.machine import Machine

DIST = house.ROOT / "dist"
CONFIG = "/etc/crisp-status/config.toml"
INSTALL = "apt-get install -y --reinstall --allow-downgrades"


@pytest.fixture(scope="module")
def package():
    """The package that `make dist` made."""
    return next(DIST.glob("*.deb"))


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The same as a version that comes later."""
    folder = tmp_path_factory.mktemp("newer")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", r"\g<0>+later", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, folder / "newer.deb"], check=True)
    return folder / "newer.deb"


@pytest.fixture(params=["bookworm", "trixie"])
def machine(request, package, newer):
    """A fresh Debian 12 or 13 with the package installed."""
    with Machine(request.param, {"/dist": DIST, "/newer": newer.parent}) as booted:
        booted.run(f"{INSTALL} /dist/{package.name}")
        yield booted


def test_an_installation_ends_with_a_page(machine):
    """The page is up, as its own user, locked in, enabled for the next boot; man page and completions are there."""
    assert machine.page() == "200"
    assert machine.property("User") == "crisp-status"
    assert machine.says("systemctl is-enabled crisp-status crisp-status-local crisp-status.socket").split() == [
        "enabled",
        "disabled",
        "disabled",
    ]
    assert machine.says(f"stat -c '%a %U %G' {CONFIG}") == "640 root crisp-status"
    exposure = machine.says("systemd-analyze security --no-pager crisp-status | tail -n 1")
    assert float(re.search(r"([\d.]+) \w", exposure)[1]) <= 2.0
    assert "status page" in machine.run("man crisp-status").stdout
    assert "--scripts" in machine.run("man crisp-status-run").stdout
    typed = "_completion_loader crisp-status; COMP_WORDS=(crisp-status rep); COMP_CWORD=1"
    line = f". /usr/share/bash-completion/bash_completion; {typed}; _crisp_status_completion crisp-status; echo ${{COMPREPLY[@]}}"
    machine.write("/tmp/complete", line)
    assert machine.says("bash /tmp/complete") == "report"
    assert "report" in machine.says("fish -c \"complete --do-complete 'crisp-status rep'\"")
    assert machine.run("zsh -c 'autoload -U compinit; compinit -u; print $_comps[crisp-status]'").stdout.strip() == (
        "_crisp-status"
    )


def test_init_makes_it_yours_once(machine):
    """`init` replaces the configuration of the package: HTTP and HTTPS are up at once; a second one is refused."""
    before = machine.property("MainPID")
    said = machine.run("crisp-status init --name 'Acme Status' --url https://status.acme.example/").stdout

    assert said.startswith(f"{CONFIG} is written, with fresh tokens; whoever could read the one before it can read it.")
    assert machine.property("MainPID") not in {before, "0"}
    assert "Acme Status" in machine.says("curl -s http://127.0.0.1/")
    assert "Acme Status" in machine.says("curl -sk https://127.0.0.1/")
    assert machine.says(f"stat -c '%a %U %G' {CONFIG}") == "640 root crisp-status"
    assert "page is" in machine.says("crisp-status status")
    machine.run(f"echo '# mine' >> {CONFIG}")
    again = machine.run(f"crisp-status init {CONFIG}", check=False)
    assert (again.returncode, "stays as it is" in again.stderr) == (2, True)


def test_init_leaves_ports_alone_that_somebody_has(machine):
    """Where a proxy is on port 443 already, the page stays behind it."""
    machine.run(
        "systemd-run --unit=proxy python3 -c 'import socket, time; s = socket.create_server((\"\", 443)); time.sleep(600)'"
    )
    machine.until(lambda: "443" in machine.says("cat /proc/net/tcp | grep -i :01BB && echo 443"), "listener")
    machine.run("crisp-status init --name 'Acme Status' --url https://status.acme.example/")

    assert "Acme Status" in machine.says("curl -s http://127.0.0.1:8080/")


def test_init_asks_in_a_browser_and_the_page_is_up_meanwhile_again(machine):
    """The form takes the port of the package's daemon for as long as it is open, and gives it back when it is left."""
    machine.run("systemd-run --unit=form crisp-status init --web")
    machine.until(lambda: "http://127.0.0.1:8080/" in machine.says("journalctl -u form -o cat"), "link")
    assert machine.property("ActiveState") == "inactive"

    machine.run("systemctl stop form")
    machine.until(lambda: machine.page() == "200", "page")


def test_a_reload_takes_the_file_or_says_what_is_wrong(machine):
    """`systemctl reload` ends when the new file is in force; a wrong one changes nothing."""
    pid = machine.property("MainPID")
    machine.run(f"sed -i 's/^name = .*/name = \"Renamed\"/' {CONFIG} && systemctl reload crisp-status")
    assert "Renamed" in machine.says("curl -s http://127.0.0.1:8080/")

    machine.run(f"cp {CONFIG} /tmp/good && echo nonsense >> {CONFIG}")
    assert machine.run("systemctl reload crisp-status", check=False).returncode == 1
    assert machine.page() == "200"
    assert f"{CONFIG}:" in machine.says("journalctl -u crisp-status -o cat")
    machine.run(f"cat /tmp/good > {CONFIG} && systemctl reload crisp-status && systemctl reload crisp-status")
    assert machine.property("MainPID") == pid


def test_what_hangs_or_dies_is_started_again_but_not_what_is_wrong(machine):
    """SIGSTOP meets the watchdog, SIGKILL the restart; exit code 2 ends it with a sentence."""
    machine.write(
        "/etc/systemd/system/crisp-status.service.d/soon.conf",
        "[Service]\nWatchdogSec=4\nTimeoutAbortSec=2\nRestartSec=0\n",
    )
    machine.run("systemctl daemon-reload && systemctl restart crisp-status")
    for number, reason in (("STOP", "watchdog"), ("KILL", "signal")):
        pid = machine.property("MainPID")
        machine.run(f"kill -{number} {pid}")
        machine.until(lambda pid=pid: machine.property("MainPID") not in {pid, "0"}, f"restart after SIG{number}")
        machine.until(lambda: machine.page() == "200", "page")
        assert f"Failed with result '{reason}'" in machine.says("journalctl -u crisp-status -o cat")

    machine.run(f"echo nonsense >> {CONFIG}; systemctl restart crisp-status", check=False)
    machine.until(lambda: machine.property("ActiveState") == "failed", "end")
    assert machine.property("ExecMainStatus") == "2"
    assert machine.property("NRestarts") in {"0", "2"}
    assert f"{CONFIG}:" in machine.says("journalctl -u crisp-status -o cat -n 20")


def test_systemd_opens_the_port_and_keeps_it(machine):
    """Socket activation on port 80: a restart refuses nobody."""
    machine.run(f"sed -i 's/^listen = .*/listen = [\"systemd\"]/' {CONFIG}")
    machine.run("systemctl stop crisp-status && systemctl enable --now crisp-status.socket")
    machine.run("systemctl start crisp-status")
    assert machine.page("http://127.0.0.1/") == "200"

    machine.run("systemctl restart crisp-status --no-block")
    codes = {machine.page("http://127.0.0.1/") for _ in range(20)}
    assert codes == {"200"}


def test_ports_below_1024_need_no_root(machine):
    """The unit may open port 80 by itself."""
    machine.run(f"sed -i 's/^listen = .*/listen = [\"0.0.0.0:80\"]/' {CONFIG} && systemctl restart crisp-status")
    assert machine.page("http://127.0.0.1/") == "200"


def test_secrets_come_from_credentials(machine):
    """A credential of the unit is read at the start, and nobody else can read it."""
    machine.run("install -d -m 0700 /etc/credstore")
    machine.run("printf credential-token-0123456789 > /etc/credstore/crisp-status.manager_token")
    machine.run(f"sed -i 's/^manager_token = .*/manager_token = \"${{credential:manager_token}}\"/' {CONFIG}")
    machine.run("systemctl restart crisp-status")

    folder = "/run/credentials/crisp-status.service"
    assert machine.run(f"CREDENTIALS_DIRECTORY={folder} crisp-status status", check=False).returncode in {0, 1}
    assert machine.run(f"cat {folder}/manager_token", check=False, user="nobody").returncode == 1
    code = machine.says(
        "curl -s -o /dev/null -w '%{http_code}' -u :credential-token-0123456789 http://127.0.0.1:8080/manager/status"
    )
    assert code == "200"


def test_an_upgrade_keeps_what_was_changed_and_remembered(machine):
    """Over a changed configuration: not a byte of it changes, announcements stay, and the new program runs."""
    machine.run(f"sed -i 's/^name = .*/name = \"Changed\"/' {CONFIG} && systemctl reload crisp-status")
    machine.run("crisp-status announce add 'Kept across' --text 'It stays.'")
    before, pid = machine.says(f"sha256sum {CONFIG}"), machine.property("MainPID")

    machine.run(f"{INSTALL} /newer/newer.deb")

    assert machine.says(f"sha256sum {CONFIG}") == before
    assert machine.property("MainPID") not in {pid, "0"}
    text = machine.says("curl -s http://127.0.0.1:8080/")
    assert "Changed" in text
    assert "Kept across" in text


def test_an_upgrade_leaves_a_page_up_that_would_not_start_again(machine):
    """A configuration that the new program refuses: the old one goes on, and the installation says what is wrong."""
    pid = machine.property("MainPID")
    machine.run(f"echo 'nonsense = 1' >> {CONFIG}")

    said = machine.run(f"{INSTALL} /newer/newer.deb")

    assert machine.property("MainPID") == pid
    assert machine.page() == "200"
    assert "the page goes on with the old program" in said.stdout + said.stderr
    assert f"{CONFIG}:" in said.stdout + said.stderr


def commands(heading):
    """The shell commands under a heading of docs/operating.md."""
    section = house.texts()["docs/operating.md"].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]


def test_the_documented_backup_moves_to_another_machine(machine, package, newer):
    """Its commands, as they stand in the documentation: an archive here, restored on a fresh machine, goes on there."""
    machine.run("crisp-status announce add 'Kept across' --text 'It stays.'")
    machine.run(f"sed -i 's/^name = .*/name = \"Moved\"/' {CONFIG}")
    machine.write("/tmp/backup", commands("Backup"))
    machine.run("sh -e /tmp/backup")
    archive = machine.says("ls /var/backups/crisp-status/*.tar.gz")
    text = machine.run(f"base64 {archive}").stdout

    (newer.parent / "archive").write_text(text)
    with Machine(machine.release, {"/dist": DIST, "/newer": newer.parent}) as other:
        other.run(f"{INSTALL} /dist/{package.name}")
        other.run("base64 -d /newer/archive > /tmp/2026-11-30.tar.gz")
        other.write("/tmp/restore", commands("Restore"))
        other.run("bash -e /tmp/restore")

        text = other.says("curl -s http://127.0.0.1:8080/")
        assert "Moved" in text
        assert "Kept across" in text


def test_what_an_administrator_stopped_or_disabled_stays_so(machine):
    """An upgrade starts nothing that was disabled."""
    machine.run("systemctl disable --now crisp-status")
    machine.run(f"{INSTALL} /newer/newer.deb")

    assert machine.page() == "000"
    assert machine.says("systemctl is-enabled crisp-status") == "disabled"


def test_removing_keeps_what_purging_takes(machine, package):
    """Removed: no page, but configuration and history stay, and a later installation goes on. Purged: nothing is left."""
    machine.run("crisp-status announce add 'Kept across' --text 'It stays.'")
    machine.run("apt-get remove -y crisp-status")
    assert machine.page() == "000"
    assert machine.run(f"test -f {CONFIG} && test -d /var/lib/crisp-status && ! test -e /usr/lib/crisp-status")

    machine.run(f"{INSTALL} /dist/{package.name}")
    machine.until(lambda: machine.page() == "200", "page after it came back")
    assert "Kept across" in machine.says("curl -s http://127.0.0.1:8080/")

    machine.run("apt-get purge -y crisp-status")
    left = machine.says(
        "find / -xdev \\( -path /proc -o -path /newer -o -path /dist -o -path /sys -o -path /var/log -o -path /run \\) -prune"
        " -o -name '*crisp*status*' -print"
    )
    assert left == ""
    assert machine.says("systemctl is-enabled crisp-status 2>&1") in {
        "not-found",
        "Failed to get unit file state for crisp-status.service: No such file or directory",
    }
