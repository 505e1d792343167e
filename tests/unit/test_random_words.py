"""What leads a random stream from one state to another, told in a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.rng import RandomStreams, advanced, first_state, words_between


@given(seed=st.integers(0, 5), before=st.integers(0, 2000), words=st.integers(0, 2400))
def test_a_state_is_told_by_the_words_that_lead_to_it(seed: int, before: int, words: int) -> None:
    start = first_state(seed, "tam")
    assert start == RandomStreams(seed)["tam"].getstate()
    at = advanced(start, before)
    after = advanced(at, words)
    assert words_between(at, after) == words
    assert advanced(start, before + words) == after


def test_a_state_that_no_words_lead_to_is_none() -> None:
    one, other = first_state(1, "tam"), first_state(2, "tam")
    assert words_between(one, other) is None
    assert words_between(one, (one[0], one[1], 0.5)) is None


def test_drawing_in_every_way_is_told_in_words() -> None:
    streams = RandomStreams(3)
    before = streams["tam"].getstate()
    for _ in range(200):
        streams["tam"].choice("abc")
        streams["tam"].random()
        streams["tam"].shuffle([1, 2, 3])
        after = streams["tam"].getstate()
        words = words_between(before, after)
        assert words is not None
        assert advanced(before, words) == after
        before = after
