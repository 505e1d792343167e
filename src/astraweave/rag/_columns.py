"""What a ranking asks of every memory, as arrays: no loop over memories in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from astraweave.rag._traits import traits_of
from astraweave.rag.memory import Memory, MemoryKind

__all__ = ["KINDS", "UNREAD", "Columns", "Names", "Table"]

KINDS: tuple[str, ...] = get_args(MemoryKind)
UNREAD = -1
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}


class Names:
    """A whole number for each name, from 0 (the empty one) on; the same for a session."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0}

    def code(self, name: str) -> int:
        """The number of a name, a new one where it has none."""
        return self._codes.setdefault(name, len(self._codes))

    def find(self, name: str) -> int:
        """The number of a name, or -1."""
        return self._codes.get(name, -1)


class Columns(NamedTuple):
    """Memories of a shelf as arrays, one number a memory, in the order of `ids`.

    They are views: to be read, and only until the store changes.
    """

    ids: NDArray[np.int64]
    """Ascending within a shelf."""
    game_time: NDArray[np.float64]
    """Seconds."""
    importance: NDArray[np.float32]
    """0 to 1."""
    speaker: NDArray[np.int32]
    """Code of who said it (`MemoryStore.code_of`); 0: nobody."""
    addressee: NDArray[np.int32]
    """Code of whom it was said to; 0: nobody."""
    kind: NDArray[np.int8]
    """Place in `KINDS`."""
    superseded: NDArray[np.bool_]
    """Whether a later memory says otherwise."""
    length: NDArray[np.int32]
    """Characters of the text."""
    traits: NDArray[np.int16]
    """What the text looks like, as bits (`_traits.Trait`); `UNREAD` until it is read (`read`):
    few of the memories that are loaded are ever candidates."""


_TYPES = (
    np.int64,
    np.float64,
    np.float32,
    np.int32,
    np.int32,
    np.int8,
    np.bool_,
    np.int32,
    np.int16,
)


class Table:
    """The columns of a shelf, kept as memories come and go.

    Parameters
    ----------
    names : Names
        Gives the codes of speakers and addressees; shared by a store.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._size = 0
        self._arrays: list[NDArray[Any]] = [np.empty(0, kind) for kind in _TYPES]
        self._view: Columns | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def columns(self) -> Columns:
        """Views of what is there now."""
        if self._view is None:
            self._view = Columns._make(array[: self._size] for array in self._arrays)
        return self._view

    def append(self, memories: Sequence[Memory]) -> None:
        """Add rows behind the last one."""
        end = self._size + len(memories)
        if end > len(self._arrays[0]):
            room = grown(len(self._arrays[0]), end)
            self._arrays = [resized(array, self._size, room) for array in self._arrays]
        for array, values in zip(self._arrays, zip(*map(self._row, memories)), strict=True):  # noqa: B905
            array[self._size : end] = values
        self._size = end
        self._view = None

    def put(self, row: int, memory: Memory) -> None:
        """Replace a row."""
        for array, value in zip(self._arrays, self._row(memory), strict=True):
            array[row] = value

    def read(self, row: int, text: str) -> int:
        """The traits of a row, whose text this is; they stand in its column from then on."""
        traits = self.columns.traits
        if traits[row] == UNREAD:
            traits[row] = traits_of(text)
        return int(traits[row])

    def remove(self, rows: NDArray[np.intp]) -> None:
        """Take rows out; those behind them move up."""
        for array in self._arrays:
            take_out(array, self._size, rows)
        self._size -= len(rows)
        self._view = None

    def _row(self, memory: Memory) -> tuple[object, ...]:
        return (
            memory.id,
            memory.game_time,
            memory.importance,
            self._names.code(memory.speaker),
            self._names.code(memory.addressee),
            _KIND_CODES[memory.kind],
            memory.superseded_by != 0,
            len(memory.text),
            UNREAD,
        )


def grown(room: int, wanted: int) -> int:
    """Rows to make room for: exactly what is wanted at first, later a quarter more than there is.

    A loaded shelf so has no slack, and one that grows is copied rarely.
    """
    return wanted if room == 0 else max(wanted, room + room // 4 + 8)


def resized(array: NDArray[Any], size: int, room: int) -> NDArray[Any]:
    """A copy with room for more rows; the first `size` are kept."""
    larger = np.empty((room, *array.shape[1:]), array.dtype)
    larger[:size] = array[:size]
    return larger


def take_out(array: NDArray[Any], size: int, rows: NDArray[np.intp]) -> None:
    """Move up what stands behind some of the first `size` rows; they ascend."""
    if len(rows) == 1:
        array[rows[0] : size - 1] = array[rows[0] + 1 : size]
        return
    keep = np.ones(size, np.bool_)
    keep[rows] = False
    array[: size - len(rows)] = array[:size][keep]
