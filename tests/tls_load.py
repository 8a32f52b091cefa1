"""Tries that take minutes or a great many sockets, run by hand: python -m tests.tls_load [half-open renewal kills]

half-open   10,000 handshakes that nobody goes on with: the page answers, the daemon takes at most 200 MB
renewal     10,000 requests over TLS while the certificate is replaced again and again: not one fails
kills       SIGKILL at 50 random moments of an order: never a broken pair, the old certificate goes on, and at most one
            order too many for each kill
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import ssl
import sys
import tempfile
import time
from pathlib import Path

from crisp_status.tls import keypair
from tests.process import Process
from tests.tls.authority import Pebble

DOMAIN = "status.example.org"

CONFIG = """
[page]
name = "Acme"
url = "https://status.example.org/"
[server]
listen = ["127.0.0.1:{http}", "tls:127.0.0.1:{tls}", "unix:{folder}/http.sock"]
state = "state"
manager_token = "manager-token"
[tls]
{tls_keys}
[[services]]
name = "Site"
[[services.nodes]]
name = "Shop"
mode = "push"
"""

HALF_OPEN = 10_000
MEMORY_MAX = 200.0
REQUESTS = 10_000
KILLS = 50


def memory(pid):
    """Resident megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def anybody():
    """A client that trusts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def hello():
    """A real ClientHello."""
    outgoing = ssl.MemoryBIO()
    client = anybody().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=DOMAIN)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def get(port, context, reader_writer=None):
    """One request over TLS; the status line, and the connection to go on with."""
    reader, writer = reader_writer or await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=DOMAIN
    )
    writer.write(b"GET /status/text HTTP/1.1\r\nHost: status.example.org\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    await reader.readexactly(length)
    return head.partition(b"\r\n")[0].decode(), (reader, writer)


async def half_open(folder):
    """10,000 connections, of which a third sent nothing, a third half a ClientHello, a third a whole one."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (HALF_OPEN + 1000,) * 2)
    pair = keypair.self_signed([DOMAIN], time.time(), days=90)
    (folder / "chain.pem").write_bytes(pair.pem)
    ports = {"http": 18080, "tls": 18443}
    keys = 'certificate = "chain.pem"\nkey = "chain.pem"'
    (folder / "config.toml").write_text(CONFIG.format(folder=folder, tls_keys=keys, **ports))
    async with Process(folder) as one:
        await one.ready()
        await get(ports["tls"], anybody())
        before = memory(one.process.pid)
        whole, held, answers, most = hello(), [], [], before
        for number in range(HALF_OPEN):
            _, writer = await asyncio.open_connection("127.0.0.1", ports["tls"])
            held.append(writer)
            if number % 3:
                writer.write(whole if number % 3 == 1 else whole[: len(whole) // 2])
            if number % 500 == 499:
                began = time.monotonic()
                status, (_, mine) = await get(ports["tls"], anybody())
                answers.append(time.monotonic() - began)
                mine.close()
                assert status.startswith("HTTP/1.1 200"), status
                most = max(most, memory(one.process.pid))
        code, text = await one.ask("GET", "/healthz")
        assert (code, text) == (200, "ok")
        for writer in held:
            writer.transport.abort()
        print(
            f"half-open: {HALF_OPEN} handshakes; memory {before:.0f} MB before, {most:.0f} MB at most; "
            f"a page over TLS meanwhile in {max(answers) * 1000:.0f} ms at most"
        )
        assert most <= MEMORY_MAX


async def renewal(folder):
    """Own files that are replaced twice a second while everybody asks, on kept connections and on fresh ones."""
    ports = {"http": 18081, "tls": 18444}
    keys = 'certificate = "chain.pem"\nkey = "chain.pem"'

    def replace():
        made = keypair.self_signed([DOMAIN], time.time(), days=90)
        draft = folder / "draft.pem"
        draft.write_bytes(made.pem)
        draft.replace(folder / "chain.pem")

    replace()
    (folder / "config.toml").write_text(CONFIG.format(folder=folder, tls_keys=keys, **ports))
    async with Process(folder) as one:
        await one.ready()
        done, failed, seen = 0, [], set()
        over = asyncio.Event()

        async def visitor(*, fresh):
            nonlocal done
            context, connection = anybody(), None
            while not over.is_set():
                try:
                    status, connection = await get(ports["tls"], context, connection)
                    seen.add(connection[1].get_extra_info("ssl_object").getpeercert(binary_form=True))
                    done += 1
                    if status != "HTTP/1.1 200 OK":
                        failed.append(status)
                    if fresh:
                        connection[1].close()
                        connection = None
                except (OSError, asyncio.IncompleteReadError) as error:
                    failed.append(repr(error))
                    connection = None

        async def replacing():
            while not over.is_set():
                await asyncio.sleep(0.5)
                replace()

        tasks = [asyncio.create_task(visitor(fresh=n % 2 == 0)) for n in range(8)] + [asyncio.create_task(replacing())]
        began = time.monotonic()
        while done < REQUESTS or len(seen) < 4:
            await asyncio.sleep(0.1)
            assert time.monotonic() - began < 300, (done, len(seen))
        over.set()
        await asyncio.gather(*tasks)
        print(f"renewal: {done} requests while {len(seen)} certificates were shown; {len(failed)} failed {failed[:3]}")
        assert not failed


async def kills(folder):
    """Each start of the daemon orders a certificate, and is killed in the middle of that."""
    dice = random.Random()
    async with Pebble(folder / "authority", environ={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "1"}) as pebble:
        keys = f'directory = "{pebble.directory}"\nchallenge = "http-01"'
        text = CONFIG.format(folder=folder, tls_keys=keys, http=pebble.http_port, tls=pebble.tls_port)
        (folder / "config.toml").write_text(text)
        environ = {"REQUESTS_CA_BUNDLE": str(pebble.root)}
        store, wrong, whole = folder / "state" / "tls", 0, 0
        for number in range(KILLS):
            # The last certificate is old enough to be renewed: that of another life, or none.
            async with Process(folder, environ=environ) as one:
                await one.says("ordering a certificate", 60)
                await asyncio.sleep(dice.uniform(0.0, 2.5))
                one.kill()
                await one.ended()
            for path in store.glob("*.pem"):
                try:
                    keypair.stored(path.read_bytes())
                    whole += 1
                except keypair.KeyPairError:
                    wrong += 1
                path.unlink()  # so that the next life orders again
            (store / "attempts.json").unlink(missing_ok=True)
            print(f"\rkills: {number + 1} of {KILLS}", end="", flush=True)
        orders = pebble.log().count("POST /order-plz -> calling handler()")
        accounts = pebble.log().count("POST /sign-me-up -> calling handler()")
        async with Process(folder, environ=environ) as one:
            await one.says("a new certificate is shown", 60)
        print(
            f"\rkills: {KILLS} kills; {whole} certificates came through whole, {wrong} pairs were broken; "
            f"{orders} requests for an order, {accounts} for an account; the next life has its certificate"
        )
        left = [p.name for p in store.iterdir()]
        assert wrong == 0
        assert orders <= KILLS * 1.5, "some requests are repeated for a bad nonce"
        assert json.loads(next(store.glob("account-*.json")).read_text())["uri"]
        assert not [name for name in left if name.startswith("order-")], left


TRIES = {"half-open": half_open, "renewal": renewal, "kills": kills}


def main():
    os.umask(0o077)
    for name in sys.argv[1:] or TRIES:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(TRIES[name](Path(folder)))


if __name__ == "__main__":
    main()
