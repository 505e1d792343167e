"""What is known of the strength of all memories: a row each, a column for each number.

Rows stand in the order of ids. What follows from the memory itself (kind, importance, tags, time)
is worked out when its row is made; only what recalls have changed is kept in the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError

__all__ = ["LifeColumns", "Lived", "create_life_tables", "read_lived", "write_lived"]

MAX_EVENTS = 16
"""So many of the latest changes of a memory are kept for its picture."""

_DTYPES = {
    "ids": np.int64,
    # Seconds: as float32 the clock of a world of ten years would tick every half minute.
    "last": np.float64,
    "half_life": np.float32,
    "importance": np.float32,
    "recalls": np.uint16,
    "floor": np.float32,
    "strength": np.float32,
    "size": np.int32,
    "owner": np.int32,
}


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened to a memory since it was written.

    Attributes
    ----------
    recalls : int
        How often it was recalled or told again.
    gain : float
        What its half-life has been multiplied with.
    last : float
        Game time in seconds from which it fades.
    events : tuple of (float, float, float)
        When its course changed, and the `last` and the half-life from there on; the latest ones.
    """

    recalls: int = 0
    gain: float = 1.0
    last: float = 0.0
    events: tuple[tuple[float, float, float], ...] = ()

    def then(
        self, now: float, *, last: float, half_life: float, gain: float, recalled: bool
    ) -> Lived:
        """The next state: from `now` on it falls with another half-life."""
        return Lived(
            recalls=min(self.recalls + recalled, 65_535),
            gain=gain,
            last=last,
            events=(*self.events, (now, last, half_life))[-MAX_EVENTS:],
        )


class LifeColumns:
    """Columns that grow; the first `count` rows of each are in use."""

    ids: NDArray[np.int64]
    last: NDArray[np.float64]
    half_life: NDArray[np.float32]
    importance: NDArray[np.float32]
    recalls: NDArray[np.uint16]
    floor: NDArray[np.float32]
    strength: NDArray[np.float32]
    size: NDArray[np.int32]
    owner: NDArray[np.int32]

    def __init__(self) -> None:
        self.count = 0
        self._room = 0
        for name, dtype in _DTYPES.items():
            setattr(self, name, np.empty(0, dtype))

    def append(self, rows: Sequence[tuple[float, ...]]) -> None:
        """Add rows, each as wide as there are columns, with ids above all that are there."""
        if not rows:
            return
        wanted = self.count + len(rows)
        if wanted > self._room:
            self._room = max(1024, wanted, self._room * 3 // 2)
            for name, dtype in _DTYPES.items():
                grown = np.empty(self._room, dtype)
                grown[: self.count] = getattr(self, name)[: self.count]
                setattr(self, name, grown)
        for name, values in zip(_DTYPES, zip(*rows, strict=True), strict=True):
            getattr(self, name)[self.count : wanted] = values
        self.count = wanted

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the rows where `mask`, shape ``(count,)``, is false."""
        left = int(mask.sum())
        for name in _DTYPES:
            column = getattr(self, name)
            column[:left] = column[: self.count][mask]
        self.count = left

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where ids stand; -1 for those that are not here."""
        own = self.ids[: self.count]
        places = np.searchsorted(own, ids)
        inside = places < self.count
        if self.count:
            inside &= own[np.minimum(places, self.count - 1)] == ids
        return np.where(inside, places, -1)


def create_life_tables(connection: sqlite3.Connection) -> None:
    """Make the table that a `MemoryLife` needs; part of a world's second migration."""
    connection.execute(
        "CREATE TABLE memory_life("
        "id INTEGER PRIMARY KEY, recalls INTEGER NOT NULL, gain REAL NOT NULL, last REAL NOT NULL,"
        " events BLOB NOT NULL)"
    )


def read_lived(connection: sqlite3.Connection) -> dict[int, Lived]:
    """What has happened to memories, by their ids."""
    found = {}
    for memory_id, recalls, gain, last, events in connection.execute(
        "SELECT id, recalls, gain, last, events FROM memory_life ORDER BY id"
    ):
        if len(events) % 24:
            raise CorruptDataError(
                f"what is known of the recalls of memory {memory_id} is damaged", id=memory_id
            )
        triples = np.frombuffer(events, "<f8").reshape(-1, 3).tolist()
        found[memory_id] = Lived(
            recalls=recalls, gain=gain, last=last, events=tuple((a, b, c) for a, b, c in triples)
        )
    return found


def write_lived(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, Lived]], gone: Iterable[int]
) -> None:
    """Insert or replace `rows` and remove `gone`, inside the open transaction."""
    connection.executemany("DELETE FROM memory_life WHERE id = ?", [(each,) for each in gone])
    connection.executemany(
        "INSERT OR REPLACE INTO memory_life VALUES (?, ?, ?, ?, ?)",
        [
            (each, one.recalls, one.gain, one.last, np.array(one.events, "<f8").tobytes())
            for each, one in rows
        ],
    )
