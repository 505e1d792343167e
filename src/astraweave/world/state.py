"""Small states by name: histories, clocks, random streams, moods, whatever a room must keep."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from astraweave.errors import CorruptDataError, InputError

__all__ = ["StateTable"]

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class StateTable:
    """Values by key in the world's database, as MessagePack.

    What was put is visible at once and reaches the database at the next commit. Confined to the
    thread of its connection.

    Parameters
    ----------
    connection : sqlite3.Connection
        A world's database (see `Slot`).
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unwritten: dict[str, bytes | None] = {}  # None: deleted
        self._uncommitted: dict[str, bytes | None] = {}

    def put(self, key: str, value: object) -> None:
        """Set a value; it is encoded at once, so that later changes to it do not count.

        Raises
        ------
        InputError
            msgspec cannot encode it.
        """
        try:
            self.put_raw(key, _encoder.encode(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the state {key!r} cannot be saved: {error}", key=key) from error

    def get(self, key: str, kind: type[T], default: T | None = None) -> T | None:
        """The value of a key as `kind`, or `default` where there is none.

        Raises
        ------
        CorruptDataError
            What is stored there is no `kind`.
        """
        raw = self.raw(key)
        return default if raw is None else _decode(key, raw, kind)

    def put_raw(self, key: str, value: bytes | None) -> None:
        """Set a value that is MessagePack already, or forget the key (None)."""
        self._unwritten[key] = value

    def delete(self, key: str) -> None:
        """Forget a key; unknown ones are ignored."""
        self._unwritten[key] = None

    def items(self, prefix: str, kind: type[T]) -> Iterator[tuple[str, T]]:
        """Keys that begin with `prefix` and their values, in the order of the keys."""
        for key, raw in self.all_raw(prefix):
            yield key, _decode(key, raw, kind)

    def all_raw(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Keys that begin with `prefix` and their values as MessagePack, in the keys' order."""
        # From here on, as the index has them; the overlay below has the rest.
        rows = self._connection.execute(
            "SELECT key, value FROM state WHERE key >= ? ORDER BY key", (prefix,)
        )
        found: dict[str, bytes | None] = dict(
            itertools.takewhile(lambda row: row[0].startswith(prefix), rows)
        )
        for overlay in (self._uncommitted, self._unwritten):
            found.update(item for item in overlay.items() if item[0].startswith(prefix))
        for key in sorted(found):
            if (raw := found[key]) is not None:
                yield key, raw

    def raw(self, key: str) -> bytes | None:
        """The value of a key as MessagePack; None: there is none."""
        for overlay in (self._unwritten, self._uncommitted):
            if key in overlay:
                return overlay[key]
        row = self._connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def write(self) -> None:
        """Hand everything new to the open transaction (see `WriteBehind`)."""
        if not self._unwritten:
            return
        rows = [(key, raw) for key, raw in self._unwritten.items() if raw is not None]
        gone = [(key,) for key, raw in self._unwritten.items() if raw is None]
        self._connection.executemany("DELETE FROM state WHERE key = ?", gone)
        self._connection.executemany(
            "INSERT INTO state VALUES (?, ?) ON CONFLICT(key)"
            " DO UPDATE SET value = excluded.value WHERE value != excluded.value",
            rows,
        )
        self._uncommitted |= self._unwritten
        self._unwritten = {}

    def committed(self) -> None:
        """The transaction holds."""
        self._uncommitted = {}

    def rolled_back(self) -> None:
        """The transaction is gone; what it held will be written again."""
        self._unwritten = self._uncommitted | self._unwritten
        self._uncommitted = {}


def _decode(key: str, raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError as error:  # ValidationError is one of them
        raise CorruptDataError(
            f"the state {key!r} is not what this version of the game expects: {error}", key=key
        ) from error
