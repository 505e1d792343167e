"""How fast a language model gives words: many lines at once, and the first word of one.

Everything is measured where a game would: from `generate` to the chunks that arrive. So the figures
hold for any `LanguageModel`, the road's own overhead included.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec

from astraweave.bench.case import Unavailable
from astraweave.bench.loop import quantile
from astraweave.core.clock import SystemClock
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings
from astraweave.errors import AstraweaveError, MissingExtraError, ModelError
from astraweave.inference import Sessions
from astraweave.llm import (
    Generation,
    GenerationRequest,
    LanguageModel,
    LocalLanguageModel,
    Message,
    SamplingParams,
    Usage,
)
from astraweave.models import ModelStore

__all__ = [
    "DecodeFigures",
    "FirstWordFigures",
    "measure_decoding",
    "measure_first_words",
    "measure_longest_pause",
    "opened_model",
]

_CLOCK = SystemClock()
_CONTEXT_TOKENS = 2048
_CROWD_TOKENS = 200
"""Prompt of a line that runs beside what is measured."""
_PLACES = "mill bridge harbour forge chapel orchard tower market cellar well gate stable".split()
_PEOPLE = "Mira Odric Tam Sella Bran Ysolde Corin Petra Hale Nessa Garrick Una".split()
_THINGS = "key lantern ledger horn rope map coin ring letter blade cloak seed".split()
_DEEDS = "hid,found,sold,broke,painted,buried,lost,mended,stole,carried".split(",")


class DecodeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Words of several lines that run at once.

    Attributes
    ----------
    lines : int
        How many ran.
    context : int
        Tokens of each prompt, about.
    tokens_per_s : float
        Of all lines together, while all of them were running.
    """

    lines: int
    context: int
    tokens_per_s: float


class FirstWordFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds until the first token, and between tokens.

    Attributes
    ----------
    reused, fresh : int
        Tokens of the prompt that were computed before, and that were not (medians).
    others : int
        Lines that ran meanwhile.
    p50, p95 : float
        Until the first token.
    longest_pause : float
        Between two pieces of text of any line that ran meanwhile; 0 where none did.
    """

    reused: int
    fresh: int
    others: int
    p50: float
    p95: float
    longest_pause: float


@contextmanager
def opened_model(settings: Settings, threads: int) -> Iterator[LocalLanguageModel]:
    """The model that `settings` name, on so many threads, with room for long prompts.

    Raises
    ------
    Unavailable
        They name no model of the registry, or its weights are not here.
    """
    settings = msgspec.structs.replace(settings, threads=threads)
    if settings.model not in settings.registry_models:
        raise Unavailable(f"the settings name no model of the registry, but {settings.model!r}")
    sessions = Sessions(settings)
    try:
        files = ModelStore(settings).ensure(settings.model)
        model = LocalLanguageModel(files, sessions=sessions, context_tokens=_CONTEXT_TOKENS)
    except (ModelError, MissingExtraError) as error:
        raise Unavailable(str(error)) from None
    with sessions, model:
        yield model


def measure_decoding(
    model: LanguageModel, *, lines: int, context: int = 300, tokens: int = 96, rounds: int = 3
) -> DecodeFigures:
    """Let `lines` lines of different prompts run at once; the best of `rounds`.

    Parameters
    ----------
    context : int
        Tokens of each prompt; nothing of it is shared with another.
    tokens : int
        Longest line.
    """
    texts = _texts(seed=lines)
    rates = []
    for _ in range(rounds):
        requests = [
            _request(_filled(model, next(texts), context), max_tokens=tokens) for _ in range(lines)
        ]
        arrivals = _run_all(model, requests)
        begun = max(times[0] for times, _ in arrivals)
        ended = min(times[-1] for times, _ in arrivals)
        made = 0.0
        for times, count in arrivals:
            inside = sum(begun < at <= ended for at in times)
            made += inside * count / len(times)  # a piece of text may hold several tokens
        rates.append(made / (ended - begun) if ended > begun else 0.0)
    return DecodeFigures(lines=lines, context=context, tokens_per_s=max(rates))


def measure_first_words(
    model: LanguageModel, *, prefix: int, fresh: int, others: int = 0, repeats: int = 20
) -> FirstWordFigures:
    """Ask with a beginning that is known, and something new behind it.

    Parameters
    ----------
    prefix : int
        Tokens of the beginning that all questions share, computed once before.
    fresh : int
        Tokens of each question, about.
    others : int
        Lines that are kept running meanwhile.
    """
    texts = _texts(seed=prefix + fresh + others)
    card = _filled(model, next(texts), prefix)
    opening = model.count_messages([Message("system", card)])
    model.generate(_request(card, "Good morning.", max_tokens=1)).result()
    crowd = _Crowd(model, others, texts)
    firsts, reused, computed = [], [], []
    try:
        for _ in range(repeats):
            room = max(1, fresh - (model.count_messages(_chat(card, "")) - opening))
            question = _filled(model, next(texts), room)
            start = _CLOCK.monotonic()
            usage = Usage()
            first = 0.0
            for chunk in model.generate(_request(card, question, max_tokens=2)):
                first = first or _CLOCK.monotonic()
                usage = chunk.usage or usage
            firsts.append((first - start) * 1e3)
            reused.append(usage.reused_tokens)
            computed.append(usage.prompt_tokens - usage.reused_tokens)
    finally:
        pause = crowd.end()
    firsts.sort()
    return FirstWordFigures(
        reused=sorted(reused)[len(reused) // 2],
        fresh=sorted(computed)[len(computed) // 2],
        others=others,
        p50=quantile(firsts, 0.5),
        p95=quantile(firsts, 0.95),
        longest_pause=pause,
    )


class _Crowd:
    """Lines that run all the time, each followed by another; notes the longest pause in one."""

    def __init__(self, model: LanguageModel, count: int, texts: Iterator[str]) -> None:
        self._model = model
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._longest = 0.0
        self._texts = texts
        self._error: AstraweaveError | None = None
        self._running = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._talk, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()
        for _ in self._threads:
            self._running.acquire()

    def end(self) -> float:
        """Let them finish; the longest pause in milliseconds."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._longest * 1e3

    def _talk(self) -> None:
        try:
            self._keep_talking()
        except AstraweaveError as error:
            self._error = error
            self._running.release()

    def _keep_talking(self) -> None:
        first = True
        while not self._over.is_set():
            with self._lock:
                text = next(self._texts)
            before = 0.0
            card = _filled(self._model, text, _CROWD_TOKENS)
            generation = self._model.generate(_request(card, max_tokens=96))
            for _ in generation:
                now = _CLOCK.monotonic()
                if before:
                    with self._lock:
                        self._longest = max(self._longest, now - before)
                before = now
                if first:
                    first = False
                    self._running.release()
                if self._over.is_set():
                    generation.cancel()


def measure_longest_pause(model: LanguageModel, *, lines: int = 4, prompt: int = 1000) -> float:
    """Milliseconds: the longest pause in `lines` running lines while a long prompt arrives."""
    texts = _texts(seed=prompt)
    crowd = _Crowd(model, lines, texts)
    for _ in range(3):
        model.generate(_request(_filled(model, next(texts), prompt), max_tokens=1)).result()
    return crowd.end()


def _chat(card: str, question: str) -> tuple[Message, ...]:
    return (Message("system", card), Message("user", question))


def _request(
    card: str, question: str = "Tell me a long story about all of it.", *, max_tokens: int
) -> GenerationRequest:
    return GenerationRequest(
        messages=_chat(card, question),
        max_tokens=max_tokens,
        sampling=SamplingParams(temperature=0.8, seed=len(card)),
    )


def _run_all(
    model: LanguageModel, requests: Sequence[GenerationRequest]
) -> list[tuple[list[float], int]]:
    """When each piece of each answer came, and how many tokens the answer had."""
    generations = [model.generate(request) for request in requests]

    def read(generation: Generation) -> tuple[list[float], int]:
        times, count = [], 0
        for chunk in generation:
            times.append(_CLOCK.monotonic())
            if chunk.usage is not None:
                count = chunk.usage.completion_tokens
        return times, count

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(read, generations))


def _texts(seed: int) -> Iterator[str]:
    """Endless different texts about a village, each long enough for any prompt."""
    rng = RandomStreams(seed)["bench.words"]
    for number in itertools.count(1):
        yield f"Chronicle {number}. " + " ".join(
            f"{rng.choice(_PEOPLE)} {rng.choice(_DEEDS)} the {rng.choice(_THINGS)} "
            f"at the {rng.choice(_PLACES)} on day {rng.randrange(400)}."
            for _ in range(200)
        )


def _filled(model: LanguageModel, text: str, tokens: int) -> str:
    """The first words of `text` that have about so many tokens."""
    words = text.split(" ")
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if model.count(" ".join(words[:middle])) <= tokens:
            low = middle
        else:
            high = middle - 1
    return " ".join(words[:low])
