"""What an error of the operating system means: the target's failure, or ours; in plain words."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from crisp_status.net.contract import Cause, ProbeError, Unknowable

OURS: dict[int, tuple[Cause, str]] = {
    errno.EMFILE: ("limit", "this process has too many open files; raise LimitNOFILE or ulimit -n"),
    errno.ENFILE: ("limit", "this host has too many open files; raise the sysctl fs.file-max"),
    errno.ENOBUFS: ("limit", "this host has no buffer space left for another connection"),
    errno.ENOMEM: ("limit", "this host has no memory left for another connection"),
    errno.EAGAIN: ("limit", "this host has no resources left for another connection"),
    errno.EADDRNOTAVAIL: ("limit", "this host has no address or no free port to connect from"),
    errno.EACCES: ("permission", "this host does not allow the connection"),
    errno.EPERM: ("permission", "this host does not allow the connection: a firewall or a sandbox of our own"),
    errno.EAFNOSUPPORT: ("network", "this host does not speak that address family"),
    errno.ENETDOWN: ("network", "the network of this host is down"),
}
"""Errors that say nothing about the target."""


def explain(error: OSError, peer: str, address: Any = None) -> ProbeError | Unknowable:
    """The exception to raise instead.

    `peer` is the other side for people; `address`, a socket address, helps to tell a missing route of ours from a
    network that is gone on the way.
    """
    number = error.errno or 0
    if number in OURS:
        cause, text = OURS[number]
        return Unknowable(f"{text} ({peer})" if peer else text, cause)
    if number == errno.ECONNREFUSED:
        return ProbeError("refused", f"connection refused by {peer}")
    if number == errno.EHOSTUNREACH:
        return ProbeError("unreachable", f"host {peer} is unreachable")
    if number == errno.ENETUNREACH:
        if address is not None and has_route(address):
            return ProbeError("unreachable", f"the network of {peer} is unreachable")
        return Unknowable(f"this host has no route to {peer}", "network")
    # Libraries raise some of these by themselves, without a number.
    if number in {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN} or (
        not number and isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError)
    ):
        return ProbeError("no_answer", f"{peer or 'the other side'} closed the connection without an answer")
    if number == errno.ETIMEDOUT:
        return ProbeError("no_answer", f"no answer from {peer}")
    detail = os.strerror(number) if number else str(error) or type(error).__name__
    return Unknowable(f"cannot connect to {peer}: {detail}" if peer else detail, "bug")


def has_route(address: Any) -> bool:
    """Whether the routing table of this host knows a way to that socket address. Sends nothing."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.connect((address[0], 9, *address[2:]))
    except OSError as error:
        return error.errno not in {errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.ENETDOWN, errno.EADDRNOTAVAIL}
    return True


def out_of_files() -> bool:
    """Whether no file can be opened at the moment; some libraries do not pass that error on."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False
