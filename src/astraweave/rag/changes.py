"""What a change of memories comes down to: plain data, made once and applied wherever needed.

Deciding what to remember may ask an embedder, the world, or the time; applying a decision asks
nothing. So whoever decides makes a `MemoryChanges`, and `MemoryStore.apply` is the one place where
memories change: when a game runs, and again when its recording is replayed without any model.
"""

from __future__ import annotations

import msgspec

from astraweave.rag.memory import Memory

__all__ = ["MemoryChanges"]


class MemoryChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Memories that come, change and go, in one step.

    Attributes
    ----------
    put : tuple of Memory
        As they are from now on, ids included: new ones take theirs from `MemoryStore.next_id`
        upwards.
    gone : tuple of int
        Ids of those that are forgotten.
    """

    put: tuple[Memory, ...] = ()
    gone: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)
