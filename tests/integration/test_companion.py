"""A companion over twenty sittings: what he remembers of them, and that he makes nothing up."""

from __future__ import annotations

import pytest

from astraweave.bench._saga import draw_saga
from astraweave.bench._saga_parts import ASKED
from astraweave.bench.companion import CompanionFigures, figures_of, judge, play
from astraweave.core.settings import Settings


@pytest.fixture(scope="module")
def figures() -> CompanionFigures:
    """One seed without any model, words hashed."""
    saga = draw_saga(FIRST)
    return figures_of([play(saga, Settings(model="none", embedder="mock"))])


FIRST = 1


@pytest.mark.parametrize("seed", range(1, 30))
def test_a_saga_has_twenty_sittings_and_sixty_questions(seed: int) -> None:
    saga = draw_saga(seed)
    told = [s for sitting in saga.sittings for s in sitting.steps if s.item is None]
    assert len(saga.sittings) == 20
    assert len(told) == 120
    assert len(saga.items) == sum(ASKED.values()) == 60
    assert {sitting.end for sitting in saga.sittings} == {"save", "lost", "rewound"}
    assert saga == draw_saga(seed)


@pytest.mark.parametrize("seed", range(1, 30))
def test_the_right_answer_is_scored_right_and_a_guess_is_invented(seed: int) -> None:
    for item in draw_saga(seed).items:
        if item.holds is None and item.expected:
            assert judge(item, f"{item.expected[0]}.").correct, item
            assert not judge(item, "I don't know.").correct
            assert not judge(item, "I don't know.").invented
        if not item.expected:
            assert judge(item, "I don't know.").correct
            assert judge(item, "That was Zebediah Quux.").invented


def test_what_was_said_in_a_lost_sitting_is_never_expected() -> None:
    for seed in range(1, 30):
        saga = draw_saga(seed)
        lost = {s.text for sitting in saga.sittings if sitting.end != "save" for s in sitting.steps}
        assert not any(item.expected for item in saga.items if item.fact in lost)


def test_a_companion_remembers_twenty_sittings(figures: CompanionFigures) -> None:
    assert figures.right >= RIGHT, figures.by_sort
    assert sum(figures.invented.values()) <= INVENTED


RIGHT, INVENTED = 0.92, 0
