"""Differences between images of databases: they lead both ways, and add up."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.errors import CorruptDataError
from astraweave.world._digests import PageDigests
from astraweave.world.deltas import (
    PAGE,
    Delta,
    apply_deltas,
    combined,
    make_delta,
    pack_delta,
    unpack_delta,
)


def image_of(seed: int, pages: int, tail: int = 0) -> bytes:
    return random.Random(seed).randbytes(pages * PAGE + tail)


def altered(image: bytes, seed: int, edits: int) -> bytes:
    draw, new = random.Random(seed), bytearray(image)
    for _ in range(edits if new else 0):
        new[draw.randrange(len(new))] ^= 1 + draw.randrange(255)
    return bytes(new)


IMAGES = st.builds(
    lambda seed, pages, tail, edits: altered(image_of(seed, pages, tail), seed + 9, edits),
    st.integers(0, 1),
    st.integers(0, 4),
    st.sampled_from((0, 1, 7, PAGE - 1)),
    st.integers(0, 5),
)


@settings(max_examples=150, deadline=None)
@given(one=IMAGES, other=IMAGES)
def test_a_difference_leads_both_ways(one: bytes, other: bytes) -> None:
    delta = unpack_delta(pack_delta(make_delta(one, other)))
    assert apply_deltas(other, [delta], len(one)) == one
    assert apply_deltas(one, [delta], len(other)) == other


@settings(max_examples=100, deadline=None)
@given(images=st.lists(IMAGES, min_size=2, max_size=6), order=st.randoms(use_true_random=False))
def test_differences_in_a_row_make_one(images: list[bytes], order: random.Random) -> None:
    deltas = [make_delta(a, b) for a, b in pairwise(images)]
    order.shuffle(deltas)
    whole = combined(deltas)
    assert apply_deltas(images[0], [whole], len(images[-1])) == images[-1]
    assert apply_deltas(images[0], deltas, len(images[-1])) == images[-1]
    straight = make_delta(images[0], images[-1])
    assert np.array_equal(whole.pages, straight.pages)
    assert np.array_equal(whole.bits, straight.bits)


def test_a_difference_costs_what_differs() -> None:
    base = image_of(1, 500)
    assert len(pack_delta(make_delta(altered(base, 2, 10), base))) < 1000
    assert len(pack_delta(make_delta(base, base))) < 40


@pytest.mark.parametrize("cut", [0, 2, 5, 12, 20, -1])
def test_a_damaged_difference_is_told(cut: int) -> None:
    packed = pack_delta(make_delta(image_of(2, 3), image_of(1, 3)))
    with pytest.raises(CorruptDataError):
        unpack_delta(packed[:cut])


def test_a_page_that_comes_twice_is_told() -> None:
    twice = Delta(np.array([3, 3], np.uint32), np.ones((2, PAGE), np.uint8))
    with pytest.raises(CorruptDataError, match="twice"):
        unpack_delta(pack_delta(twice))


@settings(max_examples=60, deadline=None)
@given(
    pages=st.integers(0, 5),
    grown=st.integers(0, 3),
    changed=st.dictionaries(st.integers(0, 4), st.binary(min_size=PAGE, max_size=PAGE), max_size=3),
)
def test_an_id_follows_page_by_page(pages: int, grown: int, changed: dict[int, bytes]) -> None:
    image = image_of(1, pages)
    changed = {page: content for page, content in changed.items() if page < pages}
    changed |= {pages + each: image_of(each, 1) for each in range(grown)}
    after = bytearray(image + bytes(grown * PAGE))
    for page, content in changed.items():
        after[page * PAGE : (page + 1) * PAGE] = content
    digests = PageDigests(image).changed(changed, len(after))
    assert digests.id == PageDigests(bytes(after)).id
    assert digests.length == len(after)
    for page, content in changed.items():
        assert digests.matches(page, content)
    assert not digests.matches(pages + grown, bytes(PAGE))
