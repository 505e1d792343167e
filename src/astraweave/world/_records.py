"""The records in a file of saves (see `savefile`): how they are packed, and which are whole."""

from __future__ import annotations

import hashlib
import struct
from typing import Any, BinaryIO

import msgspec

__all__ = [
    "FIRST_SEAL",
    "Entry",
    "Scan",
    "UnsoundError",
    "check_of",
    "header",
    "record",
    "scan",
]

_HEADER = struct.Struct("<8sIIQ")
_SEAL = 16
_HEAD = struct.Struct(f"<IQ{_SEAL}s")
FIRST_SEAL = bytes(_SEAL)
"""What the first record goes on from."""
_MAX_TOLD = 1 << 21
_START = _HEADER.size + _SEAL

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class UnsoundError(Exception):
    """What is wrong with a file."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a record says of its save; see `savefile.SaveInfo` and `savefile.Place`.

    Saves are told by their numbers in the file, from 0; -1 is none.

    Attributes
    ----------
    check : bytes
        Checksum of its bytes; empty for an image, whose id says as much and which is never
        written at the end of a file.
    gone : tuple of int
        Saves that this one took the place of.
    """

    id: bytes
    length: int
    check: bytes
    base: int
    pages: int
    parent: int
    gone: tuple[int, ...]
    writer: str
    game_time: float
    state_hash: bytes
    name: str
    note: dict[str, Any]


class Scan(msgspec.Struct, frozen=True):
    """What a file holds.

    Attributes
    ----------
    found : list of (Entry, int, int)
        Records that are whole, with where their bytes begin and how many they are.
    end : int
        Where the last of them ends.
    seal : bytes
        Of the last of them.
    """

    found: list[tuple[Entry, int, int]]
    end: int
    seal: bytes


def header(magic: bytes, version: int, known: int) -> bytes:
    """The beginning of a file of which `known` bytes are on the disk."""
    head = _HEADER.pack(magic, version, 0, known)
    return head + check_of(head)


def record(seal: bytes, entry: Entry, stored_bytes: int) -> tuple[bytes, bytes]:
    """A record without its bytes, which follow; and its seal, from which the next goes on."""
    told = _encoder.encode(entry)
    sealed = _sealed(seal, told, stored_bytes)
    return _HEAD.pack(len(told), stored_bytes, sealed) + told, sealed


def check_of(stored: bytes) -> bytes:
    """Checksum of a save's bytes."""
    return hashlib.blake2b(stored, digest_size=_SEAL).digest()


def scan(file: BinaryIO, size: int, *, damaged: bool = False) -> Scan:
    """Read the heads of all records; bytes are read and checked only where they may be unfinished.

    Parameters
    ----------
    file : file
        At its beginning.
    size : int
        Of the file.
    damaged : bool
        Make do with what comes before the damage.

    Raises
    ------
    UnsoundError
        It is damaged.
    """
    head = file.read(_START)
    if len(head) < _START:
        raise UnsoundError("it ends inside its header")
    (*_, known), sound = _HEADER.unpack_from(head), check_of(head[:-_SEAL]) == head[-_SEAL:]
    if sound and known > size and not damaged:
        raise UnsoundError("it is shorter than its header says")
    if damaged or not sound:  # unsound: the machine died in the middle of writing the header
        known = 0
    found: list[tuple[Entry, int, int]] = []
    seal, end = FIRST_SEAL, _START
    while (entry := _next(file, seal, end, size)) is not None:
        told, seal_here, start, length = entry
        if start + length > known:
            file.seek(start)
            if told.check and check_of(file.read(length)) != told.check:
                break
        found.append((told, start, length))
        seal, end = seal_here, start + length
    if end < known or not found:
        raise UnsoundError("its header is damaged" if not found else "a save in it is damaged")
    if not _sound([told for told, _, _ in found]):
        raise UnsoundError("its directory does not fit its content")
    return Scan(found, end, seal)


def _next(
    file: BinaryIO, seal: bytes, begin: int, size: int
) -> tuple[Entry, bytes, int, int] | None:
    """The record that begins there; None: none that is whole."""
    file.seek(begin)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    told_bytes, length, sealed = _HEAD.unpack(head)
    start = begin + _HEAD.size + told_bytes
    if told_bytes > _MAX_TOLD or start + length > size:
        return None
    told = file.read(told_bytes)
    if _sealed(seal, told, length) != sealed:
        return None
    try:
        return msgspec.msgpack.decode(told, type=Entry), sealed, start, length
    except msgspec.DecodeError as error:
        raise UnsoundError("its directory cannot be read") from error


def _sound(entries: list[Entry]) -> bool:
    """Whether numbers are those of records, and bases lead from every save to the one whole one."""
    count = len(entries)
    numbers = [n for entry in entries for n in (entry.base, entry.parent, *entry.gone)]
    if any(not -1 <= n < count for n in numbers) or len({e.id for e in entries}) < count:
        return False
    roots = {number for number, entry in enumerate(entries) if entry.base < 0}
    if len(roots) != 1 or count - 1 in {n for entry in entries for n in entry.gone}:
        return False
    reached = set(roots)
    for number in range(count):
        path: list[int] = []
        while number not in reached and len(path) <= count:
            path.append(number)
            number = entries[number].base
        if number not in reached:
            return False
        reached.update(path)
    return True


def _sealed(seal: bytes, told: bytes, stored_bytes: int) -> bytes:
    lengths = struct.pack("<IQ", len(told), stored_bytes)
    return hashlib.blake2b(seal + lengths + told, digest_size=_SEAL).digest()
