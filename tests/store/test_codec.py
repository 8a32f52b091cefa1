"""State and events survive their bytes, in this format and from older ones."""

from __future__ import annotations

import gc

import pytest

from benchmarks.states import big_state
from crisp_status.core.events import Withdrawn
from crisp_status.core.model import STATE_VERSION, Ledger, Period, State, Tally
from crisp_status.store.codec import (
    StateEncoder,
    UndecodableError,
    check_state,
    decode_event,
    decode_state,
    encode_event,
)


def _encoded(state: State) -> bytes:
    return b"".join(StateEncoder().encode(state))


def test_a_big_state_comes_back_equal():
    """Every field of every struct, also over the borders of chunks."""
    state = big_state(4000, days=3)

    assert decode_state(_encoded(state)) == state


def test_an_empty_state_comes_back_equal():
    """Nothing is something too."""
    assert decode_state(_encoded(State())) == State()


def test_what_is_over_is_encoded_once():
    """The bytes of a period are those of the last time; a new plan, a new period and a changed last one are seen."""
    state = big_state(90, days=3)
    encoder = StateEncoder()
    encoder.remember(state)
    first = encoder.encode(state)
    second = encoder.encode(state)

    same = [chunk for chunk in first if any(chunk is other for other in second)]
    kept = [period.key for period in state.days if any(f'{{"key":"{period.key}",'.encode() in c[:40] for c in same)]
    assert kept == [period.key for period in state.days[:-1]]

    state.days[-1].others["web"] = Tally(7.5)
    assert decode_state(b"".join(encoder.encode(state))) == state

    state.days = [*state.days[1:], Period("day-new", 1.0, Tally(5.5), {"web": None})]
    state.plan = big_state(3).plan
    assert decode_state(b"".join(encoder.encode(state))) == state
    check_state(encoder.encode(state))


def test_a_snapshot_that_kept_hours_is_read():
    """They were shown by nothing and are kept no more; days and the running day are what they were."""
    old = (
        b'{"ledger":[1.0,2.0,[3.0,0.0,0.0,0.0],[4.0,0.0,0.0,0.0]],'
        b'"days":[{"key":"2026-11-21","ends_at":8.0,"usual":[5.0,0.0,0.0,0.0],"others":{}}],'
        b'"hours":[{"key":"2026-11-22T14","ends_at":8.0,"usual":[5.0,0.0,0.0,0.0],"others":{}}],"hour_ends_at":9.0}'
    )
    state = State(
        ledger=Ledger(1.0, 2.0, Tally(3.0)), days=[Period("2026-11-21", 8.0, Tally(5.0), {})], hour_ends_at=9.0
    )

    assert decode_state(old) == state
    assert decode_state(_encoded(state)) == state


def test_an_older_format_is_brought_forward():
    """Step by step, as plain JSON; a version that nobody knows is refused."""
    old = STATE_VERSION - 2
    steps = {
        old: lambda value: {**value, "alive_at": value.pop("was_alive_at")},
        old + 1: lambda value: {**value, "version": STATE_VERSION},
    }

    assert decode_state(b'{"version":-1,"was_alive_at":7.5}', old, steps) == State(alive_at=7.5)
    with pytest.raises(UndecodableError, match=f"nothing is known of format {old}"):
        decode_state(b"{}", old)

    rename = {STATE_VERSION - 1: lambda value: {**value, "type": "Withdrawn"}}
    assert decode_event(b'{"type":"Gone","id":"a"}', STATE_VERSION - 1, rename) == Withdrawn(id="a")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b'{"at":"x"}', b"[" * 100_000, b'{"at":1e999}', b'{"health":7}', b'{"since":"\xff"}']
)
def test_rubbish_is_undecodable(data: bytes):
    """One error for all of it, and the garbage collector is on again afterwards."""
    with pytest.raises(UndecodableError):
        decode_state(data)
    with pytest.raises(UndecodableError):
        decode_event(data)
    assert gc.isenabled()


def test_an_event_is_one_line():
    """Whatever it holds."""
    event = Withdrawn(at=1.0, id="a\nb\u2028\x00\x85")

    assert b"\n" not in encode_event(event)
    assert decode_event(encode_event(event)) == event
