"""The tables of a world's database, and how older ones become newer ones.

``PRAGMA user_version`` counts the migrations that a database has been through. A migration is a
function that is given the connection inside a transaction; it is never changed once it has been
released, only followed by another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

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
