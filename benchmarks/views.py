"""Making the page: from the state to a view on the loop, from the view to bytes in a thread, by size.

A request never waits for it: see the measures of the page, where its cost is the same at every size.
"""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks.states import NOW, big_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness import Row, Settings

SIZES = (300, 3_000, 30_000)
PARTS = 8
"""Quiet figures are shown anew every 15 s, in which an eighth of the replicas is looked at, at 120 s each."""

PAUSE_MOST_MS = 100.0
"""The view is built on the loop, which must never stand still for longer."""


def run(replicas: int, rounds: int) -> dict[str, float]:
    """Milliseconds of CPU time of each step."""
    import gc
    from statistics import median

    from crisp_status import kinds
    from crisp_status.config.load import load
    from crisp_status.core.model import Health
    from crisp_status.core.world import World
    from crisp_status.formats.html import Html
    from crisp_status.view.build import ViewCache, build
    from crisp_status.view.page_info import page_info

    world = World(big_state(replicas))
    state = world.state
    with harness.folder() as folder:
        config = configs.write(folder, 3, configs.address(1), interval=120, port=1)
        info = page_info(load(config, kinds.rooms(), {}))
    cache = ViewCache()
    html = Html(info)
    at = NOW
    turn = 0

    def timed(work: Callable[[], object]) -> float:
        gc.collect()
        began = time.process_time()
        work()
        return (time.process_time() - began) * 1000

    def later() -> object:
        nonlocal at
        at += 1.0
        return build(state, info, at, cache)

    def looked_at() -> None:
        """A share of the replicas was seen again, with another latency."""
        nonlocal turn
        turn += 1
        for node in list(state.nodes.values())[turn % PARTS :: PARTS]:
            for replica in node.replicas.values():
                replica.seen_at, replica.latency_ms = at, replica.latency_ms + 1

    def changed() -> None:
        """One node in a hundred has another health."""
        for node in list(state.nodes.values())[::100]:
            node.health = Health.HEALTHY if node.health is Health.DEAD else Health.DEAD

    found = {"cold": timed(later)}
    view = later()
    found["cold_html"] = timed(lambda: html.home(view))
    text = html.home(view).encode()
    found["kb"], found["gzip"] = len(text) / 1000, timed(lambda: gzip.compress(text, 6 if len(text) > 200_000 else 9))
    found["quiet"] = median(timed(later) for _ in range(rounds))
    all_seen, some, some_html = [], [], []
    for _ in range(rounds):
        looked_at()
        all_seen.append(timed(later))
        changed()
        some.append(timed(later))
        view = later()
        some_html.append(timed(lambda view=view: html.home(view)))
    found["seen"], found["changed"], found["changed_html"] = median(all_seen), median(some), median(some_html)
    return found


def measure(settings: Settings) -> list[Row]:
    """Each size in a process of its own."""
    rows: list[Row] = []
    for size in SIZES:
        found = harness.in_process("benchmarks.views:run", replicas=size, rounds=3 if settings.quick else 9)
        rows += [
            harness.limited(
                f"view, {size:,} replicas, one in 8 looked at again", [found["seen"]], "ms CPU", PAUSE_MOST_MS,
                f"nothing new {found['quiet']:.1f} ms, 1 % changed {found['changed']:.1f} ms, first {found['cold']:.0f} ms",
            ),
            harness.limited(
                "  its page after 1 % changed, in a thread", [found["changed_html"]], "ms CPU", None,
                f"all rows anew {found['cold_html']:.0f} ms, {found['kb']:.0f} kB, compressed in {found['gzip']:.0f} ms",
            ),
        ]  # fmt: skip
    return rows
