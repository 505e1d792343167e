"""Talk among several characters: who hears, who answers, in which order."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from astraweave.core.rng import seed_for
from astraweave.core.text import sanitize
from astraweave.dialogue import (
    Answered,
    Line,
    LinePlan,
    Standing,
    addressed,
    speaking_order,
    without_calls,
)
from astraweave.dialogue.situation import Situation
from astraweave.errors import Cancelled, DeadlineExceeded, InputError
from astraweave.llm import Priority
from astraweave.world.conversation import Company, Conversations, Heard, Mind, Utterance
from astraweave.world.reply import Reply, ReplyOwner

if TYPE_CHECKING:
    from astraweave.world.talking import Talk

__all__ = ["Conversation", "Gathering", "Round"]

_MAX_REPLIES = 3
"""Of those who were not spoken to, at most so many answer one utterance."""
_SPEAKS_UP = 0.55
"""How much somebody must have to say to speak up unasked behind somebody else."""


class Gathering:
    """Who is there. Its talk runs on the runtime's loop, everything else on the game's thread."""

    def __init__(self, cast: Sequence[Mind], place: str, seed: Callable[[], int]) -> None:
        self.members: dict[str, Mind] = {mind.id: mind for mind in cast}
        self.place = place
        self._seed = seed
        self._spoke: list[str] = []

    def order(
        self, said: Utterance, situations: Mapping[str, Situation], meant: Sequence[str]
    ) -> list[str]:
        """Who answers, in which order; the same talk at the same time gives the same order."""
        at = next(iter(situations.values())).now
        name = f"group/{','.join(sorted(situations))}/{at!r}/{said.speaker}/{said.text.text}"
        dice = random.Random(seed_for(self._seed(), name))  # noqa: S311 - who speaks first
        standings = [
            Standing(
                npc=npc,
                addressed=npc in meant,
                relevance=_relevance(situation),
                affinity=situation.mind.towards(said.speaker).affinity,
                extraversion=situation.persona.temperament.extraversion,
                silent_for=self._silent_for(npc),
            )
            for npc, situation in situations.items()
        ]
        order = speaking_order(standings, dice)
        if len(meant) > 1:  # in the order of being named
            return [*meant, *(npc for npc in order if npc not in meant)]
        return order

    async def talk(
        self,
        conversations: Conversations,
        said: Utterance,
        to: str | Sequence[str] | None,
        round_: Round,
        talk: Talk,
    ) -> None:
        """Everybody hears what was said, and some answer, one after the other."""
        members = dict(self.members)
        members.pop(said.speaker, None)
        async with contextlib.AsyncExitStack() as locks:
            for npc in sorted(members):
                await locks.enter_async_context(members[npc].speaking)
            names = {npc: _names(mind) for npc, mind in members.items()}
            meant = addressed(said.text.text, names, to)
            bare = replace(said, text=sanitize(without_calls(said.text.text, names)))
            lines: list[tuple[str, str, Line]] = []
            try:
                if members:
                    await self._answers(conversations, bare, members, meant, lines, round_, talk)
            finally:
                self._all_hear(conversations, said, members, meant, lines)
        for mind in members.values():
            conversations.warm_up(mind)

    async def _answers(
        self,
        conversations: Conversations,
        said: Utterance,
        members: Mapping[str, Mind],
        meant: Sequence[str],
        lines: list[tuple[str, str, Line]],
        round_: Round,
        talk: Talk,
    ) -> None:
        present = {npc: tuple(m for m in members if m != npc) for npc in members}
        first = {
            npc: await conversations.situation(mind, said, Company(present=present[npc]))
            for npc, mind in members.items()
        }
        queue = self.order(said, first, meant)
        knower = max(queue, key=lambda npc: _relevance(first[npc]))
        answered: list[Answered] = []
        bound = max(_MAX_REPLIES, len(meant))
        while queue and len(answered) < bound:
            npc = queue.pop(0)
            unasked = npc not in meant and bool(answered)
            handed = bool(answered) and answered[-1].plan.fields.get("other_id") == npc
            if unasked and not handed and not self._speaks_up(first[npc]):
                continue
            company = Company(
                present=present[npc],
                addressed=npc in meant or not answered,
                answered=tuple(answered),
                knower=knower if knower != npc else "",
            )
            situation = await conversations.situation(members[npc], said, company)
            spoken = await self._one(conversations, members[npc], situation, said, round_, talk)
            if spoken is None:
                continue
            line, text, plan = spoken
            lines.append((npc, text, line))
            self._spoke.append(npc)
            name = members[npc].persona.name
            answered.append(Answered(speaker=npc, name=name, text=text, plan=plan))
            next_one = plan.fields.get("other_id", "")
            if plan.act == "hand_over" and next_one in queue:
                queue.remove(next_one)
                queue.insert(0, next_one)

    async def _one(
        self,
        conversations: Conversations,
        mind: Mind,
        situation: Situation,
        said: Utterance,
        round_: Round,
        talk: Talk,
    ) -> tuple[Line, str, LinePlan] | None:
        """One answer; None where the character has nothing to say."""
        clock = conversations.clock
        began = clock.monotonic()
        own = Utterance(
            text=said.text,
            speaker=said.speaker,
            asked_at=began,
            deadline_s=said.deadline_s,
            priority=said.priority,
        )
        line = conversations.begin(situation, own)
        reply = Reply(round_._owner, mind.id, said.text.text, speaker=said.speaker)
        conversations.post(partial(round_._join, reply, talk), said.priority)
        failure: Exception | None = None
        try:
            await conversations.speak(mind, line, own, reply)
        except asyncio.CancelledError:
            failure = Cancelled(f"{mind.id} fell silent", npc=mind.id)
            raise
        finally:
            elapsed = (clock.monotonic() - began) * 1e3
            conversations.post(
                partial(round_._leave, reply, talk, line.report, failure, elapsed), said.priority
            )
        text = conversations.heard_of(mind, line)
        return (line, text, line.plan) if text and line.plan is not None else None

    def _all_hear(
        self,
        conversations: Conversations,
        said: Utterance,
        members: Mapping[str, Mind],
        meant: Sequence[str],
        lines: Sequence[tuple[str, str, Line]],
    ) -> None:
        """Everybody who is there hears and remembers everything; nobody else does."""
        to = meant[0] if len(meant) == 1 else ""
        for npc, mind in members.items():
            addressee = npc if npc in meant else to
            heard = [Heard(said.speaker, said.text.text, addressee)]
            heard += [Heard(who, text, said.speaker) for who, text, _ in lines]
            own = next((line for who, _, line in lines if who == npc), None)
            conversations.keep(
                mind,
                heard,
                said.priority,
                recalled=own.memories if own is not None else (),
                plan=own.plan if own is not None else None,
            )

    def _speaks_up(self, situation: Situation) -> bool:
        outgoing = situation.persona.temperament.extraversion
        return _relevance(situation) + 0.4 * (outgoing - 0.5) >= _SPEAKS_UP

    def _silent_for(self, npc: str) -> int:
        for ago, who in enumerate(reversed(self._spoke), start=1):
            if who == npc:
                return ago
        return 99


def _relevance(situation: Situation) -> float:
    """How near the best of what others told or the character saw is to what was said."""
    own = situation.persona.id
    return max((r.similarity for r in situation.memories if r.memory.speaker != own), default=0.0)


def _names(mind: Mind) -> list[str]:
    name = mind.persona.name
    return list(dict.fromkeys([name, name.split()[0], mind.id]))


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
        known = {*self.members, "everyone"}
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
