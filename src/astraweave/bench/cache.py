"""The prompt cache beside lru-dict and cachetools; the worth of admission and semantic look-up."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from itertools import count, cycle
from typing import Any

import numpy as np

from astraweave.bench.case import Case, Figures, Pair, Unavailable, case, time_calls
from astraweave.core.clock import monotonic_ns
from astraweave.core.settings import DEFAULT_EMBEDDER, Settings
from astraweave.embeddings import OnnxEmbedder
from astraweave.errors import AstraweaveError
from astraweave.llm import GenerationRequest, Message
from astraweave.models import ModelStore
from astraweave.serving import PromptCache, SemanticCache

__all__ = ["CASES"]

_PROMPTS = 1_000
_ANSWER = "Up the hill, past the mill; you cannot miss it. " * 4
_TAIL = "and what does she want?"
_HEADS = [
    "".join(chr(97 + (7 * row + column * column) % 26) for column in range(900 - len(_TAIL)))
    for row in range(_PROMPTS)
]


def _hits(peer: Any) -> Pair:
    """Look up 900 characters, in a new str each time, as a rendered prompt is one.

    Putting the str together is timed on both sides.
    """
    cache = PromptCache()
    for head in _HEADS:
        cache.put(head + _TAIL, _ANSWER)
        if peer is not None:
            peer[head + _TAIL] = _ANSWER
    ours, peers = cycle(_HEADS), cycle(_HEADS)
    found = sum(cache.get(head + _TAIL) == _ANSWER for head in _HEADS)
    return Pair(
        ours=lambda: cache.get(next(ours) + _TAIL),
        peer=None if peer is None else lambda: peer[next(peers) + _TAIL],
        quality={"found": found / _PROMPTS},
    )


def _puts(peer: Any) -> Pair:
    """Put a new prompt of 900 characters into a full cache."""
    entry = 900 + len(_ANSWER) + PromptCache.ENTRY_OVERHEAD
    cache = PromptCache(max_bytes=_PROMPTS * entry, shards=1)
    ours, peers = count(10**9), count(10**9)
    tail = "x" * 890

    def put_ours() -> None:
        cache.put(f"{next(ours)}{tail}", _ANSWER)

    def put_peer() -> None:
        peer[f"{next(peers)}{tail}"] = _ANSWER

    for _ in range(2 * _PROMPTS):
        put_ours()
        if peer is not None:
            put_peer()
    return Pair(
        ours=put_ours,
        peer=None if peer is None else put_peer,
        quality={"full": len(cache) / _PROMPTS},
    )


def _lru_dict() -> Any:
    try:
        return import_module("lru").LRU(_PROMPTS)
    except ImportError:
        return None


def _cachetools() -> Any:
    try:
        return import_module("cachetools").LRUCache(_PROMPTS)
    except ImportError:
        return None


@case("cache.hit_900", unit="us", peer_name="lru-dict")
def hit_lru_dict() -> Pair:
    """A hit under a fresh key of 900 characters."""
    return _hits(_lru_dict())


@case("cache.hit_900_cachetools", unit="us", peer_name="cachetools")
def hit_cachetools() -> Pair:
    """The same beside cachetools."""
    return _hits(_cachetools())


@case("cache.put_full", unit="us", peer_name="lru-dict")
def put_lru_dict() -> Pair:
    """A put that drives something out."""
    return _puts(_lru_dict())


@case("cache.threads_8", unit="us", peer_name="one thread")
def threads_8() -> Figures:
    """A hit in one of eight Python threads, all of them busy; beside the same in one thread."""
    cache = PromptCache()
    for head in _HEADS:
        cache.put(head + _TAIL, _ANSWER)
    lookups = 200_000  # some tens of milliseconds: many turns of the GIL, few starts of a thread

    def work(share: int) -> None:
        heads = cycle(_HEADS)
        for _ in range(share):
            cache.get(next(heads) + _TAIL)

    def timed(threads: int) -> float:
        share = (lookups // threads,)
        workers = [threading.Thread(target=work, args=share) for _ in range(threads)]
        start = monotonic_ns()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return (monotonic_ns() - start) / lookups / 1e3

    rounds = [(timed(8), timed(1)) for _ in range(9)]
    eight, one = np.median(np.array(rounds), axis=0).tolist()
    return Figures(ours=eight, peer=one)


def _zipf_with_scans() -> list[str]:
    """Sixty thousand look-ups of 20,000 prompts by Zipf's law (0.9), every so often a scan."""
    rng = np.random.default_rng(1)
    weights = 1.0 / np.arange(1, 20_001) ** 0.9
    asked = rng.choice(20_000, size=60_000, p=weights / weights.sum()).tolist()
    for scan, at in enumerate(range(2_000, 60_000, 4_000)):
        asked[at:at] = range(10**6 + 500 * scan, 10**6 + 500 * (scan + 1))
    return [f"{prompt:0100}" for prompt in asked]


@case("cache.zipf_scan", unit="us", peer_name="lru admission")
def zipf_scan() -> Figures:
    """A look-up (and a put where it missed) on a Zipf trace with scans: hit rates are the point."""
    keys = _zipf_with_scans()
    rates: dict[str, float] = {}

    def run(admission: Any) -> Callable[[], None]:
        def once() -> None:
            size = 1_000 * (300 + PromptCache.ENTRY_OVERHEAD)
            cache = PromptCache(max_bytes=size, admission=admission, shards=1, seed=1)
            for key in keys:
                if cache.get(key) is None:
                    cache.put(key, _ANSWER[:200].ljust(200))
            rates[admission] = cache.stats.hit_rate

        return once

    ours, peer = time_calls([run("tinylfu"), run("lru")])
    scale = len(keys) * 1e-6
    return Figures(
        ours=ours / scale,
        peer=peer / scale,
        quality={"hit_rate": rates["tinylfu"], "hit_rate_lru": rates["lru"]},
    )


@case("cache.semantic_hit", unit="ms")
def semantic_hit() -> Pair:
    """A repeat in other words, its embedding included; hit rate on pairs that nobody tuned to."""
    try:
        embedder = OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))
    except AstraweaveError as error:
        raise Unavailable(str(error)) from None
    pairs = tomllib.loads(
        files("astraweave.bench").joinpath("semantic_pairs.toml").read_text("utf-8")
    )

    def rate(name: str, *halves: str) -> float:
        rows = [row for half in halves for row in pairs[name][half]]
        return sum(_semantic_hit(embedder, first, second) for *_, first, second in rows) / len(rows)

    cache = SemanticCache(PromptCache(), embedder)
    cache.put(_ask("Where is the blacksmith?"), "By the well.", model="m")
    again = _ask("Could you tell me where the blacksmith is?")
    return Pair(
        ours=lambda: cache.get(again, model="m"),
        quality={
            "hit_rate": rate("repeats", "blind", "late"),
            "false_hit_rate": rate("near_misses", "tune", "blind", "late"),
        },
    )


@case("cache.semantic_miss", unit="us")
def semantic_miss() -> Pair:
    """A line that nobody said before, among a thousand: no model is asked."""
    embedder = _NoEmbedder()
    cache = SemanticCache(PromptCache(), embedder)
    for number in range(_PROMPTS):
        cache.put(_ask(f"Where is house number {number}?"), _ANSWER, model="m")
    request = _ask("Who lives in the tower by the sea, and what does she want?")
    return Pair(ours=lambda: cache.get(request, model="m"))


class _NoEmbedder:
    """Stands where no line may be embedded."""

    dimensions = 1

    @property
    def model_info(self) -> Any:
        raise NotImplementedError

    def embed(self, text: str) -> Any:
        raise NotImplementedError(text)

    def embed_batch(self, texts: Any) -> Any:
        raise NotImplementedError(texts)


def _ask(line: str) -> GenerationRequest:
    return GenerationRequest(messages=(Message("system", "You are Tam."), Message("user", line)))


def _semantic_hit(embedder: OnnxEmbedder, first: str, second: str) -> bool:
    cache = SemanticCache(PromptCache(max_bytes=1 << 16), embedder)
    cache.put(_ask(first), "answer", model="m")
    return cache.get(_ask(second), model="m") is not None


CASES: tuple[Case, ...] = (
    hit_lru_dict,
    hit_cachetools,
    put_lru_dict,
    threads_8,
    zipf_scan,
    semantic_hit,
    semantic_miss,
)
