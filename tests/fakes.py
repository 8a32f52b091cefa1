"""Fakes, written once; each mirrors a real name and keeps the same promises. Nothing is patched."""

from crisp_status.core.events import Event


class FakeClock:
    """Mirrors `clock.SystemClock`. Stands still until it is told to move; the two clocks move apart when asked."""

    def __init__(self, now: float = 1_800_000_000.0, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> float:
        """Wall clock, in epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Time passes on both clocks."""
        assert seconds >= 0, "time does not run backwards: use jump() for a wall clock that is set"
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock, forward or back; no time passes."""
        self._now += seconds


class FakeEngine:
    """Mirrors `engine.Engine` for those who submit: remembers events; `refuse` and `trouble` say what goes wrong."""

    def __init__(self) -> None:
        self.submitted: list[Event] = []
        self.committed: list[Event] = []
        self.refuse = False
        self.trouble = ""

    @property
    def events(self) -> list[Event]:
        """All of them."""
        return [*self.submitted, *self.committed]

    async def submit(self, event: Event) -> None:
        """Remember it."""
        self.submitted.append(event)

    async def commit(self, event: Event) -> bool:
        """Remember it as durable; False when told to refuse."""
        from crisp_status.engine import EngineTrouble

        if self.trouble:
            raise EngineTrouble(self.trouble)
        if not self.refuse:
            self.committed.append(event)
        return not self.refuse
