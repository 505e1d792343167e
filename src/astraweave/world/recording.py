"""The recording of a session: its events in order, and the hash of the state after each tick.

::

    event(seq, tick, data, touched)     what happened up to a commit, packed together
    tick(tick, events, hash)            only of ticks in which anything happened

A row of the first form holds one event, as `encode_event` writes it. Now a row holds all events of
a commit: what is said in one of them comes again in the others, so that packed together they take
half the room, in the time that rows of their own would take.

Both tables hold what happened since the last save: a save carries the events that led to it from
the save before, so that one replays into the other.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from astraweave.errors import CorruptDataError

__all__ = ["Recorded", "Recording", "TickMark", "pack_touched", "read_recording"]


_PACKED = b"\0"  # no event begins so: it is a MessagePack map
_WORDS = (
    b"\xa4game\xa4room\xa9character\xa7persona\xa4view\xa7version\xa5added\xa7removed\xa6stated"
    b"\xa9retracted\xa6entity\xa7subject\xa9predicate\xa6object\xa7aliases\xa5place\xa7faction"
    b"\xa5value\xa3key\xa4gone\xadsuperseded_by\xa7sources\xaaprovenance\xa4tags\xa8semantic"
    b"\x84\xa4kind\xa4felt\xa3npc\xa5state\xa4mood\xa9relations\xa7outcome\xa6weight\xa6memory"
    b"\x84\xa4kind\xa4room\xa4room\xa7novelty\xa3key\xa5value\x83\xa5count\xa4mean\xcb\xa7squares\xcb"
    b"\x84\xa4kind\xa5lived\xa5lived\x91\x92\x84\xa7recalls\xa4gain\xcb\xa4last\xcb\xa6events"
    b"\x84\xa4kind\xa4line\xa3npc\xa5turns\x92\x83\xa4role\xa4user\xa7speaker\xa6player\xa4text"
    b"\x84\xa4role\xa9assistant\xa7speaker\xa4text\xa9game_time\xa8recalled\x90\xa5drawn"
    b"\x84\xa4kind\xa8memories\xa7changes\x82\xa3put\x91\x8d\xa2id\xcd\xa5owner\xa4text\xa4kind"
    b"\xa8episodic\xa7speaker\xa9addressee\xa6player\xa9game_time\xcb\xaaimportance\xcb?\xe0"
    b"\xa8entities\x91\xa3why\xa4told\xa3why\xa4line\xa2at\xcb\x82\xa4kind\xa5clock\xa3now\xcb"
)
"""What events are full of: the packing begins with it in mind. Never changed, only followed."""


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """One event as it was recorded.

    Attributes
    ----------
    tick : int
        The tick that it belongs to.
    data : bytes
        See `astraweave.world.events.decode_event`.
    touched : bytes
        First four bytes of the digest of every entry that it changed, in order.
    """

    tick: int
    data: bytes
    touched: bytes


class TickMark(msgspec.Struct, frozen=True, array_like=True):
    """The end of a tick in which something happened.

    Attributes
    ----------
    tick : int
        Its number.
    events : int
        How many there were in it.
    hash : str
        Of the state afterwards.
    """

    tick: int
    events: int
    hash: str


class Recording:
    """Events since the last save; a `WriteBehind`, confined to the thread of its connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._events: list[tuple[int, bytes, bytes]] = []
        self._ticks: list[tuple[int, int, bytes]] = []
        self._uncommitted: tuple[list[tuple[int, bytes, bytes]], list[tuple[int, int, bytes]]]
        self._uncommitted = ([], [])

    def add(self, tick: int, data: bytes, touched: Iterable[tuple[str, bytes]]) -> None:
        """Note an event that was applied, as `encode_event` writes it, and what it changed."""
        self._events.append((tick, data, pack_touched(touched)))

    def mark(self, tick: int, events: int, state_hash: str) -> None:
        """Note the end of a tick."""
        self._ticks.append((tick, events, bytes.fromhex(state_hash)))

    def read(self) -> tuple[list[Recorded], list[TickMark]]:
        """Everything since the last save."""
        self.write()
        return read_recording(self._connection)

    def write(self) -> None:
        """Hand everything new to the open transaction (see `WriteBehind`)."""
        if self._events:
            self._connection.execute(
                "INSERT INTO event(tick, data, touched) VALUES (?, ?, x'')",
                (self._events[0][0], _pack(self._events)),
            )
        if self._ticks:
            self._connection.executemany("INSERT INTO tick VALUES (?, ?, ?)", self._ticks)
        self._uncommitted[0].extend(self._events)
        self._uncommitted[1].extend(self._ticks)
        self._events, self._ticks = [], []

    def committed(self) -> None:
        """The transaction holds."""
        self._uncommitted = ([], [])

    def rolled_back(self) -> None:
        """The transaction is gone; what it held will be written again."""
        self._events = self._uncommitted[0] + self._events
        self._ticks = self._uncommitted[1] + self._ticks
        self._uncommitted = ([], [])


def pack_touched(touched: Iterable[tuple[str, bytes]]) -> bytes:
    """The digests of the entries that an event changed, without their keys."""
    return b"".join(digest for _, digest in touched)


def read_recording(connection: sqlite3.Connection) -> tuple[list[Recorded], list[TickMark]]:
    """What a world's database has recorded since the save before."""
    return list(_events(connection)), list(_ticks(connection))


def _events(connection: sqlite3.Connection) -> Iterator[Recorded]:
    for tick, data, touched in connection.execute(
        "SELECT tick, data, touched FROM event ORDER BY seq"
    ):
        if data[:1] == _PACKED:
            yield from _unpack(data)
        else:
            yield Recorded(tick, data, touched)


def _ticks(connection: sqlite3.Connection) -> Iterator[TickMark]:
    for tick, events, digest in connection.execute(
        "SELECT tick, events, hash FROM tick ORDER BY tick"
    ):
        yield TickMark(tick, events, digest.hex())


def _pack(events: list[tuple[int, bytes, bytes]]) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -13, 6, zlib.Z_DEFAULT_STRATEGY, _WORDS)
    return _PACKED + packer.compress(msgspec.msgpack.encode(events)) + packer.flush()


def _unpack(data: bytes) -> list[Recorded]:
    try:
        plain = zlib.decompressobj(-13, _WORDS).decompress(data[len(_PACKED) :])
        return msgspec.msgpack.decode(plain, type=list[Recorded])
    except (zlib.error, msgspec.DecodeError) as error:
        raise CorruptDataError(f"the recording of what happened is damaged: {error}") from error
