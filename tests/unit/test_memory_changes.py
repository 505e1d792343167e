"""What of what is known a line changes, what it only repeats, and what of it is air."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.embeddings import MockEmbeddingClient
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.rag.store import create_memory_tables
from astraweave.rag.writing_changes import contradicts
from astraweave.rag.writing_statements import read_statement
from astraweave.rag.writing_triage import is_passing

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
import changed

sys.path.pop(0)

HOUR = 3600.0


@pytest.fixture
def rag():
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    yield RagPipeline(MemoryStore(connection, MockEmbeddingClient(8)), MockEmbeddingClient(8))
    connection.close()


def hears(rag, *lines, speaker="player", rests_on=()):
    written = []
    for line in lines:
        memory = Memory(
            owner="tam", text=line, speaker=speaker,
            addressee="player" if speaker == "tam" else "tam" if speaker else "",
            game_time=HOUR * (rag._store.count() + 1),
        )  # fmt: skip
        decision = rag.writer.decide(memory, rests_on=rests_on)
        rag.writer.apply(decision)
        written += decision.written
    return written


# The labelled pairs: these figures are what was measured; better ones may be written in.


@pytest.mark.parametrize(
    ("half", "precision", "recall"), [("tuned", 1.0, 0.97), ("held out", 0.96, 0.83)]
)
def test_changes_over_the_labelled_pairs(half, precision, recall):
    figures, wrong = changed.score(half)
    assert figures["pairs"] >= 75
    assert figures["precision"] >= precision, wrong
    assert figures["recall"] >= recall, wrong


def test_a_mind_full_of_other_facts_loses_none_of_them():
    # Six of the lines do change the first line of another pair; nothing else is lost.
    assert len(changed.crossed("tuned")) <= 6
    assert changed.crossed("held out") == []


def test_a_price_that_is_raised_is_the_only_one_that_was_told(rag):
    (loaf,) = hears(rag, "A loaf costs three pennies.", speaker="hild")
    (raised,) = hears(rag, "I have to raise the price to five.", speaker="hild")
    assert raised.superseded == (loaf.memory.id,)
    hears(rag, "A pie costs four pennies.", "A cake costs nine pennies.", speaker="bram")
    (which,) = hears(rag, "I have to raise the price to ten.", speaker="bram")
    assert which.superseded == ()
    (others,) = hears(rag, "I have to raise the price to ten.", speaker="falk")
    assert others.superseded == ()


def test_nobody_overrules_what_somebody_says_of_themselves_or_what_was_seen(rag):
    hears(rag, "I live in Redford.")
    hears(rag, "The smithy door is open.", speaker="")
    (rumour,) = hears(rag, "The player lives in Veldt.", speaker="corvin")
    (lie,) = hears(rag, "The smithy door is shut now.", speaker="corvin")
    assert rumour.superseded == lie.superseded == ()
    (seen,) = hears(rag, "The smithy door is shut.", speaker="")
    (moved,) = hears(rag, "I have moved to Oakhollow.")
    assert len(seen.superseded) == 1
    assert rumour.memory.id in moved.superseded
    assert len(moved.superseded) == len(("what he said", "what was said of him"))


def test_a_memory_of_more_than_what_has_changed_stays(rag):
    told = (
        "I keep bees, goats and a blind old dog behind the barn, and my daughter sings to them;"
        " the mill is shut."
    )
    (kept,) = hears(rag, told)[:1]
    hears(rag, "The mill is open again.")
    assert rag._store.get(kept.memory.id).superseded_by == 0


def test_what_changes_something_is_no_air(rag):
    (shop,) = hears(rag, "The shop is open.")
    (shut,) = hears(rag, "The shop is shut.")
    assert (shut.outcome, shut.superseded) == ("changed", (shop.memory.id,))
    assert hears(rag, "I work as a ferryman.")[0].outcome == "new"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("I am looking for my brother.", "I am looking for a cheap room now."),
        ("My mother lives in Redford.", "My mother lives in fear."),
        ("My name is Aren.", "My name is known in Veldt."),
        ("The ship leaves at dawn.", "The ship leaves at noon."),
        ("My lute is at the inn.", "I left my lute at the inn."),
        ("Two men guard the gate.", "Two men guard the tower now."),
        ("I put the lamp on the table.", "I put the bread on the table."),
        ("I sold the mare.", "I sold the mare to Falk for nine crowns."),
        ("A man is in the mill.", "A man is at the ford."),
        ("There are three inns in Redford.", "There are two inns in Veldt."),
        ("I no longer fear the dark.", "I fear the deep."),
        ("I keep my gold in the chest.", "I keep my letters in the box now."),
    ],
)
def test_what_sounds_like_a_change_hides_nothing(rag, before, after):
    (kept,) = hears(rag, before)
    hears(rag, after)
    assert rag._store.get(kept.memory.id).superseded_by == 0


NAMES = st.sampled_from(["player", "hild", ""])
WORDS = st.lists(
    st.sampled_from(
        "i my the a gate is not no longer now mill open shut five six pennies price raised to from"
        " instead of moved lives in on friday used given up ; , and . have sold".split()
    ),
    max_size=14,
).map(" ".join)


@settings(max_examples=300)
@given(WORDS, WORDS, NAMES, NAMES)
def test_no_words_break_the_rules(new, old, who, whom):
    one = read_statement(new, speaker=who, addressee="tam")
    other = read_statement(old, speaker=whom, addressee="tam")
    assert contradicts(one, other, owner="tam") in (True, False)


# Quoting


TOLD = [
    ("Mira lives in Fenwick.", "So you said: Mira lives in Fenwick, and that's no small thing."),
    (
        "My sister Mira hid a silver key under the old mill.",
        "By the old gods: your sister Mira hid a silver key under the old mill. A fine tale, that.",
    ),
    ("My dog is called Biscuit.", "Your dog is called Biscuit, and a good name it is."),
    ("I am afraid of deep water.", "You're afraid of deep water. No shame in that."),
]


@pytest.mark.parametrize(("before", "after"), TOLD)
def test_an_answer_with_a_flourish_is_no_memory(rag, before, after):
    (told,) = hears(rag, before)
    (echo,) = hears(rag, after, speaker="tam")
    assert (echo.outcome, echo.memory.id) == ("retold", told.memory.id)


def test_what_rests_on_a_memory_may_be_put_in_any_voice(rag):
    (told,) = hears(rag, "I owe the miller forty crowns.")
    line = (
        "Forty crowns you owe the miller, and my beard has not forgotten a debt in all its years."
    )
    assert hears(rag, line, speaker="tam")[0].outcome == "new"
    (echo,) = hears(rag, line.upper(), speaker="tam", rests_on=[told.memory.id])
    assert (echo.outcome, echo.memory.id) == ("retold", told.memory.id)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Mira lives in Fenwick.", "Mira lives in Fenwick, and her brother Oswin lives in Veldt."),
        ("My dog is called Biscuit.", "Your dog is not called Biscuit."),
        ("My hammer is broken.", "Your hammer is broken, you said; I'll mend it by Friday."),
        ("I owe the miller forty crowns.", "You owe the miller fifty crowns."),
        ("I owe the miller forty crowns.", "I swear, the forty crowns of the miller are safe."),
    ],
)
@pytest.mark.parametrize("rests", [False, True])
def test_what_an_answer_adds_is_a_memory(rag, before, after, rests):
    (told,) = hears(rag, before)
    written = hears(rag, after, speaker="tam", rests_on=[told.memory.id] if rests else ())
    assert "retold" not in [one.outcome for one in written]


# Air


@pytest.mark.parametrize(
    "line",
    [
        "My mule is lame since the ford. Can you lend me yours?",
        "Could you bring a sack of nails and the long saw to my brother at the quarry?",
        "Bring twelve candles to the chapel.",
        "I have lost my silver thimble. Have you seen it?",
    ],
)
def test_what_tells_while_it_asks_lasts(line):
    assert not is_passing(line)


@pytest.mark.parametrize(
    "line",
    [
        "Rain again. Will it stop?",
        "Could you tell me where the sister of the miller lost her silver ring?",
        "Bring me the salt.",
        "Have you eaten?",
        "Wait here. Are you ready?",
    ],
)
def test_what_only_asks_is_air(line):
    assert is_passing(line)
