"""How a character changes: outcomes move mood and relationships, time brings the mood to rest.

Every function here is a transition over values: an old state and plain data give a new state. There
is no clock, no chance and nothing hidden, so the same outcomes in the same order give the same
state to the last bit: on another machine, after a load, in a replay. Only what IEEE 754 fixes is
computed with: libraries do not agree on the last bit of a power.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from astraweave.errors import InputError
from astraweave.persona.outcomes import OUTCOMES, Outcomes
from astraweave.persona.state import Cause, Mood, Outcome, PersonaState, Relationship
from astraweave.persona.temperament import reaction, resting_mood

if TYPE_CHECKING:
    from astraweave.persona.persona import Persona

__all__ = [
    "EvolutionRules",
    "evolve_from_outcome",
    "evolve_from_outcomes",
    "initial_state",
    "mood_at",
    "relationship_at",
    "state_at",
]

_MAX_TEXT_CHARS = 240
_HOUR = 3600.0
_LN2 = 0.6931471805599453


class EvolutionRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast things pass. Times are game seconds; infinity is for ever.

    Attributes
    ----------
    valence_half_life_s, arousal_half_life_s, dominance_half_life_s : float
        After which half of what a mood is away from its rest is left. What weighs on the neurotic
        lasts up to half as long again, and half as long with the unshakeable.
    relationship_half_life_s : float
        After which half of trust, affinity and respect is left.
    fear_half_life_s : float
        Likewise of fear.
    habit_s : float
        Within this time the same thing by the same person counts less each time: half after the
        second, a third after the third...
    max_causes : int
        How many outcomes are kept as causes, at least 1. What weighs least goes first.
    """

    valence_half_life_s: float = 6 * _HOUR
    arousal_half_life_s: float = 1.5 * _HOUR
    dominance_half_life_s: float = 6 * _HOUR
    relationship_half_life_s: float = math.inf
    fear_half_life_s: float = math.inf
    habit_s: float = 1 * _HOUR
    max_causes: int = 32

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not value > 0 and not (name == "habit_s" and value == 0):
                raise InputError(f"{name} must be above 0, not {value}", field=name, value=value)


_RULES = EvolutionRules()


def initial_state(persona: Persona, now: float = 0.0) -> PersonaState:
    """A character to whom nothing has happened yet: at rest, with the relationships of its file."""
    return PersonaState(
        mood=resting_mood(persona.temperament), at=now, relationships=dict(persona.relationships)
    )


def mood_at(
    persona: Persona, state: PersonaState, now: float, *, rules: EvolutionRules = _RULES
) -> Mood:
    """The mood at a time: what it was at `state.at`, and has since gone back towards its rest.

    A time before `state.at` gives the mood as it was then.
    """
    rest, mood = resting_mood(persona.temperament), state.mood
    passed = _passed(state.at, now)
    if passed == 0.0:
        return _bounded_mood(mood)
    slow = 1.0
    if mood.valence < rest.valence:
        slow = 0.5 + min(1.0, max(0.0, persona.temperament.neuroticism))
    return _bounded_mood(
        Mood(
            valence=_towards(rest.valence, mood.valence, passed, rules.valence_half_life_s * slow),
            arousal=_towards(rest.arousal, mood.arousal, passed, rules.arousal_half_life_s),
            dominance=_towards(rest.dominance, mood.dominance, passed, rules.dominance_half_life_s),
        )
    )


def relationship_at(
    state: PersonaState, other: str, now: float, *, rules: EvolutionRules = _RULES
) -> Relationship:
    """How the character stands to somebody at a time; neutral to a stranger."""
    return _drifted(state.towards(other), _passed(state.at, now), rules)


def state_at(
    persona: Persona, state: PersonaState, now: float, *, rules: EvolutionRules = _RULES
) -> PersonaState:
    """The whole state at a time. A time before `state.at` leaves it as it is."""
    passed = _passed(state.at, now)
    if passed == 0.0:
        return state
    relationships = state.relationships
    if math.isfinite(rules.relationship_half_life_s) or math.isfinite(rules.fear_half_life_s):
        relationships = {
            other: _drifted(value, passed, rules) for other, value in relationships.items()
        }
    return PersonaState(
        mood=mood_at(persona, state, now, rules=rules),
        at=now,
        relationships=relationships,
        causes=state.causes,
    )


def evolve_from_outcome(
    persona: Persona,
    state: PersonaState,
    outcome: Outcome,
    *,
    outcomes: Outcomes = OUTCOMES,
    rules: EvolutionRules = _RULES,
) -> PersonaState:
    """The state after something has happened.

    The mood first rests for the time that has passed. Then the outcome's effects, as the
    temperament takes them (see `reaction`), move mood and relationship; the nearer an axis is to
    its end, the less it still moves, so that nothing ever leaves its range. What it did is kept as
    a `Cause`.

    An outcome that is told late (its time lies before `state.at`) counts as of `state.at`. The
    character's own deeds (`outcome.by` is its id) and those of nobody move the mood alone.

    Parameters
    ----------
    persona : Persona
        Whose state it is.
    state : PersonaState
        As it was; it stays as it is.
    outcome : Outcome
        What happened. Of `outcome.text` the first 240 characters are kept.
    outcomes : Outcomes
        The catalogue that says what its kind does.
    rules : EvolutionRules
        How fast things pass.

    Raises
    ------
    InputError
        The catalogue has no such kind; the weight is not from 0 to 1, or the time is no number.
    """
    rule = outcomes.rule(outcome.kind)
    if not 0.0 <= outcome.weight <= 1.0:
        raise InputError(f"a weight is from 0 to 1, not {outcome.weight}", field="weight")
    if not math.isfinite(outcome.game_time):
        raise InputError(f"no time: {outcome.game_time}", field="game_time")
    if len(outcome.text) > _MAX_TEXT_CHARS:
        outcome = msgspec.structs.replace(outcome, text=_cut(outcome.text))
    state = state_at(persona, state, outcome.game_time, rules=rules)
    before, towards = _bounded_mood(state.mood), state.towards(outcome.by)
    pull, bond = reaction(persona.temperament, rule, towards)
    weight = outcome.weight / (1 + _times_lately(state, outcome, rules))
    mood = Mood(
        valence=_moved(before.valence, pull.valence * weight, -1.0),
        arousal=_moved(before.arousal, pull.arousal * weight, -1.0),
        dominance=_moved(before.dominance, pull.dominance * weight, -1.0),
    )
    relationships, after = state.relationships, towards
    if outcome.by and outcome.by != persona.id:
        after = Relationship(
            trust=_moved(towards.trust, bond.trust * weight, -1.0),
            affinity=_moved(towards.affinity, bond.affinity * weight, -1.0),
            respect=_moved(towards.respect, bond.respect * weight, -1.0),
            fear=_moved(towards.fear, bond.fear * weight, 0.0),
        )
        relationships = {**relationships, outcome.by: after}
    cause = Cause(
        outcome=outcome,
        mood=Mood(
            valence=mood.valence - before.valence,
            arousal=mood.arousal - before.arousal,
            dominance=mood.dominance - before.dominance,
        ),
        relationship=Relationship(
            trust=after.trust - towards.trust,
            affinity=after.affinity - towards.affinity,
            respect=after.respect - towards.respect,
            fear=after.fear - towards.fear,
        ),
    )
    return PersonaState(
        mood=mood,
        at=state.at,
        relationships=relationships,
        causes=_kept(state.causes, cause, state.at, rules),
    )


def evolve_from_outcomes(
    persona: Persona,
    state: PersonaState,
    happened: Iterable[Outcome],
    *,
    outcomes: Outcomes = OUTCOMES,
    rules: EvolutionRules = _RULES,
) -> PersonaState:
    """The state after several things, one after the other; an error leaves none of them done."""
    for outcome in happened:
        state = evolve_from_outcome(persona, state, outcome, outcomes=outcomes, rules=rules)
    return state


def _passed(then: float, now: float) -> float:
    passed = now - then
    if not math.isfinite(passed):
        raise InputError(f"no time: {now}", field="now")
    return max(0.0, passed)


def _towards(rest: float, value: float, passed: float, half_life: float) -> float:
    return rest + (value - rest) * _halved(passed / half_life)


def _halved(times: float) -> float:
    """A half to the power of `times`, 0 or more: relative error below 1e-15."""
    if times >= 1080.0:
        return 0.0
    whole = int(times)
    x = (whole - times) * _LN2  # from -ln 2 to 0
    power = 1.0
    for n in range(18, 0, -1):
        power = 1.0 + power * x / n
    return math.ldexp(power, -whole)


def _moved(value: float, by: float, low: float) -> float:
    """A step that is whole at neutral and beyond, and shrinks with the way left to the end."""
    value = _within(value, low)
    by = max(-1.0, min(1.0, by))
    room = min(1.0, 1.0 - value if by > 0 else value - low)
    return _within(value + by * room, low)


def _within(value: float, low: float) -> float:
    if value != value:  # NaN is no place to start from
        return 0.0
    return low if value < low else min(value, 1.0)


def _bounded_mood(mood: Mood) -> Mood:
    return Mood(
        valence=_within(mood.valence, -1.0),
        arousal=_within(mood.arousal, -1.0),
        dominance=_within(mood.dominance, -1.0),
    )


def _drifted(value: Relationship, passed: float, rules: EvolutionRules) -> Relationship:
    kept = _halved(passed / rules.relationship_half_life_s)
    return Relationship(
        trust=_within(value.trust * kept, -1.0),
        affinity=_within(value.affinity * kept, -1.0),
        respect=_within(value.respect * kept, -1.0),
        fear=_within(value.fear * _halved(passed / rules.fear_half_life_s), 0.0),
    )


def _times_lately(state: PersonaState, outcome: Outcome, rules: EvolutionRules) -> int:
    since = max(state.at, outcome.game_time) - rules.habit_s
    return sum(
        cause.outcome.kind == outcome.kind
        and cause.outcome.by == outcome.by
        and cause.outcome.game_time > since
        for cause in state.causes
    )


def _kept(
    causes: tuple[Cause, ...], new: Cause, now: float, rules: EvolutionRules
) -> tuple[Cause, ...]:
    """All of them, or all but the one that weighs least; the newest always stays."""
    while len(causes) >= max(1, rules.max_causes):
        if rules.max_causes <= 1:
            return (new,)
        least = min(range(len(causes)), key=lambda index: _impact(causes[index], now, rules))
        causes = (*causes[:least], *causes[least + 1 :])
    return (*causes, new)


def _impact(cause: Cause, now: float, rules: EvolutionRules) -> float:
    """What of a cause is still felt: the mood passes, the relationship stays."""
    mood, bond = cause.mood, cause.relationship
    age = max(0.0, now - cause.outcome.game_time)
    felt = max(abs(mood.valence), abs(mood.arousal), abs(mood.dominance))
    lasting = max(abs(bond.trust), abs(bond.affinity), abs(bond.respect), abs(bond.fear))
    return max(lasting, felt * _halved(age / rules.valence_half_life_s))


def _cut(text: str) -> str:
    return text[: _MAX_TEXT_CHARS - 3].rstrip() + "..."
