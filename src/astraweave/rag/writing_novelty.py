"""How new what a character hears usually is to it: a running mean and spread for each owner."""

from __future__ import annotations

import math
import sqlite3

import msgspec

__all__ = ["Novelty", "NoveltyTable", "create_writing_tables"]

_ENOUGH = 8
"""Before so many lines nobody knows what is usual."""
_LEAST_SPREAD = 0.1
_MOST = 2.0


class Novelty(msgspec.Struct, frozen=True, kw_only=True):
    """How far from all that was known the lines were so far (Welford's running moments).

    Attributes
    ----------
    count : int
        How many lines there were.
    mean : float
        Mean of their distances, 0 (known) to 1 (nothing like it).
    squares : float
        Sum of squared differences from the mean.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def surprise(self, distance: float) -> float:
        """By how many standard deviations a line is newer than usual, from -2 to 2."""
        if self.count < _ENOUGH:
            return 0.0
        spread = max(_LEAST_SPREAD, math.sqrt(self.squares / self.count))
        return max(-_MOST, min(_MOST, (distance - self.mean) / spread))

    def then(self, distance: float) -> Novelty:
        """The state after another line."""
        count = self.count + 1
        apart = distance - self.mean
        mean = self.mean + apart / count
        return Novelty(count=count, mean=mean, squares=self.squares + apart * (distance - mean))


class NoveltyTable:
    """`Novelty` of every owner; a `WriteBehind`. Confined to the thread of its connection.

    Parameters
    ----------
    connection : sqlite3.Connection
        Has the table of `create_writing_tables`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unwritten: dict[str, None] = {}
        self._uncommitted: dict[str, None] = {}
        self._of = {
            owner: Novelty(count=count, mean=mean, squares=squares)
            for owner, count, mean, squares in connection.execute(
                "SELECT owner, lines, mean, squares FROM memory_novelty"
            )
        }

    def __getitem__(self, owner: str) -> Novelty:
        return self._of.get(owner) or Novelty()

    def __setitem__(self, owner: str, novelty: Novelty) -> None:
        self._of[owner] = novelty
        self._unwritten[owner] = None

    def owners(self) -> list[str]:
        """Everybody of whom anything is known, in the order of their ids."""
        return sorted(self._of)

    def write(self) -> None:
        """Put into the open transaction what has changed since the last call."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO memory_novelty VALUES (?, ?, ?, ?)",
            [
                (owner, one.count, one.mean, one.squares)
                for owner in self._unwritten
                for one in (self._of[owner],)
            ],
        )
        self._uncommitted |= self._unwritten
        self._unwritten = {}

    def committed(self) -> None:
        """Everything written so far holds."""
        self._uncommitted = {}

    def rolled_back(self) -> None:
        """What was written since the last `committed` must be written again."""
        self._unwritten = self._uncommitted | self._unwritten
        self._uncommitted = {}


def create_writing_tables(connection: sqlite3.Connection) -> None:
    """Make the table of a `NoveltyTable`; part of a world's second migration."""
    connection.execute(
        "CREATE TABLE memory_novelty("
        "owner TEXT PRIMARY KEY, lines INTEGER NOT NULL, mean REAL NOT NULL, squares REAL NOT NULL)"
        " WITHOUT ROWID"
    )
