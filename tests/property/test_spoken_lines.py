"""What holds for every composed line, whatever was said before it."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.text import sanitize
from astraweave.dialogue import DialogueGenerator, Situation
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.reported import in_third_person
from astraweave.dialogue.retell import retell, retell_text
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import ACTS, COMMON_FIELDS, VoiceLibrary
from astraweave.persona import Mood, Persona, PersonaState, Relationship

ENGLISH = sorted(
    name
    for name in VoiceLibrary.builtin().names()
    if VoiceLibrary.builtin().get(name).language == "en"
)
PIECES = {"opener", "tail", "hedge", "long_ago", "about_more", "resume"}
FILLED = {
    "retold": "your sister Mira hid a silver ring under the mill",
    "short": "under the mill",
    "echo": "your sister Mira hid a silver ring under the mill",
    "teller": "Robin",
    "other": "Nell",
    "goal": "I want to finish the gate",
    "topic": "your horse",
    "feeling": "angry",
    "gap": "three days",
    "rest": "The iron is hot.",
    "name": "Ash",
    "place": "the forge",
    "time": "some days ago",
}
SEAM = re.compile(
    r"  |, so so\b|\bso so [a-z]|[,;:]{2}|,\.|(?<!\.)\.\.(?!\.)| [,.;!?](?!\.)|[{}]|\bi\b(?!')"
    r"|[a-z,] (?:He|She|They|You|Your|His|Their)\b|\(\)|\"\"|\b(?:the|an?)[.!?](?!\.)",
)
ENDS = re.compile(r"[.!?…][\"'“”)]*$")
SENTENCE_START = re.compile(r"(?:^|(?<![.…])[.!?] )[\"'“(]*([^\W\d_])")

KIN = st.sampled_from("sister brother aunt uncle cousin father mother neighbour".split())
NAME = st.sampled_from("Mira Aldo Bren Hroth Odile Quillan Will Hope".split())
PLACE = st.sampled_from("Harrow Dunmorrow Oxenholt Tarnwick".split())
THING = st.sampled_from(
    ["a silver ring", "my hammer", "two old goats", "the great flood", "a drum"]
)
VERB = st.sampled_from("hid lost found sold bought remembers keeps likes wants fears".split())
TOLD = st.one_of(
    st.builds("My {} {} {} {} near {}.".format, KIN, NAME, VERB, THING, PLACE),
    st.builds("I come from {} and my {} lives in {}.".format, PLACE, KIN, PLACE),
    st.builds("I {} {} for my {}.".format, st.sampled_from(["keep", "sold", "need"]), THING, KIN),
    st.builds("{} is a soldier, and we miss {}.".format, NAME, NAME),
    st.builds("I told {} that I am afraid of {}.".format, NAME, THING),
    st.builds("We moved to {} because our {} owed us {}.".format, PLACE, KIN, THING),
    st.builds("I've been to {}, I'll go again, and I'm glad of it.".format, PLACE),
)
FIRST = re.compile(r"\b(?:I|I'm|I've|I'll|I'd|me|my|mine|myself|we|us|our|ours|ourselves)\b")


def well_formed(line: str) -> str:
    """What is wrong with a line; empty: nothing."""
    if not line.strip() or line != line.strip():
        return "blanks around it"
    if (seam := SEAM.search(line)) is not None:
        return f"a seam at {seam[0]!r}"
    if not ENDS.search(line):
        return "no mark at its end"
    if any(first[1].islower() for first in SENTENCE_START.finditer(line)):
        return "a sentence begins small"
    return ""


@pytest.mark.parametrize("name", ENGLISH)
def test_every_act_of_every_voice_is_whole_sentences(name):
    composer = Composer(Persona(id="a", name="Ann", role="the smith", patterns=name))
    for act in sorted(set(ACTS) - PIECES):
        _say_all(composer, act)


def _say_all(composer, act):
    allowed = {*ACTS[act].split(), *COMMON_FIELDS}
    fields = {key: text for key, text in FILLED.items() if key in allowed}
    for given_fields in (fields, {k: v for k, v in fields.items() if k not in {"name", "gap"}}):
        recent: list[str] = []
        for seed in range(14):
            tone = Tone(
                mood=Mood(valence=(seed % 3 - 1) * 0.6, arousal=(seed % 5 - 2) * 0.3),
                relationship=Relationship(affinity=(seed % 4 - 2) * 0.4),
                certainty=0.4 if seed % 4 == 3 else 1.0,
                age_s=86_400.0 * seed * 4,
            )
            line = composer.pick(act, given_fields, random.Random(seed), recent, tone=tone)
            assert well_formed(line) == "", (line, well_formed(line))
            recent.append(line)


@given(TOLD)
def test_no_first_person_of_the_teller_is_left_when_it_is_said_back(told):
    for fact in facts_of(Source(told, "player", "tam")):
        assert FIRST.search(retell(fact, swap=True)) is None, told
    assert FIRST.search(retell_text(told, swap=True)) is None


@given(TOLD, st.sampled_from(["Robin", "Lady Rosamund"]))
def test_no_first_person_of_the_teller_is_left_in_anothers_mouth(told, teller):
    said = in_third_person(told, teller)
    assert FIRST.search(said) is None, said
    if FIRST.search(told):
        assert teller in said or re.search(r"\bthe(?:y|m|ir)\b", said), said


@given(TOLD)
def test_a_clause_is_never_cut_in_mid_phrase(told):
    for fact in facts_of(Source(told, "player", "tam")):
        last = retell(fact, swap=True).split()[-1].lower()
        assert last not in {"the", "a", "an", "my", "your", "our", "of", "that", "great", "two"}


@given(
    TOLD, st.sampled_from(["tam", "marlow", "hild", "jory", "morwen", "anselm"]), st.integers(0, 99)
)
def test_what_is_answered_to_anything_told_is_whole_sentences(told, who, seed):
    persona = Persona.builtin(who)
    situation = Situation(
        persona=persona, speaker="player", utterance=sanitize(told), rng=random.Random(seed)
    )
    plan = DialogueGenerator().planner(situation.persona).plan(situation)
    line = f"{plan.opening} {plan.remainder}".strip()
    assert well_formed(line) == "", (told, line, well_formed(line))


@pytest.mark.parametrize("name", ENGLISH)
def test_nothing_is_said_with_a_hole_in_it(name):
    """An act whose places cannot be filled is not said: "{other} is right." needs somebody."""
    composer = Composer(Persona(id="a", name="Ann", patterns=name))
    for act, variants in composer.voice.acts.items():
        if act not in PIECES and all(v.fields for v in variants):
            needed = set.intersection(*(set(v.fields) for v in variants))
            if needed - {"me", "role", "feeling", "address"}:
                assert not composer.covers(act, {})
            assert composer.covers(act, {field: "x" for v in variants for field in v.fields})


def test_later_days_are_named_as_such():
    grammar = Grammar.named("en")
    assert grammar.later("you feel better today") == "you feel better that day"
    assert grammar.later("your sister came yesterday") == "your sister came the day before"
    assert grammar.later("you will bring me apples") == "you would bring me apples"


def test_opinions_go_by_whom_they_are_about():
    mind = PersonaState(relationships={"player": Relationship(affinity=-0.8)})
    said = set()
    for seed in range(12):
        situation = Situation(
            persona=Persona.builtin("tam"),
            speaker="player",
            utterance=sanitize("What do you think of Agnes?"),
            rng=random.Random(seed),
            mind=mind,
        )
        plan = DialogueGenerator().plan(situation)
        assert plan.act == "opinion"
        assert plan.tone.relationship.affinity > 0.3
        said.add(DialogueGenerator().planner(situation.persona).plan(situation).opening)
    assert all("Agnes" in line for line in said)
