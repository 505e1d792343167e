"""Answers to what was asked before in other words."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Required, TypedDict, Unpack

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings import EmbeddingClient
from astraweave.errors import ConfigError
from astraweave.llm import GenerationRequest, Message
from astraweave.serving.agreement import meaning
from astraweave.serving.prompt_cache import PromptCache, request_key

__all__ = ["KeyParts", "SemanticCache", "SemanticStats"]


class KeyParts(TypedDict, total=False):
    """What `request_key` takes beside the request."""

    model: Required[str]
    grammar: str
    tools: tuple[str, ...]
    world_version: int | str


class SemanticStats(msgspec.Struct, frozen=True, kw_only=True):
    """Look-ups of a `SemanticCache` by how they ended.

    Attributes
    ----------
    exact : int
        The same request had been answered.
    near : int
        The same was asked in other words.
    unlike : int
        The rules found the same meaning, the embedder did not.
    misses : int
        None of these; `unlike` ones are not among them.
    """

    exact: int
    near: int
    unlike: int
    misses: int


class _Line:
    """The last line of a request that was answered."""

    __slots__ = ("key", "text", "vector")

    def __init__(self, text: str, key: bytes) -> None:
        self.text = text
        self.key = key
        self.vector: NDArray[np.float32] | None = None


class SemanticCache:
    """A `PromptCache` that also knows the last line of a request in other words. Thread-safe.

    An earlier answer serves when everything but the player's last line is equal (`request_key`:
    model, sampling, grammar, tools, persona, history, world version), when the rules of
    `astraweave.serving.agreement` know both lines to ask the same, and when their vectors are near.
    The rules come first, for they cost microseconds: a line is embedded only when an earlier one
    agrees with it, so what is new costs no model call.

    Parameters
    ----------
    cache : PromptCache
        Holds the answers; its cap, ends of life and `PromptCache.invalidate` hold here, too.
    embedder : EmbeddingClient
        Called without a lock.
    min_similarity : float
        Lowest cosine of two lines, 0 to 1. The default is for MiniLM, fitted on one half of
        ``bench/semantic_pairs.toml``.
    max_lines : int
        Lines to remember, the least recently used forgotten first.

    Raises
    ------
    ConfigError
        A number is out of its range.

    Notes
    -----
    The rules are English. The lines are not part of `PromptCache.save`: after a load, exact hits
    come at once, others as lines are answered anew.

    Examples
    --------
    >>> from astraweave.embeddings import MockEmbeddingClient
    >>> from astraweave.llm import GenerationRequest, Message
    >>> def ask(line):
    ...     return GenerationRequest(messages=(Message("user", line),))
    >>> cache = SemanticCache(PromptCache(), MockEmbeddingClient(), min_similarity=0.3)
    >>> cache.put(ask("Where is the inn?"), "Up the hill.", model="m")
    True
    >>> cache.get(ask("where can I find the inn, please?"), model="m")
    'Up the hill.'
    >>> cache.get(ask("Where is the mill?"), model="m")
    """

    def __init__(
        self,
        cache: PromptCache,
        embedder: EmbeddingClient,
        *,
        min_similarity: float = 0.6,
        max_lines: int = 4096,
    ) -> None:
        if not 0 <= min_similarity <= 1:
            raise ConfigError(f"min_similarity must be between 0 and 1, not {min_similarity}")
        if max_lines < 1:
            raise ConfigError(f"max_lines must be at least 1, not {max_lines}")
        self.cache = cache
        self._embedder = embedder
        self._min_similarity = min_similarity
        self._max_lines = max_lines
        self._lock = threading.Lock()
        self._lines: OrderedDict[tuple[bytes, tuple[str, ...]], _Line] = OrderedDict()
        self._counts = dict.fromkeys(("exact", "near", "unlike", "misses"), 0)

    def get(self, request: GenerationRequest, **parts: Unpack[KeyParts]) -> str | bytes | None:
        """The answer to this request, or to one that asks the same; None.

        Raises
        ------
        InputError
            As `request_key`.
        ModelError
            The embedder failed.
        """
        key = request_key(request, **parts)
        found = self.cache.get(key)
        outcome = "exact" if found is not None else "misses"
        place = _place(request, parts) if found is None else None
        if place is not None:
            with self._lock:
                line = self._lines.get(place)
            if line is not None and line.key != key:
                found = self.cache.get(line.key)
                if found is None:  # driven out, at its end, or of another world
                    self._forget(place, line)
                elif self._near(request.messages[-1].content, line):
                    outcome = "near"
                else:
                    found, outcome = None, "unlike"
        with self._lock:
            self._counts[outcome] += 1
            if outcome == "near" and place is not None and place in self._lines:
                self._lines.move_to_end(place)
        return found

    def put(
        self,
        request: GenerationRequest,
        value: str | bytes,
        *,
        ttl_s: float | None = None,
        tag: str = "",
        **parts: Unpack[KeyParts],
    ) -> bool:
        """Keep an answer; see `PromptCache.put`."""
        key = request_key(request, **parts)
        if not self.cache.put(key, value, ttl_s=ttl_s, tag=tag):
            return False
        place = _place(request, parts)
        if place is not None:
            with self._lock:
                self._lines[place] = _Line(request.messages[-1].content, key)
                self._lines.move_to_end(place)
                while len(self._lines) > self._max_lines:
                    self._lines.popitem(last=False)
        return True

    @property
    def stats(self) -> SemanticStats:
        """How look-ups ended so far."""
        with self._lock:
            return SemanticStats(**self._counts)

    def __len__(self) -> int:
        """Lines that it remembers."""
        return len(self._lines)

    def clear(self) -> None:
        """Forget lines and answers; the counts stay."""
        with self._lock:
            self._lines.clear()
        self.cache.clear()

    def _near(self, text: str, line: _Line) -> bool:
        vector = line.vector
        if vector is None:
            vector = line.vector = self._embedder.embed(line.text)
        return float(vector @ self._embedder.embed(text)) >= self._min_similarity

    def _forget(self, place: tuple[bytes, tuple[str, ...]], line: _Line) -> None:
        with self._lock:
            if self._lines.get(place) is line:
                del self._lines[place]


def _place(request: GenerationRequest, parts: KeyParts) -> tuple[bytes, tuple[str, ...]] | None:
    """Everything but the last line, and that line's meaning; None where it cannot be compared."""
    if not request.messages or request.messages[-1].role != "user":
        return None
    row = meaning(request.messages[-1].content)
    if row is None:
        return None
    rest = (*request.messages[:-1], Message("user", ""))
    return request_key(msgspec.structs.replace(request, messages=rest), **parts), row
