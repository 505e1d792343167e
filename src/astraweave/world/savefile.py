"""The file of a save: one header, one image of the world's database.

::

    offset  size
         0     8   magic
         8     4   format version (little-endian, as all numbers)
        12     4   length of the note in bytes
        16     8   length of the image in bytes
        24    32   BLAKE2b-256 of the image; also the save's id
        56    32   BLAKE2b-256 of everything before it and of the note
        88     n   the note: a JSON object that can be read without reading the image
      88+n     m   the image: a SQLite database

BLAKE2b was chosen by measuring: 17 ms for 20 MB on any machine, where SHA-256 takes 11 ms with
hardware support and 50 without; a CRC (3 ms) would not do for an id.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from astraweave import __version__
from astraweave.errors import CorruptDataError, FormatVersionError, InputError
from astraweave.world._files import explained, replace_atomically

__all__ = ["FORMAT_VERSION", "SaveInfo", "read_info", "read_save", "write_save"]

FORMAT_VERSION = 1
_MAGIC = b"\x89AWSAVE\n"
_START = struct.Struct("<8sI")
_HEADER = struct.Struct("<8sIIQ32s")
_DIGEST = 32
_MAX_NOTE = 1 << 20


class SaveInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a save says about itself; enough for a menu of saves.

    Attributes
    ----------
    id : str
        Hexadecimal, made from the content: equal worlds have equal ids.
    writer : str
        Version of astraweave that wrote it.
    bytes : int
        Size of the image.
    note : mapping
        Whatever the game wants to show in its menu.
    """

    id: str
    writer: str
    bytes: int
    note: Mapping[str, Any]


class _Note(msgspec.Struct, frozen=True):
    writer: str
    note: dict[str, Any]


def write_save(path: Path, image: bytes, note: Mapping[str, Any], *, digest: bytes) -> SaveInfo:
    """Replace the save in one atomic step; the one before it stays beside it as a ``.bak``.

    Parameters
    ----------
    path : Path
        The save.
    image : bytes
        The database.
    note : mapping
        JSON-able; at most 1 MiB when written.
    digest : bytes
        `digest_of` the image.

    Raises
    ------
    StorageError
        The disk is full or refuses; the old save is then still there.
    InputError
        The note is not JSON-able or too long.
    """
    try:
        told = msgspec.json.encode(_Note(__version__, dict(note)))
    except (TypeError, ValueError) as error:
        raise InputError(f"the note of a save must be JSON-able: {error}") from error
    if len(told) > _MAX_NOTE:
        raise InputError(f"the note of a save is {len(told)} bytes; at most {_MAX_NOTE} fit")
    header = _HEADER.pack(_MAGIC, FORMAT_VERSION, len(told), len(image), digest)
    seal = hashlib.blake2b(header + told, digest_size=_DIGEST).digest()
    with explained("cannot write the save", path):
        replace_atomically(path, (header + seal + told, image), backup=backup_of(path))
    return SaveInfo(id=digest.hex(), writer=__version__, bytes=len(image), note=dict(note))


def read_save(path: Path) -> tuple[SaveInfo, bytes]:
    """A save's header and its image, checked.

    Raises
    ------
    CorruptDataError
        It is truncated, has changed since it was written, or is no save at all.
    FormatVersionError
        A newer astraweave wrote it.
    StorageError
        It cannot be read.
    """
    with explained("cannot read the save", path), path.open("rb") as file:
        info = _read_header(path, file)
        image = file.read(info.bytes + 1)
    if len(image) != info.bytes:
        wrong = "shorter" if len(image) < info.bytes else "longer"
        raise _corrupt(path, f"it is {wrong} than its header says")
    if digest_of(image).hex() != info.id:
        raise _corrupt(path, "its content does not match its checksum")
    return info, image


def read_info(path: Path) -> SaveInfo:
    """A save's header alone, checked; quick however large the world. Raises as `read_save`."""
    with explained("cannot read the save", path), path.open("rb") as file:
        return _read_header(path, file)


def digest_of(image: bytes) -> bytes:
    """Checksum and id of an image."""
    return hashlib.blake2b(image, digest_size=_DIGEST).digest()


def backup_of(path: Path) -> Path:
    """Where the save before the latest one is kept."""
    return path.with_name(path.name + ".bak")


def _read_header(path: Path, file: BinaryIO) -> SaveInfo:
    header = file.read(_HEADER.size)
    if not header.startswith(_MAGIC):
        raise _corrupt(path, "it is empty" if not header else "it is not an astraweave save")
    if len(header) >= _START.size:
        version = _START.unpack_from(header)[1]
        if version > FORMAT_VERSION:
            raise FormatVersionError(
                f"the save {path} has format {version}, but this astraweave ({__version__}) reads "
                f"up to {FORMAT_VERSION}: update the game, or load an older save",
                path=str(path),
                found=version,
                supported=FORMAT_VERSION,
            )
    seal = file.read(_DIGEST)
    if len(seal) < _DIGEST:
        raise _corrupt(path, "it ends inside its header")
    _, version, note_bytes, image_bytes, digest = _HEADER.unpack(header)
    told = file.read(note_bytes) if note_bytes <= _MAX_NOTE else b""
    if hashlib.blake2b(header + told, digest_size=_DIGEST).digest() != seal or version < 1:
        raise _corrupt(path, "its header is damaged")
    note = msgspec.json.decode(told, type=_Note)
    return SaveInfo(id=digest.hex(), writer=note.writer, bytes=image_bytes, note=note.note)


def _corrupt(path: Path, what: str) -> CorruptDataError:
    backup = backup_of(path)
    kept = (
        f"the save before it is in {backup.name}: copy that over {path.name} to go back to it"
        if backup.exists()
        else "put back a copy of it, or start in another slot"
    )
    return CorruptDataError(
        f"the save {path} cannot be read: {what}; {kept}", path=str(path), reason=what
    )
