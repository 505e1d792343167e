"""Who is meant among several, and who speaks next."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue import EVERYONE, Standing, addressed, speaking_order, without_calls

NAMES = {"orla": ["Orla", "orla"], "bren": ["Bren Ashdown", "Bren"], "tam": ["Tam"]}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Orla, where is Bren?", ("orla",)),
        ("Where is Bren, Orla?", ("orla",)),
        ("Tam! And you, Bren?", ("tam", "bren")),
        ("Have you seen Orla?", ()),
        ("Good evening, everybody!", ("orla", "bren", "tam")),
        ("Which of you is the smith?", ()),
        ("Who among you is the smith?", ("orla", "bren", "tam")),
        ("What a day.", ()),
    ],
)
def test_names_that_are_called(said, meant):
    assert addressed(said, NAMES) == meant


def test_looking_at_somebody_counts_more_than_names():
    assert addressed("Orla, where is Bren?", NAMES, "tam") == ("tam",)
    assert addressed("Hm.", NAMES, EVERYONE) == tuple(NAMES)
    assert addressed("Hm.", NAMES, ["tam", "nobody"]) == ("tam",)


STANDINGS = st.lists(
    st.builds(
        Standing,
        npc=st.sampled_from("abcdef"),
        addressed=st.booleans(),
        relevance=st.floats(0, 1),
        affinity=st.floats(-1, 1),
        extraversion=st.floats(0, 1),
        silent_for=st.integers(1, 99),
    ),
    unique_by=lambda s: s.npc,
)


@given(STANDINGS, st.integers())
def test_everybody_has_one_place_and_those_addressed_come_first(standings, seed):
    order = speaking_order(standings, random.Random(seed))
    assert sorted(order) == sorted(s.npc for s in standings)
    asked = {s.npc for s in standings if s.addressed}
    assert set(order[: len(asked)]) == asked
    again = speaking_order(standings[::-1], random.Random(seed))
    assert order == again


def test_who_spoke_last_lets_others_speak():
    pair = [Standing(npc="a", silent_for=1), Standing(npc="b")]
    assert all(speaking_order(pair, random.Random(n))[0] == "b" for n in range(50))


@pytest.mark.parametrize(
    ("said", "bare"),
    [
        ("Orla, where is Bren?", "Where is Bren?"),
        ("Where is Bren, Orla?", "Where is Bren?"),
        ("Hey Bren Ashdown! Sit down.", "Sit down."),
        ("Orla!", "Orla!"),
        ("Have you seen Orla?", "Have you seen Orla?"),
    ],
)
def test_what_is_said_without_whom_it_is_said_to(said, bare):
    assert without_calls(said, NAMES) == bare
