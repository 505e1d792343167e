"""The crash journal: one working database a session, kept until its work is in a save.

A session's database holds the whole world, so what it says is complete by itself; its one row in
the table ``session`` says which save it grew from (`base`), which save was the latest then
(`head`), which save it was about to become (`pending`), and whether it holds work that no save has
(`dirty`).
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path

import msgspec

from astraweave.errors import ConfigError
from astraweave.world._files import sync_file
from astraweave.world._schema import migrate

__all__ = [
    "Session",
    "connect",
    "create_session",
    "image_from_file",
    "image_of",
    "next_number",
    "remove_session",
    "sessions",
    "sweep",
    "sync_session",
]

_NAME = re.compile(r"session-(\d+)\.db")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the folder of crash journals."""

    path: Path
    number: int
    base: bytes = b""
    head: bytes = b""
    pending: bytes = b""
    dirty: bool = True
    readable: bool = True

    def unsaved_over(self, save_id: bytes) -> bool:
        """Whether it holds work done when this save (empty: none) was the latest, and not in it."""
        return self.readable and self.head == save_id and not self.spent(save_id)

    def spent(self, save_id: bytes) -> bool:
        """Whether it holds nothing but what the save holds."""
        return self.readable and (not self.dirty or (bool(save_id) and self.pending == save_id))


def connect(path: Path) -> sqlite3.Connection:
    """Open a working database; whoever calls it holds the slot's lock.

    A commit survives the death of the process; surviving the death of the machine takes a sync
    (`Slot.flush`). Between commits nothing is written to the disk, so that a full one is met in
    `commit` and nowhere else.
    """
    connection = sqlite3.connect(path, cached_statements=256)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # no shared memory file either
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `ChangedPages.relieve`
        # What is freed becomes zeros, whatever SQLite's build says: forgotten words leave the save,
        # and what takes their place differs from the save before by itself only.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA cache_spill = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def create_session(folder: Path, number: int, image: bytes, *, base: bytes, head: bytes) -> Path:
    """A fresh working database that holds what a save holds; it appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Where sessions are kept.
    number : int
        Not used before.
    image : bytes
        The save's database; empty for a new world.
    base : bytes
        Id of that save; empty for a new world.
    head : bytes
        Id of the latest save; empty where there is none.
    """
    path = folder / f"session-{number}.db"
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_bytes(image)
    with contextlib.closing(connect(unfinished)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        try:
            migrate(connection, "the save" if image else "a new world")
        except sqlite3.OperationalError as error:
            if "no such module" not in str(error):
                raise
            raise ConfigError(f"this Python's SQLite cannot be used: {error}") from error
        connection.execute(
            "UPDATE session SET base = ?, head = ?, pending = x'', dirty = 0", (base, head)
        )
        for table in ("journal", "event", "tick"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
        connection.commit()
    unfinished.replace(path)
    return path


def sessions(folder: Path) -> list[Session]:
    """What earlier sessions have left, newest first. Nobody else may have them open."""
    found = [
        _inspect(path, int(match[1]))
        for path in folder.iterdir()
        if (match := _NAME.fullmatch(path.name))
    ]
    return sorted(found, key=lambda session: -session.number)


def image_of(connection: sqlite3.Connection, path: Path) -> bytes:
    """All bytes of a database as of its last commit."""
    if hasattr(connection, "serialize"):
        return connection.serialize()
    return image_from_file(connection, path)


def image_from_file(connection: sqlite3.Connection, path: Path) -> bytes:
    """The same where SQLite was built without serialising (before 3.36); slower."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def next_number(folder: Path) -> int:
    """A session number that no file of the folder bears."""
    taken = re.compile(r"session-(\d+)\.db.*")
    numbers = [int(match[1]) for path in folder.iterdir() if (match := taken.fullmatch(path.name))]
    return max(numbers, default=0) + 1


def sweep(folder: Path) -> None:
    """Take away what killed sessions left half-made: unfinished databases, logs without one."""
    for path in list(folder.iterdir()):
        whole = re.fullmatch(r"(session-\d+\.db)(\.new.*|-wal|-shm|-journal)", path.name)
        if whole and (whole[2].startswith(".new") or not (folder / whole[1]).exists()):
            path.unlink()


def remove_session(path: Path) -> None:
    """Remove a session: first the database, since a log without one is swept away later."""
    for name in (path.name, path.name + "-wal", path.name + "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(name).unlink()


def sync_session(path: Path, *, log_only: bool = False) -> None:
    """Wait until a session's database and its log are on the medium.

    The log alone will do after the first time: SQLite syncs what it copies from there into the
    database. Closing the descriptors drops SQLite's own POSIX locks on the files; the slot's lock
    is the one that counts.
    """
    for name in (path.name + "-wal",) if log_only else (path.name, path.name + "-wal"):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path.with_name(name), os.O_RDWR)
            try:
                sync_file(descriptor)
            finally:
                os.close(descriptor)


def _inspect(path: Path, number: int) -> Session:
    try:
        with contextlib.closing(connect(path)) as connection:
            cursor = connection.execute("SELECT * FROM session")  # the first schema has no head
            row = dict(
                zip((name for name, *_ in cursor.description), cursor.fetchone(), strict=True)
            )
        return Session(
            path=path,
            number=number,
            base=row["base"],
            head=row["head"] if "head" in row else row["base"],
            pending=row["pending"],
            dirty=bool(row["dirty"]),
        )
    except (sqlite3.Error, TypeError, ValueError):
        return Session(path=path, number=number, readable=False)
