"""How memories come from one mind into another, and how one tells where they came from.

A shared memory is a copy: it fades, is forgotten and is contradicted on its own. Its provenance
names everybody through whom it came, and its source is the memory that it was taken from.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from astraweave.errors import InputError
from astraweave.rag.memory import Memory
from astraweave.rag.scopes import AUTHOR
from astraweave.rag.store import MemoryStore

__all__ = ["copies_for", "copy_to", "share", "why_known"]


def copies_for(memory: Memory, present: Iterable[str]) -> list[Memory]:
    """What each of those present remembers of the same thing, for `MemoryStore.add_many`.

    Examples
    --------
    >>> said = Memory(owner="", text="I lost a ring.", speaker="player")
    >>> [copy.owner for copy in copies_for(said, ["tam", "mira", "tam"])]
    ['tam', 'mira']
    """
    return [msgspec.structs.replace(memory, id=0, owner=owner) for owner in dict.fromkeys(present)]


def share(store: MemoryStore, memory_id: int, *, to: str, by: str | None = None) -> Memory:
    """Let a character, or everybody inside a scope, know what another one remembers.

    Parameters
    ----------
    store : MemoryStore
        Holds both.
    memory_id : int
        What is told.
    to : str
        Who remembers it from now on: a character or a scope.
    by : str, optional
        Who told it; by default whoever remembers it.

    Returns
    -------
    Memory
        The copy, with the vector of the original; where `to` has one already, that.

    Raises
    ------
    InputError
        There is no such memory, `to` remembers it themselves, or nobody in the game may know it.
    """
    copy = copy_to(store, memory_id, to=to, by=by)
    if copy.id:
        return copy
    stored = store.add(copy, embed=False)
    vector = store.vector(memory_id)
    if vector is not None:
        store.set_vectors([stored], vector[None])
    return stored


def copy_to(store: MemoryStore, memory_id: int, *, to: str, by: str | None = None) -> Memory:
    """What `share` would add, with the id 0, or what `to` has already; nothing is changed.

    Takes and raises what `share` does.
    """
    told = store.get(memory_id)
    if told is None:
        raise InputError(f"there is no memory {memory_id} to share", id=memory_id)
    if told.owner == AUTHOR or to == AUTHOR:
        raise InputError(f"memory {memory_id}: what is {AUTHOR!r} stays there", id=memory_id)
    if to == told.owner:
        raise InputError(f"{to!r} remembers {memory_id} already: it is theirs", id=memory_id)
    for known in reversed(store.for_owner(to)):
        if memory_id in known.sources and known.text == told.text:
            return known
    return msgspec.structs.replace(
        told,
        id=0,
        owner=to,
        provenance=(*told.provenance, by or told.owner),
        sources=(memory_id,),
        superseded_by=0,
    )


def why_known(store: MemoryStore, memory: Memory) -> list[Memory]:
    """Where a memory came from: the memory, what it was made from, and so on to the beginnings.

    Those that are forgotten are missing; who told them on stands in ``provenance`` all the same.
    What comes back belongs to several minds: it is for explanations and tools, never for a
    character's lips.
    """
    chain = [memory]
    seen = {memory.id}
    for link in chain:
        for source in link.sources:
            found = None if source in seen else store.get(source)
            if found is not None and found.owner != AUTHOR:
                seen.add(source)
                chain.append(found)
    return chain
