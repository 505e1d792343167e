"""From what was said to what is answered: the road of one line, on the runtime's threads.

Everything here runs on the runtime's loop, except what blocks (memory, embedding, the database),
which runs in order on its second thread. Nothing here touches the game's thread but through `post`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from astraweave.context import Turn
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.core.worldview import WorldView
from astraweave.dialogue import (
    DialogueGenerator,
    Line,
    LinePlan,
    LineReport,
    Situation,
    memory_text,
)
from astraweave.dialogue.gathering import Recall, gather
from astraweave.dialogue.language.words import sentences
from astraweave.dialogue.moves.reserve import SECRET, confided
from astraweave.llm import Priority
from astraweave.observability import Telemetry
from astraweave.persona import Outcome
from astraweave.rag import GameCalendar, Memory, Retrieved
from astraweave.rag.salience import is_question
from astraweave.world.cast import ALONE, Company, Heard, Live, Mind, Utterance
from astraweave.world.keeper import Keeper, SpokenLine, stream_of
from astraweave.world.minds import Exchange, Minds
from astraweave.world.reply import Reply
from astraweave.world.runtime import Runtime
from astraweave.world.sittings import last_met
from astraweave.world.timeline import Timeline
from astraweave.world.warmup import WarmUps

__all__ = ["Conversations"]

RETRIEVED = 16
"""Memories that a line may draw on; the composer ranks them again."""

_IN_VIEW = 60
"""Turns of the conversation that a line may see: twenty lines of the character are among them."""


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
        timeline: Timeline,
        minds: Minds,
        calendar: GameCalendar,
    ) -> None:
        self._runtime = runtime
        self._generator = generator
        self._keeper = keeper
        self._warm_ups = warm_ups
        self._view = view
        self.clock = clock
        self._rng = rng
        self._telemetry = telemetry
        self.post = post
        self._timeline = timeline
        self._minds = minds
        self._calendar = calendar

    async def answer(self, mind: Mind, said: Utterance, reply: Reply) -> LineReport:
        """Speak one line into `reply`; the caller ends the reply when this coroutine has ended."""
        with self._warm_ups.paused(mind.id):
            async with mind.speaking:
                now = self._now(mind)
                situation = await self.situation(mind, said)
                line: Line | None = None
                try:
                    line = self.begin(situation, said)
                    await self.speak(mind, line, said, reply)
                finally:
                    self._write_down(mind, said, now, line)
        self.warm_up(mind)  # while the player reads
        return line.report

    async def plan(self, mind: Mind, said: Utterance) -> LinePlan:
        """What a line would do and say; nothing is said, remembered or drawn."""
        async with mind.speaking:
            situation = await self.situation(mind, said)
            dice = RandomStreams(0)["plan"]  # draws what the real line would draw
            dice.setstate(situation.rng.getstate())
            return self._generator.plan(msgspec.structs.replace(situation, rng=dice))

    def warm_up(self, mind: Mind) -> None:
        """Have the model read what is known of the character's next prompt; on the loop."""
        self._warm_ups.add(
            mind.id, lambda: self._generator.warm_up(mind.persona, mind.history.recent(_IN_VIEW))
        )

    # -- the parts of a line ----------------------------------------------------------------------

    async def situation(self, mind: Mind, said: Utterance, company: Company = ALONE) -> Situation:
        """Everything that a character's next line may depend on."""
        await mind.kept.wait()
        now = self._now(mind)
        earlier = mind.history.recent(6)
        with self._telemetry.span("dialogue.retrieve"):
            memories, lately, overturned = await self._runtime.block(
                self._remembered, mind, said, earlier, now
            )
        world = self._view.snapshot()
        ids = {said.speaker, *company.present, *(m.speaker for m in lately)} - {"", mind.id}
        names = {i: e.name for i in sorted(ids) if (e := world.entities.get(i)) is not None}
        return Situation(
            persona=mind.persona,
            speaker=said.speaker,
            speaker_name=names.get(said.speaker, ""),
            utterance=said.text,
            history=mind.history.recent(_IN_VIEW),
            memories=tuple(memories),
            lately=tuple(lately),
            world=world,
            now=now,
            rng=self._rng[stream_of(mind.id)],
            last_met=last_met(mind.history, said.speaker, now),
            names=names,
            mind=self._minds.state(mind.persona, now),
            present=company.present,
            addressed=company.addressed,
            answered=company.answered,
            knower=company.knower,
            unsaid=mind.unsaid,
            overturned=tuple(overturned),
            calendar=self._calendar,
        )

    def begin(self, situation: Situation, said: Utterance) -> Line:
        """Begin a line in a situation."""
        return self._generator.begin(
            situation,
            deadline_s=max(0.0, said.deadline_s - self._elapsed_ms(said) / 1e3),
            priority=said.priority,
            valid_while=self._while_it_lasts(),
        )

    async def speak(self, mind: Mind, line: Line, said: Utterance, reply: Reply) -> None:
        """Speak a line into a reply, until it ends or is broken off."""
        mind.live = live = Live(reply, line)
        try:
            async for clause in line:
                elapsed = self._elapsed_ms(said)
                self.post(partial(reply._show, clause, elapsed, line.plan), said.priority)
        finally:
            live.ended = True
        self._telemetry.count("lines")

    def cut(self, mind: Mind, reply: Reply, heard: str, cancel: Callable[[], object]) -> None:
        """Break a line off, or shorten one that has ended, to what was heard of it; on the loop."""
        live = mind.live
        if live is None or live.reply is not reply or live.cut is not None:
            return
        live.cut = heard
        if not live.ended:
            cancel()
            return
        whole = live.line.text if live.line is not None else ""
        last = mind.history.recent(1)
        if not last or last[0].role != "assistant" or last[0].text != whole or heard == whole:
            return  # somebody has spoken since
        mind.history.cut_last(heard)
        mind.unsaid = _rest(live)
        self._timeline.finished(
            partial(_cut, self._timeline, self._keeper, mind.id, whole, heard, mind.unsaid), "high"
        )

    @staticmethod
    def heard_of(mind: Mind, line: Line) -> str:
        """What was heard of a line that has just been spoken."""
        live = mind.live
        if live is None or live.line is not line:
            return ""
        return line.text if live.cut is None else live.cut

    def _remembered(
        self, mind: Mind, said: Utterance, earlier: Sequence[Turn], now: float
    ) -> tuple[list[Retrieved], list[Memory], list[Memory]]:
        """What an utterance brings back, what was learned lately, and what is so no longer.

        On the second thread.
        """
        found = gather(said.text.text, earlier, self._recall(mind, said, now), k=RETRIEVED)
        overturned: list[Memory] = []
        if not is_question(said.text.text):
            told = self._memory(mind, Heard(said.speaker, said.text.text, mind.id, now), now)
            overturned = self._keeper.memories.overturned(told)
        return found, self._keeper.memories.lately(mind.id), overturned

    def _recall(self, mind: Mind, said: Utterance, now: float) -> Recall:
        """How this character's memories are reached; used on the second thread."""
        keeper, owner = self._keeper, mind.id
        world = self._view.snapshot()
        speakers = {said.speaker, *keeper.store.speakers(owner)}
        known = {key: world.entities[key].name for key in speakers if key in world.entities}
        return Recall(
            search=lambda query, k: keeper.memories.retrieve(
                query, owner=owner, k=k, speaker=said.speaker, now=now
            ),
            everything=lambda: keeper.store.for_owner(owner),
            asker=said.speaker,
            listener=owner,
            names={**known, owner: mind.persona.name},
            now=now,
            calendar=self._calendar,
        )

    def _while_it_lasts(self) -> Callable[[], bool]:
        """Whether the moment of now is still in the past: no world closed, no older save loaded."""
        began = self.clock.now()
        return lambda: not self._runtime.closed and self.clock.now() >= began

    def _write_down(self, mind: Mind, said: Utterance, now: float, line: Line | None) -> None:
        """Keep what was heard and said, also of a line that was broken off."""
        turns = [Heard(said.speaker, said.text.text, mind.id, now)]
        recalled: tuple[int, ...] = ()
        plan = None
        if line is not None and (spoken := self.heard_of(mind, line)):
            turns.append(Heard(mind.id, spoken, said.speaker))
            recalled, plan = line.memories, line.plan
        live = mind.live
        broken = live is not None and live.line is line and live.cut is not None
        unsaid = _rest(live) if broken and live is not None else ""
        if unsaid or (plan is not None and plan.act == "resume"):
            self._set_unsaid(mind, unsaid)
        self.keep(mind, turns, said.priority, recalled=recalled, plan=plan)

    def _set_unsaid(self, mind: Mind, unsaid: str) -> None:
        if mind.unsaid != unsaid:
            mind.unsaid = unsaid
            self._timeline.finished(
                partial(_put_unsaid, self._timeline, self._keeper, mind.id, unsaid), "high"
            )

    def keep(
        self,
        mind: Mind,
        heard: Sequence[Heard],
        priority: Priority,
        *,
        recalled: tuple[int, ...] = (),
        plan: LinePlan | None = None,
    ) -> None:
        """Keep what a character heard and said, as turns and memories; nobody waits for it.

        This is where a line becomes an event. The history that prompts are made from has it at
        once; the state of the world has it when the game's thread takes it, inside a tick.
        """
        turns: list[Turn] = []
        memories: list[Memory] = []
        exchanges: list[Exchange] = []
        for each in heard:
            own = each.speaker == mind.id
            last = mind.history.recent(1)
            at = self.clock.now() if each.at is None else each.at
            at = max(at, last[0].game_time if last else at)
            memories.append(self._memory(mind, each, at))
            turn = Turn(
                role="assistant" if own else "user",
                speaker=each.speaker,
                text=each.text,
                game_time=at,
            )
            mind.history.append(turn)
            turns.append(turn)
            if not own and each.addressee == mind.id:
                exchanges.append(
                    Exchange(
                        npc=mind.id,
                        speaker=each.speaker,
                        name=mind.persona.name,
                        heard=each.text,
                        plan=plan,
                        game_time=at,
                    )
                )
        line = SpokenLine(
            npc=mind.id,
            turns=tuple(turns),
            memories=tuple(memories),
            recalled=recalled,
            random=self._rng[stream_of(mind.id)].getstate(),
            exchanges=tuple(exchanges),
        )
        mind.kept.clear()
        felt = self._minds.after
        self._timeline.finished(
            # Nothing of the runtime in it: a world that nobody holds must be collected.
            partial(_keep, self._timeline, self._keeper, line, felt, self._runtime.loop, mind.kept),
            priority,
        )

    def _memory(self, mind: Mind, heard: Heard, at: float) -> Memory:
        text, tags = heard.text, tuple[str, ...]()
        if heard.speaker != mind.id:
            text = self._meant(heard.text, mind.history.recent(6))
            if confided(heard.text):
                tags = (SECRET,)
        return Memory(
            owner=mind.id,
            text=text,
            speaker=heard.speaker,
            addressee=heard.addressee,
            game_time=at,
            tags=tags,
        )

    def _meant(self, text: str, earlier: Sequence[Turn]) -> str:
        """What of an utterance to remember: what it means, or else what it says."""
        try:
            return memory_text(text, earlier)
        except Exception:  # noqa: BLE001 - a sentence that cannot be read must not be lost
            self._telemetry.count("dialogue.unread")
            return text

    def _now(self, mind: Mind) -> float:
        """Game time; where the game has put its clock back, the time of the last turn."""
        last = mind.history.recent(1)
        return max(self.clock.now(), last[0].game_time if last else -math.inf)

    def _elapsed_ms(self, said: Utterance) -> float:
        return (self.clock.monotonic() - said.asked_at) * 1e3


def _rest(live: Live) -> str:
    """What of a line was not heard, from the sentence on in which it was broken off."""
    whole = live.line.whole if live.line is not None else ""
    heard = live.cut or ""
    if not whole.startswith(heard) or heard == whole:
        return ""
    begun = 0
    for sentence in sentences(whole):
        end = whole.find(sentence, begun) + len(sentence)
        if end > len(heard):
            break
        begun = end
    return whole[begun:].strip()


def _keep(
    timeline: Timeline,
    keeper: Keeper,
    line: SpokenLine,
    felt: Callable[[Exchange], Outcome | None],
    loop: asyncio.AbstractEventLoop,
    kept: asyncio.Event,
) -> None:
    """Let a line happen; on the game's thread."""
    timeline.happen(keeper.keep_line, line, felt)
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(kept.set)


def _cut(timeline: Timeline, keeper: Keeper, npc: str, whole: str, heard: str, unsaid: str) -> None:
    """Let a line be broken off that had ended; on the game's thread."""
    timeline.happen(keeper.cut_line, npc, whole, heard)
    timeline.happen(keeper.put_unsaid, npc, unsaid)


def _put_unsaid(timeline: Timeline, keeper: Keeper, npc: str, unsaid: str) -> None:
    timeline.happen(keeper.put_unsaid, npc, unsaid)
