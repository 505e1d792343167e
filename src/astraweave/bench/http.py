"""What a request to a model's server costs the game's process.

The server is on loopback and in a process of its own, and answers at once, so that what is measured
is the client: the request's JSON, HTTP, the events, and the way of each chunk to its reader.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from astraweave.bench.case import Case, Figures, Unavailable, case
from astraweave.core.clock import monotonic_ns
from astraweave.errors import MissingExtraError

if TYPE_CHECKING:
    from astraweave.llm import GenerationRequest, OpenAILanguageModel
    from astraweave.llm.stream import ChunkStream

__all__ = ["CASES", "SteadyLoad", "steady_load"]

_LINE = "Aye, the forge is warm today, and the gate is nearly done."
_AT_ONCE = 32
_WARM_UP = 200
_SECONDS = 3.0


class SteadyLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a steady stream of requests.

    Attributes
    ----------
    requests, answered : int
        How many were asked, and how many of them were answered in full.
    rate : float
        Answers a second, from the first request to the last answer.
    p50_ms, p99_ms, max_ms : float
        From asking to the whole answer.
    cpu_us : float
        Processor time of this process a request, whoever asks included.
    rss_growth : float
        Share by which the process has grown from the first tenth of the time to the end; 0 where
        the system does not say.
    """

    requests: int
    answered: int
    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_us: float
    rss_growth: float


def steady_load(*, rate: float = 1000.0, seconds: float = 60.0) -> SteadyLoad:
    """Ask a loopback server `rate` times a second, evenly, and read every answer.

    Raises
    ------
    MissingExtraError
        aiohttp is not installed.
    """
    from astraweave.bench.fault_server import FaultServerProcess
    from astraweave.llm import OpenAILanguageModel

    total = int(rate * seconds)
    took: list[float] = []
    with (
        FaultServerProcess(answer=_LINE) as server,
        OpenAILanguageModel(server.url, "m", dialect="generic", connections=_AT_ONCE) as model,
    ):
        _warm_up(model)
        waiting: deque[ChunkStream] = deque()
        early = 0
        cpu, start = _cpu_ns(), monotonic_ns()
        for number in range(total):
            _sleep_until(start + number * 1e9 / rate)
            waiting.append(model.generate(_request()))  # type: ignore[arg-type]
            _collect(waiting, took)
            if number == total // 10:
                early = _rss()
        while waiting:
            waiting[0].result(30)
            _collect(waiting, took)
        wall, cpu = monotonic_ns() - start, _cpu_ns() - cpu
        late = _rss()
    took.sort()
    return SteadyLoad(
        requests=total,
        answered=len(took),
        rate=len(took) / wall * 1e9,
        p50_ms=took[len(took) // 2],
        p99_ms=took[len(took) * 99 // 100],
        max_ms=took[-1],
        cpu_us=cpu / total / 1e3,
        rss_growth=late / early - 1 if early else 0.0,
    )


def _request() -> GenerationRequest:
    from astraweave.llm import GenerationRequest, Message

    return GenerationRequest(
        messages=(
            Message("system", "You are Tam, the smith of Oakford. You speak in short sentences."),
            Message("user", "How is the forge today?"),
        )
    )


def _warm_up(model: OpenAILanguageModel) -> None:
    for answer in [model.generate(_request()) for _ in range(_WARM_UP)]:
        answer.result(30)


def _collect(waiting: deque[ChunkStream], took: list[float]) -> None:
    """Read the answers that have come, in order."""
    while waiting and waiting[0].done:
        answer = waiting.popleft()
        if answer.result(0) == _LINE and answer.usage is not None:
            took.append(answer.usage.total_ms)


def _sleep_until(moment_ns: float) -> None:
    import time

    left = moment_ns - monotonic_ns()
    if left > 0:
        time.sleep(left / 1e9)


def _cpu_ns() -> int:
    times = os.times()
    return int((times.user + times.system) * 1e9)


def _rss() -> int:
    try:
        import psutil
    except ImportError:
        return 0
    return int(psutil.Process().memory_info().rss)


@case("serving.http", unit="req/s")
def requests_a_second() -> Figures:
    """As many as the client can, 32 at once; beside it what 1,000 a second cost."""
    from astraweave.bench.fault_server import FaultServerProcess
    from astraweave.llm import OpenAILanguageModel

    try:
        with (
            FaultServerProcess(answer=_LINE) as server,
            OpenAILanguageModel(server.url, "m", dialect="generic", connections=_AT_ONCE) as model,
        ):
            _warm_up(model)
            waiting: deque[ChunkStream] = deque()
            count, start = 0, monotonic_ns()
            while (now := monotonic_ns()) - start < _SECONDS * 1e9:
                while len(waiting) < _AT_ONCE:
                    waiting.append(model.generate(_request()))  # type: ignore[arg-type]
                waiting.popleft().result(30)
                count += 1
    except MissingExtraError as error:
        raise Unavailable(str(error)) from None
    steady = steady_load(seconds=_SECONDS)
    return Figures(
        ours=count / (now - start) * 1e9,
        quality={
            "at_1000/s": steady.rate,
            "p50_ms": steady.p50_ms,
            "p99_ms": steady.p99_ms,
            "cpu_us": steady.cpu_us,
            "lost": steady.requests - steady.answered,
        },
    )


CASES: tuple[Case, ...] = (requests_a_second,)
