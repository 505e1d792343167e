"""What takes part in the commits of a slot, and how the errors of its database are told."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from astraweave.errors import CorruptDataError
from astraweave.world._files import storage_error

__all__ = ["WriteBehind", "database_errors"]


class WriteBehind(Protocol):
    """Something that keeps its truth in memory and writes it into the database at each commit."""

    def write(self) -> None:
        """Put into the open transaction what has changed since the last call."""
        ...

    def committed(self) -> None:
        """Everything written so far holds."""
        ...

    def rolled_back(self) -> None:
        """What was written since the last `committed` is gone and must be written again."""
        ...


@contextlib.contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:  # disk full, I/O error, no rights
        system = OSError(None, f"the database refused: {error}")
        raise storage_error("cannot write in", path, system) from error
    except sqlite3.DatabaseError as error:
        raise CorruptDataError(
            f"the working database in {path / 'crash'} is damaged: {error}", path=str(path)
        ) from error
