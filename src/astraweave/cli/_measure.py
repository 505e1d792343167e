"""How fast this machine decodes, beside what its memory allows: five seconds.

Every token of a line reads every weight once, so one line cannot be faster than the memory brings
the weights. That time is measured with as many threads over as many bytes, so that caches help
both alike.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from astraweave.cli._finding import Finding
from astraweave.core.clock import SystemClock
from astraweave.core.settings import Settings, server_address
from astraweave.errors import AstraweaveError, ModelUnavailable

if TYPE_CHECKING:
    from astraweave.llm._backend import DecoderBackend

__all__ = ["measure", "read_seconds", "say_decoding"]

_CLOCK = SystemClock()
_CONTEXT = 200
_LINES = 8
_SECONDS = 1.2
"""Of each of the three measurements."""
_FAR = 0.4
"""A line that keeps less of what memory allows is held up by something else."""


def measure(settings: Settings, stage: Callable[[str], None]) -> list[Finding]:
    """Decode one line and eight, beside a plain reading of as many bytes; never downloads.

    Parameters
    ----------
    settings : Settings
        Whose model, threads and memory are used.
    stage : callable
        Told what is being done.
    """
    if settings.model == "none" or server_address(settings.model):
        return [Finding(name="decoding", value="not measured: no model computes on this machine")]
    try:
        return _measured(settings, stage)
    except AstraweaveError as error:
        return [Finding(name="decoding", value=f"not measured: {error}")]


def _measured(settings: Settings, stage: Callable[[str], None]) -> list[Finding]:
    from astraweave.cli.doctor import converted_files
    from astraweave.inference import Sessions
    from astraweave.llm._backends import open_backend
    from astraweave.llm._config import read_config

    files = converted_files(settings, settings.model)
    if files is None:
        raise ModelUnavailable(
            f"'{settings.model}' is not here yet: astraweave models fetch {settings.model}",
            model=settings.model,
        )
    stage("decoding")
    backend = open_backend(
        files,
        read_config(files),
        Sessions(settings),
        kind="auto",
        max_sequences=_LINES + 1,
        context_tokens=1024,
        kv_bytes=None,
        alone=False,
    )
    try:
        told = _begin(backend)
        one, eight = (_step_seconds(backend, told, lines) for lines in (1, _LINES))
        provider = backend.provider
    finally:
        backend.close()
    if provider not in {"native", "CPUExecutionProvider"}:
        return _beside([], one, eight, 0.0)
    stage("reading memory")
    data, threads = files.graph.with_name(f"{files.graph.name}.data"), settings.thread_budget
    size = data.stat().st_size
    floor = read_seconds(size, threads)
    return say_decoding(one, eight, floor=floor, weight_bytes=size, threads=threads)


def say_decoding(
    one: float, eight: float, *, floor: float, weight_bytes: int, threads: int
) -> list[Finding]:
    """Put three times into words.

    Parameters
    ----------
    one, eight : float
        Seconds of a step of one line, and of eight.
    floor : float
        Seconds that reading the weights takes.
    weight_bytes : int
        How many bytes they are.
    threads : int
        That computed.
    """
    said = "1 thread" if threads == 1 else f"{threads} threads"
    memory = Finding(
        name="reading memory",
        value=f"{weight_bytes / floor / 1e9:.1f} GB/s with {said}: {weight_bytes / 1e6:.0f} MB of "
        f"weights in {floor * 1e3:.1f} ms, the least that a token of one line takes",
    )
    return _beside([memory], one, eight, floor)


def _beside(before: list[Finding], one: float, eight: float, floor: float) -> list[Finding]:
    share, gain = floor / one, _LINES * one / eight
    far = 0 < share < _FAR
    return [
        *before,
        Finding(
            name="one line",
            value=f"{1 / one:.0f} tokens/s, {one * 1e3:.1f} ms each"
            + (f": {share:.0%} of what reading the weights allows" if floor else ""),
            advice="something else holds it up: other programs, a power setting above, or a weak "
            "SIMD tier"
            if far
            else "",
        ),
        Finding(
            name="eight lines",
            value=f"{_LINES / eight:.0f} tokens/s together, {eight * 1e3:.1f} ms a step: "
            f"{gain:.1f} times one line",
        ),
    ]


def read_seconds(size: int, threads: int, *, seconds: float = _SECONDS) -> float:
    """Least time that some threads take to read `size` bytes, among as many tries as fit.

    Parameters
    ----------
    size : int
        Bytes.
    threads : int
        That read, the calling one included.
    seconds : float
        How long to try.
    """
    data = np.ones(max(threads, size // 8), np.uint64)
    parts = np.array_split(data, threads)
    gate, end = threading.Barrier(threads), _CLOCK.monotonic() + seconds
    best, again = float("inf"), [True]

    def read(part: NDArray[np.uint64]) -> float:
        """One round of all threads together; seconds, 0 when it is over."""
        gate.wait()
        start = _CLOCK.monotonic()
        if not again[0]:
            return 0.0
        np.bitwise_or.reduce(part)
        gate.wait()
        return _CLOCK.monotonic() - start

    def help_out(part: NDArray[np.uint64]) -> None:
        with suppress(threading.BrokenBarrierError):  # the calling thread was interrupted
            while read(part):
                pass

    helpers = [threading.Thread(target=help_out, args=(part,), daemon=True) for part in parts[1:]]
    for helper in helpers:
        helper.start()
    try:
        while took := read(parts[0]):
            best = min(best, took)
            again[0] = _CLOCK.monotonic() < end
    except BaseException:
        gate.abort()
        raise
    for helper in helpers:
        helper.join()
    return best


def _begin(backend: DecoderBackend) -> int:
    from astraweave.llm._backend import StepBatch

    told = backend.open()
    tokens = np.random.default_rng(0).integers(3, backend.vocabulary, _CONTEXT).astype(np.int32)
    backend.step(
        StepBatch(
            sequences=np.array([told], np.int32),
            counts=np.array([_CONTEXT], np.int32),
            tokens=tokens,
            wanted=np.array([_CONTEXT - 1], np.int32),
        )
    )
    return told


def _step_seconds(backend: DecoderBackend, told: int, lines: int) -> float:
    """The median step, each line at a place of its own behind the same beginning."""
    from astraweave.llm._backend import StepBatch

    sequences = [backend.fork(told, _CONTEXT) for _ in range(lines)]
    batch = StepBatch(
        sequences=np.array(sequences, np.int32),
        counts=np.ones(lines, np.int32),
        tokens=np.arange(100, 100 + lines, dtype=np.int32),
        wanted=np.arange(lines, dtype=np.int32),
    )
    times: list[float] = []
    end = _CLOCK.monotonic() + _SECONDS
    while len(times) < 3 or (_CLOCK.monotonic() < end and len(times) < _CONTEXT):
        start = _CLOCK.monotonic()
        backend.step(batch)
        times.append(_CLOCK.monotonic() - start)
    for sequence in sequences:
        backend.release(sequence)
    return float(np.median(times))
