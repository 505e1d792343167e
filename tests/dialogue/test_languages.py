"""Lines in a second language, and texts in languages that nobody wrote rules for."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue.compose import Composer
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.grammar import Grammar, language_of
from astraweave.dialogue.retell import retell, retell_text
from astraweave.errors import ConfigError
from astraweave.persona import Persona

GERMAN = tomllib.loads(Path(__file__).with_name("german.toml").read_text(encoding="utf-8"))["said"]
PAIRS = [tuple(part.strip() for part in line.split("|")) for line in GERMAN.strip().splitlines()]
FOREIGN = [
    ("fr", "Ma sœur Mira a perdu son anneau dans le moulin."),
    ("es", "Mi hermana perdió su anillo en el molino."),
    ("it", "Mia sorella ha perso il suo anello nel mulino."),
    ("nl", "Mijn zus heeft haar ring verloren bij de molen."),
    ("", "Моя сестра потеряла кольцо."),
    ("", "姉は指輪をなくした。"),
    ("", "أختي فقدت خاتمها."),
]


def speak(patterns: str, language: str, told: str, seed: int = 1) -> str:
    composer = Composer(Persona(id="a", name="A", patterns=patterns, language=language))
    return composer.telling(told, "player", random.Random(seed), [])


def test_german_is_said_back_in_the_right_person():
    shifted = Grammar.named("de").shifted
    wrong = [(said, shifted(said), want) for said, want in PAIRS if shifted(said) != want]
    assert len(wrong) <= len(PAIRS) * 0.05, wrong


@pytest.mark.parametrize("voice", ["plain", "gruff"])
def test_a_german_persona_speaks_german(voice):
    lines = {speak(voice, "de", PAIRS[0][0], seed) for seed in range(30)}
    retold = "deine Schwester Mira hat ihren Ring verloren"
    assert len(lines) >= 3
    assert sum(retold in line.replace("Deine", "deine") for line in lines) >= 3
    # a few say no more than that they are sorry
    assert all(retold in line.replace("Deine", "deine") or "leid" in line for line in lines)
    assert all(language_of(line) == "de" for line in lines)


@pytest.mark.parametrize(("tag", "text"), FOREIGN)
def test_other_languages_are_known_for_such_and_quoted_whole(tag, text):
    assert language_of(text) == tag
    assert text.rstrip(".") in retell_text(text, swap=True)
    for fact in facts_of(Source(text, "player", "tam")):
        assert text.rstrip(".") in retell(fact, swap=True)


@pytest.mark.parametrize(("tag", "text"), FOREIGN)
@pytest.mark.parametrize("language", ["en", "de"])
def test_what_cannot_be_retold_is_not_mangled(tag, text, language):
    words = [w for w in text.rstrip(".。").split() if len(w) > 4]
    line = speak("plain", language, text)
    assert text.rstrip(".。") in line or not any(word in line for word in words)


@given(st.text(max_size=120))
def test_no_text_breaks_a_line(text):
    for language in ("en", "de"):
        assert speak("gruff", language, text)


@given(st.text(max_size=120))
def test_a_language_without_tables_changes_nothing(text):
    unknown = Grammar.named("xx")
    assert unknown.shifted(text) == unknown.contracted(text) == unknown.expanded(text) == text
    assert unknown.with_articles(text) == text


def test_a_language_is_a_file(tmp_path):
    path = tmp_path / "xx.toml"
    path.write_text(
        'tag = "xx"\nlist = [", ", " ja "]\n'
        '[swap.first]\nmina = "sina"\n[swap.second]\nsina = "mina"\n',
        encoding="utf-8",
    )
    grammar = Grammar.load(path)
    assert grammar.shifted("Mina tean, et sina ei tea.") == "Sina tean, et mina ei tea."
    assert grammar.joined(["a", "b", "c"]) == "a, b ja c"
    path.write_text('tag = "xx"\nlst = 3\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"xx.toml:2: unknown key 'lst'.*list"):
        Grammar.load(path)
    path.write_text('tag = "xx"\nlist = 3\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="wrong form"):
        Grammar.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Grammar.load(tmp_path / "none.toml")


def test_words_for_times_feelings_and_numbers():
    english, german = Grammar.named("en"), Grammar.named("de-AT")
    assert english.ago(86400 * 5) == "some days ago"
    assert german.ago(86400 * 500) == "vor Jahren"
    assert (english.number(7), english.number(70)) == ("seven", "70")
    assert german.quoted('Er sagte "ja".') == "„Er sagte 'ja'.“"
    assert german.takes("Mein Hund ist gestorben") == "sad"
    assert english.takes("I won a prize") == "glad"
