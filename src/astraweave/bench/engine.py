"""The engine: what it costs beside the model, and what it makes of one."""

from __future__ import annotations

import itertools
import random
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from astraweave.bench.case import Case, Figures, Unavailable, case
from astraweave.bench.toy_backend import ToyBackend
from astraweave.core.clock import SystemClock, monotonic_ns
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import DEFAULT_MODEL, Settings
from astraweave.errors import MissingExtraError, ModelError
from astraweave.inference import Sessions
from astraweave.llm import (
    ChunkStream,
    Generation,
    GenerationRequest,
    LocalLanguageModel,
    Message,
    SamplingParams,
    StopScanner,
)
from astraweave.llm._backend import StepBatch
from astraweave.llm._engine import Engine
from astraweave.llm._jobs import Line
from astraweave.llm.sampling import Sampler
from astraweave.models import ModelStore
from astraweave.observability import Telemetry

__all__ = ["CASES", "decode_rate", "first_words", "longest_pause", "opened", "step_overhead"]

_VOCABULARY = 49_152
_STEPS = 300
_LORE = Message(
    "system",
    "You are Tam the smith of Weyford. " + "The fair is in spring and the river is high. " * 26,
)
"""About 300 tokens."""

_WORDS = "the hammer was left by the old well near the mill".split()
_FRAME = 8
"""Tokens around a message."""

_GREEDY = SamplingParams(temperature=0)


class _Letters:
    """Every token is a letter."""

    def push(self, token: int) -> str:
        return chr(0x4E00 + token % 1000)

    def flush(self) -> str:
        return ""


def step_overhead(sequences: int = 16) -> float:
    """Milliseconds a step outside the backend: planning, drawing, text, delivery.

    The backend computes nothing; its logits are as peaked as a model's.
    """
    backend = ToyBackend(vocabulary=_VOCABULARY, context_tokens=1024, follow=None)
    rows = np.random.default_rng(3).gumbel(0, 2.5, (sequences, _VOCABULARY)).astype(np.float32)
    inside = 0

    def compute(batch: StepBatch) -> np.ndarray:
        nonlocal inside
        started = monotonic_ns()
        ToyBackend.step(backend, batch)
        inside += monotonic_ns() - started
        return rows[: len(batch.wanted)]

    backend.step = compute  # type: ignore[method-assign]
    engine = Engine(
        backend,
        max_running=sequences,
        clock=SystemClock(),
        telemetry=Telemetry(),
        name="bench",
    )
    lines = [_toy_line(RandomStreams(n)["sampling"], n) for n in range(sequences)]
    try:
        started = monotonic_ns()
        engine.submit(lines)
        for line in lines:
            line.stream.result()
        return (monotonic_ns() - started - inside) / len(backend.steps) / 1e6
    finally:
        engine.stop()


def _toy_line(stream: random.Random, n: int) -> Line:
    prompt = [(i * 7 + n) % 40_000 + 300 for i in range(300)]
    return Line(
        prompt,
        max_tokens=_STEPS,
        context_tokens=1024,
        urgency=2,
        sampler=Sampler(SamplingParams(), stream=stream, context=prompt, exempt=(0, 2)),
        decoder=_Letters(),
        stops=StopScanner(("\nPlayer:",)),
        eos_ids=(),
        submitted=0.0,
    )


@contextmanager
def opened(threads: int = 2, sequences: int = 16) -> Iterator[LocalLanguageModel]:
    """The default model, with room for long prompts.

    Raises
    ------
    Unavailable
        Its weights are not here.
    """
    try:
        files = ModelStore(Settings.from_environment()).ensure(DEFAULT_MODEL)
        sessions = Sessions(Settings(threads=threads))
        model = LocalLanguageModel(
            files, sessions=sessions, max_sequences=sequences, context_tokens=2048
        )
    except (ModelError, MissingExtraError) as error:
        raise Unavailable(str(error)) from None
    with sessions, model:
        _ask(model, "Hello.", 1).result()  # the lore is read
        yield model


def decode_rate(model: LocalLanguageModel, sequences: int) -> float:
    """Tokens a second of so many lines together, after a prompt of 300, their prompts left out."""
    tokens = 64
    streams = [_ask(model, f"Tell a very long story, number {n}.", 1) for n in range(sequences)]
    for stream in streams:
        stream.result()
    started = monotonic_ns()
    streams = [
        _ask(model, f"Tell a very long story, number {n}.", tokens) for n in range(sequences)
    ]
    for stream in streams:
        stream.result()
    made = sum(_tokens(stream) for stream in streams)
    return made / (monotonic_ns() - started) * 1e9


def first_words(model: LocalLanguageModel, new_tokens: int, times: int = 15) -> list[float]:
    """Milliseconds to the first word of so many prompts that begin with the same 300 tokens."""
    found = []
    for n in range(times):
        text = f"{n}"
        while model.count(text) + _FRAME < new_tokens:
            text += f" {_WORDS[len(text) % len(_WORDS)]}"
        stream = _ask(model, text, 2)
        stream.result()
        assert stream.usage is not None
        found.append(stream.usage.first_token_ms)
    return found


def longest_pause(model: LocalLanguageModel, lines: int = 8, salt: int = 0) -> float:
    """Milliseconds between two words of running lines while a prompt of 1,000 tokens arrives.

    Another `salt` is another prompt: what was read once would arrive at once.
    """
    running = [_ask(model, f"Tell a very long story, number {n}.", 1500) for n in range(lines)]
    times: list[list[int]] = [[] for _ in running]

    def read(stream: ChunkStream, into: list[int]) -> None:
        into.extend(monotonic_ns() for _ in stream)

    readers = [
        threading.Thread(target=read, args=pair) for pair in zip(running, times, strict=True)
    ]
    for reader in readers:
        reader.start()
    while not all(len(into) > 8 for into in times):
        threading.Event().wait(0.005)
    began = monotonic_ns()
    long = Message("system", f"{salt} " + " ".join(_WORDS * 90))
    model.generate(
        GenerationRequest(messages=(long, Message("user", "So?")), max_tokens=1, sampling=_GREEDY)
    ).result()
    ended = monotonic_ns()
    for stream in running:
        stream.cancel()
    for reader in readers:
        reader.join()
    pauses = [
        b - a for into in times for a, b in itertools.pairwise(into) if b > began and a < ended
    ]
    return max(pauses) / 1e6


def _ask(model: LocalLanguageModel, text: str, tokens: int) -> ChunkStream:
    stream: Generation = model.generate(
        GenerationRequest(
            messages=(_LORE, Message("user", text)), max_tokens=tokens, sampling=_GREEDY
        )
    )
    assert isinstance(stream, ChunkStream)
    return stream


def _tokens(stream: ChunkStream) -> int:
    assert stream.usage is not None
    return stream.usage.completion_tokens


@case("engine.step_overhead", unit="ms")
def overhead() -> Figures:
    """A step of 16 lines outside the model."""
    return Figures(ours=min(step_overhead() for _ in range(3)))


@case("engine.decode_16", unit="tokens/s", heavy=True)
def decode_16() -> Figures:
    """Tokens of 16 lines together on two threads, at a context of 300."""
    with opened() as model:
        one = statistics.median(decode_rate(model, 1) for _ in range(3))
        rate = statistics.median(decode_rate(model, 16) for _ in range(3))
    return Figures(ours=rate, quality={"one": one, "gain": rate / one})


@case("engine.first_words_30", unit="ms", heavy=True)
def first_words_30() -> Figures:
    """Until the first word, 300 tokens known and 30 new."""
    with opened() as model:
        found = first_words(model, 30)
    return Figures(ours=statistics.median(found), quality={"max_ms": max(found)})


@case("engine.first_words_130", unit="ms", heavy=True)
def first_words_130() -> Figures:
    """Until the first word, 300 tokens known and 130 new."""
    with opened() as model:
        found = first_words(model, 130)
    return Figures(ours=statistics.median(found), quality={"max_ms": max(found)})


@case("engine.longest_pause", unit="ms", heavy=True)
def pause() -> Figures:
    """Between two words of eight running lines while a prompt of 1,000 tokens arrives."""
    with opened() as model:
        return Figures(ours=max(longest_pause(model, salt=salt) for salt in range(3)))


CASES: tuple[Case, ...] = (overhead, decode_16, first_words_30, first_words_130, pause)
