"""What an action does to the world, and how far each origin of a call is trusted."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

import msgspec

__all__ = ["Effect", "Origin", "TrustPolicy"]


class Effect(IntEnum):
    """What an action does, the gravest last."""

    READ = 0
    """It looks something up; nobody notices."""
    SPEAK = 1
    """It says or shows something to somebody."""
    MOVE = 2
    """It moves the actor."""
    CHANGE = 3
    """It changes the world, and another action can change it back."""
    IRREVERSIBLE = 4
    """Nothing brings back what it takes."""


class Origin(StrEnum):
    """Whose wish a call, or one argument of it, goes back to; the most trusted first."""

    AUTHOR = "author"
    """The game's own script."""
    WORLD = "world"
    """The simulation: a schedule, a behaviour tree, the director."""
    CHARACTER = "character"
    """A character's own decision, made by a model."""
    PLAYER = "player"
    """Text that a player wrote."""
    DATA = "data"
    """Text that a tool read: a web page, a file, another game's message."""


_ORDER = {origin: rank for rank, origin in enumerate(Origin)}


class TrustPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gravest effect that each origin may have. Immutable.

    Examples
    --------
    >>> TrustPolicy().allows(Origin.CHARACTER, Effect.CHANGE)
    True
    >>> TrustPolicy().allows(Origin.DATA, Effect.SPEAK)
    False
    """

    author: Effect = Effect.IRREVERSIBLE
    world: Effect = Effect.IRREVERSIBLE
    character: Effect = Effect.CHANGE
    player: Effect = Effect.SPEAK
    data: Effect = Effect.READ

    def limit(self, origin: Origin) -> Effect:
        """The gravest effect that this origin may have."""
        return Effect(getattr(self, origin.value))

    def allows(self, origin: Origin, effect: Effect) -> bool:
        """Whether a call of this origin may have this effect."""
        return effect <= self.limit(origin)

    @staticmethod
    def least(origins: Iterable[Origin]) -> Origin:
        """The least trusted of them: a chain is as strong as its weakest link."""
        return max(origins, key=_ORDER.__getitem__)
