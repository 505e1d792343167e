"""Writing so that a reader finds the whole thing or nothing, and hashing what was written."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from astraweave.errors import StorageError

__all__ = ["place", "remove", "scratch", "sha256_of", "storage", "sync_file", "write_file"]

_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def storage(path: Path, doing: str) -> Iterator[None]:
    """Turn what the operating system refuses into a `StorageError` that says what to do."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        advice = "free some space" if error.errno in _FULL else "check the folder and its rights"
        raise StorageError(
            f"cannot {doing} {path}: {reason}; {advice} and try again",
            path=str(path),
            reason=reason,
            full=error.errno in _FULL,
        ) from error


def sha256_of(path: Path, report: Callable[[int], None] | None = None) -> str:
    """Digest of a file in hexadecimal; `report` hears the bytes read so far."""
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
            done += len(block)
            if report is not None:
                report(done)
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file in one step: the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 (the same word as in the documentation of POSIX)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


@contextmanager
def scratch(final: Path) -> Iterator[Path]:
    """A new folder beside `final`, gone afterwards unless `place` has moved it.

    What an earlier process left behind when it was killed is removed first, so the caller must
    hold the lock of `final`.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    for old in final.parent.glob(f".{final.name}.*.tmp"):
        remove(old)
    folder = final.parent / f".{final.name}.{os.getpid()}.tmp"
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def place(folder: Path, final: Path) -> None:
    """Move a finished folder to where readers look, instead of whatever is there.

    Every file is on the disk before the folder gets its name. An old folder is moved aside first
    and then removed; readers that have its files open keep them.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            sync_file(path)
    if final.exists():
        aside = final.parent / f".{final.name}.old.{os.getpid()}.tmp"
        remove(aside)
        final.rename(aside)
        folder.rename(final)
        remove(aside)
    else:
        folder.rename(final)
    _sync_folder(final.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder; nothing happens when it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _sync_folder(path: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows has no handle of a folder to wait for
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
