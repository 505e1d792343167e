"""Memories as rows: the tables, and the way in and out of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from astraweave.errors import CorruptDataError
from astraweave.rag._vectors import unpack_halves
from astraweave.rag.memory import Memory

__all__ = [
    "create_memory_tables",
    "first_memory_tables",
    "read_rows",
    "upgrade_memory_tables",
    "write_rows",
]

_COLUMNS = (
    "id, owner, text, kind, speaker, addressee, game_time, importance, tags, entities,"
    " provenance, sources, superseded_by, vector"
)

_TABLES = (
    (
        "CREATE TABLE memory("
        "id INTEGER PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL, kind TEXT NOT NULL,"
        " speaker TEXT NOT NULL, addressee TEXT NOT NULL, game_time REAL NOT NULL,"
        " importance REAL NOT NULL, tags TEXT NOT NULL, entities TEXT NOT NULL, vector BLOB)"
    ),
    # One row: whose vectors these are, and the id of the next memory (ids are never used again).
    (
        "CREATE TABLE memory_space("
        "embedder TEXT NOT NULL, dimensions INTEGER NOT NULL, next_id INTEGER NOT NULL)"
    ),
    "INSERT INTO memory_space VALUES ('', 0, 1)",
    (
        "CREATE VIRTUAL TABLE memory_text USING fts5(text, content='memory', content_rowid='id',"
        " tokenize='porter unicode61 remove_diacritics 2')"
    ),
)

_UPSERT = (
    f"INSERT INTO memory({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT(id) DO UPDATE SET owner = excluded.owner, text = excluded.text,"
    " kind = excluded.kind, speaker = excluded.speaker, addressee = excluded.addressee,"
    " game_time = excluded.game_time, importance = excluded.importance, tags = excluded.tags,"
    " entities = excluded.entities, provenance = excluded.provenance,"
    " sources = excluded.sources, superseded_by = excluded.superseded_by,"
    " vector = excluded.vector"
)

_UPGRADE = (
    "ALTER TABLE memory ADD COLUMN provenance TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE memory ADD COLUMN sources TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE memory ADD COLUMN superseded_by INTEGER NOT NULL DEFAULT 0",
    "DROP TABLE memory_text",  # words are indexed in memory
)

_HALVES = "SELECT id, vector FROM memory WHERE id > ? AND length(vector) = ? ORDER BY id LIMIT 1000"

_strings = msgspec.json.Decoder(tuple[str, ...])
_numbers = msgspec.json.Decoder(tuple[int, ...])


def create_memory_tables(connection: sqlite3.Connection) -> None:
    """Make the tables that a `MemoryStore` needs, as of now."""
    first_memory_tables(connection)
    upgrade_memory_tables(connection)


def first_memory_tables(connection: sqlite3.Connection) -> None:
    """Make the tables in their first form; part of a world's first migration."""
    for statement in _TABLES:
        connection.execute(statement)


def upgrade_memory_tables(connection: sqlite3.Connection) -> None:
    """Where memories came from and what has replaced them; part of a world's second migration.

    Vectors are kept in 8 bits a number from now on, not in 16.
    """
    for statement in _UPGRADE:
        connection.execute(statement)
    (dimensions,) = connection.execute("SELECT dimensions FROM memory_space").fetchone()
    last = 0
    while rows := connection.execute(_HALVES, (last, 2 * dimensions)).fetchall():
        packed = unpack_halves([vector for _, vector in rows])
        connection.executemany(
            "UPDATE memory SET vector = ? WHERE id = ?",
            [(vector, row[0]) for vector, row in zip(packed, rows, strict=True)],
        )
        last = rows[-1][0]


def read_rows(
    connection: sqlite3.Connection, values: dict[Any, Any]
) -> Iterator[tuple[Memory, bytes | None]]:
    """Every memory in the order of ids, with its packed vector.

    What comes again (names, tags) is one object in all of them, that in `values` where it is there.
    """
    cursor = connection.execute(f"SELECT {_COLUMNS} FROM memory ORDER BY id")  # noqa: S608
    one = values.setdefault
    lists: dict[str, tuple[str, ...]] = {"[]": ()}

    def strings(packed: str) -> tuple[str, ...]:
        found = lists.get(packed)
        if found is None:
            found = _strings.decode(packed)
            found = lists[packed] = one(found, found)
        return found

    no_numbers: tuple[int, ...] = ()
    for row in cursor:
        try:
            memory = Memory(
                id=row[0],
                owner=one(row[1], row[1]),
                text=row[2],
                kind=one(row[3], row[3]),
                speaker=one(row[4], row[4]),
                addressee=one(row[5], row[5]),
                game_time=row[6],
                importance=row[7],
                tags=strings(row[8]),
                entities=strings(row[9]),
                provenance=strings(row[10]),
                sources=no_numbers if row[11] == "[]" else _numbers.decode(row[11]),
                superseded_by=row[12],
            )
        except msgspec.DecodeError as error:
            raise CorruptDataError(f"memory {row[0]} is damaged: {error}", id=row[0]) from error
        yield memory, row[13]


def write_rows(
    connection: sqlite3.Connection,
    rows: Sequence[tuple[Memory, bytes | None]],
    deleted: Sequence[int],
) -> None:
    """Insert or replace `rows` and remove `deleted`, inside the open transaction."""
    connection.executemany("DELETE FROM memory WHERE id = ?", [(gone,) for gone in deleted])
    connection.executemany(_UPSERT, (_row(memory, vector) for memory, vector in rows))


def _row(memory: Memory, vector: bytes | None) -> tuple[object, ...]:
    return (
        memory.id,
        memory.owner,
        memory.text,
        memory.kind,
        memory.speaker,
        memory.addressee,
        memory.game_time,
        memory.importance,
        _packed(memory.tags),
        _packed(memory.entities),
        _packed(memory.provenance),
        _packed(memory.sources),
        memory.superseded_by,
        vector,
    )


def _packed(values: tuple[str, ...] | tuple[int, ...]) -> str:
    return msgspec.json.encode(values).decode() if values else "[]"
