"""Whether a clause has the form of something said: no markup, no other speaker, nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from astraweave.dialogue.check.knowledge import tokens

__all__ = ["faults_of_form", "unfinished"]

_ROLE = re.compile(
    r"\b(?:as an? (?:\w+ )?(?:ai|assistant|chatbot|language model|bot|machine|program)|language"
    r" model|chatbot|artificial intelligence|\bai\b|i(?:'m| am) (?:an? )?(?:\w+"
    r" )?assistant|openai|training data|my (?:training|programming)|virtual assistant|"
    r"how (?:can|may) i (?:assist|help) you (?:today)?|i(?:'m| am) here to"
    r" (?:help|assist)|role-?play|in character|fictional|the user|the player|this"
    r" (?:conversation|chat|game|story)|prompt|instructions?|npc)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^\s*[\"'*]*\s*[A-Z][\w' -]{0,24}\s*:\s|\b(?:user|assistant|system|player|human|npc)\s*:",
    re.IGNORECASE,
)
_LABEL_STRICT = re.compile(r"^\s*[\"'*]*\s*[A-Z][\w'-]{0,20}(?: [A-Z][\w'-]{0,20})?\s*:(?=\s)")
_MARKUP = re.compile(r"[*_#`~{}\[\]|<>\\]|https?:|www\.|&\w+;|\bdef \w+\(|^\s*[-•]\s|\d+\.\s+[A-Z]")
_FOR_PLAYER = re.compile(
    r"\byou (?:say|said|reply|replied|ask|asked|nod|smile|laugh|walk|feel|look|think|sigh|take"
    r" a|turn to|decide|whisper|shout)\b(?! that)(?!.*\?)",
    re.IGNORECASE,
)
_STAGE = re.compile(
    r"\b(?:he|she|they|tam|the smith)"
    r" (?:says?|said|replies|replied|smiles?|nods?|laughs?|grins?|asks?|asked|sighs?|looks?)\b",
    re.IGNORECASE,
)
_MAX_WORDS = 34
_SHARED_WORDS = 5
"""So many words in a row from a recent line count as copied."""
_SAID_TWICE = frozenset(["very", "well", "so", "that", "had", "no", "aye", "now", "yes"])
_FEWEST_WORDS = 4
_ENDS = (".", "!", "?", "…", '"')
_SOUNDS_LATIN = frozenset("éèêëàâäöüïîôûçñæœ")


def faults_of_form(clause: str, recent: Sequence[str] = (), line: str = "") -> Iterable[str]:
    """What is wrong with a clause however true it is; see `astraweave.dialogue.check_clause`."""
    bare = clause.strip()
    if not bare or not any(c.isalpha() for c in bare):
        yield "empty"
        return
    if _MARKUP.search(bare) or "\n" in bare:
        yield "markup"
    letters = [c for c in bare if c.isalpha()]
    if sum(c.isascii() or c in _SOUNDS_LATIN for c in letters) < 0.98 * len(letters):
        yield "language"
    if sum(c.isupper() for c in letters) > 0.6 * len(letters) and len(letters) > 6:
        yield "shouting"
    if _ROLE.search(bare) or _LABEL_STRICT.search(bare) or _LABEL.match(bare):
        yield "role"
    if _FOR_PLAYER.search(bare) or _STAGE.search(bare):
        yield "role"
    said = tokens(bare)
    if len(said) > _MAX_WORDS:
        yield "length"
    if _repeats(said, line, recent):
        yield "repetition"


def unfinished(clause: str) -> Iterable[str]:
    """What a clause lacks that is to be shown by itself: an end, or words enough."""
    if len(clause.split()) < _FEWEST_WORDS:
        yield "short"
    if not clause.rstrip().endswith(_ENDS):
        yield "cut"


def _repeats(said: list[str], line: str, recent: Sequence[str]) -> bool:
    joined = " ".join(said)
    shown = tokens(line)
    if len(said) >= 2 and f" {joined} " in f" {' '.join(shown)} ":
        return True
    if _shares(said, shown, _SHARED_WORDS) or _echoes(said):
        return True
    content = {word for word in said if len(word) > 3}
    for text in recent:
        before = tokens(text)
        if joined == " ".join(before) or (
            len(said) >= 3 and _shares(said, before, max(_SHARED_WORDS, len(said) - 1))
        ):
            return True
        if len(said) >= 4 and f" {joined} " in f" {' '.join(before)} ":
            return True
        if len(content) >= 4 and len(content & set(before)) >= 0.85 * len(content):
            return True
    return False


def _echoes(said: list[str]) -> bool:
    """Whether a clause says something twice within itself."""
    pairs = [pair for pair in pairwise(said) if max(map(len, pair)) > 3]
    triples = [tuple(said[i : i + 3]) for i in range(len(said) - 2)]
    twice = any(a == b and a not in _SAID_TWICE for a, b in pairwise(said))
    return twice or len(set(pairs)) < len(pairs) or len(set(triples)) < len(triples)


def _shares(said: list[str], other: list[str], size: int) -> bool:
    """Whether `size` neighbouring words stand in both."""
    if len(said) < size or len(other) < size:
        return False
    runs = {tuple(other[i : i + size]) for i in range(len(other) - size + 1)}
    return any(tuple(said[i : i + size]) in runs for i in range(len(said) - size + 1))
