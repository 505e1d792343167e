"""Components: plain data for any entity system. The World owns the state; these are views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astraweave.context import Turn
from astraweave.ecs.protocols import SpokenLine

__all__ = ["CConversationHistory", "CDialogueState", "CMemoryStore", "CPersonaLlm"]


@dataclass(slots=True)
class CPersonaLlm:
    """Marks an entity as a character that talks.

    Attributes
    ----------
    npc : str
        Its id in the world.
    """

    npc: str


@dataclass(slots=True)
class CConversationHistory:
    """The latest turns of its conversations, oldest first; written by `DialogueSystem`."""

    turns: Sequence[Turn] = ()


@dataclass(slots=True)
class CMemoryStore:
    """How much it remembers; written by `DialogueSystem`."""

    count: int = 0


@dataclass(slots=True)
class CDialogueState:
    """What it is saying; written by `DialogueSystem`, but for `reply`.

    Attributes
    ----------
    reply : Reply or None
        Put the result of ``npc.say(...)`` here.
    new_text : str
        Text that came since the last run of the system.
    text : str
        The line so far.
    speaking : bool
        Whether more may come.
    """

    reply: SpokenLine | None = None
    new_text: str = ""
    text: str = ""
    speaking: bool = False
