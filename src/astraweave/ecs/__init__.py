"""Components for games built on entities; ids and views, while the World owns the state."""

from __future__ import annotations

from astraweave.ecs.components import (
    CConversationHistory,
    CDialogueState,
    CMemoryStore,
    CPersonaLlm,
    CThought,
)
from astraweave.ecs.esper import dialogue_processor, thought_processor
from astraweave.ecs.system import DialogueSystem
from astraweave.ecs.thoughts import ThoughtSystem

__all__ = [
    "CConversationHistory",
    "CDialogueState",
    "CMemoryStore",
    "CPersonaLlm",
    "CThought",
    "DialogueSystem",
    "ThoughtSystem",
    "dialogue_processor",
    "thought_processor",
]
