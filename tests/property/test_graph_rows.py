"""The graph's KV rows under any order of opening, moving and forgetting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from astraweave.errors import CapacityError
from astraweave.inference.kv_memory import HostKv, KvShape
from astraweave.llm._graph_rows import KvRows

ROWS, TOKENS = 5, 12
SHAPE = KvShape(layers=2, kv_heads=2, head_size=32, rows=ROWS, row_tokens=TOKENS)


class RowsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.memory = HostKv(SHAPE)
        self.rows = KvRows(self.memory)
        self.plain: dict[int, list[float]] = {}
        self.counter = 0.0

    def at(self, sequence: int) -> np.ndarray:
        row = self.rows._row_of[sequence]
        return self.memory.memory[:, :, row]

    @rule()
    def open(self) -> None:
        if len(self.plain) == ROWS:
            with pytest.raises(CapacityError):
                self.rows.open()
            return
        sequence = self.rows.open()
        assert sequence not in self.plain
        self.plain[sequence] = []

    @precondition(lambda self: self.plain)
    @rule(data=st.data())
    def append(self, data) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.plain)), unique=True, min_size=1))
        chosen = [sequence for sequence in chosen if len(self.plain[sequence]) < TOKENS]
        if not chosen:
            return
        start, order = self.rows.place(chosen)
        assert sorted(order) == sorted(chosen)
        for row, sequence in enumerate(order, start):
            self.counter += 1
            known = self.plain[sequence]
            self.memory.memory[:, :, row, :, len(known)] = self.counter
            known.append(self.counter)
            self.rows.grow(sequence, len(known))

    @precondition(lambda self: self.plain)
    @rule(data=st.data())
    def fork(self, data) -> None:
        if len(self.plain) == ROWS:
            return
        source = data.draw(st.sampled_from(sorted(self.plain)))
        count = data.draw(st.integers(0, len(self.plain[source])))
        child = self.rows.open()
        self.rows.copy(source, child, count)
        self.plain[child] = self.plain[source][:count]

    @precondition(lambda self: self.plain)
    @rule(data=st.data())
    def release(self, data) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.plain)))
        self.rows.release(sequence)
        del self.plain[sequence]

    @rule()
    def give_back(self) -> None:
        self.rows.give_back()
        assert self.rows.touched_tokens <= ROWS * TOKENS

    @invariant()
    def every_row_is_as_it_was_written(self) -> None:
        assert self.rows.lengths == {s: len(known) for s, known in self.plain.items()}
        assert self.rows.used_tokens == sum(map(len, self.plain.values()))
        for sequence, known in self.plain.items():
            memory = self.at(sequence)[:, :, :, : len(known)]
            assert (memory == np.array(known, np.float32)[:, None]).all()


RowsMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_sequences_move_and_keep_what_they_have = RowsMachine.TestCase
