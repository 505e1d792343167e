"""An utterance taken apart into things that stand by themselves."""

from __future__ import annotations

import itertools
import re

from astraweave.rag.writing_statements import read_statement
from astraweave.rag.writing_triage import sentences, telling_words

__all__ = ["segments"]

# Opens a line without adding to it; what follows is what was told.
_PREAMBLE = re.compile(
    r"(?i)^(?:(?:well|so|oh|ah|hm+|um|uh|er|and|but|anyway|now|listen|look|hey|yes|no|aye|nay|ok(?:ay)?"
    r"|ha|ugh|phew|alas|please|remember|mind you|you see|you know|believe me|trust me|i tell you"
    r"|i told you|let me tell you|as i said|as i told you|like i said|to be honest|by the way"
    r"|in (?:truth|fact)|do(?:n't|n’t| not) forget(?: that)?|sorry|thank you|thanks"
    r"|(?:good (?:morning|day|evening|night)|hello|hi|hey|greetings|thank you|thanks)"
    r"(?:,?\s+[\w'’-]+)?)(?:\s*[,;:–—]+\s+|\s*[.!…]+\s+))+"
)
_TRAILER = re.compile(
    r"(?i),\s*(?:you know|you see|mind you|i tell you|believe me|eh|huh|see)(?=[.!?]*$)"
)
_CLAUSE = re.compile(r";\s+|,\s+(?:and|but)\s+")
# Somebody by name, or of ours and by name, who then does something.
_SUBJECT = re.compile(
    r"(?:(?i:my|our|your|the|old|young|lord|lady)\s+(?:[\w'’-]+\s+){0,2}?)?"
    r"(?!(?:My|Our|Your|The|I|We|You|A|An|It|He|She|They|There|This|That|His|Her|Their)\b)"
    r"(?P<name>[A-Z][\w'’-]+)\s+(?:has|have|had|is|are|was|were|will|can|went|came|saw|gave|took"
    r"|left|lost|found|stole|broke|brought|bought|sold|met|fell|told|said|made|ran|hid|won|[a-z]+ed"
    r"|[a-z]+s)\b"
)
_POINTS_BACK = re.compile(
    r"(?i)^(?:and|but|or|so|then|because|which|who|he|she|it|they|him|her|them|his|its|their|this"
    r"|that|these|those|there|here|both|neither|one|another|otherwise|also|too|instead|afterwards)\b"
)
# Points back from inside, unless what it points to stands before it in the same part.
_PRONOUN = re.compile(r"(?i)\b(?:he|she|it|they|him|them|this|that|these|those|one|ones|so)\b")
_NAMED = re.compile(r"\b(?:my|our|the|a|an|your)\s+\w+|(?<=\s)[A-Z]\w+", re.ASCII)
_CONDITION = re.compile(r"(?i)\b(?:if|unless|when|whenever|until|because|although|while)\b")
_LONGEST = 400


def segments(text: str) -> list[str]:
    """The parts of an utterance that can be remembered each by itself, in their order.

    What one says in a breath mostly hangs together, and an answer is found by the sentence beside
    it. So a line is divided only between people who each do something, or between things that are
    each in a state of their own; and nothing is divided that leans on what stands before it, or
    hangs on a condition. Greetings and the like beside something told are left off.

    Examples
    --------
    >>> segments("Well, my sister lost a ring. She cried. The mill is open, and the inn is shut.")
    ['my sister lost a ring. She cried. The mill is open.', 'the inn is shut.']
    """
    clauses = [clause for sentence in sentences(text) for clause in _clauses(sentence)]
    told = [clause for clause in clauses if telling_words(clause)]
    if not told:
        return [text.strip()]
    parts = [told[0]]
    for before, clause in itertools.pairwise(told):
        if len(parts[-1]) + len(clause) > _LONGEST or _apart(before, clause):
            parts.append(clause)
        else:
            parts[-1] = f"{parts[-1]} {clause}"
    return [_bare(part) for part in parts]


def _apart(one: str, other: str) -> bool:
    """Whether two parts tell of different things, and each can be understood alone."""
    one, other = _bare(one), _bare(other)
    if _leans(other) or one.endswith("?"):
        return False
    who, whom = _SUBJECT.match(one), _SUBJECT.match(other)
    if who and whom:
        return whom["name"] not in one and who["name"] not in other
    first, second = (
        [claim for claim in read_statement(each, speaker="", addressee="").claims if not claim.done]
        for each in (one, other)
    )
    return bool(first and second) and first[0] != second[0]


def _leans(part: str) -> bool:
    """Whether a part cannot be understood without the one before it."""
    if _POINTS_BACK.match(part):
        return True
    pronoun = _PRONOUN.search(part)
    return pronoun is not None and not _NAMED.search(part[: pronoun.start()])


def _clauses(sentence: str) -> list[str]:
    """A sentence, or its halves where they stand apart."""
    cut = _CLAUSE.search(sentence)
    if cut is None or _CONDITION.search(sentence):
        return [sentence]
    end = sentence[-1] if sentence[-1] in ".!?…" else ""
    one, other = sentence[: cut.start()] + end, sentence[cut.end() :]
    if len(one.split()) < 4 or len(other.split()) < 4 or not _apart(one, other):
        return [sentence]
    return [one, *_clauses(other)]


def _bare(part: str) -> str:
    bare = _TRAILER.sub("", _PREAMBLE.sub("", part + " ").strip())
    return bare if len(bare.split()) > 2 else part
