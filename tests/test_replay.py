"""What comes back of a journal with a damaged line. DESIGN section 7, recovery."""

from __future__ import annotations

from pathlib import Path

from crisp_status.app.replay import replayed
from crisp_status.core import events
from crisp_status.core.model import Health, Reason, ReasonCode, State
from crisp_status.core.policy import NodePlan, NotifierPlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.engine import Engine
from crisp_status.store import Recovered
from tests.daemon import BASE, get, listening, started, until
from tests.fakes import FakeClock, FakeStore

PLAN = Plan(
    services=(ServicePlan("web", "Web", (NodePlan("web", "api", "API", "poll", (ReplicaPlan("1"),)),)),),
    notifiers=(NotifierPlan("mail", "email"),),
)


def dead(at: float) -> events.Observed:
    why = Reason(ReasonCode.NO_ANSWER, "no answer")
    return events.Observed(at=at, node="web/api", replica="1", health=Health.DEAD, since=at, reason=why)


def recovered(*behind: events.Event) -> Recovered:
    """It died and was told to be dead; then a line is damaged."""
    known = [events.Planned(at=1.0, plan=PLAN, fresh=True), dead(100.0), events.Ticked(at=120.0)]
    return Recovered(None, list(enumerate(known, 1)), list(behind))  # type: ignore[arg-type]


def test_what_happened_behind_a_damage_has_happened() -> None:
    """An acknowledgement that somebody was answered is there."""
    state = replayed(recovered(events.Acknowledged(at=200.0, incident=1, by="jane"))).state

    assert state.open[1].acknowledged_by == "jane"


def test_what_was_owed_is_owed_behind_a_damage() -> None:
    """Messages may have other numbers there: better to tell something twice than never."""
    before = replayed(recovered()).state
    [message] = before.outbox
    state = replayed(recovered(events.Delivered(at=200.0, message=message))).state

    assert list(state.outbox) == [message]


def test_what_fell_silent_and_is_not_there_does_no_harm() -> None:
    """The report of a replica may be what was damaged."""
    gone = events.SilentReplica("web/api", "2", 100.0)
    state = replayed(recovered(events.Ticked(at=200.0, silent=[gone], forgotten=[gone]))).state

    assert state.at == 200.0


def test_what_does_not_fit_at_all_is_left_out() -> None:
    """The state is the one before the damage."""
    before = replayed(recovered()).state
    state = replayed(recovered(events.Acknowledged(at=200.0, incident=1), events.Event(at=300.0))).state

    assert (state, isinstance(state, State)) == (before, True)


async def test_a_start_goes_on_behind_a_damaged_line(tmp_path: Path) -> None:
    """A bit flips in the journal of a daemon that was killed: what operators said later is there, and stays there."""
    async with listening() as port:
        pass
    config = f'[[services]]\nname = "Web"\n[[services.nodes]]\nname = "Page"\nreplicas = ["tcp://127.0.0.1:{port}"]\n'
    file = tmp_path / "config.toml"
    file.write_text(BASE + config)
    async with started(file) as app:
        await until(lambda: app.engine.peek().open)
        assert await app.engine.commit(events.Noted(incident=1, text="damaged", by="jane"))
        assert await app.engine.commit(events.Acknowledged(incident=1, by="jane"))
        [journal] = [path for path in (tmp_path / "state").iterdir() if path.name.startswith("journal")]
        data = journal.read_bytes()
    for path in (tmp_path / "state").iterdir():
        if path.name.startswith(("journal", "snapshot")):
            path.unlink()
    journal.write_bytes(data.replace(b'"damaged"', b'"demaged"'))

    async with started(file) as app:
        assert app.engine.peek().open[1].acknowledged_by == "jane"
    async with started(file) as app:
        assert app.engine.peek().open[1].acknowledged_by == "jane"


async def test_a_full_disk_is_noticed_while_nothing_happens(tmp_path: Path) -> None:
    """`/healthz` says so before anything is lost, and that it is over."""
    file = tmp_path / "config.toml"
    file.write_text(BASE + '[[services]]\nname = "Web"\n')
    async with started(file) as app:
        assert (await get(app, "/healthz"))[0] == 200
        app.engine.disk_full = True
        status, text = await get(app, "/healthz")
        assert (status, text) == (503, "what happens cannot be saved; see the log")

    from crisp_status.core.world import World

    store = FakeStore()
    engine = Engine(World(State()), store, FakeClock())
    for trouble, full in (("no space", True), ("no space", True), ("", False)):
        store.trouble = trouble
        await engine.look_for_room()
        assert engine.disk_full is full
