"""The engine: what it costs beside the model, and what it makes of one."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager

import numpy as np

from astraweave.bench.case import Case, Figures, case
from astraweave.bench.toy_backend import ToyBackend
from astraweave.bench.words import (
    measure_decoding,
    measure_first_words,
    measure_longest_pause,
    opened_model,
)
from astraweave.core.clock import SystemClock, monotonic_ns
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings
from astraweave.llm import LocalLanguageModel, SamplingParams, StopScanner
from astraweave.llm._backend import StepBatch
from astraweave.llm._engine import Engine
from astraweave.llm._jobs import Line
from astraweave.llm.sampling import Sampler
from astraweave.observability import Telemetry

__all__ = ["CASES", "step_overhead"]

_VOCABULARY = 49_152
_STEPS = 300


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


@case("engine.step_overhead", unit="ms")
def overhead() -> Figures:
    """A step of 16 lines outside the model."""
    return Figures(ours=min(step_overhead() for _ in range(3)))


@case("engine.decode_16", unit="tokens/s", heavy=True)
def decode_16() -> Figures:
    """Tokens of 16 lines together on two threads, at a context of 300 that they do not share."""
    with _opened() as model:
        one = measure_decoding(model, lines=1).tokens_per_s
        rate = measure_decoding(model, lines=16).tokens_per_s
    return Figures(ours=rate, quality={"one": one, "gain": rate / one})


@case("engine.first_words_30", unit="ms", heavy=True)
def first_words_30() -> Figures:
    """Until the first word, 300 tokens known and 30 new."""
    return _first_words(30)


@case("engine.first_words_130", unit="ms", heavy=True)
def first_words_130() -> Figures:
    """Until the first word, 300 tokens known and 130 new."""
    return _first_words(130)


@case("engine.longest_pause", unit="ms", heavy=True)
def pause() -> Figures:
    """Between two words of eight running lines while a prompt of 1,000 tokens arrives."""
    with _opened() as model:
        return Figures(ours=measure_longest_pause(model, lines=8))


def _opened() -> AbstractContextManager[LocalLanguageModel]:
    return opened_model(Settings.from_environment(), threads=2)


def _first_words(fresh: int) -> Figures:
    with _opened() as model:
        found = measure_first_words(model, prefix=300, fresh=fresh)
    return Figures(ours=found.p50, quality={"p95_ms": found.p95})


CASES: tuple[Case, ...] = (overhead, decode_16, first_words_30, first_words_130, pause)
