"""All memories of a world, by owner, in memory and in its database."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from astraweave._native import score_words
from astraweave.core.protocols import ScopeResolver
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import InputError
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag._columns import KINDS, Columns
from astraweave.rag._shelf import Shared, Shelf
from astraweave.rag._tables import (
    create_memory_tables,
    first_memory_tables,
    read_rows,
    upgrade_memory_tables,
    write_rows,
)
from astraweave.rag._terms import WeightedTerm, terms_of
from astraweave.rag._vectors import is_packed
from astraweave.rag.changes import MemoryChanges, check_changes
from astraweave.rag.memory import Memory
from astraweave.rag.scopes import Readable, check_scope, is_scope

__all__ = [
    "MemoryStore",
    "checked",
    "create_memory_tables",
    "first_memory_tables",
    "read_memories",
    "upgrade_memory_tables",
]

_KINDS = frozenset(KINDS)
MAX_MEMORY_CHARS = 10_000


class MemoryStore:
    """Memories by owner. Confined to the thread of its connection.

    The truth is in memory; the database follows at each commit (the store is a `WriteBehind`:
    attach it to a `Slot`), so that adding a memory never waits for a disk. Each owner has a shelf
    of its own, and so has each scope; a question is answered from a `Readable`, which holds the
    shelves that its owner may draw on and no other.

    Vectors are rounded to 8 bits a number when they come in, so that a world that was saved and
    loaded ranks exactly as the one that went on.

    Parameters
    ----------
    connection : sqlite3.Connection
        Has the tables of `create_memory_tables`.
    embedder : EmbeddingClient
        Makes the vectors. Where it is another model than the one that made those in the database,
        they are dropped and wait for `embed_pending`.
    telemetry : Telemetry
        Spans ``rag.load``, ``rag.embed`` and ``rag.write``.
    terms : callable
        Gives what of a memory is searched by words beside its text; see `_terms`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        embedder: EmbeddingClient,
        *,
        telemetry: Telemetry = NULL_TELEMETRY,
        terms: Callable[[Memory], Iterable[WeightedTerm]] = terms_of,
    ) -> None:
        self._connection = connection
        self._embedder = embedder
        self._telemetry = telemetry
        self._shared = Shared(embedder.dimensions, terms)
        self._shelves: dict[str, Shelf] = {}
        self._scopes: list[Shelf] = []  # those of scopes, by name
        self._home: dict[int, Shelf] = {}
        self._next_id = 1
        self._pending: dict[int, None] = {}
        self._unwritten: dict[int, None] = {}
        self._uncommitted: dict[int, None] = {}
        with telemetry.span("rag.load"):
            self._load()

    def add(self, memory: Memory, *, embed: bool = True) -> Memory:
        """Store a memory; see `add_many`."""
        return self.add_many((memory,), embed=embed)[0]

    def add_many(self, memories: Iterable[Memory], *, embed: bool = True) -> list[Memory]:
        """Store memories.

        Parameters
        ----------
        memories : iterable of Memory
            Their ids are ignored.
        embed : bool
            Embed them now, in one batch. False: later, in `embed_pending`; until then they are
            found by their words only.

        Returns
        -------
        list of Memory
            The same with their ids.

        Raises
        ------
        InputError
            One of them cannot be stored; none is then.
        """
        sound = [checked(memory) for memory in memories]
        vectors = self._embed(sound) if embed and sound else None
        stored = []
        by_owner: dict[str, list[Memory]] = defaultdict(list)
        for memory in sound:
            memory = self._shared.numbered(memory, self._next_id)
            self._next_id += 1
            self._unwritten[memory.id] = self._pending[memory.id] = None
            by_owner[memory.owner].append(memory)
            stored.append(memory)
        for owner, memories in by_owner.items():
            self._put_on_shelf(owner, memories).read_last(len(memories))
        if vectors is not None:
            self.set_vectors(stored, vectors)
        return stored

    def get(self, memory_id: int) -> Memory | None:
        """The memory with this id, whoever owns it, or None."""
        shelf = self._home.get(memory_id)
        return None if shelf is None else shelf.get(memory_id)

    @property
    def next_id(self) -> int:
        """The id that the next new memory gets; no id is ever used again."""
        return self._next_id

    @property
    def dimensions(self) -> int:
        """Of the vectors."""
        return self._embedder.dimensions

    def update(self, memory: Memory, *, embed: bool = True) -> Memory:
        """Replace the memory that has this one's id; its owner stays. A new text is embedded.

        Raises
        ------
        InputError
            There is none, it has another owner, or it cannot be stored.
        """
        old = self.get(memory.id)
        if old is None or old.owner != memory.owner:
            raise InputError(f"{memory.owner!r} has no memory {memory.id}", id=memory.id)
        memory = self._shared.numbered(checked(memory), memory.id)
        vectors = self._embed([memory]) if embed and memory.text != old.text else None
        self._home[memory.id].put(memory)
        self._unwritten[memory.id] = None
        if memory.text != old.text:
            self._pending[memory.id] = None
        if vectors is not None:
            self.set_vectors([memory], vectors)
        return memory

    def delete(self, *memory_ids: int) -> int:
        """Forget memories; unknown ids are ignored. How many there were."""
        leaving: dict[Shelf, list[int]] = defaultdict(list)
        for memory_id in memory_ids:
            shelf = self._home.pop(memory_id, None)
            if shelf is not None:
                leaving[shelf].append(memory_id)
                self._pending.pop(memory_id, None)
                self._unwritten[memory_id] = None
        for shelf, ids in leaving.items():
            shelf.remove(ids)
        return sum(map(len, leaving.values()))

    def apply(self, changes: MemoryChanges) -> None:
        """Let memories come, change and go, as it was decided; vectors of new texts follow later.

        Raises
        ------
        InputError
            One of them cannot be stored; nothing is changed then.
        """
        put = sorted((checked(memory) for memory in changes.put), key=lambda memory: memory.id)
        check_changes(changes, self.get, self.next_id)
        for memory in put:
            if self.get(memory.id) is not None:
                self.update(memory, embed=False)
                continue
            self._next_id = memory.id + 1
            self._unwritten[memory.id] = self._pending[memory.id] = None
            self._put_on_shelf(memory.owner, [memory]).read_last(1)
        self.delete(*changes.gone)

    def everything(self) -> Iterator[Memory]:
        """All memories of everybody."""
        for owner in self._shelves:
            yield from self.for_owner(owner)

    def for_owner(self, owner: str, last: int | None = None) -> list[Memory]:
        """What a character remembers, oldest first; at most the `last` ones."""
        shelf = self._shelves.get(owner)
        if shelf is None or last == 0:
            return []
        return shelf.memories[-last:] if last else shelf.memories.copy()

    def owners(self) -> list[str]:
        """Everybody who remembers something, scopes among them, in the order of their ids."""
        return sorted(owner for owner, shelf in self._shelves.items() if shelf.memories)

    def speakers(self, owner: str) -> frozenset[str]:
        """Everybody whom this character has heard."""
        shelf = self._shelves.get(owner)
        return frozenset(+shelf.speakers) - {""} if shelf else frozenset()

    def count(self, owner: str | None = None) -> int:
        """How many memories a character has; all together without `owner`."""
        if owner is None:
            return len(self._home)
        shelf = self._shelves.get(owner)
        return len(shelf.memories) if shelf else 0

    # Embedding later

    def pending(self, limit: int | None = None) -> list[Memory]:
        """Memories that wait for a vector, oldest first."""
        ids = list(islice(self._pending, limit))
        return [self._home[i].get(i) for i in ids]

    def embed_pending(self, limit: int | None = None) -> int:
        """Embed what waits, in one batch; equal texts once. How many got a vector.

        Where embedding should run on another thread than the store, call `pending`, embed the
        texts there, and bring the vectors back to `set_vectors`.
        """
        waiting = self.pending(limit)
        return self.set_vectors(waiting, self._embed(waiting)) if waiting else 0

    def set_vectors(self, memories: Sequence[Memory], vectors: NDArray[np.float32]) -> int:
        """Give memories their vectors; those forgotten or reworded meanwhile are passed over.

        Parameters
        ----------
        memories : sequence of Memory
            As `pending` gave them.
        vectors : ndarray, shape ``(len(memories), dimensions)``
            Made into unit vectors where they are none.

        Raises
        ------
        InputError
            The shape is wrong, or a vector holds NaN or infinity.
        """
        vectors = np.asarray(vectors, np.float32)
        wanted = (len(memories), self._embedder.dimensions)
        if vectors.shape != wanted:
            raise InputError(f"vectors of shape {vectors.shape}: {wanted} was expected")
        if not np.isfinite(vectors).all():
            raise InputError("a vector holds NaN or infinity")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = (vectors / np.where(lengths > 0.0, lengths, 1.0)).astype(np.float32)
        by_shelf: dict[Shelf, dict[int, int]] = defaultdict(dict)
        for place, memory in enumerate(memories):
            now = self.get(memory.id)
            if now is not None and now.text == memory.text:
                by_shelf[self._home[memory.id]][memory.id] = place
        for shelf, places in by_shelf.items():
            shelf.vectors.set(shelf.rows(list(places)), units[list(places.values())])
            for memory_id in places:
                self._pending.pop(memory_id, None)
                self._unwritten[memory_id] = None
        return sum(map(len, by_shelf.values()))

    # Searching; `RagPipeline` fuses the two

    def readable(self, owner: str, scopes: ScopeResolver | None = None) -> Readable:
        """What a character may draw on now: their own shelf, and those of scopes they are inside.

        Parameters
        ----------
        owner : str
            A character.
        scopes : ScopeResolver, optional
            Says which scopes they are inside; None: none.

        Raises
        ------
        InputError
            `owner` is a scope: nobody remembers as one (`for_owner` lists what it holds).
        """
        if is_scope(owner):
            raise InputError(f"{owner!r} is a scope and asks nothing; name a character")
        own = self._shelves.get(owner)
        shelves = [own] if own else []
        if scopes is not None:
            shelves += [shelf for shelf in self._scopes if scopes.may_know(owner, shelf.owner)]
        return Readable(owner, shelves or [Shelf(owner, self._shared)])

    def code_of(self, name: str) -> int:
        """The number that stands for a speaker or addressee in `Columns`; -1: for none so far."""
        return self._shared.names.find(name)

    def ids(self, owner: str) -> NDArray[np.int64]:
        """Ids of an owner's memories, ascending; do not write into it."""
        return self._of(owner).ids

    def columns(self, owner: str) -> Columns:
        """What a ranking asks of every memory of an owner, as arrays in the order of `ids`.

        Its ``traits`` are there for those memories that have been candidates.
        """
        return self._of(owner).columns

    def cosines(self, owner: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """How near an owner's memories are to a unit vector, in the order of `ids`.

        NaN where a memory has no vector yet.
        """
        return self._of(owner).vectors.cosines(vector)

    def vectors(self, owner: str, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Vectors of an owner's memories as they are kept, in the order of `ids`.

        NaN where a memory has no vector yet.

        Parameters
        ----------
        rows : ndarray of int, optional
            Places in `ids`; None: all of them.
        """
        shelf = self._of(owner)
        return shelf.vectors.rows(np.arange(len(shelf)) if rows is None else rows)

    def vector(self, memory_id: int) -> NDArray[np.float32] | None:
        """The vector of a memory as it is kept; None: it has none, or there is no such memory."""
        shelf = self._home.get(memory_id)
        if shelf is None or not shelf.vectors.has(shelf.row(memory_id)):
            return None
        kept: NDArray[np.float32] = shelf.vectors.rows(shelf.rows([memory_id]))[0]
        return kept

    def word_scores(self, owner: str, terms: Iterable[WeightedTerm]) -> NDArray[np.float32]:
        """BM25 of an owner's memories, in the order of `ids`; 0 where none of the terms is there.

        Rarity counts over that owner's memories alone.

        Parameters
        ----------
        terms : iterable of (str, float)
            Words in any form (they are folded and stemmed), and keys of `_terms`, with weights.
        """
        return score_words([self._of(owner).words], list(terms))

    # Following into the database: see `WriteBehind`

    def write(self) -> None:
        """Put into the open transaction what has changed since the last call."""
        if not self._unwritten:
            return
        with self._telemetry.span("rag.write"):
            rows, deleted = [], []
            for memory_id in self._unwritten:
                shelf = self._home.get(memory_id)
                if shelf is None:
                    deleted.append(memory_id)
                else:
                    row = shelf.row(memory_id)
                    rows.append((shelf.memories[row], shelf.vectors.pack(row)))
            self._uncommitted |= self._unwritten
            self._unwritten = {}
            write_rows(self._connection, rows, deleted)
            self._write_space()

    def committed(self) -> None:
        """Everything written so far holds."""
        self._uncommitted = {}

    def rolled_back(self) -> None:
        """What was written since the last `committed` must be written again."""
        self._unwritten = self._uncommitted | self._unwritten
        self._uncommitted = {}

    def _load(self) -> None:
        row = self._connection.execute(
            "SELECT embedder, dimensions, next_id FROM memory_space"
        ).fetchone()
        self._next_id = row[2]
        info = self._embedder.model_info
        same_space = row[:2] == (info.id, info.dimensions)
        by_owner: dict[str, list[Memory]] = defaultdict(list)
        packed: dict[str, dict[int, bytes]] = defaultdict(dict)
        for memory, vector in read_rows(self._connection, self._shared.values):
            by_owner[memory.owner].append(memory)
            if vector is not None and same_space and is_packed(vector, info.dimensions):
                packed[memory.owner][memory.id] = vector
            else:
                self._pending[memory.id] = None
        for owner, memories in by_owner.items():
            shelf = self._put_on_shelf(owner, memories)
            if vectors := packed[owner]:
                shelf.vectors.unpack(shelf.rows(list(vectors)), list(vectors.values()))
        if not same_space:  # old vectors must not pass for the new model's after the next load
            self._unwritten.update(self._pending)

    def _write_space(self) -> None:
        info = self._embedder.model_info
        self._connection.execute(
            "UPDATE memory_space SET embedder = ?, dimensions = ?, next_id = ?",
            (info.id, info.dimensions, self._next_id),
        )

    def _put_on_shelf(self, owner: str, memories: Sequence[Memory]) -> Shelf:
        shelf = self._shelves.get(owner)
        if shelf is None:
            shelf = self._shelves[owner] = Shelf(owner, self._shared)
            if is_scope(owner):
                self._scopes = sorted([*self._scopes, shelf], key=lambda one: one.owner)
        shelf.extend(memories)
        self._home.update((memory.id, shelf) for memory in memories)
        return shelf

    def _of(self, owner: str) -> Shelf:
        return self._shelves.get(owner) or Shelf(owner, self._shared)

    def _embed(self, memories: Sequence[Memory]) -> NDArray[np.float32]:
        texts = list(dict.fromkeys(memory.text for memory in memories))
        with self._telemetry.span("rag.embed"):
            vectors = self._embedder.embed_batch(texts)
        places = {text: place for place, text in enumerate(texts)}
        return vectors[[places[memory.text] for memory in memories]]


def read_memories(connection: sqlite3.Connection) -> tuple[list[Memory], int]:
    """All memories of a database in the order of their ids, and the next id; without vectors."""
    (next_id,) = connection.execute("SELECT next_id FROM memory_space").fetchone()
    return [memory for memory, _ in read_rows(connection, {})], next_id


def checked(memory: Memory) -> Memory:
    """The memory, if a database can hold it and a search can find it; InputError otherwise."""
    words = (memory.owner, memory.text, memory.speaker, memory.addressee)
    if not memory.owner or not memory.text.strip():
        raise InputError(f"a memory needs an owner and a text: {memory!r}")
    if is_scope(memory.owner):
        check_scope(memory.owner)
    if len(memory.text) > MAX_MEMORY_CHARS:
        raise InputError(
            f"a memory of {len(memory.text)} characters; at most {MAX_MEMORY_CHARS} fit: split it"
        )
    if memory.kind not in _KINDS:
        raise InputError(f"{memory.kind!r} is no kind of memory; say one of {sorted(_KINDS)}")
    if not math.isfinite(memory.game_time) or not 0.0 <= memory.importance <= 1.0:
        raise InputError(
            f"game_time must be finite and importance from 0 to 1, not {memory.game_time} and "
            f"{memory.importance}"
        )
    try:
        for word in (*words, *memory.tags, *memory.entities):
            word.encode()
    except UnicodeEncodeError:
        raise InputError(
            "a memory holds half a character (a lone surrogate): clean the text first "
            "(astraweave.core.text.sanitize)"
        ) from None
    return memory
