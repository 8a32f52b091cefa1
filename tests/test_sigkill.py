"""Real processes and SIGKILL, a few rounds; `python -m tests.sigkill --rounds 200` is the long siege."""

from __future__ import annotations

import pytest

from tests.sigkill import besiege


@pytest.mark.timeout(120)
async def test_nothing_acknowledged_is_lost_whenever_it_is_killed(tmp_path):
    """Five kills under load: every start is clean, every word, incident and message is there, and all is told in the end."""
    siege = await besiege(tmp_path, rounds=5, seed=1)

    print(siege.summary())
    assert len(siege.kills) == 5
    assert siege.counts["words"] > 0
    assert siege.counts["incidents told"] > 0
