"""One GET of an API that answers JSON: what probes of servers with such an API have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.config.hostname import ascii_host
from crisp_status.net.http_client import HttpRequest, exchange, request_bytes
from crisp_status.net.tools import tools
from crisp_status.probes._connection import web_way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.net.target import TargetAddress
    from crisp_status.probes._connection import TlsOptions


async def fetched(
    address: TargetAddress, path: str, secure: bool, options: TlsOptions, fields: Mapping[str, str]
) -> tuple[int, bytes]:
    """Status and body of the answer. Raises `ProbeError` when none came."""
    host = options.server_name or ascii_host(address.host)
    given = {
        "Host": f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}",
        "User-Agent": tools().user_agent,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        **fields,
    }
    wire = request_bytes("GET", path, given, b"")
    way = web_way(options, secure, address.host, address.port)
    response = await exchange(
        HttpRequest("GET", path, secure, address.host, address.port, wire, options.verify_tls, way)
    )
    try:
        return response.status, await response.read()
    finally:
        response.close()
