"""Putting bytes on a disk so that they stay there, and saying clearly when a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from astraweave.errors import StorageError

__all__ = ["explained", "replace_atomically", "storage_error", "sync_file", "sync_folder"]

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and try again",
    errno.EDQUOT: "the user's disk quota is used up: free some space and try again",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EACCES: "there are no rights to do that: choose a folder that this user may write to",
    errno.EPERM: "there are no rights to do that: choose a folder that this user may write to",
    errno.EROFS: "the file system is read-only: choose a folder that this user may write to",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "there is a file where a folder is needed",
}


def storage_error(doing: str, path: Path, error: OSError) -> StorageError:
    """What to tell about an operating system's refusal.

    Parameters
    ----------
    doing : str
        What was being tried, as the beginning of a sentence ("cannot write the save").
    path : Path
        What it was tried on.
    error : OSError
        The refusal.
    """
    why = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"{doing} {path}: {why}", path=str(path), code=error.errno)


@contextlib.contextmanager
def explained(doing: str, path: Path) -> Iterator[None]:
    """Turn every `OSError` of the block into a `StorageError`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(doing, path, error) from error


def sync_file(descriptor: int) -> None:
    """Wait until a file's bytes are on the medium, as far as the system can tell."""
    if sys.platform == "darwin":  # there fsync() stops at the drive's own cache
        import fcntl

        with contextlib.suppress(OSError):  # file systems without it fall through to fsync
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's entries (new names, renames) are on the medium."""
    if sys.platform == "win32":  # NTFS journals its entries; a folder cannot be opened for syncing
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_atomically(path: Path, parts: Iterable[bytes], *, backup: Path | None = None) -> None:
    """Write a file so that its name holds the old bytes or the new ones, never anything between.

    Parameters
    ----------
    path : Path
        File to replace or create.
    parts : iterable of bytes
        Its new content, in order.
    backup : Path, optional
        Name that the old content keeps, where the file system knows hard links.

    Raises
    ------
    OSError
        Nothing has changed then, and nothing half-written is left.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb", buffering=0) as file:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[file.write(view) :]
            sync_file(file.fileno())
        if backup is not None:
            _keep(path, backup)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def _keep(path: Path, backup: Path) -> None:
    link = backup.with_name(backup.name + ".new")
    with contextlib.suppress(OSError):  # no hard links here (FAT), or no file yet: then no backup
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        link.replace(backup)
