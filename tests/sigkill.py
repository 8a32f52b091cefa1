"""Real daemons under load, killed with SIGKILL at random moments, and started again on what is left.

    python -m tests.sigkill --rounds 200 --seed 1      or --seconds 600

Each round starts `crisp-status run`, checks that everything it ever acknowledged or showed is still there, loads it with
reports, operators' words and targets that die and come back, and kills it: while it starts, works, or stops. At the end
everything is well and nothing is killed any more; then every message that was ever owed must have arrived.

What must hold: every start is clean; no operator's word that was answered with 200 is lost; no incident and no message
that was ever shown is lost; every message arrives at least once; one arrives twice only when a kill fell between the
receiver's yes and its record.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp

from crisp_status.core.model import State
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.store.state_folder import read_only
from tests.process import Process
from tests.receivers import HttpReceiver, Reply, SmtpReceiver

REPORTER = {"Authorization": aiohttp.encode_basic_auth("", "reporter-token")}
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

NODES = 6
SLOW = 0.1
"""Seconds that the mail server may take between having a mail and saying so."""

YES_TO_THE_DEAD = 0.5
"""Seconds after a kill in which a receiver may read what was sent before it."""

ANNOUNCEMENTS = 200
"""Posted at once; the daemon takes a thousand, and then no more."""

START_SECONDS = 60.0
"""A start takes one second; on a busy machine many."""

FIRST_ROUND = 3.0
"""Seconds, long enough for something to die and to be told."""

TWICE_WITHIN = 3.0
"""Seconds before a kill in which a yes may not have been recorded yet: one that is older must have been."""

CONFIG = """
[poll]
interval = 1
retry = 0
delay_dead = 1
[notify]
group_wait = 0.1
reminder_interval = 4
flap_changes = 100
flap_window = 60
[[notifiers]]
type = "email"
id = "mail"
on = ["dead", "sick", "recovered"]
to = ["ops@acme.example"]
from = "status@acme.example"
smtp_host = "127.0.0.1"
smtp_port = {mail}
smtp_security = "none"
[[webhooks]]
id = "hook"
url = "{hook}"
secret = "{secret}"
[[services]]
id = "app"
name = "App"
[[services.nodes]]
id = "api"
name = "API"
mode = "push"
"""


class Targets(HttpReceiver):
    """Polled addresses; those in `ill` answer 503."""

    def __init__(self):
        super().__init__()
        self.ill = set()

    def reply(self, request):
        self.requests.clear()
        return Reply(503 if request.path in self.ill else 200)


class Arrivals:
    """Which message arrived when, of those to which the receiver said yes."""

    def __init__(self, dice):
        self.dice = dice
        self.mood = 0.7
        """How often a receiver says yes."""
        self.at = {}
        """By receiver's id of the message: times of every yes."""

    def takes(self, id):
        """Whether the receiver says yes to this one."""
        if self.dice.random() >= self.mood:
            return False
        self.at.setdefault(id, []).append(time.time())
        return True


class Hooks(HttpReceiver):
    """A web hook that says yes, no, or nothing."""

    def __init__(self, arrivals):
        super().__init__()
        self.arrivals = arrivals
        self.bodies = {}

    def reply(self, request):
        self.requests.clear()
        id = request.headers["webhook-id"]
        if self.arrivals.takes(id):
            self.bodies[id] = request.json()["data"]["health"]
            return Reply(200, b"ok")
        return self.arrivals.dice.choice([Reply(503), Reply(raw=b""), Reply(raw=b"garbage\r\n\r\n"), Reply(429)])


class Mails(SmtpReceiver):
    """A mail server that takes a mail or asks to come back later."""

    def __init__(self, arrivals):
        super().__init__("none")
        self.arrivals = arrivals
        self.threads = {}
        """Subjects by thread, in order of arrival."""

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.data = "250 2.0.0 taken"
        await super().handle_DATA(server, session, envelope)
        message = self.mails.pop().message
        if not self.arrivals.takes(message["Message-ID"]):
            return "451 4.3.0 come back later"
        if message["References"]:
            self.threads.setdefault(message["References"], []).append(message["Subject"])
        # It has it, and is slow to say so.
        await asyncio.sleep(self.arrivals.dice.random() * SLOW)
        return "250 2.0.0 taken"


class Faults(AssertionError):
    """A promise that was broken."""


class Siege:
    """All rounds on one state folder."""

    def __init__(self, folder, seed):
        self.folder = Path(folder)
        self.dice = random.Random(seed)
        self.counts = Counter()
        self.arrivals = Arrivals(self.dice)
        self.kills = []
        self.tired = False
        """Whether applications report too much load now and then."""
        self.words = {}
        """What operators said and got a 200 for: (kind, id) → what must be true: True is there, False is gone."""
        self.doubt = set()
        """Words that got no answer: both are right."""
        self.incidents = {}
        """Every incident that was ever shown: id → whether it was shown as closed."""
        self.messages = {}
        """Every message of the outbox or of the attempts that was ever shown: id → kind."""
        self.delivered = {}
        self.overtaken = set()
        """Those that were shown as delivered: id → when that was seen."""
        self.slowest = 0.0
        self.window = 0.0
        """Longest time between a yes and the kill that made it come again."""

    def check(self, condition, what):
        if not condition:
            raise Faults(what)
        self.counts["checks"] += 1

    async def run(self, rounds, seconds=float("inf")):
        """All of it, in at most so many rounds and no new one after so many seconds; raises `Faults`."""
        ends = time.monotonic() + seconds
        async with Targets() as self.targets, Hooks(self.arrivals) as self.hook, Mails(self.arrivals) as self.mail:
            config = CONFIG.format(mail=self.mail.port, hook=self.hook.url("/hook"), secret=WHSEC)
            for number in range(NODES):
                config += f'[[services]]\nname = "S{number}"\n[[services.nodes]]\nname = "N"\n'
                config += f'replicas = ["{self.targets.url(f"/{number}")}"]\n'
            self.config = config
            for self.round in range(rounds):
                await self.one_round()
                if time.monotonic() > ends:
                    break
                if self.round % 20 == 19:
                    print(f"{self.round + 1} rounds", file=sys.stderr, flush=True)
            await self.calm()
        self.judge()

    async def one_round(self):
        how = self.dice.choices(["working", "starting", "stopping"], [70, 15, 15])[0] if self.round else "working"
        self.counts[f"killed while {how}"] += 1
        process = Process(self.folder, self.config)
        began = time.monotonic()
        async with process:
            if how == "starting":
                await asyncio.sleep(self.dice.random() * max(1.0, 1.3 * self.slowest))
            else:
                await self.begin(process, began)
                await self.load(process, self.dice.uniform(0.1, 2.5) if self.round else FIRST_ROUND)
                if how == "stopping":
                    process.signal(signal.SIGTERM)
                    await asyncio.sleep(self.dice.random() * 0.5)
            self.kills.append(time.time())
            process.kill()
            await process.ended()
        self.read_log(process)

    async def begin(self, process, began):
        """Up, with everything it ever knew."""
        await process.ready(START_SECONDS)
        self.slowest = max(self.slowest, time.monotonic() - began)
        await self.look(process)
        await self.compare(process)
        with contextlib.suppress(OSError, TimeoutError):
            await process.ask("POST", "/manager/outbox/retry")

    def read_log(self, process):
        """An error of ours in the log is a broken promise, whatever happened."""
        for line in process.log:
            if line.get("level") in {"error", "critical"} or "Traceback" in line["event"]:
                raise Faults(f"round {self.round}: {line}\n{process.text[-3000:]}")
            if "half written" in line["event"]:
                self.counts["torn ends"] += 1

    async def look(self, process):
        """Note what it shows: whatever was shown must be there for ever."""
        _, found = await process.ask("GET", "/manager/incidents")
        now = time.time()
        shown = {i["id"]: bool(i["closed_at"]) for i in found}
        if shown:
            newest = max(shown)
            for id in self.incidents:
                self.check(id <= newest, f"incident {id} is lost")
                # It lists those that are open, and the last fifty that are over.
                self.check(id in shown or id < newest - 45, f"incident {id} is lost; {sorted(shown)}")
        else:
            self.check(not self.incidents, f"all incidents are lost: {self.incidents}")
        self.incidents.update(shown)
        _, box = await process.ask("GET", "/manager/outbox")
        self.check(box["gave_up"] == 0, "a message was given up")
        ended = {a["message"] for a in box["attempts"] if a["outcome"] == "delivered"}
        waiting = {m["id"] for m in box["messages"]}
        for id in waiting:
            self.check(id not in self.delivered, f"message {id} was delivered, and is owed again")
        # A newer web hook says all that an older one did, which is dropped when that one is late.
        self.overtaken |= {a["message"] for a in box["attempts"] if (a["kind"], a["outcome"]) == ("hook", "dropped")}
        for id in set(self.messages) - set(self.delivered) - self.overtaken:
            self.check(id in waiting or id in ended, f"message {id} ({self.messages[id]}) is lost")
        for id in ended:
            self.delivered.setdefault(id, now)
        self.messages.update({m["id"]: m["kind"] for m in box["messages"]})
        self.messages.update({a["message"]: a["kind"] for a in box["attempts"]})

    async def compare(self, process):
        """Every word that was answered."""
        _, announced = await process.ask("GET", "/manager/announcements")
        _, silenced = await process.ask("GET", "/manager/silences")
        _, devices = await process.ask("GET", "/operator/push/subscriptions")
        _, incidents = await process.ask("GET", "/manager/incidents")
        there = {("announcement", a["title"]) for a in announced} | {("silence", s["scope"]) for s in silenced}
        there |= {("device", d["id"]) for d in devices}
        there |= {("ack", i["id"]) for i in incidents if i["acknowledgements"]}
        listed = {i["id"] for i in incidents}
        for word, wanted in self.words.items():
            if word in self.doubt or (word[0] == "ack" and word[1] not in listed):
                continue
            self.check((word in there) is wanted, f"round {self.round}: {word} should be {wanted}, is {not wanted}")
            self.counts["words compared"] += 1
        self.known = {a["title"]: a["id"] for a in announced}
        self.silent = {s["scope"]: s["id"] for s in silenced}

    async def load(self, process, seconds):
        """Everything at once, for so long; whoever is cut off by the kill does not mind."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(
                    self.flip(),
                    self.operate(process),
                    *(self.report(process, n) for n in range(3)),
                    self.watch(process),
                )

    async def flip(self):
        """Targets and applications fall ill and get well; in some rounds all stay well, so that incidents end."""
        well = self.dice.random() < 0.5 and self.round > 0
        self.tired = not well
        if well:
            self.targets.ill.clear()
        while True:
            path = f"/{self.dice.randrange(NODES)}"
            (self.targets.ill.discard if well or self.dice.random() < 0.5 else self.targets.ill.add)(path)
            await asyncio.sleep(self.dice.random() * 0.3)

    async def report(self, process, number):
        while True:
            load = {"cpu": 0.99 if self.tired and self.dice.random() < 0.05 else 0.1, "ram": 0.1}
            body = {"replica_id": f"r{number}-{self.dice.randrange(3)}", "interval": 30, "load": load}
            with contextlib.suppress(OSError):
                await process.ask("POST", "/v1/report/app/api", body, REPORTER)
                self.counts["reports"] += 1
            await asyncio.sleep(0.02)

    async def watch(self, process):
        while True:
            await asyncio.sleep(0.2)
            with contextlib.suppress(OSError):
                await self.look(process)

    async def operate(self, process):
        """Operators speak as fast as they are answered."""
        serial = 0
        while True:
            serial += 1
            say = self.dice.choice(
                [self.announce, self.announce, self.withdraw, self.silence, self.acknowledge, self.test]
            )
            if len(self.known) > ANNOUNCEMENTS:
                say = self.withdraw
            with contextlib.suppress(OSError):
                await say(process, f"{self.round}-{serial}")
            await asyncio.sleep(0.005)

    async def word(self, process, word, wanted, method, path, body=None):
        """Say it; from now on it must be so. Without an answer nobody knows."""
        self.doubt.add(word)
        status, told = await process.ask(method, path, body)
        if status == 200:
            self.words[word] = wanted
            self.counts["words"] += 1
            self.doubt.discard(word)
        elif status == 404 or (status == 409 and word[0] == "ack"):
            self.doubt.discard(word)
        else:
            raise Faults(f"{method} {path} answered {status}: {told}")
        return told

    async def announce(self, process, serial):
        title = f"Work {serial}"
        told = await self.word(
            process, ("announcement", title), True, "POST", "/manager/announcement", {"title": title, "text": "Soon."}
        )
        self.known[title] = told["id"]

    async def withdraw(self, process, serial):
        if len(self.known) > 20:
            title = self.dice.choice(sorted(self.known))
            await self.word(
                process, ("announcement", title), False, "DELETE", f"/manager/announcement/{self.known[title]}"
            )
            del self.known[title]

    async def silence(self, process, serial):
        scope = f"s{self.dice.randrange(2)}"  # the others stay loud
        if scope in self.silent:
            await self.word(process, ("silence", scope), False, "DELETE", f"/manager/silences/{self.silent.pop(scope)}")
            return
        told = await self.word(
            process, ("silence", scope), True, "POST", "/manager/silences", {"seconds": 86400, "scope": scope}
        )
        self.silent[scope] = told["id"]

    async def acknowledge(self, process, serial):
        going = [id for id, closed in self.incidents.items() if not closed]
        if going:
            id = self.dice.choice(going)
            await self.word(process, ("ack", id), True, "POST", f"/manager/incidents/{id}/ack", {"by": "jane"})

    async def test(self, process, serial):
        """A test message through both; it is owed from the answer on."""
        if len(set(self.messages) - set(self.delivered)) < 30:
            status, told = await process.ask("POST", "/manager/notify-test", {})
            if status == 200:
                self.counts["words"] += 1
                self.messages.update({m["id"]: "test" for m in told["messages"]})

    async def calm(self):
        """Everything is well, nobody is killed: what is owed arrives, and the end is saved."""
        self.targets.ill.clear()
        self.arrivals.mood = 1.0
        process = Process(self.folder, self.config)
        async with process:
            await self.begin(process, time.monotonic())
            for scope in list(self.silent.values()):
                await process.ask("DELETE", f"/manager/silences/{scope}")
            async with asyncio.timeout(60):
                while True:
                    for n in range(9):
                        body = {"replica_id": f"r{n // 3}-{n % 3}", "interval": 30, "load": {"cpu": 0.1, "ram": 0.1}}
                        await process.ask("POST", "/v1/report/app/api", body, REPORTER)
                    await process.ask("POST", "/manager/outbox/retry")
                    await self.look(process)
                    _, tree = await process.ask("GET", "/manager/status")
                    if tree["health"] == "healthy" and not tree["incidents"] and not tree["outbox"]["waiting"]:
                        break
                    await asyncio.sleep(0.3)
            process.signal(signal.SIGTERM)
            self.check(await process.ended() == 0, "the last stop is clean")
        self.read_log(process)

    def judge(self):
        """Compare what is on disk at the very end with what arrived."""
        found = read_only(self.folder / "state")
        world = World(found.state or State())
        for _, event in found.events:
            step(world, event)
        state = world.state
        self.check(not found.notes, f"{found.notes}")
        self.check(not state.open and not state.outbox, "nothing is left")
        kept = sorted(i.id for i in state.closed)
        self.check(
            kept == list(range(1, state.next_incident)), f"incidents are lost: {kept} of {state.next_incident - 1}"
        )
        told = [i for i in state.closed if i.told.get("mail")]
        self.counts["incidents"] = len(state.closed)
        self.counts["incidents told"] = len(told)
        arrived = set(self.arrivals.at)
        hooks = {id for id in arrived if id in self.hook.bodies}
        mails = arrived - hooks
        self.overtaken |= {a.message for a in state.attempts if (a.kind, a.outcome) == ("hook", "dropped")}
        owed_hooks = {id for id in self.messages if id.endswith("-hook")} - self.overtaken
        owed_mails = set(self.messages) - owed_hooks - self.overtaken
        self.check(owed_hooks <= hooks, f"hooks never arrived: {owed_hooks - hooks}")
        self.check(len(mails) >= len(owed_mails), f"{len(owed_mails)} mails were owed, {len(mails)} arrived")
        # Every message of the state has a number; each that was made has arrived, whoever saw it.
        ended = len(arrived | self.overtaken)
        self.check(ended == state.next_message - 1, f"{state.next_message - 1} made, {ended} arrived or overtaken")
        self.check(len(self.mail.threads) == len(told), f"{len(told)} incidents told, {len(self.mail.threads)} threads")
        # What is silenced until the end may be the rest of an incident of which the told part is over.
        for subjects in self.mail.threads.values():
            well = subjects[-1].startswith(("UP", "HEALTHY AGAIN"))
            self.check(well, f"the last word is no recovery: {subjects}")
        changes = [self.hook.bodies[id] for id in self.hook.bodies if self.messages.get(id) != "test"]
        self.check(changes[-1:] in ([], ["healthy"]), f"the last hook says {changes[-1:]}")
        self.twice()
        self.counts["messages"] = len(arrived)

    def twice(self):
        """A second arrival needs a kill soon after the first."""
        for id, times in self.arrivals.at.items():
            for first, second in itertools.pairwise(times):
                # Within a moment the receiver may still say yes to one that is dead.
                between = [kill for kill in self.kills if first - YES_TO_THE_DEAD <= kill <= second]
                self.check(between, f"{id} arrived twice, and no kill between: {first:.3f} {second:.3f}")
                self.window = max(self.window, between[0] - first)
                self.check(between[0] - first < TWICE_WITHIN, f"{id} was not recorded for {between[0] - first:.1f} s")
                self.counts["arrived twice"] += 1

    def summary(self):
        counts = self.counts
        kills = ", ".join(f"{counts[f'killed while {how}']} while {how}" for how in ("working", "starting", "stopping"))
        return (
            f"{len(self.kills)} SIGKILLs ({kills}); every start clean (slowest {self.slowest:.1f} s), "
            f"{counts['torn ends']} torn ends cut off\n"
            f"{counts['words']} operators' words answered with 200, 0 lost ({counts['words compared']} comparisons; "
            f"{len(self.doubt)} cut off unanswered); {counts['reports']} reports\n"
            f"{counts['incidents']} incidents, 0 lost; {counts['incidents told']} told, each from its beginning to its end\n"
            f"{counts['messages']} messages owed, {counts['messages']} arrived, 0 lost; {counts['arrived twice']} arrived "
            f"twice, each across a kill at most {self.window * 1000:.0f} ms after the receiver's yes\n"
            f"{counts['checks']} checks"
        )


async def besiege(folder, rounds, seed, seconds=float("inf")):
    """A siege of so many rounds or seconds; raises `Faults`."""
    siege = Siege(folder, seed)
    await siege.run(rounds, seconds)
    return siege


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=0, help="default: 20, or as many as there is time for")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no round after so long")
    parser.add_argument("--seed", type=int, default=None, help="default: by chance")
    asked = parser.parse_args()
    rounds = asked.rounds or (20 if asked.seconds == float("inf") else 100_000)
    seed = random.randrange(10**9) if asked.seed is None else asked.seed
    with tempfile.TemporaryDirectory(prefix="sigkill-") as folder:
        began = time.monotonic()
        try:
            siege = asyncio.run(besiege(folder, rounds, seed, asked.seconds))
        except AssertionError as fault:
            print(f"seed {seed}: BROKEN: {fault}")
            return 1
        print(siege.summary())
        print(f"seed {seed}, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
