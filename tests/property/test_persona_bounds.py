"""Whatever happens in whatever order, a mind stays within its bounds and survives a save."""

from __future__ import annotations

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.core.rng import RandomStreams
from astraweave.persona import (
    OUTCOMES,
    BigFive,
    EvolutionRules,
    Outcome,
    Persona,
    PersonaState,
    Relationship,
    evolve_from_outcomes,
    feeling,
    mood_at,
    stance,
)
from astraweave.persona.evolution import _halved

KINDS = sorted(OUTCOMES)
SEQUENCES = 10_000


def check(state: PersonaState) -> None:
    for value in msgspec.structs.astuple(state.mood):
        assert -1.0 <= value <= 1.0
    for relationship in state.relationships.values():
        assert 0.0 <= relationship.fear <= 1.0
        for axis in ("trust", "affinity", "respect"):
            assert -1.0 <= getattr(relationship, axis) <= 1.0
    assert len(state.causes) <= 32
    assert math.isfinite(state.at)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PersonaState)
    assert again == state
    assert msgspec.json.decode(msgspec.json.encode(state), type=PersonaState) == state


def test_ten_thousand_sequences_stay_in_bounds_and_survive_a_save():
    rng = RandomStreams(5)["outcomes"]
    for _ in range(SEQUENCES):
        traits = {trait: rng.random() for trait in BigFive.__struct_fields__}
        persona = Persona(id="ada", name="Ada", temperament=BigFive(**traits))
        now, happened = 0.0, []
        one_sided = rng.choice(KINDS) if rng.random() < 0.3 else ""
        for _ in range(rng.randrange(1, 24)):
            now += rng.choice((0.0, 1.0, 600.0, 86_400.0)) * rng.random()
            kind = one_sided or rng.choice(KINDS)
            by, weight = rng.choice(("", "player", "bo")), rng.choice((1.0, rng.random()))
            happened.append(Outcome(kind=kind, by=by, weight=weight, game_time=now))
        check(evolve_from_outcomes(persona, persona.initial_state(), happened))


SHARE = st.floats(0.0, 1.0)
SIGNED = st.floats(-1.0, 1.0)
PERSONAS = st.builds(
    lambda traits: Persona(id="ada", name="Ada", temperament=traits),
    st.builds(BigFive, **dict.fromkeys(BigFive.__struct_fields__, SHARE)),
)
RELATIONSHIPS = st.builds(Relationship, trust=SIGNED, affinity=SIGNED, respect=SIGNED, fear=SHARE)
HAPPENED = st.lists(
    st.builds(
        Outcome,
        kind=st.sampled_from(KINDS),
        by=st.sampled_from(["", "player", "bo", "ada"]),
        text=st.text(max_size=300),
        weight=SHARE,
        game_time=st.floats(-1e12, 1e12),
    ),
    max_size=40,
)


@given(PERSONAS, HAPPENED, st.dictionaries(st.sampled_from(["player", "bo"]), RELATIONSHIPS))
@settings(max_examples=200, deadline=None)
def test_any_outcomes_from_any_start(
    persona: Persona, happened: list[Outcome], relationships: dict[str, Relationship]
):
    happened = [  # texts are cut at a number of characters, so a lone surrogate cannot arise
        msgspec.structs.replace(each, text=each.text.encode("utf-8", "ignore").decode())
        for each in happened
    ]
    state = PersonaState(relationships=relationships)
    for rules in (EvolutionRules(), EvolutionRules(relationship_half_life_s=60, max_causes=1)):
        end = evolve_from_outcomes(persona, state, happened, rules=rules)
        check(end)
        assert state == PersonaState(relationships=relationships)
        assert end == evolve_from_outcomes(persona, state, happened, rules=rules)
        for value in msgspec.structs.astuple(mood_at(persona, end, end.at + 1e5, rules=rules)):
            assert -1.0 <= value <= 1.0
        assert feeling(end.mood)
        assert all(stance(each).name for each in end.relationships.values())


@given(st.lists(st.sampled_from(KINDS), min_size=2, max_size=12), st.data())
@settings(max_examples=100, deadline=None)
def test_going_on_from_a_save_is_going_on(kinds: list[str], data: st.DataObject):
    persona = Persona.builtin("tam")
    happened = [Outcome(kind=kind, by="player", game_time=60.0 * i) for i, kind in enumerate(kinds)]
    cut = data.draw(st.integers(0, len(kinds)))
    half = evolve_from_outcomes(persona, persona.initial_state(), happened[:cut])
    loaded = msgspec.msgpack.decode(msgspec.msgpack.encode(half), type=PersonaState)
    through = evolve_from_outcomes(persona, persona.initial_state(), happened)
    assert evolve_from_outcomes(persona, loaded, happened[cut:]) == through


@given(st.floats(0.0, 2000.0))
def test_the_power_of_a_half_is_the_library_s(times: float):
    assert math.isclose(_halved(times), 0.5**times, rel_tol=1e-13, abs_tol=5e-324)
