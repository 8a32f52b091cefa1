"""Response times: slots of five minutes and of six hours, written down once, the same after a replay."""

import pytest

from crisp_status.core import latency
from crisp_status.core.latency import scaled, unscaled
from crisp_status.core.model import Health
from tests.core.story import node, page

HEALTHY = Health.HEALTHY


def short(story, path="web/api/1"):
    """Median and 95th percentile of each short slot, in milliseconds."""
    kept = story.replica(path).short
    return [
        (unscaled(kept[n]) if kept[n] else 0, unscaled(kept[n + 1]) if kept[n + 1] else 0)
        for n in range(0, len(kept), 2)
    ]


def near(milliseconds):
    """Within a step of the scale."""
    return pytest.approx(milliseconds, rel=0.03)


def test_a_byte_is_a_time_within_three_percent():
    """From a millisecond to ten minutes; 0 is left for "nothing known"."""
    for milliseconds in (1, 2, 3, 10, 84, 250, 1000, 9_999, 60_000, 600_000):
        assert unscaled(scaled(milliseconds)) == pytest.approx(milliseconds, rel=0.03, abs=0.5)
    assert (scaled(0), scaled(1), scaled(10**9)) == (1, 1, 255)


def test_a_slot_that_is_over_is_two_bytes(tell):
    """Its median and 95th percentile, written with the first tick after it; a quiet slot is empty."""
    story = tell(node("web/api"))
    for milliseconds in [100] * 18 + [900, 1000]:
        story.seen("web/api", HEALTHY, latency_ms=milliseconds).passes("10 s")
    story.passes("2 min")
    assert short(story) == [(near(100), near(900))]

    story.passes("6 min").seen("web/api", HEALTHY, latency_ms=5).passes("5 min")
    assert short(story) == [(near(100), near(900)), (0, 0), (5, 5)]


def test_a_slot_is_journaled_once(tell):
    """All ticks but the one that closes it are volatile, and a kill loses no slot that is over."""
    story = tell(node("web/api", replicas=2)).passes("1 min").seen("web/api", HEALTHY, latency_ms=80)
    before = len(story.journal)
    story.passes("10 min")
    assert len([one for one in story.journal[before:] if b'"latency"' in one]) == 1

    story.seen("web/api/1", HEALTHY, latency_ms=300).is_killed("1 min").passes("5 min")
    assert short(story)[0] == (near(80), near(80))
    assert short(story, "web/api/2")[0] == (near(80), near(80))


def test_six_hours_are_counted_from_all_their_looks(tell):
    """A slow quarter of an hour is in the 95th percentile and not in the median."""
    story = tell(node("web/api"))
    for _ in range(70):
        story.seen("web/api", HEALTHY, latency_ms=100).passes("5 min", tick=60)
    for _ in range(5):
        story.seen("web/api", HEALTHY, latency_ms=2000).passes("30 s", tick=30)
    story.passes("20 min", tick=60)

    kept = story.replica("web/api/1").long
    assert [unscaled(byte) for byte in kept] == [near(100), near(2000)]


def test_a_slow_rhythm_fills_its_six_hours(tell):
    """One look in two hours: nothing is seen around the end of the six, and they are written with the next look."""
    story = tell(node("web/api"), start="2026-11-22 11:00:00")
    for _ in range(9):
        story.seen("web/api", HEALTHY, latency_ms=50).passes("2 h", tick=60)

    assert [unscaled(byte) for byte in story.replica("web/api/1").long[:4]] == [near(50)] * 4


def test_memory_has_an_end(tell):
    """Whatever the rhythm and however long: 576 and 720 bytes, and 300 answers in an open slot."""
    story = tell(node("web/api"))
    for _ in range(400):
        story.seen("web/api", HEALTHY, latency_ms=10)
    assert len(story.replica("web/api/1").samples) == latency.SAMPLES_MAX
    for _ in range(400):
        story.seen("web/api", HEALTHY, latency_ms=10).passes("6 h", tick=3600)

    replica = story.replica("web/api/1")
    assert (len(replica.short), len(replica.long)) == (576, 720)


def test_many_nodes_are_closed_in_turns(tell):
    """So that no tick is long: 500 at once, each once."""
    story = tell(*(node(f"web/n{n}") for n in range(600)))
    for n in range(600):
        story.seen(f"web/n{n}", HEALTHY, latency_ms=20)
    story.passes("5 min", tick=300)
    closed = [bool(one.short_slot) for one in story.state.nodes.values()]
    assert closed.count(True) == latency.NODES_AT_ONCE
    story.passes("1 s")
    assert all(one.short_slot for one in story.state.nodes.values())


def test_a_clock_that_was_set_back_overwrites_nothing(tell):
    """Slots that exist stay; new ones follow when the clock is there again."""
    story = tell(node("web/api")).seen("web/api", HEALTHY, latency_ms=100).passes("6 min")
    was = short(story)
    story.jumps("-2 h").seen("web/api", HEALTHY, latency_ms=900).passes("6 min")
    assert short(story)[: len(was)] == was


def test_a_node_that_goes_before_its_turn_is_passed_over(tell):
    """A reload took it away between two ticks; the others are closed as if it had never been."""
    nodes = [node(f"web/n{n}") for n in range(600)]
    story = tell(*nodes)
    for n in range(600):
        story.seen(f"web/n{n}", HEALTHY, latency_ms=20)
    story.passes("5 min", tick=300).reloads(page(*nodes[1:])).passes("1 s")
    assert all(one.short_slot for one in story.state.nodes.values())
    assert len(story.state.nodes) == 599


def test_the_last_slot_of_six_hours_is_closed_with_them(tell):
    """Both are over at once: nothing of the first is left to the next."""
    story = tell(node("web/api"), start="2026-11-22 17:58:00")
    length = latency.LONG_SECONDS
    story.seen("web/api", HEALTHY, latency_ms=100).passes("3 min")
    replica = story.replica("web/api/1")
    assert story.now // length == (story.now - 180.0) // length + 1
    assert (short(story), len(replica.long)) == ([(unscaled(scaled(100)),) * 2], 2)
    assert (story.node("web/api").long_open, replica.samples_long) == (0, b"")
