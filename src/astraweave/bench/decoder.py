"""Steps of the native decoder beside the whole ONNX graph: the same model, the same threads.

Each takes the default model, two threads, and sequences of 300 tokens behind which the step goes,
again and again at the same place. Floors: a step of one reads all weights (157 MB) once; sixteen
read their keys and values too (6.9 MB each in float16, 13.8 in the graph's float32); 130 tokens of
a prompt are 14 billion multiply-adds of eight bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Pair, case
from astraweave.bench.footprint import wanted_models
from astraweave.core.settings import DEFAULT_MODEL, Settings
from astraweave.inference import Sessions
from astraweave.llm._backend import StepBatch
from astraweave.llm._native_backend import NativeBackend, open_native
from astraweave.models import ModelFiles

__all__ = ["CASES"]

_THREADS = 2
_CONTEXT = 300
_ROOM = 512
"""Tokens of a sequence in the graph's memory; the native decoder takes pages as it needs them."""

Logits = NDArray[np.float32]
Step = Callable[[], Logits]


def _tokens(sequences: int, count: int, seed: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(3, 40_000, (sequences, count), np.int32)


def _ours(files: ModelFiles, past: NDArray[np.int32], new: NDArray[np.int32]) -> Step:
    n = len(new)
    decoder: NativeBackend = open_native(
        files, threads=_THREADS, max_sequences=n, kv_bytes=n * (8 << 20) * 2
    )
    sequences = np.array([decoder.open() for _ in range(n)], np.int32)

    def step(tokens: NDArray[np.int32]) -> Logits:
        wanted = np.arange(n, dtype=np.int32) * tokens.shape[1] + tokens.shape[1] - 1
        counts = np.full(n, tokens.shape[1], np.int32)
        return decoder.step(
            StepBatch(sequences=sequences, counts=counts, tokens=tokens.ravel(), wanted=wanted)
        )

    step(past)

    def again() -> Logits:
        for sequence in sequences.tolist():
            decoder.truncate(sequence, _CONTEXT)
        return step(new)

    return again


def _theirs(files: ModelFiles, past: NDArray[np.int32], new: NDArray[np.int32]) -> Step:
    """The whole graph, over memory that past and present share."""
    config: dict[str, Any] = files.read_config()
    session = Sessions(Settings(threads=_THREADS)).open(files.graph, threads=_THREADS)
    n, count = new.shape
    memory: dict[str, NDArray[np.float32]] = {
        f"{kind}{layer}": np.zeros((n, config["kv_heads"], _ROOM, config["head_size"]), np.float32)
        for layer in range(config["layers"])
        for kind in "kv"
    }
    logits = np.zeros((n, config["vocab_size"]), np.float32)

    def bound(rows: slice, tokens: NDArray[np.int32], length: int) -> Step:
        binding, m = session.binding(), len(tokens)
        values: dict[str, NDArray[Any]] = {
            "input_ids": tokens.astype(np.int64),
            "seqlens_k": np.full(m, length - 1, np.int32),
            "total_len": np.array(length, np.int32),
            "logit_pos": np.full((m, 1), tokens.shape[1] - 1, np.int64),
            **{f"past_{name}": array[rows] for name, array in memory.items()},
        }
        outputs = {f"present_{name}": array[rows] for name, array in memory.items()}
        for name, value in values.items():
            binding.bind_input(
                name, "cpu", 0, value.dtype.type, list(value.shape), value.ctypes.data
            )
        for name, value in (outputs | {"logits": logits[rows]}).items():
            binding.bind_output(name, "cpu", 0, np.float32, list(value.shape), value.ctypes.data)

        def run(_values: object = values) -> Logits:  # the inputs live as long as the call
            session.run_bound(binding)
            return logits

        return run

    for row in range(n):  # it takes several tokens over a past of one sequence only
        bound(slice(row, row + 1), past[row : row + 1], _CONTEXT)()
    return bound(slice(0, n), new, _CONTEXT + count)


def _pair(sequences: int, count: int, *, per_call: float) -> Pair:
    (files,) = wanted_models(DEFAULT_MODEL)
    past, new = _tokens(sequences, _CONTEXT, seed=1), _tokens(sequences, count, seed=2)
    ours, theirs = _ours(files, past, new), _theirs(files, past, new)
    left, right = ours().copy(), theirs().copy()
    same = float((left.argmax(-1) == right.argmax(-1)).mean())
    cosine = np.mean(
        [np.corrcoef(a, b)[0, 1] for a, b in zip(left, right, strict=True)], dtype=float
    )
    return Pair(
        ours=ours, peer=theirs, per_call=per_call, quality={"same_top": same, "r": float(cosine)}
    )


@case("decoder.step_1", unit="tok/s", peer_name="the whole graph", heavy=True)
def step_1() -> Pair:
    """One token of one sequence behind 300."""
    return _pair(1, 1, per_call=1)


@case("decoder.step_16", unit="tok/s", peer_name="the whole graph", heavy=True)
def step_16() -> Pair:
    """A token each of 16 sequences behind 300."""
    return _pair(16, 1, per_call=16)


@case("decoder.prefill_130", unit="ms", peer_name="the whole graph", heavy=True)
def prefill_130() -> Pair:
    """130 tokens of a prompt behind 300."""
    return _pair(1, 130, per_call=1)


CASES: tuple[Case, ...] = (step_1, step_16, prefill_130)
