"""When a certificate ends, as health: what the probes that speak TLS have in common."""

from __future__ import annotations

from typing import Final

from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.net.attempt import now
from crisp_status.net.certificate import Certificate, day, iso
from crisp_status.net.stream import Connection
from crisp_status.probes import ProbeError, Reading
from crisp_status.probes._connection import TlsOptions

DAY: Final = 86_400.0


def end_of(der: bytes) -> float:
    """When that certificate ends, in epoch seconds. Raises `ProbeError` when nobody can read it."""
    try:
        return Certificate.read(der).ends_at
    except ValueError as error:
        raise ProbeError(ReasonCode.CERTIFICATE, "the certificate cannot be read") from error


def judged(ends_at: float, sick_days: float) -> Reading:
    """Healthy, or sick when it ends within so many days; `ends_at` 0 is none that anybody looks at."""
    at = now()
    if not ends_at or ends_at - at >= sick_days * DAY:
        return Reading(Health.HEALTHY, FINE)
    ended = "ended" if ends_at <= at else "ends"
    return Reading(
        Health.SICK, Reason(ReasonCode.CERTIFICATE, f"certificate {ended} on {day(ends_at, at)}", iso(ends_at))
    )


def reading(connection: Connection, options: TlsOptions) -> Reading:
    """What the certificate of a connection says."""
    wanted = options.certificate_sick_days and connection.certificate is not None
    return judged(end_of(connection.certificate or b"") if wanted else 0.0, options.certificate_sick_days)
