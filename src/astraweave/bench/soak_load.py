"""The load of a soak: thoughts, lines and scores, all different and none of them ever at rest."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

from astraweave.core.threads import Worker
from astraweave.ecs import CThought, ThoughtSystem
from astraweave.errors import Cancelled, CapacityError, DeadlineExceeded
from astraweave.llm import (
    PRIORITIES,
    Choice,
    Constraint,
    GenerationRequest,
    JsonSchema,
    Lark,
    Message,
    Regex,
    SamplingParams,
    ScoreRequest,
)

if TYPE_CHECKING:
    from astraweave.serving import LlmScheduler
    from astraweave.world import Reply, World

__all__ = ["Scorer", "Talkers", "Thinkers"]

_EXPECTED = (Cancelled, CapacityError, DeadlineExceeded)
_DROPPED = 1 / 300
"""Chance, in each frame, that a thought is dropped for another."""
_LINE_EVERY_S = 1.0
_CAST = 6
_LORE = (
    "You live in Hollow Ford, a village between the marsh and the king's road. The mill burned "
    "down in the spring. The reeve takes the toll at the bridge and keeps half of it. At night "
    "there is a light in the old watchtower. Wolves came down from the hills twice this winter."
)
_TRADES = "ferryman baker reeve shepherd weaver tanner cooper fisher thatcher potter".split()
_PLACES = "mill bridge watchtower inn smithy market well chapel marsh road".split()
_DEEDS = "follow guard greet trade flee rest repair search".split()
_SAID = (
    "Good morning! How is the forge today?",
    "I met a pedlar on the north road who sells salt.",
    "What are you making there?",
    "It rained all night and the bridge is slippery.",
    "Do you like the sound of rain on the roof?",
    "My cousin says that the harvest will be good.",
)


def _order(**fields: list[str]) -> JsonSchema:
    """An object of these fields, each of them one of some texts."""
    properties = {name: {"type": "string", "enum": options} for name, options in fields.items()}
    return JsonSchema(
        schema={
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )


_KNOWN: tuple[Constraint, ...] = (
    _order(deed=_DEEDS, where=_PLACES),
    Choice(options=tuple(_PLACES)),
    Regex(pattern=r"[A-Z][a-z ]{3,40}\."),
    Lark(grammar='start: "I " DEED " " PLACE\nDEED: /[a-z]{2,8}/\nPLACE: /[a-z]{2,8}/'),
)


class Thinkers:
    """Characters that think without a pause: one ends, the next question is asked.

    Used from the game's thread.

    Attributes
    ----------
    novel : float
        Share of the thoughts that are held to a grammar which was never seen before.
    novelties : int
        How many there were.
    """

    novel = 0.2

    def __init__(
        self,
        scheduler: LlmScheduler,
        count: int,
        draw: random.Random,
        counts: Counter[str],
        failed: Counter[str],
    ) -> None:
        self._system = ThoughtSystem(scheduler)
        self._thoughts = [CThought() for _ in range(count)]
        self._draw = draw
        self._counts = counts
        self._failed = failed
        self._asked = 0
        self.novelties = 0

    def frame(self, now: float) -> None:
        """Bring every thought up to date; ask and drop some."""
        del now
        self._system.run(self._thoughts)
        for number, thought in enumerate(self._thoughts):
            if thought.thinking:
                if self._draw.random() >= _DROPPED:
                    continue
                self._counts["cancelled"] += 1
                if self._draw.random() < 0.5 and thought.ticket is not None:
                    thought.ticket.cancel()  # and half of them for a new question
                    continue
            elif thought.ticket is not None:
                self._counts["thoughts"] += 1
                if thought.error is not None and not isinstance(thought.error, _EXPECTED):
                    self._failed[type(thought.error).__name__] += 1
            thought.deadline_s = 2.0 if self._draw.random() < 0.1 else None
            thought.request = self._question(number)

    def _question(self, number: int) -> GenerationRequest:
        draw = self._draw
        self._asked += 1
        trade, place = _TRADES[number % len(_TRADES)], draw.choice(_PLACES)
        asked = f"{trade} number {number}, day {self._asked}: what of the {place}?"
        past = [
            Message(role, f"The {draw.choice(_PLACES)} was on my mind, {self._asked}.")
            for _ in range(draw.randrange(4))
            for role in ("user", "assistant")
        ]
        return GenerationRequest(
            messages=(Message("system", _LORE), *past, Message("user", asked)),
            max_tokens=draw.randrange(8, 48),
            sampling=SamplingParams(temperature=draw.choice((0.0, 0.8))),
            owner=f"npc{number}",
            priority=draw.choice(PRIORITIES),
            constraint=self._constraint(),
        )

    def _constraint(self) -> Constraint | None:
        draw = self._draw
        if draw.random() < self.novel:
            self.novelties += 1
            names = [f"{trade} {draw.randrange(10_000)}" for trade in draw.sample(_TRADES, 4)]
            return draw.choice((_order(whom=names), Choice(options=tuple(names))))
        return draw.choice((None, None, None, *_KNOWN))


class Talkers:
    """A player who talks to several characters and sometimes walks away.

    One line a second: what is said is remembered, so memory has to grow by that. Used from the
    game's thread.
    """

    def __init__(
        self, world: World, draw: random.Random, counts: Counter[str], failed: Counter[str]
    ) -> None:
        self._cast = [world.npc(f"tam{n}", persona="tam") for n in range(_CAST)]
        self._draw = draw
        self._counts = counts
        self._failed = failed
        self._replies: list[Reply] = []
        self._due = 0.0

    def frame(self, now: float) -> None:
        """Read what is new; now and then say something, and drop an answer."""
        for reply in self._replies:
            reply.take()
            if reply.done:
                self._counts["lines"] += 1
                if reply.error is not None and not isinstance(reply.error, _EXPECTED):
                    self._failed[type(reply.error).__name__] += 1
        self._replies = [reply for reply in self._replies if not reply.done]
        if now < self._due:
            return
        self._due = now + _LINE_EVERY_S
        self._replies.append(self._draw.choice(self._cast).say(self._draw.choice(_SAID)))
        if self._draw.random() < 0.15:
            self._counts["cancelled"] += 1
            self._draw.choice(self._replies).cancel()


class Scorer:
    """Scores without a pause, on a thread of its own, until `stop`.

    Attributes
    ----------
    done : int
        How many questions were answered.
    failed : Counter
        Errors by kind.
    """

    def __init__(self, scheduler: LlmScheduler, draw: random.Random) -> None:
        self.done = 0
        self.failed: Counter[str] = Counter()
        self._scheduler = scheduler
        self._draw = draw
        self._stopping = threading.Event()
        self._thread = Worker(self._run, name="soak-scorer")

    def stop(self) -> None:
        """Ask no more, and wait for the last answer."""
        self._stopping.set()
        self._thread.finish()

    def _run(self) -> None:
        while not self._stopping.is_set():
            request = ScoreRequest(
                messages=(
                    Message("system", _LORE),
                    Message("user", f"Day {self.done}: where to, and what for?"),
                ),
                continuations=tuple(
                    f"I {deed} at the {self._draw.choice(_PLACES)}." for deed in _DEEDS
                ),
                owner="judge",
            )
            try:
                asked = self._scheduler.score(request)
                if self._draw.random() < 0.1:
                    asked.cancel()
                asked.result()
                self.done += 1
            except _EXPECTED:
                self._stopping.wait(0.01)
            except Exception as error:  # noqa: BLE001 - told in the report
                self.failed[type(error).__name__] += 1
