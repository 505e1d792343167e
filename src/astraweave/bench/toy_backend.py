"""A backend whose every logit can be checked by hand.

It keeps tokens where a real one keeps keys and values, in pages that sequences share, and computes
the next token from all of them: a page that was shared, copied or left over wrongly changes the
text. Tests run the engine over it, and the benchmarks measure what the engine itself costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CapacityError, InputError
from astraweave.llm._backend import KvReport, StepBatch

__all__ = ["ToyBackend", "following"]

_TOKEN_BYTES = 4


def following(tokens: Sequence[int], vocabulary: int = 97) -> int:
    """What comes after these tokens; never the last token of the vocabulary."""
    return (sum((i + 1) * t for i, t in enumerate(tokens)) * 31 + len(tokens)) % (vocabulary - 1)


class ToyBackend:
    """A `DecoderBackend` without a model.

    Parameters
    ----------
    vocabulary, context_tokens, max_sequences
        As the protocol has them.
    capacity_tokens, page_tokens : int
        Room for all sequences, and tokens of a page, which is full or empty.
    follow : callable or None
        The likeliest token after some tokens; None: no logits are computed at all.
    before_step : callable
        Called with each batch; may raise, or wait.

    Attributes
    ----------
    steps : list of list of int
        Tokens that each sequence got, a list a step.
    """

    mixes = True
    provider = "toy"

    def __init__(
        self,
        *,
        vocabulary: int = 97,
        context_tokens: int = 400,
        max_sequences: int = 64,
        capacity_tokens: int = 100_000,
        page_tokens: int = 16,
        follow: Callable[[Sequence[int]], int] | None = following,
    ) -> None:
        self.vocabulary = vocabulary
        self.context_tokens = context_tokens
        self.max_sequences = max_sequences
        self.follow = follow
        self.before_step: Callable[[StepBatch], None] = lambda batch: None
        self.steps: list[list[int]] = []
        self.closed = False
        self._page_tokens = page_tokens
        self._capacity_pages = capacity_tokens // page_tokens
        # A sequence is its pages, each a list of tokens, and how many tokens are its own.
        self._sequences: dict[int, tuple[list[list[int]], int]] = {}
        self._next = 0
        self._logits = np.zeros((64, vocabulary), np.float32)

    def open(self) -> int:
        """A new, empty sequence."""
        return self._add([], 0)

    def fork(self, sequence: int, tokens: int) -> int:
        """A new sequence that shares whole pages; the last one is copied where it is not full."""
        pages, length = self._sequences[sequence]
        if not 0 <= tokens <= length:
            raise InputError(f"sequence {sequence} has {length} tokens, not {tokens}")
        whole, rest = divmod(tokens, self._page_tokens)
        if rest:
            self._check_pages(1)
            return self._add([*pages[:whole], pages[whole][:rest]], tokens)
        return self._add(pages[:whole], tokens)

    def truncate(self, sequence: int, tokens: int) -> None:
        """Keep the first `tokens` only."""
        pages, length = self._sequences[sequence]
        if not 0 <= tokens <= length:
            raise InputError(f"sequence {sequence} has {length} tokens, not {tokens}")
        whole, rest = divmod(tokens, self._page_tokens)
        kept = [*pages[:whole], pages[whole][:rest]] if rest else pages[:whole]
        self._sequences[sequence] = kept, tokens

    def release(self, sequence: int) -> None:
        """Forget a sequence."""
        del self._sequences[sequence]

    def length(self, sequence: int) -> int:
        """Tokens that it has."""
        return self._sequences[sequence][1]

    def step(self, batch: StepBatch) -> NDArray[np.float32]:
        """Append, and make the wanted logits: 10 for the token that follows, 0 for all others."""
        self.before_step(batch)
        counts = batch.counts.tolist()
        sequences = batch.sequences.tolist()
        assert len(set(sequences)) == len(sequences)
        assert sum(counts) == len(batch.tokens)
        self._check_pages(sum(map(self._new_pages, sequences, counts)))
        self.steps.append(counts)
        if len(batch.wanted) > len(self._logits):
            self._logits = np.zeros((len(batch.wanted), self.vocabulary), np.float32)
        logits = self._logits[: len(batch.wanted)]
        if self.follow is not None:
            logits[:] = 0
        wanted = {place: row for row, place in enumerate(batch.wanted.tolist())}
        tokens = batch.tokens.tolist()
        at = 0
        for sequence, count in zip(sequences, counts, strict=True):
            for place in range(at, at + count):
                self._append(sequence, tokens[place])
                if place in wanted and self.follow is not None:
                    logits[wanted[place], self.follow(self.tokens(sequence))] = 10
            at += count
        return logits

    def report(self) -> KvReport:
        """How full it is."""
        used = self._used_pages() * self._page_tokens
        capacity = self._capacity_pages * self._page_tokens
        return KvReport(
            capacity_tokens=capacity,
            used_tokens=used,
            capacity_bytes=capacity * _TOKEN_BYTES,
            used_bytes=used * _TOKEN_BYTES,
            sequences=len(self._sequences),
        )

    def close(self) -> None:
        """There is nothing to let go of."""
        self.closed = True

    def tokens(self, sequence: int) -> list[int]:
        """What a sequence has."""
        return [token for page in self._sequences[sequence][0] for token in page]

    def _add(self, pages: list[list[int]], tokens: int) -> int:
        if len(self._sequences) >= self.max_sequences:
            raise CapacityError(f"all {self.max_sequences} sequences are open")
        sequence, self._next = self._next, self._next + 1
        self._sequences[sequence] = pages, tokens
        return sequence

    def _append(self, sequence: int, token: int) -> None:
        pages, length = self._sequences[sequence]
        assert length < self.context_tokens, "written past the context"
        if length % self._page_tokens == 0:
            pages.append([])
        pages[-1].append(token)
        self._sequences[sequence] = pages, length + 1

    def _new_pages(self, sequence: int, count: int) -> int:
        length = self._sequences[sequence][1]
        return -(-(length + count) // self._page_tokens) - (-(-length // self._page_tokens))

    def _used_pages(self) -> int:
        return len({id(page) for pages, _ in self._sequences.values() for page in pages})

    def _check_pages(self, new: int) -> None:
        if self._used_pages() + new > self._capacity_pages:
            raise CapacityError(f"all {self._capacity_pages} pages are taken")
