"""What must hold in a simulated world, seen from outside and inside at once: the page tells the truth in time, whoever is
owed a message gets it once, and what was acknowledged stays."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from crisp_status.channels._smtp import message_id
from crisp_status.core.model import Health
from tests.simulation.laws import LawBroken

if TYPE_CHECKING:
    from collections import Counter

    from crisp_status.core.model import Message, Replica, State
    from tests.simulation.outside import Receiver, Taken
    from tests.simulation.town import Town, Watched

SEND_SECONDS = 150.0
"""A message that is due, to somebody who listens, by a daemon that is well, has left after this: what hung before it had
a minute, and its place in the line is not its own."""

DOT_SECONDS = 600.0
"""So long a mail server may take after the end of a mail (RFC 5321 section 4.5.3.2.6); one that swallowed it takes all."""

CHANGE_SECONDS = 4.0
"""A page is that old at most when a health changed."""

SURE_SECONDS = 35.0
"""So long after a yes a crash may still have fallen before it was on disk, when the disk is slow or in trouble."""


class Trouble(NamedTuple):
    """Something of ours that is broken for a while: the daemon cannot know better, and may not claim more."""

    scope: str
    """"daemon", "network" (of the daemon), "agent", "link" (of the agent), "names", "disk"."""
    began: float
    ended: float


class Troubles:
    """All of them, the present ones with an infinite end."""

    def __init__(self) -> None:
        self._over: list[Trouble] = []
        self._now: dict[tuple[str, str], float] = {}

    def begin(self, scope: str, what: str, at: float) -> None:
        """It begins, unless it has."""
        self._now.setdefault((scope, what), at)

    def end(self, scope: str, what: str, at: float) -> None:
        """It is over, if it was."""
        began = self._now.pop((scope, what), None)
        if began is not None:
            self._over.append(Trouble(scope, began, at))

    def now(self, *scopes: str) -> bool:
        """Whether there is any now."""
        return any(scope in scopes for scope, _ in self._now)

    def last(self, *scopes: str) -> float:
        """When the last was over; infinite while there is one."""
        if self.now(*scopes):
            return inf
        return max((t.ended for t in self._over if t.scope in scopes), default=-inf)

    def back(self, at: float, seconds: float, *scopes: str) -> float:
        """The moment from which on there were so many seconds without trouble until `at`."""
        present = [Trouble(scope, began, at) for (scope, _), began in self._now.items() if scope in scopes]
        spans = sorted((t for t in [*self._over, *present] if t.scope in scopes), key=lambda t: t.ended, reverse=True)
        cursor = at
        for span in spans:
            free = cursor - span.ended
            if free >= seconds:
                break
            seconds -= max(0.0, free)
            cursor = min(cursor, span.began)
        return cursor - seconds

    def between(self, began: float, ended: float, *scopes: str) -> bool:
        """Whether any of them touches that time."""
        return any(t.scope in scopes and t.began <= ended and t.ended >= began for t in self._over) or any(
            scope in scopes and at <= ended for (scope, _), at in self._now.items()
        )


class Sight:
    """The judge of one life."""

    def __init__(self, town: Town, troubles: Troubles, counts: Counter[str]) -> None:
        self.town = town
        self.net = town.net
        self.troubles = troubles
        self.counts = counts
        self.born: dict[tuple[str, str], float] = {}
        """When the daemon began to watch it."""
        self.started_at = -inf
        self.healths: list[tuple[float, Health]] = []
        """Of the page, as it changed."""
        self.owed: dict[str, Message] = {}
        """Messages whose duty was on disk."""
        self.due_since: dict[str, float] = {}
        self.judged: dict[str, int] = dict.fromkeys(town.receivers, 0)

    def look(self, state: State) -> None:
        """The state now."""
        now = self.net.now
        if not self.healths or self.healths[-1][1] is not state.health:
            self.healths.append((now, state.health))
            del self.healths[:-100]
        alive = set()
        for key, node in state.nodes.items():
            watched = self.town.nodes[key]
            for replica in node.replicas.values():
                alive.add((key, replica.id))
                self.born.setdefault((key, replica.id), now)
                self._truth(watched, replica)
        for gone in self.born.keys() - alive:
            del self.born[gone]

    def _truth(self, watched: Watched, replica: Replica) -> None:
        allowed = self._allowed(watched, replica)
        self.counts["truths compared"] += 1
        if replica.health not in allowed:
            words = "/".join(h.word for h in sorted(allowed))
            raise LawBroken(
                f"{watched.key} {replica.id} is {replica.health.word} ({replica.reason.text}); it may be {words}"
            )
        if len(allowed) == 1:
            self.counts["truths that leave no choice"] += 1

    def _allowed(self, watched: Watched, replica: Replica) -> set[Health]:
        now, window = self.net.now, watched.window
        scopes = self._scopes(watched, replica)
        began = self.troubles.back(now, window, *scopes)
        if self.started_at >= began:  # a crash while the disk was in trouble brings back what was before that
            scopes = (*scopes, "disk")
            began = self.troubles.back(now, window, *scopes)
        clear = now - window >= self.troubles.last(*scopes)
        if watched.mode == "push":
            allowed = self._by_reports(watched, replica, began, clear=clear)
        else:
            allowed = watched.targets[replica.id].seen_as(began)
        if watched.mode == "local" and not clear:
            allowed.add(Health.DEAD)
        if watched.mode != "push" and now - window < self.troubles.last("network", "link", *scopes[2:]):
            allowed.add(Health.SICK)  # it did answer late, whoever held it up
        newly = max(self.started_at, self.born[watched.key, replica.id])
        if newly >= began or not clear:
            allowed.add(Health.PENDING)
        return allowed

    def _scopes(self, watched: Watched, replica: Replica) -> tuple[str, ...]:
        named = watched.mode != "push" and watched.targets[replica.id].name
        scopes = ("daemon", "network", "names") if named else ("daemon", "network")
        return (*scopes, "agent", "link") if watched.mode == "local" else scopes

    def _by_reports(self, watched: Watched, replica: Replica, began: float, *, clear: bool) -> set[Health]:
        reporter = watched.reporters[replica.id]
        words = {"good": Health.HEALTHY, "loaded": Health.SICK}
        allowed = {words[mode] for at, mode in reporter.sent if at >= began}
        if reporter.mode not in words or reporter.changed_at >= began or not clear:
            allowed.add(Health.DEAD)
            before = [words[mode] for _, mode in reporter.sent]
            allowed |= set(before if not clear or reporter.changed_at >= began else ())
        return allowed

    def page_says(self, word: str) -> None:
        """A visitor reads it now."""
        now = self.net.now
        began = self.troubles.back(now, CHANGE_SECONDS, "daemon", "network")
        allowed = {self.healths[-1][1].word} if self.healths else set()
        for (_, health), (until, _) in zip(self.healths, self.healths[1:], strict=False):
            if until >= began:
                allowed.add(health.word)
        self.counts["pages read"] += 1
        if word not in allowed and self.healths:
            raise LawBroken(f"the page says {word}, it is {'/'.join(allowed)}")

    def note(self, state: State) -> None:
        """What is owed now is on disk."""
        for key, message in state.outbox.items():
            self.owed[key] = message
        now = self.net.now
        for key in self.due_since.keys() - state.outbox.keys():
            del self.due_since[key]
        heads: set[tuple[str, str, int]] = set()
        for key, message in state.outbox.items():
            receiver = self.town.receivers[message.notifier]
            line = (message.notifier, message.target, message.incident)
            behind = line in heads
            heads.add(line)
            if behind or message.due_at > state.at + 1.0:
                self.due_since.pop(key, None)
                continue
            since = max(
                self.due_since.setdefault(key, now),
                self.troubles.last("daemon", "network", "disk"),
                receiver.good_since,
            )
            swallowed = message.notifier == "mail" and receiver.unsure
            if now - since > SEND_SECONDS + (DOT_SECONDS if swallowed else 0.0):
                raise LawBroken(f"{key} is due for {now - since:.0f} s, and {message.notifier} listens")

    def hear(self) -> None:
        """What receivers took since the last time: nothing comes twice without a reason."""
        for name, receiver in self.town.receivers.items():
            for number in range(self.judged[name], len(receiver.taken)):
                self.counts["messages received"] += 1
                taken = receiver.taken[number]
                if taken.key:
                    self._once(name, receiver, receiver.taken[:number], taken)
            self.judged[name] = len(receiver.taken)

    def _once(self, name: str, receiver: Receiver, before: list[Taken], taken: Taken) -> None:
        earlier = [other for other in before if other.key == taken.key]
        if not earlier:
            return
        self.counts["messages that came twice"] += 1
        first = earlier[-1].at
        answer_lost = taken.key in receiver.unsure or self.troubles.between(
            first - 1.0, first + SURE_SECONDS, "daemon", "network", "disk"
        )
        if not answer_lost:
            raise LawBroken(f"{name} got {taken.key} at {first:.1f} and again at {taken.at:.1f}, for no reason")

    def settled(self, state: State) -> None:
        """All is well for long enough: everybody was told everything, once."""
        if state.outbox:
            raise LawBroken(f"still owed: {list(state.outbox)}")
        for key, message in self.owed.items():
            receiver = self.town.receivers[message.notifier]
            wanted = {"mail": message_id(f"{key} {message.created_at}", "acme.example"), "hook": key}
            name = wanted.get(message.notifier)
            overtaken = message.kind == "hook" and any(_number(taken.key) > _number(key) for taken in receiver.taken)
            if name is not None and not overtaken and all(taken.key != name for taken in receiver.taken):
                raise LawBroken(f"lost: {key} ({message.kind}) never came to {message.notifier}")
        for key, node in state.nodes.items():
            for replica in node.replicas.values():
                if replica.health is not Health.HEALTHY:
                    raise LawBroken(f"{key} {replica.id} is {replica.health.word}, and all is well")


def _number(key: str) -> int:
    """In the order in which messages were owed; a newer one to a web hook says all that an older one did."""
    parts = key.split("-")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else -1
