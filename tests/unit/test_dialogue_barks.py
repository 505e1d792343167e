"""Barks: short, not too often, not the same again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue import BARKS, Barker
from astraweave.errors import InputError
from astraweave.persona import Persona

TAM = Persona.builtin("tam")


@given(st.lists(st.tuples(st.sampled_from(sorted(BARKS)), st.floats(0, 100)), max_size=60))
def test_barks_keep_their_pauses_and_do_not_repeat_at_once(asked):
    barker, twin = Barker(TAM, 3), Barker(TAM, 3)
    now, last, spoken = 0.0, {}, []
    for kind, wait in asked:
        now += wait
        line = barker.bark(kind, now=now)
        assert line == twin.bark(kind, now=now)
        if line:
            assert now - last.get(kind, -1e9) >= BARKS[kind]
            assert line not in spoken[-2:]
            last[kind] = now
            spoken.append(line)


@pytest.mark.parametrize("kind", BARKS)
def test_every_kind_is_heard_and_varies(kind):
    barker = Barker(TAM, 1)
    lines = [barker.bark(kind, now=BARKS[kind] * 2 * n) for n in range(12)]
    assert all(lines)
    assert len(set(lines)) >= 3


def test_a_clock_put_back_silences_nobody():
    barker = Barker(TAM, 1)
    assert barker.bark("work", now=1000.0)
    assert barker.bark("work", now=10.0)


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="no bark"):
        Barker(TAM, 1).bark("sing", now=0.0)
