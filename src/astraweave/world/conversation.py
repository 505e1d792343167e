"""From what was said to what is answered: the road of one line, on the runtime's threads.

Everything here runs on the runtime's loop, except what blocks (memory, embedding, the database),
which runs in order on its second thread. Nothing here touches the game's thread but through `post`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from astraweave.context import ConversationHistory, Turn
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.core.text import CleanText
from astraweave.core.worldview import WorldView
from astraweave.dialogue import (
    DialogueGenerator,
    LineReport,
    Situation,
    memory_text,
)
from astraweave.dialogue.gathering import Recall, gather
from astraweave.llm import Priority
from astraweave.observability import Telemetry
from astraweave.persona import Persona
from astraweave.rag import Memory, Retrieved
from astraweave.world.keeper import Keeper, SavedWorld, SpokenLine, stream_of
from astraweave.world.reply import Reply
from astraweave.world.runtime import Runtime
from astraweave.world.warmup import WarmUps

__all__ = ["Conversations", "Mind", "Utterance"]

RETRIEVED = 16
"""Memories that a line may draw on; the composer ranks them again."""

_IN_VIEW = 20
"""Turns of the conversation that a line may see."""


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
    priority: Priority = "high"


class Conversations:
    """Answers utterances. One a world; its coroutine runs on the runtime's loop."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        generator: DialogueGenerator,
        keeper: Keeper,
        warm_ups: WarmUps,
        view: WorldView,
        clock: Clock,
        rng: RandomStreams,
        telemetry: Telemetry,
        post: Callable[[Callable[[], None], Priority], None],
    ) -> None:
        self._runtime = runtime
        self._generator = generator
        self._keeper = keeper
        self._warm_ups = warm_ups
        self._view = view
        self._clock = clock
        self._rng = rng
        self._telemetry = telemetry
        self._post = post

    async def answer(self, mind: Mind, said: Utterance, reply: Reply) -> LineReport:
        """Speak one line into `reply`; the caller ends the reply when this coroutine has ended."""
        with self._warm_ups.paused(mind.id):
            async with mind.speaking:
                report = await self._speak(mind, said, reply)
        self.warm_up(mind)  # while the player reads
        return report

    def warm_up(self, mind: Mind) -> None:
        """Have the model read what is known of the character's next prompt; on the loop."""
        self._warm_ups.add(
            mind.id, lambda: self._generator.warm_up(mind.persona, mind.history.recent(_IN_VIEW))
        )

    async def _speak(self, mind: Mind, said: Utterance, reply: Reply) -> LineReport:
        telemetry, now = self._telemetry, self._now(mind)
        earlier = mind.history.recent(6)
        with telemetry.span("dialogue.retrieve"):
            memories = await self._runtime.block(
                gather, said.text.text, earlier, self._recall(mind, said, now), k=RETRIEVED
            )
        line = self._generator.begin(
            self._situation(mind, said, memories, now),
            deadline_s=max(0.0, said.deadline_s - self._elapsed_ms(said) / 1e3),
            priority=said.priority,
            valid_while=self._while_it_lasts(),
        )
        try:
            async for clause in line:
                elapsed = self._elapsed_ms(said)
                self._post(partial(reply._show, clause, elapsed), said.priority)
        finally:
            self._write_down(mind, said, now, self._heard(said, earlier), line.text)
        telemetry.count("lines")
        return line.report

    def _recall(self, mind: Mind, said: Utterance, now: float) -> Recall:
        """How this character's memories are reached; used on the second thread."""
        keeper, owner = self._keeper, mind.id
        world = self._view.snapshot()
        speakers = {said.speaker, *keeper.store.speakers(owner)}
        known = {key: world.entities[key].name for key in speakers if key in world.entities}
        return Recall(
            search=lambda query, k: keeper.retrieve(
                query, owner=owner, k=k, speaker=said.speaker, now=now
            ),
            everything=lambda: keeper.store.for_owner(owner),
            asker=said.speaker,
            listener=owner,
            names={**known, owner: mind.persona.name},
            now=now,
        )

    def _while_it_lasts(self) -> Callable[[], bool]:
        """Whether the moment of now is still in the past: no world closed, no older save loaded."""
        began = self._clock.now()
        return lambda: not self._runtime.closed and self._clock.now() >= began

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
            history=tuple(mind.history.recent(_IN_VIEW)),
            memories=tuple(memories),
            world=world,
            now=now,
            rng=self._rng[stream_of(mind.id)],
        )

    def _heard(self, said: Utterance, earlier: Sequence[Turn]) -> str:
        """What of an utterance to remember: what it means, or else what it says."""
        try:
            return memory_text(said.text.text, earlier)
        except Exception:  # noqa: BLE001 - a sentence that cannot be read must not be lost
            self._telemetry.count("dialogue.unread")
            return said.text.text

    def _write_down(self, mind: Mind, said: Utterance, now: float, heard: str, spoken: str) -> None:
        """Keep what was heard and said, also of a line that was cut off; nobody waits for it.

        The second thread works in order: the character's next line, and a save after this one,
        find it done.
        """
        then = max(now, self._clock.now())
        turns = [Turn(role="user", speaker=said.speaker, text=said.text.text, game_time=now)]
        memories = [
            Memory(
                owner=mind.id, text=heard, speaker=said.speaker, addressee=mind.id, game_time=now
            )
        ]
        if spoken:
            turns.append(Turn(role="assistant", speaker=mind.id, text=spoken, game_time=then))
            memories.append(
                Memory(
                    owner=mind.id,
                    text=spoken,
                    speaker=mind.id,
                    addressee=said.speaker,
                    game_time=then,
                )
            )
        for turn in turns:
            mind.history.append(turn)
        self._keeper.slot.journal.record(
            "line", {"npc": mind.id, "heard": said.text.text, "spoken": spoken}
        )
        self._runtime.blocking.post(
            self._keeper.keep_line,
            SpokenLine(
                npc=mind.id,
                turns=tuple(turns),
                memories=tuple(memories),
                random=self._rng[stream_of(mind.id)].getstate(),
                world=SavedWorld(seed=self._rng.seed, now=self._clock.now()),
            ),
        )

    def _now(self, mind: Mind) -> float:
        """Game time; where the game has put its clock back, the time of the last turn."""
        last = mind.history.recent(1)
        return max(self._clock.now(), last[0].game_time if last else -math.inf)

    def _elapsed_ms(self, said: Utterance) -> float:
        return (self._clock.monotonic() - said.asked_at) * 1e3
