"""Roundabout tellings told straight, and questions in other words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue.language.paraphrase import other_wordings, plain_question
from astraweave.dialogue.tellings import straight
from astraweave.rag.salience import is_question


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("Did I mention that Ada is a cooper? Hard work.", "Ada is a cooper. Hard work."),
        ("Forty, that's how old she is now.", "She is forty now."),
        ("Update on Ada: she has two dogs now.", "Ada has two dogs now."),
        ("see this cup? present from Ada", "this cup is a present from Ada"),
        ("It was Ada who showed me the way.", "Ada showed me the way."),
        ("Ada lives in Harrow.", "Ada lives in Harrow."),
        ("Did I mention that Ada is a cooper?", "Did I mention that Ada is a cooper?"),
    ],
)
def test_a_roundabout_telling_is_told_straight(told: str, said: str) -> None:
    assert straight(told) == said


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    straight(text)
    plain_question(text)
    other_wordings(text)


def test_a_second_question_behind_does_not_make_a_telling() -> None:
    assert is_question("When did I tell you that Ada left, was it yesterday?")
    assert not is_question("When I was young I fell into the well, you know?")
