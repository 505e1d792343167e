"""One holder for a save slot; the kernel lets go when the holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from astraweave.errors import SlotInUseError
from astraweave.world._files import explained

__all__ = ["SlotLock"]

_PID_BYTES = 20


class SlotLock:
    """Exclusive hold of a slot, taken at construction or not at all.

    The lock belongs to the open file, not to the process: two Worlds of one process exclude each
    other too. The file itself stays where it is; only the lock on it means anything.

    Raises
    ------
    SlotInUseError
        Somebody else holds it.
    StorageError
        The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        with explained("cannot lock the save slot", path):
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with explained("cannot lock the save slot", path):
                held = _try_lock(self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise
        if not held:
            with contextlib.suppress(OSError):
                holder = os.pread(self._descriptor, _PID_BYTES, 1) if _HAS_PREAD else b""
            os.close(self._descriptor)
            self._descriptor = None
            who = f" (process {holder.decode().strip()})" if holder.strip().isdigit() else ""
            raise SlotInUseError(
                f"the save slot {path.parent} is already open{who}: "
                "close that World, or open another slot",
                path=str(path.parent),
            )
        with contextlib.suppress(OSError):  # a courtesy; the lock holds without it
            os.lseek(self._descriptor, 1, os.SEEK_SET)
            os.write(self._descriptor, str(os.getpid()).ljust(_PID_BYTES).encode())

    def release(self) -> None:
        """Let go; doing so twice is allowed."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                _unlock(descriptor)
            os.close(descriptor)


_HAS_PREAD = hasattr(os, "pread")

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
