"""What one character remembers, in memory: no other character's shelf is ever looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave._native import Vocabulary, WordShelf
from astraweave.rag._columns import Columns, Names, Table
from astraweave.rag._terms import WeightedTerm
from astraweave.rag._vectors import VectorRows
from astraweave.rag.memory import Memory

__all__ = ["Shared", "Shelf"]

Value = TypeVar("Value", bound=Hashable)


class Shared:
    """What all shelves of a store have in common."""

    def __init__(self, dimensions: int, terms: Callable[[Memory], Iterable[WeightedTerm]]) -> None:
        self.dimensions = dimensions
        self.terms = terms
        self.names = Names()
        self.vocabulary = Vocabulary()
        self.values: dict[Any, Any] = {}

    def one(self, value: Value) -> Value:
        """A value equal to this one, the same object each time: names and tags come again often."""
        same: Value = self.values.setdefault(value, value)
        return same

    def numbered(self, memory: Memory, memory_id: int) -> Memory:
        """The memory with an id, and what it has in common with others held once."""
        return msgspec.structs.replace(
            memory,
            id=memory_id,
            owner=self.one(memory.owner),
            speaker=self.one(memory.speaker),
            addressee=self.one(memory.addressee),
            tags=self.one(memory.tags),
            entities=self.one(memory.entities),
            provenance=self.one(memory.provenance),
        )


class Shelf:
    """Memories of one owner by row, in the order of their ids, with everything kept beside them.

    Memories, columns, vectors and words have the same rows at any time.
    """

    def __init__(self, owner: str, shared: Shared) -> None:
        self.owner = owner
        self.memories: list[Memory] = []
        self.table = Table(shared.names)
        self.vectors = VectorRows(shared.dimensions)
        self.words = WordShelf(shared.vocabulary)
        self.speakers: Counter[str] = Counter()
        self._terms = shared.terms

    def __len__(self) -> int:
        return len(self.memories)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in ascending order; do not write into it."""
        return self.table.columns.ids

    @property
    def columns(self) -> Columns:
        """What a ranking asks of every memory."""
        return self.table.columns

    def row(self, memory_id: int) -> int:
        """Where a memory of this shelf stands."""
        return int(self.ids.searchsorted(memory_id))

    def rows(self, memory_ids: Sequence[int]) -> NDArray[np.intp]:
        """Where memories of this shelf stand."""
        return self.ids.searchsorted(np.array(memory_ids, np.int64))

    def get(self, memory_id: int) -> Memory:
        """A memory of this shelf."""
        return self.memories[self.row(memory_id)]

    def traits(self, row: int) -> int:
        """What the text of a memory looks like (`Columns.traits`)."""
        return self.table.read(row, self.memories[row].text)

    def read_last(self, count: int) -> None:
        """Have the traits of the last rows: lines are written one by one, so no question need wait.

        What is loaded is read when it is first a candidate; all of it at once would take as long as
        the load itself.
        """
        for row in range(len(self) - count, len(self)):
            self.traits(row)

    def extend(self, memories: Sequence[Memory]) -> None:
        """Add memories, with ids above those here, without vectors."""
        self.words.append(
            [memory.text for memory in memories],
            [list(self._terms(memory)) for memory in memories],
        )
        self.table.append(memories)
        self.vectors.append_empty(len(memories))
        self.memories += memories
        self.speakers.update(memory.speaker for memory in memories)

    def put(self, memory: Memory) -> None:
        """Replace the memory that has this one's id; a new text loses the vector."""
        row = self.row(memory.id)
        old = self.memories[row]
        terms = list(self._terms(memory))
        if memory.text != old.text or terms != list(self._terms(old)):
            self.words.replace(row, memory.text, terms)
        if memory.text != old.text:
            self.vectors.clear(row)
        self.table.put(row, memory)
        self.memories[row] = memory
        self.speakers[old.speaker] -= 1
        self.speakers[memory.speaker] += 1

    def remove(self, memory_ids: Sequence[int]) -> None:
        """Forget memories of this shelf."""
        rows = np.unique(self.rows(memory_ids))
        self.words.remove(rows.tolist())
        self.table.remove(rows)
        self.vectors.remove(rows)
        self.speakers.subtract(self.memories[row].speaker for row in rows.tolist())
        for row in rows[::-1].tolist():
            del self.memories[row]
