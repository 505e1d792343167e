"""Memories as rows: the tables, and the way in and out of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError
from astraweave.rag.memory import Memory

__all__ = [
    "create_memory_tables",
    "first_memory_tables",
    "match_words",
    "pack_vector",
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
    # Kept in step by `write_rows`; triggers would do it eight times slower.
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

_ADD_WORDS = "INSERT INTO memory_text(rowid, text) VALUES (?, ?)"
_DROP_WORDS = "INSERT INTO memory_text(memory_text, rowid, text) VALUES ('delete', ?, ?)"
_MAX_MATCHES = 2500
_COUNT = "SELECT count(*) FROM memory_text WHERE memory_text MATCH ?"
_MATCH = "SELECT rowid, bm25(memory_text) FROM memory_text WHERE memory_text MATCH ? ORDER BY rowid"

_UPGRADE = (
    "ALTER TABLE memory ADD COLUMN provenance TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE memory ADD COLUMN sources TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE memory ADD COLUMN superseded_by INTEGER NOT NULL DEFAULT 0",
)

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
    """Where memories came from and what has replaced them; part of a world's second migration."""
    for statement in _UPGRADE:
        connection.execute(statement)


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """A vector as it is stored: float16, half the size for an error of 1e-4 in a cosine."""
    return vector.astype("<f2").tobytes()


def read_rows(connection: sqlite3.Connection) -> Iterator[tuple[Memory, bytes | None]]:
    """Every memory in the order of ids, with its packed vector."""
    cursor = connection.execute(f"SELECT {_COLUMNS} FROM memory ORDER BY id")  # noqa: S608
    no_strings: tuple[str, ...] = ()
    no_numbers: tuple[int, ...] = ()
    for row in cursor:
        try:
            memory = Memory(
                id=row[0],
                owner=row[1],
                text=row[2],
                kind=row[3],
                speaker=row[4],
                addressee=row[5],
                game_time=row[6],
                importance=row[7],
                tags=no_strings if row[8] == "[]" else _strings.decode(row[8]),
                entities=no_strings if row[9] == "[]" else _strings.decode(row[9]),
                provenance=no_strings if row[10] == "[]" else _strings.decode(row[10]),
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
    before = _texts(connection, [*(memory.id for memory, _ in rows), *deleted])
    after = {memory.id: memory.text for memory, _ in rows}
    connection.executemany(
        _DROP_WORDS, [(i, text) for i, text in before.items() if after.get(i) != text]
    )
    connection.executemany("DELETE FROM memory WHERE id = ?", [(gone,) for gone in deleted])
    connection.executemany(_UPSERT, (_row(memory, vector) for memory, vector in rows))
    connection.executemany(
        _ADD_WORDS, [(i, text) for i, text in after.items() if before.get(i) != text]
    )


def _texts(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, str]:
    """The texts that the database has under these ids."""
    (highest,) = connection.execute("SELECT coalesce(max(id), 0) FROM memory").fetchone()
    found: dict[int, str] = {}
    for memory_id in ids:
        if memory_id <= highest:  # most are new
            row = connection.execute("SELECT text FROM memory WHERE id = ?", (memory_id,))
            found.update((memory_id, text) for (text,) in row)
    return found


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


def match_words(
    connection: sqlite3.Connection, words: Iterable[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ids of the memories, whoever owns them, that hold any of the words' stems; BM25 of each.

    Every word becomes a quoted string of the query language, so that nothing in it is syntax. The
    rarest words count first; words so common that they would bring thousands of memories more are
    left out, since they tell next to nothing and cost most of the time.
    """
    counted = []
    for word in words:
        if '"' not in word and "\0" not in word:
            (count,) = connection.execute(_COUNT, (f'"{word}"',)).fetchone()
            if count:
                counted.append((count, f'"{word}"'))
    counted.sort(key=lambda one: one[0])
    telling: list[str] = []
    total = 0
    for count, quoted in counted:
        total += count
        if telling and total > _MAX_MATCHES:
            break
        telling.append(quoted)
    rows = connection.execute(_MATCH, (" OR ".join(telling),)).fetchall() if telling else []
    table = np.array(rows, np.float64).reshape(-1, 2)
    return table[:, 0].astype(np.int64), -table[:, 1]
