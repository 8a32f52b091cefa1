"""Serving the page over TLS: our daemon against nginx with one worker, the same bytes and the same certificate.

Both take TLS 1.2 and 1.3 with the ciphers of the system's OpenSSL, resume sessions by tickets, and speak HTTP/1.1.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import configs, harness, page
from benchmarks.page import CLOSE, GZIP, Server
from crisp_status.tls import keypair

if TYPE_CHECKING:
    from benchmarks.harness import Row, Settings

NODES = 30
DOMAIN = "status.acme.example"
KEEP_LEAST, NEW_LEAST = 0.6, 0.5
"""Shares of nginx: requests over kept connections, and requests that each bring a handshake."""


def missing() -> str:
    """As for the plain page."""
    return page.missing()


def measure(settings: Settings) -> list[Row]:
    """Kept connections and new ones."""
    rows: list[Row] = []
    with harness.folder() as folder:
        pair = keypair.self_signed([DOMAIN], time.time(), days=90)
        (folder / "pair.pem").write_bytes(pair.pem)
        secure = configs.free_port()
        more = f'[tls]\ndomains = ["{DOMAIN}"]\ncertificate = "pair.pem"\nkey = "pair.pem"\nredirect = false\n'
        with (
            page.ours(NODES, folder, listen=f"tls:127.0.0.1:{secure}", more=more) as plain,
            page.reference(folder, page._port(plain), f"{folder}/pair.pem") as they,
        ):
            we = Server("ours", plain.pid, f"https://127.0.0.1:{secure}/")
            for server in (we, they):
                page.load(server, 1.0, GZIP)
            for name, fields, least in (
                ("gzip", (GZIP,), KEEP_LEAST),
                ("gzip, new connections", (GZIP, CLOSE), NEW_LEAST),
            ):
                found = harness.alternate(
                    settings.rounds,
                    {
                        server.name: lambda server=server, fields=fields: page.load(server, settings.seconds, *fields)
                        for server in (we, they)
                    },
                )
                rows.append(
                    harness.rated(
                        f"page over TLS, {NODES} nodes, {name}", found["ours"], found["nginx"], "nginx", least
                    )
                )
    return rows
