"""The memory of keys and values against its reference, through any order of calls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from astraweave import _native
from astraweave._native import reference_kv as reference
from astraweave.errors import CapacityError, InputError

SEQUENCES = 5
LAYERS, HEADS, SIZE = 2, 1, 16
PAGE_BYTES = LAYERS * HEADS * 16 * SIZE * 2 * 2
WHICH = st.integers(0, SEQUENCES)  # the last one never exists
TOKENS = st.integers(0, 70)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except (CapacityError, InputError) as error:
        return type(error)


class Memory(RuleBasedStateMachine):
    @initialize(pages=st.integers(1, 12))
    def start(self, pages: int) -> None:
        self.native = _native.KvPages(
            layers=LAYERS,
            kv_heads=HEADS,
            head_size=SIZE,
            budget_bytes=pages * PAGE_BYTES + 17,
            max_sequences=SEQUENCES,
            context_tokens=60,
            kind="f16",
        )
        self.model = reference.KvPages(pages=pages, max_sequences=SEQUENCES, context_tokens=60)
        self.written = 0

    @rule()
    def open(self) -> None:
        assert outcome(self.native.open) == outcome(self.model.open)

    @rule(sequence=WHICH, tokens=TOKENS)
    def fork(self, sequence: int, tokens: int) -> None:
        got = outcome(lambda: self.native.fork(sequence, tokens))
        assert got == outcome(lambda: self.model.fork(sequence, tokens))

    @rule(sequence=WHICH, tokens=TOKENS)
    def truncate(self, sequence: int, tokens: int) -> None:
        got = outcome(lambda: self.native.truncate(sequence, tokens))
        assert got == outcome(lambda: self.model.truncate(sequence, tokens))

    @rule(sequence=WHICH)
    def release(self, sequence: int) -> None:
        got = outcome(lambda: self.native.release(sequence))
        assert got == outcome(lambda: self.model.release(sequence))

    @rule(growths=st.lists(st.tuples(WHICH, st.integers(0, 40)), min_size=1, max_size=3))
    def append(self, growths: list[tuple[int, int]]) -> None:
        sequences, counts = [s for s, _ in growths], [c for _, c in growths]
        got = outcome(lambda: self.native.append(sequences, counts))
        assert got == outcome(lambda: self.model.append(sequences, counts))
        if got is not None:
            return
        for sequence, more in growths:
            if more > 0:
                self.write(sequence, more)

    def write(self, sequence: int, more: int) -> None:
        """Whole numbers that float16 holds exactly; keys are values with their sign turned."""
        length = self.native.length(sequence)
        numbers = np.arange(self.written, self.written + more) % 2000
        self.written += more
        for position, number in zip(range(length - more, length), numbers, strict=True):
            self.model.write(sequence, position, int(number))
        rows = np.broadcast_to(numbers[:, None, None], (more, HEADS, SIZE)).astype(np.float32)
        for layer in range(LAYERS):
            _native.attend(
                self.native,
                layer=layer,
                sequences=[sequence],
                counts=[more],
                queries=np.zeros_like(rows),
                keys=-rows - layer,
                values=rows,
                scale=1.0,
                threads=1,
            )

    @invariant()
    def both_say_the_same(self) -> None:
        model = self.model
        report = self.native.report()
        used = len(+model.references)
        assert report["used_tokens"] == used * 16
        assert report["used_bytes"] == used * PAGE_BYTES
        assert report["capacity_tokens"] == model.capacity * 16
        assert report["sequences"] == len(model.sequences)
        for sequence in range(SEQUENCES):
            if sequence not in model.sequences:
                assert outcome(lambda s=sequence: self.native.length(s)) is InputError
                continue
            pages, length = model.sequences[sequence]
            assert self.native.length(sequence) == length
            assert self.native.pages(sequence) == pages
            for layer in range(LAYERS):
                keys, values = self.native.read(sequence, layer)
                want = np.array(model.read(sequence), np.float32)[:, None, None]
                np.testing.assert_array_equal(values, np.broadcast_to(want, values.shape))
                np.testing.assert_array_equal(keys, np.broadcast_to(-want - layer, keys.shape))


TestMemory = Memory.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
