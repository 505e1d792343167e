"""The recording of a session: its events in order, and the hash of the state after each tick.

::

    event(seq, tick, data, touched)     data as `encode_event` writes it
    tick(tick, events, hash)            only of ticks in which anything happened

Both tables hold what happened since the last save: a save carries the events that led to it from
the save before, so that one replays into the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

__all__ = ["Recorded", "Recording", "TickMark", "pack_touched", "read_recording"]


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
            self._connection.executemany(
                "INSERT INTO event(tick, data, touched) VALUES (?, ?, ?)", self._events
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
    for row in connection.execute("SELECT tick, data, touched FROM event ORDER BY seq"):
        yield Recorded(*row)


def _ticks(connection: sqlite3.Connection) -> Iterator[TickMark]:
    for tick, events, digest in connection.execute(
        "SELECT tick, events, hash FROM tick ORDER BY tick"
    ):
        yield TickMark(tick, events, digest.hex())
