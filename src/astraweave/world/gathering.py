"""Talk among several characters: who hears, who answers, in which order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from astraweave.core.rng import RandomStreams
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
from astraweave.errors import Cancelled
from astraweave.world.cast import Company, Heard, Mind, Utterance
from astraweave.world.conversation import Conversations
from astraweave.world.reply import Reply

if TYPE_CHECKING:
    from astraweave.world.table import Round
    from astraweave.world.talking import Talk

__all__ = ["Gathering"]

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
        dice = RandomStreams(self._seed())[name]
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
