"""Files of saves in the formats 1 and 2, which are read and never written any more.

::

    offset  size
         0     8   magic
         8     4   format version (little-endian, as all numbers)
        12     4   length of the directory in bytes
        16     8   length of everything behind the directory in bytes
        24    32   id of the latest save: BLAKE2b-256 of its image
        56    32   BLAKE2b-256 of everything before it and of the directory
        88     n   the directory (JSON): every save, what it says of itself, and where it is
      88+n     m   the image of the latest save: a SQLite database
    88+n+m         the other saves, each as a difference to another one's image

The first format has one save: a note in place of the directory, and nothing behind the image.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec
import numpy as np

from astraweave.world._records import UnsoundError
from astraweave.world.deltas import PAGE, Delta, apply_deltas

__all__ = ["id_of", "image_of", "read_places"]

_HEADER = struct.Struct("<8sIIQ32s")
_DELTA_HEAD = struct.Struct("<QI")
_DIGEST = 32
_MAX_DIRECTORY = 1 << 28


class _Place(msgspec.Struct, frozen=True):
    info: dict[str, Any]
    size: int
    base: str = ""
    check: str = ""


class _Contents(msgspec.Struct, frozen=True):
    saves: tuple[_Place, ...]


class _Note(msgspec.Struct, frozen=True):
    writer: str
    note: dict[str, Any]


def id_of(image: bytes) -> str:
    """The id of an image in these formats."""
    return hashlib.blake2b(image, digest_size=_DIGEST).hexdigest()


def read_places(file: BinaryIO, size: int) -> list[tuple[dict[str, Any], int, int, str, str]]:
    """Every save in the order of saving: what it says, its place and size, its base, its check.

    Raises
    ------
    UnsoundError
        It is damaged.
    """
    header, seal = file.read(_HEADER.size), file.read(_DIGEST)
    if len(seal) < _DIGEST:
        raise UnsoundError("it ends inside its header")
    _, version, told_bytes, rest, digest = _HEADER.unpack(header)
    told = file.read(told_bytes) if told_bytes <= _MAX_DIRECTORY else b""
    if hashlib.blake2b(header + told, digest_size=_DIGEST).digest() != seal or version < 1:
        raise UnsoundError("its header is damaged")
    try:
        if version == 1:
            note = msgspec.json.decode(told, type=_Note)
            about = {"id": digest.hex(), "writer": note.writer, "bytes": rest, "note": note.note}
            places: tuple[_Place, ...] = (_Place(about, rest),)
        else:
            places = msgspec.json.decode(told, type=_Contents).saves
    except msgspec.DecodeError as error:
        raise UnsoundError("its directory cannot be read") from error
    start = _HEADER.size + _DIGEST + told_bytes
    if size != start + rest:
        wrong = "shorter" if size < start + rest else "longer"
        raise UnsoundError(f"it is {wrong} than its header says")
    if sum(place.size for place in places) != rest or not _sound(places, digest.hex()):
        raise UnsoundError("its directory does not fit its content")
    listed = []
    for place in places:
        listed.append((place.info, start, place.size, place.base, place.check))
        start += place.size
    return listed[::-1]


def image_of(root: bytes, differences: Iterable[bytes]) -> bytes:
    """The image to which differences lead from a whole one, one after the other.

    Raises
    ------
    UnsoundError
        One of them is none.
    """
    image = root
    for packed in differences:
        try:
            length, count = _DELTA_HEAD.unpack_from(packed)
            plain = zlib.decompress(packed[_DELTA_HEAD.size :])
            pages = np.frombuffer(plain, "<u4", count).astype(np.uint32)
            bits = np.frombuffer(plain, np.uint8, offset=4 * count).reshape(count, PAGE)
        except (struct.error, zlib.error, ValueError) as error:
            raise UnsoundError(f"the difference between two saves is damaged: {error}") from error
        image = apply_deltas(image[:length], (Delta(pages, bits),), length)
    return image


def _sound(places: tuple[_Place, ...], latest: str) -> bool:
    """Whether bases lead from every save to the latest one."""
    bases = {str(place.info.get("id")): place.base for place in places}
    if not places or places[0].base or len(bases) != len(places):
        return False
    for place in places:
        at, steps = str(place.info.get("id")), 0
        while bases.get(at) and steps <= len(bases):
            at, steps = bases[at], steps + 1
        if at != latest:
            return False
    return True
