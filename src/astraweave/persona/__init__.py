"""Who a character is: name, role, voice, and what they know about themselves."""

from __future__ import annotations

from astraweave.persona.persona import Example, Persona

__all__ = ["Example", "Persona"]
