"""A line while it is being spoken: one object behind both doors.

The runtime posts clauses into the world's mailbox. They reach a reply only on the game's thread:
inside `World.tick`, or, for those who await, inside the event loop that awaits. So a reply needs no
lock, and nothing ever changes under the game's feet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator
from typing import Protocol

from astraweave.dialogue import Clause, LinePlan, LineReport
from astraweave.errors import Cancelled, DeadlineExceeded, InputError

__all__ = ["Reply", "ReplyOwner"]


class ReplyOwner(Protocol):
    """What a reply needs of its world."""

    def listen(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Deliver on this loop until the returned function is called."""
        ...

    def deliver_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Deliver on this thread until `done`, or until the time is over."""
        ...

    def interrupt(self, reply: Reply, heard: str, cancel: Callable[[], object]) -> None:
        """Let only this much of a line have been said."""
        ...


class Reply:
    """What a character answers.

    Use it from the game's thread only. ``take()`` inside the game loop, or ``async for piece in
    reply`` / ``await reply``, or ``wait()`` in a script that has no loop at all. A task that is
    cancelled while it awaits a reply leaves the line alone; `cancel` ends it. Of a cancelled line
    `await` and `wait` raise `Cancelled`, and ``async for`` just ends.

    Attributes
    ----------
    npc : str
        Id of the character who speaks.
    utterance : str
        What was said to it, as it was understood (cleaned).
    speaker : str
        Id of who said it.
    text : str
        What has been shown so far.
    done : bool
        Whether the line has ended.
    clauses : list of Clause
        What was shown, clause by clause: its tier and the memories that it rests on.
    plan : LinePlan or None
        What the line does and says, and why; from its first text on.
    interrupted : bool
        Whether somebody cut in (see `interrupt`).
    report : LineReport or None
        Counts and times, once the line has ended.
    error : Exception or None
        What went wrong; a line that only lost its model has none, it is composed instead.
    first_word_ms, total_ms : float
        From `say` to the first text and to the end, as the runtime saw it; 0 until then.
    """

    def __init__(
        self, owner: ReplyOwner, npc: str, utterance: str, *, speaker: str = "player"
    ) -> None:
        self.npc = npc
        self.utterance = utterance
        self.speaker = speaker
        self.text = ""
        self.done = False
        self.clauses: list[Clause] = []
        self.plan: LinePlan | None = None
        self.interrupted = False
        self.report: LineReport | None = None
        self.error: Exception | None = None
        self.first_word_ms = 0.0
        self.total_ms = 0.0
        self._owner = owner
        self._cancel: Callable[[], object] = lambda: None
        self._pieces: list[str] = []
        self._taken = 0
        self._waiters: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        state = "done" if self.done else "speaking"
        return f"<Reply of {self.npc!r}, {state}: {self.text!r}>"

    @property
    def memories(self) -> tuple[int, ...]:
        """Ids of the memories that the shown text rests on, without repeats."""
        return tuple(dict.fromkeys(m for clause in self.clauses for m in clause.memories))

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tier of each clause, in order."""
        return tuple(clause.tier for clause in self.clauses)

    def take(self) -> str:
        """New text since the last call; empty when there is none. Never waits, never raises."""
        new = "".join(self._pieces[self._taken :])
        self._taken = len(self._pieces)
        return new

    @property
    def heard(self) -> str:
        """What `take` has handed out so far."""
        return "".join(self._pieces[: self._taken])

    def cancel(self) -> None:
        """Let the character fall silent; what was shown stays. The reply then ends."""
        if not self.done:
            self._cancel()

    def interrupt(self, heard: str | None = None) -> None:
        """Cut in: what was heard of the line is what was said; the character may go on later.

        Also of a line that has ended but is still being read out. What was not heard is not
        remembered as said, and the character can take it up again ("go on"). A line that nobody
        heard anything of was never spoken. Once the character has said something else, this
        changes nothing.

        Parameters
        ----------
        heard : str, optional
            How far the game has shown or spoken it, from the beginning of `text`; by default what
            `take` has handed out.

        Raises
        ------
        InputError
            `heard` is not how the line begins.
        """
        if self.interrupted:
            return
        if heard is None:
            heard = self.heard
        if not self.text.startswith(heard):
            raise InputError("the line does not begin with what was heard of it", heard=heard)
        self.interrupted = True
        self._owner.interrupt(self, heard.rstrip(), self._cancel)
        self.text = heard.rstrip()
        self.done = True
        self._wake()

    def wait(self, timeout_s: float = 30.0) -> Reply:
        """Deliver until the line has ended; for scripts without a loop, never inside a frame.

        Raises
        ------
        DeadlineExceeded
            The line did not end in time.
        AstraweaveError
            What went wrong in the line.
        """
        if not self.done and not self._owner.deliver_until(lambda: self.done, timeout_s):
            raise DeadlineExceeded(
                f"{self.npc} had not finished the line after {timeout_s:g} s", npc=self.npc
            )
        if self.error is not None:
            raise self.error
        return self

    def __await__(self) -> Generator[object, None, Reply]:
        return self._finish().__await__()

    async def _finish(self) -> Reply:
        async for _ in self:
            pass
        if self.error is not None:  # one that was cancelled, as `wait` has it
            raise self.error
        return self

    async def __aiter__(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        # What has ended can be read even when the world is closed.
        stop_listening = None if self.done else self._owner.listen(loop)
        shown = 0
        try:
            while True:
                while shown < len(self._pieces):
                    shown += 1
                    yield self._pieces[shown - 1]
                if self.done:
                    break
                waiter: asyncio.Future[None] = loop.create_future()
                self._waiters.append(waiter)
                await waiter
        finally:
            if stop_listening is not None:
                stop_listening()
        if self.error is not None and not isinstance(self.error, Cancelled):
            raise self.error

    # The world calls these, on the game's thread.

    def _begin(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel

    def _show(self, clause: Clause, elapsed_ms: float, plan: LinePlan | None = None) -> None:
        if self.done:  # cancelled while this was on its way
            return
        self.plan = plan
        joint = "" if not self.text or clause.text[:1].isspace() else " "
        if not self.clauses:
            self.first_word_ms = elapsed_ms
        self.clauses.append(clause)
        self._pieces.append(joint + clause.text)
        self.text += self._pieces[-1]
        self._wake()

    def _end(self, report: LineReport | None, error: Exception | None, elapsed_ms: float) -> None:
        if self.done:
            return
        self.report, self.error, self.total_ms = report, error, elapsed_ms
        self.done = True
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            # Some loop may have been closed over a task that still waits; the others must hear.
            with contextlib.suppress(RuntimeError):
                if not waiter.done():
                    waiter.set_result(None)
