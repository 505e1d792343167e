"""Memories: what is stored comes back, to its owner only, and is in the database at each commit."""

from __future__ import annotations

import hashlib
import math
import sqlite3

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from astraweave.core.clock import ManualClock
from astraweave.embeddings import EmbedderInfo
from astraweave.errors import InputError
from astraweave.rag import Memory, MemoryStore
from astraweave.rag.store import (
    create_memory_tables,
    first_memory_tables,
    upgrade_memory_tables,
)
from astraweave.world import Slot


class Hashing:
    """Every text gets a direction of its own."""

    def __init__(self, name: str = "hashing", dimensions: int = 16) -> None:
        self.dimensions = dimensions
        self.model_info = EmbedderInfo(id=name, dimensions=dimensions, max_tokens=64)
        self.seen: list[str] = []

    def embed(self, text):
        return self.embed_batch([text])[0]

    def embed_batch(self, texts):
        self.seen += texts
        rows = []
        for text in texts:
            seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
            row = np.random.default_rng(seed).normal(size=self.dimensions)
            rows.append(row / np.linalg.norm(row))
        return np.array(rows, np.float32)


@pytest.fixture
def connection():
    made = sqlite3.connect(":memory:")
    create_memory_tables(made)
    made.commit()
    yield made
    made.close()


@pytest.fixture
def store(connection):
    return MemoryStore(connection, Hashing())


def found(store: MemoryStore, owner: str, words: list[str]) -> list[int]:
    """Ids of the memories that hold any of the words."""
    scores = store.word_scores(owner, [(word, 1.0) for word in words])
    return store.ids(owner)[scores > 0].tolist()


def contents(store: MemoryStore) -> dict[str, object]:
    """Everything that a search could see."""
    probe = store._embedder.embed("probe")
    result: dict[str, object] = {}
    for owner in store.owners():
        memories = store.for_owner(owner)
        words = [(word, 1.0) for memory in memories for word in memory.text.split()[:3]]
        result[owner] = (
            memories,
            store.ids(owner).tolist(),
            store.cosines(owner, probe).tobytes(),
            store.word_scores(owner, words[:20]).tobytes(),
            [column.tobytes() for column in columns_by_name(store, owner)],
        )
    return result


def columns_by_name(store: MemoryStore, owner: str) -> list[np.ndarray]:
    """The columns, with the codes of names made comparable between stores, and all traits read."""
    shelf = store._of(owner)
    for row in range(len(shelf)):
        shelf.traits(row)
    columns = store.columns(owner)
    names = {store.code_of(m.speaker): m.speaker for m in store.for_owner(owner)}
    names |= {store.code_of(m.addressee): m.addressee for m in store.for_owner(owner)}
    return [
        np.array([names[code] for code in column.tolist()])
        if name in ("speaker", "addressee")
        else column
        for name, column in zip(columns._fields, columns, strict=True)
    ]


def test_ids_ascend_and_are_never_used_again(connection, store):
    first, second = store.add_many(
        [Memory(owner="tam", text="one"), Memory(owner="mira", text="2")]
    )
    assert 0 < first.id < second.id
    store.delete(second.id)
    store.write()
    again = MemoryStore(connection, Hashing())
    assert again.add(Memory(owner="tam", text="three")).id > second.id


def test_what_one_owner_knows_no_other_finds(store):
    store.add(Memory(owner="mira", text="the ring lies in the well"))
    mine = store.add(Memory(owner="tam", text="the ring is lost"))
    assert found(store, "tam", ["ring", "well"]) == [mine.id]
    assert store.ids("tam").tolist() == [mine.id]
    assert not np.isnan(store.cosines("tam", Hashing().embed("x"))).any()
    assert found(store, "nobody", ["ring"]) == []
    assert store.cosines("nobody", Hashing().embed("x")).size == 0
    assert store.for_owner("nobody") == []


def test_words_of_other_scripts(store):
    memory = store.add(Memory(owner="tam", text="अंगूठी कुएँ में है, кольцо и كتاب"))
    for word in ("अंगूठी", "КОЛЬЦО", "كتاب"):
        assert found(store, "tam", [word]) == [memory.id]


def test_words_are_found_by_their_stems_in_any_case(store):
    memory = store.add(Memory(owner="tam", text="Mending KETTLES, naïvely"))
    for word in ("mended", "kettle", "naive"):
        assert found(store, "tam", [word]) == [memory.id]


def test_an_update_changes_words_and_vector(store):
    memory = store.add(Memory(owner="tam", text="a ring"))
    store.update(msgspec.structs.replace(memory, text="a crown"))
    assert found(store, "tam", ["ring"]) == []
    assert found(store, "tam", ["crown"]) == [memory.id]
    assert store.cosines("tam", Hashing().embed("a crown"))[0] == pytest.approx(1.0, abs=1e-3)
    seen = len(store._embedder.seen)
    store.update(msgspec.structs.replace(memory, text="a crown", importance=1.0))
    assert len(store._embedder.seen) == seen
    with pytest.raises(InputError):
        store.update(msgspec.structs.replace(memory, owner="mira"))
    with pytest.raises(InputError):
        store.update(msgspec.structs.replace(memory, id=99))


def test_embedding_later(store):
    told = [store.add(Memory(owner=o, text="the same"), embed=False) for o in ("a", "b", "c")]
    assert store._embedder.seen == []
    assert [memory.id for memory in store.pending()] == [memory.id for memory in told]
    assert found(store, "a", ["same"]) == [told[0].id]
    assert np.isnan(store.cosines("a", Hashing().embed("x"))).all()
    assert store.embed_pending(2) == 2
    assert store._embedder.seen == ["the same"]
    store.delete(told[2].id)
    assert store.set_vectors([told[2]], Hashing().embed_batch(["the same"])) == 0
    assert store.pending() == []
    assert store.embed_pending() == 0


@pytest.mark.parametrize(
    "vectors", [np.ones((1, 3)), np.ones(16), np.full((1, 16), np.nan), np.full((1, 16), np.inf)]
)
def test_vectors_that_cannot_be_used(store, vectors):
    memory = store.add(Memory(owner="tam", text="one"), embed=False)
    with pytest.raises(InputError):
        store.set_vectors([memory], vectors)
    assert store.pending() == [memory]


@pytest.mark.parametrize(
    "memory",
    [
        Memory(owner="", text="x"),
        Memory(owner="tam", text=" \n"),
        Memory(owner="tam", text="x" * 10_001),
        Memory(owner="tam", text="half \ud800"),
        Memory(owner="tam", text="x", tags=("\udfff",)),
        Memory(owner="tam", text="x", kind="dream"),  # type: ignore[arg-type]
        Memory(owner="tam", text="x", game_time=math.nan),
        Memory(owner="tam", text="x", importance=1.5),
        Memory(owner="tam", text="x", importance=math.nan),
    ],
)
def test_memories_that_cannot_be_stored(store, memory):
    with pytest.raises(InputError):
        store.add_many([Memory(owner="tam", text="fine"), memory])
    assert store.count() == 0


def test_the_latest_of_an_owner(store):
    told = store.add_many(Memory(owner="tam", text=str(n)) for n in range(5))
    assert store.for_owner("tam", last=2) == told[3:]
    assert store.for_owner("tam", last=0) == []
    assert store.for_owner("tam", last=9) == told
    assert store.count("tam") == 5
    assert store.count("mira") == 0


def test_another_embedder_starts_anew(connection, store):
    store.add_many([Memory(owner="tam", text="one"), Memory(owner="tam", text="two")])
    store.write()
    other = MemoryStore(connection, Hashing("other", 8))
    assert len(other.pending()) == 2
    other.embed_pending(1)
    other.write()
    again = MemoryStore(connection, Hashing("other", 8))
    assert [memory.text for memory in again.pending()] == ["two"]


def test_a_rolled_back_transaction_is_written_again(connection, store):
    kept = store.add(Memory(owner="tam", text="kept"))
    store.write()
    connection.commit()
    store.committed()
    store.add(Memory(owner="tam", text="new"))
    store.delete(kept.id)
    store.write()
    connection.rollback()
    store.rolled_back()
    store.write()
    connection.commit()
    store.committed()
    assert contents(MemoryStore(connection, Hashing())) == contents(store)


@pytest.mark.parametrize("dimensions", [4, 16])
def test_vectors_and_words_of_the_first_tables(dimensions):
    embedder = Hashing(dimensions=dimensions)
    connection = sqlite3.connect(":memory:")
    first_memory_tables(connection)
    connection.execute("UPDATE memory_space SET embedder='hashing', dimensions=?", (dimensions,))
    texts = [f"line {n}" for n in range(2100)]
    halves = embedder.embed_batch(texts).astype("<f2")
    connection.executemany(
        "INSERT INTO memory VALUES (?, 'tam', ?, 'episodic', '', '', 0, 0.5, '[]', '[]', ?)",
        [(n + 1, text, halves[n].tobytes() if n % 10 else None) for n, text in enumerate(texts)],
    )
    upgrade_memory_tables(connection)
    store = MemoryStore(connection, embedder)
    assert [memory.text for memory in store.pending()] == texts[::10]
    assert store.cosines("tam", embedder.embed("line 77"))[77] == pytest.approx(1.0, abs=2e-3)
    assert found(store, "tam", ["77"]) == [78]
    connection.close()


def test_a_damaged_vector_is_made_again(connection, store):
    told = store.add_many([Memory(owner="tam", text="one"), Memory(owner="tam", text="two")])
    store.write()
    for vector in (b"short", b"\xff" * 20, b"\0\0\x80\x7f" + b"\x80" * 16):  # NaN, infinity
        connection.execute("UPDATE memory SET vector = ? WHERE id = ?", (vector, told[0].id))
        loaded = MemoryStore(connection, Hashing())
        assert loaded.pending() == [told[0]]
        assert np.isnan(loaded.cosines("tam", Hashing().embed("one"))).tolist() == [True, False]


TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)


class Store(RuleBasedStateMachine):
    """Against a dict; at every moment a store loaded from the database is the same store."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:")
        create_memory_tables(self.connection)
        self.connection.commit()
        self.store = MemoryStore(self.connection, Hashing())
        self.model: dict[int, Memory] = {}

    def teardown(self) -> None:
        self.connection.close()

    @rule(owner=st.sampled_from("abc"), text=TEXT, embed=st.booleans(), tags=st.lists(TEXT))
    def add(self, owner, text, embed, tags):
        memory = self.store.add(Memory(owner=owner, text=text, tags=tuple(tags)), embed=embed)
        assert memory.id not in self.model
        self.model[memory.id] = memory

    @rule(data=st.data(), text=TEXT, embed=st.booleans())
    def update(self, data, text, embed):
        if self.model:
            old = self.model[data.draw(st.sampled_from(sorted(self.model)))]
            new = msgspec.structs.replace(old, text=text)
            self.model[old.id] = self.store.update(new, embed=embed)

    @rule(data=st.data())
    def delete(self, data):
        chosen = data.draw(st.sampled_from([*self.model, 9999]))
        assert self.store.delete(chosen) == (self.model.pop(chosen, None) is not None)

    @rule(limit=st.integers(0, 3))
    def embed(self, limit):
        self.store.embed_pending(limit)

    @rule(hold=st.booleans())
    def end_of_transaction(self, hold):
        self.store.write()
        if hold:
            self.connection.commit()
            self.store.committed()
        else:
            self.connection.rollback()
            self.store.rolled_back()

    @invariant()
    def loads_as_it_is(self):
        self.store.write()
        loaded = MemoryStore(self.connection, Hashing())
        assert contents(loaded) == contents(self.store)
        assert {m.id for m in loaded.pending()} == {m.id for m in self.store.pending()}
        for owner in "abc":
            expected = [self.model[i] for i in sorted(self.model) if self.model[i].owner == owner]
            assert self.store.for_owner(owner) == expected


Store.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStore = Store.TestCase


def test_a_slot_saves_memories_and_ranks_them_the_same_after_loading(tmp_path):
    with Slot.open(tmp_path, clock=ManualClock()) as slot:
        store = MemoryStore(slot.connection, Hashing())
        slot.attach(store)
        store.add_many(Memory(owner="tam", text=f"thing {n}") for n in range(50))
        slot.save()
        before = contents(store)
        store.add(Memory(owner="tam", text="after the save"))
    with Slot.open(tmp_path, clock=ManualClock()) as slot:
        assert contents(MemoryStore(slot.connection, Hashing())) == before
    with Slot.open(tmp_path, clock=ManualClock(), recover=True) as slot:
        assert MemoryStore(slot.connection, Hashing()).count("tam") == 51


@settings(max_examples=100, deadline=None)
@given(words=st.lists(st.text(max_size=12), max_size=8))
def test_no_word_is_query_syntax(words):
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    store = MemoryStore(connection, Hashing())
    store.add(Memory(owner="tam", text="NEAR AND OR NOT the ring"))
    clean = [word.encode(errors="replace").decode() for word in words]
    found(store, "tam", clean)
    connection.close()
