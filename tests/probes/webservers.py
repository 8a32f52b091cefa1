"""Real nginx in the foreground, with an empty folder of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.probes.databases import free_port, needed, running

BEGIN = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    {blocks}
}}
"""


@contextlib.asynccontextmanager
async def nginx(blocks: str) -> AsyncIterator[int]:
    """nginx with these blocks, in which PORT stands for the port that is yielded."""
    needed("nginx")
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "nginx.conf"
        file.write_text(BEGIN.format(folder=name, blocks=blocks.replace("PORT", str(port))))
        async with running("nginx", "-e", f"{name}/start", "-c", str(file), port=port) as found:
            yield found
