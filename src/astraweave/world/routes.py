"""Entries that lie in tables of their rooms, beside all those that lie in the table of states.

A room that keeps many small things may want columns of its own. As long as it can give and take
each of them as plain data, they are part of the state like everything else: one class here, and a
prefix in `routed`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from astraweave.rag import MemoryLife, NoveltyTable
from astraweave.rag.life_columns import Lived, read_lived
from astraweave.rag.writing_novelty import Novelty
from astraweave.world.ledger import Entries, encode_state
from astraweave.world.state import StateTable
from astraweave.world.transitions import life_key, room_key

__all__ = ["NOVELTY", "Routed", "read_entries", "routed"]

NOVELTY = "novelty"


class Routed:
    """Entries by the beginnings of their keys.

    Parameters
    ----------
    rest : Entries
        Where all others lie.
    routes : mapping of str to Entries
        By prefix; they are asked for keys without it.
    """

    def __init__(self, rest: Entries, routes: Mapping[str, Entries]) -> None:
        self._rest = rest
        self._routes = routes

    def raw(self, key: str) -> bytes | None:
        """See `Entries`."""
        entries, key = self._route(key)
        return entries.raw(key)

    def put_raw(self, key: str, value: bytes | None) -> None:
        """See `Entries`."""
        entries, key = self._route(key)
        entries.put_raw(key, value)

    def all_raw(self, prefix: str = "") -> Iterable[tuple[str, bytes]]:
        """See `Entries`."""
        found = list(self._rest.all_raw(prefix))
        for start, entries in self._routes.items():
            if start.startswith(prefix) or prefix.startswith(start):
                found += [(start + key, value) for key, value in entries.all_raw()]
        return sorted(each for each in found if each[0].startswith(prefix))

    def _route(self, key: str) -> tuple[Entries, str]:
        for start, entries in self._routes.items():
            if key.startswith(start):
                return entries, key[len(start) :]
        return self._rest, key


def routed(rest: Entries, life: MemoryLife, novelty: NoveltyTable) -> Routed:
    """All entries of a world."""
    return Routed(
        rest, {life_key(): _LifeEntries(life), room_key(NOVELTY, ""): _NoveltyEntries(novelty)}
    )


def read_entries(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """All entries that a world's database holds, in no order; no store is needed."""
    yield from StateTable(connection).all_raw()
    for memory_id, lived in read_lived(connection).items():
        yield life_key(memory_id), encode_state(lived)
    for owner, value in _NoveltyEntries(NoveltyTable(connection)).all_raw():
        yield room_key(NOVELTY, owner), value


class _LifeEntries:
    """What has happened to memories, by their ids."""

    def __init__(self, life: MemoryLife) -> None:
        self._life = life

    def raw(self, key: str) -> bytes | None:
        lived = self._life.lived(int(key))
        return None if lived is None else encode_state(lived)

    def put_raw(self, key: str, value: bytes | None) -> None:
        lived = None if value is None else msgspec.msgpack.decode(value, type=Lived)
        self._life.restore(int(key), lived)

    def all_raw(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        for memory_id, lived in self._life.lives().items():
            yield str(memory_id), encode_state(lived)


class _NoveltyEntries:
    """How new what somebody hears usually is to them."""

    def __init__(self, novelty: NoveltyTable) -> None:
        self._novelty = novelty

    def raw(self, key: str) -> bytes | None:
        novelty = self._novelty[key]
        return None if novelty == Novelty() else encode_state(novelty)

    def put_raw(self, key: str, value: bytes | None) -> None:
        self._novelty[key] = (
            Novelty() if value is None else msgspec.msgpack.decode(value, type=Novelty)
        )

    def all_raw(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        for owner in self._novelty.owners():
            if (value := self.raw(owner)) is not None:
                yield owner, value
