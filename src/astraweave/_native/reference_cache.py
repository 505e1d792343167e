"""What the prompt cache means, in as few lines as say it: one shard, least recently used first."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import NamedTuple

from astraweave.errors import InputError

__all__ = ["PromptCache"]


class _Entry(NamedTuple):
    value: str | bytes
    born: float
    expires: float
    tag: str
    size: int

    def expired(self, now: float) -> bool:
        return self.expires != math.inf and not self.born <= now < self.expires


class PromptCache:
    """An `OrderedDict` that is told the time."""

    ENTRY_OVERHEAD = 160

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def get(self, key: str | bytes, now: float) -> str | bytes | None:
        """The answer, now the most recently used; None for a miss."""
        entry = self.entries.get(_bytes(key))
        if entry is not None and entry.expired(now):
            del self.entries[_bytes(key)]
            self.counts["expired"] += 1
            entry = None
        self.counts["misses" if entry is None else "hits"] += 1
        if entry is None:
            return None
        self.entries.move_to_end(_bytes(key))
        return entry.value

    def put(
        self, key: str | bytes, value: str | bytes, now: float, ttl_s: float | None, tag: str
    ) -> bool:
        """Whether it is kept."""
        if ttl_s is not None and not ttl_s > 0:
            raise InputError("ttl_s")
        size = len(_bytes(key)) + len(_bytes(value)) + self.ENTRY_OVERHEAD
        self.entries.pop(_bytes(key), None)
        if size > self.max_bytes:
            self.counts["rejected"] += 1
            return False
        expires = math.inf if ttl_s is None else now + ttl_s
        self.entries[_bytes(key)] = _Entry(value, now, expires, tag, size)
        while self.stats()["bytes"] > self.max_bytes:
            self.entries.popitem(last=False)
            self.counts["evictions"] += 1
        return True

    def remove(self, key: str | bytes) -> bool:
        """Whether there was one."""
        found = self.entries.pop(_bytes(key), None) is not None
        self.counts["invalidated"] += found
        return found

    def invalidate(self, tag: str) -> int:
        """Drop what was put under the tag; how many."""
        gone = [key for key, entry in self.entries.items() if tag and entry.tag == tag]
        for key in gone:
            self.remove(key)
        return len(gone)

    def purge(self, now: float) -> int:
        """Drop what has expired; how many."""
        gone = [key for key, entry in self.entries.items() if entry.expired(now)]
        for key in gone:
            del self.entries[key]
        self.counts["expired"] += len(gone)
        return len(gone)

    def clear(self) -> None:
        """Drop everything."""
        self.entries.clear()

    def stats(self) -> dict[str, int]:
        """Counts since the beginning, and what is there now."""
        names = ("hits", "misses", "evictions", "expired", "rejected", "invalidated")
        now = {
            "entries": len(self.entries),
            "bytes": sum(entry.size for entry in self.entries.values()),
        }
        return {name: self.counts[name] for name in names} | now


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
