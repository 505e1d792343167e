"""What talk does to those who talk: from what was said to an outcome that moves somebody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from astraweave.dialogue import act_of
from astraweave.dialogue.sentiment import NEUTRAL, SentimentClassifier
from astraweave.embeddings import EmbeddingClient
from astraweave.persona import Outcome, Persona, PersonaState
from astraweave.world.minds import Exchange

__all__ = ["Feelings"]

_OUTCOMES: Mapping[str, tuple[str, float]] = {
    "insult": ("insulted", 0.6),
    "threat": ("threatened", 0.8),
    "praise": ("praised", 0.5),
    "thanks": ("thanked", 0.4),
    "apology": ("apologised", 0.6),
}
"""What was plainly heard, where the classifier is not sure of anything: kind and weight."""


_HARSH = frozenset(["insulted", "threatened"])
_HOSTILE = frozenset(["insult", "threat"])
_HARMLESS = frozenset(["praise", "thanks", "apology", "wellbeing", "greeting", "offer", "recap"])


def _at_odds(heard: str, outcome: str) -> bool:
    """Whether what was plainly heard cannot be what the classifier took it for.

    Nobody may be angry for what was answered as a kindness, nor pleased with an insult.
    """
    if outcome in _HARSH:
        return heard in _HARMLESS
    return heard in _HOSTILE


class Feelings:
    """The `Minds` of a world: moods and relationships move with what is said.

    Parameters
    ----------
    state : callable
        Looks a character's state up; from any thread.
    embedder : EmbeddingClient or None
        The world's; it is used on the second thread only.
    """

    def __init__(
        self,
        state: Callable[[Persona, float], PersonaState],
        embedder: EmbeddingClient | None = None,
    ) -> None:
        self._state = state
        self._classifier = SentimentClassifier(embedder)

    def state(self, persona: Persona, now: float) -> PersonaState:
        """How a character feels, and stands to the others."""
        return self._state(persona, now)

    def after(self, exchange: Exchange) -> Outcome | None:
        """What an utterance was to the one it was said to; None: nothing that moves anybody."""
        try:
            read = self._classifier.read(exchange.heard)
        except Exception:  # noqa: BLE001 - an embedder that fails, the game's own perhaps
            read = NEUTRAL
        outcome = read.outcome(
            exchange.speaker, game_time=exchange.game_time, memory=exchange.memory
        )
        # As it was heard by the one who answered: in their language, by their tables.
        heard = exchange.plan.heard if exchange.plan is not None else ""
        heard = heard or act_of(exchange.heard, exchange.name).kind
        if outcome is not None and not _at_odds(heard, outcome.kind):
            return outcome
        found = _OUTCOMES.get(heard)
        if found is None:
            return None
        kind, weight = found
        return Outcome(
            kind=kind,
            by=exchange.speaker,
            weight=weight,
            game_time=exchange.game_time,
            memory=exchange.memory,
        )
