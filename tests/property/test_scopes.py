"""Nobody is ever given what they may not know, whatever moves, joins, is told or is forgotten."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from astraweave.core.worldview import Entity, WorldView
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import InputError
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.rag.scopes import AUTHOR, WORLD, WorldScopes, faction_scope, town_scope
from astraweave.rag.sharing import copies_for, share, why_known
from astraweave.rag.store import create_memory_tables

PEOPLE = ["tam", "mira", "guest"]  # guest is no entity
PLACES = ["ashford", "forge", "cellar"]
FACTIONS = ["guild", "thieves"]
SCOPES = [
    WORLD,
    AUTHOR,
    *map(town_scope, [*PLACES, "nowhere"]),
    *map(faction_scope, [*FACTIONS, "none"]),
]
TEXTS = ["the ring lies in the well", "ring", "Mira lost a ring", "the king is dead"]


def make_store() -> MemoryStore:
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    return MemoryStore(connection, MockEmbeddingClient(8))


class Minds(RuleBasedStateMachine):
    """Three characters in a world that changes, against a list of who may know what."""

    def __init__(self) -> None:
        super().__init__()
        self.world = WorldView()
        self.place: dict[str, str | None] = dict.fromkeys([*PEOPLE[:2], *PLACES])
        self.faction: dict[str, str | None] = dict.fromkeys(PEOPLE[:2])
        for name in self.place:
            self._tell(name)
        self.store = make_store()
        self.pipeline = RagPipeline(self.store, MockEmbeddingClient(8), world=self.world)
        self.owners: dict[int, str] = {}

    def _tell(self, name: str) -> None:
        self.world.add(
            Entity(id=name, name=name, place=self.place[name], faction=self.faction.get(name))
        )

    def _inside(self, who: str, scope: str) -> bool:
        if scope in (WORLD, AUTHOR) or not scope.startswith("@"):
            return scope == WORLD
        kind, name = scope.split(":")
        if kind == "@faction":
            return self.faction.get(who) == name
        around, at = [], self.place.get(who)
        while at is not None and at not in around:
            around.append(at)
            at = self.place[at]
        return name in around

    @rule(
        name=st.sampled_from([*PEOPLE[:2], *PLACES]),
        to=st.sampled_from([None, *PLACES]),
        joins=st.sampled_from([None, *FACTIONS]),
    )
    def move(self, name, to, joins):
        self.place[name] = to  # places may well lie in themselves
        if name in self.faction:
            self.faction[name] = joins
        self._tell(name)

    @rule(owner=st.sampled_from(PEOPLE + SCOPES), text=st.sampled_from(TEXTS), embed=st.booleans())
    def learn(self, owner, text, embed):
        self.owners[self.store.add(Memory(owner=owner, text=text), embed=embed).id] = owner

    @rule(data=st.data(), to=st.sampled_from(PEOPLE + SCOPES))
    def tell(self, data, to):
        if not self.owners:
            return
        what = data.draw(st.sampled_from(sorted(self.owners)))
        if self.owners[what] in (to, AUTHOR) or to == AUTHOR:
            with pytest.raises(InputError):
                share(self.store, what, to=to)
            return
        copy = share(self.store, what, to=to)
        assert share(self.store, what, to=to) == copy
        assert copy.provenance[-1] == self.owners[what]
        self.owners[copy.id] = to
        chain = why_known(self.store, copy)
        assert chain[:2] == [copy, self.store.get(what)]
        assert len(chain[-1].provenance) <= len(copy.provenance)

    @rule(data=st.data())
    def forget(self, data):
        if self.owners:
            what = data.draw(st.sampled_from(sorted(self.owners)))
            self.store.delete(what)
            del self.owners[what]

    @rule(who=st.sampled_from(PEOPLE), query=st.sampled_from([*TEXTS, "?", "@author"]))
    def ask(self, who, query):
        allowed = {
            i for i, owner in self.owners.items() if owner == who or self._inside(who, owner)
        }
        found = self.pipeline.retrieve(query, owner=who, k=1000)
        assert {one.memory.id for one in found} == allowed
        few = self.pipeline.retrieve(query, owner=who, k=2, exclude=set(self.owners) - allowed)
        assert {one.memory.id for one in few} <= allowed

    @rule(who=st.sampled_from(PEOPLE))
    def look(self, who):
        known = self.store.readable(who, WorldScopes(self.world))
        probe = np.full(8, 0.35, np.float32)
        for array in (*known.columns, known.cosines(probe), known.word_scores([("ring", 1.0)])):
            assert len(array) == len(known)
        for place, memory_id in enumerate(known.ids.tolist()):
            memory = known.memory(place)
            assert memory == self.store.get(memory_id)
            assert known.place(memory_id) == place
            assert (memory.owner == who) == (place < known.own)
            assert memory.owner == who or self._inside(who, memory.owner)
        for hidden in set(self.owners) - set(known.ids.tolist()):
            assert known.place(hidden) is None
        some = np.arange(len(known))[::-1]
        vectors = known.vectors(some)
        assert np.isnan(vectors[:, 0]).tolist() == np.isnan(known.cosines(probe)[some]).tolist()


Minds.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMinds = Minds.TestCase


@pytest.mark.parametrize("scope", ["@", "@town:", "@faction:", "@guild", "@World", "@author:x"])
def test_what_looks_like_a_scope_and_is_none(scope):
    store = make_store()
    with pytest.raises(InputError, match="is no scope"):
        store.add(Memory(owner=scope, text="x"))
    assert not WorldScopes(WorldView()).may_know("tam", scope)


def test_nobody_remembers_as_a_scope():
    store = make_store()
    store.add(Memory(owner=AUTHOR, text="the king is the murderer"))
    for scope in SCOPES:
        with pytest.raises(InputError, match="is a scope"):
            store.readable(scope, WorldScopes(WorldView()))
    assert len(store.readable("tam", WorldScopes(WorldView()))) == 0
    assert [memory.text for memory in store.for_owner(AUTHOR)] == ["the king is the murderer"]


def test_those_present_remember_each_for_themselves():
    store = make_store()
    said = Memory(owner="tam", text="I lost a ring", speaker="player")
    stored = store.add_many(copies_for(said, ["tam", "mira"]))
    store.delete(stored[0].id)
    assert store.for_owner("tam") == []
    assert store.for_owner("mira") == [stored[1]]


def test_a_rumour_keeps_its_way_and_its_vector():
    store = make_store()
    first = store.add(Memory(owner="tam", text="the ring lies in the well"))
    second = share(store, first.id, to="mira")
    third = share(store, second.id, to="@town:ashford", by="guest")
    assert third.provenance == ("tam", "guest")
    assert third.sources == (second.id,)
    assert why_known(store, third) == [third, second, first]
    np.testing.assert_allclose(store.vector(third.id), store.vector(first.id), atol=1e-6)
    store.delete(first.id)
    assert why_known(store, third) == [third, second]
    gist = store.add(Memory(owner="tam", text="gist", sources=(second.id, third.id, 999)))
    assert {memory.id for memory in why_known(store, gist)} == {gist.id, second.id, third.id}
    with pytest.raises(InputError, match="no memory"):
        share(store, first.id, to="mira")
