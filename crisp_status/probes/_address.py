"""The address of a target with a path, for a probe at work."""

from __future__ import annotations

from crisp_status.net.target import TargetAddress, parse
from crisp_status.probes import Unknowable


def known_address(target: str, default_port: int) -> TargetAddress:
    """The parts of an address; one that cannot be understood is an error of ours."""
    try:
        return parse(target, default_port)
    except ValueError as error:
        raise Unknowable(f"the address cannot be used: {error}", "missing") from None
