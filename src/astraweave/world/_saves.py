"""The file of a slot's saves, as one session reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from astraweave.errors import InputError
from astraweave.world._pages import Snapshot
from astraweave.world.savefile import Directory, SaveInfo, directory_or_none, read_directory
from astraweave.world.savewriting import (
    append_save,
    delete_save,
    fits_behind,
    name_save,
    write_save,
)

__all__ = ["SAVE_NAME", "SlotSaves"]

SAVE_NAME = "world.aw"


class SlotSaves:
    """The saves of a slot. Whoever uses it holds the slot's lock.

    Parameters
    ----------
    folder : Path
        The slot.
    keep : int
        How many saves without a name are kept.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.path = folder / SAVE_NAME
        self._keep = keep
        self._backed_up = False

    def directory(self) -> Directory | None:
        """What is in the file; None before the first save. Raises as `read_directory`."""
        return read_directory(self.path) if self.path.exists() else None

    def find(self, save: str) -> tuple[Directory, SaveInfo]:
        """The save that answers to this, and all others; InputError where there is none."""
        there = self.directory()
        if there is None:
            raise InputError(f"nothing was ever saved in {self.path.parent}", save=save)
        return there, there.find(save)

    def prepare(
        self, about: SaveInfo, snapshot: Snapshot, base: str, image: Callable[[], bytes]
    ) -> Callable[[], SaveInfo]:
        """Decide how a save comes into the file; it does when the result is called.

        It goes behind the others, or the file is written anew. A session's first save always does
        that: it leaves the file as it was before, as a backup that no later save touches.

        Parameters
        ----------
        about : SaveInfo
            What the save says of itself.
        snapshot : Snapshot
            What it holds.
        base : str
            Id of the save that the snapshot tells it by.
        image : callable
            Gives all of the database, which is still as the snapshot says.
        """
        there = directory_or_none(self.path) if self._backed_up else None
        delta = snapshot.delta
        if there is not None and delta is not None and fits_behind(there, about, delta, base):
            return partial(append_save, there, about, delta, base, keep=self._keep)
        return partial(self._write, snapshot.image or image(), about, snapshot, base)

    def _write(self, image: bytes, about: SaveInfo, snapshot: Snapshot, base: str) -> SaveInfo:
        backs_up = self.path.exists()
        delta = snapshot.delta
        info = write_save(self.path, image, about, delta=delta, base=base, keep=self._keep)
        self._backed_up = backs_up
        return info

    def delete(self, save: str) -> None:
        """Take a save out; see `delete_save`."""
        delete_save(self.path, self.find(save)[1].id)

    def name(self, save: str, name: str) -> SaveInfo:
        """Give a save another name; see `name_save`."""
        return name_save(self.path, self.find(save)[1].id, name)
