"""Kill a daemon while it tells its subscribers: `python -m tests.subscriber_siege --kills 20 --subscribers 1000`.

A real daemon in a process of its own, a real mail server here. At the end everybody has had each message, and nobody one of
them twice more often than the daemon was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections import Counter
from pathlib import Path

from tests.daemon import listening, until
from tests.process import Process
from tests.receivers import SmtpReceiver

CONFIG = """
[poll]
interval = 1
retry = 0
delay_dead = 1
[notify]
group_wait = 0
[subscribers]
email = true
after = 0
per_minute = 100000
from = "news@acme.example"
smtp_host = "127.0.0.1"
smtp_port = {smtp}
smtp_security = "none"
[[services]]
name = "Web"
nodes = [{{name = "Landing page", replicas = ["tcp://127.0.0.1:{port}"]}}]
"""


async def besiege(folder: Path, kills: int, subscribers: int, seed: int = 1) -> Counter[int]:
    """How many got the opening how often, by number of copies; raises when somebody got none, or too many got two."""
    dice = random.Random(seed)
    async with SmtpReceiver(security="none") as server:
        async with listening() as port, Process(folder, CONFIG.format(smtp=server.port, port=port)) as first:
            await first.ready(90)
            for start in range(0, subscribers, 500):
                those = [{"address": f"reader{n}@example.com"} for n in range(start, min(start + 500, subscribers))]
                await first.ask("POST", "/manager/subscribers", {"subscribers": those})
            await until_healthy(first)
        for _ in range(kills):
            async with Process(folder) as one:
                await one.ready(90)
                before = len(server.mails)
                await until(lambda: len(server.mails) > before, 30)  # noqa: B023
                await asyncio.sleep(dice.random() * 0.05)
                one.kill()
        async with Process(folder) as last:
            await last.ready(90)
            await until(lambda: len({m.recipients[0] for m in server.mails}) == subscribers, 120)
        copies = Counter(Counter(m.recipients[0] for m in server.mails).values())
    twice = sum((many - 1) * how_many for many, how_many in copies.items())
    assert twice <= kills, f"{twice} messages came twice in {kills} kills"
    return copies


async def until_healthy(one: Process) -> None:
    """Until its first look is over."""
    async with asyncio.timeout(30):
        while (await one.ask("GET", "/manager/status"))[1]["health"] != "healthy":
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--subscribers", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(asyncio.run(besiege(Path(place) / "daemon", given.kills, given.subscribers)))
