"""An utterance taken apart into things that stand by themselves."""

from __future__ import annotations

import re

__all__ = ["segments"]

_ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|sr|jr|prof|capt|lt|no|vs|etc)|\b[A-Z])\.$", re.I
)
_SENTENCE_END = re.compile(r"[.!?…]+['\"”’)\]]*(?=\s|$)|[。！？]+|\n+")
# Opens a line without adding to it; what follows is what was told.
_PREAMBLE = re.compile(
    r"(?i)^(?:(?:well|so|oh|ah|hm+|um|uh|er|and|but|anyway|now|listen|look|hey|yes|no|aye|nay|ok(?:ay)?"
    r"|ha|ugh|phew|alas|please|remember|mind you|you see|you know|believe me|trust me|i tell you"
    r"|i told you|let me tell you|as i said|as i told you|like i said|to be honest|by the way"
    r"|in (?:truth|fact)|do(?:n't|n’t| not) forget(?: that)?|sorry|thank you|thanks"
    r"|good (?:morning|day|evening|night)|hello|hi|greetings)(?:\s*[,;:–—]+\s+|\s*[.!…]+\s+))+"
)
_TRAILER = re.compile(
    r"(?i),\s*(?:you know|you see|mind you|i tell you|believe me|eh|huh|see)(?=[.!?]*$)"
)
# A clause of its own after a comma or semicolon: it has its own subject, which is no pronoun that
# points back.
_CLAUSE = re.compile(
    r"(?:;\s+|,\s+(?:and|but)\s+)"
    r"(?=(?:i|we|my|our|your|the|there)\s+(?:[\w'’-]+\s+){2,}|[A-Z][\w'’-]+\s+(?:[\w'’-]+\s+){2,})"
)
_POINTS_BACK = re.compile(
    r"(?i)^(?:and|but|or|so|then|because|which|who|he|she|it|they|him|her|them|his|its|their|this"
    r"|that|these|those|there|here|both|neither|one|another|otherwise|also|too|instead|afterwards)\b"
)
_CONDITION = re.compile(r"(?i)\b(?:if|unless|when|whenever|until|because|although|while)\b")
_LONGEST = 400


def segments(text: str) -> list[str]:
    """The parts of an utterance that can be remembered each by itself, in their order.

    A sentence that leans on the one before it ("She wears it at weddings.") stays with it, and so
    does a clause with a condition. What opens a line without adding to it is left off.

    Examples
    --------
    >>> segments("Well, my sister lost a ring. She cried. The mill has burned down.")
    ['my sister lost a ring. She cried.', 'The mill has burned down.']
    """
    parts: list[str] = []
    for sentence in _sentences(text):
        for place, clause in enumerate(_clauses(sentence)):
            leans = place == 0 and parts and _POINTS_BACK.match(_bare(clause))
            if leans and len(parts[-1]) + len(clause) < _LONGEST and not parts[-1].endswith("?"):
                parts[-1] = f"{parts[-1]} {clause}"
            else:
                parts.append(clause)
    told = [bare for part in parts if (bare := _bare(part))]
    return told or [text.strip()]


def _sentences(text: str) -> list[str]:
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        piece = text[start : match.end()]
        if match.group() == "." and _ABBREVIATED.search(piece):
            continue
        found.append(piece.strip())
        start = match.end()
    found.append(text[start:].strip())
    return [piece for piece in found if piece]


def _clauses(sentence: str) -> list[str]:
    if len(sentence) < 30 or _CONDITION.search(sentence):
        return [sentence]
    pieces = _CLAUSE.split(sentence)
    if len(pieces) == 1 or min(len(piece.split()) for piece in pieces) < 4:
        return [sentence]
    end = sentence[-1] if sentence[-1] in ".!?…" else ""
    return [piece if piece.endswith(end) else piece + end for piece in pieces]


def _bare(part: str) -> str:
    bare = _TRAILER.sub("", _PREAMBLE.sub("", part + " ").strip())
    return bare if len(bare.split()) > 2 else part
