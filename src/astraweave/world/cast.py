"""What the runtime keeps of each character while they talk, and what passes between them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from astraweave.context import ConversationHistory
from astraweave.core.text import CleanText
from astraweave.dialogue import Answered, Line
from astraweave.llm import Priority
from astraweave.persona import Persona
from astraweave.world.reply import Reply

__all__ = ["ALONE", "Company", "Heard", "Live", "Mind", "Utterance"]


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Mind:
    """What the runtime keeps of one character."""

    id: str
    persona: Persona
    history: ConversationHistory
    speaking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One line at a time; the next utterance waits until this one is answered."""
    kept: asyncio.Event = field(default_factory=_set_event)
    """Set when the game's thread has taken the line before: this one can remember it then."""
    live: Live | None = None
    """The line that is spoken now, or was spoken last."""
    unsaid: str = ""
    """The rest of a line in which the character was interrupted."""


@dataclass(slots=True)
class Live:
    """A line that is spoken now, or was spoken last."""

    reply: Reply
    line: Line | None = None
    cut: str | None = None
    """What was heard of it, once it was broken off."""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Company:
    """Who else is there when something is said, and what they have said to it."""

    present: tuple[str, ...] = ()
    addressed: bool = True
    answered: tuple[Answered, ...] = ()
    knower: str = ""


ALONE = Company()


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that reached a character's ears, or that it said itself."""

    speaker: str
    text: str
    addressee: str = ""
    at: float | None = None
    """Game time in seconds; None: now."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said to a character."""

    text: CleanText
    speaker: str
    asked_at: float
    """Machine time."""
    deadline_s: float
    priority: Priority = "high"
