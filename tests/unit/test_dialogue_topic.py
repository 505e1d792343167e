"""A topic is carried on: "And her brother?"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.context import Turn
from astraweave.dialogue.recall import carried_over, resolved_question

TALK = [
    Turn(role="user", speaker="ash", text="My sister Mira lives in Fenwick."),
    Turn(role="assistant", speaker="tam", text="I will remember that."),
    Turn(role="user", speaker="ash", text="Where does my sister live?"),
    Turn(role="assistant", speaker="tam", text="In Fenwick."),
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("And my brother?", "Where does my brother live?"),
        ("And her brother?", "Where does my sister's brother live?"),
        ("What about the old smith?", "Where does the old smith live?"),
        ("And you?", "And you?"),
        ("And who told you?", "And who told you?"),
        ("Where is my brother?", "Where is my brother?"),
        ("And my brother is here.", "And my brother is here."),
    ],
)
def test_what_is_left_out_is_taken_from_the_question_before(said, meant):
    assert resolved_question(said, TALK) == meant


def test_it_goes_on_and_on():
    talk = [*TALK, Turn(role="user", speaker="ash", text="And my brother?")]
    assert carried_over("And my cousin?", talk) == "Where does my cousin live?"


def test_nothing_before_nothing_carried_over():
    assert carried_over("And my brother?", []) == "And my brother?"


@given(st.text(max_size=60), st.lists(st.text(max_size=40), max_size=3))
def test_any_text_survives(said, before):
    talk = [Turn(role="user", speaker="ash", text=text) for text in before]
    assert carried_over(said, talk) is not None
