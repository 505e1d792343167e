"""How strong each memory is, what makes it stronger, and when it is gone.

A strength follows from the game clock and from what has happened to a memory, never from when
somebody looked: whoever asks at the same game time gets the same answer. All that changes here goes
through `recall`, `weaken`, `refresh` and `forget`, each given the time and plain ids, so that a
replay that calls the same ones comes to the same state; `lived` and `restore` carry the outcome.
"""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from astraweave.core.threads import Worker
from astraweave.kernels.forgetting import fade, sweep_with_numba, sweep_with_numpy
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag.life_columns import LifeColumns, Lived, read_lived, write_lived
from astraweave.rag.life_gists import GistSettings, Wording, find_gists
from astraweave.rag.life_settings import DecayRule, LifeSettings, checked_rule
from astraweave.rag.memory import Memory
from astraweave.rag.store import MemoryStore

__all__ = ["MemoryLife", "Swept"]

SLICE_ROWS = 65_536
"""What one step of a sweep does: .1 ms with Numba, .7 ms with NumPy."""
_BYTES_BESIDE_TEXT = 160
_UNSEEN = Lived()

Sweep = Callable[..., None]


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole sweep has found.

    Attributes
    ----------
    now : float
        The game time that it was made for.
    memories : int
        How many it went over.
    faded : tuple of int
        Ids of memories that have become too weak to keep.
    crowded : tuple of str
        Characters who keep more than they may; see `MemoryLife.overflow`.
    """

    now: float
    memories: int
    faded: tuple[int, ...]
    crowded: tuple[str, ...]


class MemoryLife:
    """Strengths of all memories of a store. Confined to the thread of the store.

    It is a `WriteBehind`: attach it to the slot after the store.

    Parameters
    ----------
    connection : sqlite3.Connection
        Has the table of `create_life_tables`.
    store : MemoryStore
        Whose memories; ones that were added or deleted there directly are noticed.
    settings : LifeSettings
        How they fade.
    rule : callable
        A designer's own `DecayRule`.
    telemetry : Telemetry
        Spans ``rag.sweep``, counters ``rag.recalled`` and ``rag.forgotten``.

    Attributes
    ----------
    compiled : bool
        Whether sweeps run compiled by now; see `compile_soon`.
    not_compiled_because : str
        Why Numba has refused the rule; empty otherwise. NumPy goes on.

    Raises
    ------
    ConfigError
        The rule fails, or gives something else than finite numbers.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        store: MemoryStore,
        settings: LifeSettings | None = None,
        *,
        rule: DecayRule = fade,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self.settings = settings or LifeSettings()
        self.not_compiled_because = ""
        self._rule = checked_rule(rule)
        self._connection = connection
        self._store = store
        self._telemetry = telemetry
        self._with_numpy: Sweep = sweep_with_numpy(rule)
        self._with_numba: Sweep | None = None
        self._columns = LifeColumns()
        self._owners: dict[str, int] = {}
        self._seen = 0
        self._cursor = 0
        self._sweeping_for = 0.0
        self._lived = read_lived(connection)
        self._unwritten: dict[int, None] = {}
        self._uncommitted: dict[int, None] = {}

    # Asking

    def strength(self, memory_id: int, now: float) -> float:
        """How strong one memory is, 0 (gone) to 1 (fresh)."""
        return float(self.strengths([memory_id], now)[0])

    def strengths(self, ids: Sequence[int] | NDArray[np.int64], now: float) -> NDArray[np.float32]:
        """How strong memories are at a game time, in the order of `ids`; 0 for unknown ones."""
        self._catch_up()
        columns = self._columns
        rows = columns.rows(np.asarray(ids, np.int64))
        result = np.zeros(len(rows), np.float32)
        if not columns.count:
            return result
        self._fast(
            now,
            columns.last[rows],
            columns.half_life[rows],
            columns.importance[rows],
            columns.recalls[rows],
            columns.floor[rows],
            result,
        )
        result[rows < 0] = 0.0
        return result

    def recalls(self, memory_id: int) -> int:
        """How often a memory was recalled or told again."""
        return self._lived.get(memory_id, _UNSEEN).recalls

    def is_protected(self, memory_id: int) -> bool:
        """Whether a memory never fades."""
        memory = self._store.get(memory_id)
        return memory is not None and self.settings.protects(memory)

    def history(self, memory_id: int, times: ArrayLike) -> NDArray[np.float32]:
        """How strong a memory was, is and will be if nothing else happens; for a picture.

        Parameters
        ----------
        times : array_like, shape ``(n,)``
            Game times in seconds, ascending.

        Returns
        -------
        ndarray, shape ``(n,)``
            NaN before it was written, and throughout where there is no such memory. Of very many
            changes the latest 16 are known.
        """
        at = np.asarray(times, np.float64)
        result = np.full(len(at), np.nan, np.float32)
        memory = self._store.get(memory_id)
        if memory is None:
            return result
        lived = self._lived.get(memory_id, _UNSEEN)
        born = (memory.game_time, memory.game_time, self.settings.half_life(memory))
        course = [born, *lived.events]
        recalls = lived.recalls - sum(when == last for when, last, _ in lived.events)
        for place, (when, last, half_life) in enumerate(course):
            recalls += bool(place) and when == last
            part = np.flatnonzero(at >= when)
            values = np.empty(len(part), np.float32)
            full = np.ones(len(part), np.float32)
            self._with_numpy(
                at[part],
                np.full(len(part), last),
                full * np.float32(half_life),
                full * np.float32(memory.importance),
                np.full(len(part), recalls, np.uint16),
                full * np.float32(self.settings.protects(memory)),
                values,
            )
            result[part] = values
        return result

    def size_of(self, memory: Memory) -> int:
        """About how many bytes a memory takes in a save: text, names, vector and indices."""
        names = (memory.owner, memory.speaker, memory.addressee, *memory.tags, *memory.entities)
        words = 2 * len(memory.text.encode()) + sum(map(len, names))
        return words + 2 * self._store.dimensions + _BYTES_BESIDE_TEXT

    # Changing

    def recall(self, ids: Iterable[int], now: float) -> None:
        """Memories came to mind: they are fresh again, and will last longer than before.

        How much longer depends on how far they had faded: what is repeated at once gains nothing,
        what was all but gone gains most. Unknown ids are ignored.
        """
        known = [each for each in dict.fromkeys(ids) if self._store.get(each) is not None]
        if not known:
            return
        for memory_id, strength in zip(known, self.strengths(known, now).tolist(), strict=True):
            memory, lived, row = self._state(memory_id)
            half_life = float(self._columns.half_life[row])
            longer = half_life * (1.0 + self.settings.spacing_gain * (1.0 - strength))
            longer = max(half_life, min(longer, self.settings.longest_half_life))
            last = max(float(self._columns.last[row]), now)
            gain = max(lived.gain, longer / self.settings.half_life(memory))
            self._set(
                memory, lived.then(now, last=last, half_life=longer, gain=gain, recalled=True), row
            )
        self._telemetry.count("rag.recalled", len(known))

    def weaken(self, ids: Iterable[int], now: float, share: float) -> None:
        """From `now` on memories fade faster: a `share` of their half-lives is left.

        They are as strong as before at that moment. For what no longer holds, or is summed up.
        """
        self._catch_up()
        for memory_id in dict.fromkeys(ids):
            if self._store.get(memory_id) is None:
                continue
            memory, lived, row = self._state(memory_id)
            last = float(self._columns.last[row])
            last = now - max(0.0, now - last) * share
            half_life = float(self._columns.half_life[row]) * share
            after = lived.then(
                now, last=last, half_life=half_life, gain=lived.gain * share, recalled=False
            )
            self._set(memory, after, row)

    def lived(self, memory_id: int) -> Lived | None:
        """What has happened to a memory, as plain data; None: nothing since it was written."""
        return self._lived.get(memory_id)

    def lives(self) -> dict[int, Lived]:
        """`lived` of every memory to which anything has happened."""
        return dict(self._lived)

    def restore(self, memory_id: int, lived: Lived | None) -> None:
        """Bring a memory to where `lived` has said it was: for a replay of outcomes."""
        self._catch_up()
        if lived is None:
            self._lived.pop(memory_id, None)
        else:
            self._lived[memory_id] = lived
        self._unwritten[memory_id] = None
        self.refresh(memory_id)

    def refresh(self, memory_id: int) -> None:
        """A memory was changed in the store: its importance, kind or tags may be others."""
        self._catch_up()
        if self._store.get(memory_id) is not None:
            memory, lived, row = self._state(memory_id)
            self._put(memory, lived, row)

    def forget(self, ids: Iterable[int]) -> int:
        """Delete memories from the store, and what is known of their lives. How many there were."""
        ids = list(dict.fromkeys(ids))
        gone = self._store.delete(*ids)
        self._drop(ids)
        self._telemetry.count("rag.forgotten", gone)
        return gone

    # Sweeping: for the thread of the store, when nothing else waits

    def sweep(self, now: float, rows: int = SLICE_ROWS) -> Swept | None:
        """Go over the next `rows` memories of all characters; None until all were gone over.

        A sweep keeps the time that it began with; the next call after its end begins another.
        Nothing is changed: whoever runs it gives `Swept.faded` and what `overflow` names to
        `forget`, and writes down that it did.
        """
        with self._telemetry.span("rag.sweep"):
            columns = self._columns
            if self._cursor == 0:
                self._catch_up()
                self._sweeping_for = now
            low, high = self._cursor, min(self._cursor + max(1, rows), columns.count)
            self._fast(
                self._sweeping_for,
                columns.last[low:high],
                columns.half_life[low:high],
                columns.importance[low:high],
                columns.recalls[low:high],
                columns.floor[low:high],
                columns.strength[low:high],
            )
            self._cursor = high
            return None if high < columns.count else self._swept()

    def overflow(self, owner: str, now: float) -> tuple[int, ...]:
        """Ids that a character must let go of to keep within count and bytes; nothing is changed.

        The least strength times importance goes first, of equals the oldest; what is protected
        only when nothing else is left.
        """
        self._catch_up()
        columns, number = self._columns, self._owners.get(owner, -1)
        rows = np.flatnonzero(columns.owner[: columns.count] == number)
        sizes = columns.size[rows].astype(np.int64)
        excess, too_many = int(sizes.sum()) - self.settings.max_bytes, len(rows)
        too_many -= self.settings.max_memories
        if excess <= 0 and too_many <= 0:
            return ()
        worth = self.strengths(columns.ids[rows], now) * columns.importance[rows]
        protected = columns.floor[rows] > 0.0
        order = np.lexsort((columns.ids[rows], worth, protected))
        by_bytes = int(np.searchsorted(np.cumsum(sizes[order]), max(excess, 0))) + (excess > 0)
        return tuple(columns.ids[rows][order[: max(by_bytes, too_many)]].tolist())

    def gists(
        self,
        owner: str,
        now: float,
        settings: GistSettings | None = None,
        *,
        wording: Wording | None = None,
    ) -> list[Memory]:
        """What of an owner's older memories can be summed up (see `find_gists`); changes nothing.

        For when nothing else waits: a second of a character's whole life at the worst.
        """
        ids, vectors = self._store.ids(owner), self._store.vectors(owner)

        def vector_of(memory_id: int) -> NDArray[np.float32] | None:
            vector = vectors[ids.searchsorted(memory_id)]
            return None if np.isnan(vector[0]) else vector

        return find_gists(
            self._store.for_owner(owner),
            now,
            settings,
            vectors=vector_of,
            protects=self.settings.protects,
            wording=wording,
        )

    def sum_up(self, gist: Memory, now: float, *, embed: bool = False) -> Memory:
        """Keep a gist that `gists` has found; from now on its sources fade faster."""
        kept = self._store.add(gist, embed=embed)
        self.weaken(kept.sources, now, self.settings.summed_up_share)
        self._telemetry.count("rag.summed_up", len(kept.sources))
        return kept

    def compile_soon(self) -> Worker | None:
        """Compile the sweep on a thread of its own, where Numba is installed; NumPy till then.

        Takes a second the first time, a quarter of it once the disk has it. The thread, or None.
        """
        if self._with_numba is not None or find_spec("numba") is None:
            return None
        return Worker(self.compile_now, name="astraweave-compile")

    def compile_now(self) -> None:
        """Compile the sweep; returns when it is done, or has turned out to be impossible."""
        try:
            self._with_numba = sweep_with_numba(self._rule)
        except ImportError as error:
            self.not_compiled_because = str(error)
        except Exception as error:
            errors: Any = importlib.import_module("numba.core.errors")
            if not isinstance(error, errors.NumbaError):
                raise
            self.not_compiled_because = str(error)

    @property
    def compiled(self) -> bool:
        """Whether sweeps run compiled by now."""
        return self._with_numba is not None

    # Following into the database: see `WriteBehind`

    def write(self) -> None:
        """Put into the open transaction what has changed since the last call."""
        if self._unwritten:
            rows = [(i, self._lived[i]) for i in self._unwritten if i in self._lived]
            gone = [i for i in self._unwritten if i not in self._lived]
            self._uncommitted |= self._unwritten
            self._unwritten = {}
            write_lived(self._connection, rows, gone)

    def committed(self) -> None:
        """Everything written so far holds."""
        self._uncommitted = {}

    def rolled_back(self) -> None:
        """What was written since the last `committed` must be written again."""
        self._unwritten = self._uncommitted | self._unwritten
        self._uncommitted = {}

    # Rows

    @property
    def _fast(self) -> Sweep:
        return self._with_numba or self._with_numpy

    def _catch_up(self) -> None:
        """Make rows for what the store has got since, and drop those of what it has lost."""
        latest = self._store.next_id - 1
        if self._seen < latest:
            fresh = (self._store.get(each) for each in range(self._seen + 1, latest + 1))
            self._columns.append([self._row(memory) for memory in fresh if memory is not None])
            self._seen = latest
        if self._columns.count != self._store.count():
            held = [self._store.ids(owner) for owner in self._store.owners()]
            present = np.sort(np.concatenate(held)) if held else np.empty(0, np.int64)
            own = self._columns.ids[: self._columns.count]
            self._drop(np.setdiff1d(own, present, assume_unique=True).tolist())

    def _drop(self, ids: Sequence[int]) -> None:
        for memory_id in ids:
            if self._lived.pop(memory_id, None) is not None:
                self._unwritten[memory_id] = None
        rows = self._columns.rows(np.array(ids, np.int64))
        mask = np.ones(self._columns.count, np.bool_)
        mask[rows[rows >= 0]] = False
        if not mask.all():
            self._columns.keep(mask)
            self._cursor = 0  # rows have moved: a sweep begins anew

    def _state(self, memory_id: int) -> tuple[Memory, Lived, int]:
        memory = self._store.get(memory_id)
        assert memory is not None, memory_id
        (row,) = self._columns.rows(np.array([memory_id], np.int64)).tolist()
        lived = self._lived.get(memory_id) or Lived(last=memory.game_time)
        return memory, lived, row

    def _set(self, memory: Memory, lived: Lived, row: int) -> None:
        self._lived[memory.id] = lived
        self._unwritten[memory.id] = None
        self._put(memory, lived, row)

    def _put(self, memory: Memory, lived: Lived, row: int) -> None:
        columns = self._columns
        columns.last[row] = lived.last
        columns.half_life[row] = self.settings.half_life(memory) * lived.gain
        columns.importance[row] = memory.importance
        columns.recalls[row] = lived.recalls
        columns.floor[row] = self.settings.protects(memory)
        columns.size[row] = self.size_of(memory)

    def _row(self, memory: Memory) -> tuple[float, ...]:
        lived = self._lived.get(memory.id)
        half_life = self.settings.half_life(memory)
        return (
            memory.id,
            memory.game_time if lived is None else lived.last,
            half_life if lived is None else half_life * lived.gain,
            memory.importance,
            0 if lived is None else lived.recalls,
            self.settings.protects(memory),
            1.0,
            self.size_of(memory),
            self._owners.setdefault(memory.owner, len(self._owners)),
        )

    def _swept(self) -> Swept:
        columns, settings = self._columns, self.settings
        self._cursor = 0
        used = slice(0, columns.count)
        faded = columns.ids[used][columns.strength[used] < settings.forget_below]
        # What was recalled since its slice was gone over is not faded any more.
        faded = faded[self.strengths(faded, self._sweeping_for) < settings.forget_below]
        owners = len(self._owners)
        counts = np.bincount(columns.owner[used], minlength=owners)
        sizes = np.bincount(columns.owner[used], columns.size[used], minlength=owners)
        crowded = (counts > settings.max_memories) | (sizes > settings.max_bytes)
        names = [name for name, number in self._owners.items() if crowded[number]]
        return Swept(
            now=self._sweeping_for,
            memories=columns.count,
            faded=tuple(faded.tolist()),
            crowded=tuple(sorted(names)),
        )
