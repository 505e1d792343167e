"""In which order things happen, and in which tick: decided on the game's thread, and only there.

What threads have finished waits until the game's thread takes it, inside a tick or where a reply is
awaited; then it is sent to the second thread, which makes events of it and applies them in the
order of sending. So which tick a result belongs to depends on threads, but once that is journalled
nothing else does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from astraweave.core.protocols import Clock
from astraweave.core.worldview import WorldView
from astraweave.llm import Priority
from astraweave.world.keeper import Keeper
from astraweave.world.runtime import Runtime

__all__ = ["Timeline"]

P = ParamSpec("P")

Post = Callable[[Callable[[], None], Priority], None]


class Timeline:
    """Sends what happens to the keeper, tick by tick.

    Confined to the game's thread, but for `finished`, and for `wind_up`, when that is gone.

    Parameters
    ----------
    runtime : Runtime
        Has the second thread.
    keeper : Keeper
        Lives there.
    clock : Clock
        Dates the ticks.
    view : WorldView
        Its changes are events of the tick in which they were made.
    post : callable
        Brings a delivery to the game's thread (see `Mailbox.post`).

    Attributes
    ----------
    tick : int
        The number of the tick that what happens now belongs to.
    """

    def __init__(
        self, runtime: Runtime, keeper: Keeper, clock: Clock, view: WorldView, post: Post
    ) -> None:
        self.tick = 1
        self._send = runtime.blocking.post
        self._keeper = keeper
        self._clock = clock
        self._view = view
        self._post = post
        self._begun = False
        self._dated = 0.0
        self._view_version = 0
        self._numbers = itertools.count()
        self._finished: dict[int, Callable[[], None]] = {}
        self._tended: float | None = None
        keeper.bring_with(self.bring)
        self.rewound()

    def happen(self, job: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send a job to the keeper's thread, as a part of this tick; nobody waits for it."""
        now = self._clock.now()
        if not self._begun or now != self._dated:
            self._begun, self._dated = True, now
            self._send(self._keeper.begin, self.tick, now)
        self._send(job, *args, **kwargs)

    def finished(self, take: Callable[[], None], priority: Priority) -> None:
        """Have the game's thread do this soon; from any thread.

        It is done exactly once: at the latest before a save, or when the world ends.
        """
        number = next(self._numbers)
        self._finished[number] = take
        self._post(partial(self._take, number), priority)

    def bring(self, job: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Let a job be a part of some tick soon; from any thread."""
        self.finished(partial(self.happen, job, *args, **kwargs), "background")

    def catch_up(self) -> None:
        """Take what threads have finished, whether or not its turn to be delivered has come."""
        for number in sorted(self._finished):  # copied in one step: other threads add to it
            self._take(number)

    def end(self) -> None:
        """End the tick, if anything has happened in it; costs next to nothing otherwise."""
        self._see()
        if self._begun:
            self._begun = False
            self._send(self._keeper.mark)
            self.tick += 1

    def _see(self) -> None:
        """Let the changes of the view happen."""
        if self._view.version != self._view_version:
            changes = self._view.take_changes()
            self._view_version = changes[-1].version if changes else self._view.version
            self.happen(self._keeper.see, changes)

    def step(self) -> None:
        """End the tick and begin the next, whether or not anything has happened."""
        ended = self.tick
        self.end()
        self.tick = ended + 1
        now = self._clock.now()
        if self._tended is None or abs(now - self._tended) >= self._keeper.tended_every_s:
            self._tended = now
            self._send(self._keeper.due, now)

    def rewound(self) -> None:
        """Begin anew from what the keeper holds now."""
        self.tick = self._keeper.last_tick + 1
        self._view.take_changes()
        self._view_version = self._view.version
        self._begun = False
        self._tended = None

    def wind_up(self) -> None:
        """The last tick: on the keeper's thread, when neither the game nor the loop runs on."""
        self._send = _at_once
        self._keeper.begin(self.tick, self._clock.now())
        self.catch_up()
        self._see()
        self._keeper.wind_up()

    def _take(self, number: int) -> None:
        take = self._finished.pop(number, None)
        if take is not None:
            take()


def _at_once(job: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    job(*args, **kwargs)
