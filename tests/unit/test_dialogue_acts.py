"""Acts, clause splitting and what is kept of an utterance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.context import Turn
from astraweave.core.text import sanitize
from astraweave.dialogue import ClauseSplitter, act_of, is_telling, memory_text, retrieval_query
from astraweave.errors import InputError

ACTS = [
    ("Hello there!", "greeting"),
    ("Good morning, Tam.", "greeting"),
    ("Hi Tam, it's me again", "greeting"),
    ("Goodbye, Tam.", "farewell"),
    ("I must be off. Farewell!", "farewell"),
    ("Thanks a lot.", "thanks"),
    ("Thank you, Tam, that helps.", "thanks"),
    ("My sister is called Mira.", "telling"),
    ("I lost my knife in the river.", "telling"),
    ("The baker's dog bit Orla.", "telling"),
    ("Did you know that my horse is called Bramble?", "telling"),
    ("Where is my knife?", "question"),
    ("Tell me who stole the boat.", "question"),
    ("Remind me where I was born.", "question"),
    ("I forgot the name of my horse.", "question"),
    ("Hello Tam! Do you remember what my sister hid?", "question"),
    ("What was it that Mira hid", "question"),
    ("How are you today?", "wellbeing"),
    ("Do you remember me?", "recap"),
    ("What did I tell you yesterday?", "recap"),
    ("Can you mend my kettle?", "request"),
    ("Please fix this hinge.", "request"),
    ("You're a fool, smith.", "insult"),
    ("Sorry about that.", "apology"),
    ("Yes.", "agreement"),
    ("Lovely weather today.", "smalltalk"),
    ("It looks like rain.", "smalltalk"),
    ("Hmm, nice.", "smalltalk"),
    ("Hmm.", "smalltalk"),
    ("Nice place you have here.", "smalltalk"),
    ("Tell me a story.", "request"),
    ("What do you know about Mira?", "question"),
    ("Did I tell you about my sister?", "question"),
]


@pytest.mark.parametrize(("line", "kind"), ACTS, ids=[line for line, _ in ACTS])
def test_act(line, kind):
    assert act_of(line, "Tam").kind == kind


@given(st.text(max_size=300))
def test_any_text_has_an_act(text):
    try:
        clean = sanitize(text).text
    except InputError:
        return
    assert act_of(clean, "Tam").kind
    is_telling(clean)


@given(st.lists(st.text(alphabet="abc .,!?;-\n'\"", max_size=30), max_size=8))
def test_splitter_loses_nothing_whatever_the_pieces(pieces):
    splitter = ClauseSplitter()
    found = [c for piece in pieces for c in splitter.push(piece)] + splitter.flush()
    assert "".join(found).rstrip() == "".join(pieces).rstrip()


@given(st.text(alphabet="abc .,!?", max_size=80), st.integers(1, 7))
def test_splitter_cuts_the_same_sentences_however_it_arrives(text, size):
    def sentences(step):
        splitter = ClauseSplitter()
        found = []
        for at in range(0, len(text), step):
            found += splitter.push(text[at : at + step])
        return "".join([*found, *splitter.flush()]).rstrip()

    assert sentences(size) == sentences(len(text) or 1)


def turn(text: str) -> Turn:
    return Turn(role="user", speaker="player", text=text)


@pytest.mark.parametrize(
    ("before", "said", "kept"),
    [
        (["I have five goats."], "Actually it was seven, not five.", "I have seven goats."),
        (["I have five goats."], "No, seven.", "I have seven goats."),
        (
            ["My sister is called Mira."],
            "She lives in Fenwick.",
            "My sister lives in Fenwick.",
        ),
        (
            ["My boat is called the Heron."],
            "My boat is fast.",
            "My boat is fast.",
        ),
        ([], "She lives in Fenwick.", "She lives in Fenwick."),
    ],
)
def test_what_is_kept(before, said, kept):
    assert memory_text(said, [turn(text) for text in before]) == kept


def test_retrieval_leaves_the_wrapping_out():
    query = retrieval_query("Hello Tam! Do you remember where Mira hid the ring?", [])
    assert query == "where Mira hid the ring"
