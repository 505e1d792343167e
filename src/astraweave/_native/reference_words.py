"""What the index of words does, in as few lines as say it. Slow on purpose.

Stemming is left to the caller: the Snowball project's own stemmer is the reference for that. Of
other scripts than those written here it knows what Python's tables know.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

__all__ = ["WordShelf", "fold", "score_words", "split_words"]

_PLAIN = str.maketrans(
    {"ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o",
     "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "þ": "th", "Þ": "th", "ı": "i",
     "ς": "σ", "’": "'", "ʼ": "'"}
)  # fmt: skip


def fold(text: str) -> str:
    """Small letters without accents, of Latin, Greek and Cyrillic letters."""
    parts = unicodedata.normalize("NFD", text).translate(_PLAIN).lower()
    plain = "".join(c for c in parts if not 0x300 <= ord(c) <= 0x36F)
    return plain.translate(_PLAIN)


def split_words(text: str, stem: Callable[[str], str]) -> list[str]:
    """Words of a text in Latin, Greek or Cyrillic letters, as they are indexed."""
    found = []
    for run in re.findall(r"[^\W_]+(?:'[^\W_]+)*", fold(text)):
        before = ""
        for part in run.split("'"):
            if 0 < len(before.rsplit("'")[0]) <= 2 and "'" not in before:
                found.append(before)
                before = part
            else:
                before = f"{before}'{part}" if before else part
        found.append(before)
    stems = (stem(word[:64]).replace("'", "") for word in found)
    return [word for word in stems if word]


class WordShelf:
    """A list of documents, each a count of terms, scored one by one."""

    def __init__(self, split: Callable[[str], list[str]]) -> None:
        self._split = split
        self.rows: list[tuple[Counter[str], int]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def append(
        self,
        texts: Sequence[str],
        further: Sequence[Iterable[tuple[str, float]]] | None = None,
    ) -> None:
        """Add a row for each text."""
        terms = [()] * len(texts) if further is None else further
        self.rows += [self._row(text, more) for text, more in zip(texts, terms, strict=True)]

    def replace(self, row: int, text: str, further: Iterable[tuple[str, float]] = ()) -> None:
        """Another text in the same place."""
        self.rows[row] = self._row(text, further)

    def remove(self, rows: Sequence[int]) -> None:
        """Those behind move up."""
        gone = set(rows)
        self.rows = [row for at, row in enumerate(self.rows) if at not in gone]

    def weighted(self, further: Iterable[tuple[str, float]]) -> Counter[str]:
        """Keys as they are, anything else as words."""
        terms: Counter[str] = Counter()
        for term, weight in further:
            for one in [term] if ":" in term else self._split(term):
                terms[one] += weight  # type: ignore[assignment]  # counters of floats are fine
        return terms

    def _row(self, text: str, further: Iterable[tuple[str, float]]) -> tuple[Counter[str], int]:
        words = self._split(text)
        terms = Counter(words)
        terms.update(self.weighted(further))
        eighths = {term: min(255, math.floor(8 * tf + 0.5)) / 8 for term, tf in terms.items()}
        return Counter({term: tf for term, tf in eighths.items() if tf > 0}), len(words)


def score_words(
    shelves: Sequence[WordShelf],
    query: Iterable[tuple[str, float]],
    k1: float = 1.2,
    b: float = 0.75,
) -> list[float]:
    """BM25 of every row of the shelves."""
    rows = [row for shelf in shelves for row in shelf.rows]
    mean = (sum(length for _, length in rows) / len(rows) if rows else 0) or 1.0
    scores = [0.0] * len(rows)
    wanted = shelves[0].weighted(query) if shelves else Counter()
    for term, weight in wanted.items():
        df = sum(term in terms for terms, _ in rows)
        idf = math.log1p((len(rows) - df + 0.5) / (df + 0.5)) if df else 0.0
        for at, (terms, length) in enumerate(rows):
            norm = k1 * (1 - b + b * length / mean)
            scores[at] += weight * idf * terms[term] * (k1 + 1) / (terms[term] + norm)
    return scores
