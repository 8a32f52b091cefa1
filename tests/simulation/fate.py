"""What befalls a simulated world, and who comes to see: one thing after another, and then calm."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

from tests.simulation.clients import MANAGER, Call, written
from tests.simulation.host import PORT
from tests.simulation.laws import LawBroken
from tests.simulation.outside import RECEIVER_MODES
from tests.simulation.town import CROWD, DAEMON

if TYPE_CHECKING:
    from tests.simulation.night import Night

ANSWER_MAX = 3.0
"""Seconds for any answer of a daemon that is well, the network's included."""

CALM_SECONDS = 3600.0
"""A message that was refused again and again is tried again within this."""

SOCKETS_LEFT = 8
"""Sockets that a daemon at rest may hold: its door, and whoever is just there."""


class Fate:
    """Of one night."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.dice = night.dice
        self.net = night.net
        self.town = night.town
        self.raging = True
        self._serial = 0

    def rage(self, seconds: float) -> None:
        """Things happen for so long."""
        self._visit()
        until = self.net.now + seconds
        while self.net.now < until:
            self.night.pass_time(self.dice.choice([1.0, 5.0, 20.0, 60.0, 120.0]))
            self.one_thing()

    def one_thing(self) -> None:
        """One thing happens."""
        chances = self.dice.random()
        if chances < 0.34:
            self._strike()
        elif chances < 0.50:
            self._heal()
        elif chances < 0.60:
            self._reporters()
        elif chances < 0.72:
            self._receivers()
        elif chances < 0.90:
            self._trouble()
        else:
            self._daemon()

    def _strike(self) -> None:
        dice, night = self.dice, self.night
        targets = self.town.targets()
        scope = dice.random()
        hit = [dice.choice(targets)]
        if scope > 0.6:
            node = dice.choice([n for n in self.town.nodes.values() if n.targets])
            hit = list(node.targets.values())
        if scope > 0.9:
            hit = targets
        for target in hit:
            mode = dice.choice(self.town.ways_to_fail(target))
            night.counts[f"targets that went {mode}"] += 1
            night.tell(f"{target.url} is {mode}")
            target.become(mode)

    def _heal(self) -> None:
        bad = [t for t in self.town.targets() if t.mode != "good"]
        for target in self.dice.sample(bad, self.dice.randint(0, len(bad))):
            self.night.tell(f"{target.url} is well")
            target.become("good")

    def _reporters(self) -> None:
        for node in self.town.nodes.values():
            for reporter in node.reporters.values():
                if self.dice.random() < 0.5:
                    mode = self.dice.choice(["good", "good", "loaded", "mute", "broken"])
                    self.night.tell(f"reporter {reporter.replica} is {mode}")
                    reporter.become(mode)

    def _receivers(self) -> None:
        for name, receiver in self.town.receivers.items():
            if self.dice.random() < 0.5:
                mode = self.dice.choice(["good", "good", *RECEIVER_MODES])
                self.night.counts[f"receivers that went {mode}"] += mode != "good"
                self.night.tell(f"receiver {name} is {mode}")
                receiver.become(mode)

    def _trouble(self) -> None:
        """Something of ours breaks for a while."""
        dice, net, night = self.dice, self.net, self.night
        seconds = dice.choice([0.5, 3.0, 10.0, 25.0, 60.0, 200.0])
        what = dice.choice(["cut", "cut", "agent cut", "link", "names", "files", "frozen", "slow disk", "disk"])
        night.counts[f"troubles: {what}"] += 1
        night.tell(f"trouble for {seconds:g} s: {what}")
        match what:
            case "cut":
                self._for(seconds, "network", what, *self._cutting(frozenset({DAEMON})))
            case "agent cut":
                self._for(seconds, "link", what, *self._cutting(frozenset({night.agent.name})))
            case "link":
                self._for(seconds, "link", what, *self._cutting(frozenset({DAEMON, night.agent.name})))
            case "names":
                self._for(seconds, "names", what, lambda: self._names(works=False), lambda: self._names(works=True))
            case "files":
                self._for(seconds, "daemon", what, lambda: self._files(3), lambda: self._files(1 << 30))
            case "frozen":
                host, scope = dice.choice([(night.daemon, "daemon"), (night.agent, "agent")])
                host.frozen_until = net.now + min(seconds, 30.0)
                self._for(min(seconds, 30.0), scope, what, lambda: None, lambda: None)
            case "slow disk":
                self._for(seconds, "disk", what, lambda: self._slow(dice.choice([0.5, 5.0])), lambda: self._slow(0.0))
            case "disk":
                self._for(seconds, "disk", what, self._hurt_the_disk, self._mend_the_disk)

    def _for(self, seconds: float, scope: str, what: str, begin: object, end: object) -> None:
        night, net = self.night, self.net
        night.troubles.begin(scope, what, net.now)
        begin()  # type: ignore[operator]

        def over() -> None:
            end()  # type: ignore[operator]
            night.troubles.end(scope, what, net.now)
            night.tell(f"over: {what}")

        net.later(seconds, over)

    def _cutting(self, pair: frozenset[str]) -> tuple[object, object]:
        return lambda: self.net.cuts.add(pair), lambda: self.net.cuts.discard(pair)

    def _names(self, *, works: bool) -> None:
        self.net.resolver_works = works

    def _files(self, count: int) -> None:
        self.night.daemon.files_max = count

    def _slow(self, seconds: float) -> None:
        self.night.daemon.slow_disk = seconds

    def _hurt_the_disk(self) -> None:
        disk, dice = self.night.disk, self.dice
        if dice.random() < 0.4:
            disk.room = disk.used() + dice.randrange(2000)
            return
        operations = ["write", "fsync", "truncate", "create", "rename", "remove", "fsync_folder"]
        disk.lossy_fsync = dice.random() < 0.3
        disk.errors = dict.fromkeys(dice.sample(operations, 2), errno.EIO)

    def _mend_the_disk(self) -> None:
        self.night.disk.mend()

    def _daemon(self) -> None:
        """Something happens to the daemon itself, or to its agent."""
        night, dice = self.night, self.dice
        match dice.randrange(7):
            case 0:
                self._jump()
            case 1:
                if not night.agent.gone:
                    night.kill_agent()
            case _ if night.app is None:
                return
            case 2:
                night.counts["kills"] += 1
                night.tell("SIGKILL")
                night.die(power=False)
            case 3:
                night.tell("the power will go")
                night.disk.fuse = night.disk.steps + dice.randrange(4000)
            case 4:
                night.tell("SIGTERM")
                night.stop()
            case _:
                night.reload()

    def _jump(self) -> None:
        host = self.dice.choice([self.night.daemon, self.night.agent])
        seconds = self.dice.choice([-90_000.0, -3600.0, -30.0, 1.5, 30.0, 3600.0])
        self.night.counts["clock jumps"] += 1
        self.night.tell(f"the clock of {host.name} jumps by {seconds}")
        host.clock.jump(seconds)

    def _visit(self) -> None:
        """Somebody comes, again and again."""
        if self.raging:
            self.net.later(self.dice.choice([2.0, 10.0, 30.0]), self._visit)
        if self.dice.random() < 0.15:
            self._word()
            return
        path = self.dice.choice(["/", "/status/text", "/status/text", "/feed.atom", "/api/v2/status.json", "/nowhere"])
        began = self.net.now

        def done(status: int, body: bytes, seconds: float) -> None:
            self._answered(path, status, body, seconds, began)

        Call(self.net, CROWD, (DAEMON, PORT), written("GET", path), done)

    def _answered(self, path: str, status: int, body: bytes, seconds: float, began: float) -> None:
        well = not self.night.troubles.between(began - 1.0, self.net.now, "daemon", "network")
        if not well or self.night.app is None:
            return
        self.night.counts["answers to visitors"] += 1
        if status != (404 if path == "/nowhere" else 200) or seconds > ANSWER_MAX:
            raise LawBroken(f"GET {path}: {status} after {seconds:.1f} s, and nothing was in the way")
        if path == "/status/text":
            self.night.sight.page_says(body.decode())

    def _word(self) -> None:
        """An operator says something; a yes is for good."""
        night, words = self.night, self.night.announced
        self._serial += 1
        standing = [id for id, stands in words.items() if stands]
        if standing and self.dice.random() < 0.5:
            id = self.dice.choice(standing)
            del words[id]
            request = written("DELETE", f"/manager/announcement/{id}", MANAGER)
        else:
            id = ""
            request = written(
                "POST", "/manager/announcement", MANAGER, {"title": f"Work {self._serial}", "text": "We are on it."}
            )

        def done(status: int, body: bytes, _seconds: float) -> None:
            if status != 200:
                return
            night.counts["operators' words taken"] += 1
            if id:
                words[id] = False
            else:
                words[json.loads(body)["id"]] = True
            night.check_words()

        Call(self.net, CROWD, (DAEMON, PORT), request, done)

    def calm(self) -> None:
        """Everything is well, and stays so."""
        night, town, net = self.night, self.town, self.net
        night.tell("--- everything is well")
        self.raging = False
        for target in town.targets():
            target.become("good")
        for node in town.nodes.values():
            for reporter in node.reporters.values():
                reporter.become("good")
        for receiver in town.receivers.values():
            receiver.become("good")
        night.disk.fuse = -1
        while night.troubles.now("daemon", "network", "agent", "link", "names", "disk") or night.app is None:
            night.pass_time(5.0)
        night.pass_time(max(node.window for node in town.nodes.values()) + 30.0)
        until = net.now + CALM_SECONDS
        while net.now < until and night.state is not None and night.state.outbox:
            night.pass_time(10.0)
        night.settled(SOCKETS_LEFT)
