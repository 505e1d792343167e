"""The file of a world's saves: the latest one whole, the ones before it as differences.

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
    88+n+m         the other saves, each as a difference (`deltas`) to another one's image

The first format has one save: a note in place of the directory, and nothing behind the image.

Which save a difference is made to (`base`) has nothing to do with which save a game went on from
(`parent`): bases lead from every save to the latest one, so that this is read at once, and so that
the file grows by what has changed. A damaged difference damages the saves that it leads to, never
the latest one.

BLAKE2b was chosen by measuring: 17 ms for 20 MB on any machine, where SHA-256 takes 11 ms with
hardware support and 50 without; a CRC (3 ms) would not do for an id.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from astraweave import __version__
from astraweave.errors import CorruptDataError, FormatVersionError, InputError
from astraweave.world._files import explained, replace_atomically
from astraweave.world.deltas import apply_delta, make_delta

__all__ = [
    "FORMAT_VERSION",
    "Directory",
    "SaveInfo",
    "delete_save",
    "read_directory",
    "read_info",
    "read_save",
    "write_save",
]

FORMAT_VERSION = 2
_MAGIC = b"\x89AWSAVE\n"
_START = struct.Struct("<8sI")
_HEADER = struct.Struct("<8sIIQ32s")
_DIGEST = 32
_MAX_NOTE = 1 << 20
_MAX_DIRECTORY = 1 << 28
_MAX_NAME = 200


class SaveInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a save says about itself; enough for a menu of saves.

    Attributes
    ----------
    id : str
        Hexadecimal, made from the content.
    writer : str
        Version of astraweave that wrote it.
    bytes : int
        Size of the image.
    note : mapping
        Whatever the game wants to show in its menu.
    parent : str
        Id of the save that the game had gone on from; empty: none, or none that is still there.
    name : str
        What the game called it; a save with a name stays until it is deleted.
    game_time : float
        Game time in seconds.
    state_hash : str
        Of the minds; see `World.state_hash`. Empty in saves of the first format.
    """

    id: str
    writer: str
    bytes: int
    note: Mapping[str, Any]
    parent: str = ""
    name: str = ""
    game_time: float = 0.0
    state_hash: str = ""


class _Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a save is."""

    info: SaveInfo
    size: int
    """Bytes in the file."""
    base: str = ""
    """Id of the save whose image it is told by; empty: it is an image."""
    check: str = ""
    """BLAKE2b-128 of these bytes; empty where the save's id says as much."""


class _Contents(msgspec.Struct, frozen=True):
    saves: tuple[_Place, ...]


class _Note(msgspec.Struct, frozen=True):
    writer: str
    note: dict[str, Any]


class Directory:
    """What is in a file of saves.

    Attributes
    ----------
    saves : tuple of SaveInfo
        In the order of saving; the last one is the latest.
    """

    def __init__(self, path: Path, start: int, places: tuple[_Place, ...]) -> None:
        """`places` as they lie in the file, the latest first."""
        self._path = path
        self._start = start
        self.places = {place.info.id: place for place in places}
        self.saves = tuple(place.info for place in reversed(places))
        self._bytes: dict[str, bytes] = {}

    @property
    def latest(self) -> SaveInfo:
        """The save that opening the slot gives."""
        return self.saves[-1]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._start + sum(place.size for place in self.places.values())

    def find(self, save: str) -> SaveInfo:
        """The save with this name, this id, or the only one whose id begins so.

        Raises
        ------
        InputError
            There is none, or more than one.
        """
        named = [info for info in self.saves if info.name == save and save]
        found = named or [info for info in self.saves if save and info.id.startswith(save)]
        if len(found) == 1:
            return found[0]
        what = "no save" if not found else f"{len(found)} saves"
        known = ", ".join(repr(info.name) for info in self.saves if info.name) or "no names"
        raise InputError(
            f"{what} of {self._path} answer to {save!r}; there are {len(self.saves)} ({known})",
            save=save,
        )

    def stored(self, save_id: str) -> bytes:
        """The bytes of a save as they lie in the file."""
        if not self._bytes:
            with explained("cannot read the save", self._path), self._path.open("rb") as file:
                file.seek(self._start)
                self._bytes = {key: file.read(place.size) for key, place in self.places.items()}
        return self._bytes[save_id]

    def image(self, save_id: str) -> bytes:
        """The image of a save, checked.

        Raises
        ------
        CorruptDataError
            It has changed since it was written.
        """
        chain = [self.places[save_id]]
        while chain[-1].base:
            chain.append(self.places[chain[-1].base])
        image = b""
        for place in reversed(chain):
            stored = self.stored(place.info.id)
            if place.check and _check(stored) != place.check:
                raise _corrupt(self._path, f"the save {place.info.id[:12]} in it has changed")
            image = apply_delta(image, stored) if place.base else stored
        if digest_of(image).hex() != save_id:
            raise _corrupt(self._path, "its content does not match its checksum")
        return image


def write_save(
    path: Path,
    image: bytes,
    about: SaveInfo,
    *,
    keep: int = 1,
) -> SaveInfo:
    """Put a save into the file, in one atomic step; the file before it stays beside it (``.bak``).

    Parameters
    ----------
    path : Path
        The file; one that is damaged is replaced (its ``.bak`` remains).
    image : bytes
        The database.
    about : SaveInfo
        Its id is `digest_of` the image.
    keep : int
        How many saves without a name may be in the file; the oldest ones go.

    Raises
    ------
    StorageError
        The disk is full or refuses; the old file is then still there.
    InputError
        The note is not JSON-able or too long, or the name is taken or unusable.
    """
    try:
        note = msgspec.json.encode(about.note)
    except (TypeError, ValueError) as error:
        raise InputError(f"the note of a save must be JSON-able: {error}") from error
    if len(note) > _MAX_NOTE:
        raise InputError(f"the note of a save is {len(note)} bytes; at most {_MAX_NOTE} fit")
    if about.name and (not about.name.isprintable() or len(about.name) > _MAX_NAME):
        raise InputError(f"a save cannot be called {about.name!r}", name=about.name)
    there = _directory_or_none(path)
    if there is not None and about.name in {info.name for info in there.saves if info.name}:
        raise InputError(f"there is a save called {about.name!r} already", name=about.name)
    plan = _Plan(there, about, image)
    plan.drop_oldest(keep)
    plan.write(path)
    return plan.places[about.id].info


def delete_save(path: Path, save_id: str) -> None:
    """Take a save out of the file; what was played on from it stays.

    Raises
    ------
    InputError
        It is the latest one.
    CorruptDataError
        It is needed to read others, and cannot be read itself.
    """
    there = read_directory(path)
    if save_id == there.latest.id:
        raise InputError("the latest save cannot be deleted: save again first", save=save_id)
    plan = _Plan(there)
    plan.drop(save_id)
    plan.write(path)


class _Plan:
    """The next content of a file, made from what is there."""

    def __init__(
        self, there: Directory | None, about: SaveInfo | None = None, image: bytes = b""
    ) -> None:
        self.places: dict[str, _Place] = {} if there is None else dict(there.places)
        self.there = there
        self.stored: dict[str, bytes] = {}
        if about is None:
            return
        if there is not None:
            self._retell(there.latest.id, about.id, image)
            self.places.pop(about.id, None)  # the very same world again
        about = msgspec.structs.replace(
            about, parent=about.parent if about.parent in self.places else ""
        )
        self.stored[about.id] = image
        self.places = {about.id: _Place(about, len(image)), **self.places}

    def drop_oldest(self, keep: int) -> None:
        unnamed = [key for key, place in self.places.items() if not place.info.name]
        for key in unnamed[:0:-1][: max(0, len(unnamed) - keep)]:
            if key != next(iter(self.places)):
                self.drop(key)

    def drop(self, save_id: str) -> None:
        gone = self.places[save_id]
        for key, place in list(self.places.items()):
            if place.base == save_id:
                self._retell(key, gone.base, self._image(gone.base))
            if place.info.parent == save_id:
                info = msgspec.structs.replace(place.info, parent=gone.info.parent)
                self.places[key] = msgspec.structs.replace(self.places[key], info=info)
        del self.places[save_id]
        self.stored.pop(save_id, None)

    def write(self, path: Path) -> None:
        latest = next(iter(self.places))
        contents = msgspec.json.encode(_Contents(tuple(self.places.values())))
        parts = [self._stored(key) for key in self.places]
        header = _HEADER.pack(
            _MAGIC, FORMAT_VERSION, len(contents), sum(map(len, parts)), bytes.fromhex(latest)
        )
        seal = hashlib.blake2b(header + contents, digest_size=_DIGEST).digest()
        with explained("cannot write the save", path):
            replace_atomically(path, (header + seal + contents, *parts), backup=backup_of(path))

    def _retell(self, save_id: str, base: str, base_image: bytes) -> None:
        """Tell a save by another base."""
        delta = make_delta(self._image(save_id), base_image)
        self.stored[save_id] = delta
        self.places[save_id] = msgspec.structs.replace(
            self.places[save_id], size=len(delta), base=base, check=_check(delta)
        )

    def _image(self, save_id: str) -> bytes:
        place = self.places[save_id]
        stored = self._stored(save_id)
        return apply_delta(self._image(place.base), stored) if place.base else stored

    def _stored(self, save_id: str) -> bytes:
        if save_id in self.stored:
            return self.stored[save_id]
        assert self.there is not None, "what is not new was there"
        return self.there.stored(save_id)


def read_save(path: Path, save_id: str = "") -> tuple[SaveInfo, bytes]:
    """A save's header and its image, checked; the latest one, or the one with this id.

    Raises
    ------
    CorruptDataError
        It is truncated, has changed since it was written, or is no save at all.
    FormatVersionError
        A newer astraweave wrote it.
    StorageError
        It cannot be read.
    """
    there = read_directory(path)
    info = there.find(save_id) if save_id else there.latest
    return info, there.image(info.id)


def read_info(path: Path) -> SaveInfo:
    """What the latest save says, checked; quick however large the world. Raises as `read_save`."""
    return read_directory(path).latest


def read_directory(path: Path) -> Directory:
    """What is in a file of saves, checked; quick however large the world. Raises as `read_save`."""
    with explained("cannot read the save", path), path.open("rb") as file:
        start, there, places = _read_header(path, file)
        size = os.fstat(file.fileno()).st_size
    if size != start + there:
        wrong = "shorter" if size < start + there else "longer"
        raise _corrupt(path, f"it is {wrong} than its header says")
    return Directory(path, start, places)


def digest_of(image: bytes) -> bytes:
    """Checksum and id of an image."""
    return hashlib.blake2b(image, digest_size=_DIGEST).digest()


def backup_of(path: Path) -> Path:
    """Where the save before the latest one is kept."""
    return path.with_name(path.name + ".bak")


def _directory_or_none(path: Path) -> Directory | None:
    try:
        return read_directory(path) if path.exists() else None
    except CorruptDataError:
        return None  # a new history begins; the damaged file becomes the backup


def _check(stored: bytes) -> str:
    return hashlib.blake2b(stored, digest_size=16).hexdigest()


def _read_header(path: Path, file: BinaryIO) -> tuple[int, int, tuple[_Place, ...]]:
    """Where the saves begin, how many bytes they are, and which there are, the latest first."""
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
    _, version, told_bytes, rest, digest = _HEADER.unpack(header)
    told = file.read(told_bytes) if told_bytes <= _MAX_DIRECTORY else b""
    if hashlib.blake2b(header + told, digest_size=_DIGEST).digest() != seal or version < 1:
        raise _corrupt(path, "its header is damaged")
    try:
        if version == 1:
            note = msgspec.json.decode(told, type=_Note)
            info = SaveInfo(id=digest.hex(), writer=note.writer, bytes=rest, note=note.note)
            places: tuple[_Place, ...] = (_Place(info, rest),)
        else:
            places = msgspec.json.decode(told, type=_Contents).saves
    except msgspec.DecodeError as error:
        raise _corrupt(path, "its directory cannot be read") from error
    sound = sum(place.size for place in places) == rest
    if not places or places[0].info.id != digest.hex() or not sound or not _told(places):
        raise _corrupt(path, "its directory does not fit its content")
    return _HEADER.size + _DIGEST + told_bytes, rest, places


def _told(places: tuple[_Place, ...]) -> bool:
    """Whether bases lead from every save to the latest one."""
    bases = {place.info.id: place.base for place in places}
    for place in places:
        at, steps = place.info.id, 0
        while bases.get(at) and steps <= len(bases):
            at, steps = bases[at], steps + 1
        if at != places[0].info.id:
            return False
    return len(bases) == len(places) and not places[0].base


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
