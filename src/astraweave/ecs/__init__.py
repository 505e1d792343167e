"""Components for games built on entities; ids and views, while the World owns the state."""

from __future__ import annotations

from astraweave.ecs.components import (
    CConversationHistory,
    CDialogueState,
    CMemoryStore,
    CPersonaLlm,
)
from astraweave.ecs.esper import dialogue_processor
from astraweave.ecs.system import DialogueSystem

__all__ = [
    "CConversationHistory",
    "CDialogueState",
    "CMemoryStore",
    "CPersonaLlm",
    "DialogueSystem",
    "dialogue_processor",
]
