"""Why a character feels as it does: the events, and how much each has to do with it."""

from __future__ import annotations

import functools
import math
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from astraweave.errors import InputError
from astraweave.persona.evolution import EvolutionRules, mood_at, relationship_at
from astraweave.persona.feelings import FeelingKind, feeling_kinds, feeling_of
from astraweave.persona.outcomes import OUTCOMES, Outcomes
from astraweave.persona.state import Cause, Mood, PersonaState, Relationship
from astraweave.persona.temperament import resting_mood

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from astraweave.persona.persona import Persona

__all__ = ["Explanation", "Reason", "explain"]

_HOLDS = 0.1
"""From how much of a feeling on a character has it."""
_COUNTS = 0.01
_MOOD_AXES = ("valence", "arousal", "dominance")
_WORDS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_NEGATED = re.compile(r"n['\u2019]t$")
_NEGATIONS = frozenset({"not", "never", "no", "cannot", "hardly"})
_RULES = EvolutionRules()


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One event and what it has to do with a feeling.

    Attributes
    ----------
    cause : Cause
        What happened, and by how much it moved the character then.
    text : str
        It as a clause in the third person.
    contribution : float
        How far it pushes in the direction asked for, as of now; above 0.
    """

    cause: Cause
    text: str
    contribution: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "why are you angry?".

    Attributes
    ----------
    asked : str
        The feeling or axis: ``"anger"``, ``"trust"``, ``"valence"``; empty: no feeling at all.
    direction : int
        1 or -1: the upper or the lower end of an axis ("why don't you trust me?" is -1).
    about : str
        Id of whom the relationship is to; empty for feelings.
    word : str
        What the mood is called now.
    value : float
        How much of what was asked for there is: negative, it is the contrary.
    holds : bool
        Whether the character feels so at all. Where not, "I am not angry" is the answer.
    nature : float
        How much of it is the temperament's own, with no event behind it.
    reasons : tuple of Reason
        What happened, strongest first.
    """

    asked: str
    direction: int = 1
    about: str = ""
    word: str = ""
    value: float = 0.0
    holds: bool = False
    nature: float = 0.0
    reasons: tuple[Reason, ...] = ()


def explain(
    persona: Persona,
    state: PersonaState,
    question: str = "",
    *,
    about: str = "",
    now: float | None = None,
    names: Mapping[str, str] = {},
    limit: int = 3,
    outcomes: Outcomes = OUTCOMES,
    rules: EvolutionRules = _RULES,
) -> Explanation:
    """Why a character feels as it does, from the causes in its state.

    Parameters
    ----------
    persona : Persona
        Who it is.
    state : PersonaState
        Its state.
    question : str
        ``"Why are you angry?"``, ``"Why don't you trust me?"``, the name of a feeling or of an
        axis, or empty: why it feels whatever it feels now.
    about : str
        Id of who is meant by "me" in a question about a relationship.
    now : float, optional
        Game time in seconds; by default `state.at`.
    names : mapping of str to str
        Spoken names by id, for outcomes without a text of their own.
    limit : int
        Reasons at most.

    Raises
    ------
    InputError
        The question is about a relationship, and `about` does not say to whom.
    """
    now = state.at if now is None else now
    mood = mood_at(persona, state, now, rules=rules)
    felt = feeling_of(mood)
    of_bond, asked, direction = _read_question(question, felt.name, mood, bool(about))
    kinds = {kind.name: kind for kind in feeling_kinds()}
    if of_bond:
        if not about:
            raise InputError("to whom? say it with about=", field="about", asked=asked)
        value = direction * getattr(relationship_at(state, about, now, rules=rules), asked)
        nature = direction * getattr(persona.relationships.get(about, Relationship()), asked)
        pushes = [
            (c, direction * getattr(c.relationship, asked)) if c.outcome.by == about else (c, 0.0)
            for c in state.causes
        ]
    else:
        about, value, nature, pushes = "", 0.0, 0.0, []
        if asked:
            measure = kinds[asked] if asked in kinds else _Axis(asked, direction)
            value, nature = measure.share(mood), measure.share(resting_mood(persona.temperament))
            pushes = _pushes(measure, persona, state.causes, now, rules)
    strongest = sorted(pushes, key=lambda pair: -pair[1])[: max(0, limit)]
    return Explanation(
        asked=asked,
        direction=direction,
        about=about,
        word=felt.word,
        value=value,
        holds=value >= _HOLDS,
        nature=nature,
        reasons=tuple(
            Reason(cause=cause, text=_told(cause, persona, names, outcomes), contribution=push)
            for cause, push in strongest
            if push >= _COUNTS
        ),
    )


class _Axis:
    """One axis of a mood, asked like a feeling."""

    def __init__(self, name: str, direction: int) -> None:
        self._place, self._direction = _MOOD_AXES.index(name), direction

    def share(self, mood: Mood) -> float:
        return self.along(mood.valence, mood.arousal, mood.dominance)

    def along(self, *axes: float) -> float:
        return self._direction * axes[self._place]


def _pushes(
    measure: FeelingKind | _Axis,
    persona: Persona,
    causes: Iterable[Cause],
    now: float,
    rules: EvolutionRules,
) -> list[tuple[Cause, float]]:
    """How far each cause still pushes: what it did fades as the mood does."""
    slow = 0.5 + min(1.0, max(0.0, persona.temperament.neuroticism))
    valence, dominance = -1 / rules.valence_half_life_s, -1 / rules.dominance_half_life_s
    arousal, low = -1 / rules.arousal_half_life_s, valence / slow
    power, along, found = math.exp2, measure.along, []
    for cause in causes:
        age, mood = max(0.0, now - cause.outcome.game_time), cause.mood
        push = along(
            mood.valence * power(age * (low if mood.valence < 0 else valence)),
            mood.arousal * power(age * arousal),
            mood.dominance * power(age * dominance),
        )
        found.append((cause, push))
    return found


def _told(cause: Cause, persona: Persona, names: Mapping[str, str], outcomes: Outcomes) -> str:
    rule = outcomes.get(cause.outcome.kind)
    if rule is None:  # of a catalogue that is no longer there
        return cause.outcome.text or cause.outcome.kind.replace("_", " ")
    return rule.told(cause.outcome, persona.name, names)


def _read_question(
    question: str, felt: str, mood: Mood, to_somebody: bool
) -> tuple[bool, str, int]:
    """Whether it is about a relationship, what is asked for, and in which direction."""
    words = [word.replace("\u2019", "'").casefold() for word in _WORDS.findall(question)]
    negated = any(word in _NEGATIONS or _NEGATED.search(word) for word in words)
    sign = -1 if negated else 1
    for word in words:
        if word in _MOOD_AXES:
            return False, word, sign
    bond = next((_bonds()[word] for word in words if word in _bonds()), None)
    kinds = [kind for kind in feeling_kinds() if _asks(kind, words)]
    of_somebody = to_somebody and bool({"me", "him", "her", "them", "us"} & set(words))
    if bond is not None and (of_somebody or not kinds):
        return True, bond[0], bond[1] * sign
    if kinds:  # several feelings share a word: the one that is felt
        return False, max(kinds, key=lambda kind: kind.share(mood)).name, 1
    return False, felt, 1


def _asks(kind: FeelingKind, words: list[str]) -> bool:
    return any(word in kind.asked or word == kind.name or word in kind.words for word in words)


@functools.cache
def _bonds() -> dict[str, tuple[str, int]]:
    """Word to axis and direction."""
    text = resources.files(__package__).joinpath("questions.toml").read_text(encoding="utf-8")
    found: dict[str, tuple[str, int]] = {}
    for axis, words in tomllib.loads(text).items():
        found |= dict.fromkeys((axis, *words["more"]), (axis, 1))
        found |= dict.fromkeys(words["less"], (axis, -1))
    return found
