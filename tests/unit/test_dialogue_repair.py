"""Small faults are mended, and nothing is added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue.repair import normal, repaired


@pytest.mark.parametrize(
    ("piece", "text", "done"),
    [
        ("Tam: The fire is warm.", "The fire is warm.", ("label",)),
        ('"Tam": The fire is warm.', "The fire is warm.", ("label",)),
        ("Orla: The fire is warm.", "Orla: The fire is warm.", ()),
        ("The fire is warm. And the old", "The fire is warm.", ("half",)),
        ("Sit down. Sit down. The fire is warm.", "Sit down. The fire is warm.", ("repeated",)),
        ("The fire is warm", "The fire is warm.", ("stop",)),
        ("Sit down by the", "Sit down by the", ()),
        ("Well,", "Well,", ()),
        ("", "", ()),
    ],
)
def test_repairs(piece, text, done):
    assert repaired(piece, speaker="Tam", last=True) == (text, done)


def test_what_was_said_is_dropped_beside_something_new():
    text, done = repaired(
        "The fire is warm. Sit down a while.",
        speaker="Tam",
        line="Aye.",
        recent=["The fire is warm!"],
    )
    assert (text, done) == ("Sit down a while.", ("repeated",))


@given(st.text(max_size=80), st.text(max_size=40), st.booleans())
def test_no_word_is_added(piece, line, last):
    text, _ = repaired(piece, speaker="Tam", line=line, last=last)
    left = normal(piece).split()
    for word in normal(text).split():
        assert word in left
        left.remove(word)
