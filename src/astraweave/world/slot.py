"""A save slot: what lies on the disk beneath a World.

::

    saves/slot1/
        world.aw            the save; changes only in save(), in one step, and copies as one file
        world.aw.bak        the save before it
        crash/session-N.db  the working database of the session that runs (and its -wal): the
                            crash journal, everything since the last save
        lock                held while the slot is open; the kernel lets go when its holder dies

Opening copies the image inside ``world.aw`` into a fresh working database. All work goes there. A
save writes an image of it back. What a session that died has left stays until the next successful
save; ``open(recover=True)`` goes on from it, provided that it grew from the very save that is
there now.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from astraweave.core.protocols import Clock
from astraweave.errors import CorruptDataError, SlotInUseError, StorageError, UsageError
from astraweave.world import _sessions
from astraweave.world._files import explained, storage_error, sync_folder
from astraweave.world._lock import SlotLock
from astraweave.world._schema import migrate
from astraweave.world.journal import EventJournal
from astraweave.world.recording import Recording
from astraweave.world.savefile import SaveInfo, digest_of, read_info, read_save, write_save
from astraweave.world.state import StateTable

__all__ = ["Slot", "SlotSummary", "WriteBehind"]

SAVE_NAME = "world.aw"
CRASH_NAME = "crash"


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


class SlotSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a slot, for a menu; see `Slot.look`."""

    save: SaveInfo | None
    recoverable: bool
    in_use: bool
    """Whether somebody has it open; what is recoverable is not known then."""


class Slot:
    """An open save slot. Made by `Slot.open`; confined to the thread that opened it.

    Attributes
    ----------
    connection : sqlite3.Connection
        The working database. Rows written through it directly belong to the next commit, and are
        lost if that fails; a `WriteBehind` writes them again.
    state : StateTable
        Small states by name.
    journal : EventJournal
        What models answered and what else is worth a note; its `record` is thread-safe.
    recording : Recording
        The events that changed the state, from which this session can be replayed.
    info : SaveInfo or None
        The latest save; None before the first.
    recovered : bool
        Whether this session goes on from one that died.
    """

    def __init__(
        self,
        folder: Path,
        lock: SlotLock,
        *,
        session: Path,
        info: SaveInfo | None,
        dirty: bool,
        leftovers: list[_sessions.Session],
        clock: Clock,
    ) -> None:
        self.path = folder
        self.info = info
        self.recovered = dirty
        self._lock = lock
        self._session = session
        self._leftovers = leftovers
        self._base = bytes.fromhex(info.id) if info else b""
        self._dirty = dirty
        self._header_stale = False
        self._journal_spent = False
        self._folder_synced = False
        self._thread = threading.get_ident()
        self._closed = False
        self.connection = _sessions.connect(session)
        self._changes = self.connection.total_changes
        self.state = StateTable(self.connection)
        self.journal = EventJournal(self.connection, clock)
        self.recording = Recording(self.connection)
        self._parts: list[WriteBehind] = [self.state, self.journal, self.recording]

    @classmethod
    def open(cls, path: str | Path, *, clock: Clock, recover: bool = False) -> Slot:
        """Open a slot; it is created where there is none.

        Parameters
        ----------
        path : str or Path
            The slot's folder. One that holds nothing but a copied ``world.aw`` will do.
        clock : Clock
            Dates the events of the journal.
        recover : bool
            Go on from the work that the last session left unsaved when it died; where there is
            none, this changes nothing.

        Raises
        ------
        SlotInUseError
            It is open already, in this process or another.
        CorruptDataError
            The save is damaged; or `recover` was asked for and what was left does not belong to
            the save that is there, or is damaged. Nothing is deleted.
        FormatVersionError
            A newer astraweave wrote it.
        StorageError
            No rights, no space, or not a folder.
        """
        folder = Path(path)
        crash = folder / CRASH_NAME
        with explained("cannot open the save slot", folder):
            crash.mkdir(parents=True, exist_ok=True)
        lock = SlotLock(folder / "lock")
        try:
            with explained("cannot open the save slot", folder), _database_errors(folder):
                return cls._open_locked(folder, crash, lock, clock=clock, recover=recover)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(
        cls, folder: Path, crash: Path, lock: SlotLock, *, clock: Clock, recover: bool
    ) -> Slot:
        save = folder / SAVE_NAME
        info, image = read_save(save) if save.exists() else (None, b"")
        base = bytes.fromhex(info.id) if info else b""
        _sessions.sweep(crash)
        leftovers = _without_spent(_sessions.sessions(crash), base)
        claimed = _claim(leftovers, base, folder) if recover else None
        if claimed is not None:
            leftovers.remove(claimed)
            session = claimed.path
        else:
            number = _sessions.next_number(crash)
            session = _sessions.create_session(crash, number, image, base)
        return cls(
            folder,
            lock,
            session=session,
            info=info,
            dirty=claimed is not None,
            leftovers=leftovers,
            clock=clock,
        )

    @staticmethod
    def look(path: str | Path) -> SlotSummary:
        """What lies in a slot, without opening it: quick, for a menu. Raises as `open` does."""
        folder = Path(path)
        save, crash = folder / SAVE_NAME, folder / CRASH_NAME
        info = read_info(save) if save.exists() else None
        if not crash.is_dir():
            return SlotSummary(save=info, recoverable=False, in_use=False)
        try:
            lock = SlotLock(folder / "lock")
        except SlotInUseError:
            return SlotSummary(save=info, recoverable=False, in_use=True)
        try:
            base = bytes.fromhex(info.id) if info else b""
            left = any(session.unsaved_over(base) for session in _sessions.sessions(crash))
            return SlotSummary(save=info, recoverable=left, in_use=False)
        finally:
            lock.release()

    @property
    def recoverable(self) -> bool:
        """Whether unsaved work of another session lies here that ``open(recover=True)`` would use.

        It stays until the next successful `save`.
        """
        return any(session.unsaved_over(self._base) for session in self._leftovers)

    @property
    def unclaimed(self) -> tuple[Path, ...]:
        """Databases that dead sessions left and this one did not go on from."""
        return tuple(session.path for session in self._leftovers)

    @property
    def dirty(self) -> bool:
        """Whether work was committed that no save has."""
        return self._dirty

    def attach(self, part: WriteBehind) -> None:
        """Let something take part in every commit from now on."""
        self._check()
        self._parts.append(part)

    def commit(self) -> None:
        """Write everything new as one transaction: it survives the death of the process.

        Raises
        ------
        StorageError
            The disk is full or refuses. Nothing is lost while the process lives: the next commit
            writes it again.
        """
        self._check()
        try:
            with _database_errors(self.path):
                dirty = self._write()
                self.connection.commit()
        except BaseException:
            self.connection.rollback()
            self._changes = self.connection.total_changes
            for part in self._parts:
                part.rolled_back()
            raise
        self._dirty = dirty
        self._header_stale = self._journal_spent = False
        self._changes = self.connection.total_changes
        for part in self._parts:
            part.committed()

    def flush(self) -> None:
        """Commit, and wait until it is on the medium: it survives the death of the machine too.

        Raises as `commit`.
        """
        self.commit()
        with explained("cannot flush the crash journal", self._session):
            _sessions.sync_session(self._session)
            if not self._folder_synced:
                sync_folder(self._session.parent)
                sync_folder(self.path)
                self._folder_synced = True

    def save(self, note: Mapping[str, Any] | None = None) -> SaveInfo:
        """Put everything into ``world.aw``, in one atomic step.

        Parameters
        ----------
        note : mapping, optional
            JSON-able; what a menu of saves should show. `Slot.look` reads it back.

        Raises
        ------
        StorageError
            The disk is full or refuses; the old save is still there, and so is the work.
        InputError
            The note cannot be written.
        """
        self.commit()
        save = self.path / SAVE_NAME
        with _database_errors(self.path):
            image = _sessions.image_of(self.connection, self._session)
        digest = digest_of(image)
        try:
            # Said before the save appears: whoever finds both knows that they are the same world.
            with _database_errors(self.path):
                self.connection.execute("UPDATE session SET pending = ?", (digest,))
                self.connection.commit()
            with explained("cannot flush the crash journal", self._session):
                _sessions.sync_session(self._session)
            info = write_save(save, image, note or {}, digest=digest)
        except BaseException:
            self.connection.rollback()
            self._changes = self.connection.total_changes
            self._header_stale = True
            if _id_of(save) == digest.hex():  # it appeared, but the system failed afterwards
                self._base = digest
            raise
        self.info, self._base, self._dirty = info, digest, False
        self._changes = self.connection.total_changes
        self._header_stale = self._journal_spent = True
        with contextlib.suppress(StorageError):  # the save stands; the next commit tries again
            self.commit()
        for session in self._leftovers:
            _sessions.remove_session(session.path)
        self._leftovers = []
        return info

    def close(self, *, discard: bool = False) -> None:
        """Let go of the slot. Closing twice is allowed.

        Parameters
        ----------
        discard : bool
            Throw unsaved work away, instead of leaving it for ``open(recover=True)``.

        Raises
        ------
        StorageError
            The last of the unsaved work could not be written; the slot is closed all the same.
        """
        if self._closed:
            return
        self._check()
        try:
            if not discard:
                self.commit()
        finally:
            self._closed = True
            self.connection.rollback()
            self.connection.close()
            if discard or not self._dirty:
                _sessions.remove_session(self._session)
            self._lock.release()

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self) -> bool:
        """Put everything new into the transaction; whether any of it is work that no save has."""
        changes = self.connection.total_changes
        dirty = self._dirty or changes != self._changes
        if self._journal_spent:
            for table in ("journal", "event", "tick"):
                self.connection.execute(f"DELETE FROM {table}")  # noqa: S608
            changes = self.connection.total_changes
        for part in self._parts:
            part.write()
        dirty = dirty or self.connection.total_changes != changes
        if self._header_stale or dirty != self._dirty:
            self.connection.execute(
                "UPDATE session SET base = ?, pending = x'', dirty = ?", (self._base, dirty)
            )
        return dirty

    def _check(self) -> None:
        if self._closed:
            raise UsageError(f"the save slot {self.path} is closed", path=str(self.path))
        if threading.get_ident() != self._thread:
            raise UsageError(
                f"the save slot {self.path} was opened on another thread: use it there only",
                path=str(self.path),
            )


def _without_spent(found: list[_sessions.Session], base: bytes) -> list[_sessions.Session]:
    kept = []
    for session in found:
        if session.spent(base):
            _sessions.remove_session(session.path)
        else:
            kept.append(session)
    return kept


def _claim(
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
            else f"it grew from another save than the {SAVE_NAME} that is there now"
        )
        raise CorruptDataError(
            f"the unsaved work in {folder / CRASH_NAME} cannot be recovered: {why}; open without "
            f"recover to go on from the save, or put the {SAVE_NAME} back that it belongs to (the "
            "unsaved work is kept until the next successful save)",
            path=str(folder / CRASH_NAME),
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


def _id_of(save: Path) -> str:
    try:
        return read_info(save).id
    except (StorageError, CorruptDataError):
        return ""


@contextlib.contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:  # disk full, I/O error, no rights
        system = OSError(None, f"the database refused: {error}")
        raise storage_error("cannot write in", path, system) from error
    except sqlite3.DatabaseError as error:
        raise CorruptDataError(
            f"the working database in {path / CRASH_NAME} is damaged: {error}", path=str(path)
        ) from error
