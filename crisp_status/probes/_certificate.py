"""When a certificate ends, as health: what the probes that speak TLS have in common."""

from __future__ import annotations

from typing import Final, NamedTuple

from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.net.attempt import now
from crisp_status.net.certificate import Certificate, day, iso
from crisp_status.net.stream import Connection
from crisp_status.probes import ProbeError, Reading
from crisp_status.probes._connection import TlsOptions

DAY: Final = 86_400.0


class Ending(NamedTuple):
    """The certificate of a chain that ends first."""

    at: float = 0.0
    """Epoch seconds; 0: there is none that anybody looks at."""
    whose: str = ""
    """Of one that is not the server's own: its name."""


def first_ending(chain: list[bytes]) -> Ending:
    """Of a chain that begins with the server's own certificate. Raises `ProbeError` when nobody can read that."""
    found = Ending()
    for place, der in enumerate(chain):
        try:
            read = Certificate.read(der)
        except ValueError as error:
            if not place:
                raise ProbeError(ReasonCode.CERTIFICATE, "the certificate cannot be read") from error
            continue
        if not found.at or read.ends_at < found.at:
            found = Ending(read.ends_at, read.subject if place else "")
    return found


def judged(ending: Ending, sick_days: float) -> Reading:
    """Healthy, or sick when it ends within so many days."""
    at = now()
    if not ending.at or ending.at - at >= sick_days * DAY:
        return Reading(Health.HEALTHY, FINE)
    ended = "ended" if ending.at <= at else "ends"
    what = f"certificate of {ending.whose} in the chain" if ending.whose else "certificate"
    text = f"{what} {ended} on {day(ending.at, at)}"
    return Reading(Health.SICK, Reason(ReasonCode.CERTIFICATE, text, iso(ending.at)))


def reading(connection: Connection, options: TlsOptions) -> Reading:
    """What the certificates of a connection say."""
    wanted = options.certificate_sick_days and connection.certificate is not None
    return judged(first_ending(connection.chain()) if wanted else Ending(), options.certificate_sick_days)
