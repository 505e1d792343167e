"""The slot table under any order of requests, more than one of them running at once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.llm._slots import SlotTable

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=8)
steps = st.lists(st.one_of(st.tuples(tokens, st.sampled_from(["", "a", "b"])), st.integers(0, 3)))


@settings(max_examples=300)
@given(st.integers(1, 3), steps)
def test_a_placement_is_true_and_never_touches_a_busy_slot(count: int, story) -> None:
    table = SlotTable(count)
    running = []
    for step in story:
        if isinstance(step, int):
            if running:
                table.release(running.pop(step % len(running)))
            continue
        prompt, owner = step
        idle = [slot for slot in table.slots if slot not in running]
        best = max(common(slot.tokens, prompt) for slot in table.slots)
        placement = table.place(prompt, owner)
        if placement is None:
            assert not idle
            continue
        assert placement.slot in idle
        assert placement.reused == min(best, len(prompt) - 1), "the longest beginning is used"
        assert placement.source.tokens[: placement.reused] == prompt[: placement.reused]
        placement.slot.tokens[:] = prompt
        running.append(placement.slot)


def common(a: list[int], b: list[int]) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
