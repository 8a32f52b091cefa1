"""State and events as JSON bytes and back.

What is over is not encoded again: a `Plan` is frozen, and of the days only the last may still change
(`core.uptime` adds to it when the clock goes back), so the bytes of the others are kept by identity. At 100,000
replicas with 90 days of history that halves the pause: 79 ms instead of 186, by `python -m benchmarks.remembering`.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from crisp_status.core.events import AnyEvent, Event
from crisp_status.core.model import STATE_VERSION, Node, State
from crisp_status.log import printable
from crisp_status.store import StoreError, UnstorableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Steps = dict[int, "Callable[[dict[str, Any]], dict[str, Any]]"]
"""By version: how a value of that version, as plain JSON, becomes one of the next."""

STATE_STEPS: Final[Steps] = {1: lambda state: {**state, "version": 2}}
"""2: what a daemon of format 1 would drop without a word is refused by it; the fields that were added have defaults."""

EVENT_STEPS: Final[Steps] = {1: lambda event: {**event, "final": event.get("permanent", False)}}
"""The same for events in a journal. 2: a refusal is not the end of a message any more; in format 1 it was."""

CHUNK_NODES: Final = 1000
"""Nodes a chunk: about 1 MB, so that looking through one stops nothing else for longer than a millisecond."""

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
_encoder: Final = msgspec.json.Encoder()
_state: Final = msgspec.json.Decoder(State)
_event: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)

_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)


class UndecodableError(Exception):
    """These bytes are not what they should be."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))  # it may quote them


class Proven(bytes):
    """Bytes that were seen to decode."""

    __slots__ = ()


class StateEncoder:
    """Encodes one state again and again. The result is a list of chunks, to be written one after the other."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[object, bytes]] = {}

    def encode(self, state: State) -> list[bytes]:
        """JSON of the whole state. Raises `UnstorableError`."""
        kept: dict[int, tuple[object, bytes]] = {}
        chunks: list[bytes] = []
        try:
            for name in State.__struct_fields__:
                chunks.append(b'%c"%b":' % (b"," if chunks else b"{", name.encode()))
                value = getattr(state, name)
                if name == "plan":
                    chunks.append(self._once(value, kept))
                elif name == "days":
                    over = [self._once(day, kept) for day in value[:-1]]
                    chunks.extend(_array(over + [_proven(day) for day in value[-1:]]))
                elif name == "nodes":
                    chunks.extend(_nodes(value))
                else:
                    chunks.append(_encoder.encode(value))
        except _UNREADABLE as error:
            raise UnstorableError(f"the state cannot be written: {error}") from error
        chunks.append(b"}\n")
        self._kept = kept
        return chunks

    def remember(self, state: State) -> None:
        """Encode now what is over, so that the first snapshot after a start is no slower than the others.

        May run in a thread: what is over stays as it is, and an `encode` meanwhile at worst encodes some of it again.
        """
        self._kept = {}
        for value in (state.plan, *state.days[:-1]):
            self._once(value, self._kept)

    def _once(self, value: object, kept: dict[int, tuple[object, bytes]]) -> bytes:
        # The value is held beside its bytes: while it lives nothing else can have its id.
        known = self._kept.get(id(value)) or (value, _proven(value))
        kept[id(value)] = known
        return known[1]


def _proven(value: object) -> bytes:
    data: bytes = Proven(_encoder.encode(value))
    if b"null" in data:
        msgspec.json.decode(data, type=type(value))
    return data


def _array(items: list[bytes]) -> Iterator[bytes]:
    yield b"["
    for index, item in enumerate(items):
        if index:
            yield b","
        yield item
    yield b"]"


def _nodes(nodes: Mapping[str, Node]) -> Iterator[bytes]:
    yield b"{"
    rest = iter(nodes.items())
    first = True
    while part := dict(islice(rest, CHUNK_NODES)):
        if not first:
            yield b","
        first = False
        yield _encoder.encode(part)[1:-1]
    yield b"}"


def check_state(chunks: Sequence[bytes]) -> None:
    """Raise `UnstorableError` when the state could not be read back: a float that is not finite is written as null.

    A snapshot replaces an older one, so this is the last moment to see it. May take milliseconds: not for the loop.
    """
    if not any(b"null" in c and b"null" in _STRING.sub(b"", c) for c in chunks if not isinstance(c, Proven)):
        return
    try:
        _state.decode(b"".join(chunks))
    except _UNREADABLE as error:
        raise UnstorableError(f"the state has a value that cannot be read back, so it is not saved: {error}") from error


def decode_state(data: bytes | memoryview, version: int = STATE_VERSION, steps: Steps = STATE_STEPS) -> State:
    """The state that was encoded by this version or an older one. Raises `UndecodableError`."""
    try:
        with _no_collection():
            if version == STATE_VERSION:
                return _state.decode(data)
            return _state.decode(_encoder.encode(_migrate(msgspec.json.decode(data), version, steps)))
    except _UNREADABLE as error:
        raise UndecodableError(str(error)) from error


def encode_event(event: Event) -> bytes:
    """One event without a line end. Raises `UnstorableError` for what `decode_event` would not take back.

    Reading it back costs as much as writing it, and a journal that cannot be read would keep the next start from
    coming up: a float that is not finite becomes null, and types are only promised by annotations.
    """
    try:
        data = _encoder.encode(event)
        _event.decode(data)
    except _UNREADABLE as error:
        raise UnstorableError(f"the event {type(event).__name__} cannot be written: {error}") from error
    return data


def decode_event(data: bytes | msgspec.Raw, version: int = STATE_VERSION, steps: Steps = EVENT_STEPS) -> AnyEvent:
    """One event of this version or an older one. Raises `UndecodableError`."""
    try:
        if version == STATE_VERSION:
            return _event.decode(data)
        return _event.decode(_encoder.encode(_migrate(msgspec.json.decode(data), version, steps)))
    except _UNREADABLE as error:
        raise UndecodableError(str(error)) from error


def check_version(version: int, where: str, by: str) -> None:
    """Refuse what a newer version wrote. Raises `StoreError`."""
    if version > STATE_VERSION:
        raise StoreError(
            f"{where}: written by crisp-status {by or '(unknown)'} in format {version}, and this version reads up to "
            f"format {STATE_VERSION}; start that version again, or restore a backup from before the upgrade"
        )


def _migrate(value: dict[str, Any], version: int, steps: Steps) -> dict[str, Any]:
    while version < STATE_VERSION:
        if version not in steps:
            raise UndecodableError(f"nothing is known of format {version}")
        value = steps[version](value)
        version += 1
    return value


@contextmanager
def _no_collection() -> Iterator[None]:
    # A million new objects, none of them garbage: looking for garbage among them takes longer than making them.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
