"""What talk does to those who talk: from what was said to an outcome that moves somebody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from astraweave.dialogue import act_of
from astraweave.persona import Outcome, Persona, PersonaState
from astraweave.world.minds import Exchange

__all__ = ["Feelings"]

_OUTCOMES: Mapping[str, tuple[str, float, str]] = {
    "insult": ("insulted", 0.6, "{who} insulted {me}"),
    "threat": ("threatened", 0.8, "{who} threatened {me}"),
    "praise": ("praised", 0.5, "{who} praised {me}"),
    "thanks": ("thanked", 0.4, "{who} thanked {me}"),
    "apology": ("apologised", 0.6, "{who} apologised to {me}"),
}
"""What was heard, to what it is: kind, weight, and a sentence for "why are you angry?"."""


class Feelings:
    """The `Minds` of a world: moods and relationships move with what is said.

    Parameters
    ----------
    state : callable
        Looks a character's state up; from any thread.
    name_of : callable
        Name of an id, for sentences.
    """

    def __init__(
        self, state: Callable[[Persona, float], PersonaState], name_of: Callable[[str], str]
    ) -> None:
        self._state, self._name_of = state, name_of

    def state(self, persona: Persona, now: float) -> PersonaState:
        """How a character feels, and stands to the others."""
        return self._state(persona, now)

    def after(self, exchange: Exchange) -> Outcome | None:
        """What an utterance was to the one it was said to; None: nothing that moves anybody."""
        found = _OUTCOMES.get(act_of(exchange.heard, exchange.name).kind)
        if found is None:
            return None
        kind, weight, text = found
        return Outcome(
            kind=kind,
            by=exchange.speaker,
            text=text.format(who=self._name_of(exchange.speaker), me=exchange.name),
            weight=weight,
            game_time=exchange.game_time,
        )
