"""What is on the disk: snapshots and journals, damaged, and changed with every checksum made right again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

from crisp_status.core import events
from crisp_status.core.model import FINE, Health, State
from crisp_status.core.operator_records import Announcement, Silence
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import prepare, step
from crisp_status.core.world import World as Core
from crisp_status.store import StoreError, generations, journal
from crisp_status.store.codec import encode_event
from crisp_status.store.state_folder import StateFolder
from tests.disk import FakeDisk
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.world import World

NOW = 1_800_000_000.0
PLAN = Plan(
    services=(
        ServicePlan(
            "web",
            "Web",
            (
                NodePlan("web", "api", "API", "push"),
                NodePlan("web", "www", "WWW", "poll", (ReplicaPlan("https://acme.example/"),)),
            ),
        ),
    )
)
HAPPENED: tuple[events.AnyEvent, ...] = (
    events.Planned(plan=PLAN, fresh=True),
    events.Reported(node="web/api", replica="a", interval=30.0, cpu=0.1, ram=0.1),
    events.Observed(node="web/www", replica="https://acme.example/", health=Health.DEAD, since=NOW),
    events.Announced(announcement=Announcement(id="1", title="T", text="t")),
    events.Silenced(silence=Silence(id="s", until=NOW + 9, created_at=NOW)),
    events.Ticked(),
    events.Reported(node="web/api", replica="a", interval=30.0, health=Health.SICK, reason=FINE),
    events.Flushed(node="web/api", replica="a"),
)


def folder() -> dict[str, bytes]:
    """The files of a short life: two snapshots, and journals."""
    disk = FakeDisk()
    store = StateFolder(disk, 90)
    store.open()
    core = Core(State())
    for number in range(3):
        for offset, event in enumerate(HAPPENED):
            event.at = NOW + 100 * number + offset
            prepare(core, event)
            step(core, event)
            store.append([event])
        store.sync()
        if number < 2:
            snapshot = store.begin_snapshot()
            snapshot.write(store.encode(core.state))
    store.close()
    return disk.files()


def forged(dice: Random, name: str, data: bytes) -> bytes:
    """The file with something in it changed and its checksums made right."""
    first, _, rest = data.partition(b"\n")
    if name.startswith("snapshot"):
        head = json.loads(first)
        body = chance.json_bytes(dice, chance.changed(dice, json.loads(rest), 2))
        return generations.header(head["next"], [body]) + body
    lines: list[bytes] = [journal.header(json.loads(first)["first"])]
    for line in rest.splitlines():
        read: dict[str, Any] = json.loads(line)
        event = chance.json_bytes(dice, chance.changed(dice, read["e"], 2)) if dice.random() < 0.3 else line_event(line)
        lines.append(journal.line(read["n"] + dice.choice((0,) * 40 + (1, -1)), event))
    return b"".join(lines)


def line_event(line: bytes) -> bytes:
    """The event's own bytes in a line of a journal."""
    return line.partition(b'"e":')[2][:-1]


@contextlib.asynccontextmanager
async def state(world: World) -> AsyncIterator[Attempt]:
    """Damaged folders: recovered or refused with a sentence; refusing changes nothing; recovering works twice."""
    files = folder()
    claim(encode_event(HAPPENED[0]), "no event")

    async def attempt(dice: Random) -> str:
        found = dict(files)
        honest = dice.random() < 0.5
        for name in dice.sample(sorted(found), dice.choice((1, 1, 2, len(found)))):
            found[name] = chance.mangled(dice, found[name], 1.0) if honest else forged(dice, name, found[name])
        if dice.random() < 0.1:
            del found[dice.choice(sorted(found))]
        disk = FakeDisk(found)
        store = StateFolder(disk, 90)
        try:
            recovered = store.open()
        except StoreError as error:
            claim(str(error).isprintable(), "a sentence for a terminal:", str(error))
            claim({n: d for n, d in disk.files().items() if n in found} == found, "a refusal changed the folder")
            return "damaged, refused" if honest else "forged, refused"
        store.append([HAPPENED[5]])
        store.close()
        again = StateFolder(FakeDisk(disk.files()), 90).open()
        claim(len(again.events) == len(recovered.events) + 1, "what was recovered is not what is recovered next")
        if honest:
            core = Core(recovered.state or State())
            for _, event in recovered.events:
                step(core, event)
            return "damaged, recovered"
        return "forged, recovered"

    yield attempt
