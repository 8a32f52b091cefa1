"""What comes in on sockets and pipes of our own: ICMP packets of anybody, and what scripts print and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from crisp_status.net import tools as net_tools
from crisp_status.net.ping import ANSWER, ERRORS, TOKEN_BYTES, Pinger
from crisp_status.net.resolve import Address
from crisp_status.probes import ProbeError, Unknowable
from crisp_status.probes.script import OUTPUT_MAX
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.outside import LOOK_SECONDS, SLACK_SECONDS
from tests.fuzzing.world import World
from tests.probes.servers import looked

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
FLOOD = 1500
"""Packets of a flood, sent so that the loop has its turn between them."""


@contextlib.asynccontextmanager
async def pings(world: World) -> AsyncIterator[Attempt]:
    """ICMP of strangers: no packet ends a ping but the right answer or complaint; floods hold up no look for long."""
    async with net_tools.opened():

        async def attempt(dice: Random) -> str:
            family = dice.choice(tuple(HOSTS))
            try:
                return await (flooded if dice.random() < 0.1 else heard)(dice, family)
            except Unknowable:
                return "may not ping"

        yield attempt


class Wire:
    """How packets of a family look to a socket: a raw one of IPv4 gets the header of the network, too."""

    def __init__(self, family: socket.AddressFamily, raw: bool) -> None:
        self.family = family
        self.raw = raw
        self.head = 20 if family == socket.AF_INET and raw else 0
        self.target = socket.inet_pton(family, HOSTS[family])

    def answer(self, kind: int, id: int, number: int, token: bytes) -> bytes:
        """To an echo request."""
        return bytes(self.head) + struct.pack("!2B3H", kind, 0, 0, id, number) + token

    def complaint(self, kind: int, target: bytes, id: int, number: int) -> bytes:
        """Of a router, with the start of the packet that it could not hand on."""
        quoted = bytes(16 if self.family == socket.AF_INET else 24) + target
        return (
            bytes(self.head)
            + struct.pack("!2B3H", kind, 1, 0, 0, 0)
            + quoted
            + struct.pack("!2B3H", 8, 0, 0, id, number)
        )

    def ends(self, packet: bytes, id: int, number: int, token: bytes) -> bool:
        """Whether this packet may end the wait for that answer."""
        kind = packet[self.head] if len(packet) > self.head else -1
        if kind == ANSWER[self.family]:
            said = packet[self.head + 4 : self.head + 8]
            return (
                len(said) == 4
                and (not self.raw or said[:2] == id.to_bytes(2))
                and said[2:] == number.to_bytes(2)
                and packet.endswith(token)
            )
        place = self.head + 8 + (20 if self.family == socket.AF_INET else 40)
        return (
            kind in ERRORS[self.family]
            and packet[place - len(self.target) : place] == self.target
            and len(packet) >= place + 8
            and packet[place + 4 : place + 8] == id.to_bytes(2) + number.to_bytes(2)
        )

    def stranger(self, dice: Random, id: int, number: int, token: bytes) -> bytes:
        """Nearly right, now and then quite."""
        odd = dice.random() < 0.7
        number ^= dice.choice((0, 1, 1 << 15)) if odd else 0
        id ^= dice.choice((0, 0, 1)) if odd else 0
        token = dice.choice((token, dice.randbytes(TOKEN_BYTES), token[:-1], b"")) if odd else token
        if dice.random() < 0.5:
            packet = self.answer(dice.choice((ANSWER[self.family],) * 9 + (8, 128, 255)), id, number, token)
        else:
            target = self.target if not odd else dice.choice((self.target, bytes(len(self.target)), b""))
            packet = self.complaint(dice.choice((*ERRORS[self.family], 12, 4)), target, id, number)
        packet = chance.mangled(dice, packet, 0.4)
        return packet[: dice.randrange(len(packet) + 1)] if dice.random() < 0.2 else packet


async def heard(dice: Random, family: socket.AddressFamily) -> str:
    """A ping whose own answer is not read: only what is right by every rule ends it."""
    pinger = Pinger(family)
    pinger._loop.remove_reader(pinger._sock)
    if dice.random() < 0.3:
        pinger.privileged = pinger._icmp._privileged = False  # as a socket that needs no right hears it
    wire = Wire(family, pinger.privileged)
    waiting = asyncio.ensure_future(pinger.ping(Address(family, (HOSTS[family], 0))))
    await asyncio.sleep(0)
    ((token, waiter),) = pinger._waiting.items()
    outcome = "passed over"
    for _ in range(30):
        packet = wire.stranger(dice, pinger._id, waiter.sequence, token)
        if not wire.raw and packet[:1] and packet[0] in ERRORS[family]:
            continue  # the kernel keeps complaints from such a socket
        pinger._hear(packet, ("192.0.2.1", 0))
        right = wire.ends(packet, pinger._id, waiter.sequence, token)
        claim(waiter.answered.done() == right, "ended" if not right else "did not end", "a ping:", packet, wire.raw)
        if right:
            break
    if waiter.answered.done():
        try:
            claim(await waiting >= 0, "a time before it was sent")
            outcome = "answered"
        except ProbeError as error:
            claim(str(error).isprintable(), "not for people:", str(error))
            outcome = "complained of"
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    claim(not pinger._waiting and not pinger._by_number, "a ping that is over is remembered")
    pinger.close()
    return outcome


async def flooded(dice: Random, family: socket.AddressFamily) -> str:
    """Real pings while real packets of a stranger come in."""
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        stranger = socket.socket(family, socket.SOCK_RAW, protocol)
    except PermissionError:
        return "may not flood"
    host = HOSTS[family]
    wire = Wire(family, raw=False)
    url = f"icmp://[{host}]" if ":" in host else f"icmp://{host}"
    began = time.monotonic()
    with stranger:
        stranger.setblocking(False)
        looks = [asyncio.ensure_future(looked(url, delay_dead=LOOK_SECONDS, retry=1)) for _ in range(10)]
        for sent in range(FLOOD):
            packet = wire.stranger(dice, dice.randrange(1 << 16), dice.randrange(1 << 16), dice.randbytes(TOKEN_BYTES))
            with contextlib.suppress(OSError):
                stranger.sendto(packet or b"\0", (host, 0))
            if sent % 50 == 0:
                await asyncio.sleep(0)
        seen = await asyncio.gather(*looks)
    took = time.monotonic() - began
    claim(took < 2 * LOOK_SECONDS + SLACK_SECONDS, f"{took:.1f} s")
    for one in seen:
        claim(one.cause != "bug" and one.reason.text.isprintable(), "a look in a flood:", one)
    after = await looked(url, delay_dead=SLACK_SECONDS)
    claim(after.outcome == "healthy", "after a flood:", after)
    return "flooded"


LEFT = f"5.{os.getpid()}"
"""Seconds that nothing of a script lasts, and by which it is known in the list of processes."""

SCRIPTS = (
    "yes", "cat /dev/zero", "cat /dev/urandom", "yes >&2 & yes", "printf 'no end of line'; exit 1", "head -c 200000 /dev/urandom; exit 1",
    "head -c 70000 /dev/zero; exit 3", f"exec >&- 2>&-; sleep {LEFT}", "exec >&- 2>&- 0<&-; exit 1", f"sleep {LEFT} & exit 1",
    f"sleep {LEFT} & sleep {LEFT} & echo on; exit 2", f"(trap '' TERM HUP INT QUIT; sleep {LEFT}) & echo x; exit 0", "cat; exit 1",
    f"trap '' TERM HUP INT; echo stays; sleep {LEFT}", "while :; do printf x; sleep 0.01; done", "while :; do echo; done",
    f"for i in 1 2 3 4 5 6; do sleep {LEFT} & done; wait", "kill -STOP $$", "ulimit -n 3; cat /dev/null < /dev/null; exit 1", "exec /no/such",
    "setsid sh -c 'sleep 0.3; echo late' & exit 1", "#!", "#! ", '#!"', "#!/bin/sh -c 'x", "#!/\necho", "#!/dev/null\n", "#!/bin/cat\n\x1b[31m", "\0", "#!\0",
    "#!/bin/echo " + "x " * 9000 + "\n", "#!/bin/sh " + "y" * 300_000, ":\n" * 40_000 + "exit 1", "#\u202e\nexit 1",
)  # fmt: skip


@contextlib.asynccontextmanager
async def scripts(world: World) -> AsyncIterator[Attempt]:
    """Scripts that print and end as they like: a verdict in time, in plain words, and nothing of them is left."""
    files = open_files()
    async with net_tools.opened(scripts=4):

        async def attempt(dice: Random) -> str:
            script = dice.choice(SCRIPTS)
            how = dice.randrange(3)
            if how == 1:
                script = (
                    f"printf %s {shlex.quote(said(dice))}; exit {dice.choice((0, 1, 1, 2, 126, 127, 128, 255, 256))}"
                )
            if how == 2:
                script = f"printf %s {shlex.quote(said(dice))}; kill -{dice.choice(range(1, 65))} $$; exit 1"
            began = time.monotonic()
            seen = await looked(script, "script", delay_dead=dice.choice((0.01, LOOK_SECONDS, LOOK_SECONDS)))
            took = time.monotonic() - began
            claim(took < LOOK_SECONDS + SLACK_SECONDS, f"{took:.1f} s for", script)
            claim(seen.cause != "bug", "a bug of ours:", seen.reason.text, script)
            for text in (seen.reason.text, seen.reason.value, seen.reason.code, *seen.lines().split("\n")):
                claim(text.isprintable() and len(text) <= OUTPUT_MAX + 200, "not for people:", text[:300], script)
            return f"{seen.outcome} {seen.reason.code}".rstrip()

        yield attempt
    await asyncio.sleep(0.05)
    claim(not left(), "left behind:", left())
    # A visitor of the page comes and goes meanwhile.
    claim(open_files() <= files + 8, "files stay open:", files, open_files())


def said(dice: Random) -> str:
    """A word that can stand in a command line."""
    return chance.word(dice).replace("\0", "").encode("utf-8", "replace").decode()


def open_files() -> int:
    """Of this process."""
    return len(os.listdir("/proc/self/fd"))


def left() -> list[str]:
    """Processes of scripts that still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = place.read_bytes()
            if LEFT.encode() in line:
                found.append(repr(line))
    return found
