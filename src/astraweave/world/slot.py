"""A save slot: what lies on the disk beneath a World.

::

    saves/slot1/
        world.aw            the saves; changes only in save(), in one step, and copies as one file
        world.aw.bak        the saves as they were when that file was last written anew
        crash/session-N.db  the working database of the session that runs (and its -wal): the
                            crash journal, everything since the last save
        lock                held while the slot is open; the kernel lets go when its holder dies

Opening copies the latest image inside ``world.aw`` into a fresh working database. All work goes
there. A save writes back what has changed in it. What a session that died has left stays until the
next successful save; ``open(recover=True)`` goes on from it, provided that it grew from the very
save that is there now.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astraweave import __version__
from astraweave.core.closing import Closing
from astraweave.core.protocols import Clock
from astraweave.errors import CorruptDataError, InputError, StorageError, UsageError
from astraweave.world import _sessions
from astraweave.world._files import explained, sync_folder
from astraweave.world._leftovers import claim, without_spent
from astraweave.world._lock import SlotLock
from astraweave.world._look import CRASH_NAME, SlotSummary, look_at
from astraweave.world._pages import ChangedPages
from astraweave.world._parts import WriteBehind, database_errors
from astraweave.world._saves import SAVE_NAME, SlotSaves
from astraweave.world.journal import EventJournal
from astraweave.world.recording import Recording
from astraweave.world.savefile import Directory, SaveInfo, read_info, read_save
from astraweave.world.savewriting import mend_file
from astraweave.world.state import StateTable

__all__ = ["Slot", "SlotSummary", "WriteBehind"]

KEPT_SAVES = 16
"""Saves without a name that are kept where nobody says how many."""


class Slot(Closing):
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
        base: bytes,
        info: SaveInfo | None,
        dirty: bool,
        leftovers: list[_sessions.Session],
        clock: Clock,
        keep: int,
    ) -> None:
        self.path = folder
        self.info = info
        self.recovered = dirty
        self._lock = lock
        self._leftovers = leftovers
        self._saves = SlotSaves(folder, keep)
        self._thread = threading.get_ident()
        self._closed = False
        self.journal = EventJournal(clock)
        self._work_in(session, base, dirty=dirty)

    def _work_in(self, session: Path, base: bytes, *, dirty: bool) -> None:
        """Go on in this working database, which grew from the save `base`."""
        self._session = session
        self._base = base
        self._head = bytes.fromhex(self.info.id) if self.info else b""
        self._dirty = dirty
        self._header_stale = False
        self._journal_spent = False
        self.connection = _sessions.connect(session)
        self._synced = False
        self._pages = ChangedPages(session)
        self._changes = self.connection.total_changes
        self.state = StateTable(self.connection)
        self.journal.write_into(self.connection)
        self.recording = Recording(self.connection)
        self._parts: list[WriteBehind] = [self.state, self.journal, self.recording]

    @classmethod
    def open(
        cls, path: str | Path, *, clock: Clock, recover: bool = False, keep: int = KEPT_SAVES
    ) -> Slot:
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
        keep : int
            How many saves without a name are kept; a new one then takes the place of the oldest.

        Raises
        ------
        InputError
            `keep` is less than 1.
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
        if keep < 1:
            raise InputError(f"keep must be 1 or more, not {keep}", keep=keep)
        folder = Path(path)
        crash = folder / CRASH_NAME
        with explained("cannot open the save slot", folder):
            crash.mkdir(parents=True, exist_ok=True)
        lock = SlotLock(folder / "lock")
        try:
            with explained("cannot open the save slot", folder), database_errors(folder):
                return cls._open_locked(
                    folder, crash, lock, clock=clock, recover=recover, keep=keep
                )
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(
        cls,
        folder: Path,
        crash: Path,
        lock: SlotLock,
        *,
        clock: Clock,
        recover: bool,
        keep: int,
    ) -> Slot:
        save = folder / SAVE_NAME
        info, image = read_save(save) if save.exists() else (None, b"")
        base = head = bytes.fromhex(info.id) if info else b""
        _sessions.sweep(crash)
        leftovers = without_spent(_sessions.sessions(crash), head)
        claimed = claim(leftovers, head, crash) if recover else None
        if claimed is not None:
            leftovers.remove(claimed)
            session, base = claimed.path, claimed.base
        else:
            number = _sessions.next_number(crash)
            session = _sessions.create_session(crash, number, image, base=base, head=head)
        return cls(
            folder,
            lock,
            session=session,
            base=base,
            info=info,
            dirty=claimed is not None,
            leftovers=leftovers,
            clock=clock,
            keep=keep,
        )

    @staticmethod
    def look(path: str | Path) -> SlotSummary:
        """What lies in a slot, without opening it: quick, for a menu. Raises as `open` does."""
        return look_at(Path(path))

    @staticmethod
    def mend(path: str | Path) -> SaveInfo:
        """Go back to the latest save of a damaged file that can be read; all that can stay in it.

        The damaged file stays beside it as ``world.aw.damaged``, and so does unsaved work.

        Returns
        -------
        SaveInfo
            What opening the slot gives from now on.

        Raises
        ------
        SlotInUseError
            It is open.
        CorruptDataError
            No save can be read; nothing has changed then.
        StorageError
            The file cannot be read, or the disk is full; nothing has changed then.
        """
        folder = Path(path)
        lock = SlotLock(folder / "lock")
        try:
            return mend_file(folder / SAVE_NAME)
        finally:
            lock.release()

    @property
    def recoverable(self) -> bool:
        """Whether unsaved work of another session lies here that ``open(recover=True)`` would use.

        It stays until the next successful `save`.
        """
        return any(session.unsaved_over(self._head) for session in self._leftovers)

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
            with database_errors(self.path):
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
        with database_errors(self.path):
            self._pages.relieve(self.connection)

    def flush(self) -> None:
        """Commit, and wait until it is on the medium: it survives the death of the machine too.

        Raises as `commit`.
        """
        self.commit()
        self._sync()

    def save(
        self,
        note: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        game_time: float = 0.0,
        state_hash: str = "",
    ) -> SaveInfo:
        """Put everything into ``world.aw``, in one atomic step.

        Parameters
        ----------
        note : mapping, optional
            JSON-able; what a menu of saves should show. `Slot.look` reads it back.
        name : str
            Keeps the save until it is deleted; no other save may have it.
        game_time, state_hash
            See `SaveInfo`.

        Raises
        ------
        StorageError
            The disk is full or refuses; the old save is still there, and so is the work.
        InputError
            The note or the name cannot be written.
        """
        self.commit()
        snapshot = self._pages.snapshot(self._image)
        digest = snapshot.digests.id
        about = SaveInfo(
            id=digest.hex(),
            writer=__version__,
            bytes=snapshot.digests.length,
            note=dict(note or {}),
            parent=self._base.hex(),
            name=name,
            game_time=game_time,
            state_hash=state_hash,
        )
        try:
            write = self._saves.prepare(about, snapshot, self._base.hex(), self._image)
            # Said before the save appears: whoever finds both knows that they are the same world.
            with database_errors(self.path):
                self.connection.execute("UPDATE session SET pending = ?", (digest,))
                self.connection.commit()
            self._sync()
            info = write()
        except BaseException:
            self.connection.rollback()
            self._changes = self.connection.total_changes
            self._header_stale = True
            if _id_of(self._saves.path) == digest.hex():  # it appeared, and then the system failed
                self._base = self._head = digest
                self._journal_spent = True
                self._pages.settled(snapshot)
            raise
        self._pages.settled(snapshot)
        self.info, self._base, self._head, self._dirty = info, digest, digest, False
        self._changes = self.connection.total_changes
        self._header_stale = self._journal_spent = True
        with contextlib.suppress(StorageError):  # the save stands; the next commit tries again
            self.commit()
        for session in self._leftovers:
            _sessions.remove_session(session.path)
        self._leftovers = []
        return info

    def _sync(self) -> None:
        """Wait until the crash journal is on the medium."""
        with explained("cannot flush the crash journal", self._session):
            _sessions.sync_session(self._session, log_only=self._synced)
            if not self._synced:
                sync_folder(self._session.parent)
                sync_folder(self.path)
                self._synced = True

    def _image(self) -> bytes:
        with database_errors(self.path):
            return _sessions.image_of(self.connection, self._session)

    # Older saves.

    @property
    def base(self) -> str:
        """Id of the save that this session goes on from; empty: none."""
        return self._base.hex()

    def directory(self) -> Directory | None:
        """What is in the save's file; None before the first save. Raises as `open`."""
        self._check()
        return self._saves.directory()

    def saves(self) -> tuple[SaveInfo, ...]:
        """Every save that is kept, in the order of saving; `SaveInfo.parent` makes a tree of it."""
        there = self.directory()
        return there.saves if there is not None else ()

    def load(self, save: str) -> SaveInfo:
        """Go on from an older save: everything is as it was then; what no save has is given up.

        The file does not change: the latest save in it is what opening the slot gives, until the
        next `save`. `connection`, `state` and `recording` are new ones afterwards, and parts must
        be attached again.

        Parameters
        ----------
        save : str
            Its name, its id, or the beginning of its id.

        Raises
        ------
        InputError
            There is no such save.
        CorruptDataError
            It is damaged; nothing has changed then.
        StorageError
            It cannot be read, or the disk is full; nothing has changed then.
        """
        self._check()
        there, info = self._saves.find(save)
        crash = self.path / CRASH_NAME
        base = bytes.fromhex(info.id)
        with explained("cannot load the save", self.path), database_errors(self.path):
            number = _sessions.next_number(crash)
            session = _sessions.create_session(
                crash, number, there.image(info.id), base=base, head=self._head
            )
        left = self._session
        self.connection.rollback()
        self.connection.close()
        self._work_in(session, base, dirty=False)
        self.recovered = False
        _sessions.remove_session(left)
        return info

    def delete(self, save: str) -> None:
        """Take an older save out of the file; whatever was played on from it stays.

        Raises
        ------
        InputError
            There is no such save, or it is the latest.
        """
        self._check()
        self._saves.delete(save)

    def name(self, save: str, name: str) -> SaveInfo:
        """Give a save a name, so that it stays until it is deleted; empty: it gives way again.

        Raises
        ------
        InputError
            There is no such save, another one has the name, or nothing can be called so.
        """
        self._check()
        named = self._saves.name(save, name)
        if self.info is not None and named.id == self.info.id:
            self.info = named
        return named

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
                "UPDATE session SET base = ?, head = ?, pending = x'', dirty = ?",
                (self._base, self._head, dirty),
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


def _id_of(save: Path) -> str:
    try:
        return read_info(save).id
    except (StorageError, CorruptDataError):
        return ""
