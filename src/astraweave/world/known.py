"""What the characters of a World know and feel, as a game tells and asks it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from astraweave.context import Turn
from astraweave.core.protocols import Clock
from astraweave.core.worldview import WorldView
from astraweave.errors import InputError, UsageError
from astraweave.persona import (
    OUTCOMES,
    Explanation,
    Outcome,
    PersonaState,
    explain,
    state_at,
)
from astraweave.rag import Memory, Retrieved, checked_memory
from astraweave.rag.scopes import AUTHOR, WORLD, check_scope, is_scope
from astraweave.world.cast import Mind
from astraweave.world.kept import Kept
from astraweave.world.npc import Npc

__all__ = ["Known"]


class Known(Kept):
    """The part of a `World` that concerns what its characters know; not for use by itself."""

    view: WorldView
    clock: Clock
    _minds: dict[str, Mind]

    def note(
        self,
        text: str,
        scope: str = WORLD,
        *,
        importance: float = 0.5,
        tags: Sequence[str] = (),
        speaker: str = "",
    ) -> None:
        """Let everybody inside a scope know something; returns at once.

        Who is inside is asked whenever somebody remembers: who leaves a town does not know its
        talk any more, who comes hears of it.

        Parameters
        ----------
        text : str
            What there is to know, as a sentence in the third person.
        scope : str
            ``"@world"``, ``"@town:ID"``, ``"@faction:ID"``, or ``"@author"``, which no character
            ever knows.
        importance : float
            How much it matters, 0 to 1.
        tags : sequence of str
            The game's own words for it.
        speaker : str
            Id of whose words they are; empty: nobody's.

        Raises
        ------
        InputError
            There is no such scope, or the text is empty, too long or broken.
        """
        check_scope(scope)
        self._tell(
            Memory(owner=scope, text=text, importance=importance, tags=tuple(tags), speaker=speaker)
        )

    def share(self, memory: Memory | Retrieved, to: Npc | str, *, by: Npc | str = "") -> None:
        """Let a character, or a scope, know what another one remembers; returns at once.

        It is a copy that says where it came from (`Memory.provenance`), and lives a life of its
        own. What `to` was told before is not told again.

        Parameters
        ----------
        memory : Memory or Retrieved
            What is told.
        to : Npc or str
            Who knows it from now on: a character or a scope.
        by : Npc or str
            Who tells it; by default whoever remembers it.

        Raises
        ------
        InputError
            Nobody in the game may know it, `to` remembers it already, or is nobody.
        """
        self._check()
        told = memory.memory if isinstance(memory, Retrieved) else memory
        to, by = (one.id if isinstance(one, Npc) else one for one in (to, by))
        if AUTHOR in (told.owner, to):
            raise InputError(f"what is {AUTHOR!r} stays there", id=told.id)
        if to == told.owner:
            raise InputError(f"{to!r} remembers {told.id} already: it is theirs", id=told.id)
        if is_scope(to):
            check_scope(to)
        else:
            self._mind(to)
        if not told.id:
            raise InputError("only what somebody remembers can be told", text=told.text)
        self._timeline.happen(self._keeper.share, told, to, by or told.owner)

    # What characters ask of their world.

    def _feel(self, npc: str, outcome: Outcome) -> None:
        self._check()
        self._mind(npc)
        OUTCOMES.rule(outcome.kind)  # here, where the game can be told
        if not 0.0 <= outcome.weight <= 1.0:
            raise InputError(f"a weight is from 0 to 1, not {outcome.weight}", field="weight")
        if outcome.text:
            checked_memory(Memory(owner=npc, text=outcome.text))
        dated = msgspec.structs.replace(outcome, game_time=self.clock.now())
        self._timeline.happen(self._keeper.undergo, npc, dated)

    def _state_of(self, npc: str) -> PersonaState:
        self._check()
        persona, now = self._mind(npc).persona, self.clock.now()
        state = self._keeper.mind(persona, now)
        return state_at(persona, state, max(now, state.at))

    def _why(self, npc: str, question: str, about: str) -> Explanation:
        state = self._state_of(npc)
        entities = self.view.snapshot().entities
        others = {each.outcome.by for each in state.causes} | set(state.relationships)
        names = {other: entities[other].name for other in others if other in entities}
        return explain(self._mind(npc).persona, state, question, about=about, names=names)

    def _tell(self, memory: Memory) -> None:
        self._check()
        dated = checked_memory(msgspec.structs.replace(memory, game_time=self.clock.now()))
        self._timeline.happen(self._keeper.remember, dated, importance=dated.importance, why="told")

    def _recall(self, npc: str, query: str, k: int) -> list[Retrieved]:
        self._check()
        now = self.clock.now()
        return self._block(self._keeper.memories.retrieve, query, owner=npc, k=k, now=now)

    def _memory(self, npc: str, memory_id: int) -> Memory | None:
        self._check()
        return self._block(self._keeper.memories.known, npc, memory_id)

    def _strength(self, memory_id: int) -> float:
        self._check()
        now = self.clock.now()
        return self._block(self._keeper.memories.life.strength, memory_id, now)

    def _memory_count(self, npc: str) -> int:
        return self._keeper.memories.count(npc)

    def _memory_capacity(self) -> int:
        return self._keeper.memories.life.settings.max_memories

    def _strongest(self, npc: str) -> tuple[int, ...]:
        memories = self._keeper.memories
        found = memories.strongest(npc)
        if found is None and memories.count(npc):
            self._runtime.blocking.post(memories.rank, npc)  # nobody has asked before
        return found or ()

    def _turns(self, npc: str) -> Sequence[Turn]:
        return tuple(self._mind(npc).history.recent(20))

    def _mind(self, npc: str) -> Mind:
        mind = self._minds.get(npc)
        if mind is None:
            raise UsageError(
                f"the save that was loaded knows no {npc!r}: add the character again", npc=npc
            )
        return mind
