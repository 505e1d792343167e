"""What changes about a character: mood, and how it stands to each of the others.

Values only; how outcomes move them stands in `astraweave.persona.evolution`.
"""

from __future__ import annotations

import msgspec

__all__ = ["BigFive", "Cause", "Mood", "Outcome", "PersonaState", "Relationship"]


class BigFive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A temperament, each trait from 0 to 1 (Goldberg 1993); 0.5 is like most people.

    It decides what mood a character comes to rest in, and how strongly things move it.
    """

    openness: float = 0.5
    conscientiousness: float = 0.5
    extraversion: float = 0.5
    agreeableness: float = 0.5
    neuroticism: float = 0.5


class Mood(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feeling as a point of three axes, each from -1 to 1 (Mehrabian and Russell 1974).

    Attributes
    ----------
    valence : float
        From miserable to happy.
    arousal : float
        From calm to excited.
    dominance : float
        From at others' mercy to in command.
    """

    valence: float = 0.0
    arousal: float = 0.0
    dominance: float = 0.0


class Relationship(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a character stands to one other; trust, affinity and respect from -1 to 1, fear from 0 to 1."""  # noqa: E501

    trust: float = 0.0
    affinity: float = 0.0
    respect: float = 0.0
    fear: float = 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened and that a character takes to heart.

    Attributes
    ----------
    kind : str
        What sort of thing: ``"helped"``, ``"insulted"``, ``"betrayed"``... (see `OUTCOMES`).
    by : str
        Id of who did it; empty: nobody in particular.
    text : str
        It as a sentence in the third person ("the player returned Tam's hammer"), from which the
        character will say why it feels as it does.
    weight : float
        How much of it, 0 to 1.
    game_time : float
        When, in seconds.
    memory : int
        Id of the memory of it; 0: there is none.
    """

    kind: str
    by: str = ""
    text: str = ""
    weight: float = 1.0
    game_time: float = 0.0
    memory: int = 0


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outcome together with what it did: the answer to "why are you angry?"."""

    outcome: Outcome
    mood: Mood
    """By how much the mood moved."""
    relationship: Relationship
    """By how much the relationship to `Outcome.by` moved."""


class PersonaState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about a character that changes, as of one moment. Immutable.

    Attributes
    ----------
    mood : Mood
        As it was at `at`; it has been going back to the temperament since.
    at : float
        Game time in seconds.
    relationships : dict of str to Relationship
        By the other's id; who is not there is a stranger.
    causes : tuple of Cause
        What moved it lately, oldest first.
    """

    mood: Mood = Mood()
    at: float = 0.0
    relationships: dict[str, Relationship] = {}
    causes: tuple[Cause, ...] = ()

    def towards(self, other: str) -> Relationship:
        """How the character stands to somebody; neutral to a stranger."""
        return self.relationships.get(other, Relationship())
