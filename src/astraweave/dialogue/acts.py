"""What somebody does by saying a line: greet, tell, ask, beg, insult. Rules only, no model."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from astraweave.dialogue.act_patterns import (
    AGREEMENT,
    APOLOGY,
    AT_YOU,
    CHAT,
    FAREWELL,
    FOR_YOU,
    GREETING,
    INDEBTED,
    INSULT,
    KINDNESS,
    NEWS,
    OFFER,
    PRAISE,
    RECAP,
    REQUEST,
    THANKS,
    THREAT,
    WELLBEING,
)
from astraweave.dialogue.language.clauses import read
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import plainly, sentences, words
from astraweave.rag.salience import TAG_QUESTION, TELLING_TAG, is_question

__all__ = ["Act", "ActKind", "act_of", "is_news", "is_telling"]

ActKind = Literal[
    "greeting",
    "farewell",
    "thanks",
    "telling",
    "question",
    "wellbeing",
    "recap",
    "request",
    "insult",
    "threat",
    "praise",
    "offer",
    "apology",
    "agreement",
    "smalltalk",
]


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What a line does.

    Attributes
    ----------
    kind : str
        The main act; a question outweighs a greeting before it.
    question : Question or None
        The question, read, when the act is ``"question"``.
    greets : bool
        A greeting stands before the main act.
    told : str
        The sentences that tell something, for acts that tell and ask.
    """

    kind: ActKind
    question: Question | None = None
    greets: bool = False
    told: str = ""


_WHOLE: tuple[tuple[re.Pattern[str], ActKind], ...] = (
    (INSULT, "insult"),
    (PRAISE, "praise"),
    (APOLOGY, "apology"),
    (FAREWELL, "farewell"),
    (AGREEMENT, "agreement"),
)
"""What outweighs everything else in a line that asks nothing, in this order."""
_AIMED: tuple[tuple[re.Pattern[str], ActKind], ...] = (
    (APOLOGY, "apology"),
    (AT_YOU, "insult"),
    (KINDNESS, "praise"),
    (FOR_YOU, "praise"),
)
"""Tried on each sentence where the whole was nothing plainer."""


def act_of(utterance: str, listener: str = "") -> Act:
    """The act of an utterance.

    Parameters
    ----------
    utterance : str
        What was said, clean.
    listener : str
        Name of the one it was said to.

    Examples
    --------
    >>> act_of("Good morning! Where is my horse?").kind
    'question'
    >>> act_of("My horse is called Bramble.").kind
    'telling'
    """
    text = completed(plainly(utterance.strip()))
    said = sentences(text) or [text]
    greets = bool(GREETING.match(text))
    if RECAP.search(text):
        return Act(kind="recap", greets=greets)
    if THREAT.search(text):
        return Act(kind="threat")
    if INDEBTED.search(text):
        return Act(kind="thanks", greets=greets)
    if OFFER.match(text):
        return Act(kind="offer", greets=greets)
    if WELLBEING.search(text):
        return Act(kind="wellbeing", greets=greets)
    if len(said) == 1 and TAG_QUESTION.search(text) and CHAT.search(text):
        return Act(kind="smalltalk", greets=greets)  # "Lovely weather, isn't it?"
    tagged = {s for s in said if (bare := untagged(s)) != s and is_telling(bare, listener)}
    told = " ".join(untagged(s) for s in said if s in tagged or is_telling(s, listener))
    if (asked := _asked(said, tagged, listener)) is not None:
        if _wants_a(asked):
            return Act(kind="request", greets=greets, told=told)
        return Act(kind="question", question=asked, greets=greets, told=told)
    if (kind := _plain_kind(text, said)) is not None:
        return Act(kind=kind, greets=greets, told=told)
    if told:
        return Act(kind="telling", greets=greets, told=told)
    if greets:
        return Act(kind="greeting", greets=True)
    return Act(kind="smalltalk")


def _plain_kind(text: str, said: list[str]) -> ActKind | None:
    """What a line without a question plainly does; None: it tells something, or nothing much."""
    for pattern, kind in _WHOLE:
        if pattern.search(text):
            return kind
    for sentence in said:
        for pattern, kind in _AIMED:
            if pattern.match(sentence):
                return kind
    if THANKS.search(text) and len(text.split()) < 12:
        return "thanks"
    return "request" if any(REQUEST.match(s) for s in said) else None


def _asked(said: list[str], tagged: set[str], listener: str) -> Question | None:
    """The last question among sentences, unless something is begged for after it."""
    for sentence in reversed(said):
        if REQUEST.match(sentence) and not sentence.lower().startswith(
            ("please tell", "please remind")
        ):
            return None
        if (_RHETORICAL.match(sentence) and len(said) > 1) or sentence in tagged:
            continue
        question = read_question(sentence, listener=listener)
        if question is not None and (_wants_a(question) or not _tells_in_question(sentence)):
            return question
    return None


def _wants_a(question: Question) -> bool:
    """As in "Tell me a story": something is wanted, nothing is asked."""
    target = question.target
    return question.gap == "about" and target is not None and target.words[0].low in {"a", "an"}


_DID_YOU_KNOW = re.compile(
    r"^(?:did|do) you know[\s,]+(?:that )?"
    r"(?!any|some|who|what|where|when|how|which|whose|if|whether|why|the name|about|of|me\b)",
    re.IGNORECASE,
)


def _tells_in_question(sentence: str) -> bool:
    """As in "Did you know that my horse is called Bramble?"."""
    opening = _DID_YOU_KNOW.match(sentence)
    if opening is None:
        return False
    return any(c.subject and (c.verbs or c.auxiliaries) for c in read(sentence[opening.end() :]))


_RHETORICAL = re.compile(
    r"^(?:and |so |well |but )?(?:(?:you )?know what|guess (?:what|who|where)|"
    r"can you (?:believe|imagine) (?:it|that|this)|what do you (?:say|think|reckon)"
    r"(?: (?:to|of|about) (?:that|it|this))?|"
    r"is(?:n't| not) (?:that|it) (?:\w+ )?\w+|right|savvy|eh|huh|see|you see)\s*[?!.]*$",
    re.IGNORECASE,
)


_EXCLAIMING = re.compile(r"(?:(?:oh|ah|alas),? )?(?:what an? |how )[^?]*!$", re.IGNORECASE)
_FILLING = re.compile(r",\s*(?:you know|you see|mind you|i tell you)(?=[\s.!]*$)", re.IGNORECASE)
_WISHING = frozenset("need want hate love think hope owe miss".split())


def completed(text: str) -> str:
    """Sentences that leave out their "I" with it: "stashed the loot" is "I stashed the loot"."""
    said = sentences(text)
    whole = [_with_subject(s) for s in said]
    return text if whole == said else " ".join(whole)


def _with_subject(sentence: str) -> str:
    found = words(sentence)
    if len(found) < 3 or is_question(sentence) or sentence.rstrip().endswith(("?", "!")):
        return sentence
    first, after = found[0], found[1]
    if not first.is_("V") or first.is_("AP") or not after.is_("DSOPME"):
        return sentence
    clauses = read(sentence)
    if not clauses or clauses[0].subject is not None or clauses[0].verbs[:1] != [first]:
        return sentence
    if "past" in first.forms and "base" not in first.forms:
        lead = "I "
    elif first.forms & {"ing"}:
        lead = "I am "
    elif first.low in _WISHING:
        lead = "I "
    else:
        return sentence
    return lead + first.text[:1].lower() + sentence[1:]


def untagged(sentence: str) -> str:
    """A telling without the tag that dresses it up: "..., isn't that sweet?"."""
    bare = TELLING_TAG.sub("", sentence.strip()).rstrip(" ,")
    return f"{bare}." if bare and bare != sentence.strip() else sentence


def is_news(sentence: str) -> bool:
    """Whether a sentence says how something of the world is now: "The bridge is broken."."""
    return NEWS.match(sentence.strip()) is not None


def is_telling(sentence: str, listener: str = "") -> bool:
    """Whether a sentence tells something that is worth keeping: a clause about somebody or something."""  # noqa: E501
    if sentence.rstrip().endswith("?") and not _tells_in_question(sentence):
        return False
    if GREETING.match(sentence) and len(sentence.split()) < 6:
        return False
    if _EXCLAIMING.match(sentence):
        return False
    if read_question(sentence, listener=listener) is not None and not _tells_in_question(sentence):
        return False
    sentence = _FILLING.sub("", sentence)
    if is_news(sentence):
        return True
    if _tells_in_question(sentence):
        sentence = _DID_YOU_KNOW.sub("", sentence)
    lex = lexicon()
    found = words(sentence)
    anchored = any(w.is_("EM") or w.low in {"i", "my", "we", "our", "me", "us"} for w in found)
    if not anchored and any(w.low in {"you", "your"} for w in found):
        return False
    for clause in read(sentence):
        if clause.subject is None or not (clause.verbs or clause.auxiliaries):
            continue
        subject = clause.subject
        about_you = subject.head.low == "you" or (
            subject.owner is not None and subject.owner.head.low == "your"
        )
        here = subject.words[0].low in {"that", "this", "these", "those", "it", "there"}
        if about_you or (here and not anchored):
            continue
        content = [
            w for p in clause.phrases() for w in p.content() if not w.is_("O")
        ] + clause.extras
        things = [w for w in content if w.is_("NEM")]
        if CHAT.search(sentence) and not anchored:
            continue
        if things and (
            anchored
            or subject.head.is_("E")
            or lex.keys(subject.head.low) & (lex.persons | lex.places)
            or clause.places
            or clause.objects
        ):
            return True
        if anchored and (clause.verbs or content):
            return True
    return False
