"""Signing in to a database by a driver, which is an extra: what such probes have in common."""

from __future__ import annotations

import importlib.util
import ssl
from typing import Annotated

from pydantic import Field

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.connect import of_family
from crisp_status.net.target import TargetAddress
from crisp_status.net.tools import tools
from crisp_status.probes import Unknowable, expect
from crisp_status.probes._connection import TlsOptions


class SignInOptions(TlsOptions):
    """Keys of a database that can be signed in to."""

    query: Annotated[str, Field(min_length=1, max_length=4096)] = "SELECT 1"
    """What is asked when the address has a password; healthy when it runs."""
    tls: bool = False
    """Sign in through TLS."""


def need(module: str, extra: str) -> None:
    """A `ValueError` when the driver is not installed."""
    if importlib.util.find_spec(module) is None:
        raise ValueError(f"signing in needs a driver: pip install 'crisp-status[{extra}]'; or leave out the password")


async def place(address: TargetAddress, options: SignInOptions) -> tuple[str, ssl.SSLContext | None]:
    """Host and TLS settings for a driver. It connects by itself, so it gets an address that we resolved, or the name for TLS."""
    if options.way.proxy is not None:
        raise Unknowable("signing in goes through no proxy; leave out the password or the proxy", "missing")
    if options.tls:
        expect(f"no TLS with {address.host}:{address.port}", code=ReasonCode.TLS)
        return address.host, tools().tls(options.verify_tls, options.way)
    found = of_family(await tools().resolver.resolve(address.host, address.port), options.way, address.host)
    expect("no sign-in to {peer}", peer=found[0])
    return found[0].ip, None
