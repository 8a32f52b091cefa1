"""History that `import --history` left beside the configuration is taken into the state at a start, once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status import log
from crisp_status.core.events import HistoryImported
from crisp_status.core.past import history_name
from crisp_status.engine import EngineTrouble

if TYPE_CHECKING:
    from pathlib import Path

    from crisp_status.engine import Engine

BYTES_MAX: Final = 256 * 1024 * 1024
"""Years of thousands of nodes; whatever is larger is another file."""


def beside(config: Path) -> Path:
    """Where the history of a configuration lies: `config.history.jsonl` for `config.toml`."""
    return config.with_name(history_name(config.stem))


async def take(engine: Engine, path: Path) -> None:
    """Commit each part that the state has not taken before. A file that cannot be read is told, and holds nothing up."""
    taken = frozenset((await engine.read()).imported)
    try:
        fresh = await asyncio.to_thread(_fresh, path, taken)
        for part in fresh:
            await engine.commit(part)
    except (OSError, ValueError, msgspec.MsgspecError, EngineTrouble) as error:
        log.get().warning("the history of the other program was not taken", file=str(path), error=str(error))
        return
    if fresh:
        days = sum(len(part.days) for part in fresh)
        incidents = sum(len(part.incidents) for part in fresh)
        log.get().info("took over the history of another program", file=str(path), days=days, incidents=incidents)


def _fresh(path: Path, taken: frozenset[str]) -> list[HistoryImported]:
    """The parts in the file that are not among those; none when there is no file."""
    if not path.is_file():
        return []
    if path.stat().st_size > BYTES_MAX:
        raise ValueError(f"it is larger than {BYTES_MAX // 1024**2} MB")
    parts = msgspec.json.Decoder(HistoryImported).decode_lines(path.read_bytes())
    return [part for part in parts if part.source not in taken]
