"""Who a character is: name, role, voice, what they know about themselves, and how they change."""

from __future__ import annotations

from astraweave.persona.persona import Example, Persona
from astraweave.persona.state import BigFive, Cause, Mood, Outcome, PersonaState, Relationship

__all__ = [
    "BigFive",
    "Cause",
    "Example",
    "Mood",
    "Outcome",
    "Persona",
    "PersonaState",
    "Relationship",
]
