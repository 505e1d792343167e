"""How much memory all models of a world may take together, and who holds how much of it.

The budget counts what is asked for: weights, keys and values, and an allowance for working memory.
It is a promise kept before anything is loaded, not a meter: a model that does not fit is refused
with the names of those who hold the rest, and nothing has been taken.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import sys
import threading
import weakref
from pathlib import Path

import msgspec

from astraweave.errors import CapacityError

__all__ = ["MemoryBudget", "MemoryReport", "MemoryShare", "default_memory", "physical_memory"]

MIB = 1 << 20
_LEAST = 512 * MIB
_MOST = 8192 * MIB
_UNKNOWN = 8192 * MIB
"""Taken for the machine's memory where it does not say."""


class MemoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds how much of a budget.

    Attributes
    ----------
    total, used : int
        Bytes; `total` 0: there is no limit.
    holders : tuple of (str, int)
        Name and bytes of each share, the largest first.
    """

    total: int
    used: int
    holders: tuple[tuple[str, int], ...] = ()


class MemoryShare:
    """A part of a budget; given back by `release`, or when nobody knows it any more."""

    __slots__ = ("__weakref__", "_release", "holder", "size")

    def __init__(self, budget: MemoryBudget, key: int, holder: str, size: int) -> None:
        self.holder = holder
        self.size = size
        self._release = weakref.finalize(self, budget._drop, key)
        self._release.atexit = False

    def release(self) -> None:
        """Give it back. Releasing twice is allowed."""
        self._release()


class MemoryBudget:
    """Hands out shares of a number of bytes. Thread-safe.

    Parameters
    ----------
    total : int
        Bytes; 0: no limit, shares are only counted.
    setting : str
        Which setting raises it; for the message.

    Examples
    --------
    >>> budget = MemoryBudget(100 << 20, setting="memory_mb")
    >>> weights = budget.reserve("weights of tam", 80 << 20)
    >>> budget.reserve("keys and values of tam", 30 << 20)
    Traceback (most recent call last):
    ...
    astraweave.errors.CapacityError: keys and values of tam needs 30 MB, and 20 of 100 are left: \
weights of tam holds 80 MB; ask for less, close something, or raise the setting memory_mb
    >>> weights.release()
    >>> budget.report().used
    0
    """

    def __init__(self, total: int, *, setting: str) -> None:
        self.total = total
        self._setting = setting
        self._lock = threading.RLock()  # a share may be collected while one is handed out
        self._shares: dict[int, tuple[str, int]] = {}
        self._keys = itertools.count()

    def reserve(self, holder: str, size: int) -> MemoryShare:
        """Take a share.

        Parameters
        ----------
        holder : str
            What it is for, as a message would say it.
        size : int
            Bytes.

        Raises
        ------
        CapacityError
            So much is not left; the message and `holders` say who has the rest.
        """
        with self._lock:
            report = self.report()
            if self.total and report.used + size > self.total:
                raise _full(holder, size, report, self._setting)
            key = next(self._keys)
            self._shares[key] = (holder, size)
        return MemoryShare(self, key, holder, size)

    @property
    def left(self) -> int:
        """Bytes that nobody holds; a very large number where there is no limit."""
        return self.total - self.report().used if self.total else sys.maxsize

    def report(self) -> MemoryReport:
        """Who holds how much."""
        with self._lock:
            shares = sorted(self._shares.values(), key=lambda share: (-share[1], share[0]))
        return MemoryReport(
            total=self.total, used=sum(size for _, size in shares), holders=tuple(shares)
        )

    def _drop(self, key: int) -> None:
        with self._lock:
            self._shares.pop(key, None)


def default_memory() -> int:
    """Bytes that all models may take together: a quarter of the machine's, 0.5 to 8 GB."""
    return max(_LEAST, min(_MOST, physical_memory() // 4))


def physical_memory() -> int:
    """Bytes of memory that this process could use: the machine's, or its container's."""
    installed = _installed()
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text("ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            return min(installed, int(text))
    return installed


def _installed() -> int:
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return _UNKNOWN


def _windows_memory() -> int:
    kilobytes = ctypes.c_ulonglong(0)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - it is there on Windows only
    found = kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return kilobytes.value * 1024 if found else _UNKNOWN


def _full(holder: str, size: int, report: MemoryReport, setting: str) -> CapacityError:
    held = [f"{name} holds {_mb(share)} MB" for name, share in report.holders[:5]]
    if len(report.holders) > len(held):
        held.append(f"{len(report.holders) - len(held)} others hold the rest")
    return CapacityError(
        f"{holder} needs {_mb(size)} MB, and {_mb(report.total - report.used)} of "
        f"{_mb(report.total)} are left: {', '.join(held) or 'nobody holds any'}; ask for less, "
        f"close something, or raise the setting {setting}",
        holder=holder,
        size=size,
        total=report.total,
        used=report.used,
        holders=report.holders,
    )


def _mb(size: int) -> int:
    return -(-size // MIB)
