"""A conversation of several, as the game holds it. All of it runs on the game's thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Protocol

from astraweave.dialogue import EVERYONE
from astraweave.errors import DeadlineExceeded, InputError
from astraweave.llm import Priority
from astraweave.world.cast import Mind, Utterance
from astraweave.world.gathering import Gathering
from astraweave.world.reply import Reply, ReplyOwner

if TYPE_CHECKING:
    from astraweave.world.talking import Talk

__all__ = ["Conversation", "Round"]


class _Door(Protocol):
    """What a conversation asks of its world."""

    def _say_to_all(
        self,
        gathering: Gathering,
        text: str,
        speaker: str,
        to: str | Sequence[str] | None,
        deadline_s: float | None,
        priority: Priority,
    ) -> Round: ...
    def _mind(self, npc: str) -> Mind: ...


class Conversation:
    """Several characters at one place; made by `World.gather`. For the game's thread.

    What is said here, by whomever, all members hear and remember, and nobody else.
    """

    def __init__(self, world: _Door, gathering: Gathering) -> None:
        self._world, self._gathering = world, gathering

    def __repr__(self) -> str:
        return f"<Conversation of {', '.join(self.members)}>"

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of those who are there."""
        return tuple(self._gathering.members)

    @property
    def place(self) -> str:
        """Id of the place; empty: nowhere in particular."""
        return self._gathering.place

    def say(
        self,
        text: str,
        speaker: str = "player",
        *,
        to: str | Sequence[str] | None = None,
        deadline_s: float | None = None,
        priority: Priority = "high",
    ) -> Round:
        """Say something to those who are there; returns at once.

        Who is spoken to by name answers first, or whom `to` names; without either, whoever has most
        to say to it. Others may agree, disagree, or be asked to answer instead.

        Parameters
        ----------
        text, speaker, deadline_s, priority
            As of `Npc.say`; the deadline is each line's own. A member may be the speaker.
        to : str or sequence of str, optional
            Id of whom the speaker looks at, ids of several, or ``"everyone"``.

        Raises
        ------
        InputError
            Nothing sayable is in `text`, or somebody in `to` is not there.
        """
        known = {*self.members, EVERYONE}
        for npc in (to,) if isinstance(to, str) else (to or ()):
            if npc not in known:
                raise InputError(f"{npc!r} is not there", npc=npc, members=self.members)
        return self._world._say_to_all(self._gathering, text, speaker, to, deadline_s, priority)

    def join(self, npc: str) -> None:
        """Somebody comes in; what was said before they have not heard."""
        members = dict(self._gathering.members)
        members[npc] = self._world._mind(npc)
        self._gathering.members = members

    def leave(self, npc: str) -> None:
        """Somebody goes; what is said from now on they do not hear."""
        members = dict(self._gathering.members)
        members.pop(npc, None)
        self._gathering.members = members


class Round:
    """What is answered to one utterance among several. For the game's thread.

    Attributes
    ----------
    replies : list of Reply
        In the order of speaking; it grows while they speak.
    utterance, speaker : str
        What was said, and by whom.
    done : bool
        Whether all have said what they had to say.
    error : BaseException or None
        What went wrong.
    """

    def __init__(
        self, owner: ReplyOwner, gathering: Gathering, said: Utterance, speaker: str
    ) -> None:
        self.replies: list[Reply] = []
        self.utterance = said.text.text
        self.speaker = speaker
        self.done = False
        self.error: BaseException | None = None
        self._owner = owner
        self._gathering = gathering
        self._cancel: Callable[[], object] = lambda: None
        self._waiters: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        said = "; ".join(f"{reply.npc}: {reply.text!r}" for reply in self.replies)
        return f"<Round, {'done' if self.done else 'speaking'}: {said}>"

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Who said what so far, in order."""
        return tuple((reply.npc, reply.text) for reply in self.replies if reply.text)

    def take(self) -> list[tuple[str, str]]:
        """New text since the last call, with the id of who says it; never waits."""
        new = ((reply.npc, reply.take()) for reply in self.replies)
        return [(npc, text) for npc, text in new if text]

    def cancel(self) -> None:
        """Let everybody fall silent; what was shown stays."""
        if not self.done:
            self._cancel()

    def wait(self, timeout_s: float = 30.0) -> Round:
        """Deliver until all have spoken; for scripts without a loop, never inside a frame.

        Raises
        ------
        DeadlineExceeded
            They did not end in time.
        """
        if not self.done and not self._owner.deliver_until(lambda: self.done, timeout_s):
            raise DeadlineExceeded(f"they had not finished after {timeout_s:g} s")
        if self.error is not None:
            raise self.error
        return self

    def __await__(self) -> Generator[object, None, Round]:
        return self._finish().__await__()

    async def _finish(self) -> Round:
        async for _ in self:
            pass
        if self.error is not None:
            raise self.error
        return self

    async def __aiter__(self) -> AsyncIterator[Reply]:
        """Each reply as it begins."""
        stop = None if self.done else self._owner.listen(asyncio.get_running_loop())
        shown = 0
        try:
            while True:
                while shown < len(self.replies):
                    shown += 1
                    yield self.replies[shown - 1]
                if self.done:
                    return
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter
        finally:
            if stop is not None:
                stop()

    # The world calls these, on the game's thread.

    def _begin(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel

    def _join(self, reply: Reply, talk: Talk) -> None:
        reply._begin(self._cancel)
        talk.speaking.add(reply)
        self.replies.append(reply)
        self._wake()

    def _leave(
        self,
        reply: Reply,
        talk: Talk,
        report: object,
        error: Exception | None,
        elapsed_ms: float,
    ) -> None:
        talk.end(reply, report, error, elapsed_ms)  # type: ignore[arg-type]
        if not reply.text and not reply.interrupted and reply in self.replies:
            self.replies.remove(reply)  # nothing to say

    def _end(self, error: BaseException | None) -> None:
        self.error = error
        self.done = True
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            with contextlib.suppress(RuntimeError):  # a loop that is closed over its task
                if not waiter.done():
                    waiter.set_result(None)
