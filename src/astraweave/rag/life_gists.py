"""Many small memories become one: what stays of a day when its hours have faded.

Memories of one owner that tell of the same come together: visits that went alike, over days or
weeks, and what one person said within one sitting about the same people and things. Of each such
group a gist is composed by rule, in the words of its sources; it links to them, and they may fade.
No model is asked, and nothing is drawn.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import ConfigError
from astraweave.rag.memory import Memory
from astraweave.rag.writing_words import is_number, lexicon, stem, tokens_of

__all__ = ["GistSettings", "Wording", "compose", "find_gists"]

Wording = Callable[[Sequence[Memory]], str | None]
"""Words a gist better than the rules do; None: it has nothing to say."""

_TIMES = ("", "", "twice", "three times", "four times", "five times", "six times", "seven times",
          "eight times", "nine times", "ten times")  # fmt: skip
# "to have a blade mended", not "to the forge": what somebody did it for.
_PURPOSE = re.compile(
    r" (?=to (?!the\b|a\b|an\b|my\b|his\b|her\b|their\b|our\b|your\b|this\b|that\b|me\b|him\b|us\b"
    r"|them\b|it\b|[A-Z])[a-z]+\b)"
)
_WHEN = re.compile(
    r"(?i),?\s*\b(?:yesterday|today|this (?:morning|evening|afternoon)|last night|just now|again"
    r"|once more)\b"
)
_MOST_QUOTED = 4


class GistSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is summed up.

    Attributes
    ----------
    oldest_first_s : float
        Only what is older than so many seconds of game time; a day and a half.
    sitting_s : float
        A pause so long ends a sitting.
    least : int
        So many make a gist.
    most : int
        So many of a character's oldest are looked at in one go.
    alike : float
        Share of words in common above which two memories tell of the same.
    near : float
        Cosine above which they do, where they share a name.
    weighty : float
        What matters as much as this keeps its own memory.
    """

    oldest_first_s: float = 129_600.0
    sitting_s: float = 1800.0
    least: int = 3
    most: int = 2000
    alike: float = 0.6
    near: float = 0.6
    weighty: float = 0.85

    def __post_init__(self) -> None:
        if self.least < 2 or self.most < self.least:
            raise ConfigError("a gist needs two sources or more, and `most` at least as many")
        for name in ("alike", "near", "weighty"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must be above 0 and at most 1")
        if not (self.oldest_first_s >= 0.0 and self.sitting_s > 0.0):
            raise ConfigError("oldest_first_s must be 0 or more, sitting_s above 0")


def find_gists(
    memories: Iterable[Memory],
    now: float,
    settings: GistSettings | None = None,
    *,
    vectors: Callable[[int], NDArray[np.float32] | None] = lambda _: None,
    protects: Callable[[Memory], bool] = lambda _: False,
    wording: Wording | None = None,
) -> list[Memory]:
    """Gists of one owner's memories that are old enough; nothing is changed.

    Parameters
    ----------
    memories : iterable of Memory
        All that the owner remembers, in any order. Sources of gists that are among them are not
        summed up again.
    now : float
        Game time in seconds.
    settings : GistSettings
        What is summed up.
    vectors : callable
        The unit vector of a memory, or None; without vectors words alone tell what is alike.
    protects : callable
        Whether a memory is never to fade: it is left as it is.
    wording : callable
        Words a gist better, a language model say; where it fails or says nothing, the rules do.

    Returns
    -------
    list of Memory
        Without ids, oldest first; `sources` says what each sums up.
    """
    settings = settings or GistSettings()
    everything = sorted(memories, key=lambda memory: (memory.game_time, memory.id))
    summed_up = {source for memory in everything for source in memory.sources}
    old = [
        memory
        for memory in everything
        if memory.game_time <= now - settings.oldest_first_s
        and memory.kind in {"episodic", "emotional", "social"}
        and not memory.superseded_by
        and not memory.sources
        and memory.id not in summed_up
        and memory.importance < settings.weighty
        and not protects(memory)
    ][: settings.most]
    found = []
    for group in _groups(old, settings, vectors):
        text = _worded(group, wording) or compose(group)
        if text:
            found.append(_gist(group, text))
    found.sort(key=lambda gist: (gist.game_time, gist.sources))
    return found


def compose(sources: Sequence[Memory]) -> str:
    """A gist in the words of its sources, oldest first.

    What went alike is told once, with how often; else what tells most is strung together.

    Examples
    --------
    >>> came = "The player came to the forge to have a blade mended."
    >>> compose([Memory(owner="tam", text=came)] * 3)
    'The player came to the forge three times to have a blade mended.'
    """
    if _all_alike(sources):
        typical = min(sources, key=lambda memory: (len(memory.text), memory.id)).text
        return _counted(typical, len(sources))
    telling = sorted(sources, key=lambda memory: (-memory.importance, memory.id))[:_MOST_QUOTED]
    parts = dict.fromkeys(
        memory.text.rstrip(" .!…") for memory in sorted(telling, key=lambda memory: memory.id)
    )
    return "; ".join(parts) + "."


def _worded(group: Sequence[Memory], wording: Wording | None) -> str | None:
    if wording is None:
        return None
    try:
        text = wording(group)
    except Exception:  # noqa: BLE001 - the game's own code; the rules have words for every group
        return None
    return text.strip() if isinstance(text, str) and text.strip() else None


def _groups(
    memories: Sequence[Memory],
    settings: GistSettings,
    vectors: Callable[[int], NDArray[np.float32] | None],
) -> list[list[Memory]]:
    """Memories that tell of the same; each in one group at most."""
    words = {memory.id: _content(memory.text) for memory in memories}
    taken: set[int] = set()
    groups = []
    by_word: dict[str, list[Memory]] = defaultdict(list)
    for memory in memories:
        for word in words[memory.id]:
            by_word[word].append(memory)
    for memory in memories:  # what went alike, however long between
        if memory.id in taken or not words[memory.id]:
            continue
        rarest = min(sorted(words[memory.id]), key=lambda word: len(by_word[word]))
        alike = [
            other
            for other in by_word[rarest]
            if other.id not in taken
            and other.speaker == memory.speaker
            and _share(words[memory.id], words[other.id]) >= settings.alike
        ]
        if len(alike) >= settings.least:
            groups.append(alike)
            taken.update(each.id for each in alike)
    for sitting in _sittings([each for each in memories if each.id not in taken], settings):
        groups += _same_matters(sitting, settings, vectors, words)
    return groups


def _sittings(memories: Sequence[Memory], settings: GistSettings) -> list[list[Memory]]:
    """What one speaker said without a long pause, or what was seen without one."""
    open_ones: dict[str, list[Memory]] = {}
    found = []
    for memory in memories:
        sitting = open_ones.get(memory.speaker)
        if sitting and memory.game_time - sitting[-1].game_time <= settings.sitting_s:
            sitting.append(memory)
        else:
            sitting = open_ones[memory.speaker] = [memory]
            found.append(sitting)
    return [sitting for sitting in found if len(sitting) >= settings.least]


def _same_matters(
    sitting: Sequence[Memory],
    settings: GistSettings,
    vectors: Callable[[int], NDArray[np.float32] | None],
    words: dict[int, frozenset[str]],
) -> list[list[Memory]]:
    """Parts of a sitting that hang together by whom they are about, or by meaning."""
    left, groups = list(sitting), []
    while left:
        group, waiting = [left[0]], left[1:]
        grown = True
        while grown:
            grown = False
            for other in list(waiting):
                if any(_linked(member, other, settings, vectors, words) for member in group):
                    group.append(other)
                    waiting.remove(other)
                    grown = True
        if len(group) >= settings.least:
            groups.append(sorted(group, key=lambda memory: (memory.game_time, memory.id)))
        left = waiting
    return groups


def _linked(
    one: Memory,
    other: Memory,
    settings: GistSettings,
    vectors: Callable[[int], NDArray[np.float32] | None],
    words: dict[int, frozenset[str]],
) -> bool:
    shared = bool(set(one.entities) & set(other.entities))
    if not shared:
        return _share(words[one.id], words[other.id]) >= settings.alike
    if len(set(one.entities) ^ set(other.entities)) == 0:
        return True
    left, right = vectors(one.id), vectors(other.id)
    return left is not None and right is not None and float(left @ right) >= settings.near


def _gist(group: Sequence[Memory], text: str) -> Memory:
    last = group[-1]
    speakers = {memory.speaker for memory in group}
    addressees = {memory.addressee for memory in group}
    entities = Counter(entity for memory in group for entity in memory.entities)
    provenances = {memory.provenance for memory in group}
    return Memory(
        owner=last.owner,
        text=text,
        kind="semantic",
        speaker=last.speaker if len(speakers) == 1 else "",
        addressee=last.addressee if len(addressees) == 1 else "",
        game_time=max(memory.game_time for memory in group),
        importance=max(memory.importance for memory in group),
        tags=tuple(sorted(set.intersection(*(set(memory.tags) for memory in group)))),
        entities=tuple(entities),
        provenance=last.provenance if len(provenances) == 1 else (),
        sources=tuple(sorted(memory.id for memory in group)),
    )


def _counted(text: str, count: int) -> str:
    """A sentence with how often it was so: before what it was for, else at its end."""
    times = _TIMES[count] if count < len(_TIMES) else f"{count} times"
    text = _WHEN.sub("", text)
    if match := _PURPOSE.search(text):
        return f"{text[: match.start()]} {times}{text[match.start() :]}"
    bare = text.rstrip(" .!…")
    return f"{bare} {times}{text[len(bare) :].strip() or '.'}"


def _all_alike(sources: Sequence[Memory]) -> bool:
    words = [_content(memory.text) for memory in sources]
    return all(_share(words[0], other) >= 0.5 for other in words) and all(
        numbers == _numbers(sources[0].text) for numbers in map(_numbers, (s.text for s in sources))
    )


def _content(text: str) -> frozenset[str]:
    words = lexicon()
    bare = _WHEN.sub("", text)
    return frozenset(stem(each) for each in tokens_of(bare) if each not in words.function_words)


def _numbers(text: str) -> frozenset[str]:
    return frozenset(each for each in tokens_of(text) if is_number(each))


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    either = len(one | other)
    return len(one & other) / either if either else 0.0
