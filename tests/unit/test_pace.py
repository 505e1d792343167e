"""How much of the waiting prompts a step takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from astraweave.llm._jobs import Job, Scored
from astraweave.llm._pace import MAX_JUDGED, MAX_PIECE, MIN_PIECE, Pace, plan, to_batch
from astraweave.llm._scoring import Scores


class Waiting(Job):
    """A job that is only looked at."""

    def __init__(self, prompt: int, computed: int, *, urgency: int = 2, order: int = 0) -> None:
        super().__init__(list(range(prompt)), urgency=urgency, submitted=0.0)
        self.computed = computed
        self.order = order
        self.sequence = order

    @property
    def wants_from(self) -> int:
        return len(self.known) - 1

    reusable = keepable = wants_from

    @property
    def cancelled(self) -> bool:
        return False

    def end_cancelled(self, now: float) -> None:
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        raise NotImplementedError


def learned(rows: int, row_s: float, token_s: float) -> Pace:
    pace = Pace()
    for _ in range(30):
        pace.note(rows, 0, row_s)
        pace.note(rows, 100, row_s + 100 * token_s)
    return pace


def test_a_step_that_is_read_along_takes_about_sixty_milliseconds() -> None:
    pace = learned(8, 0.010, 0.001)
    assert 45 <= pace.budget(8, speaking=True) <= 50
    assert 200 <= pace.budget(0, speaking=False) <= 250


def test_slow_machines_still_go_on_and_fast_ones_stay_answerable() -> None:
    assert learned(16, 0.2, 0.01).budget(16, speaking=True) == MIN_PIECE
    assert learned(16, 0.001, 0.00002).budget(16, speaking=False) == MAX_PIECE


def test_unknown_numbers_of_rows_are_taken_for_the_nearest() -> None:
    pace = learned(4, 0.020, 0.001)
    assert pace.budget(5, speaking=True) == pace.budget(4, speaking=True)
    assert pace.budget(0, speaking=True) > pace.budget(4, speaking=True)


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(0, 499), st.integers(0, 4)), max_size=12),
    st.integers(MIN_PIECE, MAX_PIECE),
    st.sampled_from([0, 64]),
)
def test_single_tokens_always_go_and_the_rest_keeps_to_the_budget(jobs, budget, grid) -> None:
    waiting = [
        Waiting(prompt, min(computed, prompt - 1), urgency=urgency, order=order)
        for order, (prompt, computed, urgency) in enumerate(jobs)
    ]
    pieces = plan(waiting, budget, grid=grid)
    sizes = {job.order: size for job, size in pieces}
    assert len(sizes) == len(pieces)
    assert all(1 <= size <= job.pending for job, size in pieces)
    assert all(sizes[job.order] == 1 for job in waiting if job.pending == 1)
    longer = [job for job in waiting if job.pending > 1]
    if longer:
        first = min(longer, key=lambda job: (job.urgency, job.order))
        assert first.order in sizes, "the most urgent one always goes on"
    taken = sum(size for job, size in pieces if job.pending > 1)
    if grid:
        assert all(
            (job.computed + sizes[job.order]) % grid == 0 or sizes[job.order] == job.pending
            for job in longer
            if job.order in sizes
        )
    else:
        assert taken <= budget
    batch = to_batch(pieces)
    assert batch.counts.sum() == len(batch.tokens)
    assert len(batch.wanted) == sum(size == job.pending for job, size in pieces)


def test_equal_pieces_leave_no_crumbs() -> None:
    job = Waiting(300, 0)
    sizes = []
    while job.pending:
        ((_, size),) = plan([job], 96)
        sizes.append(size)
        job.computed += size
    assert sizes == [75, 75, 75, 75]


def test_long_continuations_do_not_fill_memory_with_logits() -> None:
    scores = Scores([300, 300])
    jobs = [
        Scored([1] * 20, [2] * 300, board=scores, index=i, urgency=2, submitted=0.0)
        for i in range(2)
    ]
    for order, job in enumerate(jobs):
        job.sequence = job.order = order
    while any(job.pending for job in jobs):
        pieces = plan([job for job in jobs if job.pending], MAX_PIECE)
        assert pieces
        assert len(to_batch(pieces).wanted) <= MAX_JUDGED + len(jobs)
        for job, size in pieces:
            job.computed += size
