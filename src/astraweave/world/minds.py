"""How characters feel, as conversations see it: asked before a line, told of it afterwards."""

from __future__ import annotations

from typing import Protocol

import msgspec

from astraweave.dialogue import LinePlan
from astraweave.persona import Outcome, Persona, PersonaState

__all__ = ["Exchange", "Minds"]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A line that has ended, as whoever keeps the feelings needs it.

    Attributes
    ----------
    npc : str
        Who answered.
    speaker : str
        Id of who spoke to them.
    name : str
        Name of the one who answered.
    heard : str
        What was said.
    plan : LinePlan or None
        What the answer did; None: nothing was said.
    game_time : float
        In seconds.
    memory : int
        Id of the memory of what was heard; 0: not known.
    """

    npc: str
    speaker: str
    name: str = ""
    heard: str
    plan: LinePlan | None = None
    game_time: float = 0.0
    memory: int = 0


class Minds(Protocol):
    """Keeps how characters feel."""

    def state(self, persona: Persona, now: float) -> PersonaState:
        """How a character feels, and stands to the others; called on the runtime's loop."""
        ...

    def after(self, exchange: Exchange) -> Outcome | None:
        """What an exchange was to the one who answered; None: nothing that moves anybody.

        Called on the second thread, which may block.
        """
        ...
