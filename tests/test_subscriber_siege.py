"""Real processes and SIGKILL while subscribers are told; `python -m tests.subscriber_siege --kills 20` is the long one."""

from __future__ import annotations

import pytest

from tests.subscriber_siege import besiege


@pytest.mark.timeout(300)
async def test_a_kill_loses_nobody_and_repeats_one_message_at_most(tmp_path):
    """Two kills in the middle: everybody got the opening, and at most two of them twice."""
    copies = await besiege(tmp_path / "daemon", kills=2, subscribers=150)

    assert sum(copies.values()) == 150
