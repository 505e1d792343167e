"""What the tokenizer models mean, in as few lines as say it. Slow on purpose."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

__all__ = ["bpe", "wordpiece"]


def bpe(symbols: Sequence[str], ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """Merge the neighbours of lowest rank, leftmost first, until no two of them may be merged."""
    parts = list(symbols)
    while True:
        pairs = [(ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not pairs:
            return parts
        _, at = min(pairs)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def wordpiece(
    word: str,
    vocab: Collection[str],
    *,
    unknown: str = "[UNK]",
    prefix: str = "##",
    max_chars: int = 100,
) -> list[str]:
    """Take the longest token at each place of a word; where there is none, the word is unknown."""
    tokens: list[str] = []
    at = 0
    while at < len(word) <= max_chars:
        start = prefix if at else ""
        stop = next((s for s in range(len(word), at, -1) if start + word[at:s] in vocab), None)
        if stop is None:
            return [unknown]
        tokens.append(start + word[at:stop])
        at = stop
    return tokens if len(word) <= max_chars else [unknown]
