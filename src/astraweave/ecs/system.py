"""The polling system: once a frame it ticks the world and brings every component up to date."""

from __future__ import annotations

from collections.abc import Iterable

from astraweave.ecs.components import (
    CConversationHistory,
    CDialogueState,
    CMemoryStore,
    CPersonaLlm,
)
from astraweave.ecs.protocols import Feeler, Rememberer, Speakers
from astraweave.persona import PersonaState, feeling, stance

__all__ = ["DialogueSystem"]

Row = tuple[CPersonaLlm, CDialogueState | None, CConversationHistory | None, CMemoryStore | None]


class DialogueSystem:
    """Runs on the game's thread, in any entity system.

    Parameters
    ----------
    world : World
        Whose characters the components name.
    budget_us : float
        Time that a tick may take, in microseconds.
    """

    def __init__(self, world: Speakers, *, budget_us: float = 500.0) -> None:
        self.world = world
        self.budget_us = budget_us

    def run(self, rows: Iterable[Row]) -> None:
        """Tick, then update the components of each row; None where an entity lacks one."""
        self.world.tick(self.budget_us)
        for persona, dialogue, history, memory in rows:
            if dialogue is not None:
                _poll(dialogue, persona.npc)
            npc = self.world.npc(persona.npc)
            if isinstance(npc, Feeler):
                _feel(persona, npc.state)
            if history is not None:
                history.turns = npc.history
            if memory is not None:
                memory.count = npc.memory_count
                if isinstance(npc, Rememberer):
                    memory.capacity = npc.memory_capacity
                    memory.strongest = npc.strongest_memories


def _feel(persona: CPersonaLlm, state: PersonaState) -> None:
    persona.mood = state.mood
    persona.feeling = feeling(state.mood)
    persona.relationship = state.towards(persona.towards)
    persona.stance = stance(state, persona.towards).name


def _poll(state: CDialogueState, npc: str) -> None:
    if state.group is not None:
        _find_own(state, npc)
    line = state.reply
    if line is None:
        state.new_text, state.text, state.speaking = "", "", False
        state.act, state.plan, state.speaks_to, state.interrupted = "", None, "", False
        return
    state.new_text = line.take()
    state.text = line.text
    state.speaking = not line.done
    state.plan = line.plan
    state.act = line.plan.act if line.plan is not None else ""
    state.speaks_to = line.plan.addressee if line.plan is not None else line.speaker
    state.interrupted = line.interrupted


def _find_own(state: CDialogueState, npc: str) -> None:
    """Of what is said in the group, take up what this character says."""
    assert state.group is not None, "asked for where there is a group"
    replies = state.group.replies
    state.company = tuple(reply.npc for reply in replies if reply.npc != npc)
    state.reply = next((reply for reply in replies if reply.npc == npc), None)
