"""All state of a world as entries, and one number that says which state it is.

Whatever a world knows is an entry: a key and bytes (MessagePack), or a memory and its id. The hash
of the state is the sum of the 128-bit BLAKE2b digests of all entries, modulo 2^128. So it can be
kept while entries come, change and go, in any order, at the cost of the entries that change; equal
states have equal hashes, however they came about. (A sum of digests withstands accidents, not
somebody who looks for collisions: a save's id does that.)

Vectors are no part of it: they are derived from the texts by whatever model there is. Keys that
begin with a dot are not either: they tell of the machine, not of the minds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from typing import Protocol, TypeVar

import msgspec

from astraweave.errors import CorruptDataError
from astraweave.rag import Memory
from astraweave.rag.changes import MemoryChanges, check_changes

__all__ = [
    "Entries",
    "Ledger",
    "Memories",
    "PlainEntries",
    "PlainMemories",
    "digest_of_entry",
    "encode_state",
]

T = TypeVar("T")

OUTSIDE = "."
"""What keys begin with that are no part of the state."""
_MODULUS = 1 << 128
_NEXT_MEMORY = "memory"

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Entries(Protocol):
    """Where entries lie."""

    def raw(self, key: str) -> bytes | None:
        """The bytes of a key; None: there are none."""
        ...

    def put_raw(self, key: str, value: bytes | None) -> None:
        """Set the bytes of a key, or forget it."""
        ...

    def all_raw(self, prefix: str = "") -> Iterable[tuple[str, bytes]]:
        """Keys that begin with `prefix` and their bytes, in the order of the keys."""
        ...


class Memories(Protocol):
    """Where memories lie."""

    @property
    def next_id(self) -> int:
        """The id that the next new memory gets."""
        ...

    def get(self, memory_id: int) -> Memory | None:
        """The memory with this id."""
        ...

    def apply(self, changes: MemoryChanges) -> None:
        """Let memories come, change and go."""
        ...

    def everything(self) -> Iterable[Memory]:
        """All memories of all owners, in any order."""
        ...


class PlainEntries(dict[str, bytes]):
    """Entries in a dictionary, for replays."""

    def raw(self, key: str) -> bytes | None:
        """See `Entries`."""
        return self.get(key)

    def put_raw(self, key: str, value: bytes | None) -> None:
        """See `Entries`."""
        if value is None:
            self.pop(key, None)
        else:
            self[key] = value

    def all_raw(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """See `Entries`."""
        return ((key, self[key]) for key in sorted(self) if key.startswith(prefix))


class PlainMemories(dict[int, Memory]):
    """Memories in a dictionary, for replays."""

    def __init__(self, memories: Iterable[Memory] = (), next_id: int = 1) -> None:
        super().__init__((memory.id, memory) for memory in memories)
        self.next_id = max(next_id, max(self, default=0) + 1)

    def apply(self, changes: MemoryChanges) -> None:
        """See `Memories`."""
        check_changes(changes, self.get, self.next_id)
        for memory in changes.put:
            self[memory.id] = memory
            self.next_id = max(self.next_id, memory.id + 1)
        for memory_id in changes.gone:
            self.pop(memory_id, None)

    def everything(self) -> Iterable[Memory]:
        """See `Memories`."""
        return self.values()


class Ledger:
    """The state of a world, wherever its entries lie. For one thread at a time.

    Parameters
    ----------
    entries : Entries
        Everything but memories.
    memories : Memories
        The memories. From here on both change through the ledger only.

    Attributes
    ----------
    touched : list of (str, bytes)
        The keys that were changed since somebody last emptied it, with the first four bytes of
        the new digest: a replay that comes out differently can so name what did.
    """

    def __init__(self, entries: Entries, memories: Memories) -> None:
        self._entries = entries
        self._memories = memories
        self.touched: list[tuple[str, bytes]] = []
        self._total = 0
        for key, value in entries.all_raw():
            if not key.startswith(OUTSIDE):
                self._total += digest_of_entry(key, value)
        for memory in memories.everything():
            self._total += digest_of_entry(_memory_key(memory.id), encode_memory(memory))
        self._total += digest_of_entry(_NEXT_MEMORY, _encoder.encode(memories.next_id))
        self._total %= _MODULUS

    @property
    def hash(self) -> str:
        """Of the state as it is, 32 hexadecimal digits."""
        return f"{self._total:032x}"

    def raw(self, key: str) -> bytes | None:
        """The bytes of an entry."""
        return self._entries.raw(key)

    def get(self, key: str, kind: type[T]) -> T | None:
        """An entry as `kind`, or None where there is none.

        Raises
        ------
        CorruptDataError
            It is no `kind`.
        """
        raw = self._entries.raw(key)
        return None if raw is None else _decode(key, raw, kind)

    def items(self, prefix: str, kind: type[T]) -> Iterator[tuple[str, T]]:
        """Entries whose keys begin with `prefix`, in the order of the keys; see `get`."""
        for key, raw in self._entries.all_raw(prefix):
            yield key, _decode(key, raw, kind)

    def memory(self, memory_id: int) -> Memory | None:
        """The memory with this id."""
        return self._memories.get(memory_id)

    def put(self, key: str, value: object) -> None:
        """Set an entry to anything that msgspec can encode."""
        self.put_raw(key, encode_state(value))

    def put_raw(self, key: str, value: bytes | None) -> None:
        """Set an entry to bytes, or forget it (None)."""
        old = self._entries.raw(key)
        if old != value:
            self._entries.put_raw(key, value)
            self._replaced(key, old, value)

    def change_memories(self, changes: MemoryChanges) -> None:
        """Let memories come, change and go."""
        ids = dict.fromkeys([memory.id for memory in changes.put] + list(changes.gone))
        before = {memory_id: self._memories.get(memory_id) for memory_id in ids}
        next_id = self._memories.next_id
        self._memories.apply(changes)
        for memory_id, old in before.items():
            new = self._memories.get(memory_id)
            if old != new:
                self._replaced(_memory_key(memory_id), _encoded(old), _encoded(new))
        if next_id != self._memories.next_id:
            after = _encoder.encode(self._memories.next_id)
            self._replaced(_NEXT_MEMORY, _encoder.encode(next_id), after)

    def export(self) -> tuple[list[tuple[str, bytes]], list[Memory], int]:
        """All entries, all memories in the order of their ids, and the id of the next one."""
        entries = [
            (key, value) for key, value in self._entries.all_raw() if not key.startswith(OUTSIDE)
        ]
        memories = sorted(self._memories.everything(), key=lambda memory: memory.id)
        return entries, memories, self._memories.next_id

    def _replaced(self, key: str, old: bytes | None, new: bytes | None) -> None:
        if key.startswith(OUTSIDE):
            return
        gone = 0 if old is None else digest_of_entry(key, old)
        come = 0 if new is None else digest_of_entry(key, new)
        self._total = (self._total - gone + come) % _MODULUS
        self.touched.append((key, come.to_bytes(16, "little")[:4]))


def encode_state(value: object) -> bytes:
    """A value as MessagePack; equal values have equal bytes.

    Of a struct, only what differs from the defaults is written: a field that a later version adds
    changes nothing about what is there already, nor about recordings of it.
    """
    return _encoder.encode(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {
            name: _plain(getattr(value, field))
            for field, name, default in _fields_of(type(value))
            if getattr(value, field) != default
        }
    if isinstance(value, (tuple, list)):
        if all(type(each) is int for each in value):  # a random stream's state: 625 of them
            return value
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


@cache
def _fields_of(kind: type[msgspec.Struct]) -> list[tuple[str, str, object]]:
    """Each field, the name that it is written under, and its default."""
    return [
        (
            field.name,
            field.encode_name,
            field.default
            if field.default_factory is msgspec.NODEFAULT
            else field.default_factory(),
        )
        for field in msgspec.structs.fields(kind)
    ]


def encode_memory(memory: Memory) -> bytes:
    """A memory for its digest; equal memories have equal bytes."""
    words = (
        memory.id,
        memory.owner,
        memory.text,
        memory.kind,
        memory.speaker,
        memory.addressee,
        float(memory.game_time),  # the database gives back no other
        float(memory.importance),
        memory.tags,
        memory.entities,
        memory.provenance,
        memory.sources,
        memory.superseded_by,
    )
    if not _LATER_FIELDS:
        return _encoder.encode(words)
    later = {
        field: value
        for field, default in _LATER_FIELDS
        if (value := getattr(memory, field)) != default
    }
    return _encoder.encode((*words, later) if later else words)


_FIRST_FIELDS = frozenset(
    "id owner text kind speaker addressee game_time importance tags entities provenance sources "
    "superseded_by".split()
)
_LATER_FIELDS = [
    (field, default) for field, _, default in _fields_of(Memory) if field not in _FIRST_FIELDS
]


def digest_of_entry(key: str, value: bytes) -> int:
    """What one entry adds to the hash of the state."""
    name = key.encode("utf-8", "surrogatepass")
    digest = blake2b(len(name).to_bytes(4, "little") + name + value, digest_size=16).digest()
    return int.from_bytes(digest, "little")


def _memory_key(memory_id: int) -> str:
    return f"memory/{memory_id}"


def _encoded(memory: Memory | None) -> bytes | None:
    return None if memory is None else encode_memory(memory)


def _decode(key: str, raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError as error:  # ValidationError is one of them
        raise CorruptDataError(
            f"the state {key!r} is not what this version of the game expects: {error}", key=key
        ) from error
