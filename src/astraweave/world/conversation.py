"""From what was said to what is answered: the road of one line, on the runtime's threads.

Everything here runs on the runtime's loop, except what blocks (memory, embedding, the database),
which runs in order on its second thread. Nothing here touches the game's thread but through `post`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from astraweave.context import ConversationHistory, Turn
from astraweave.core.protocols import Clock, Journal
from astraweave.core.rng import RandomStreams
from astraweave.core.text import CleanText
from astraweave.core.worldview import WorldView
from astraweave.dialogue import (
    DialogueGenerator,
    LineReport,
    Situation,
    memory_text,
    retrieval_query,
)
from astraweave.observability import Telemetry
from astraweave.persona import Persona
from astraweave.rag import RagPipeline, Retrieved
from astraweave.world.reply import Reply
from astraweave.world.runtime import Runtime

__all__ = ["Conversations", "Mind"]

RETRIEVED = 16
"""Memories that a line may draw on; the composer ranks them again."""


@dataclass(slots=True)
class Mind:
    """What the runtime keeps of one character."""

    id: str
    persona: Persona
    history: ConversationHistory
    speaking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One line at a time; the next utterance waits until this one is answered."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said to a character."""

    text: CleanText
    speaker: str
    asked_at: float
    """Machine time."""
    deadline_s: float


class Conversations:
    """Answers utterances. One a world; its coroutine runs on the runtime's loop."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        generator: DialogueGenerator,
        rag: RagPipeline,
        view: WorldView,
        clock: Clock,
        rng: RandomStreams,
        journal: Journal,
        telemetry: Telemetry,
        post: Callable[[Callable[[], None]], None],
        keep: Callable[[Mind, tuple[Turn, ...]], None],
    ) -> None:
        self._runtime = runtime
        self._generator = generator
        self._rag = rag
        self._view = view
        self._clock = clock
        self._rng = rng
        self._journal = journal
        self._telemetry = telemetry
        self._post = post
        self._keep = keep

    async def answer(self, mind: Mind, said: Utterance, reply: Reply) -> LineReport:
        """Speak one line into `reply`; the caller ends the reply when this coroutine has ended."""
        async with mind.speaking:
            return await self._speak(mind, said, reply)

    async def _speak(self, mind: Mind, said: Utterance, reply: Reply) -> LineReport:
        telemetry, now = self._telemetry, self._clock.now()
        earlier = mind.history.recent(6)
        query = retrieval_query(said.text.text, earlier)
        keep = memory_text(said.text.text, earlier)
        with telemetry.span("dialogue.retrieve"):
            memories = await self._runtime.block(
                self._rag.retrieve, query, owner=mind.id, k=RETRIEVED, speaker=said.speaker, now=now
            )
        heard = Turn(role="user", speaker=said.speaker, text=said.text.text, game_time=now)
        line = self._generator.begin(
            self._situation(mind, said, memories, now),
            deadline_s=max(0.0, said.deadline_s - self._elapsed_ms(said) / 1e3),
        )
        try:
            async for clause in line:
                elapsed = self._elapsed_ms(said)
                self._post(partial(reply._show, clause, elapsed))
        finally:
            spoken = Turn(
                role="assistant", speaker=mind.id, text=line.text, game_time=self._clock.now()
            )
            turns = (heard, spoken) if line.text else (heard,)
            for turn in turns:
                mind.history.append(turn)
            self._journal.record(
                "line", {"npc": mind.id, "heard": heard.text, "spoken": spoken.text}
            )
            await asyncio.shield(
                self._runtime.block(self._remember, mind, turns, said.speaker, keep)
            )
        telemetry.count("lines")
        return line.report

    def _situation(
        self, mind: Mind, said: Utterance, memories: list[Retrieved], now: float
    ) -> Situation:
        world = self._view.snapshot()
        known = world.entities.get(said.speaker)
        return Situation(
            persona=mind.persona,
            speaker=said.speaker,
            speaker_name=known.name if known else "",
            utterance=said.text,
            history=tuple(mind.history.recent(20)),
            memories=tuple(memories),
            world=world,
            now=now,
            rng=self._rng[f"dialogue/{mind.id}"],
        )

    def _remember(self, mind: Mind, turns: tuple[Turn, ...], listener: str, heard: str) -> None:
        """Write down what was heard and said; on the second thread."""
        for turn in turns:
            self._rag.remember(
                heard if turn.role == "user" else turn.text,
                owner=mind.id,
                speaker=turn.speaker,
                addressee=mind.id if turn.role == "user" else listener,
                game_time=turn.game_time,
                embed=True,
            )
        self._keep(mind, turns)

    def _elapsed_ms(self, said: Utterance) -> float:
        return (self._clock.monotonic() - said.asked_at) * 1e3
