"""A text that was read before is not read again, and nobody's reading is changed by another's."""

from __future__ import annotations

from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.language.words import words

TEXT = "My sister Mira hid a ring under the mill. Aldo found it."


def test_a_text_says_the_same_in_every_mouth() -> None:
    one = facts_of(Source(TEXT, "player", "tam", memory_id=1, order=1))
    other = facts_of(Source(TEXT, "agnes", "tam", memory_id=2, order=2, score=0.5))
    assert [fact.clause.verb for fact in one] == ["hide", "find"]
    assert [fact.source.speaker for fact in one + other] == ["player"] * 2 + ["agnes"] * 2
    assert all(a.clause is b.clause for a, b in zip(one, other, strict=True))
    one.clear()
    assert len(facts_of(Source(TEXT, "player", "tam"))) == 2


def test_words_belong_to_whoever_asked() -> None:
    first = words("The sailors my boat.")
    was = [(word.text, word.can, word.forms, word.lemma) for word in first]
    first[1].can, first[1].forms, first[1].lemma = {"V"}, {"s"}, "sail"
    first.pop()
    again = words("The sailors my boat.")
    assert [(word.text, word.can, word.forms, word.lemma) for word in again] == was
