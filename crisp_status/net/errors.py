"""Whose failure an error is: the target's or ours; in plain English.

`ProbeError` says that the target failed, `Unknowable` that this host could not look. Everything that a target, or a
router on the way to it, can provoke is the target's.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any, Literal

from crisp_status.core.verdict import REASONS, Reason, ReasonCode

Cause = Literal["limit", "permission", "network", "resolver", "stall", "missing", "bug", "witness"]
"""What kept this host from looking. witness: all witnesses were silent while the target was."""

TEXT_MAX = 4200
"""Characters of a reason: the 4 kB that a script may print, and a few words of ours."""


def clean(text: str) -> str:
    """One printable line: a target may send line breaks, terminal commands and broken characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text[:TEXT_MAX]


class ProbeError(Exception):
    """The target failed: this attempt counts as dead. Arguments as in `core.model.Reason`.

    `silent`: nothing came back, which also happens when our own network is gone; by default the code decides.
    """

    def __init__(self, code: ReasonCode, text: str, value: str = "", *, silent: bool = False) -> None:
        text = clean(text)
        super().__init__(text)
        self.reason = Reason(code, text, clean(value))
        self.silent = silent or REASONS[code].network


class NameFailure(ProbeError):
    """The name was not resolved. Our own resolver may be the reason, so `look` asks it before it believes this."""

    def __init__(self, text: str) -> None:
        super().__init__(ReasonCode.NAME, text)


class Unknowable(Exception):
    """We could not look, by an error of ours. The health stays as it was, and the operator reads the text."""

    def __init__(self, text: str, cause: Cause = "limit") -> None:
        self.text = clean(text)
        super().__init__(self.text)
        self.cause: Cause = cause


OURS: dict[int, tuple[Cause, str]] = {
    errno.EMFILE: ("limit", "this process has too many open files; raise LimitNOFILE or ulimit -n"),
    errno.ENFILE: ("limit", "this host has too many open files; raise the sysctl fs.file-max"),
    errno.ENOBUFS: ("limit", "this host has no buffer space left for another connection"),
    errno.ENOMEM: ("limit", "this host has no memory left for another connection"),
    errno.EAGAIN: ("limit", "this host has no resources left for another connection"),
    errno.EADDRNOTAVAIL: ("limit", "this host has no address or no free port to connect from"),
    errno.EACCES: ("permission", "this host does not allow the connection"),
    errno.EPERM: ("permission", "this host does not allow the connection: a firewall or a sandbox of our own"),
    errno.EAFNOSUPPORT: ("network", "this host does not support that address family"),
    errno.ENETDOWN: ("network", "the network of this host is down"),
}
"""Errors that say nothing about the target."""

ON_THE_WAY: dict[int, str] = {
    errno.EHOSTUNREACH: "is unreachable",
    errno.EHOSTDOWN: "is unreachable",
    errno.ENONET: "is unreachable",
    errno.ENOPROTOOPT: "does not take TCP",
    errno.EPROTO: "answered with a protocol error",
    errno.EOPNOTSUPP: "is unreachable: a router refuses the route",
    errno.EMSGSIZE: "is unreachable: packets are too large for the way",
}
"""What Linux makes of the ICMP complaints of routers and targets (net/ipv4/icmp.c, icmp_err_convert)."""

CLOSED = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN})


def explain(error: OSError, peer: str, address: Any = None) -> ProbeError | Unknowable:
    """The exception to raise instead of an `OSError`.

    `peer` is the other side for people. `address`, its socket address, helps to tell a route that this host lacks from a
    router that refused on the way.
    """
    if isinstance(error, ssl.SSLError):  # its errno counts differently: 1 would read as EPERM
        return tls_failure(error, peer)
    number = error.errno or 0
    if number in {errno.EACCES, errno.ENETUNREACH} and address is not None and has_route(address):
        # The way out is open, so this came back from a router: ICMPv6 "administratively prohibited" is EACCES.
        return ProbeError(ReasonCode.UNREACHABLE, f"{peer} is unreachable: refused on the way")
    if number in OURS:
        cause, text = OURS[number]
        return Unknowable(f"{text} ({peer})" if peer else text, cause)
    if number == errno.ECONNREFUSED:
        return ProbeError(ReasonCode.REFUSED, f"connection refused by {peer}")
    if number in ON_THE_WAY:
        return ProbeError(ReasonCode.UNREACHABLE, f"host {peer} {ON_THE_WAY[number]}")
    if number == errno.ENETUNREACH:
        return Unknowable(f"this host has no route to {peer}", "network")
    # Libraries raise some of these by themselves, without a number.
    if number in CLOSED or (
        not number and isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError)
    ):
        return ProbeError(ReasonCode.NO_ANSWER, f"{peer or 'the other side'} closed the connection without an answer")
    if number == errno.ETIMEDOUT:
        return ProbeError(ReasonCode.NO_ANSWER, f"no answer from {peer}")
    detail = os.strerror(number) if number > 0 else str(error) or type(error).__name__
    return Unknowable(f"cannot connect to {peer}: {detail}" if peer else detail, "bug")


NOT_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""OpenSSL's reasons for first bytes that are not TLS."""

ALERTS = {
    "certificate required": "it wants a client certificate",
    "handshake failure": "no common version or cipher (handshake failure)",
    "unrecognized name": "it does not know this host name (unrecognized name)",
}
"""TLS alerts (RFC 8446, section 6) whose names need a word more."""


def tls_failure(error: ssl.SSLError, peer: str, *, agreed: bool = False) -> ProbeError:
    """What a TLS error other than a refused certificate means; `agreed`: the handshake was over by then."""
    reason: str = getattr(error, "reason", None) or ""  # OpenSSL sets it, Python code that raises one may not
    if reason in NOT_TLS and not agreed:
        return ProbeError(ReasonCode.TLS, f"{peer} does not speak TLS")
    when = "after" if agreed else "during"
    if isinstance(error, ssl.SSLEOFError) or "EOF" in reason:
        return ProbeError(ReasonCode.TLS, f"{peer} closed the connection {when} the TLS handshake")
    if "ALERT_" in reason or reason == "TLSV1_UNRECOGNIZED_NAME":
        alert = reason.rpartition("ALERT_")[2].removeprefix("TLSV1_").lower().replace("_", " ")
        return ProbeError(ReasonCode.TLS, f"{peer} ended TLS: {ALERTS.get(alert, alert)}", alert)
    detail = reason.lower().replace("_", " ") or str(error)
    return ProbeError(ReasonCode.TLS, f"TLS with {peer} failed {when} the handshake: {detail}", detail)


def has_route(address: Any) -> bool:
    """Whether the routing table of this host knows a way to that socket address. Sends nothing."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.connect((address[0], 9, *address[2:]))
    except OSError as error:
        return error.errno not in {
            errno.ENETUNREACH,
            errno.EAFNOSUPPORT,
            errno.ENETDOWN,
            errno.EADDRNOTAVAIL,
            errno.EACCES,
            errno.EPERM,
        }
    return True


def out_of_files() -> bool:
    """Whether no file can be opened at the moment; some libraries do not pass that error on."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    return False
