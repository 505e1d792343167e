"""What a line will say, decided before any model is asked; and how it begins."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from astraweave.dialogue.acts import Act
from astraweave.dialogue.answer import Answer
from astraweave.dialogue.tone import Tone

__all__ = ["LinePlan", "Plan", "PlannedFact"]


class PlannedFact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a line will say.

    Attributes
    ----------
    text : str
        As it is remembered or known.
    retold : str
        The same as the character would say it to the addressee, without capital and full stop;
        empty where it is not said back.
    memory : int
        Id of the memory; 0: it is known from elsewhere (the persona, the world, just now).
    teller : str
        Id of who told it; the character's own where nobody had to.
    """

    text: str
    retold: str = ""
    memory: int = 0
    teller: str = ""


class LinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a line will do and say, without a word of how: for studios with writers of their own.

    Attributes
    ----------
    act : str
        What the character does by saying it: ``"answer"``, ``"greet_friend"``, ``"refuse"``...
    heard : str
        What the utterance before it did: ``"question"``, ``"insult"``...
    addressee : str
        Id of whom it is said to.
    facts : tuple of PlannedFact
        What it says, most important first.
    also : tuple of str
        Acts that follow in the same line, such as a wish of the character's own.
    fields : dict of str to str
        Words that composed lines have places for: ``"topic"``, ``"feeling"``, ``"gap"``...
    tone : Tone
        In what tone.
    reasons : tuple of str
        Why, in plain words, one decision each.
    """

    act: str
    heard: str = ""
    addressee: str = ""
    facts: tuple[PlannedFact, ...] = ()
    also: tuple[str, ...] = ()
    fields: dict[str, str] = {}
    tone: Tone = Tone()
    reasons: tuple[str, ...] = ()

    @property
    def memories(self) -> tuple[int, ...]:
        """Ids of the memories that it rests on, without repeats."""
        return tuple(dict.fromkeys(fact.memory for fact in self.facts if fact.memory))


@dataclass(slots=True)
class Plan:
    """A line in two parts.

    `opening` is shown at once; `remainder` follows unless the model said something better. A line
    whose opening is already whole has no remainder.
    """

    act: Act
    opening: str
    remainder: str = ""
    memories: tuple[int, ...] = ()
    answer: Answer | None = None
    model_clauses: int = 2
    """How many clauses a model may add."""
    line: LinePlan = field(default_factory=lambda: LinePlan(act="smalltalk"))
    """The decision behind it."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the line says what it says."""
        return self.line.reasons
