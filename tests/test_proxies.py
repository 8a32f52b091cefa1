"""Behind nginx, as docs/operating.md writes it, the daemon is the same to visitors and to published reporters."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
from pathlib import Path

import pytest

from tests import house
from tests.daemon import daemon, until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

NODE = """
[[services]]
id = "jobs"
name = "Jobs"
[[services.nodes]]
id = "backup"
name = "Backup"
mode = "push"
heartbeat = "backup-token"
[[services.nodes]]
id = "worker"
name = "Worker"
mode = "push"
"""

REPORTS = {
    "/v1/report/jobs/worker": '{"replica_id": "a", "interval": 60}',
    "/reporter/jobs/worker/": '{"replica": "a", "interval": 60, "load": {"cpu": 0.1, "ram": 0.1}}',
}


def shown(upstream: str, folder: Path) -> str:
    """The page's own servers as a whole configuration: nothing but its ports, certificate and upstream are ours."""
    servers = "".join(re.findall(r"```nginx\n(server .*?)```", house.texts()["docs/operating.md"], re.DOTALL))
    assert servers.count("http://127.0.0.1:8080;") == 3
    servers = servers.replace("http://127.0.0.1:8080;", f"http://{upstream};")
    servers = re.sub(r"^ +(ssl_certificate.*|listen \[.*)\n", "", servers, flags=re.MULTILINE)
    servers = re.sub(r"listen (\d+)( ssl)?;", rf"listen unix:{folder}/\1;", servers)
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    return (
        f"pid {folder}/pid; error_log {folder}/error; daemon off; master_process off; events {{}}"
        f"http {{ access_log {folder}/access; {paths} {servers} }}"
    )


async def ask(path: Path, request: str) -> tuple[str, dict[str, str]]:
    """The status and the header fields of one answer on a unix socket."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    writer.close()
    fields = (line.partition(": ") for line in head[1:] if line)
    return head[0].split()[1], {name.lower(): value for name, _, value in fields}


@pytest.mark.skipif(NGINX is None, reason="no nginx on this machine: apt install nginx-light")
async def test_nginx_as_the_page_writes_it(tmp_path: Path) -> None:
    """Tags and compression pass; reports end their connection, pages keep it; no token is in the access log."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    async with daemon(tmp_path / "ours", NODE) as app:
        (folder / "nginx.conf").write_text(shown(app.bound[0], folder))
        server = await asyncio.create_subprocess_exec(str(NGINX), "-p", folder, "-c", folder / "nginx.conf")
        try:
            await until((folder / "443").exists)
            host = "Host: status.acme.example\r\n"
            word = base64.b64encode(b":reporter-token").decode()

            question = f"GET / HTTP/1.1\r\n{host}Accept-Encoding: gzip\r\n\r\n"
            while "content-encoding" not in (await ask(folder / "443", question))[1]:
                await asyncio.sleep(0.1)  # a start serves its first page before it is compressed
            status, page = await ask(folder / "443", question)
            assert (status, page["content-encoding"], page["connection"]) == ("200", "gzip", "keep-alive")
            tag = f"If-None-Match: {page['etag']}\r\n"
            status, _ = await ask(folder / "443", f"GET / HTTP/1.1\r\n{host}Accept-Encoding: gzip\r\n{tag}\r\n")
            assert status == "304"
            for door, body in REPORTS.items():
                head = f"POST {door} HTTP/1.1\r\n{host}Authorization: Basic {word}\r\nContent-Length: {len(body)}\r\n"
                status, answer = await ask(folder / "443", f"{head}\r\n{body}")
                assert (status, answer["connection"]) == ("200", "close")
            status, _ = await ask(folder / "443", f"GET /ping/backup-token HTTP/1.1\r\n{host}\r\n")
            assert status == "200"
            status, moved = await ask(folder / "80", f"GET /history HTTP/1.1\r\n{host}\r\n")
            assert (status, moved["location"]) == ("301", "https://status.acme.example/history")
        finally:
            server.terminate()
            await server.wait()

    log = (folder / "access").read_text()
    assert "/v1/report/jobs/worker" in log
    assert "backup-token" not in log
