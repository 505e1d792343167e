"""All memories of a world, by owner, in memory and in its database."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import InputError
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag._shelf import Shelf
from astraweave.rag._tables import (
    create_memory_tables,
    first_memory_tables,
    match_words,
    pack_vector,
    read_rows,
    upgrade_memory_tables,
    write_rows,
)
from astraweave.rag.changes import MemoryChanges
from astraweave.rag.memory import Memory, MemoryKind

__all__ = [
    "MemoryStore",
    "checked",
    "create_memory_tables",
    "first_memory_tables",
    "upgrade_memory_tables",
]

_KINDS = frozenset(get_args(MemoryKind))
MAX_MEMORY_CHARS = 10_000


class MemoryStore:
    """Memories by owner. Confined to the thread of its connection.

    The truth is in memory; the database follows at each commit (the store is a `WriteBehind`:
    attach it to a `Slot`), so that adding a memory never waits for a disk. Each owner has a shelf
    of its own, and whatever asks names the owner: one character's question cannot reach what
    another one knows.

    Vectors are rounded to float16 when they come in, so that a world that was saved and loaded
    ranks exactly as the one that went on.

    Parameters
    ----------
    connection : sqlite3.Connection
        Has the tables of `create_memory_tables`.
    embedder : EmbeddingClient
        Makes the vectors. Where it is another model than the one that made those in the database,
        they are dropped and wait for `embed_pending`.
    telemetry : Telemetry
        Spans ``rag.load``, ``rag.embed`` and ``rag.write``.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        embedder: EmbeddingClient,
        *,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self._connection = connection
        self._embedder = embedder
        self._telemetry = telemetry
        self._shelves: dict[str, Shelf] = {}
        self._owners: dict[int, str] = {}
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
        for memory in sound:
            memory = msgspec.structs.replace(memory, id=self._next_id)
            self._next_id += 1
            self._owners[memory.id] = memory.owner
            self._shelf(memory.owner).put(memory)
            self._unwritten[memory.id] = self._pending[memory.id] = None
            stored.append(memory)
        if vectors is not None:
            self.set_vectors(stored, vectors)
        return stored

    def get(self, memory_id: int) -> Memory | None:
        """The memory with this id, or None."""
        owner = self._owners.get(memory_id)
        return None if owner is None else self._shelves[owner].memories[memory_id]

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
        memory = checked(memory)
        vectors = self._embed([memory]) if embed and memory.text != old.text else None
        shelf = self._shelves[memory.owner]
        shelf.put(memory)
        self._unwritten[memory.id] = None
        if memory.text != old.text:
            shelf.vectors.delete(memory.id)
            self._pending[memory.id] = None
        if vectors is not None:
            self.set_vectors([memory], vectors)
        return memory

    def delete(self, *memory_ids: int) -> int:
        """Forget memories; unknown ids are ignored. How many there were."""
        gone = 0
        for memory_id in memory_ids:
            owner = self._owners.pop(memory_id, None)
            if owner is not None:
                self._shelves[owner].remove(memory_id)
                self._pending.pop(memory_id, None)
                self._unwritten[memory_id] = None
                gone += 1
        return gone

    @property
    def next_id(self) -> int:
        """The id that the next new memory gets; no id is ever used again."""
        return self._next_id

    def apply(self, changes: MemoryChanges) -> None:
        """Let memories come, change and go, as it was decided; vectors of new texts follow later.

        Raises
        ------
        InputError
            One of them cannot be stored; nothing is changed then.
        """
        for memory in [checked(memory) for memory in changes.put]:
            old = self.get(memory.id)
            if old is not None and old.owner != memory.owner:
                self.delete(memory.id)
                old = None
            self._next_id = max(self._next_id, memory.id + 1)
            self._owners[memory.id] = memory.owner
            shelf = self._shelf(memory.owner)
            shelf.put(memory)
            self._unwritten[memory.id] = None
            if old is None or old.text != memory.text:
                shelf.vectors.delete(memory.id)
                self._pending[memory.id] = None
        self.delete(*changes.gone)

    def everything(self) -> Iterator[Memory]:
        """All memories of everybody."""
        for shelf in self._shelves.values():
            yield from shelf.memories.values()

    def for_owner(self, owner: str, last: int | None = None) -> list[Memory]:
        """What a character remembers, oldest first; at most the `last` ones."""
        shelf = self._shelves.get(owner)
        if shelf is None or last == 0:
            return []
        if last is None:
            return list(shelf.memories.values())
        latest = [memory for memory, _ in zip(reversed(shelf.memories.values()), range(last))]  # noqa: B905
        return latest[::-1]

    def owners(self) -> list[str]:
        """Everybody who remembers something, in the order of their ids."""
        return sorted(owner for owner, shelf in self._shelves.items() if shelf.memories)

    def speakers(self, owner: str) -> frozenset[str]:
        """Everybody whom this character has heard."""
        shelf = self._shelves.get(owner)
        return frozenset(+shelf.speakers) - {""} if shelf else frozenset()

    def count(self, owner: str | None = None) -> int:
        """How many memories a character has; all together without `owner`."""
        if owner is None:
            return len(self._owners)
        shelf = self._shelves.get(owner)
        return len(shelf.memories) if shelf else 0

    # Embedding later

    def pending(self, limit: int | None = None) -> list[Memory]:
        """Memories that wait for a vector, oldest first."""
        ids = list(islice(self._pending, limit))
        return [self._shelves[self._owners[i]].memories[i] for i in ids]

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
        units = vectors / np.where(lengths > 0.0, lengths, 1.0)
        rounded = units.astype(np.float16).astype(np.float32)
        by_owner: dict[str, dict[int, int]] = defaultdict(dict)
        for place, memory in enumerate(memories):
            now = self.get(memory.id)
            if now is not None and now.text == memory.text:
                by_owner[now.owner][memory.id] = place
        for owner, places in by_owner.items():
            self._shelves[owner].set_vectors(list(places), rounded[list(places.values())])
            for memory_id in places:
                self._pending.pop(memory_id, None)
                self._unwritten[memory_id] = None
        return sum(map(len, by_owner.values()))

    # Searching; `RagPipeline` fuses the two

    def ids(self, owner: str) -> NDArray[np.int64]:
        """Ids of a character's memories, ascending; do not write into it."""
        shelf = self._shelves.get(owner)
        return shelf.ids if shelf else np.empty(0, np.int64)

    def cosines(self, owner: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """How near a character's memories are to `vector`, in the order of `ids`.

        NaN where a memory has no vector yet.
        """
        shelf = self._shelves.get(owner)
        return shelf.cosines(vector) if shelf else np.empty(0, np.float32)

    def search_words(
        self, owner: str, words: Iterable[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ids of a character's memories that hold any of the words' stems, and BM25 of each.

        How rare a word is counts over all characters' memories; which memories come back does not.
        """
        self.write()
        found, scores = match_words(self._connection, words)
        own = np.isin(found, self.ids(owner), assume_unique=True)
        return found[own], scores[own]

    # Following into the database: see `WriteBehind`

    def write(self) -> None:
        """Put into the open transaction what has changed since the last call."""
        if not self._unwritten:
            return
        with self._telemetry.span("rag.write"):
            rows, deleted = [], []
            for memory_id in self._unwritten:
                owner = self._owners.get(memory_id)
                if owner is None:
                    deleted.append(memory_id)
                    continue
                shelf = self._shelves[owner]
                vector = shelf.vectors.get(memory_id)
                packed = None if vector is None else pack_vector(vector)
                rows.append((shelf.memories[memory_id], packed))
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
        packed_size = 2 * info.dimensions
        packed: dict[str, tuple[list[int], list[bytes]]] = defaultdict(lambda: ([], []))
        for memory, vector in read_rows(self._connection):
            self._owners[memory.id] = memory.owner
            self._shelf(memory.owner).put(memory)
            if same_space and vector is not None and len(vector) == packed_size:
                ids, blobs = packed[memory.owner]
                ids.append(memory.id)
                blobs.append(vector)
            else:
                self._pending[memory.id] = None
        for owner, (ids, blobs) in packed.items():
            matrix = np.frombuffer(b"".join(blobs), "<f2").reshape(len(ids), -1)
            self._shelves[owner].set_vectors(ids, matrix.astype(np.float32))
        if not same_space:  # old vectors must not pass for the new model's after the next load
            self._unwritten.update(self._pending)

    def _write_space(self) -> None:
        info = self._embedder.model_info
        self._connection.execute(
            "UPDATE memory_space SET embedder = ?, dimensions = ?, next_id = ?",
            (info.id, info.dimensions, self._next_id),
        )

    def _shelf(self, owner: str) -> Shelf:
        shelf = self._shelves.get(owner)
        if shelf is None:
            shelf = self._shelves[owner] = Shelf(self._embedder.dimensions)
        return shelf

    def _embed(self, memories: Sequence[Memory]) -> NDArray[np.float32]:
        texts = list(dict.fromkeys(memory.text for memory in memories))
        with self._telemetry.span("rag.embed"):
            vectors = self._embedder.embed_batch(texts)
        places = {text: place for place, text in enumerate(texts)}
        return vectors[[places[memory.text] for memory in memories]]


def checked(memory: Memory) -> Memory:
    """The memory, if a database can hold it and a search can find it; InputError otherwise."""
    words = (memory.owner, memory.text, memory.speaker, memory.addressee)
    if not memory.owner or not memory.text.strip():
        raise InputError(f"a memory needs an owner and a text: {memory!r}")
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
