"""Replaying what was recorded: no model, no embedder, no clock, no thread has a say in it.

A recording file::

    offset  size
         0     8   magic
         8     4   format version (little-endian)
        12     8   length of what follows the header
        20    32   BLAKE2b-256 of everything before it and of what follows
        52     n   zlib: the `SessionRecord` as MessagePack
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from astraweave import __version__
from astraweave.context import Turn
from astraweave.errors import CorruptDataError, FormatVersionError
from astraweave.persona import Persona, PersonaState
from astraweave.rag import Memory
from astraweave.world._files import explained, replace_atomically
from astraweave.world.events import decode_event
from astraweave.world.ledger import Ledger, PlainEntries, PlainMemories
from astraweave.world.recording import Recorded, TickMark, pack_touched
from astraweave.world.transitions import apply, game_key, mind_key, persona_key, turn_prefix

__all__ = ["Replay", "SessionRecord", "StartState", "read_record", "replay", "write_record"]

T = TypeVar("T")

RECORD_VERSION = 1
_MAGIC = b"\x89AWPLAY\n"
_HEADER = struct.Struct("<8sIQ")
_DIGEST = 32


class StartState(msgspec.Struct, frozen=True, kw_only=True):
    """What a world was like when the recording began.

    Attributes
    ----------
    entries : tuple of (str, bytes)
        Everything but memories; see `astraweave.world.ledger`.
    memories : tuple of Memory
        Of everybody.
    next_memory : int
        The id of the next one.
    hash : str
        Of this state.
    """

    entries: tuple[tuple[str, bytes], ...] = ()
    memories: tuple[Memory, ...] = ()
    next_memory: int = 1
    hash: str = ""

    def ledger(self) -> Ledger:
        """The state, to go on from."""
        return Ledger(PlainEntries(self.entries), PlainMemories(self.memories, self.next_memory))


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded session, complete by itself; `World.export_journal` writes one.

    Attributes
    ----------
    writer : str
        Version of astraweave that wrote it.
    start : StartState
        What it begins with.
    events : tuple of Recorded
        Everything that happened, in order.
    ticks : tuple of TickMark
        The ticks in which anything happened, in order.
    """

    writer: str = __version__
    start: StartState = StartState()
    events: tuple[Recorded, ...] = ()
    ticks: tuple[TickMark, ...] = ()


class Replay:
    """A session that was replayed: the state at its end, and the hashes on the way.

    Attributes
    ----------
    events : int
        How many were applied.
    ticks : tuple of TickMark
        The ticks in which anything happened.
    """

    def __init__(self, record: SessionRecord, state: Ledger) -> None:
        self.events = 0
        self.ticks: tuple[TickMark, ...] = ()
        self._start = record.start.hash or state.hash
        self._state = state

    @property
    def hash(self) -> str:
        """Of the state as it is now."""
        return self._state.hash

    def hash_at(self, tick: int) -> str:
        """Of the state at the end of any tick; of the one at the start for those before."""
        known = [mark.hash for mark in self.ticks if mark.tick <= tick]
        return known[-1] if known else self._start

    def get(self, key: str, kind: type[T]) -> T | None:
        """What the game had `World.put` there."""
        return self._state.get(game_key(key), kind)

    def persona(self, npc: str) -> Persona | None:
        """Who a character is; None: there is none."""
        return self._state.get(persona_key(npc), Persona)

    def mind(self, npc: str) -> PersonaState | None:
        """A character's mood and relationships; None: nothing has moved it yet."""
        return self._state.get(mind_key(npc), PersonaState)

    def turns(self, npc: str) -> list[Turn]:
        """What was said to and by a character, oldest first."""
        return [turn for _, turn in self._state.items(turn_prefix(npc), Turn)]

    def memories(self, npc: str) -> list[Memory]:
        """What a character remembers, oldest first."""
        return [memory for memory in self._state.export()[1] if memory.owner == npc]


def replay(
    record: SessionRecord, on_tick: Callable[[TickMark, Replay], object] | None = None
) -> Replay:
    """Let everything happen again.

    Parameters
    ----------
    record : SessionRecord
        What was recorded.
    on_tick : callable, optional
        Called after every tick in which anything happened.

    Raises
    ------
    CorruptDataError
        It does not come out as it did: ``error.tick``, ``error.event`` (its number, from 0, and
        its kind) and ``error.key``, the first entry that differs, say where.
    FormatVersionError
        A newer astraweave recorded it.
    """
    state = record.start.ledger()
    if record.start.hash and state.hash != record.start.hash:
        raise CorruptDataError(
            "the recording begins with another state than it says", tick=0, event=None, key=None
        )
    play = Replay(record, state)
    events = iter(record.events)
    for mark in record.ticks:
        for event in islice(events, mark.events):
            _apply(play, state, event)
        if state.hash != mark.hash:
            raise CorruptDataError(
                f"the replay differs from the recording after tick {mark.tick}: the state is "
                f"{state.hash}, and was {mark.hash}",
                tick=mark.tick,
                event=None,
                key=None,
            )
        play.ticks += (mark,)
        if on_tick is not None:
            on_tick(mark, play)
    for event in events:  # of a tick that never ended
        _apply(play, state, event)
    return play


def _apply(play: Replay, state: Ledger, recorded: Recorded) -> None:
    event = decode_event(recorded.data)
    state.touched.clear()
    apply(state, event)
    if pack_touched(state.touched) != recorded.touched:
        kind = type(event).__struct_config__.tag
        key = _first_difference(state.touched, recorded.touched)
        raise CorruptDataError(
            f"the replay differs from the recording in tick {recorded.tick}, event {play.events} "
            f"({kind}): {key!r} comes out differently",
            tick=recorded.tick,
            event=(play.events, kind),
            key=key,
        )
    play.events += 1


def _first_difference(touched: list[tuple[str, bytes]], recorded: bytes) -> str:
    for place, (key, digest) in enumerate(touched):
        if recorded[4 * place : 4 * place + 4] != digest:
            return key
    return touched[-1][0] if touched else ""  # the recording touched more than that


def write_record(path: Path, record: SessionRecord) -> None:
    """Write a recording into a file, in one atomic step.

    Raises
    ------
    StorageError
        The disk is full or refuses.
    """
    packed = zlib.compress(msgspec.msgpack.encode(record), 6)
    header = _HEADER.pack(_MAGIC, RECORD_VERSION, len(packed))
    seal = hashlib.blake2b(header + packed, digest_size=_DIGEST).digest()
    with explained("cannot write the recording", path):
        replace_atomically(path, (header, seal, packed))


def read_record(path: Path) -> SessionRecord:
    """A recording that `write_record` wrote.

    Raises
    ------
    CorruptDataError
        It is cut short, has changed since, or is no recording.
    FormatVersionError
        A newer astraweave wrote it.
    StorageError
        It cannot be read.
    """
    with explained("cannot read the recording", path):
        data = path.read_bytes()
    if len(data) < _HEADER.size + _DIGEST or not data.startswith(_MAGIC):
        raise _damaged(path, "it is no recording of astraweave")
    _, version, length = _HEADER.unpack_from(data)
    if version > RECORD_VERSION:
        raise FormatVersionError(
            f"the recording {path} has format {version}, but this astraweave ({__version__}) "
            f"reads up to {RECORD_VERSION}: update the game",
            path=str(path),
            found=version,
            supported=RECORD_VERSION,
        )
    packed = data[_HEADER.size + _DIGEST :]
    seal = hashlib.blake2b(data[: _HEADER.size] + packed, digest_size=_DIGEST).digest()
    if len(packed) != length or seal != data[_HEADER.size : _HEADER.size + _DIGEST]:
        raise _damaged(path, "it was cut short or has changed since it was written")
    try:
        return msgspec.msgpack.decode(zlib.decompress(packed), type=SessionRecord)
    except (zlib.error, msgspec.DecodeError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> CorruptDataError:
    return CorruptDataError(
        f"the recording {path} cannot be read: {what}", path=str(path), reason=what
    )
