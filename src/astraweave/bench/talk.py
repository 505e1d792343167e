"""What talk costs where no model speaks: a bark on the frame, a decision, a composed line."""

from __future__ import annotations

import asyncio
import random
from itertools import count, cycle

from astraweave.bench.case import Case, Pair, case
from astraweave.core.rng import RandomStreams
from astraweave.core.text import sanitize
from astraweave.dialogue import (
    BARKS,
    Barker,
    DialogueGenerator,
    LinePlan,
    Situation,
    Standing,
    speaking_order,
)
from astraweave.persona import Persona
from astraweave.rag import Memory, Retrieved

__all__ = ["CASES"]

_SAID = (
    "Hello!",
    "Where did my sister hide the key?",
    "My cow is ill.",
    "You are a fool!",
    "What a day.",
    "Why are you angry?",
)
_TOLD = (
    "My sister Mira hid a silver key under the old mill.",
    "I have five goats and a dog called Biscuit.",
    "Bren owes me three crowns.",
)


def _situation(said: str, dice: random.Random) -> Situation:
    memories = tuple(
        Retrieved(
            memory=Memory(id=number, owner="tam", text=text, speaker="player", addressee="tam"),
            score=1.0,
            similarity=0.6,
        )
        for number, text in enumerate(_TOLD, start=1)
    )
    return Situation(
        persona=Persona.builtin("tam"),
        speaker="player",
        utterance=sanitize(said),
        memories=memories,
        lately=tuple(r.memory for r in memories),
        rng=dice,
    )


@case("talk.bark", unit="us")
def bark() -> Pair:
    """A bark of each kind in turn, as the frame pays for it; it may take 100 us."""
    barker, kinds, times = Barker(Persona.builtin("tam"), 1), cycle(BARKS), count(0, 200)
    heard = [barker.bark(kind, now=1e6 * n) for n, kind in enumerate(list(BARKS) * 5)]
    return Pair(
        ours=lambda: barker.bark(next(kinds), now=float(next(times))),
        quality={"heard": sum(map(bool, heard)) / len(heard)},
    )


@case("talk.plan", unit="us")
def plan() -> Pair:
    """What a line does and says, decided from three memories; the six sorts of line in turn."""
    generator, dice = DialogueGenerator(), RandomStreams(1)["bench.talk"]
    situations = cycle([_situation(said, dice) for said in _SAID])

    def one() -> LinePlan:
        return generator.plan(next(situations))

    return Pair(ours=one)


@case("talk.composed_line", unit="us")
def composed_line() -> Pair:
    """A whole composed line, from the utterance to its last clause, in an event loop of its own."""
    generator, dice = DialogueGenerator(), RandomStreams(1)["bench.talk"]
    situations = cycle([_situation(said, dice) for said in _SAID])

    async def speak() -> str:
        line = generator.begin(next(situations))
        async for _ in line:
            pass
        return line.text

    return Pair(ours=lambda: asyncio.run(speak()))


@case("talk.turns", unit="us")
def turns() -> Pair:
    """Who of eight speaks next."""
    dice = RandomStreams(1)["bench.talk"]
    table = [
        Standing(npc=f"npc{n}", relevance=n / 8, affinity=n / 8, silent_for=n) for n in range(8)
    ]
    return Pair(ours=lambda: speaking_order(table, dice))


CASES: tuple[Case, ...] = (bark, plan, composed_line, turns)
