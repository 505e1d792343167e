"""What the tokenizer models mean, in as few lines as say it. Slow on purpose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

__all__ = ["appended", "bpe", "is_truncation", "wordpiece"]


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


def appended(count: Callable[[str], int], parts: Sequence[str]) -> list[int]:
    """What an appender says after each part: the count of all parts so far, joined."""
    return [count("".join(parts[: at + 1])) for at in range(len(parts))]


def is_truncation(
    count: Callable[[str], int], text: str, kept: str, most: int, *, from_end: bool
) -> bool:
    """Whether `kept` is an end of `text` with at most `most` tokens, and more if it were longer."""
    if count(text) <= most:
        return kept == text
    if count(kept) > most or not (text.endswith(kept) if from_end else text.startswith(kept)):
        return False
    more = len(kept) + 1
    return count(text[-more:] if from_end else text[:more]) > most
