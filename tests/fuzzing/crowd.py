"""A crowd of clients that mean no good, in a process of its own: `python -m tests.fuzzing.crowd HOST PORT COUNT MANNER`.

Says `ready` when all have connected, and goes on until its standard input ends.
"""

from __future__ import annotations

import asyncio
import resource
import sys

HEAD = b"GET /history HTTP/1.1\r\nHost: x\r\n"
BODY = b"POST /ping/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
MANNERS = ("idle", "slow head", "slow body", "deaf", "kept")


async def client(host: str, port: int, manner: str, connected: asyncio.Semaphore) -> None:
    """One of them; comes again when it is thrown out."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
        except OSError:
            await asyncio.sleep(0.2)
            continue
        try:
            if manner == "kept":
                writer.write(HEAD + b"\r\n")
            if manner == "deaf":
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                writer.write((HEAD + b"\r\n") * 10)
            connected.release()
            for byte in BODY if manner == "slow body" else HEAD:
                if manner in {"slow head", "slow body"}:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(1.0)
            while manner in {"idle", "kept"} and await reader.read(1 << 16):
                pass
            await asyncio.sleep(1.0 if manner != "deaf" else 3600)
        except OSError:
            pass
        finally:
            writer.close()


async def main(host: str, port: str, count: str, manner: str) -> None:
    """All of them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connected = asyncio.Semaphore(0)
    manners = MANNERS if manner == "all" else (manner,)
    tasks = []
    for number in range(int(count)):
        tasks.append(asyncio.create_task(client(host, int(port), manners[number % len(manners)], connected)))
        if number % 200 == 199:
            await asyncio.sleep(0.01)
    for _ in tasks:
        await connected.acquire()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
