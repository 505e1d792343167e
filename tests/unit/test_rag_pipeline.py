"""From what is said to memories, and from a question back to them."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.core.worldview import Entity, WorldView
from astraweave.embeddings import EmbedderInfo
from astraweave.errors import InputError
from astraweave.rag import Memory, MemoryStore, RagPipeline, Retrieved
from astraweave.rag._linking import NameIndex
from astraweave.rag.salience import importance_of, is_question
from astraweave.rag.store import create_memory_tables


class Concepts:
    """An embedder that knows a few words of like meaning and nothing else."""

    dimensions = 8
    model_info = EmbedderInfo(id="concepts", dimensions=8, max_tokens=64)
    groups = (
        {"lost", "mislaid", "missing"},
        {"ring", "jewel"},
        {"sword", "blade"},
        {"cat", "kitten"},
        {"bread", "loaf"},
        {"i"},
    )

    def __init__(self):
        self.seen = []

    def embed(self, text):
        return self.embed_batch([text])[0]

    def embed_batch(self, texts):
        self.seen += texts
        rows = np.zeros((len(texts), 8), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = {word.strip(".,?!").casefold() for word in text.split()}
            row[-1] = 0.3
            row[: len(self.groups)] = [bool(words & group) for group in self.groups]
            row /= np.linalg.norm(row)
        return rows


WORLD = (
    Entity(id="tam", name="Tam", kind="person", aliases=("the smith",)),
    Entity(id="mira", name="Mira", kind="person"),
    Entity(id="player", name="Aren", kind="person", aliases=("the stranger",)),
    Entity(id="bridge", name="Hallow Bridge", kind="place"),
)


@pytest.fixture
def pipeline():
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    world = WorldView()
    world.add(*WORLD)
    embedder = Concepts()
    yield RagPipeline(MemoryStore(connection, embedder), embedder, world=world)
    connection.close()


def hear(pipeline, *lines, speaker="player", owner="tam", start=0.0):
    told = [
        pipeline.remember(
            line, owner=owner, speaker=speaker, addressee=owner, game_time=start + 400.0 * n
        )
        for n, line in enumerate(lines)
    ]
    pipeline._store.embed_pending()
    return told


CHATTER = (
    "The cat sleeps by the fire.",
    "Bread is dear this year.",
    "A blade needs oil.",
    "Good morning to you.",
    "The river runs high.",
)


def test_by_words_and_by_meaning(pipeline):
    hear(pipeline, *CHATTER)
    (lost,) = hear(pipeline, "My sister mislaid her jewel.", start=9000)
    (well,) = hear(pipeline, "A lantern hangs beside the old well.", start=19000)
    by_meaning = pipeline.retrieve("Who lost a ring?", owner="tam", k=1)[0]
    assert by_meaning.memory == lost
    assert by_meaning.similarity > 0.8
    assert by_meaning.lexical == 0.0
    by_words = pipeline.retrieve("Where were the lanterns hanging?", owner="tam", k=1)[0]
    assert by_words.memory == well
    assert by_words.lexical > 0.0


def test_words_find_what_is_not_embedded_yet(pipeline):
    hear(pipeline, *CHATTER)
    told = pipeline.remember("A lantern hangs there.", owner="tam", game_time=1e4)
    best = pipeline.retrieve("the lantern", owner="tam", k=1)[0]
    assert best.memory == told
    assert best.similarity == 0.0


def test_nobody_gets_what_another_knows(pipeline):
    hear(pipeline, "The ring lies in the well.", owner="mira")
    assert pipeline.retrieve("ring", owner="tam") == []
    (mine,) = hear(pipeline, "A blade needs oil.", owner="tam")
    found = pipeline.retrieve("Where is the ring, in the well?", owner="tam")
    assert [one.memory for one in found] == [mine]


def test_k_and_exclude(pipeline):
    told = hear(pipeline, *CHATTER)
    assert len(pipeline.retrieve("cat", owner="tam", k=3)) == 3
    found = pipeline.retrieve("cat", owner="tam", exclude={told[0].id})
    assert told[0].id not in {one.memory.id for one in found}
    assert len(found) == 4
    assert pipeline.retrieve("cat", owner="tam", k=0) == []


def test_who_said_it_counts(pipeline):
    hear(pipeline, *CHATTER)
    (hers,) = hear(pipeline, "I lost a ring.", speaker="mira", start=9000)
    (his,) = hear(pipeline, "I lost a ring, too.", speaker="player", start=19000)
    assert pipeline.retrieve("What has Mira lost?", owner="tam", k=1)[0].memory == hers
    assert (
        pipeline.retrieve("What have I lost?", owner="tam", k=1, speaker="player")[0].memory == his
    )


def test_names_of_speakers_stay_out_of_the_vector(pipeline):
    hear(pipeline, "I lost a ring.", speaker="mira")
    hear(pipeline, "A fine day.", speaker="zed")
    assert pipeline.query_text("What has mira lost?", owner="tam") == "What has I lost?"
    assert (
        pipeline.query_text("What has Zed said of Tam?", owner="tam") == "What has I said of Tam?"
    )
    assert pipeline.query_text("What has Mira lost?", owner="mira") == "What has Mira lost?"


def test_a_question_does_not_answer_itself(pipeline):
    hear(pipeline, *CHATTER)
    (fact,) = hear(pipeline, "My sister lost a ring.", start=9000)
    hear(pipeline, "What has my sister lost, a ring?", start=19000)
    assert pipeline.retrieve("What has my sister lost?", owner="tam", k=1)[0].memory == fact


def test_of_equals_the_latest(pipeline):
    hear(pipeline, "The cat sleeps.", start=0.0)
    (late,) = hear(pipeline, "The cat sleeps.", start=86400.0)
    assert pipeline.retrieve("the cat", owner="tam", k=1, now=90000.0)[0].memory == late


def test_what_is_said_twice_is_one_memory(pipeline):
    first = pipeline.remember("I lost a ring.", owner="tam", speaker="player", game_time=10.0)
    again = pipeline.remember("i lost a ring", owner="tam", speaker="player", game_time=20.0)
    assert again == first
    weeks_later = pipeline.remember("I lost a ring.", owner="tam", speaker="player", game_time=2e6)
    assert weeks_later == first
    for words, speaker, time in (
        ("I lost a ring.", "mira", 20.0),
        ("I lost a ring?", "player", 20.0),
        ("I lost two rings.", "player", 2000.0),
    ):
        other = pipeline.remember(words, owner="tam", speaker=speaker, game_time=time)
        assert other.id != first.id
    assert pipeline.remember("…", owner="tam", speaker="a", game_time=0.0) != pipeline.remember(
        "!!", owner="tam", speaker="a", game_time=0.0
    )


def test_a_memory_knows_what_it_is_about(pipeline):
    memory = pipeline.remember(
        "My brother Oswin met the smith at Hallow Bridge.",
        owner="mira",
        speaker="player",
        addressee="mira",
        game_time=5.0,
        tags=("family",),
    )
    assert memory.entities == ("tam", "bridge", "Oswin")
    assert (memory.speaker, memory.addressee, memory.tags) == ("player", "mira", ("family",))
    assert memory.game_time == 5.0
    assert memory.importance == importance_of(memory.text, memory.entities)
    told = pipeline.remember("x", owner="mira", game_time=5.0, importance=0.9)
    assert told.importance == 0.9


def test_new_names_of_the_world_are_seen(pipeline):
    pipeline._world.add(Entity(id="e1", name="the Grey Tower", kind="place"))
    told = pipeline.remember("i saw the grey tower", owner="tam", game_time=0.0)
    assert told.entities == ("e1",)


@pytest.mark.parametrize("vector", [np.ones(3), np.full(8, np.nan), np.ones((1, 8))])
def test_a_question_vector_that_cannot_be_used(pipeline, vector):
    hear(pipeline, "one")
    with pytest.raises(InputError):
        pipeline.retrieve("one", owner="tam", vector=vector.astype(np.float32))


def test_a_question_embedded_elsewhere(pipeline):
    hear(pipeline, *CHATTER)
    vector = pipeline._embedder.embed(pipeline.query_text("the cat", owner="tam"))
    seen = len(pipeline._embedder.seen)
    assert pipeline.retrieve("the cat", owner="tam", vector=vector) == pipeline.retrieve(
        "the cat", owner="tam"
    )
    assert len(pipeline._embedder.seen) == seen + 1


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ['"', '" OR "', "NEAR(a b)", "text:*", "a AND", "^", "-x", "'; DROP TABLE memory;--", "\0",
         "\ud800", "(((", "ring*", "{a b}: c"]
    ),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(query=HOSTILE)
def test_a_hostile_question_is_only_a_question(query):
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)

    class Any(Concepts):
        def embed(self, text):
            return np.full(8, 0.5, np.float32)

    pipeline = RagPipeline(MemoryStore(connection, Concepts()), Any())
    told = hear(pipeline, *CHATTER)
    found = pipeline.retrieve(query, owner="tam", k=9)
    assert {one.memory.id for one in found} == {memory.id for memory in told}
    connection.close()


class Words:
    def count(self, text):
        return len(text.split())


@settings(max_examples=100)
@given(lengths=st.lists(st.integers(1, 12), max_size=8), budget=st.integers(0, 40))
def test_what_is_injected_fits_and_nothing_better_is_left_out(lengths, budget):
    ranked = [
        Retrieved(memory=Memory(id=n + 1, owner="tam", text="w " * size), score=-n)
        for n, size in enumerate(lengths)
    ]
    fitting = RagPipeline.inject(ranked, budget, Words())
    left = budget
    for one, size in zip(ranked, lengths, strict=True):
        assert (one in fitting) == (size <= left)
        left -= size if one in fitting else 0


def test_importance():
    talk = ["Hello, smith!", "Thanks.", "Good morning.", "How are you?"]
    middling = ["The river runs high.", "Bread is dear this year."]
    weighty = [
        "I swear I will bring your hammer back.",
        "My sister Mira lost a silver ring near the mill.",
        "I never told anyone this secret.",
    ]
    scores = [[importance_of(text) for text in group] for group in (talk, middling, weighty)]
    assert max(scores[0]) < min(scores[1])
    assert max(scores[1]) < min(scores[2])


@given(st.text(), st.lists(st.text()))
def test_importance_is_a_share(text, entities):
    assert 0.0 <= importance_of(text, entities) <= 1.0
    is_question(text)


@given(st.text())
def test_names_stand_where_they_are_found(text):
    world = WorldView()
    world.add(*WORLD)
    index = NameIndex(world.snapshot())
    end = 0
    for start, stop, entity_id in index.spans(text + " Hallow bridge, the SMITH"):
        assert end <= start < stop
        end = stop
        assert entity_id in {"tam", "mira", "player", "bridge"}
    assert "bridge" in index.entities(text + " Hallow bridge")
