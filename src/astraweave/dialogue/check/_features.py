"""What the judge weighs about a clause in its place: cues of its words, its moment, its kind."""

from __future__ import annotations

import functools
import itertools
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from astraweave.dialogue.acts import ActKind
from astraweave.dialogue.check.knowledge import tokens
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon

if TYPE_CHECKING:
    from astraweave.dialogue.check.judge import Moment

__all__ = ["FEATURES", "cue", "features"]

_ACTS: tuple[str, ...] = get_args(ActKind)
_FAULTS = ("loose", "contradiction", "tone")
_KINDS = (
    "unknown", "known", "bare", "second", "news_sad", "news_happy", "talk", "social", "asked",
)  # fmt: skip
_MEASURES = (
    "length", "sentences", "strange", "strange_share", "new", "shared_heard", "shared_begun",
    "shared_known", "names", "nobody_meant", "new_the", "fragment", "mine", "theirs", "capitals",
)  # fmt: skip
_HEARD_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@functools.cache
def _cues() -> Mapping[str, Mapping[str, re.Pattern[str]]]:
    path = resources.files(__package__ or "").joinpath("cues.toml")
    return {
        part: {name: re.compile(cue, re.IGNORECASE) for name, cue in cues.items()}
        for part, cues in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }


def cue(part: str, name: str) -> re.Pattern[str]:
    """One of the turns of phrase in ``cues.toml``."""
    return _cues()[part][name]


def _names() -> tuple[str, ...]:
    cues = _cues()
    plain = [f"{part}.{name}" for part in ("piece", "heard", "begun") for name in cues[part]]
    plain += [*(f"act.{act}" for act in _ACTS), *(f"fault.{fault}" for fault in _FAULTS)]
    plain += [f"kind.{kind}" for kind in _KINDS] + [f"measure.{name}" for name in _MEASURES]
    return tuple(plain)


FEATURES: tuple[str, ...] = _names()
"""Names of the features, in their order."""


def features(clause: str, moment: Moment, line: str, faults: Sequence[str]) -> NDArray[np.float32]:
    """The features of a clause, shape ``(len(FEATURES),)``. Thread-safe.

    Parameters
    ----------
    clause : str
        What would be shown next.
    moment : Moment
        What it was drafted for.
    line : str
        All of the line that was shown so far.
    faults : sequence of str
        What the rules said of it: ``"loose"``, ``"contradiction"``, ``"tone"``.
    """
    cues = _cues()
    text = clause.strip().replace("’", "'")
    piece = [float(cue.search(text) is not None) for cue in cues["piece"].values()]
    heard = [float(cue.search(moment.utterance) is not None) for cue in cues["heard"].values()]
    begun = [float(cue.search(moment.opening) is not None) for cue in cues["begun"].values()]
    kinds = _kinds(moment, line, dict(zip(cues["heard"], heard, strict=True)))
    found = [
        *piece, *heard, *begun,
        *(float(moment.act == act) for act in _ACTS),
        *(float(fault in faults) for fault in _FAULTS),
        *kinds, *_measures(text, moment, line),
    ]  # fmt: skip
    return np.array(found, dtype=np.float32)


def _kinds(moment: Moment, line: str, heard: Mapping[str, float]) -> list[float]:
    """What kind of moment it is, one number for each of `_KINDS`."""
    told = moment.act in {"telling", "smalltalk", "agreement"}
    return [
        float(moment.answer == "unknown"),
        float(moment.answer not in {"", "unknown"}),
        float(not moment.opening),
        float(len(line) > len(moment.opening)),
        float(told and heard["sad"] and not heard["happy"]),
        float(told and heard["happy"] and not heard["sad"]),
        float(told and heard["sad"] == heard["happy"]),
        float(moment.act in {"greeting", "farewell", "thanks", "praise", "wellbeing", "apology"}),
        float(moment.act in {"question", "request", "recap", "offer"}),
    ]


def _measures(text: str, moment: Moment, line: str) -> list[float]:
    lex = lexicon()
    said = tokens(text)
    content = [w for w in said if len(w) > 2 and w not in _plain()]
    keys = [(word, lex.keys(word)) for word in content]
    heard, begun = _stems(moment.utterance), _stems(line)
    strange = [word for word, stems in keys if not stems & _common()]
    new = [word for word, stems in keys if not stems & (heard | begun)]
    count = max(1, len(said))
    meant = bool((heard | begun) & _people()) or bool(_PERSON.search(f"{moment.utterance} {line}"))
    after_the = [b for a, b in itertools.pairwise(said) if a == "the"]
    return [
        math.log1p(len(said)) / 2,
        float(len(_ENDS.findall(text)) > 1),
        min(3, len(strange)) / 2,
        2.0 * len(strange) / count,
        min(6, len(new)) / 4,
        min(3, sum(bool(stems & heard) for _, stems in keys)) / 2,
        min(3, sum(bool(stems & begun) for _, stems in keys)) / 2,
        min(3, sum(bool(stems & moment.knowledge.keys) for _, stems in keys)) / 2,
        min(3, len(_CAPITAL.findall(text))) / 2,
        float(not meant and _PERSON.search(text) is not None),
        min(2, sum(not lex.keys(word) & (heard | begun) for word in after_the)) / 2,
        float(not _VERB.search(text)),
        float("my" in said and "your" in said),
        float("your" in said and "my" in tokens(moment.utterance)),
        float(text[:1].islower()),
    ]


_ENDS = re.compile(r"[.!?…]+(?=\s|$)")
_CAPITAL = re.compile(r"(?<=[\w,] )[A-Z][a-z]+")
_PERSON = re.compile(r"\b(?:he|she|him|her|his)\b", re.IGNORECASE)
_VERB = re.compile(
    r"\b(?:am|is|are|was|were|be|been|have|has|had|do|does|did|will|would|can|could|may|might|must"
    r"|shall|should|\w+n't|\w+s|\w+ed)\b|'(?:s|m|re|ve|ll|d)\b",
    re.IGNORECASE,
)


@functools.cache
def _plain() -> frozenset[str]:
    return frozenset(
        "the and but for not you your that this with are was were have has had all any can could"
        " will would may might must what who how where when why which there here then than them"
        " they their his her him she its our out off into from about just very more most some"
        " such too only own same now been being does did doing".split()
    )


@functools.cache
def _common() -> frozenset[str]:
    from astraweave.dialogue.check.claims import flavour

    lex = lexicon()
    return flavour() | frozenset(key for word in group("check.light") for key in lex.keys(word))


@functools.cache
def _people() -> frozenset[str]:
    return frozenset(lexicon().persons)


@functools.lru_cache(maxsize=256)
def _stems(text: str) -> frozenset[str]:
    lex = lexicon()
    words = [w for w in _HEARD_WORDS.findall(text.lower()) if len(w) > 2 and w not in _plain()]
    return frozenset(key for word in words for key in lex.keys(word))
