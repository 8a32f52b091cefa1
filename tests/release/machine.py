"""A whole Debian that boots here: its systemd is the real one, its network is its own, and all of it is gone afterwards.

Needs root, `debootstrap` and `systemd-nspawn`. A release is unpacked once, into a folder that later runs use again;
a machine is a layer of memory over it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

BASES = Path(os.environ.get("CRISP_STATUS_MACHINES", "/var/tmp/crisp-status-machines"))
PACKAGES = "systemd,systemd-sysv,dbus,ca-certificates,curl,man-db,bash-completion,zsh,fish,python3,python3-venv"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_COLORS": "0",
}


def base(release):
    """The folder of a fresh Debian of that release; made when it is not there yet."""
    folder = BASES / release
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (folder / "done").touch()
    return folder


class Machine:
    """A booted Debian. `bind` are folders of ours that it sees, read-only, as `{inside: outside}`."""

    def __init__(self, release, bind):
        self.release = release
        self.bind = bind

    def __enter__(self):
        binds = [f"--bind-ro={outside}:{inside}" for inside, outside in self.bind.items()]
        self.process = subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", "--boot", "--volatile=overlay", "--private-network", "--register=no"),
                *("--keep-unit", "--kill-signal=SIGRTMIN+3", f"--machine=try-{self.release}-{os.getpid()}"),
                *(f"--directory={base(self.release)}", *binds),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            self.until(self._children, "first process")
            self.init = self._children()[0]
            self.until(lambda: self.says("systemctl is-system-running") in {"running", "degraded"}, "boot")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *_):
        self.run("systemctl poweroff", check=False)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _children(self):
        if self.process.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended with exit code {self.process.returncode}")
        number = self.process.pid
        return Path(f"/proc/{number}/task/{number}/children").read_text().split()

    def run(self, command, *, check=True, user=None):
        """What a shell in there says to this command."""
        inside = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            [
                *("nsenter", "--target", self.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"),
                *("env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items()), *inside),
                *("sh", "-c", f"cd /tmp; {command}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def write(self, path, text):
        """A file in there."""
        quoted = text.replace("'", "'\\''")
        self.run(f"mkdir -p $(dirname {path}); printf %s '{quoted}' > {path}")

    def says(self, command):
        """What it says, without the end of the line; whatever the exit code."""
        return self.run(command, check=False).stdout.strip()

    def property(self, name, unit="crisp-status.service"):
        """A property of a unit, as systemctl shows it."""
        return self.says(f"systemctl show --property={name} --value {unit}")

    def page(self, address="http://127.0.0.1:8080/"):
        """The status code of the page; "000" when nobody serves it."""
        return self.says(f"curl -s -o /dev/null -w '%{{http_code}}' {address}")

    def until(self, fact, what, seconds=300):
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not fact():
            if time.monotonic() > end:
                raise AssertionError(f"{self.release}: no {what} within {seconds} s")
            time.sleep(0.1)
