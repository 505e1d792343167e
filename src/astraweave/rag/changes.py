"""What a change of memories comes down to: plain data, made once and applied wherever needed.

Deciding what to remember may ask an embedder, the world, or the time; applying a decision asks
nothing. So whoever decides makes a `MemoryChanges`, and `MemoryStore.apply` is the one place where
memories change: when a game runs, and again when its recording is replayed without any model.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from astraweave.errors import InputError
from astraweave.rag.memory import Memory

__all__ = ["MemoryChanges", "check_changes"]


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


def check_changes(
    changes: MemoryChanges, known: Callable[[int], Memory | None], next_id: int
) -> None:
    """Raise InputError where changes do not fit the memories that there are.

    A new memory has an id that no other one has ever had, and a memory stays with its owner.
    """
    for memory in changes.put:
        old = known(memory.id)
        if old is None and memory.id < next_id:
            raise InputError(
                f"a new memory cannot have the id {memory.id}: the next one is {next_id}",
                id=memory.id,
            )
        if old is not None and old.owner != memory.owner:
            raise InputError(f"memory {memory.id} is {old.owner!r}'s", id=memory.id)
