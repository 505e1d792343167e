"""Events of the third person, said by those who were in them."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue.retell import retell_event

NAMES = {"tam": "Tam", "mira": "Mira", "bren": "Bren", "guard_2": "the watchman"}
TABLES = tomllib.loads(Path(__file__).with_name("events.toml").read_text(encoding="utf-8"))
LEAST = {"tuning": 0.97, "held_out": 0.93, "later": 0.85}


def cases(table: str) -> list[tuple[str, str, str, str]]:
    found = []
    for line in TABLES[table].strip().splitlines():
        who, text, expected = (part.strip() for part in line.split(" | "))
        speaker, listener = who.split(" > ")
        found.append((speaker, listener, text, expected))
    return found


@pytest.mark.parametrize("table", list(TABLES))
def test_events_are_told_in_the_right_person(table):
    wrong = []
    for speaker, listener, text, expected in cases(table):
        said = retell_event(text, speaker=speaker, listener=listener, names=NAMES)
        if said != expected:
            wrong.append(f"{speaker} to {listener}: {text}\n  said: {said}\n  want: {expected}")
    total = len(cases(table))
    right = 1 - len(wrong) / total
    print(f"{table}: {total - len(wrong)} of {total}", *wrong, sep="\n")
    assert right >= LEAST[table], "\n".join(wrong)


def test_there_are_enough_cases():
    assert sum(len(cases(table)) for table in TABLES) >= 120


@given(st.text(max_size=200))
def test_any_text_is_told_without_an_error(text):
    retell_event(text, speaker="tam", listener="player", names=NAMES)


@given(
    st.lists(
        st.sampled_from("Ω Это кот 雨 la maison Tam's player and he her \" is".split()), max_size=12
    )
)
def test_words_of_other_languages_are_kept(parts):
    text = " ".join(parts)
    said = retell_event(text, speaker="tam", listener="player", names=NAMES)
    for word in ("Ω", "Это", "кот", "雨", "maison"):
        assert said.count(word) == text.count(word)


def test_quotations_and_a_language_without_rules_stay_as_they_are():
    told = 'Mira said: "The player owes Tam his hammer."'
    said = retell_event(told, speaker="tam", listener="player", names=NAMES)
    assert said == told
    french = "Le joueur a rendu le marteau de Tam."
    told = retell_event(french, speaker="tam", listener="player", names=NAMES, language="fr")
    assert told == french.rstrip(".")


def test_german_events_are_told_in_the_right_person():
    german = tomllib.loads(Path(__file__).with_name("german.toml").read_text(encoding="utf-8"))
    wrong = []
    for line in german["events"].strip().splitlines():
        who, text, expected = (part.strip() for part in line.split(" | "))
        speaker, listener = who.split(" > ")
        said = retell_event(text, speaker=speaker, listener=listener, names=NAMES, language="de")
        if said != expected:
            wrong.append(f"{who}: {text}\n  said: {said}\n  want: {expected}")
    assert not wrong, "\n".join(wrong)


@given(st.text(max_size=120))
def test_any_german_text_is_told_without_an_error(text):
    retell_event(text, speaker="tam", listener="player", names=NAMES, language="de")


@given(
    st.lists(st.sampled_from("Der Spieler hat Tams den des Tam weil er , und half".split())),
)
def test_german_words_in_any_order_are_told(parts):
    text = " ".join(parts)
    assert retell_event(text, speaker="tam", listener="player", names=NAMES, language="de") or (
        not text
    )


def test_other_words_mean_the_same_and_change_no_other_verb():
    event = "The player returned Tam's hammer."
    told = {
        retell_event(event, speaker="tam", listener="player", names=NAMES, rng=random.Random(seed))
        for seed in range(40)
    }
    assert told == {
        "you returned my hammer",
        "you brought my hammer back",
        "you gave my hammer back",
    }
    for event, kept in (
        ("The player returned to Tam.", "you returned to me"),
        ('The player said "I returned the ring".', 'you said "I returned the ring"'),
    ):
        for seed in range(20):
            said = retell_event(
                event, speaker="tam", listener="player", names=NAMES, rng=random.Random(seed)
            )
            assert said == kept
