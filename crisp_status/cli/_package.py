"""What `crisp-status init` does where the Debian package is installed: its daemon runs, and has the right to ports 80 and 443."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from crisp_status.cli import fail

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT: Final = "crisp-status.service"

HTTPS_ADDRESSES: Final = (("0.0.0.0", 80), ("::", 80), ("0.0.0.0", 443), ("::", 443))  # noqa: S104 - a public page
"""Where a page is that has its own certificate."""


def https_addresses() -> list[str]:
    """These as the configuration has them, without IPv6 where this machine has none."""
    return [
        f"{host}:{port}" if "." in host else f"[{host}]:{port}"
        for host, port in HTTPS_ADDRESSES
        if "." in host or _bound((host, 0)) == 0
    ]


def https_is_free() -> bool:
    """Whether nobody listens on these ports: neither a proxy nor another page."""
    return all(_bound(address) in {0, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL} for address in HTTPS_ADDRESSES)


def _bound(address: tuple[str, int]) -> int:
    """0 when one can listen there, else why not."""
    try:
        with socket.socket(socket.AF_INET if "." in address[0] else socket.AF_INET6) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if one.family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


@contextmanager
def daemon_away() -> Iterator[None]:
    """Stop the package's daemon, which has the port that is needed; start it again whatever happens."""
    if not _may_control() or _systemctl("is-active", "--quiet", UNIT).returncode:
        yield
        return
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    _systemctl("stop", UNIT)
    try:
        yield
    finally:
        _systemctl("start", UNIT)
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: object) -> NoReturn:
    """End as after Ctrl-C, also when the terminal is closed: what was stopped must be started again."""
    sys.exit(128 + number)


def start_again() -> None:
    """Let the daemon of the package take the file. `listen` may have changed, so that a reload is not enough."""
    if not _may_control():
        click.echo("Next: edit it, then crisp-status check, then systemctl restart crisp-status.")
        return
    done = _systemctl("restart", UNIT)
    if done.returncode:
        fail(f"the daemon does not start with it: {done.stderr.strip()} (journalctl -u crisp-status -n 30 says why)")
    click.echo("The daemon runs with it. Next: edit it, then crisp-status check, then systemctl reload crisp-status.")


def _may_control() -> bool:
    return Path("/run/systemd/system").is_dir() and os.geteuid() == 0


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
