"""What stands in the place of the files that are read at a start: the state folder of a daemon, the list of an agent."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from crisp_status import kinds
from crisp_status.agent.list_file import FILE_MAX, ListFile
from crisp_status.agent.watch_list import jobs
from crisp_status.app import App
from crisp_status.app.daemon import StartError
from crisp_status.config.load import load
from crisp_status.store import StoreError
from crisp_status.store.disk import MAX_FILE
from tests.daemon import BASE, daemon, get
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.told import LISTS
from tests.fuzzing.world import World

CONFIG = """
[[operators]]
id = "jane"
name = "Jane"
[[notifiers]]
type = "push"
operators = ["jane"]
[[services]]
name = "Web"
[[services.nodes]]
name = "API"
mode = "push"
"""

FILES = ("lock", "link.key", "push-key.pem", "snapshot.tmp", "journal.broken-1", "journal-9999999999999999.jsonl", "x")
"""Beside those that are there: what a start reads, makes or clears away."""

WAYS = (
    "bytes", "bytes", "bytes", "cut", "gone", "empty", "folder", "full folder", "link", "link", "nowhere", "circle", "pipe",
    "socket", "device", "huge", "modes",
)  # fmt: skip


def replaced(dice: Random, place: Path, victim: Path, huge: int) -> str:
    """Put something else there; says what."""
    how = dice.choice(WAYS)
    found = place.read_bytes() if place.is_file() and not place.is_symlink() else b""
    if how == "modes":
        if place.exists():
            place.chmod(dice.choice((0o000, 0o444, 0o666, 0o777)))
        return how
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if how == "bytes":
        place.write_bytes(chance.mangled(dice, found, 1.0))
    elif how in {"cut", "empty", "huge"}:
        place.write_bytes(found[: dice.randrange(len(found) + 1)] if how == "cut" else b"")
        if how == "huge":
            os.truncate(place, huge)
    elif how in {"folder", "full folder"}:
        place.mkdir()
        if how == "full folder":
            (place / "in it").write_bytes(b"")
    elif how == "pipe":
        os.mkfifo(place)
    elif how == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(place))
    elif how != "gone":
        place.symlink_to({"link": victim, "nowhere": "/no/such", "circle": place, "device": "/dev/zero"}[how])
    return how


@contextlib.asynccontextmanager
async def folder(world: World) -> AsyncIterator[Attempt]:
    """State folders with anything in them: a daemon starts in it or says why not, and touches nothing outside it."""
    first = world.folder / "first"
    shutil.rmtree(first, ignore_errors=True)
    async with daemon(first, CONFIG):
        pass
    names = sorted({*(path.name for path in (first / "state").iterdir()), *FILES})

    async def attempt(dice: Random) -> str:
        with tempfile.TemporaryDirectory(dir=world.folder, prefix="f-") as text:
            home = Path(text)
            shutil.copytree(first / "state", home / "state")
            victim = home / "victim"
            victim.write_bytes(b"not ours")
            (home / "config.toml").write_text(BASE + CONFIG)
            done = {
                name: replaced(dice, home / "state" / name, victim, MAX_FILE + 1)
                for name in dice.sample(names, dice.choice((1, 1, 2, 4)))
            }
            outcome = await started(home, done)
            claim(victim.read_bytes() == b"not ours" and not victim.stat().st_mode & 0o111, "outside the folder:", done)
            return outcome

    yield attempt


async def started(home: Path, done: dict[str, str]) -> str:
    """Start and stop a daemon there, twice when it starts."""
    for _ in range(2):
        app = App(load(home / "config.toml", kinds.rooms(), {}))
        try:
            await app.start()
        except (StoreError, StartError) as error:
            claim(str(error).isprintable(), "a sentence for a terminal:", str(error), done)
            claim(str(home / "state") in str(error), "a sentence without a place:", str(error), done)
            return "refused"
        try:
            claim((await get(app, "/"))[0] == 200, "no page:", done)
            for name in ("link.key", "push-key.pem"):
                mode = (home / "state" / name).stat().st_mode & 0o777
                claim(mode & 0o077 == 0, "others may read", name, oct(mode), done)
        finally:
            await app.stop()
    return "started"


@contextlib.asynccontextmanager
async def agent_list(world: World) -> AsyncIterator[Attempt]:
    """The list that an agent kept, as anything: a list with sane jobs, or none; the next one is kept if that can be."""
    whose = "http://127.0.0.1:1/", ""

    async def attempt(dice: Random) -> str:
        with tempfile.TemporaryDirectory(dir=world.folder, prefix="a-") as text:
            kept = ListFile(Path(text), *whose)
            place, victim = Path(text) / "agent-list.json", Path(text) / "victim"
            victim.write_bytes(b"not ours")
            answer = chance.json_bytes(dice, chance.changed(dice, dice.choice(LISTS), 2))
            words = {"endpoint": whose[0], "name": whose[1], "answer": answer.decode("utf-8", "replace")}
            place.write_bytes(chance.json_bytes(dice, chance.changed(dice, words, 1)))
            how = "bytes" if dice.random() < 0.7 else replaced(dice, place, victim, FILE_MAX + 1)
            if dice.random() < 0.1:
                replaced(dice, place.with_suffix(".tmp"), victim, FILE_MAX)
            found = kept.load(60.0)
            if found is not None:
                for why in jobs(found.nodes, scripts=False)[1].values():
                    claim(why.isprintable(), "not for people:", why[:300])
            kept.save(json.dumps(LISTS[0]).encode())
            claim(victim.read_bytes() == b"not ours", "outside the folder:", how)
            again = kept.load(60.0)
            claim(again is not None or "folder" in how or place.with_suffix(".tmp").is_dir(), "not kept:", how)
            claim(again is None or place.stat().st_mode & 0o077 == 0, "others may read it:", how)
            return f"{how}, {'none' if found is None else 'a list'}"

    yield attempt
