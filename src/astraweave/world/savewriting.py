"""Putting a save into a file of saves (see `savefile`): at its end, or with the file written anew.

A save at the end costs what has changed. The file is written anew, in one atomic step, when it is
of an older format, when what has changed is not known, and when the differences that lead from the
save that is whole to the latest have become half as large as that: so reading stays quick, and on
the average a save costs three times what has changed at most. The file as it was stays beside it
then (``.bak``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from io import FileIO
from pathlib import Path

import msgspec

from astraweave.errors import CorruptDataError, InputError
from astraweave.world import _records
from astraweave.world._files import explained, replace_atomically, sync_file
from astraweave.world.deltas import PAGE, Delta, combined, make_delta, pack_delta, unpack_delta
from astraweave.world.savefile import (
    FORMAT_VERSION,
    MAGIC,
    Directory,
    Place,
    SaveInfo,
    backup_of,
    corrupt,
    directory_or_none,
    read_directory,
)

__all__ = ["append_save", "delete_save", "fits_behind", "mend_file", "name_save", "write_save"]

_MAX_NOTE = 1 << 20
_MAX_NAME = 200
_HEADER_BYTES = len(_records.header(MAGIC, FORMAT_VERSION, 0))


def fits_behind(there: Directory, about: SaveInfo, delta: Delta, base: str) -> bool:
    """Whether a save can go to the end of a file, told by the save `base` in it."""
    if there.version < FORMAT_VERSION or base not in there.places or about.id in there.places:
        return False
    *way, whole = there.way(base)
    pages = len(delta.pages) + sum(place.pages for place in way)
    return 2 * PAGE * pages <= whole.info.bytes


def append_save(
    there: Directory, about: SaveInfo, delta: Delta, base: str, *, keep: int
) -> SaveInfo:
    """Put a save at the end of a file: all of it, or nothing.

    Parameters
    ----------
    there : Directory
        The file; read just now, by the only one that writes it.
    about : SaveInfo
        Its id is that of the image to which `delta` leads from the save `base`.
    keep : int
        How many saves without a name may be in the file; the oldest ones give way.

    Raises
    ------
    StorageError
        The disk is full or refuses; all earlier saves are still there.
    InputError
        The note is not JSON-able or too long, or the name is taken or unusable.
    """
    _check_about(about, there)
    about = there.shown(about)
    numbers = {key: number for number, key in enumerate(there.places)}
    told = _Told.by(delta)
    gone = (numbers[info.id] for info in _oldest((*there.saves, about), keep))
    entry = _entry(about, told, base, numbers, gone)
    head, _ = _records.record(there.seal, entry, len(told.stored))
    end = there.size + len(head) + len(told.stored)
    with explained("cannot write the save", there.path), there.path.open("r+b", 0) as file:
        try:
            file.truncate(there.size)  # what a save that was never finished has left
            file.seek(there.size)
            _write_all(file, head + told.stored)
            sync_file(file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                file.truncate(there.size)
            raise
        with contextlib.suppress(OSError):  # the save stands; this guards it against cuts
            file.seek(0)
            _write_all(file, _records.header(MAGIC, FORMAT_VERSION, end))
    return about


def write_save(
    path: Path,
    image: bytes,
    about: SaveInfo,
    *,
    delta: Delta | None = None,
    base: str = "",
    keep: int = 1,
) -> SaveInfo:
    """Write a file anew with one more save, in one atomic step; the old one stays beside it.

    Parameters
    ----------
    path : Path
        The file; one that is damaged is replaced (its ``.bak`` remains).
    image : bytes
        The database.
    about : SaveInfo
        Its id is that of the image.
    delta : Delta, optional
        What turns the save `base` into it, where that is known.
    base : str
        An id.
    keep : int
        How many saves without a name may be in the file; the oldest ones go.

    Raises
    ------
    StorageError
        The disk is full or refuses; the old file is then still there.
    InputError
        The note is not JSON-able or too long, or the name is taken or unusable.
    """
    there = directory_or_none(path)
    _check_about(about, there)
    plan = _Plan(there)
    plan.add(about, image, delta, base)
    plan.gone.update(info.id for info in _oldest(plan.shown(), keep))
    plan.write(path)
    return plan.saves[about.id].info


def delete_save(path: Path, save_id: str) -> None:
    """Take a save out of the file; what was played on from it stays.

    Raises
    ------
    InputError
        It is the latest one.
    CorruptDataError
        The latest one cannot be read.
    """
    there = read_directory(path)
    if save_id == there.latest.id:
        raise InputError("the latest save cannot be deleted: save again first", save=save_id)
    plan = _Plan(there)
    plan.make_whole(there.latest.id, there.image(there.latest.id))
    plan.gone.add(save_id)
    plan.write(path)


def name_save(path: Path, save_id: str, name: str) -> SaveInfo:
    """Give a save another name (empty: none).

    Raises
    ------
    InputError
        The name is taken or unusable.
    CorruptDataError
        The latest one cannot be read.
    """
    there = read_directory(path)
    about = msgspec.structs.replace(there.find(save_id), name=name)
    if name != there.find(save_id).name:
        _check_about(about, there)
    plan = _Plan(there)
    plan.make_whole(there.latest.id, there.image(there.latest.id))
    if save_id not in plan.saves:
        raise corrupt(path, f"the save {save_id[:12]} in it has changed")
    plan.saves[save_id].info = about
    plan.write(path)
    return about


def mend_file(path: Path) -> SaveInfo:
    """Keep what of a damaged file can be read; it stays beside as it was (``.damaged``).

    Returns
    -------
    SaveInfo
        The latest save that is left.

    Raises
    ------
    CorruptDataError
        Nothing in it can be read, or it is of an older format; nothing has changed then.
    """
    there = read_directory(path, damaged=True)
    images = {info.id: image for info in there.saves if (image := _readable(there, info.id))}
    if not images:
        raise corrupt(path, "no save in it can be read")
    latest = list(images)[-1]
    plan = _Plan(there)
    plan.make_whole(latest, images[latest])
    plan.gone.update(plan.saves.keys() - images.keys())
    plan.write(path, backup=path.with_name(path.name + ".damaged"))
    return read_directory(path).latest


class _Told(msgspec.Struct, frozen=True):
    """By what a save is told: the bytes of a record."""

    stored: bytes
    check: bytes = b""
    pages: int = 0

    @staticmethod
    def by(delta: Delta) -> _Told:
        stored = pack_delta(delta)
        return _Told(stored, _records.check_of(stored), len(delta.pages))

    def delta(self) -> Delta:
        if _records.check_of(self.stored) != self.check:
            raise CorruptDataError("the difference between two saves has changed")
        return unpack_delta(self.stored)


class _Save(msgspec.Struct):
    """A save of the file to be."""

    info: SaveInfo
    base: str
    told: _Told


class _Plan:
    """The next content of a file, made from what is there.

    Attributes
    ----------
    saves : dict of str to _Save
        By id, in the order of saving.
    gone : set of str
        Those that will not be in it.
    """

    def __init__(self, there: Directory | None) -> None:
        self.saves: dict[str, _Save] = {}
        self.gone: set[str] = set()
        if there is None:
            return
        for key, place in there.places.items():
            if there.version == FORMAT_VERSION:
                told = _Told(there.stored(key), place.check, place.pages)
            elif (retold := _retold(there, place)) is not None:
                told = retold
            else:
                continue
            self.saves[key] = _Save(place.info, place.base, told)
            if place.gone:
                self.gone.add(key)

    def shown(self) -> list[SaveInfo]:
        """The saves that will be in it."""
        return [save.info for key, save in self.saves.items() if key not in self.gone]

    def add(self, about: SaveInfo, image: bytes, delta: Delta | None, base: str) -> None:
        """Put in a save, as the one that is whole."""
        if about.id in self.saves:  # the very same world again
            self.make_whole(about.id, image)
            save = self.saves.pop(about.id)
            self.gone.discard(about.id)
        else:
            root = next((key for key, save in self.saves.items() if not save.base), "")
            if (delta is None or base not in self.saves) and root:
                delta, base = make_delta(image, self.saves[root].told.stored), root
            told = _Told(image) if delta is None or not root else _Told.by(delta)
            save = _Save(about, base if root else "", told)
        known = about.parent in self.saves and about.parent != about.id
        save.info = msgspec.structs.replace(about, parent=about.parent if known else "")
        self.saves[about.id] = save
        self.make_whole(about.id, image)

    def make_whole(self, save_id: str, image: bytes) -> None:
        """Turn round the differences from here to the one that is whole; this is it from now on."""
        at, base, told = save_id, "", _Told(image)
        while at:
            save = self.saves[at]
            following, turned = save.base, save.told
            save.base, save.told = base, told
            base, told, at = at, turned, following

    def write(self, path: Path, backup: Path | None = None) -> None:
        """Put it in the place of the file, which keeps the name `backup`."""
        self._leave_out()
        numbers = {key: number for number, key in enumerate(self.saves)}
        parts, seal = [b""], _records.FIRST_SEAL
        for key, save in self.saves.items():
            gone = (numbers[each] for each in self.gone) if numbers[key] == len(numbers) - 1 else ()
            entry = _entry(save.info, save.told, save.base, numbers, gone)
            head, seal = _records.record(seal, entry, len(save.told.stored))
            parts += [head, save.told.stored]
        length = _HEADER_BYTES + sum(map(len, parts))
        parts[0] = _records.header(MAGIC, FORMAT_VERSION, length)
        with explained("cannot write the save", path):
            replace_atomically(path, parts, backup=backup or backup_of(path))

    def _leave_out(self) -> None:
        """Tell by others what is told by saves that are gone, and take these out."""
        needed: set[str] = set()
        for key, save in self.saves.items():
            if key in self.gone:
                continue
            while (parent := save.info.parent) in self.gone:
                before = self.saves[parent].info.parent
                save.info = msgspec.structs.replace(save.info, parent=before)
            way: list[_Save] = []
            while (base := way[-1].base if way else save.base) in self.gone:
                way.append(self.saves[base])
            try:
                if way:
                    save.told = _Told.by(combined(one.told.delta() for one in (save, *way)))
                    save.base = base
            except CorruptDataError:  # it stays as damaged as it is
                needed.update(one.info.id for one in way)
        for key in self.gone - needed:
            del self.saves[key]
        self.gone = needed


def _readable(there: Directory, save_id: str) -> bytes:
    """The image of a save; empty where it is damaged."""
    try:
        return there.image(save_id)
    except CorruptDataError:
        return b""


def _retold(there: Directory, place: Place) -> _Told | None:
    """By what a save of an older format is told in this one; None: it is damaged."""
    if not place.base:
        return _Told(there.stored(place.info.id))
    try:
        return _Told.by(make_delta(there.image(place.info.id), there.image(place.base)))
    except CorruptDataError:
        return None


def _entry(
    info: SaveInfo, told: _Told, base: str, numbers: Mapping[str, int], gone: Iterable[int]
) -> _records.Entry:
    return _records.Entry(
        id=bytes.fromhex(info.id),
        length=info.bytes,
        check=told.check,
        base=numbers[base] if base else -1,
        pages=told.pages,
        parent=numbers.get(info.parent, -1),
        gone=tuple(gone),
        writer=info.writer,
        game_time=info.game_time,
        state_hash=bytes.fromhex(info.state_hash),
        name=info.name,
        note=dict(info.note),
    )


def _oldest(saves: Sequence[SaveInfo], keep: int) -> list[SaveInfo]:
    """Those without a name that are more than may be kept; the latest always is."""
    unnamed = [info for info in saves if not info.name]
    spare = unnamed[: max(0, len(unnamed) - keep)]
    return [info for info in spare if info is not saves[-1]]


def _check_about(about: SaveInfo, there: Directory | None) -> None:
    try:
        note = msgspec.json.encode(about.note)
    except (TypeError, ValueError) as error:
        raise InputError(f"the note of a save must be JSON-able: {error}") from error
    if len(note) > _MAX_NOTE:
        raise InputError(f"the note of a save is {len(note)} bytes; at most {_MAX_NOTE} fit")
    if about.name and (not about.name.isprintable() or len(about.name) > _MAX_NAME):
        raise InputError(f"a save cannot be called {about.name!r}", name=about.name)
    if there is not None and about.name in {info.name for info in there.saves if info.name}:
        raise InputError(f"there is a save called {about.name!r} already", name=about.name)


def _write_all(file: FileIO, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
