"""The harness of the measures: that the figures it prints are those it was given."""

import json
from importlib import import_module

import pytest

from benchmarks import configs, cycle, harness
from benchmarks.__main__ import MEASURES
from benchmarks.harness import Row, Sample
from benchmarks.states import big_state
from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.config.plan import plan


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_there(name):
    """Each name of the table is a module that measures."""
    assert callable(import_module(f"benchmarks.{name}").measure)


def test_contenders_take_turns():
    """Each comes once a round, and who goes first changes."""
    order = []

    def contender(name):
        def run():
            order.append(name)
            return Sample(100.0 if name == "ours" else 50.0, 10.0)

        return run

    found = harness.alternate(3, {"ours": contender("ours"), "other": contender("other")})
    row = harness.rated("what", found["ours"], found["other"], "other", 1.5)

    assert order == ["ours", "other", "other", "ours", "ours", "other"]
    assert (row.ratio, row.reached, row.reference) == (2.0, True, 50.0)


def test_a_missed_target_is_called_so():
    """The table says MISSED, and JSON holds the same."""
    ours, floor = [Sample(1.0, 30.0)], [Sample(1.0, 10.0)]
    row = harness.costed("a look", ours, floor, "floor", 2.0)

    assert "MISSED" in harness.table([row])
    assert "3.00" in harness.table([row])
    assert json.loads(json.dumps(harness.plain([row])))[0]["reached"] is False
    assert harness.markdown([Row("x", 1.0, "s")]).count("\n") == 2


def test_a_cycle_says_how_long_it_took():
    """Duration, lateness, memory and the longest stall are rows of their own; only what has a target is judged."""
    found = dict.fromkeys(
        ("late_max", "first_late_p99", "stall_cpu_ms", "first_stall_ms", "cpu", "dead", "dead_seconds"), 0.0
    ) | {"duration": 151.5, "ended": 9_999, "late_p99": 0.5, "memory_mb": 200.0, "stall_ms": 120.0, "looks": 10_000}
    rows = cycle.told("10,000 replicas", found, judged=True)

    assert [(row.what.strip(), row.ours, row.reached) for row in rows] == [
        ("10,000 replicas: duration", 151.5, None),
        ("lateness p99", 0.5, True),
        ("longest stall of the loop", 120.0, False),
        ("CPU", 0.0, True),
        ("memory, highest", 200.0, True),
    ]
    assert "9,999 of them" in rows[0].note


def test_the_machine_has_no_name():
    """What is said of it is its kind."""
    assert set(harness.machine()) == {"cpu", "cores", "memory_gb", "kernel", "python", "loop", "busy_before"}


def test_configuration_and_state_have_the_same_tree(tmp_path):
    """A daemon that starts on a made configuration knows the replicas of the made state."""
    where = configs.address(8080)
    config = load(configs.write(tmp_path, 400, where, interval=60, port=0), kinds.rooms(), {})
    state = big_state(400, where)
    planned = {n.key: [r.id for r in n.replicas] for s in plan(config).services for n in s.nodes}

    assert planned == {key: list(node.replicas) for key, node in state.nodes.items()}
