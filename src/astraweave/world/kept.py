"""What of a World saves, loads, remembers and replays: its timeline, as a game holds it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from astraweave.errors import InputError, UsageError
from astraweave.world.events import GamePut
from astraweave.world.keeper import Keeper
from astraweave.world.ledger import encode_state
from astraweave.world.recording import TickMark
from astraweave.world.replay import Replay, SessionRecord, read_record, replay, write_record
from astraweave.world.runtime import Runtime
from astraweave.world.savefile import SaveInfo
from astraweave.world.timeline import Timeline
from astraweave.world.transitions import game_key

__all__ = ["Kept", "check_id"]

P = ParamSpec("P")
T = TypeVar("T")


class Kept:
    """The half of a `World` that concerns its save; not for use by itself."""

    _runtime: Runtime
    _keeper: Keeper
    _timeline: Timeline
    _thread: int
    """The game's."""

    def save(self, note: Mapping[str, Any] | None = None, *, name: str = "") -> SaveInfo:
        """Save everything as one unit, in one atomic step; returns when it is on the disk.

        Parameters
        ----------
        note : mapping, optional
            What a menu of saves should show; JSON-able.
        name : str
            Keeps the save until `delete_save`, while those without a name give way to newer ones.

        Raises
        ------
        InputError
            There is a save of this name already, or the note cannot be written.
        StorageError
            The disk is full or refuses; all earlier saves are still there, and so is the work.
        """
        self._check()
        self._settle()
        return self._block(self._keeper.save, note, name)

    async def save_async(
        self, note: Mapping[str, Any] | None = None, *, name: str = ""
    ) -> SaveInfo:
        """`save`, awaited."""
        self._check()
        self._settle()
        work = self._submit(self._keeper.save, note, name)
        return await asyncio.shield(asyncio.wrap_future(work))

    def flush(self) -> None:
        """Make what happened since the last save safe, without changing the save.

        ``World.open(..., recover=True)`` brings it back after a crash.
        """
        self._check()
        self._settle()
        self._block(self._keeper.flush)

    async def flush_async(self) -> None:
        """`flush`, awaited."""
        self._check()
        self._settle()
        work = self._submit(self._keeper.flush)
        await asyncio.shield(asyncio.wrap_future(work))

    def saves(self) -> tuple[SaveInfo, ...]:
        """Every save that is kept, in the order of saving; their parents make a tree of them.

        The last one is what opening the slot gives. Waits, so not in a frame.
        """
        self._check()
        return self._block(self._keeper.slot.saves)

    def load(self, save: str) -> SaveInfo:
        """Go back to an older save: everybody knows what they knew then, and nothing more.

        Lines that are being spoken end as `Cancelled`, and what no save has is given up. The next
        `save` becomes a branch beside those that came after this one; they stay. Characters that
        the save does not know are gone.

        Parameters
        ----------
        save : str
            Its name, its id, or the beginning of its id (see `saves`).

        Raises
        ------
        InputError
            There is no such save.
        CorruptDataError
            It is damaged; nothing has changed then.
        """
        self._check()
        self._block(self._keeper.find, save)
        self._fall_silent()
        info = self._block(self._keeper.load, save)
        self._restore()
        return info

    def delete_save(self, save: str) -> None:
        """Delete an older save (its name, its id, or the beginning of it); later ones stay.

        Raises
        ------
        InputError
            There is no such save, or it is the latest.
        """
        self._check()
        self._block(self._keeper.slot.delete, save)

    def name_save(self, save: str, name: str) -> SaveInfo:
        """Give a save that is there a name, so that it stays: how to keep a branch that was left.

        Parameters
        ----------
        save : str
            Its name, its id, or the beginning of its id (see `saves`).
        name : str
            Its name from now on; empty: none, so that it gives way to newer ones again.

        Raises
        ------
        InputError
            There is no such save, another one has the name, or nothing can be called so.
        """
        self._check()
        return self._block(self._keeper.slot.name, save, name)

    def export_journal(self, path: str | Path, *, since: str | None = None) -> SessionRecord:
        """Write everything that happened into a file from which it can be replayed.

        Parameters
        ----------
        path : str or Path
            The file.
        since : str, optional
            A save to begin at (its name or id; empty: the very beginning). By default when the
            world was opened or last loaded, or the earliest save after that which still knows how
            it came about.

        Returns
        -------
        SessionRecord
            The same, for `replay`.

        Raises
        ------
        InputError
            There is no such save, or what led from it to now is not recorded any more.
        """
        self._check()
        self._settle()
        record = self._block(self._keeper.record, since)
        self._block(write_record, Path(path), record)
        return record

    @staticmethod
    def replay(
        journal: str | Path | SessionRecord,
        on_tick: Callable[[TickMark, Replay], object] | None = None,
    ) -> Replay:
        """Let a recorded session happen again, without any model, and check it at every tick.

        Parameters
        ----------
        journal : str, Path or SessionRecord
            What `export_journal` has written or returned.
        on_tick : callable, optional
            Called after every tick in which anything happened.

        Raises
        ------
        CorruptDataError
            The file is damaged, or something comes out differently; ``error.tick``,
            ``error.event`` and ``error.key`` say where.
        FormatVersionError
            A newer astraweave recorded it.
        """
        if not isinstance(journal, SessionRecord):
            journal = read_record(Path(journal))
        return replay(journal, on_tick)

    @property
    def recoverable(self) -> bool:
        """Whether a crash left work that ``open(recover=True)`` would bring back."""
        return self._block(lambda: self._keeper.slot.recoverable)

    def put(self, key: str, value: object) -> None:
        """Keep something of the game's own beside the minds: saved, rewound and replayed with them.

        Parameters
        ----------
        key : str
            The game's name for it.
        value : object
            What msgspec can encode; None: it is forgotten.

        Raises
        ------
        InputError
            It cannot be encoded.
        """
        self._check()
        check_id("a value", key)
        try:
            packed = None if value is None else encode_state(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the value of {key!r} cannot be saved: {error}", key=key) from error
        self._timeline.happen(self._keeper.happen, GamePut(key=key, value=packed))

    def get(self, key: str, kind: type[T]) -> T | None:
        """What the game has `put` there, as `kind`; None: nothing. Waits, so not in a frame.

        Raises
        ------
        CorruptDataError
            It is no `kind`.
        """
        self._check()
        return self._block(self._keeper.ledger.get, game_key(key), kind)

    @property
    def state_hash(self) -> str:
        """Which state all minds were in when the last tick ended: equal states, equal hashes.

        It is what a save holds, what a load gives back, and what a replay comes to. Waits for the
        second thread, so not in a frame.
        """
        self._check()
        return self._block(lambda: self._keeper.hash)

    @property
    def ticks(self) -> int:
        """How many ticks there were in this world, over all sessions."""
        return self._timeline.tick - 1

    # Inside.

    def _fall_silent(self) -> None:
        """End every line that is being spoken, and take in what was said of them."""
        raise NotImplementedError

    def _restore(self) -> None:
        """Take up what the keeper holds."""
        raise NotImplementedError

    def _settle(self) -> None:
        """Take in everything that has happened up to now, and end the tick."""
        self._timeline.catch_up()
        self._timeline.happen(self._keeper.move_clock)
        self._timeline.end()

    def _block(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._runtime.blocking.run(fn, *args, **kwargs)

    def _submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._runtime.blocking.submit(fn, *args, **kwargs)

    def _check(self) -> None:
        if self._runtime.closed:
            raise UsageError("this world is closed")
        if threading.get_ident() != self._thread:
            raise UsageError(
                "a World belongs to the thread that opened it (the game's): call it there only"
            )


def check_id(what: str, name: str) -> None:
    """Raise InputError where an id is empty or no database could hold it."""
    if not name.strip() or not name.isprintable():
        raise InputError(f"the id of {what} must be printable text, not {name!r}", id=name)
