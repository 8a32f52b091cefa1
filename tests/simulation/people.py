"""Those who are told: receivers that fail at random, the courier that goes to them, and what each of them believes.

Laws
- A message that was durable once is received, or left by a rule: refused, given up, dropped by an operator.
- It is received once; twice only where a crash fell between the answer and the record of it.
- Of one incident everybody is told in order, and nobody gets two openings or two ends, nor is told as new what it knew.
- Of announced work everybody who asked for it hears the beginning and the end, in turns.
- One that refuses is told of to the others, and not to itself.
- When everything has settled, everybody who should believes of every node what is true, and of a wholly dead one that
  it is no longer partly so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from crisp_status.core import outbox
from crisp_status.core.broadcasts import hears_broadcasts
from crisp_status.core.events import Delivered, NotDelivered, Retried, Unsubscribed
from crisp_status.core.model import Health
from crisp_status.loops.deliver import gives_way, next_messages
from crisp_status.messages import compose
from tests.simulation.chance import FIRST_DEVICE, VANISHING
from tests.simulation.laws import INFO, LawBroken

if TYPE_CHECKING:
    from collections import Counter
    from random import Random

    from crisp_status.core.events import Event
    from crisp_status.core.model import Message, Node, NoticeNode, State
    from crisp_status.core.policy import NotifierPlan
    from tests.simulation.machine import Machine


WHOLLY = 4
"""What is believed of a node of which every replica is dead; else its health."""


class Word(NamedTuple):
    """One message as its receiver understood it."""

    id: str
    kind: str
    notifier: str
    target: str
    incident: int
    health: Health
    nodes: tuple[tuple[str, int], ...]
    """With their health, or `WHOLLY`."""
    about: str
    """The announced work, or the notifier, that it is about."""


def word_of(message: Message) -> Word:
    nodes = tuple((w.node, _level(w)) for w in message.nodes if w.node)
    about = message.trouble.receiver if message.trouble else message.work
    head = message.id, message.kind, message.notifier, message.target, message.incident, message.health
    return Word(*head, nodes, about)


class People:
    """Everybody who is told anything, and the courier."""

    def __init__(self, dice: Random, machine: Machine, counts: Counter[str]) -> None:
        self.dice = dice
        self.machine = machine
        self.counts = counts
        self.owed: dict[str, Word] = {}
        """Every message that was ever in the outbox."""
        self.written: dict[str, int] = {}
        """Number of the event that made it, or a later one; absent while that is in memory only."""
        self.safe: set[str] = set()
        """Those of them that were durable."""
        self.heard: dict[str, Word] = {}
        """What was received, or left by a rule, in the order of the first time."""
        self.unrecorded: set[str] = set()
        """Received, and it is not durable that they were."""
        self.again: set[str] = set()
        """Asked for again by an operator."""
        self.excused: set[tuple[int, str]] = set()
        """Nodes of incidents that something may have held back for good."""
        self.judged: set[int] = set()
        self.failing = 0.0
        """How likely a receiver says no."""
        self.faults = True
        """Whether crashes fall between an answer and its record."""
        machine.on_restart = self.forget_ghosts

    def note(self) -> None:
        """Note what is new in the outbox and what of it is durable, judge what is over; called after every batch."""
        machine = self.machine
        for key, message in machine.state.outbox.items():
            if key not in self.owed or self.owed[key].kind != message.kind:
                self.owed[key] = word = word_of(message)
                if word.kind == "undelivered" and word.about == word.notifier:
                    raise LawBroken(f"{word.notifier} is told that it takes nothing")
        if machine.engine.saved_all:
            for key in self.owed.keys() - self.written.keys():
                self.written[key] = len(machine.journal)
        if len(self.safe) < len(self.written):
            self.safe.update(key for key, number in self.written.items() if number <= machine.store.synced)
        self._excuse(machine.state)
        self._judge(machine.state)

    def follow(self) -> None:
        """The same after every step; and of what was received it may be durable by now that it was."""
        self.note()
        state = self.machine.state
        if self.machine.durable:
            self.unrecorded &= set(state.outbox)

    def forget_ghosts(self, known: int, lossy: bool) -> None:
        """After a crash: what was never durable never was, whatever people heard of it while the disk was in trouble.

        `lossy`: the disk lost what it had called safe, so what is owed may be told for the second time.
        """
        state = self.machine.state
        alive = {*state.outbox, *(m.id for m in state.sent), *(a.message for a in state.attempts)}
        kept = {key for key, number in self.written.items() if number <= known}
        ghosts = [key for key in self.owed if key not in kept and key not in alive]
        for key in ghosts:
            del self.owed[key]
            self.written.pop(key, None)
            self.heard.pop(key, None)
            self.unrecorded.discard(key)
        self.counts["messages that a crash undid"] += len(ghosts)
        if lossy:
            for key in state.outbox.keys() & self.owed.keys():
                word = word_of(state.outbox[key])
                self.owed[key] = word._replace(notifier=VANISHING) if self.owed[key].notifier == VANISHING else word
                self.heard.pop(key, None)
                self.unrecorded.discard(key)
        self.written = {key: min(self.written.get(key, known), known) for key in self.owed}
        self.safe = {key for key, number in self.written.items() if number <= self.machine.store.synced}
        self.excused = {e for e in self.excused if e[0] < state.next_incident}
        self.judged = {i for i in self.judged if i < state.next_incident}

    def _excuse(self, state: State) -> None:
        plans = self.machine.engine._world.plans
        for number, incident in state.open.items():
            for key in incident.nodes:
                node = state.nodes.get(key)
                if node is None or node.maintenance or node.unstable or plans[key].depends_on or _silenced(state, key):
                    self.excused.add((number, key))

    def _judge(self, state: State) -> None:
        """An incident is over and settled: whoever listens was told of everything in it that nothing held back."""
        for incident in reversed(state.closed):
            if incident.id in self.judged:
                break
            self.judged.add(incident.id)
            if incident.record.manual:  # who opened it knows of it; what another program brought is told to nobody
                continue
            # What flaps since the very tick that settled it was told as flapping.
            excused = {*state.unstable, *(key for number, key in self.excused if number == incident.id)}
            said = {(w.notifier, key) for w in self.owed.values() if w.incident == incident.id for key, _ in w.nodes}
            due = [(key, hurt.worst) for key, hurt in incident.nodes.items() if key not in excused]
            for notifier in state.plan.notifiers:
                if notifier.operators or not _listens(notifier):
                    continue
                for key, worst in due:
                    if _routed(notifier, key) and _tellable(notifier, worst):
                        self.counts["outages told"] += 1
                        if (notifier.id, key) not in said:
                            raise LawBroken(f"{notifier.id} never heard of {key} in incident {incident.id}")

    def deliver(self) -> None:
        """The courier goes once to everybody for whom something is due; with a crash the round is over."""
        machine, starts = self.machine, self.counts["starts"]
        now = max(machine.clock.now(), machine.state.at)
        for message in list(next_messages(machine.state.outbox.values(), (), now).values()):
            if self.counts["starts"] != starts:
                return
            now = max(machine.clock.now(), machine.state.at)
            if message.due_at <= now and message.id in machine.state.outbox and self.dice.random() < 0.9:
                self._visit(message)

    def _visit(self, message: Message) -> None:
        machine, dice = self.machine, self.dice
        if not machine.engine.trouble and message.id not in self.safe:
            raise LawBroken(f"{message.id} goes out before it is on disk")
        if message.notifier not in outbox.receivers(machine.state):
            self.rule(NotDelivered(message=message.id, error="there is no such notifier", permanent=True))
            return
        if dice.random() < self.failing:
            self._no(message)
            return
        self._received(message)
        chance = dice.random() if self.faults else 1.0
        if chance < 0.02:
            self.counts["kills between answer and record"] += 1
            machine.restart(power=dice.random() < 0.5)
            return
        if chance < 0.05:
            machine.disk.fuse = machine.disk.steps + dice.randrange(200)
        hooks = [m for m in machine.state.outbox.values() if message.kind == m.kind == "hook" and m is not message]
        older = [m for m in hooks if m.notifier == message.notifier]
        machine.take(Delivered(message=message.id, detail="250 fine"))
        for overtaken in older:
            # One that a crash meanwhile undid was never owed, and its number comes again.
            if overtaken.id not in machine.state.outbox and overtaken.id in self.owed:
                self.counts["hooks that were overtaken"] += 1
                self.heard.setdefault(overtaken.id, word_of(overtaken))
                self.unrecorded.add(overtaken.id)
        self.follow()

    def _received(self, message: Message) -> None:
        self.counts["messages received"] += 1
        if message.id in self.heard and message.id not in self.again:
            if message.id not in self.unrecorded:
                raise LawBroken(f"{message.id} came twice, and no crash was the reason")
            self.counts["duplicates after a crash"] += 1
        earlier = [m for m in _line_of(message, self.machine.state) if _number(word_of(m)) < _number(word_of(message))]
        now = max(self.machine.clock.now(), self.machine.state.at)
        earlier = [m for m in earlier if not gives_way(m, now)]
        if any(not self.again & {m.id, message.id} for m in earlier):
            raise LawBroken(f"{message.id} came before {earlier[0].id}")
        word = word_of(message)
        if self.owed[message.id].notifier != message.notifier:
            # What was owed to another notifier first tells its new one nothing that must fit what that knows.
            self.counts["messages that went on to another notifier"] += 1
            word = word._replace(kind="redirected", nodes=())
        self.heard.setdefault(message.id, word)
        self.unrecorded.add(message.id)
        if message.kind not in {"hook", "acknowledged"} and crc32(message.id.encode()) % 8 == 0:
            notice = compose.compose(message, self.machine.state, INFO, {}, self.machine.clock.now())
            if not (notice.title and notice.text and notice.html):
                raise LawBroken(f"nothing is said by {message}")

    def _no(self, message: Message) -> None:
        dice = self.dice
        self.counts["receivers that said no"] += 1
        permanent = dice.random() < 0.1
        event: Event = NotDelivered(
            message=message.id,
            error="503",
            permanent=permanent,
            retry_after=dice.choice([0.0, 0.0, 30.0, 5000.0]),
        )
        if message.target and message.target != FIRST_DEVICE and dice.random() < 0.2:
            event = Unsubscribed(id=message.target)
        starts = self.counts["starts"]
        self.rule(event)
        if permanent and isinstance(event, NotDelivered) and message.kind != "test" and self.counts["starts"] == starts:
            self._is_told_of(message.notifier)

    def _is_told_of(self, refusing: str) -> None:
        """It refused: the others were told so within a day."""
        told = [word for word in self.owed.values() if word.kind == "undelivered" and word.about == refusing]
        plan = self.machine.state.plan
        if not told and any(hears_broadcasts(n) and n.kind != "push" and n.id != refusing for n in plan.notifiers):
            raise LawBroken(f"{refusing} refuses, and nobody was told")

    def rule(self, event: Event) -> None:
        """An event by which messages may leave without a yes; whatever left counts as heard."""
        before = dict(self.machine.state.outbox)
        crashes = self.machine.counts["starts"]
        self.machine.take(event)
        if self.machine.counts["starts"] != crashes:
            return
        for key, message in before.items():
            if key not in self.machine.state.outbox:
                self.counts["messages that left by a rule"] += 1
                self.heard.setdefault(key, word_of(message))
                self.unrecorded.add(key)
        if isinstance(event, Retried) and event.message and event.message not in before:
            self.again.add(event.message)
        self.follow()

    def _overtook(self, word: Word) -> bool:
        """Whether something older, which may say the opposite, is still owed to the same receiver."""
        owed = self.machine.state.outbox.values()
        line = (word.notifier, word.target, word.incident)
        return any((m.notifier, m.target, m.incident) == line and _number(word_of(m)) < _number(word) for m in owed)

    def believes(self) -> dict[tuple[str, str], dict[str, int]]:
        """By notifier and target: which nodes are bad, as far as that one has heard."""
        found: dict[tuple[str, str], dict[tuple[int, str], int]] = {}
        openings: set[tuple[str, str, int]] = set()
        flapping: set[tuple[tuple[str, str, int], str]] = set()
        follows = {n.id for n in self.machine.state.plan.notifiers if "recovered" in n.on}
        for word in sorted(self.heard.values(), key=_number):
            knows = found.setdefault((word.notifier, word.target), {})
            once = (word.notifier, word.target, word.incident)
            if word.kind == "opened":
                if once in openings:
                    raise LawBroken(f"{word.notifier} was told twice that incident {word.incident} began")
                openings.add(once)
            elif word.kind == "recovered":
                openings.discard(once)
            listens = word.notifier in follows - {VANISHING} and word.target in {"", FIRST_DEVICE}  # others come and go
            known = [key for key in _known(knows, word) if (once, key) not in flapping]
            if word.kind in {"opened", "grew"} and listens and known and not self._overtook(word):
                raise LawBroken(f"{word.notifier} was told what it knew of {known}: {word}")
            for key, _ in word.nodes:  # what flapped and then stays dead is told again, as what it is by then
                if word.kind == "grew" and (once, key) in flapping:
                    knows.pop((word.incident, key), None)
                (flapping.add if word.kind == "unstable" else flapping.discard)((once, key))
            _learn(knows, word)
        self._judge_work()
        return {who: _merged(knows) for who, knows in found.items()}

    def _judge_work(self) -> None:
        """Everybody hears of the beginning and the end of announced work in turns."""
        running: dict[tuple[str, str, str], bool] = {}
        for word in sorted(self.heard.values(), key=_number):
            if word.kind not in {"work_begun", "work_over"} or word.notifier == VANISHING:
                continue
            who = (word.notifier, word.target, word.about)
            if running.get(who, False) is (word.kind == "work_begun") and word.target in {"", FIRST_DEVICE}:
                raise LawBroken(f"{word.notifier} is told that {word.about} has {word.kind}, and knows it")
            running[who] = word.kind == "work_begun"

    def settled(self) -> None:
        """All is quiet and nothing is held back: everybody believes what is true, and nothing was lost."""
        state = self.machine.state
        if missing := self.safe - set(self.heard) - set(state.outbox):
            raise LawBroken(f"lost: {[self.owed[key] for key in missing]}")
        if state.outbox:
            raise LawBroken(f"nobody fetches {list(state.outbox)}")
        beliefs = self.believes()
        for notifier in state.plan.notifiers:
            if not _listens(notifier):
                continue
            target = FIRST_DEVICE if notifier.operators else ""
            believed = beliefs.get((notifier.id, target), {})
            for key, node in state.nodes.items():
                self._same(notifier, node, believed.get(key, Health.HEALTHY))
        hooks = [w.health for w in sorted(self.heard.values(), key=_number) if w.kind == "hook"]
        if hooks and hooks[-1] is not state.health and state.health is not Health.PENDING:
            raise LawBroken(f"the web hook believes {hooks[-1].word}, the page is {state.health.word}")
        if state.plan.webhooks and not hooks and state.health.bad:
            raise LawBroken(f"the web hook never heard that the page is {state.health.word}")

    def _same(self, notifier: NotifierPlan, node: Node, believed: int) -> None:
        state, key, health = self.machine.state, node.key, node.health
        level = WHOLLY if node.wholly_dead else health
        plan = self.machine.engine._world.plans[key]
        if not _routed(notifier, key):
            return
        held = state.nodes[key].maintenance or any(
            n.health is Health.DEAD for up in plan.depends_on for n in self.machine.engine._world.nodes_of(up)
        )
        if _tellable(notifier, health) and not held and believed < level:
            raise LawBroken(f"{notifier.id} believes {key} {believed}, it is {level}")
        if not health.bad and believed >= Health.SICK and "recovered" in notifier.on:
            raise LawBroken(f"{notifier.id} believes {key} {believed}, it is {level}")


def _line_of(message: Message, state: State) -> list[Message]:
    """What else is owed to the same receiver about the same incident."""
    line = (message.notifier, message.target, message.incident)
    return [m for m in state.outbox.values() if m.incident and (m.notifier, m.target, m.incident) == line]


def _level(words: NoticeNode) -> int:
    whole = words.health is Health.DEAD and len(words.numbers) + words.more == words.total
    return WHOLLY if whole else words.health


def _number(word: Word) -> int:
    """In the order in which they were owed, which is the order of what happened."""
    return int(word.id.split("-")[1])


def _known(knows: dict[tuple[int, str], int], word: Word) -> list[str]:
    """Nodes of a message that its receiver believed to be as bad before."""
    return [key for key, level in word.nodes if knows.get((word.incident, key), 0) >= level]


def _learn(knows: dict[tuple[int, str], int], word: Word) -> None:
    match word.kind:
        case "opened" | "grew" | "reminder":
            for key, level in word.nodes:  # that it is partly well again is told with nothing but a reminder
                knows[word.incident, key] = max(level, knows.get((word.incident, key), 0))
        case "partly":
            for key, _ in word.nodes:
                knows.pop((word.incident, key), None)
        case "recovered":
            for known in [k for k in knows if k[0] == word.incident]:
                del knows[known]
        case "unstable" | "calm":
            for key, level in word.nodes:
                for known in [k for k in knows if k[1] == key]:
                    del knows[known]
                if level >= Health.SICK:
                    knows[word.incident, key] = level


def _merged(knows: dict[tuple[int, str], int]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for (_, key), level in knows.items():
        merged[key] = max(level, merged.get(key, Health.HEALTHY))
    return merged


def _listens(notifier: NotifierPlan) -> bool:
    return notifier.enabled and not notifier.reminders_only and notifier.id != VANISHING


def _routed(notifier: NotifierPlan, key: str) -> bool:
    return not notifier.services or key.partition("/")[0] in notifier.services


def _tellable(notifier: NotifierPlan, health: Health) -> bool:
    return (health is Health.DEAD and "dead" in notifier.on) or (health >= Health.SICK and "sick" in notifier.on)


def _silenced(state: State, key: str) -> bool:
    return any(s.scope in (key, key.partition("/")[0]) for s in state.silences.values() if s.scope)
