"""Voices: how they are read, chosen from and filled."""

from __future__ import annotations

import random
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.bench._scoring import DONT_KNOW
from astraweave.bench.voices import separation, voice_lines
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.conditions import TERMS, Condition
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import ACTS, Voice, VoiceLibrary
from astraweave.errors import ConfigError
from astraweave.persona import Persona
from astraweave.persona.state import Mood, Relationship

RING = {"retold": "your sister hid a ring under the mill", "short": "under the mill"}
NEUTRAL = Tone()
SHIPPED = VoiceLibrary.builtin().names()
ENGLISH = [n for n in SHIPPED if VoiceLibrary.builtin().get(n).language == "en"]
COLD = Tone(relationship=Relationship(affinity=-0.8))
WARM = Tone(relationship=Relationship(affinity=0.8))


def composer(voice: str | Voice, **more: object) -> Composer:
    library = VoiceLibrary.builtin()
    if isinstance(voice, Voice):
        library, voice = library.with_voice(voice), voice.name
    return Composer(Persona(id="ada", name="Ada", role="a baker", patterns=voice, **more), library)


def voice(acts: str, head: str = "") -> Voice:
    return Voice.from_toml(f'name = "x"\nextends = "plain"\n{head}\n[acts]\n{acts}\n')


def pick(made: Composer, act: str, tone: Tone = NEUTRAL, seed: int = 1, recent=(), **fields: str):
    return made.pick(act, fields, random.Random(seed), list(recent), tone=tone)


def test_the_plain_voice_has_lines_for_every_act():
    assert set(VoiceLibrary.builtin().own("plain").acts) == set(ACTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n[acts]\ngreting = ["Hello."]', r"<voice>:3: unknown act 'greting'.*greeting"),
        (
            'name = "x"\n[acts]\ngreeting.warn = ["Hi."]',
            r"<voice>:3: unknown condition 'warn'.*wary",
        ),
        ('name = "x"\n[acts]\ngreeting = "Hi."', r"<voice>:3: a list of lines"),
        ('name = "x"\n[acts]\ngreeting = [" "]', r"<voice>:3: a list of lines"),
        ('name = "x"\nlangage = "en"', r"<voice>:2: unknown key 'langage'.*language"),
        ('name = "x"\n[style]\ncontractions = "no"', r"<voice>:2: \[style\]"),
        ("name = 3", r"<voice>:1: 'name' must be a text"),
        ('description = "x"', r"<voice>:1: 'name' is missing"),
        ('name = "x', r"<voice>:1: this is not TOML"),
    ],
)
def test_mistakes_name_file_and_line(text, message):
    with pytest.raises(ConfigError, match=message):
        Voice.from_toml(text)


def test_a_voice_extends_another_only_where_it_is_silent():
    library = VoiceLibrary.builtin().with_voice(voice('greeting = ["Oi."]'))
    whole = library.get("x")
    assert [v.text for v in whole.acts["greeting"]] == ["Oi."]
    assert whole.acts["farewell"] == library.get("plain").acts["farewell"]
    assert set(library.own("x").acts) == {"greeting"}


@pytest.mark.parametrize("parent", ["nobody", "x"])
def test_extending_nothing_or_itself_is_refused(parent):
    with pytest.raises(ConfigError, match="extends"):
        VoiceLibrary([Voice.from_toml(f'name = "x"\nextends = "{parent}"')])


def test_a_persona_names_a_voice_a_file_or_gets_one_of_its_language(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nextends = "plain"\n[acts]\ngreeting = ["Oi."]', encoding="utf-8")
    library = VoiceLibrary.builtin()
    assert library.for_persona(Persona(id="a", name="A", patterns=str(path))).name == "own"
    assert VoiceLibrary.load(tmp_path).get("own").acts["greeting"][0].text == "Oi."
    assert library.for_persona(Persona(id="a", name="A", patterns="gruff")).name == "gruff"
    # nothing speaks Finnish: the voice that was asked for, rather than none
    finn = Persona(id="a", name="A", patterns="gruff", language="fi")
    assert library.for_persona(finn).name == "gruff"
    with pytest.raises(ConfigError, match=r"no voice 'gruf'.*gruff"):
        library.for_persona(Persona(id="a", name="A", patterns="gruf"))
    with pytest.raises(ConfigError, match="no voices"):
        VoiceLibrary.load(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be read"):
        library.for_persona(Persona(id="a", name="A", patterns="none.toml"))


def test_the_most_specific_condition_that_holds_is_said():
    made = composer(
        voice(
            'greeting = { any = ["Any."], cold = ["Cold."], "cold sad" = ["Both."],'
            ' glad = ["Glad."] }'
        )
    )
    sad = Mood(valence=-0.8, arousal=-0.2)
    assert pick(made, "greeting") == "Any."
    assert pick(made, "greeting", COLD) == "Cold."
    assert pick(made, "greeting", msgspec.structs.replace(COLD, mood=sad)) == "Both."
    # what is felt about the listener goes before the mood
    glad = msgspec.structs.replace(COLD, mood=Mood(valence=0.8))
    assert pick(made, "greeting", glad) == "Cold."


def test_where_only_cases_are_written_one_of_them_is_said_anyway():
    assert pick(composer(voice('greeting.cold = ["Cold."]')), "greeting", WARM) == "Cold."


def test_fields_that_are_not_there_leave_a_variant_out():
    made = composer(voice('greeting = ["Hello, {name}.", "Hello."]'))
    assert {pick(made, "greeting", seed=s) for s in range(8)} == {"Hello."}
    said = {pick(made, "greeting", seed=s, name="Bo") for s in range(8)}
    assert said == {"Hello.", "Hello, Bo."}


def test_what_is_said_back_is_put_in_the_voices_words():
    table = '[style]\ncontractions = "expand"\n[words]\nyou = "ye"\nyour = "yer"'
    made = composer(voice('recap = ["{Retold}."]', table))
    told = "your brother doesn't know that you're here"
    assert pick(made, "recap", retold=told) == "Yer brother does not know that ye are here."
    use = composer(voice('recap = ["{Retold}."]', '[style]\ncontractions = "use"'))
    assert (
        pick(use, "recap", retold="you are the fool that you are")
        == "You're the fool that you are."
    )


def test_articles_fit_what_fills_the_gap():
    made = composer(voice('telling = ["So it was a {echo}.", "A {echo}!"]'))
    said = {pick(made, "telling", echo="apple", seed=s) for s in range(9)}
    assert said == {"So it was an apple.", "An apple!"}
    assert pick(made, "telling", echo="hammer", seed=1) in {"So it was a hammer.", "A hammer!"}


def test_address_follows_the_relationship():
    made = composer(
        voice('greeting = ["Hello, {address}."]', '[address]\nany = ["you"]\nwarm = ["love"]')
    )
    assert pick(made, "greeting") == "Hello, you."
    assert pick(made, "greeting", WARM) == "Hello, love."


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(
    "act", ["answer_short", "answer_plain", "confirmed", "greeting_recall", "recap"]
)
def test_what_is_uncertain_or_long_ago_is_said_as_such(name, act):
    made = composer(name)
    certain = {pick(made, act, seed=s, **RING) for s in range(60)}
    for tone in (Tone(certainty=0.5), Tone(certainty=0.1), Tone(age_s=86400.0 * 90)):
        assert not certain & {pick(made, act, tone, seed=s, **RING) for s in range(60)}


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("act", ["answer_short", "answer_plain", "confirmed", "greeting_recall"])
def test_what_another_told_is_not_said_to_come_from_the_listener(name, act):
    for seed in range(40):
        line = pick(composer(name), act, Tone(source="Bren"), seed, **RING)
        assert "Bren" in line
        assert not re.search(r"\byou (?:told|said|say)", line.casefold())


def test_a_hedge_may_be_left_out_without_a_trace():
    made = composer(voice('recap = ["Aye. {Hedge} you told me {retold}."]'))
    assert pick(made, "recap", **RING) == f"Aye. You told me {RING['retold']}."
    unsure = pick(made, "recap", Tone(certainty=0.5), **RING)
    assert re.fullmatch(rf"Aye\. [A-Z][^.]*, you told me {RING['retold']}\.", unsure)


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_said_twice_within_twenty_lines(name):
    made = composer(name)
    for act in sorted(set(ACTS) - {"opener", "tail", "hedge", "long_ago"}):
        never_twice(made, act)


def never_twice(made: Composer, act: str) -> None:
    rng = random.Random(5)
    fields = {field: f"the {field} thing" for field in ACTS[act].split()}
    said: list[str] = []
    for _ in range(30):
        line = made.pick(act, fields, rng, said[-20:])
        bare = re.sub(r"\W+", " ", line.casefold())
        assert bare not in {re.sub(r"\W+", " ", old.casefold()) for old in said[-20:]}
        said.append(line)


def test_equal_states_give_equal_lines():
    made = composer("gruff")
    assert [pick(made, "smalltalk", seed=s) for s in range(9)] == [
        pick(composer("gruff"), "smalltalk", seed=s) for s in range(9)
    ]


def test_an_act_without_lines_is_an_error():
    with pytest.raises(ConfigError, match="no lines for the act 'juggle'"):
        pick(composer("plain"), "juggle")


@given(st.lists(st.sampled_from(sorted(TERMS)), max_size=3), st.data())
def test_a_condition_that_holds_is_possible(terms, data):
    condition = Condition.parse(" ".join(terms) or "any")
    axis, unit = st.floats(-1, 1), st.floats(0, 1)
    tone = Tone(
        mood=Mood(valence=data.draw(axis), arousal=data.draw(axis), dominance=data.draw(axis)),
        relationship=Relationship(
            trust=data.draw(axis),
            affinity=data.draw(axis),
            respect=data.draw(axis),
            fear=data.draw(unit),
        ),
        certainty=data.draw(unit),
        age_s=data.draw(st.floats(0, 1e8)),
        source=data.draw(st.sampled_from(["", "Bren"])),
    )
    if condition.holds(tone):
        assert condition.possible
        assert all(Condition.parse(term).holds(tone) for term in terms)


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("warm", True),
        ("warm cold", False),
        ("sad angry", False),
        ("glad sad", False),
        ("sad tired", True),
    ],
)
def test_conditions_that_exclude_each_other_are_seen(text, possible):
    assert Condition.parse(text).possible is possible


KNOWING = "answer_short answer_plain answer_self answer_other confirmed confirmed_self denied recap greeting_recall about_more hedge long_ago".split()  # noqa: E501
"""Acts that state what is known: none of their lines may sound as if it were not."""


@pytest.mark.parametrize("name", ENGLISH)
def test_knowing_and_not_knowing_cannot_be_confused(name):
    ignorant = re.compile("|".join(DONT_KNOW))
    acts = VoiceLibrary.builtin().own(name).acts
    for act in KNOWING:
        assert [v.text for v in acts.get(act, ()) if ignorant.search(v.text.lower())] == []
    for act in ("unknown", "unknown_self"):
        assert [v.text for v in acts[act] if not ignorant.search(v.text.lower())] == []


def test_thirteen_voices_of_their_own():
    library = VoiceLibrary.builtin()
    english = [library.own(n) for n in ENGLISH]
    assert len(english) >= 13
    assert all(len(v.acts) >= 25 and v.description for v in english)
    assert all(len(v.acts[act]) >= 3 for v in english for act in ("greeting", "telling", "unknown"))


def test_eight_speakers_are_told_apart_by_fifty_lines():
    eight = "gruff courtly soldier mystic merchant child melancholy sailor".split()
    lines = {name: voice_lines(name, 100, seed=3) for name in eight}
    found = separation(lines, folds=2)
    assert found.by_set >= 0.95
    assert found.by_ten >= 0.9
    # and it is the lines that tell: with the names dealt out at random nobody is known
    everything = [line for said in lines.values() for line in said]
    random.Random(3).shuffle(everything)
    dealt = {name: everything[n::8] for n, name in enumerate(eight)}
    assert separation(dealt, folds=2).by_line < 0.25
