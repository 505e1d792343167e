"""The tables of a world's database, and how older ones become newer ones.

``PRAGMA user_version`` counts the migrations that a database has been through. A migration is a
function that is given the connection inside a transaction; it is never changed once it has been
released, only followed by another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from astraweave.errors import FormatVersionError
from astraweave.rag.life_columns import create_life_tables
from astraweave.rag.store import first_memory_tables, upgrade_memory_tables
from astraweave.rag.writing_novelty import create_writing_tables

__all__ = ["MIGRATIONS", "migrate"]


def _first(connection: sqlite3.Connection) -> None:
    for statement in (
        # Which save this database grew from; see Slot. One row.
        "CREATE TABLE session(base BLOB NOT NULL, pending BLOB NOT NULL, dirty INTEGER NOT NULL)",
        "INSERT INTO session VALUES (x'', x'', 0)",
        "CREATE TABLE state(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        (
            "CREATE TABLE journal("
            "seq INTEGER PRIMARY KEY, game_time REAL NOT NULL, kind TEXT NOT NULL,"
            " payload BLOB NOT NULL)"
        ),
    ):
        connection.execute(statement)
    first_memory_tables(connection)


def _second(connection: sqlite3.Connection) -> None:
    upgrade_memory_tables(connection)
    create_life_tables(connection)
    create_writing_tables(connection)
    for statement in (
        # What happened since the last save, and after which of it ticks ended; see Recording.
        (
            "CREATE TABLE event("
            "seq INTEGER PRIMARY KEY, tick INTEGER NOT NULL, data BLOB NOT NULL,"
            " touched BLOB NOT NULL)"
        ),
        "CREATE TABLE tick(tick INTEGER PRIMARY KEY, events INTEGER NOT NULL, hash BLOB NOT NULL)",
        # The latest save when the session began, which need not be the one that it grew from.
        "ALTER TABLE session ADD COLUMN head BLOB NOT NULL DEFAULT x''",
        "UPDATE session SET head = base",
    ):
        connection.execute(statement)
    for key, value in _entries_of_first(connection):
        connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))


def _entries_of_first(connection: sqlite3.Connection) -> list[tuple[str, bytes]]:
    """What the first schema kept in large pieces, as entries of their own; takes them away."""
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    entries: list[tuple[str, bytes]] = []
    rows = connection.execute("SELECT key, value FROM state ORDER BY key").fetchall()
    turns: dict[str, int] = {}
    for key, value in rows:
        if key.startswith("turn/"):
            npc = key.split(":", 1)[1].rsplit("/", 1)[0]
            turns[npc] = turns.get(npc, 0) + 1
        if key not in ("world", "view", "breakers"):
            continue
        connection.execute("DELETE FROM state WHERE key = ?", (key,))
        if key == "breakers":
            entries.append((".breakers", value))
            continue
        saved = msgspec.msgpack.decode(value)
        if key == "world":
            entries += [("seed", encode(saved["seed"])), ("now", encode(float(saved["now"])))]
            continue
        for place, entity in enumerate(saved["entities"]):
            entries.append((f"entity/{entity['id']}", encode((place, _without_defaults(entity)))))
        for fact in saved["facts"]:
            words = (fact["subject"], fact["predicate"], fact["object"])
            entries.append(("fact/" + msgspec.json.encode(words).decode(), encode(True)))
        entries += [
            ("entities", encode(len(saved["entities"]))),
            ("view", encode(saved["version"])),
        ]
    return entries + [(f"turns/{npc}", encode(count)) for npc, count in turns.items()]


def _without_defaults(entity: dict[str, object]) -> dict[str, object]:
    empty: dict[str, object] = {"kind": "thing", "aliases": [], "place": None, "faction": None}
    return {key: value for key, value in entity.items() if key not in empty or value != empty[key]}


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first, _second)


def migrate(connection: sqlite3.Connection, source: str) -> None:
    """Bring a database to the newest schema, in one transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
        Not inside a transaction.
    source : str
        What to call it in an error.

    Raises
    ------
    FormatVersionError
        It has been through migrations that this astraweave does not know.
    """
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    if done == len(MIGRATIONS):
        return
    if done > len(MIGRATIONS):
        raise FormatVersionError(
            f"{source} has schema {done}, but this astraweave reads up to {len(MIGRATIONS)}: "
            "update the game, or load an older save",
            path=source,
            found=done,
            supported=len(MIGRATIONS),
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in MIGRATIONS[done:]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
