"""Notes of a session, in order: what models answered, and whatever else explains it later."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from astraweave.core.protocols import Clock

__all__ = ["EventJournal", "JournalEvent"]


class JournalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened and could have happened otherwise."""

    seq: int
    game_time: float
    kind: str
    payload: dict[str, Any]


class EventJournal:
    """Events since the last save (a `core.protocols.Journal`).

    `record` may be called from any thread and only appends to a buffer; everything else is
    confined to the thread of the connection. A save carries the events that led to it from the
    save before, so that one replays into the other; after it the journal begins anew.

    Parameters
    ----------
    clock : Clock
        Gives every event its game time.
    """

    _connection: sqlite3.Connection

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buffer: deque[tuple[float, str, bytes]] = deque()
        self._uncommitted: list[tuple[float, str, bytes]] = []

    def write_into(self, connection: sqlite3.Connection) -> None:
        """Go on in this database (see `Slot`), with nothing that waits for another one."""
        self._connection = connection
        self._buffer.clear()
        self._uncommitted = []

    def record(self, kind: str, payload: Mapping[str, object]) -> None:
        """Append one event; a few microseconds, thread-safe, never touches the disk."""
        self._buffer.append((self._clock.now(), kind, msgspec.msgpack.encode(dict(payload))))

    def events(self) -> Iterator[JournalEvent]:
        """Everything recorded since the last save, in order."""
        self.write()
        for seq, game_time, kind, payload in self._connection.execute(
            "SELECT seq, game_time, kind, payload FROM journal ORDER BY seq"
        ):
            yield JournalEvent(
                seq=seq, game_time=game_time, kind=kind, payload=msgspec.msgpack.decode(payload)
            )

    def write(self) -> None:
        """Hand everything new to the open transaction (see `WriteBehind`)."""
        fresh = []
        while self._buffer:
            fresh.append(self._buffer.popleft())
        if fresh:
            self._uncommitted += fresh
            self._connection.executemany(
                "INSERT INTO journal(game_time, kind, payload) VALUES (?, ?, ?)", fresh
            )

    def committed(self) -> None:
        """The transaction holds."""
        self._uncommitted = []

    def rolled_back(self) -> None:
        """The transaction is gone; what it held will be written again."""
        self._buffer.extendleft(reversed(self._uncommitted))
        self._uncommitted = []
