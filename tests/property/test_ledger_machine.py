"""The hash of the state: the same for the same state, whatever has happened on the way to it."""

from __future__ import annotations

import sqlite3

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.core.worldview import Entity, Fact, WorldView
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import InputError
from astraweave.rag import Memory, MemoryChanges, MemoryLife, MemoryStore, NoveltyTable
from astraweave.rag.life_columns import Lived
from astraweave.rag.store import read_memories
from astraweave.rag.writing_novelty import Novelty
from astraweave.world import _schema
from astraweave.world.events import (
    AnyEvent,
    MemoriesChanged,
    MemoriesLived,
    RoomPut,
    ViewChanged,
    decode_event,
    encode_event,
)
from astraweave.world.ledger import (
    Ledger,
    PlainEntries,
    PlainMemories,
    encode_memory,
    encode_state,
)
from astraweave.world.routes import read_entries, routed
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


def sound(ledger: Ledger, put: tuple[Memory, ...]) -> tuple[Memory, ...]:
    """The same with ids and owners that may be."""
    next_id, fitting = ledger.export()[2], []
    for memory in put:
        old = ledger.memory(memory.id)
        if old is not None:
            memory = msgspec.structs.replace(memory, owner=old.owner)
        else:
            memory = msgspec.structs.replace(memory, id=next_id)
            next_id += 1
        fitting.append(memory)
    return tuple(fitting[::-1])


def step(ledger: Ledger, what: str, one, two) -> None:
    if what == "put":
        ledger.put_raw(one, None if two is None else encode_state(two))
    elif what == "memories":
        ledger.change_memories(MemoryChanges(put=sound(ledger, one), gone=tuple(two)))


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


def test_memories_keep_their_ids_and_owners() -> None:
    connection = fresh_database()
    store = MemoryStore(connection, MockEmbeddingClient(8))
    first = Memory(id=3, owner="tam", text="Hm.")
    for ledger in (Ledger(StateTable(connection), store), Ledger(PlainEntries(), PlainMemories())):
        ledger.change_memories(MemoryChanges(put=(first,)))
        before = ledger.hash
        for wrong in (
            Memory(id=2, owner="tam", text="Too late."),
            Memory(id=3, owner="hild", text="Not hers."),
        ):
            with pytest.raises(InputError):
                ledger.change_memories(MemoryChanges(put=(wrong,)))
        assert ledger.hash == before
    connection.close()


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


LIVES = st.builds(
    Lived,
    recalls=st.integers(0, 3),
    gain=st.sampled_from([0, 1.0, 2.5]),
    last=st.sampled_from([0, 7.0]),
    events=st.lists(st.tuples(*[st.sampled_from([0, 1.5])] * 3), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.builds(
                MemoriesChanged,
                changes=st.builds(
                    MemoryChanges,
                    put=st.lists(MEMORIES, max_size=2, unique_by=lambda m: m.id).map(tuple),
                    gone=st.lists(st.integers(1, 6), max_size=1).map(tuple),
                ),
            ),
            st.builds(
                MemoriesLived,
                lived=st.lists(st.tuples(st.integers(1, 6), LIVES), max_size=2).map(tuple),
            ),
            st.builds(
                RoomPut,
                room=st.just("novelty"),
                key=st.sampled_from(["tam", "hild"]),
                value=st.one_of(
                    st.none(),
                    st.builds(Novelty, count=st.integers(0, 3), mean=st.just(0.5)).map(
                        encode_state
                    ),
                ),
            ),
        ),
        max_size=15,
    )
)
def test_what_lies_in_tables_of_its_own_is_state_too(steps) -> None:
    connection = fresh_database()
    table, store = StateTable(connection), MemoryStore(connection, MockEmbeddingClient(8))
    life, novelty = MemoryLife(connection, store), NoveltyTable(connection)
    kept = Ledger(routed(table, life, novelty), store)
    plain = Ledger(PlainEntries(), PlainMemories())
    for event in steps:
        event = decode_event(encode_event(event))
        if isinstance(event, MemoriesChanged):
            changes = msgspec.structs.replace(event.changes, put=sound(plain, event.changes.put))
            event = MemoriesChanged(changes=changes)
        if isinstance(event, MemoriesLived):  # nobody decides about memories that are gone
            event = MemoriesLived(lived=tuple(x for x in event.lived if store.get(x[0])))
        if isinstance(event, RoomPut) and event.value == encode_state(Novelty()):
            continue  # what nobody has heard of is not written down
        for ledger in (kept, plain):
            apply(ledger, event)
        assert kept.hash == plain.hash
        assert Ledger(routed(table, life, novelty), store).hash == plain.hash
    for part in (table, store, life, novelty):
        part.write()
        part.committed()
    connection.commit()
    entries = dict(read_entries(connection))
    memories, next_id = read_memories(connection)
    again = Ledger(PlainEntries(entries), PlainMemories(memories, next_id))
    assert again.hash == plain.hash
    assert sorted(entries.items()) == plain.export()[0]
    connection.close()
