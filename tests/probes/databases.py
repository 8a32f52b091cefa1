"""Real database servers in the foreground on ports of this machine, each with an empty folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

POSTGRES = [*Path("/usr/lib/postgresql").glob("*/bin/postgres"), *map(Path, filter(None, [shutil.which("postgres")]))]


RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Not the command of that name, which changes to its own user."""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def needed(*programs: str) -> None:
    """Skip the test, loudly in CI, where one of these programs is missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} is not installed; `make test` installs it where it may")


@contextlib.contextmanager
def folder(user: str):
    """An empty folder that belongs to that user, when we are root and it exists; database servers refuse to run as root."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        data = path / "data"
        data.mkdir()
        account = next((u for u in pwd.getpwall() if u.pw_name in {user, "nobody"} and os.geteuid() == 0), None)
        for each in (path, data):
            if account is not None:
                os.chown(each, account.pw_uid, account.pw_gid)
        yield data, account.pw_uid if account is not None else None


@contextlib.asynccontextmanager
async def running(
    *words: str, port: int, user: int | None = None, cwd: Path | None = None, env: dict[str, str] | None = None
) -> AsyncIterator[int]:
    """A program that listens on that port in the end; stopped by SIGTERM, then by SIGKILL."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet, user=user, cwd=cwd, env=env)
    try:
        while True:
            assert process.returncode is None, f"{words[0]} ended by itself"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            await asyncio.sleep(0.05)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def done(*words: str, user: int | None = None, cwd: Path | None = None) -> None:
    """Run a program to its end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, stdout=pipe, stderr=asyncio.subprocess.STDOUT, user=user, cwd=cwd
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@contextlib.asynccontextmanager
async def redis(*options: str) -> AsyncIterator[int]:
    """Redis, or Valkey, which keeps nothing."""
    needed("redis-server")
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *options]
    with tempfile.TemporaryDirectory() as name:
        async with running(*words, port=port, cwd=Path(name)) as found:
            yield found


@contextlib.asynccontextmanager
async def postgres(*, connections: int = 10) -> AsyncIterator[int]:
    """PostgreSQL where every user needs a password."""
    if not POSTGRES:
        pytest.skip("PostgreSQL is not installed; `make test` installs it where it may")
    home, port = POSTGRES[0].resolve().parent, free_port()
    with folder("postgres") as (data, user):
        (data.parent / "password").write_text("secret\n")
        (data.parent / "password").chmod(0o644)
        await done(
            *(str(home / "initdb"), "-D", str(data), "-A", "scram-sha-256", "-U", "owner", "--no-sync"),
            f"--pwfile={data.parent / 'password'}",
            user=user,
            cwd=data,
        )
        words = [str(home / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        words += ["-c", f"max_connections={connections}", "-c", "superuser_reserved_connections=1"]
        async with running(*words, port=port, user=user, cwd=data) as found:
            ready = [str(home / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            while await (await asyncio.create_subprocess_exec(*ready)).wait():  # it listens before it has started
                await asyncio.sleep(0.05)
            yield found


@contextlib.asynccontextmanager
async def mariadb() -> AsyncIterator[int]:
    """MariaDB that allows three errors of a host before it blocks it, and knows jane."""
    needed("mariadbd", "mariadb-install-db")
    port = free_port()
    with folder("mysql") as (data, user):
        await done("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", user=user, cwd=data)
        (data.parent / "users.sql").write_text("CREATE USER jane@'127.0.0.1' IDENTIFIED BY 'secret';\n")
        words = [
            "mariadbd",
            "--no-defaults",
            f"--init-file={data.parent}/users.sql",
            f"--datadir={data}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
        ]
        words += [f"--socket={data}/socket", "--max-connect-errors=3", "--skip-log-bin", f"--pid-file={data}/pid"]
        async with running(*words, port=port, user=user, cwd=data) as found:
            yield found


@contextlib.asynccontextmanager
async def rabbitmq() -> AsyncIterator[int]:
    """RabbitMQ with its management plugin, on whose port it is ready in the end."""
    needed("rabbitmq-server")
    port, own, distribution = free_port(), free_port(), free_port()
    with folder("rabbitmq") as (data, user):
        (data / "rabbitmq.conf").write_text(f"management.tcp.port = {port}\nmanagement.tcp.ip = 127.0.0.1\n")
        (data / "plugins").write_text("[rabbitmq_management].\n")
        environ = {
            "PATH": os.environ["PATH"], "HOME": str(data), "RABBITMQ_NODENAME": f"crisp{own}@localhost",
            "RABBITMQ_BASE": str(data), "RABBITMQ_MNESIA_BASE": str(data / "mnesia"), "RABBITMQ_LOG_BASE": str(data / "log"),
            "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "plugins"),
            "RABBITMQ_PID_FILE": str(data / "pid"), "RABBITMQ_NODE_PORT": str(own), "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }  # fmt: skip
        async with running(RABBITMQ, port=port, user=user, cwd=data, env=environ) as found:
            yield found
