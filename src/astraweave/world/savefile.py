"""The file of a world's saves: one of them whole, the others as differences, each a record.

::

    offset  size
         0     8   magic
         8     4   format version (little-endian, as all numbers)
        12     4   nothing (0)
        16     8   so many bytes of the file were known to be on the disk at the latest
        24    16   BLAKE2b-128 of everything before it
        40         records, one for each save, in the order of saving

    a record:
         0     4   length of what the save says of itself
         4     8   length of its bytes
        12    16   BLAKE2b-128 of the seal of the record before, of these lengths, and of:
        28     n   what the save says of itself (MessagePack; see `_records.Entry`)
      28+n     m   its bytes: the image of a database, or a difference (`deltas`) to another one's

A save is a record more at the end; so it costs what has changed since another save (`base`), which
has nothing to do with which save the game went on from (`parent`). What comes after the last record
that is whole is a save that was never finished, and is passed over, but only behind the bytes that
were known to be on the disk: a file that is shorter has been damaged, and says so.

Differences lead from every save to the one that is whole. A damaged one damages the saves that it
leads to and no others. BLAKE2b was chosen by measuring: 17 ms for 20 MB on any machine, where
SHA-256 takes 11 ms with hardware support and 50 without; a CRC (3 ms) would not do for an id.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from astraweave import __version__
from astraweave.errors import CorruptDataError, FormatVersionError, InputError
from astraweave.world import _oldfile, _records
from astraweave.world._digests import id_of
from astraweave.world._files import explained
from astraweave.world.deltas import Delta, apply_deltas, unpack_delta

__all__ = [
    "FORMAT_VERSION",
    "MAGIC",
    "Directory",
    "Place",
    "SaveInfo",
    "backup_of",
    "corrupt",
    "directory_or_none",
    "read_directory",
    "read_info",
    "read_save",
]

FORMAT_VERSION = 3
MAGIC = b"\x89AWSAVE\n"
_START = struct.Struct("<8sI")


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


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a save is in a file.

    Attributes
    ----------
    info : SaveInfo
        What it says of itself.
    start, size : int
        Its bytes.
    base : str
        Id of the save by which it is told; empty: it is an image.
    check : bytes
        BLAKE2b-128 of its bytes; empty where the save's id says as much.
    pages : int
        How many differ from its base.
    gone : bool
        It is no save any more, but others may be told by it.
    """

    info: SaveInfo
    start: int
    size: int
    base: str = ""
    check: bytes = b""
    pages: int = 0
    gone: bool = False


class Directory:
    """What is in a file of saves.

    Attributes
    ----------
    version : int
        Of the format.
    places : dict of str to Place
        Everything in it, by id, in the order of saving.
    saves : tuple of SaveInfo
        In the order of saving; the last one is the latest.
    size : int
        Bytes of the file, without a save at its end that was never finished.
    seal : bytes
        What the next record goes on from.
    """

    def __init__(
        self,
        path: Path,
        places: tuple[Place, ...],
        *,
        version: int = FORMAT_VERSION,
        size: int,
        seal: bytes = b"",
    ) -> None:
        self.path = path
        self.version = version
        self.size = size
        self.seal = seal
        self.places = {place.info.id: place for place in places}
        self.saves = tuple(self.shown(place.info) for place in places if not place.gone)

    @property
    def latest(self) -> SaveInfo:
        """The save that opening the slot gives."""
        return self.saves[-1]

    def way(self, save_id: str) -> list[Place]:
        """From a save to the one that is whole, by which it is told in the end; both included."""
        way = [self.places[save_id]]
        while way[-1].base:
            way.append(self.places[way[-1].base])
        return way

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
            f"{what} of {self.path} answer to {save!r}; there are {len(self.saves)} ({known})",
            save=save,
        )

    def stored(self, save_id: str) -> bytes:
        """The bytes of a save as they lie in the file."""
        place = self.places[save_id]
        with explained("cannot read the save", self.path), self.path.open("rb") as file:
            file.seek(place.start)
            return file.read(place.size)

    def checked(self, save_id: str) -> bytes:
        """The same; CorruptDataError where they have changed since they were written."""
        place, stored = self.places[save_id], self.stored(save_id)
        if place.check and _records.check_of(stored) != place.check:
            raise corrupt(self.path, f"the save {save_id[:12]} in it has changed")
        return stored

    def delta(self, save_id: str) -> Delta:
        """What turns the image of its base into that of a save, and back."""
        return unpack_delta(self.checked(save_id))

    def image(self, save_id: str) -> bytes:
        """The image of a save, checked.

        Raises
        ------
        CorruptDataError
            It has changed since it was written.
        """
        *chain, whole = self.way(save_id)
        root = self.checked(whole.info.id)
        if self.version < FORMAT_VERSION:
            differences = [self.checked(place.info.id) for place in chain[::-1]]
            try:
                image = _oldfile.image_of(root, differences)
            except _records.UnsoundError as error:
                raise corrupt(self.path, str(error)) from error
        else:
            deltas = [self.delta(place.info.id) for place in chain]
            image = apply_deltas(root, deltas, self.places[save_id].info.bytes)
        if save_id not in (id_of(image).hex(), _oldfile.id_of(image)):
            raise corrupt(self.path, "its content does not match its checksum")
        return image

    def shown(self, info: SaveInfo) -> SaveInfo:
        """The same with a parent that is there: what the one that is gone was played on from."""
        parent = self.places.get(info.parent)
        while parent is not None and parent.gone:
            parent = self.places.get(parent.info.parent)
        found = parent.info.id if parent is not None else ""
        return msgspec.structs.replace(info, parent=found)


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


def read_directory(path: Path, *, damaged: bool = False) -> Directory:
    """What is in a file of saves, checked; quick however large the world. Raises as `read_save`.

    Parameters
    ----------
    path : Path
        The file.
    damaged : bool
        Make do with what comes before the damage.
    """
    with explained("cannot read the save", path), path.open("rb") as file:
        try:
            return _read(path, file, damaged=damaged)
        except _records.UnsoundError as error:
            raise corrupt(path, str(error)) from error
        except msgspec.ValidationError as error:
            raise corrupt(path, "its directory cannot be read") from error


def directory_or_none(path: Path) -> Directory | None:
    """The same; None where there is none that can be read: a new history begins there."""
    try:
        return read_directory(path) if path.exists() else None
    except CorruptDataError:
        return None


def backup_of(path: Path) -> Path:
    """Where the saves lie as they were before the file was last written anew."""
    return path.with_name(path.name + ".bak")


def corrupt(path: Path, what: str) -> CorruptDataError:
    """What to tell about a file that cannot be read."""
    backup = backup_of(path)
    kept = (
        f"where it cannot, earlier saves are in {backup.name}: copy that over {path.name}"
        if backup.exists()
        else "where it cannot, put back a copy of it, or start in another slot"
    )
    return CorruptDataError(
        f"the save {path} cannot be read: {what}; Slot.mend goes back to the latest save in it "
        f"that can; {kept}",
        path=str(path),
        reason=what,
    )


def _read(path: Path, file: BinaryIO, *, damaged: bool) -> Directory:
    size = os.fstat(file.fileno()).st_size
    start = file.read(_START.size)
    if not start.startswith(MAGIC):
        raise corrupt(path, "it is empty" if not start else "it is not an astraweave save")
    version = _START.unpack(start)[1] if len(start) == _START.size else 0
    if version > FORMAT_VERSION:
        raise FormatVersionError(
            f"the save {path} has format {version}, but this astraweave ({__version__}) reads "
            f"up to {FORMAT_VERSION}: update the game, or load an older save",
            path=str(path),
            found=version,
            supported=FORMAT_VERSION,
        )
    file.seek(0)
    if version < FORMAT_VERSION:
        listed = _oldfile.read_places(file, size)
        places = tuple(
            Place(
                info=msgspec.convert(info, SaveInfo),
                start=start,
                size=length,
                base=base,
                check=bytes.fromhex(check),
            )
            for info, start, length, base, check in listed
        )
        return Directory(path, places, version=version, size=size)
    scan = _records.scan(file, size, damaged=damaged)
    return Directory(path, _places(scan), size=scan.end, seal=scan.seal)


def _places(scan: _records.Scan) -> tuple[Place, ...]:
    """What records say, with ids in place of their numbers."""
    ids = [entry.id.hex() for entry, _, _ in scan.found]
    gone = {number for entry, _, _ in scan.found for number in entry.gone}

    def id_at(number: int) -> str:
        return ids[number] if number >= 0 else ""

    return tuple(
        Place(
            info=SaveInfo(
                id=ids[number],
                writer=entry.writer,
                bytes=entry.length,
                note=entry.note,
                parent=id_at(entry.parent),
                name=entry.name,
                game_time=entry.game_time,
                state_hash=entry.state_hash.hex(),
            ),
            start=start,
            size=size,
            base=id_at(entry.base),
            check=entry.check,
            pages=entry.pages,
            gone=number in gone,
        )
        for number, (entry, start, size) in enumerate(scan.found)
    )
