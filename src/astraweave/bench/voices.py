"""Whether characters can be told apart by their lines alone.

A regularised least-squares classifier (Rifkin, Yeo and Poggio 2003) over words, pairs of words,
marks and up to three letters in a row (TF-IDF) is trained on some lines of each character and asked
who said the others. Names, and whatever was said back, tell nothing: the same facts go through
every voice, so only wording and punctuation are left.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from astraweave.core.rng import RandomStreams
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.voice import ACTS
from astraweave.persona import Persona

__all__ = ["Separation", "separation", "voice_lines"]

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\.\.\.|[^\w\s]")
_FACTS = (
    ("your sister Mira hid a silver ring under the old mill", "under the old mill"),
    ("you have five goats", "five goats"),
    ("your father was a fisherman in Vell", "a fisherman"),
    ("your horse threw a shoe on the north road", "on the north road"),
    ("you lost a bet against the miller", "a bet"),
    ("your brother sails with the herring fleet", "with the herring fleet"),
    ("the bridge at Harrow is broken", "at Harrow"),
    ("you owe the innkeeper twelve coins", "twelve coins"),
    ("your aunt bakes the best bread in town", "your aunt"),
    ("you saw a wolf by the chapel", "a wolf"),
)
_HEARD = (
    "greeting", "greeting_again", "greeting_recall", "answer_short", "answer_plain", "answer_self",
    "confirmed", "denied", "unknown", "unknown_self", "recap", "telling", "telling_mild",
    "telling_sad", "telling_glad", "telling_opinion", "telling_plain", "thanks", "wellbeing",
    "request", "insult", "apology", "agreement", "smalltalk", "farewell", "refuse", "comfort",
)  # fmt: skip
"""Acts in the mix of an ordinary conversation."""
_RIDGE = 0.1


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """How well speakers were told apart.

    Attributes
    ----------
    by_line : float
        Share of single held-out lines whose speaker was named rightly.
    by_ten : float
        The same for ten held-out lines together.
    by_set : float
        The same for all held-out lines of a speaker in a fold together.
    confusion : dict of str to dict of str to int
        Speaker to whom single lines were given.
    """

    by_line: float
    by_ten: float
    by_set: float
    confusion: dict[str, dict[str, int]]


def voice_lines(voice: str, count: int, seed: int) -> list[str]:
    """Lines of a voice in an ordinary mix of acts; all voices get the same facts."""
    composer = Composer(Persona(id="ada", name="Ada", role="the baker", patterns=voice))
    rng = RandomStreams(seed)["voices"]
    said: list[str] = []
    for _ in range(count):
        act = rng.choice(_HEARD)
        retold, short = rng.choice(_FACTS)
        values = {"retold": retold, "short": short, "echo": retold, "topic": short}
        fields = {name: values[name] for name in ACTS[act].split() if name in values}
        said.append(composer.pick(act, fields, rng, said[-20:]))
    return said


def separation(lines: Mapping[str, Sequence[str]], *, folds: int = 5, seed: int = 1) -> Separation:
    """Train on some lines of each speaker, ask about the others, each line once.

    No held-out line, and none that differs from it in capitals and marks alone, is in its
    training part: equal lines share a fold.

    Parameters
    ----------
    lines : mapping of str to sequence of str
        Speakers to what they said; at least two speakers.
    folds : int
        Into how many parts the lines of each are cut.
    seed : int
        Draws the parts.
    """
    speakers = sorted(lines)
    rng = RandomStreams(seed)["voices"]
    parts = {name: _folds(list(lines[name]), folds, rng) for name in speakers}
    confusion = {name: dict.fromkeys(speakers, 0) for name in speakers}
    tens: list[bool] = []
    sets: list[bool] = []
    for fold in range(folds):
        model = _Ridge(
            {
                name: [x for n, part in enumerate(parts[name]) if n != fold for x in part]
                for name in speakers
            }
        )
        for index, name in enumerate(speakers):
            held = parts[name][fold]
            if not held:
                continue
            scores = np.stack([model.scores(line) for line in held])
            for row in scores:
                confusion[name][speakers[int(row.argmax())]] += 1
            tens += [
                int(scores[at : at + 10].sum(0).argmax()) == index for at in range(0, len(held), 10)
            ]
            sets.append(int(scores.sum(0).argmax()) == index)
    total = sum(sum(row.values()) for row in confusion.values())
    right = sum(confusion[name][name] for name in speakers)
    return Separation(
        by_line=right / total,
        by_ten=sum(tens) / len(tens),
        by_set=sum(sets) / len(sets),
        confusion=confusion,
    )


def _folds(lines: list[str], folds: int, rng: random.Random) -> list[list[str]]:
    by_text: dict[str, list[str]] = {}
    for line in lines:
        by_text.setdefault(" ".join(re.findall(r"\w+", line.casefold())), []).append(line)
    groups = list(by_text.values())
    rng.shuffle(groups)
    parts: list[list[str]] = [[] for _ in range(folds)]
    for group in groups:
        min(parts, key=len).extend(group)
    return parts


def _features(line: str) -> Counter[str]:
    """Words, pairs of words, marks and up to three letters in a row, each kind by its own name."""
    low = line.casefold()
    tokens = _TOKEN.findall(low)
    found = Counter(f"w {token}" for token in tokens)
    found.update(f"w {a} {b}" for a, b in pairwise(tokens))
    for size in (1, 2, 3):
        found.update(f"c {low[at : at + size]}" for at in range(len(low) - size + 1))
    return found


class _Ridge:
    """Least-squares classifier on TF-IDF features, solved in its dual form."""

    def __init__(self, lines: Mapping[str, Sequence[str]]) -> None:
        self._names = sorted(lines)
        found = [_features(x) for n in self._names for x in lines[n]]
        known = Counter(feature for one in found for feature in one)
        self._index = {feature: i for i, feature in enumerate(known)}
        self._idf = np.log((1 + len(found)) / (1 + np.fromiter(known.values(), float))) + 1
        table = np.stack([self._vector(one) for one in found])
        wanted = np.concatenate(
            [
                np.tile(np.where(np.arange(len(self._names)) == row, 1.0, -1.0), (len(lines[n]), 1))
                for row, n in enumerate(self._names)
            ]
        )
        gram = table @ table.T + _RIDGE * np.eye(len(table))
        self._weights = table.T @ np.linalg.solve(gram, wanted)

    def _vector(self, found: Counter[str]) -> npt.NDArray[np.float64]:
        row = np.zeros(len(self._index))
        for feature, count in found.items():
            if (at := self._index.get(feature)) is not None:
                row[at] = (1 + math.log(count)) * self._idf[at]
        length = float(np.linalg.norm(row))
        return row / length if length else row

    def scores(self, line: str) -> npt.NDArray[np.float64]:
        """How much a line is each speaker's, in the order of their names."""
        scores: npt.NDArray[np.float64] = self._vector(_features(line)) @ self._weights
        return scores
