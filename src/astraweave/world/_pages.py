"""Which pages of a working database have changed since the latest save, and how.

What SQLite commits goes to the end of its write-ahead log, page by page, and comes into the
database's own file at a checkpoint. So both versions of what has changed can be read from the two
files, and nothing else need be: a save costs what was written since the one before it.

The log (https://www.sqlite.org/fileformat2.html#the_write_ahead_log): 32 bytes, then frames of 24
bytes and a page; a frame's first number says which page, the second how many pages there are if
the frame ends a commit (else 0). Two numbers ("salt") in the head and in each frame change when
the log begins anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from astraweave.world._digests import PageDigests
from astraweave.world.deltas import PAGE, Delta

__all__ = ["ChangedPages", "Snapshot"]

_LOG_HEAD = struct.Struct(">IIIIIIII")
_FRAME_HEAD = struct.Struct(">IIII")
_FRAME_BYTES = 24 + PAGE
_MAGIC = (0x377F0682, 0x377F0683)
_LONG = 1000 * _FRAME_BYTES
"""A log of so many bytes is brought into the database; SQLite's own limit."""
_NOTHING = bytes(PAGE)


class Snapshot(msgspec.Struct, frozen=True):
    """A database as of its last commit, told by the latest save where that can be.

    Attributes
    ----------
    digests : PageDigests
        Give it its id.
    delta : Delta or None
        What changed since the latest save; None: not known.
    image : bytes
        All of it; empty where there is a delta.
    followed : bool
        Whether what changes after it can be told.
    """

    digests: PageDigests
    delta: Delta | None = None
    image: bytes = b""
    followed: bool = True


class _LostError(Exception):
    """The files are not what they should be: what has changed cannot be told any more."""


_LOST = (OSError, struct.error, _LostError)


class ChangedPages:
    """Follows a working database from save to save.

    Whatever goes wrong here costs time and nothing else: the next snapshot is then a whole one.
    Confined to the thread of the connection, which must be the only one that writes; it must never
    checkpoint by itself (``wal_autocheckpoint = 0``).

    Parameters
    ----------
    path : Path
        The working database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._saved: PageDigests | None = None  # None: what has changed is not known
        self._kept: dict[int, bytes] = {}  # pages of the save that are in neither file any more
        self._count: int | None = None  # pages of the database, as the last commit says
        # Where pages are in the log: those of the save, and those that came after it.
        self._old: dict[int, int] = {}
        self._new: dict[int, int] = {}
        self._begin_log()

    def snapshot(self, image: Callable[[], bytes]) -> Snapshot:
        """The database as of its last commit.

        Parameters
        ----------
        image : callable
            Gives all of it, where what has changed is not known.
        """
        if self._saved is not None:
            try:
                return self._changes(self._saved)
            except _LOST:
                self._saved = None
        whole = image()
        self._begin_log()
        try:
            self._read_log()
        except _LOST:
            return Snapshot(PageDigests(whole), image=whole, followed=False)
        return Snapshot(PageDigests(whole), image=whole)

    def settled(self, snapshot: Snapshot) -> None:
        """The snapshot that was taken last is the latest save now."""
        self._saved = snapshot.digests if snapshot.followed else None
        self._old |= self._new
        self._new, self._kept = {}, {}

    def relieve(self, connection: sqlite3.Connection) -> None:
        """Keep the log short; to be called after a commit."""
        try:
            if self._log.stat().st_size < _LONG:
                return
            if self._saved is not None:
                self._keep_old(self._saved)
        except _LOST:
            self._saved = None
        try:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:  # the disk is full: the log goes on growing
            busy = 1
        if busy:
            self._saved = None
        self._begin_log()

    def _begin_log(self) -> None:
        self._salt: tuple[int, int] | None = None
        self._end = _LOG_HEAD.size
        self._old, self._new = {}, {}

    def _read_log(self) -> None:
        """Take in what was committed since the last time."""
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            head = log.read(_LOG_HEAD.size)
            if not head and self._salt is None:
                return
            magic, _, page, _, *salt, _, _ = _LOG_HEAD.unpack(head)
            if magic not in _MAGIC or page != PAGE or self._salt not in (None, tuple(salt)):
                raise _LostError
            self._salt = salt[0], salt[1]
            log.seek(self._end)
            frames = log.read()
        begin, unfinished = self._end, dict[int, int]()
        for at in range(0, len(frames) - _FRAME_BYTES + 1, _FRAME_BYTES):
            number, count, *salt = _FRAME_HEAD.unpack_from(frames, at)
            if self._salt != tuple(salt):
                break  # left from before the log began anew
            unfinished[number - 1] = begin + at + _FRAME_BYTES - PAGE
            if count:
                self._new |= unfinished
                self._count, self._end = count, begin + at + _FRAME_BYTES
                unfinished.clear()

    def _changes(self, saved: PageDigests) -> Snapshot:
        self._read_log()
        length = saved.length if self._count is None else PAGE * self._count
        touched = self._new.keys() | self._kept.keys()
        grown = range(saved.length // PAGE, length // PAGE)
        if length < saved.length or not touched.issuperset(grown):
            raise _LostError
        with self._files() as files:
            changed = {
                page: (self._old_page(saved, page, files), self._new_page(page, files))
                for page in touched
            }
        now = {page: new for page, (_, new) in changed.items()}
        return Snapshot(saved.changed(now, length), Delta.of(changed))

    def _keep_old(self, saved: PageDigests) -> None:
        """Remember what a checkpoint will write over."""
        self._read_log()
        with self._files() as files:
            for page in self._new.keys() - self._kept.keys():
                self._kept[page] = self._old_page(saved, page, files)

    @contextlib.contextmanager
    def _files(self) -> Iterator[tuple[BinaryIO, BinaryIO | None]]:
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(self._path.open("rb"))
            there = self._log.exists()
            yield database, stack.enter_context(self._log.open("rb")) if there else None

    def _old_page(
        self, saved: PageDigests, page: int, files: tuple[BinaryIO, BinaryIO | None]
    ) -> bytes:
        if PAGE * page >= saved.length:
            return _NOTHING
        content = self._kept.get(page) or _page(page, self._old.get(page), files)
        if not saved.matches(page, content):
            raise _LostError
        return content

    def _new_page(self, page: int, files: tuple[BinaryIO, BinaryIO | None]) -> bytes:
        return _page(page, self._new.get(page), files)


def _page(number: int, place: int | None, files: tuple[BinaryIO, BinaryIO | None]) -> bytes:
    """A page: from this place in the log, or from the database itself."""
    database, log = files
    file = database if place is None else log
    if file is None:
        raise _LostError
    file.seek(PAGE * number if place is None else place)
    content = file.read(PAGE)
    if len(content) < PAGE:
        raise _LostError
    return content
