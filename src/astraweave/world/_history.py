"""What led from one save to another: the recordings that saves carry, put in a row."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from astraweave.errors import InputError
from astraweave.rag.store import read_memories
from astraweave.world._schema import migrate
from astraweave.world.ledger import Ledger, PlainEntries, PlainMemories
from astraweave.world.recording import Recorded, TickMark, read_recording
from astraweave.world.replay import SessionRecord, StartState
from astraweave.world.routes import read_entries
from astraweave.world.savefile import Directory

__all__ = ["opened", "record_since", "start_state"]

_RECORDED = 2
"""The first schema that recorded events."""


def record_since(
    directory: Directory | None,
    base: str,
    since: str,
    latest: tuple[list[Recorded], list[TickMark]],
    *,
    required: bool,
) -> SessionRecord:
    """Everything that led from the save `since` (empty: from nothing) to now.

    Parameters
    ----------
    directory : Directory or None
        The saves that there are.
    base : str
        Id of the save that `latest` goes on from.
    since : str
        Id of a save on the way to `base`.
    latest : tuple
        What was recorded since `base`.
    required : bool
        Whether it is an error when the way back to `since` is not there any more (saves between
        were merged, or written before events were recorded); else as much as there is comes back.

    Raises
    ------
    InputError
        The way is not there.
    """
    parts, at = [latest], base
    while at and at != since:
        assert directory is not None, "a world that grew from a save has one"
        with opened(directory.image(at), at) as connection:
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            (parent,) = connection.execute("SELECT base FROM session").fetchone()
            before = parent.hex()
            if schema < _RECORDED or (before and before not in directory.places):
                break
            parts.insert(0, read_recording(connection))
        at = before
    if at != since and required:
        raise InputError(
            f"what led from the save {since[:12]!r} to now is not recorded any more: name a later "
            "one, or keep more saves",
            save=since,
        )
    start = StartState()
    if at:
        assert directory is not None, "a world that grew from a save has one"
        with opened(directory.image(at), at) as connection:
            migrate(connection, at)
            start = start_state(connection)
    return SessionRecord(
        start=start,
        events=tuple(event for events, _ in parts for event in events),
        ticks=tuple(tick for _, ticks in parts for tick in ticks),
    )


def start_state(connection: sqlite3.Connection) -> StartState:
    """The state that a database holds, without what is derived."""
    memories, next_memory = read_memories(connection)
    ledger = Ledger(PlainEntries(read_entries(connection)), PlainMemories(memories, next_memory))
    entries, kept, next_memory = ledger.export()
    return StartState(
        entries=tuple(entries), memories=tuple(kept), next_memory=next_memory, hash=ledger.hash
    )


@contextlib.contextmanager
def opened(image: bytes, name: str) -> Iterator[sqlite3.Connection]:
    """The database of an image, apart from every file of the world; for a while."""
    # A database in memory can have no write-ahead log, so its header must not ask for one.
    image = image[:18] + b"\1\1" + image[20:]
    with contextlib.ExitStack() as stack:
        if hasattr(sqlite3.Connection, "deserialize"):
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(":memory:")))
            connection.deserialize(image)
        else:  # SQLite was built without it (before 3.36)
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            path = Path(folder) / f"{name[:12]}.db"
            path.write_bytes(image)
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(path)))
        yield connection
