"""What a line looks like: read word by word, as patterns over the whole line would."""

from __future__ import annotations

import re
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.embeddings import MockEmbeddingClient
from astraweave.rag import Memory, MemoryStore
from astraweave.rag._columns import UNREAD
from astraweave.rag._tables import create_memory_tables
from astraweave.rag._traits import Trait, traits_of
from astraweave.rag.salience import is_question

REFERENCE = {
    Trait.SPEAKS_OF_SELF: r"(?i)\b(?:i|me|my|mine|we|our|us)\b",
    Trait.TELLS_TIME: (
        r"(?i)\b(?:yesterday|today|tonight|tomorrow|last|next|ago|weeks?|weekend|months?|years?"
        r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july"
        r"|august|september|october|november|december|spring|summer|autumn|winter|midsummer"
        r"|since|recently|just|first|\d{4})\b"
    ),
    Trait.COUNTS: (
        r"(?i)\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred"
        r"|once|twice|couple|few)\b"
    ),
    Trait.NAMES: r"[\w,;’'] [A-Z][a-z]",
    Trait.TELLS_PAST: (
        r"(?i)\b(?:was|were|had|did|went|got|took|made|bought|found|saw|met|won|felt|gave|came|left"
        r"|lost|told|said|\w\w+ed)\b"
    ),
    Trait.TELLS_PLANS: (
        r"(?i)\b(?:will|going to|gonna|plan\w*|want\w*|hop(?:e|es|ing)|would|shall"
        r"|looking forward)\b|['’]ll\b"
    ),
}
WORDS = (
    "I we us Mira ring mill lost planned Wanted hope hoping hops bed need red indeed once 12 1999"
    " 19995 I'll we’ll well ill going to forward looking monday Sunday's weeks week may gone"
).split()
LINES = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
    st.lists(st.sampled_from([*WORDS, ",", "?", "-", "_", " "]), max_size=8).map("".join),
    st.text(st.sampled_from("aeiIMdwlst 'd’?.12_-\n"), max_size=30),
)


@given(LINES)
def test_traits_are_what_the_patterns_see(line: str) -> None:
    wanted = Trait.ASKS if is_question(line) else Trait(0)
    wanted |= Trait.HOLDS_QUESTION if "?" in line else Trait(0)
    for trait, pattern in REFERENCE.items():
        wanted |= trait if re.search(pattern, line) else Trait(0)
    assert Trait(traits_of(line)) == wanted


@pytest.fixture
def store() -> MemoryStore:
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    return MemoryStore(connection, MockEmbeddingClient())


class _Everywhere:
    def may_know(self, owner: str, scope: str) -> bool:
        return True


@pytest.mark.parametrize("scoped", [False, True])
def test_traits_of_what_was_loaded_are_read_where_somebody_asks(scoped: bool) -> None:
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    store = MemoryStore(connection, MockEmbeddingClient())
    texts = ["Where is it?", "I lost two rings.", "The mill.", "We will go."]
    owners = ["tam", "tam", "@world" if scoped else "tam", "@world" if scoped else "tam"]
    for owner, text in zip(owners, texts, strict=True):
        store.add(Memory(owner=owner, text=text), embed=False)
    known = store.readable("tam", _Everywhere())
    assert known.columns.traits.tolist() == [traits_of(text) for text in texts]
    store.write()
    store = MemoryStore(connection, MockEmbeddingClient())
    known = store.readable("tam", _Everywhere())
    assert known.columns.traits.tolist() == [UNREAD] * 4
    known.read_traits(np.array([1, 3]))
    assert known.columns.traits.tolist() == [traits_of(text) for text in texts]
    again = store.readable("tam", _Everywhere())
    assert again.columns.traits.tolist() == known.columns.traits.tolist()


def test_traits_of_a_text_that_changes_are_read_again(store: MemoryStore) -> None:
    memory = store.add(Memory(owner="tam", text="Where is it?"), embed=False)
    store.readable("tam").read_traits(np.array([0]))
    store.update(Memory(id=memory.id, owner="tam", text="I lost two rings."), embed=False)
    known = store.readable("tam")
    known.read_traits(np.array([0]))
    assert known.columns.traits.tolist() == [traits_of("I lost two rings.")]
