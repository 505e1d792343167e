"""What outcomes do to a character, what time does, and what it says about it."""

from __future__ import annotations

import math

import msgspec
import pytest

from astraweave.errors import ConfigError, InputError
from astraweave.persona import (
    OUTCOMES,
    BigFive,
    EvolutionRules,
    Mood,
    Outcome,
    Outcomes,
    Persona,
    PersonaState,
    Relationship,
    evolve_from_outcome,
    evolve_from_outcomes,
    explain,
    feeling,
    feeling_of,
    mood_at,
    relationship_at,
    resting_mood,
    stance,
    state_at,
)

ORDINARY = Persona(id="ada", name="Ada")
NAMED = (
    "helped gift promise_kept promise_broken insulted praised threatened betrayed saved_life"
    " attacked stolen_from lied_to apologised shared_secret kept_secret told_secret_on defeated"
    " victory loss bereaved good_news bad_news ignored thanked comforted mocked flirted obeyed"
    " disobeyed"
).split()


def of(**traits: float) -> Persona:
    return Persona(id="ada", name="Ada", temperament=BigFive(**traits))


def after(persona: Persona, *kinds: str, start: PersonaState | None = None) -> PersonaState:
    outcomes = [Outcome(kind=kind, by="player") for kind in kinds]
    return evolve_from_outcomes(persona, start or PersonaState(), outcomes)


def test_the_catalogue_has_what_games_need_and_every_rule_does_something():
    assert set(NAMED) <= set(OUTCOMES)
    for rule in OUTCOMES.values():
        moved = [*msgspec.structs.astuple(rule.mood), *msgspec.structs.astuple(rule.relationship)]
        assert any(moved)
        assert rule.phrase


def test_an_ordinary_temperament_takes_an_outcome_as_the_catalogue_says():
    state = after(ORDINARY, "gift")
    assert state.mood == OUTCOMES["gift"].mood
    towards = state.towards("player")
    assert (towards.trust, towards.affinity, towards.respect) == (0.06, 0.16, 0.03)
    assert towards.fear == 0.0  # there was none to lose


def test_weight_and_habit_make_an_outcome_smaller():
    half = evolve_from_outcome(ORDINARY, PersonaState(), Outcome(kind="gift", by="p", weight=0.5))
    assert half.mood.valence == pytest.approx(OUTCOMES["gift"].mood.valence / 2)
    gains, state = [], PersonaState()
    for _ in range(4):
        before = state.towards("player").affinity
        state = after(ORDINARY, "thanked", start=state)
        gains.append(state.towards("player").affinity - before)
    assert gains == sorted(gains, reverse=True)
    assert gains[3] < gains[0] / 3
    later = evolve_from_outcome(
        ORDINARY, state, Outcome(kind="thanked", by="player", game_time=1e6)
    )
    assert later.towards("player").affinity - state.towards("player").affinity > gains[3] * 2


def test_the_neurotic_are_hurt_more_and_for_longer():
    calm, nervous = of(neuroticism=0.1), of(neuroticism=0.9)
    hurt, crushed = after(calm, "insulted"), after(nervous, "insulted")
    assert crushed.mood.valence < hurt.mood.valence
    day = 24 * 3600.0
    left = [
        (resting_mood(p.temperament).valence - mood_at(p, s, day / 4).valence)
        / (resting_mood(p.temperament).valence - s.mood.valence)
        for p, s in ((calm, hurt), (nervous, crushed))
    ]
    assert left[0] < left[1]


def test_the_agreeable_forgive_and_the_disagreeable_do_not():
    kind, hard = of(agreeableness=0.9), of(agreeableness=0.1)
    story = ("betrayed", "apologised", "helped", "promise_kept")
    lost = [after(p, "betrayed").towards("player").trust for p in (kind, hard)]
    assert lost[0] > lost[1]
    wronged = PersonaState(relationships={"player": Relationship(trust=-0.6, affinity=-0.5)})
    regained = [after(p, *story[1:], start=wronged).towards("player").trust for p in (kind, hard)]
    assert regained[0] > regained[1] > -0.6


@pytest.mark.parametrize(
    ("trait", "kind", "axis"),
    [
        ("extraversion", "gift", "valence"),
        ("openness", "good_news", "valence"),
        ("conscientiousness", "promise_kept", "valence"),
    ],
)
def test_other_traits_make_their_own_things_weigh_more(trait: str, kind: str, axis: str):
    low, high = after(of(**{trait: 0.0}), kind), after(of(**{trait: 1.0}), kind)
    assert getattr(high.mood, axis) > getattr(low.mood, axis)


def test_what_friends_do_goes_deeper():
    friend = PersonaState(relationships={"player": Relationship(affinity=0.8)})
    by_friend = after(ORDINARY, "insulted", start=friend)
    assert by_friend.mood.valence < after(ORDINARY, "insulted").mood.valence


def test_nobody_and_oneself_are_no_relationships():
    for by in ("", "ada"):
        state = evolve_from_outcome(ORDINARY, PersonaState(), Outcome(kind="victory", by=by))
        assert state.relationships == {}
        assert state.mood.dominance > 0


def test_resting_mood_is_the_published_regression():
    for traits, mood in [
        (BigFive(extraversion=1.0), (0.084, 0.0, 0.24)),
        (BigFive(agreeableness=1.0), (0.236, 0.12, -0.128)),
        (BigFive(neuroticism=1.0), (-0.076, 0.228, 0.0)),
        (BigFive(openness=1.0), (0.0, 0.06, 0.1)),
        (BigFive(conscientiousness=1.0), (0.0, 0.0, 0.068)),
    ]:
        assert msgspec.structs.astuple(resting_mood(traits)) == pytest.approx(mood)


def test_a_mood_goes_half_of_the_way_in_a_half_life_and_then_to_rest():
    rules = EvolutionRules(valence_half_life_s=100.0, arousal_half_life_s=50.0)
    state = PersonaState(mood=Mood(valence=0.8, arousal=0.8))
    mood = mood_at(ORDINARY, state, 100.0, rules=rules)
    assert (mood.valence, mood.arousal) == pytest.approx((0.4, 0.2), rel=1e-14)
    assert mood_at(ORDINARY, state, 1e9, rules=rules) == Mood()
    assert mood_at(ORDINARY, state, -5.0, rules=rules) == state.mood
    lively = of(extraversion=0.9)
    assert mood_at(lively, state, 1e9, rules=rules) == resting_mood(lively.temperament)


def test_waiting_in_two_steps_is_waiting_in_one():
    state = PersonaState(mood=Mood(valence=-0.7, arousal=0.9, dominance=0.2), at=10.0)
    once = state_at(ORDINARY, state, 9000.0)
    twice = state_at(ORDINARY, state_at(ORDINARY, state, 3000.0), 9000.0)
    assert msgspec.structs.astuple(twice.mood) == pytest.approx(msgspec.structs.astuple(once.mood))


def test_relationships_stay_unless_told_to_drift():
    state = PersonaState(relationships={"p": Relationship(trust=0.8, fear=0.8)})
    assert relationship_at(state, "p", 1e9) == state.towards("p")
    rules = EvolutionRules(relationship_half_life_s=10.0, fear_half_life_s=5.0)
    drifted = relationship_at(state, "p", 10.0, rules=rules)
    assert (drifted.trust, drifted.fear) == pytest.approx((0.4, 0.2))
    assert state_at(ORDINARY, state, 10.0, rules=rules).towards("p") == drifted


def test_an_outcome_told_late_counts_now():
    state = PersonaState(at=100.0)
    late = evolve_from_outcome(ORDINARY, state, Outcome(kind="gift", by="p", game_time=50.0))
    assert late.at == 100.0
    assert late.mood == OUTCOMES["gift"].mood


def test_a_betrayal_is_remembered_when_small_things_are_not():
    state = after(ORDINARY, "betrayed")
    for number in range(200):
        happened = Outcome(kind="thanked", by=f"guest{number}", game_time=60.0 * number)
        state = evolve_from_outcome(ORDINARY, state, happened)
    assert len(state.causes) == EvolutionRules().max_causes
    assert "betrayed" in {cause.outcome.kind for cause in state.causes}
    assert state.causes[-1].outcome.by == "guest199"


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(kind="helpd"),
        Outcome(kind="helped", weight=1.5),
        Outcome(kind="helped", weight=math.nan),
        Outcome(kind="helped", game_time=math.inf),
    ],
)
def test_what_is_no_outcome_is_refused(outcome: Outcome):
    with pytest.raises(InputError):
        evolve_from_outcome(ORDINARY, PersonaState(), outcome)


def test_a_misspelt_outcome_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'helped'"):
        OUTCOMES.rule("helpd")


def test_long_texts_are_cut():
    state = evolve_from_outcome(ORDINARY, PersonaState(), Outcome(kind="gift", text="x" * 5000))
    assert len(state.causes[0].outcome.text) <= 240


# -- catalogues of a studio ----------------------------------------------------------------------


def test_a_studio_adds_and_changes_outcomes(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text("[blessed]\nmood = [0.2, 0, 0.1]\ntrust = 0.1\n\n[gift]\naffinity = 0.5\n")
    ours = Outcomes.load(path)
    assert len(ours) == len(OUTCOMES) + 1
    state = evolve_from_outcome(
        ORDINARY, PersonaState(), Outcome(kind="blessed", by="priest"), outcomes=ours
    )
    assert state.towards("priest").trust == 0.1
    assert ours["gift"].relationship.affinity == 0.5
    assert OUTCOMES["gift"].relationship.affinity == 0.16


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[a]\nmod = [0, 0, 0]\n", 2, "did you mean 'mood'"),
        ("[a]\nmood = [0, 0]\n", 2, "three numbers"),
        ("[a]\nmood = [0, 0, 2]\n", 2, "three numbers"),
        ("[a]\n\ntrust = nan\n", 3, "from -1 to 1"),
        ("[a]\ntrust = true\n", 2, "from -1 to 1"),
        ('[a]\ntags = ["dutty"]\n', 2, "did you mean 'duty'"),
        ("[a]\ntags = 3\n", 2, "must be a list"),
        ("[a]\nphrase = 3\n", 2, "must be a text"),
        ("a = 3\n", 1, "must be a table"),
        ("[a]\nmood = [\n", 3, "TOML"),
    ],
)
def test_errors_in_a_catalogue_name_file_and_line(text: str, line: int, words: str):
    with pytest.raises(ConfigError, match=words) as caught:
        Outcomes.from_toml(text, origin="ours.toml")
    assert caught.value.details["line"] == line
    assert str(caught.value).startswith(f"ours.toml:{line}:")


def test_unreadable_catalogues(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Outcomes.load(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b"[a]\n# Ren\xe9\n")
    with pytest.raises(ConfigError, match=r":2: not UTF-8"):
        Outcomes.load(path)


# -- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mood", "word"),
    [
        (Mood(), "even-tempered"),
        (Mood(valence=-0.3, arousal=0.3, dominance=0.15), "angry"),
        (Mood(valence=-0.2, arousal=0.2, dominance=0.1), "annoyed"),
        (Mood(valence=-0.9, arousal=0.9, dominance=0.5), "furious"),
        (Mood(valence=-0.4, arousal=0.45, dominance=-0.4), "afraid"),
        (Mood(valence=-0.5, arousal=-0.2, dominance=-0.3), "sad"),
        (Mood(valence=0.6, arousal=0.4, dominance=0.2), "delighted"),
        (Mood(valence=0.4, arousal=-0.1, dominance=0.1), "happy"),
    ],
)
def test_moods_have_names(mood: Mood, word: str):
    assert feeling(mood) == word


def test_not_a_number_feels_like_nothing():
    assert feeling_of(Mood(valence=math.nan)).name == ""


@pytest.mark.parametrize(
    ("relationship", "name"),
    [
        (Relationship(), "acquaintance"),
        (Relationship(trust=0.4, affinity=0.5), "friend"),
        (Relationship(trust=0.8, affinity=0.9), "beloved"),
        (Relationship(trust=-0.7, affinity=0.2), "traitor"),
        (Relationship(affinity=-0.3, respect=0.4), "rival"),
        (Relationship(affinity=-0.8, respect=0.0), "enemy"),
        (Relationship(affinity=-0.8, fear=0.8), "nemesis"),
        (Relationship(fear=0.5), "feared"),
        (Relationship(respect=0.6), "admired"),
    ],
)
def test_stances(relationship: Relationship, name: str):
    assert stance(relationship).name == name


def test_only_those_without_a_relationship_are_strangers():
    state = PersonaState(relationships={"a": Relationship()})
    assert (stance(state, "a").name, stance(state, "b").name) == ("acquaintance", "stranger")


# -- why -----------------------------------------------------------------------------------------


@pytest.fixture
def wronged() -> PersonaState:
    return evolve_from_outcomes(
        ORDINARY,
        PersonaState(),
        [
            Outcome(kind="gift", by="bo", text="Bo gave Ada a ring."),
            Outcome(kind="insulted", by="player", text="the player called Ada a fool"),
            Outcome(kind="stolen_from", by="player"),
        ],
    )


def test_why_are_you_angry_names_the_events(wronged: PersonaState):
    why = explain(ORDINARY, wronged, "Why are you angry?", names={"player": "Ash"})
    assert (why.asked, why.holds) == ("anger", True)
    assert [reason.text for reason in why.reasons] == [
        "Ash stole from Ada",
        "the player called Ada a fool",
    ]
    assert why.reasons[0].contribution > why.reasons[1].contribution > 0


def test_a_feeling_that_is_not_there_is_denied(wronged: PersonaState):
    why = explain(ORDINARY, wronged, "Why are you so happy?")
    assert not why.holds
    assert why.value < 0


@pytest.mark.parametrize(
    ("question", "asked", "direction", "kinds"),
    [
        ("Why don't you trust me?", "trust", -1, ["stolen_from", "insulted"]),
        ("Why do you trust me?", "trust", 1, []),
        ("Why do you hate me?", "affinity", -1, ["stolen_from", "insulted"]),
        ("Why are you not afraid of me?", "fear", -1, []),
        ("respect", "respect", 1, []),
    ],
)
def test_questions_about_a_relationship(
    wronged: PersonaState, question: str, asked: str, direction: int, kinds: list[str]
):
    why = explain(ORDINARY, wronged, question, about="player")
    assert (why.asked, why.direction, why.about) == (asked, direction, "player")
    assert [reason.cause.outcome.kind for reason in why.reasons] == kinds


def test_axes_and_nothing_in_particular_can_be_asked_too(wronged: PersonaState):
    up = explain(ORDINARY, wronged, "valence")
    assert [reason.cause.outcome.by for reason in up.reasons] == ["bo"]
    now = explain(ORDINARY, wronged)
    assert now.word == feeling(wronged.mood)
    assert now.reasons
    calm = explain(ORDINARY, PersonaState())
    assert (calm.asked, calm.holds, calm.reasons) == ("", False, ())


def test_being_afraid_is_a_feeling_and_a_relationship():
    state = after(ORDINARY, "threatened")
    assert explain(ORDINARY, state, "Why are you afraid?").about == ""
    assert explain(ORDINARY, state, "Why are you afraid of me?", about="player").about == "player"
    with pytest.raises(InputError, match="about="):
        explain(ORDINARY, state, "trust")


def test_reasons_fade_and_nature_stays():
    state = after(ORDINARY, "insulted")
    assert explain(ORDINARY, state, "anger", now=1e7).reasons == ()
    sour = of(agreeableness=0.0, extraversion=1.0)
    assert explain(sour, sour.initial_state(), "disdain").nature > 0


def test_a_cause_of_a_lost_catalogue_still_has_words():
    ours = Outcomes.from_toml("[hexed]\nmood = [-0.5, 0.5, -0.3]\n")
    state = evolve_from_outcome(ORDINARY, PersonaState(), Outcome(kind="hexed"), outcomes=ours)
    assert explain(ORDINARY, state).reasons[0].text == "hexed"


def test_what_stirs_pleasantly_is_no_reason_for_anger():
    state = after(ORDINARY, "flirted", "insulted")
    kinds = [reason.cause.outcome.kind for reason in explain(ORDINARY, state, "anger").reasons]
    assert kinds == ["insulted"]
