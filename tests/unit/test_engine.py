"""The engine over a decoder whose every logit can be checked by hand.

The decoder here keeps tokens where a real one keeps keys and values, and computes the next token
from all of them: a row that was reused wrongly, copied wrongly or left over changes the text.
"""

from __future__ import annotations

import gc
import random
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.core.clock import SystemClock
from astraweave.errors import ModelError, UsageError
from astraweave.llm import ChunkStream, SamplingParams, StopScanner
from astraweave.llm._decoder import MAX_STEP_TOKENS, Decoder
from astraweave.llm._engine import Engine, Job
from astraweave.llm.sampling import Sampler
from astraweave.observability import NULL_TELEMETRY

VOCABULARY = 97
EOS = 96
CAPACITY = 400
FOREVER = 60.0


def following(tokens: Sequence[int]) -> int:
    """What comes after these tokens; never EOS by itself."""
    return (sum((i + 1) * t for i, t in enumerate(tokens)) * 31 + len(tokens)) % EOS


class TokenMemory:
    """A decoder with tokens in place of KV."""

    def __init__(self, slots: int) -> None:
        self.memory = [[-1] * CAPACITY for _ in range(slots)]
        self.logits = np.zeros(VOCABULARY, np.float32)
        self.runs: list[int] = []
        self.copied = 0
        self.before_run: Callable[[int], None] = lambda run: None
        self.next = following
        self.closed_in: threading.Thread | None = None

    def forward(self, slot: int, past: int, ids: Sequence[int]) -> None:
        assert 1 <= len(ids) <= MAX_STEP_TOKENS
        self.before_run(len(self.runs))
        self.runs.append(len(ids))
        rows = self.memory[slot]
        rows[past : past + len(ids)] = ids
        assert len(rows) == CAPACITY, "written past the slot"
        known = rows[: past + len(ids)]
        assert -1 not in known
        self.logits[:] = 0
        self.logits[self.next(known)] = 10

    def copy(self, source: int, target: int, tokens: int) -> None:
        self.copied += tokens
        self.memory[target][:tokens] = self.memory[source][:tokens]

    def close(self) -> None:
        self.closed_in = threading.current_thread()


class Letters:
    """Tokens as letters; token 95 is half a character that is never completed."""

    def __init__(self) -> None:
        self._half = False

    def push(self, token: int) -> str:
        self._half = token == 95
        return "" if self._half else chr(0x4E00 + token)

    def flush(self) -> str:
        return "\ufffd" if self._half else ""


def letters(tokens: Sequence[int]) -> str:
    return "".join(chr(0x4E00 + token) for token in tokens if token != 95)


def expected(prompt: Sequence[int], count: int) -> str:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(following(tokens))
    return letters(tokens[len(prompt) :])


class Bench:
    def __init__(self, slots: int = 2) -> None:
        self.decoder = TokenMemory(slots)
        self.engine = Engine(
            cast("Decoder", self.decoder),
            slots=slots,
            slot_tokens=CAPACITY,
            eos_ids=(EOS,),
            clock=SystemClock(),
            telemetry=NULL_TELEMETRY,
            name="test",
        )

    def ask(
        self, prompt: Sequence[int], count: int = 5, owner: str = "", stop: Sequence[str] = ()
    ) -> ChunkStream:
        job = Job(
            prompt=tuple(prompt),
            max_tokens=count,
            owner=owner,
            sampler=Sampler(
                SamplingParams(temperature=0, repetition_penalty=1),
                stream=random.Random(0),
                context=prompt,
                exempt=(EOS,),
                scratch=np.zeros(VOCABULARY, np.int32),
            ),
            decoder=Letters(),
            stops=StopScanner(stop),
            submitted=SystemClock().monotonic(),
        )
        job.stream = ChunkStream(on_cancel=lambda: self.engine.drop_if_waiting(job))
        self.engine.submit(job)
        return job.stream

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()


tokens = st.integers(0, 3)  # few, so that prompts share beginnings
prompts = st.lists(
    st.tuples(st.lists(tokens, min_size=1, max_size=12), st.integers(1, 6), st.sampled_from("abc")),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(prompts, st.integers(1, 3))
def test_reuse_never_changes_a_text(requests, slots: int) -> None:
    with Bench(slots) as bench:
        for prompt, count, owner in requests:
            stream = bench.ask(prompt, count, owner)
            assert stream.result(FOREVER) == expected(prompt, count)
            usage = stream.usage
            assert usage is not None
            assert usage.prompt_tokens == len(prompt)
            assert 0 <= usage.reused_tokens < len(prompt)
            assert usage.completion_tokens == count


def test_the_whole_conversation_is_reused() -> None:
    with Bench() as bench:
        first = bench.ask(range(50), 10, "tam")
        first.result(FOREVER)
        said = [ord(char) - 0x4E00 for char in first.text]
        again = bench.ask([*range(50), *said, 7, 8], 3, "tam")
        again.result(FOREVER)
        # The answer's last token was drawn and shown, but never computed.
        assert again.usage is not None
        assert again.usage.reused_tokens == 50 + 10 - 1


def test_characters_do_not_take_each_other_s_slots() -> None:
    shared = list(range(40))
    with Bench(slots=2) as bench:
        bench.ask([*shared, 1, 1, 1], 4, "tam").result(FOREVER)
        bench.ask([*shared, 2, 2, 2], 4, "ann").result(FOREVER)
        assert bench.decoder.copied == 40
        for owner, mark in (("tam", 1), ("ann", 2)) * 2:
            stream = bench.ask([*shared, mark, mark, mark, 9], 4, owner)
            stream.result(FOREVER)
            assert stream.usage is not None
            assert stream.usage.reused_tokens == 43
        assert bench.decoder.copied == 40


def test_the_longest_idle_slot_makes_room() -> None:
    with Bench(slots=2) as bench:
        for owner, first in (("tam", 1), ("ann", 2), ("bob", 3)):
            bench.ask([first, 5, 6, 7], 2, owner).result(FOREVER)
        reused = {}
        for owner, first in (("ann", 2), ("bob", 3), ("tam", 1)):
            stream = bench.ask([first, 5, 6, 7, 8], 2, owner)
            stream.result(FOREVER)
            assert stream.usage is not None
            reused[owner] = stream.usage.reused_tokens
        assert reused == {"ann": 4, "bob": 4, "tam": 0}


def test_long_prompts_are_computed_in_pieces() -> None:
    with Bench() as bench:
        prompt = [n % 90 for n in range(300)]
        assert bench.ask(prompt, 2).result(FOREVER) == expected(prompt, 2)
        assert bench.decoder.runs == [75, 75, 75, 75, 1]


def test_cancelling_gets_in_between_pieces_of_a_prompt() -> None:
    with Bench() as bench:
        ready = threading.Event()
        bench.decoder.before_run = lambda run: ready.wait(FOREVER) and stream.cancel()
        stream = bench.ask([n % 90 for n in range(300)], 2)
        ready.set()
        assert (stream.result(FOREVER), stream.finish_reason) == ("", "cancelled")
        assert bench.decoder.runs == [75]
        bench.decoder.before_run = lambda run: None
        again = bench.ask([n % 90 for n in range(300)], 2)
        again.result(FOREVER)
        assert again.usage is not None
        assert again.usage.reused_tokens == 75, "what was computed stays useful"


def test_cancelling_in_the_queue_needs_no_step() -> None:
    with Bench() as bench:
        go = threading.Event()
        bench.decoder.before_run = lambda run: go.wait(FOREVER)
        first, second, third = (bench.ask([n], 2) for n in range(3))
        second.cancel()
        assert (second.result(0), second.finish_reason) == ("", "cancelled")
        go.set()
        assert first.result(FOREVER) == expected([0], 2)
        assert third.result(FOREVER) == expected([2], 2)


def test_the_end_token_ends_and_is_not_shown() -> None:
    with Bench() as bench:
        bench.decoder.next = lambda known: EOS if len(known) == 4 else 5
        stream = bench.ask([1, 2], 50)
        assert (stream.result(FOREVER), stream.finish_reason) == (letters([5, 5]), "stop")


def test_stop_strings_end_before_they_begin() -> None:
    with Bench() as bench:
        bench.decoder.next = len
        stream = bench.ask([1], 50, stop=(letters([4, 5]),))
        assert (stream.result(FOREVER), stream.finish_reason) == (letters([1, 2, 3]), "stop")
        cut = bench.ask([1], 4, stop=(letters([4, 5]),))
        assert (cut.result(FOREVER), cut.finish_reason) == (letters([1, 2, 3]), "length")


def test_half_a_character_is_never_shown() -> None:
    with Bench() as bench:
        bench.decoder.next = lambda known: 95 if len(known) == 3 else EOS if len(known) > 3 else 5
        for count in (3, 50):
            assert bench.ask([1], count).result(FOREVER) == letters([5, 5])


def test_a_full_slot_ends_the_answer() -> None:
    with Bench() as bench:
        stream = bench.ask([n % 90 for n in range(CAPACITY - 3)], 50)
        stream.result(FOREVER)
        assert stream.finish_reason == "length"
        assert stream.usage is not None
        assert stream.usage.completion_tokens == 4


def test_a_failing_run_ends_its_own_answer_only() -> None:
    def fail(run: int) -> None:
        if run == 2:
            raise ModelError("the driver has gone")

    with Bench() as bench:
        bench.decoder.before_run = fail
        broken = bench.ask([1, 2, 3], 5)
        with pytest.raises(ModelError, match="driver has gone"):
            broken.result(FOREVER)
        assert broken.text == expected([1, 2, 3], 2)
        bench.decoder.before_run = lambda run: None
        after = bench.ask([1, 2, 3], 5)
        assert after.result(FOREVER) == expected([1, 2, 3], 5)
        assert after.usage is not None
        assert after.usage.reused_tokens == 0, "what a failed run left is not trusted"


def test_logits_that_are_no_numbers_are_an_error() -> None:
    with Bench() as bench:
        original = bench.decoder.forward

        def broken(slot: int, past: int, ids: Sequence[int]) -> None:
            original(slot, past, ids)
            bench.decoder.logits.fill(np.nan)

        bench.decoder.forward = broken  # type: ignore[method-assign]
        with pytest.raises(ModelError, match="not a number"):
            bench.ask([1], 5).result(FOREVER)


def test_stopping_ends_everything_and_joins() -> None:
    bench = Bench()
    begun, go = threading.Event(), threading.Event()

    def wait(run: int) -> None:
        begun.set()
        go.wait(FOREVER)

    bench.decoder.before_run = wait
    streams = [bench.ask([n], 100) for n in range(3)]
    assert begun.wait(FOREVER)
    stopper = threading.Thread(target=bench.engine.stop)
    stopper.start()
    go.set()
    stopper.join(FOREVER)
    assert [stream.finish_reason for stream in streams] == ["cancelled"] * 3
    assert bench.decoder.closed_in is bench.engine._thread
    assert not bench.engine._thread.is_alive()
    bench.engine.stop()
    with pytest.raises(UsageError, match="closed"):
        bench.ask([1])


def test_an_idle_engine_keeps_no_answer_alive() -> None:
    with Bench() as bench:
        bench.ask([2], 2).result(FOREVER)
        stream = bench.ask([1], 2)
        stream.result(FOREVER)
        kept = weakref.ref(stream)
        del stream
        while bench.engine._active:  # it ends its last turn
            threading.Event().wait(0.001)
        for _ in range(1000):
            gc.collect()
            if kept() is None:
                break
            threading.Event().wait(0.001)
        assert kept() is None
