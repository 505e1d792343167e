"""What a line claims that can be true of one thing at a time, and which claims shut each other out.

Only plain statements about now claim anything: no questions, no conditions, nothing past or to
come. A subject is all of its words, so that the north gate is another one than the south gate; what
is a matter of opinion holds for whoever says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from astraweave.rag.salience import is_question
from astraweave.rag.writing_words import is_number, lexicon, stem, tokens_of

__all__ = ["Claim", "Statement", "contradicts", "read_statement"]

_UNREAL = frozenset(
    """
    if unless would could might may maybe perhaps probably should suppose imagine wish were
    will shall whether seems supposedly
    """.split()
)
_PAST = frozenset(
    "was were had did used once formerly yesterday ago before previously then".split()
)
_NEGATIVE = frozenset({"not", "no", "never", "nobody", "nothing", "neither", "nor", "without"})
_BE = frozenset({"is", "are", "am"})
_ADVERBS = frozenset(
    """
    now still again very so really quite too just currently always already finally these days today
    tonight once more back safely all rather simply also
    """.split()
)
_PLACES = frozenset(
    """
    in at on near under behind beside above below inside outside by beneath between within beyond
    around across
    """.split()
)
_NO_PLACES = frozenset("love trouble danger pain debt war need charge fault risk ruins".split())
_STAYS = frozenset({"lie", "li", "stand", "stay", "wait", "hid", "hide", "sit", "camp", "rest"})
_DIED = frozenset({"died", "perished"})
_LIVES = frozenset({"liv", "dwell", "resid"})
_OPINION = re.compile(
    r"(?i)^(?:i (?:think|believe|reckon|guess|feel|find|suppose|say|hear|heard)(?: that)?"
    r"|in my (?:opinion|view)|if you ask me|to my mind),?\s+|,\s*(?:if you ask me|i think"
    r"|i believe|i reckon)(?=[.!]*$)"
)
_SET_AGAINST = re.compile(r"(?i),\s*not\s+(?:\w+\s*){1,3}[.!]*$")
_ARTICLES = frozenset({"the", "a", "an", "this", "that", "'s", "of"})


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is so, and of which there is one value at a time.

    Attributes
    ----------
    subject : frozenset of str
        Stems and ids of what it is about.
    predicate : str
        ``"state"``, ``"place"``, ``"home"``, ``"owner"``, ``"count"``, ``"cost"``, ``"name"``,
        ``"age"``, or another thing of which there is only one.
    value : frozenset of str
        Stems of what is said of it.
    negative : bool
        It is said not to be so.
    holder : str
        Whose opinion it is; empty for what holds for all.
    """

    subject: frozenset[str]
    predicate: str
    value: frozenset[str]
    negative: bool
    holder: str = ""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it is compared with others.

    Attributes
    ----------
    content : frozenset of str
        Stems of what it says; who is meant stands for "I" and "you".
    numbers : frozenset of str
        Those among its words.
    negative : bool
        It denies something.
    question : bool
        It asks.
    present : bool
        It says how things are now, without a condition.
    opinion : bool
        It says how somebody sees things.
    claim : Claim or None
        What there can be only one of.
    """

    content: frozenset[str]
    numbers: frozenset[str]
    negative: bool
    question: bool
    present: bool
    opinion: bool
    claim: Claim | None


def read_statement(text: str, *, speaker: str, addressee: str) -> Statement:
    """Read a line; 'I' and 'you' become who they are."""
    words = lexicon()
    bare = _OPINION.sub("", text)
    tokens = [_person(token, speaker, addressee) for token in tokens_of(bare)]
    question = is_question(text)
    # "Thimble, not Biscuit": what is only set against says nothing by itself.
    if match := _SET_AGAINST.search(bare):
        tokens = [_person(each, speaker, addressee) for each in tokens_of(bare[: match.start()])]
    anymore = " any more" in bare.casefold() or "no longer" in bare.casefold()
    content = frozenset(
        stem(each) for each in tokens if each not in words.function_words and each != "'s"
    )
    folded = set(tokens)
    present = not question and not folded & _UNREAL and not folded & _PAST
    stems = {stem(token) for token in tokens}
    opinion = bare != text or not (
        stems.isdisjoint(words.feelings) and stems.isdisjoint(words.bonds)
    )
    claim = None
    if present:
        claim = _claim(tokens)
        if claim is not None and (bare != text or claim.value & words.matters_of_opinion):
            claim = msgspec.structs.replace(claim, holder=speaker or "?")
    return Statement(
        content=content - {"any", "mor"} if anymore else content,
        numbers=frozenset(token for token in tokens if is_number(token)),
        negative=bool(folded & _NEGATIVE),
        question=question,
        present=present,
        opinion=opinion,
        claim=claim,
    )


def contradicts(new: Statement, old: Statement, *, same_speaker: bool) -> bool:
    """Whether the old statement cannot hold any longer, now that the new one does."""
    if not new.present or old.question:
        return False
    if new.claim is not None and old.claim is not None and _shut_out(new.claim, old.claim):
        return True
    if not old.present or new.negative == old.negative or (new.opinion and not same_speaker):
        return False
    shared = len(new.content & old.content)
    return shared >= 3 and shared >= 0.85 * len(new.content | old.content)


def _shut_out(new: Claim, old: Claim) -> bool:
    if (new.subject, new.predicate, new.holder) != (old.subject, old.predicate, old.holder):
        return False
    if new.predicate == "state":
        states = lexicon().states
        same = bool(new.value & old.value)
        if new.negative != old.negative:
            return same
        sides = {pair for word in old.value for pair in states.get(word, ())}
        opposed = any(
            (number, 1 - side) in sides
            for word in new.value
            for number, side in states.get(word, ())
        )
        return opposed and not same and not new.negative
    if new.negative or old.negative:
        return new.negative != old.negative and new.value == old.value
    if new.predicate in {"age", "count"}:
        return new.value != old.value
    return not (new.value <= old.value or old.value <= new.value)


def _person(token: str, speaker: str, addressee: str) -> str:
    if token in {"i", "me", "my", "mine", "myself"}:
        return speaker.casefold() or token
    if token in {"you", "your", "yours", "ye", "yourself"}:
        return addressee.casefold() or token
    return token


def _claim(tokens: Sequence[str]) -> Claim | None:
    """The first claim that a line's words make, read from its verb."""
    for place, token in enumerate(tokens):
        verb = stem(token)
        before, after = tokens[:place], tokens[place + 1 :]
        if token in _BE:
            return _being(before, after)
        if token in {"has", "have"}:
            return _having(before, after)
        if not before:
            continue
        if verb in _LIVES and after and after[0] in _PLACES:
            return _made(before, "home", after[1:])
        if verb in _STAYS and after and after[0] in _PLACES:
            return _made(before, "place", after[1:])
        if verb == "mov" and after[:1] == ["to"]:
            return _made(before, "home", after[1:])
        if verb == "belong" and after[:1] == ["to"]:
            return _made(before, "owner", after[1:])
        if verb == "own":
            return _made(after, "owner", before)
        if token in {"costs", "cost"}:
            return _made(before, "cost", after)
        if token in _DIED:
            return _made(before, "state", ["dead"])
    return None


def _being(before: Sequence[str], after: Sequence[str]) -> Claim | None:
    words = lexicon()
    if list(before) == ["there"]:
        return _counted(after)
    negative = bool(set(after[:2]) & _NEGATIVE)
    rest = [token for token in after if token not in _ADVERBS and token not in _NEGATIVE]
    if not rest or not before:
        return None
    if rest[0] in {"called", "named"}:
        return _made(before, "name", rest[1:2], negative)
    numbers = [each for each in rest if is_number(each)]
    if numbers and (rest[-2:] == ["years", "old"] or numbers == rest):
        return _made(before, "age", numbers, negative)
    if before[-1] == "name":
        return _made(before[:-1], "name", rest[:1], negative)
    if before[-1] == "age":
        return _made(before[:-1], "age", numbers or rest[:1], negative)
    if stem(rest[0]) in words.states:
        return _made(before, "state", [rest[0]], negative)
    if {stem(token) for token in before} & words.single_valued:
        return _made(before, "value", rest, negative)
    if rest[0] == "at" and rest[1:2] == ["home"]:
        return _made(before, "place", ["home"], negative)
    at = 1 if rest[0] in _PLACES else 2
    if (at == 1 or stem(rest[0]) in _STAYS) and rest[at - 1 : at] and rest[at - 1] in _PLACES:
        if rest[at : at + 1] and rest[at] in _NO_PLACES:
            return None
        return _made(before, "place", rest[at:], negative)
    return None


def _having(before: Sequence[str], after: Sequence[str]) -> Claim | None:
    rest = [token for token in after if token not in _ADVERBS]
    if not rest or not before:
        return None
    if rest[0] == "moved" and rest[1:2] == ["to"]:
        return _made(before, "home", rest[2:])
    if rest[0] in _DIED:
        return _made(before, "state", ["dead"])
    if is_number(rest[0]) and len(rest) > 1:
        return _made([*before, rest[1]], "count", [rest[0]])
    state = stem(rest[1] if rest[0] == "been" and len(rest) > 1 else rest[0])
    return _made(before, "state", [state]) if state in lexicon().states else None


def _counted(after: Sequence[str]) -> Claim | None:
    if len(after) < 2 or not is_number(after[0]):
        return None
    return _made([each for each in after[1:] if each not in _PLACES], "count", [after[0]])


def _made(
    subject: Sequence[str], predicate: str, value: Sequence[str], negative: bool | None = None
) -> Claim | None:
    words = lexicon()
    drop = {"not", "do", "does", "has", "have", *_ARTICLES, *_ADVERBS, "and", "to"}
    if negative is None:
        negative = bool(set(subject) & _NEGATIVE)
    of = frozenset(stem(token) for token in subject if token not in drop)
    said = frozenset(
        stem(token) for token in value if token not in drop and token not in words.function_words
    )
    pointing = {"he", "sh", "she", "it", "they", "we", "ther", "there", "who", "what"}
    if not of or not said or of & pointing:
        return None
    return Claim(subject=of, predicate=predicate, value=said, negative=negative)
