"""The engine over a backend whose every logit can be checked by hand."""

from __future__ import annotations

import gc
import random
import threading
import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.bench.toy_backend import ToyBackend, following
from astraweave.core.clock import SystemClock
from astraweave.errors import (
    Cancelled,
    CapacityError,
    DeadlineExceeded,
    InvalidResponse,
    ModelError,
    UsageError,
)
from astraweave.llm import ChunkStream, SamplingParams, StopScanner
from astraweave.llm._backend import StepBatch
from astraweave.llm._engine import Engine
from astraweave.llm._jobs import Line, Scored, TokenConstraint
from astraweave.llm._scoring import Scores
from astraweave.llm.sampling import Sampler
from astraweave.observability import NULL_TELEMETRY

VOCABULARY = 97
EOS = 96
CONTEXT = 400
FOREVER = 60.0
GREEDY = SamplingParams(temperature=0, repetition_penalty=1)


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


def note_end(stream: ChunkStream, name: str, ended: list[str]) -> None:
    stream.listen(lambda chunks, error: ended.append(name) if chunks[-1].usage else None)


def expected(prompt: Sequence[int], count: int) -> str:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(following(tokens))
    return letters(tokens[len(prompt) :])


class Bench:
    def __init__(self, max_running: int = 4, grid: int = 0, **options: int) -> None:
        self.backend = ToyBackend(context_tokens=CONTEXT, **options)
        self.go = threading.Event()
        self.go.set()
        self.backend.before_step = lambda batch: self.go.wait(FOREVER) and None
        self.engine = Engine(
            self.backend,
            max_running=max_running,
            clock=SystemClock(),
            telemetry=NULL_TELEMETRY,
            name="test",
            grid=grid,
        )

    def ask(
        self,
        prompt: Sequence[int],
        count: int = 5,
        *,
        stop: Sequence[str] = (),
        urgency: int = 2,
        sampling: SamplingParams = GREEDY,
        constraint: TokenConstraint | None = None,
        logprobs: bool = False,
    ) -> ChunkStream:
        line = Line(
            prompt,
            max_tokens=count,
            context_tokens=CONTEXT,
            urgency=urgency,
            sampler=Sampler(
                sampling,
                stream=random.Random(sampling.seed or 0),
                context=prompt,
                exempt=(EOS,),
            ),
            decoder=Letters(),
            stops=StopScanner(stop),
            eos_ids=(EOS,),
            submitted=SystemClock().monotonic(),
            constraint=constraint,
            logprobs=logprobs,
        )
        line.stream = ChunkStream(on_cancel=lambda: self.engine.drop_waiting([line]))
        self.engine.submit([line])
        return line.stream

    def score(self, prompt: Sequence[int], continuations: Sequence[Sequence[int]]) -> Scores:
        scores = Scores([len(tokens) for tokens in continuations])
        jobs = [
            Scored(prompt, tokens, board=scores, index=i, urgency=2, submitted=0.0)
            for i, tokens in enumerate(continuations)
            if tokens
        ]
        scores.on_cancel = lambda: self.engine.drop_waiting(jobs)
        self.engine.submit(jobs)
        return scores

    def hold(self) -> threading.Event:
        """Let the engine stand still inside its next step; the event says that it does."""
        standing = threading.Event()
        self.go.clear()

        def wait(batch: StepBatch) -> None:
            standing.set()
            self.go.wait(FOREVER)

        self.backend.before_step = wait
        return standing

    @property
    def computed(self) -> int:
        return sum(map(sum, self.backend.steps))

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self.engine.stop()


# -- what is said does not depend on how it is computed

tokens = st.integers(0, 3)  # few, so that prompts share beginnings
wishes = st.lists(
    st.tuples(
        st.lists(tokens, min_size=1, max_size=40),
        st.integers(1, 12),
        st.integers(0, 4),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(wishes, st.integers(1, 4), st.sampled_from([64, 96, 1000]), st.sampled_from([0, 8]))
def test_sharing_and_crowding_never_change_a_text(
    requests, running: int, capacity: int, grid: int
) -> None:
    with Bench(running, grid, capacity_tokens=capacity, page_tokens=4, max_sequences=6) as bench:
        standing = bench.hold()
        streams = []
        for prompt, count, urgency, wait in requests:
            streams.append((bench.ask(prompt, count, urgency=urgency), prompt, count))
            if wait:
                bench.go.set()
                streams[-1][0].result(FOREVER)
                bench.go.clear()
        assert standing.wait(FOREVER)
        bench.go.set()
        for stream, prompt, count in streams:
            assert stream.result(FOREVER) == expected(prompt, count)
            usage = stream.usage
            assert usage is not None
            assert usage.prompt_tokens == len(prompt)
            assert 0 <= usage.reused_tokens < len(prompt)
            assert usage.completion_tokens == count
        report = bench.engine.report()
        assert report.kv.used_tokens <= report.kv.capacity_tokens
        assert report.waiting == 0
    assert bench.backend.closed
    assert bench.backend.report().sequences == bench.engine.report().kept


@settings(max_examples=40, deadline=None)
@given(st.lists(tokens, min_size=1, max_size=30), st.integers(1, 3), st.integers(0, 2**32))
def test_draws_owe_nothing_to_neighbours(prompt, others: int, seed: int) -> None:
    sampling = SamplingParams(temperature=5.0, top_k=0, top_p=1.0, seed=seed)

    def say(crowd: int) -> str:
        with Bench(4) as bench:
            standing = bench.hold()
            for n in range(crowd):
                bench.ask([n], 9, sampling=SamplingParams(temperature=5.0, seed=n))
            stream = bench.ask(prompt, 6, sampling=sampling)
            assert standing.wait(FOREVER)
            bench.go.set()
            return stream.result(FOREVER)

    assert say(0) == say(others)


# -- together


def test_answers_share_their_steps() -> None:
    with Bench(max_running=4) as bench:
        standing = bench.hold()
        first = bench.ask([1], 10)
        assert standing.wait(FOREVER)
        streams = [bench.ask([n, n], 10) for n in range(2, 6)]
        bench.go.set()
        for n, stream in enumerate(streams, 2):
            assert stream.result(FOREVER) == expected([n, n], 10)
        assert first.result(FOREVER) == expected([1], 10)
        assert [1, 1, 1, 1] in bench.backend.steps
        assert max(map(len, bench.backend.steps)) == 4, "no more than may run"
        assert len(bench.backend.steps) < 25


def test_a_long_prompt_comes_in_pieces_beside_a_running_line() -> None:
    with Bench() as bench:
        standing = bench.hold()
        line = bench.ask([1], 60)
        assert standing.wait(FOREVER)
        bench.engine._pace._token_s = 0.06 / 20  # 20 tokens of a prompt a step
        prompt = [n % 90 for n in range(300)]
        late = bench.ask(prompt, 2)
        bench.go.set()
        assert late.result(FOREVER) == expected(prompt, 2)
        assert line.result(FOREVER) == expected([1], 60)
        mixed = [step for step in bench.backend.steps if len(step) == 2]
        assert len(mixed) >= 3
        assert all(min(step) == 1 for step in mixed), "the line got its word in each of them"


def test_a_prompt_alone_takes_large_equal_pieces() -> None:
    with Bench() as bench:
        bench.engine._pace._token_s = 0.25 / 100
        prompt = [n % 90 for n in range(300)]
        assert bench.ask(prompt, 2).result(FOREVER) == expected(prompt, 2)
        assert bench.backend.steps[0] == [100]


def test_the_whole_conversation_is_reused() -> None:
    with Bench() as bench:
        first = bench.ask(range(50), 10)
        first.result(FOREVER)
        said = [ord(char) - 0x4E00 for char in first.text]
        again = bench.ask([*range(50), *said, 7, 8], 3)
        again.result(FOREVER)
        # The answer's last token was drawn and shown, but never computed.
        assert again.usage is not None
        assert again.usage.reused_tokens == 50 + 10 - 1
        assert bench.engine.report().kept == 1, "the longer one stands for the shorter one"


def test_who_arrives_together_computes_a_common_beginning_once() -> None:
    shared = [n % 90 for n in range(200)]
    with Bench(max_running=8) as bench:
        standing = bench.hold()
        streams = [bench.ask([*shared, n, n], 4) for n in range(12)]
        assert standing.wait(FOREVER)
        bench.go.set()
        for n, stream in enumerate(streams):
            assert stream.result(FOREVER) == expected([*shared, n, n], 4)
        assert bench.computed <= 200 + 12 * (2 + 4)
        assert sum(stream.usage.reused_tokens > 0 for stream in streams) == 11


def test_a_wait_for_another_s_prompt_makes_that_one_urgent() -> None:
    shared = [n % 90 for n in range(200)]
    ended: list[str] = []
    with Bench(max_running=3) as bench:
        bench.engine._pace._token_s = 0.25 / 50
        standing = bench.hold()
        slow = bench.ask([*shared, 1], 2, urgency=4)
        assert standing.wait(FOREVER)
        other = bench.ask([n % 80 + 3 for n in range(300)], 2, urgency=3)
        urgent = bench.ask([*shared, 2], 2, urgency=0)
        for stream, name in ((slow, "slow"), (other, "other"), (urgent, "urgent")):
            note_end(stream, name, ended)
        bench.go.set()
        assert urgent.result(FOREVER) == expected([*shared, 2], 2)
        assert urgent.usage is not None
        assert urgent.usage.reused_tokens == 200
        slow.result(FOREVER)
        other.result(FOREVER)
        assert ended.index("slow") < ended.index("other")


def test_the_more_urgent_go_first_and_take_places() -> None:
    ended: list[str] = []
    with Bench(max_running=1) as bench:
        standing = bench.hold()
        names = ("background", 4), ("low", 3), ("critical", 0), ("normal", 2), ("normal too", 2)
        running = bench.ask([5, 5], 30, urgency=3)
        note_end(running, "running", ended)
        assert standing.wait(FOREVER)
        streams = [bench.ask([n], 3, urgency=urgency) for n, (_, urgency) in enumerate(names)]
        for stream, (name, _) in zip(streams, names, strict=True):
            note_end(stream, name, ended)
        bench.go.set()
        for n, stream in enumerate(streams):
            assert stream.result(FOREVER) == expected([n], 3)
        assert running.result(FOREVER) == expected([5, 5], 30)
        assert ended == ["critical", "normal", "normal too", "running", "low", "background"]
        assert bench.engine.report().preempted >= 1
        # It went on where it had been: nothing of it was computed twice.
        assert bench.computed <= (2 + 30) + len(names) * 4


# -- memory


def test_what_was_used_least_recently_makes_room() -> None:
    with Bench(max_sequences=3) as bench:
        for first in (1, 2, 3):
            bench.ask([first, 5, 6, 7], 2).result(FOREVER)
        again = bench.ask([1, 5, 6, 7, following([1, 5, 6, 7]), 8], 2)
        again.result(FOREVER)
        assert again.usage is not None
        assert again.usage.reused_tokens == 5
        bench.ask([4, 5, 6, 7], 2).result(FOREVER)
        kept = [known.tokens[0] for known in bench.engine._sequences._by_age.values()]
        assert kept == [3, 1, 4], "2 had to go"
        assert bench.engine.report().evicted == 1


def test_running_lines_that_outgrow_memory_take_turns() -> None:
    with Bench(max_running=4, capacity_tokens=128, page_tokens=4) as bench:
        standing = bench.hold()
        streams = [bench.ask([n] * 8, 60, urgency=n % 2) for n in range(4)]
        assert standing.wait(FOREVER)
        bench.go.set()
        for n, stream in enumerate(streams):
            assert stream.result(FOREVER) == expected([n] * 8, 60)
        assert bench.engine.report().kv.capacity_tokens == 128


def test_a_line_alone_with_full_memory_ends_as_cut_off() -> None:
    with Bench(capacity_tokens=64, page_tokens=4) as bench:
        stream = bench.ask([1] * 8, 200)
        assert stream.result(FOREVER) == expected([1] * 8, 64 - 8 + 1)
        assert stream.finish_reason == "length"
        assert bench.ask([2] * 8, 3).result(FOREVER) == expected([2] * 8, 3)


def test_a_prompt_that_memory_never_holds_is_refused_and_harms_nobody() -> None:
    with Bench(capacity_tokens=64, page_tokens=4) as bench:
        bench.ask([1] * 20, 3).result(FOREVER)
        stream = bench.ask([3] * 100, 3)
        with pytest.raises(CapacityError):
            stream.result(FOREVER)
        assert bench.ask([2] * 8, 3).result(FOREVER) == expected([2] * 8, 3)


# -- how answers end


def test_the_end_token_ends_and_is_not_shown() -> None:
    with Bench() as bench:
        bench.backend.follow = lambda known: EOS if len(known) == 4 else 5
        stream = bench.ask([1, 2], 50)
        assert (stream.result(FOREVER), stream.finish_reason) == (letters([5, 5]), "stop")


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_chunks_say_how_likely_their_tokens_were(penalty: float) -> None:
    drawing = SamplingParams(temperature=0.8, repetition_penalty=penalty, seed=3)
    with Bench() as bench:
        told = bench.ask([1, 2, 3], 9, sampling=drawing, logprobs=True)
        silent = bench.ask([1, 2, 3], 9, sampling=drawing)
        text = told.result(FOREVER)
        assert silent.result(FOREVER) == text, "asking changes nothing"
        said = [ord(letter) - 0x4E00 for letter in text]
        (score,) = bench.score([1, 2, 3], [said]).result(FOREVER)
    chunks = [chunk for chunk in told.since(0) if chunk.text]
    assert sum(chunk.tokens for chunk in chunks) == len(said) == score.tokens
    assert sum(chunk.logprob for chunk in chunks) == pytest.approx(score.logprob, abs=1e-4)
    assert not any(chunk.tokens or chunk.logprob for chunk in silent.since(0))


def test_stop_strings_end_before_they_begin() -> None:
    with Bench() as bench:
        bench.backend.follow = len
        stream = bench.ask([1], 50, stop=(letters([4, 5]),))
        assert (stream.result(FOREVER), stream.finish_reason) == (letters([1, 2, 3]), "stop")
        cut = bench.ask([1], 4, stop=(letters([4, 5]),))
        assert (cut.result(FOREVER), cut.finish_reason) == (letters([1, 2, 3]), "length")


def test_half_a_character_is_never_shown() -> None:
    with Bench() as bench:
        bench.backend.follow = lambda known: 95 if len(known) == 3 else EOS if len(known) > 3 else 5
        for count in (3, 50):
            assert bench.ask([1], count).result(FOREVER) == letters([5, 5])


def test_a_full_context_ends_the_answer() -> None:
    with Bench() as bench:
        stream = bench.ask([n % 90 for n in range(CONTEXT - 3)], 50)
        stream.result(FOREVER)
        assert stream.finish_reason == "length"
        assert stream.usage is not None
        assert stream.usage.completion_tokens == 4


# -- cancelling


def test_cancelling_gets_in_between_pieces_of_a_prompt() -> None:
    with Bench() as bench:
        bench.engine._pace._token_s = 0.25 / 75
        standing = bench.hold()
        stream = bench.ask([n % 90 for n in range(300)], 2)
        assert standing.wait(FOREVER)
        stream.cancel()
        bench.go.set()
        assert (stream.result(FOREVER), stream.finish_reason) == ("", "cancelled")
        assert bench.backend.steps == [[75]]
        again = bench.ask([n % 90 for n in range(300)], 2)
        again.result(FOREVER)
        assert again.usage is not None
        assert again.usage.reused_tokens == 75, "what was computed stays useful"


def test_cancelling_in_the_queue_needs_no_step() -> None:
    with Bench(max_running=1) as bench:
        bench.hold()
        first, second, third = (bench.ask([n], 2) for n in range(3))
        second.cancel()
        assert (second.result(0), second.finish_reason) == ("", "cancelled")
        bench.go.set()
        assert first.result(FOREVER) == expected([0], 2)
        assert third.result(FOREVER) == expected([2], 2)


def test_cancelling_while_speaking_and_after_the_end() -> None:
    with Bench() as bench:
        standing = threading.Event()

        def cancel_late(batch: StepBatch) -> None:
            standing.wait(FOREVER)
            if len(bench.backend.steps) == 5:
                stream.cancel()

        bench.backend.before_step = cancel_late
        stream = bench.ask([1], 50)
        standing.set()
        assert stream.result(FOREVER) == expected([1], 6)
        assert stream.finish_reason == "cancelled"
        stream.cancel()
        assert bench.ask([2], 2).result(FOREVER) == expected([2], 2)


def test_cancelling_whoever_others_wait_for_leaves_nobody_waiting() -> None:
    shared = [n % 90 for n in range(200)]
    with Bench(max_running=4) as bench:
        bench.engine._pace._token_s = 0.25 / 40
        standing = bench.hold()
        leader = bench.ask([*shared, 1], 2)
        assert standing.wait(FOREVER)
        followers = [bench.ask([*shared, n], 2) for n in range(2, 6)]
        waiting = bench.ask([*shared, 9], 2)
        leader.cancel()
        waiting.cancel()
        assert waiting.finish_reason == "cancelled"
        bench.go.set()
        for n, stream in enumerate(followers, 2):
            assert stream.result(FOREVER) == expected([*shared, n], 2)
        assert bench.computed <= 200 + 4 * 4 + 2, "what the first had computed was used"


# -- what goes wrong


def test_a_failing_step_ends_its_own_answers_only() -> None:
    def fail(batch: StepBatch) -> None:
        if len(bench.backend.steps) == 2:
            raise ModelError("the driver has gone")

    with Bench() as bench:
        bench.backend.before_step = fail
        broken = bench.ask([1, 2, 3], 5)
        with pytest.raises(ModelError, match="driver has gone"):
            broken.result(FOREVER)
        assert broken.text == expected([1, 2, 3], 2)
        bench.backend.before_step = lambda batch: None
        after = bench.ask([1, 2, 3], 5)
        assert after.result(FOREVER) == expected([1, 2, 3], 5)
        assert after.usage is not None
        assert after.usage.reused_tokens == 0, "what a failed run left is not trusted"


def test_anything_that_a_backend_raises_arrives_in_our_tree() -> None:
    def fail(batch: StepBatch) -> None:
        raise ZeroDivisionError("deep inside")

    with Bench() as bench:
        bench.backend.before_step = fail
        with pytest.raises(ModelError, match="ZeroDivisionError: deep inside") as caught:
            bench.ask([1, 2, 3], 5).result(FOREVER)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(ModelError):
            bench.score([1, 2], [[3], [4, 5]]).result(FOREVER)
        bench.backend.before_step = lambda batch: None
        assert bench.ask([1], 3).result(FOREVER) == expected([1], 3)


def test_logits_that_are_no_numbers_end_their_own_answer_only() -> None:
    with Bench() as bench:
        original = bench.backend.step

        def broken(batch: StepBatch) -> np.ndarray:
            logits = original(batch)
            for row, sequence in enumerate(batch.sequences.tolist()):
                if bench.backend.tokens(sequence)[0] == 7:
                    logits[row] = np.nan
            return logits

        bench.backend.step = broken  # type: ignore[method-assign]
        standing = bench.hold()
        bad, good = bench.ask([7], 5), bench.ask([1], 5)
        assert standing.wait(FOREVER)
        bench.go.set()
        with pytest.raises(ModelError, match="not a number"):
            bad.result(FOREVER)
        assert good.result(FOREVER) == expected([1], 5)
        with pytest.raises(ModelError, match="not a number"):
            bench.score([7, 7], [[1], [2]]).result(FOREVER)


def test_a_fault_outside_the_step_is_told_and_the_engine_lives(monkeypatch) -> None:
    with Bench() as bench:
        monkeypatch.setattr(bench.engine._pace, "budget", lambda *_, **__: 1 // 0)
        with pytest.raises(ModelError, match="ZeroDivisionError"):
            bench.ask([1], 5).result(FOREVER)
        monkeypatch.undo()
        monkeypatch.setattr(bench.engine._sequences, "look", lambda *_: 1 // 0)
        with pytest.raises(ModelError, match="ZeroDivisionError"):
            bench.ask([1], 5).result(FOREVER)
        monkeypatch.undo()
        assert bench.ask([1], 5).result(FOREVER) == expected([1], 5)


def test_stopping_ends_a_hundred_and_joins() -> None:
    bench = Bench(max_running=8)
    standing = bench.hold()
    streams = [bench.ask([n], 100) for n in range(100)]
    scores = bench.score([1, 2], [[3, 4]])
    assert standing.wait(FOREVER)
    stopper = threading.Thread(target=bench.engine.stop)
    stopper.start()
    bench.go.set()
    stopper.join(FOREVER)
    assert [stream.finish_reason for stream in streams] == ["cancelled"] * 100
    with pytest.raises(Cancelled):
        scores.result(0)
    assert bench.backend.closed
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
        for _ in range(1000):
            gc.collect()
            if kept() is None:
                break
            threading.Event().wait(0.001)
        assert kept() is None


# -- answers that are held to something


class Pattern:
    """Admits one set of tokens at each place; a place with one token is forced."""

    def __init__(self, *places: Sequence[int], fault: Callable[[int], None] | None = None) -> None:
        self.places = places
        self.at = 0
        self.fault = fault or (lambda at: None)

    @property
    def done(self) -> bool:
        return self.at == len(self.places)

    def forced(self) -> list[int]:
        tokens = []
        for place in self.places[self.at :]:
            if len(place) != 1:
                break
            tokens.append(place[0])
        return tokens

    def mask(self, row: np.ndarray) -> None:
        self.fault(self.at)
        row[:] = 0
        for token in self.places[self.at]:
            row[token // 32] |= np.uint32(1 << token % 32)

    def advance(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            assert token in self.places[self.at]
            self.at += 1


def test_a_constraint_holds_and_its_forced_tokens_need_no_step() -> None:
    with Bench() as bench:
        held = bench.ask([1, 2], 50, constraint=Pattern([9], [8], [3, 4], [7], [7], [7], [5, 60]))
        free = bench.ask([1, 3], 5)
        text = held.result(FOREVER)
        assert (text[:2], text[3:6]) == (letters([9, 8]), letters([7, 7, 7]))
        assert text[2] in letters([3, 4])
        assert text[6] in letters([5, 60])
        assert held.finish_reason == "stop"
        assert held.usage is not None
        assert held.usage.completion_tokens == 7
        assert free.result(FOREVER) == expected([1, 3], 5)
        assert sum(4 in step for step in bench.backend.steps) == 2, "joined with what was pending"


def test_a_constraint_that_leaves_no_choice_needs_no_model() -> None:
    with Bench() as bench:
        stream = bench.ask([1, 2], 50, constraint=Pattern([9], [8]))
        assert stream.result(FOREVER) == letters([9, 8])
        assert bench.backend.steps == []


def test_forced_text_passes_the_stop_strings_and_the_length() -> None:
    with Bench() as bench:
        stopped = bench.ask([1], 50, constraint=Pattern([9], [8], [7]), stop=(letters([8]),))
        assert (stopped.result(FOREVER), stopped.finish_reason) == (letters([9]), "stop")
        cut = bench.ask([1], 2, constraint=Pattern([9], [8], [7]))
        assert (cut.result(FOREVER), cut.finish_reason) == (letters([9, 8]), "length")
        whole = bench.ask([1], 3, constraint=Pattern([9], [8], [7]))
        assert (whole.result(FOREVER), whole.finish_reason) == (letters([9, 8, 7]), "stop")


def test_a_constraint_that_admits_nothing_is_a_clear_error() -> None:
    with Bench() as bench:
        free = bench.ask([1, 3], 5)
        with pytest.raises(InvalidResponse, match="admits no token"):
            bench.ask([1, 2], 50, constraint=Pattern([3, 4], [], [5])).result(FOREVER)
        assert free.result(FOREVER) == expected([1, 3], 5)


def test_a_constraint_that_breaks_ends_its_own_answer_only() -> None:
    def fault(at: int) -> None:
        if at == 1:
            raise RuntimeError("no mask")

    with Bench() as bench:
        free = bench.ask([1, 3], 5)
        with pytest.raises(ModelError, match="no mask"):
            bench.ask([1, 2], 50, constraint=Pattern([3, 4], [3, 4], fault=fault)).result(FOREVER)
        assert free.result(FOREVER) == expected([1, 3], 5)


# -- scores


def logprob_of(prompt: Sequence[int], continuation: Sequence[int]) -> float:
    known, total = list(prompt), 0.0
    for token in continuation:
        logit = 10.0 if following(known) == token else 0.0
        total += logit - np.log(np.exp(10.0) + VOCABULARY - 1)
        known.append(token)
    return total


@settings(max_examples=60, deadline=None)
@given(
    st.lists(tokens, min_size=1, max_size=60),
    st.lists(st.lists(st.integers(0, 95), max_size=9), min_size=1, max_size=8),
    st.sampled_from([0, 8]),
    st.integers(1, 4),
)
def test_scores_are_those_of_each_alone(prompt, continuations, grid: int, running: int) -> None:
    likely = []
    for _ in range(5):
        likely.append(following([*prompt, *likely]))
    continuations = [*continuations, likely]
    with Bench(running, grid, page_tokens=4) as bench:
        scores = bench.score(prompt, continuations).result(FOREVER)
        for score, continuation in zip(scores, continuations, strict=True):
            assert score.tokens == len(continuation)
            assert score.logprob == pytest.approx(logprob_of(prompt, continuation), abs=1e-3)
        assert bench.ask(prompt, 3).result(FOREVER) == expected(prompt, 3)


def test_scores_share_the_prompt() -> None:
    prompt = [n % 90 for n in range(150)]
    with Bench(max_running=8) as bench:
        bench.score(prompt, [[n, n, n] for n in range(20)]).result(FOREVER)
        assert bench.computed <= 150 + 20 * 3
        assert bench.engine.report().kept == 1, "the prompt is kept, continuations are not"


def test_long_continuations_are_judged_in_parts() -> None:
    continuation = [n % 90 for n in range(200)]
    with Bench() as bench:
        (score,) = bench.score([1, 2], [continuation]).result(FOREVER)
        assert score.logprob == pytest.approx(logprob_of([1, 2], continuation), abs=0.01)
        assert max(map(max, bench.backend.steps)) <= 66


def test_scores_can_be_cancelled_at_any_time() -> None:
    with Bench(max_running=2) as bench:
        standing = bench.hold()
        scores = bench.score([1, 2, 3], [[n, n] for n in range(6)])
        assert standing.wait(FOREVER)
        with pytest.raises(DeadlineExceeded):
            scores.result(0.001)
        scores.cancel()
        with pytest.raises(Cancelled):
            scores.result(0)
        bench.go.set()
        assert bench.ask([2], 2).result(FOREVER) == expected([2], 2)
        assert bench.engine.report().waiting == 0
