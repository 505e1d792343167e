"""Whether a memory holds the sort of thing that a question asks for, however people write it."""

from __future__ import annotations

import pytest

from astraweave.dialogue.holding import holds
from astraweave.dialogue.memory_words import Text
from astraweave.dialogue.recollect import fits
from astraweave.dialogue.sought import sought_in


@pytest.mark.parametrize(
    ("question", "memory", "held"),
    [
        ("How old is she?", "My niece does deliveries, she's fourteen and fearless.", True),
        ("How old did I turn?", "I turned twenty nine on Saturday.", True),
        ("How old is she?", "She has three cats.", False),
        ("How much do I owe Yasmin?", "I owe Yasmin sixty quid for the amp.", True),
        ("How much did I get for it?", "I sold it for 640.", True),
        ("How much did we pay?", "We paid three visits to the mill.", False),
        ("How many yaks do they have?", "The family keeps yaks, forty of them.", True),
        ("How many yaks do they have?", "The family keeps goats, forty of them.", False),
        ("When's the visit?", "The visit is on the 14th.", True),
        ("When is he back?", "He is gone till the first snow.", True),
        ("When does he drive?", "He drives a truck to Puno on Thursdays.", True),
        ("When is he back?", "He has gone to the charcoal camps.", False),
        ("What is Ondine's job?", "My sister Ondine's a corporate lawyer.", True),
        ("What was his trade?", "He was a vet before the Burn.", True),
        ("What is his job?", "Dad was a funny old man.", False),
        ("Where is Pickle from?", "My horse Pickle is from Thornbury Hythe.", True),
        ("Where did it come from?", "I bought it from Jenneth.", False),
    ],
)
def test_the_sort_that_is_asked_for(question: str, memory: str, held: bool) -> None:
    assert holds(sought_in(question, [memory]), Text.of(memory)) is held


def test_a_taste_is_ones_own_only_where_one_says_so() -> None:
    asked = "What is my favourite song?"
    assert not fits(asked, "Old songs are the best ones, new ones are all noise.")
    assert fits(asked, "My favourite song is the one about the drowned bell.")
