"""The hash of the state: the same for the same state, whatever has happened on the way to it."""

from __future__ import annotations

import sqlite3

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.core.worldview import Entity, Fact, WorldView
from astraweave.embeddings import MockEmbeddingClient
from astraweave.rag import Memory, MemoryChanges, MemoryStore
from astraweave.world import _schema
from astraweave.world.events import AnyEvent, ViewChanged, decode_event, encode_event
from astraweave.world.ledger import (
    Ledger,
    PlainEntries,
    PlainMemories,
    encode_memory,
    encode_state,
)
from astraweave.world.state import StateTable
from astraweave.world.transitions import apply

KEYS = st.sampled_from(["a", "b", "room/x", "memory/1", "game/ä"])
SMALL = st.integers(-9, 9)
VALUES = st.one_of(st.none(), SMALL, st.text(max_size=5), st.lists(SMALL))
MEMORIES = st.builds(
    Memory,
    id=st.integers(1, 6),
    owner=st.sampled_from(["tam", "hild"]),
    text=st.sampled_from(["The bridge is down.", "My dog is Biscuit.", "Hm."]),
    importance=st.sampled_from([0, 0.5, 1.0]),
    game_time=st.sampled_from([0, 1, 2.5]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, VALUES),
        st.tuples(
            st.just("memories"),
            st.lists(MEMORIES, max_size=3, unique_by=lambda memory: memory.id),
            st.lists(st.integers(1, 6), max_size=2),
        ),
        st.tuples(st.just("commit"), st.booleans(), st.none()),
    ),
    max_size=25,
)


def fresh_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    _schema.migrate(connection, "a test")
    return connection


def step(ledger: Ledger, what: str, one, two) -> None:
    if what == "put":
        ledger.put_raw(one, None if two is None else encode_state(two))
    elif what == "memories":
        ledger.change_memories(MemoryChanges(put=tuple(one), gone=tuple(two)))


@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_kept_and_plain_states_agree_at_every_step(steps) -> None:
    connection = fresh_database()
    table, store = StateTable(connection), MemoryStore(connection, MockEmbeddingClient(8))
    kept, plain = Ledger(table, store), Ledger(PlainEntries(), PlainMemories())
    for what, one, two in steps:
        if what == "commit":
            for part in (table, store):
                part.write()
                (part.committed if one else part.rolled_back)()
            if not one:
                connection.rollback()
            else:
                connection.commit()
            continue
        step(kept, what, one, two)
        step(plain, what, one, two)
        assert kept.hash == plain.hash
        assert kept.touched == plain.touched
    for part in (table, store):
        part.write()
        part.committed()
    connection.commit()
    again = Ledger(
        StateTable(connection), MemoryStore(connection, MockEmbeddingClient(8))
    )  # as if it had been saved and loaded
    assert again.hash == kept.hash
    entries, memories, next_id = kept.export()
    copy = Ledger(PlainEntries(entries), PlainMemories(memories, next_id))
    assert copy.hash == kept.hash
    connection.close()


@settings(max_examples=100, deadline=None)
@given(one=st.dictionaries(KEYS, VALUES), other=st.dictionaries(KEYS, VALUES), data=st.data())
def test_equal_hashes_are_equal_states(one, other, data) -> None:
    def made(entries) -> Ledger:
        ledger = Ledger(PlainEntries(), PlainMemories())
        for key in data.draw(st.permutations(sorted(entries))):
            ledger.put(key, "something else first")
            ledger.put(key, entries[key])
        return ledger

    same = {k: encode_state(v) for k, v in one.items()} == {
        k: encode_state(v) for k, v in other.items()
    }
    assert (made(one).hash == made(other).hash) == same


def test_a_vector_is_no_part_of_the_state() -> None:
    connection = fresh_database()
    store = MemoryStore(connection, MockEmbeddingClient(8))
    ledger = Ledger(StateTable(connection), store)
    ledger.change_memories(MemoryChanges(put=(Memory(id=1, owner="tam", text="Hm."),)))
    before = ledger.hash
    store.set_vectors(store.pending(), np.ones((1, 8), np.float32))
    assert Ledger(StateTable(connection), store).hash == before
    connection.close()


def test_a_field_that_comes_later_changes_no_hash() -> None:
    class Now(msgspec.Struct):
        a: int
        b: tuple[str, ...] = ()

    class Later(msgspec.Struct):
        a: int
        b: tuple[str, ...] = ()
        c: dict[str, int] = {}

    assert encode_state(Now(1)) == encode_state(Later(1, (), {}))
    assert encode_state(Later(1, c={"x": 1})) != encode_state(Later(1))
    copy = msgspec.msgpack.decode(
        msgspec.msgpack.encode(Memory(owner="t" * 2, text="x")), type=Memory
    )
    assert encode_memory(copy) == encode_memory(Memory(owner="tt", text="x"))


ENTITIES = st.builds(
    Entity,
    id=st.sampled_from("abcd"),
    name=st.sampled_from(["Mill", "Forge", "Inn"]),
    kind=st.sampled_from(["thing", "place"]),
)
FACTS = st.builds(
    Fact, st.sampled_from("abcd"), st.sampled_from(["owns", "is in"]), st.sampled_from("abcd")
)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_the_changes_of_a_view_are_enough_to_follow_it(data) -> None:
    view = WorldView()
    view.take_changes()
    ledger = Ledger(PlainEntries(), PlainMemories())
    for _ in range(data.draw(st.integers(1, 10))):
        action = data.draw(st.sampled_from(["add", "remove", "state", "retract", "sync"]))
        if action == "add":
            view.add(*data.draw(st.lists(ENTITIES, max_size=3)))
        elif action == "remove":
            view.remove(data.draw(st.sampled_from("abcd")))
        elif action == "sync":
            view.sync(data.draw(st.lists(ENTITIES)), data.draw(st.lists(FACTS)))
        else:
            getattr(view, action)(*data.draw(st.lists(FACTS, max_size=3)))
        for change in view.take_changes():
            event: AnyEvent = ViewChanged(
                version=change.version,
                added=change.added,
                removed=change.removed,
                stated=change.stated,
                retracted=change.retracted,
            )
            apply(ledger, decode_event(encode_event(event)))
    placed = sorted(
        (each for _, each in ledger.items("entity/", tuple[int, Entity])), key=lambda each: each[0]
    )
    snapshot = view.snapshot()
    assert [entity for _, entity in placed] == list(snapshot.entities.values())
    facts = {
        Fact(*msgspec.json.decode(key.removeprefix("fact/")))
        for key, _ in ledger.items("fact/", bool)
    }
    assert facts == snapshot.facts
    assert (ledger.get("view", int) or 0) == view.version
