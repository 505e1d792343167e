"""What holds today comes first, and what was before is found by whoever asks for it."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from astraweave.embeddings import EmbedderInfo
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.rag.store import create_memory_tables

DAY = 86_400.0


class Topics:
    """An embedder for which lines mean the same that speak of the same thing."""

    dimensions = 4
    model_info = EmbedderInfo(id="topics", dimensions=4, max_tokens=64)

    def embed(self, text):
        topics = [("loaf", "bread", "bake"), ("gate", "lock"), ("ring", "silver")]
        vector = np.array(
            [sum(word in text.lower() for word in words) for words in topics] + [0.2], np.float32
        )
        return vector / np.linalg.norm(vector)

    def embed_batch(self, texts):
        return np.stack([self.embed(text) for text in texts])


@pytest.fixture
def pipeline():
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    yield RagPipeline(MemoryStore(connection, Topics()), Topics())
    connection.close()


def tell(pipeline, text, day, **values):
    fields = {"owner": "tam", "text": text, "speaker": "hild", "game_time": DAY * day} | values
    return pipeline._store.add(Memory(**fields))


def found(pipeline, question, **more):
    return [one.memory for one in pipeline.retrieve(question, owner="tam", k=5, **more)]


@pytest.fixture
def prices(pipeline):
    for n in range(6):
        tell(pipeline, f"The river ran high on day {n}.", n)
    store = pipeline._store
    newest = tell(pipeline, "It is seven from midsummer on.", 9)
    second = tell(pipeline, "I ask five, since the flour ran out.", 7, superseded_by=newest.id)
    first = tell(pipeline, "A loaf costs three pennies.", 5, superseded_by=second.id)
    assert store.count() == 9
    return first, second, newest


def test_the_end_of_a_chain_answers_for_all_of_it(pipeline, prices):
    first, _, newest = prices
    memories = found(pipeline, "What does a loaf cost?")
    assert memories[0] == newest
    assert first in memories


def test_who_asks_how_it_was_gets_what_was_superseded(pipeline, prices):
    first, _, newest = prices
    for question in ("What did a loaf cost before?", "What did a loaf use to cost, at first?"):
        memories = found(pipeline, question)
        if newest in memories:
            assert memories.index(first) < memories.index(newest)
        assert memories[0] == first


def test_what_is_not_wanted_does_not_come_back_for_another(pipeline, prices):
    first, _, newest = prices
    memories = found(pipeline, "What does a loaf cost?", exclude={newest.id})
    assert newest not in memories
    assert first in memories


def test_a_chain_that_leads_to_others_or_nowhere_changes_nothing(pipeline):
    theirs = tell(pipeline, "The loaf costs nine now.", 3, owner="mira")
    mine = tell(pipeline, "A loaf costs three pennies.", 2, superseded_by=theirs.id)
    lost = tell(pipeline, "The gate is open.", 2, superseded_by=10_000)
    assert found(pipeline, "What does a loaf cost?")[0] == mine
    assert found(pipeline, "Is the gate open?")[0] == lost


def test_of_two_tellings_alike_the_later_one_is_meant(pipeline):
    old = tell(pipeline, "I bake my bread with rye, a loaf for three pennies.", 2)
    new = tell(pipeline, "For bread I take five since the mill burned.", 6)
    assert found(pipeline, "How much does a loaf of bread cost?")[0] == new
    reasons = pipeline.explain("How much does a loaf of bread cost?", owner="tam", k=1)[0].reasons
    assert any(reason.feature == "said last" and reason.value > 0 for reason in reasons)
    asked = "How much did a loaf of bread cost when I came?"
    assert found(pipeline, asked)[0] == old


@pytest.mark.parametrize(
    ("later", "fields"),
    [
        ("For bread I take five since the mill burned.", {"speaker": "bram"}),
        ("Do you buy bread for five since the mill burned?", {}),
        ("The ring is silver since the mill burned.", {}),
        ("My bread smells of honey.", {}),
    ],
    ids=["somebody else", "asks", "another thing", "no news"],
)
def test_what_is_no_news_of_it_stays_behind(pipeline, later, fields):
    old = tell(pipeline, "I bake my bread with rye, a loaf for three pennies.", 2)
    tell(pipeline, later, 6, **fields)
    assert found(pipeline, "How much does a loaf of bread cost?")[0] == old


def test_the_score_is_the_sum_of_its_reasons(pipeline, prices):
    for one in pipeline.explain("What does a loaf cost?", owner="tam", k=9):
        total = sum(reason.contribution for reason in one.reasons)
        assert total == pytest.approx(one.score)


def test_what_lies_on_the_side_of_an_event_that_is_asked_for(pipeline):
    before = tell(pipeline, "I brought cheese.", 3)
    tell(pipeline, "The chapel burned.", 5, speaker="")
    after = tell(pipeline, "I brought wine.", 6)
    for day in range(8, 40):
        tell(pipeline, f"I brought {day} eels.", day)
    assert (
        found(pipeline, "What did Hild bring before the chapel burned?", now=50 * DAY)[0] == before
    )
    assert found(pipeline, "What did Hild bring after the chapel burned?", now=50 * DAY)[0] == after
    assert pipeline.query_text("What did I hide before the chapel burned?", owner="tam") == (
        "What did I hide?"
    )
    spoken = "What did I hide before the harvest fair?"
    tell(pipeline, "The harvest fair was merry.", 41)
    assert pipeline.query_text(spoken, owner="tam") == spoken
