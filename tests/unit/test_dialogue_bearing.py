"""Which memory bears on a question: the signs, the trees, and what they were fitted to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.bench.lives import closest, lives
from astraweave.dialogue.bearing import ENOUGH, Trees, bearing
from astraweave.dialogue.language.questions import read_question
from astraweave.dialogue.signs import SIGNS, Told, roles_in, signs
from astraweave.dialogue.sought import sought_in
from astraweave.errors import CorruptDataError


def _told(text: str, score: float = 1.0, similarity: float = 0.5, **changes: Any) -> Told:
    words = frozenset(text.lower().rstrip(".").split())
    values = {"words": words, "met": 0, "missed": 0, "somebody": False, "rules": False} | changes
    return Told(text=text, score=score, similarity=similarity, **values)


def _row(question: str, *told: Told) -> dict[str, float]:
    """The signs of the first memory."""
    table = signs(question, told, sought_in(question, [t.text for t in told]), frozenset())
    assert table.shape == (len(told), len(SIGNS))
    assert np.isfinite(table).all()
    return dict(zip(SIGNS, table[0].tolist(), strict=True))


def test_what_retrieval_says_is_set_against_the_others() -> None:
    row = _row(
        "Where is Mira?", _told("Mira lives in Fenwick.", 3.0, 0.6), _told("Rain.", 1.0, 0.2)
    )
    assert (row["score"], row["score lead"], row["rank"]) == (3.0, 2.0, 1.0)
    assert row["similarity lead"] == pytest.approx(0.4)
    assert row["similarity mean"] == pytest.approx(0.4)
    assert row["similarity spread"] == pytest.approx(0.2)
    alone = _row("Where is Mira?", _told("Mira lives in Fenwick."))
    assert alone["score lead"] == 1.0


def test_names_and_sorts_that_are_asked_for_are_looked_for() -> None:
    row = _row("Where does Mira live?", _told("Mira lives in Fenwick."))
    assert (row["names missing"], row["sort held"], row["sort missed"]) == (0.0, 1.0, 0.0)
    row = _row("Where does Mira live?", _told("Tobin owes me seven crowns."))
    assert (row["names missing"], row["sort held"], row["sort missed"]) == (1.0, 0.0, 1.0)


def test_rare_words_count_more_than_shared_ones() -> None:
    memories = [_told("The ferry sank."), _told("The ferry left."), _told("The ferry is old.")]
    sank = _row("Which ferry sank?", *memories)
    assert 0.5 < sank["overlap"] <= 1.0
    assert sank["overlap lead"] > 0.4
    assert _row("Which ferry burned?", *memories)["rare missing"] == 1.0


@pytest.mark.parametrize(
    ("question", "memory", "same", "differs", "swapped"),
    [
        ("What did I lend Jonah?", "I lent Jonah a spade.", True, False, False),
        ("What did Jonah lend me?", "I lent Jonah a spade.", False, True, True),
        ("What did Mira find?", "Tobin found a ring.", False, True, False),
        ("What did my aunt find?", "My aunt found a ring.", True, False, False),
        ("Where is my ring?", "I lost my ring.", False, False, False),
    ],
)
def test_who_did_it(question: str, memory: str, same: bool, differs: bool, swapped: bool) -> None:
    assert roles_in(read_question(question), memory) == (same, differs, swapped)


# -- trees ----------------------------------------------------------------------------------------


def _chance_of(arrays: dict[str, Any], row: np.ndarray) -> float:
    """The readable way: one tree after the other, a node at a time."""
    total = float(arrays["base"])
    for root in arrays["roots"]:
        at = int(root)
        while arrays["feature"][at] >= 0:
            left = row[arrays["feature"][at]] <= arrays["bound"][at]
            at = int(root) + int(arrays["left" if left else "right"][at])
        total += arrays["value"][at]
    return 1.0 / (1.0 + math.exp(-total))


@st.composite
def _forests(draw: st.DrawFn) -> dict[str, Any]:
    parts: dict[str, list[Any]] = {n: [] for n in ("feature", "left", "right", "bound", "value")}
    roots = []
    for _ in range(draw(st.integers(1, 4))):
        roots.append(len(parts["feature"]))
        nodes: list[list[Any]] = []

        def grow(depth: int, nodes: list[list[Any]] = nodes) -> int:
            at = len(nodes)
            nodes.append([-1, 0, 0, 0.0, draw(st.floats(-2, 2))])
            if depth < 3 and draw(st.booleans()):
                nodes[at][0] = draw(st.integers(0, len(SIGNS) - 1))
                nodes[at][3] = draw(st.floats(-1, 1))
                nodes[at][1], nodes[at][2] = grow(depth + 1), grow(depth + 1)
            return at

        grow(0)
        for node in nodes:
            for name, value in zip(parts, node, strict=True):
                parts[name].append(value)
    kinds = {"feature": np.int16, "left": np.int16, "right": np.int16}
    arrays = {name: np.array(v, kinds.get(name, np.float64)) for name, v in parts.items()}
    return {**arrays, "roots": np.array(roots, np.int32), "base": draw(st.floats(-1, 1))}


@given(_forests(), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_all_trees_at_once_say_what_each_says(arrays: dict[str, Any], seed: int, rows: int) -> None:
    table = np.random.default_rng(seed).uniform(-1.5, 1.5, (rows, len(SIGNS)))
    chances = Trees(**arrays).chances(table)
    assert chances == pytest.approx([_chance_of(arrays, row) for row in table])


def test_trees_that_do_not_fit_together_are_refused() -> None:
    one = {"feature": np.array([-1], np.int16), "left": np.zeros(1, np.int16)}
    one |= {"right": np.zeros(1, np.int16), "bound": np.zeros(1), "roots": np.zeros(1, np.int32)}
    assert Trees(**one, value=np.zeros(1), base=0.0).chances(
        np.zeros((2, len(SIGNS)))
    ).tolist() == [
        0.5,
        0.5,
    ]
    with pytest.raises(CorruptDataError):
        Trees(**one, value=np.array([np.nan]), base=0.0)
    with pytest.raises(CorruptDataError):
        Trees(**one, value=np.zeros(2), base=0.0)


def test_the_shipped_trees_know_an_answer_and_its_want() -> None:
    told = [
        _told("My sister Mira lives in Fenwick, by the old mill.", 6.0, 0.62, met=1, rules=True),
        _told("I had porridge this morning.", 0.5, 0.1, missed=1),
        _told("The wind is up again.", 0.3, 0.05, missed=1),
    ]
    asked = "Where does Mira live?"
    assert bearing(asked, told, sought_in(asked, [t.text for t in told]), {"mira"}) == 0
    asked = "How much did the harpsichord cost?"
    assert bearing(asked, told[1:], sought_in(asked, []), frozenset()) is None
    assert 0.5 < ENOUGH < 1.0


# -- what they were fitted to ---------------------------------------------------------------------


def test_the_lives_are_whole() -> None:
    every = lives()
    assert len(every) == 90
    assert len({life.life for life in every}) == 90
    for life in every:
        assert len(life.questions) == 10, life.life
        assert len(set(life.told)) == len(life.told), life.life
        for question in life.questions:
            lines = [life.told[place].lower() for place in question.evidence]
            assert bool(lines) == bool(question.answers) == (question.how in {"near", "mid", "far"})
            assert all(any(a.lower() in line for line in lines) for a in question.answers), question


def test_a_memory_is_traced_to_the_line_it_was_made_from() -> None:
    for life in lives()[::10]:
        for place, line in enumerate(life.told):
            assert closest(line, life.told) == place
            assert closest(line.rstrip(".") + ", they say.", life.told) == place
