"""What dead sessions left: thrown away when nothing is in it, gone on from when somebody asks."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from astraweave.errors import CorruptDataError
from astraweave.world import _sessions
from astraweave.world._schema import migrate

__all__ = ["claim", "without_spent"]


def without_spent(found: list[_sessions.Session], base: bytes) -> list[_sessions.Session]:
    """Those that hold work that this save has not; the others are removed."""
    kept = []
    for session in found:
        if session.spent(base):
            _sessions.remove_session(session.path)
        else:
            kept.append(session)
    return kept


def claim(
    leftovers: list[_sessions.Session], base: bytes, folder: Path
) -> _sessions.Session | None:
    """The newest session that went on from this save, checked and brought up to date."""
    if not leftovers:
        return None
    session = next((left for left in leftovers if left.unsaved_over(base)), None)
    if session is None:
        damaged = not any(left.readable for left in leftovers)
        why = (
            "it is damaged"
            if damaged
            else "it grew from another save than the save that is there now"
        )
        raise CorruptDataError(
            f"the unsaved work in {folder} cannot be recovered: {why}; open without "
            f"recover to go on from the save, or put the save back that it belongs to (the "
            "unsaved work is kept until the next successful save)",
            path=str(folder),
            reason="damaged" if damaged else "another save",
        )
    try:
        with contextlib.closing(_sessions.connect(session.path)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            migrate(connection, str(session.path))
    except sqlite3.DatabaseError as error:
        raise CorruptDataError(
            f"the unsaved work in {session.path} is damaged ({error}); open without recover to go "
            "on from the save",
            path=str(session.path),
            reason="damaged",
        ) from error
    return session
