"""What a clause claims that only one thing can be at a time, and which claims exclude each other.

A subject is all of its words, so that the north gate is another one than the south gate; what is a
matter of opinion holds for whoever says so. A claim is read from a verb: from what is said to be so
("the key is under the well cover"), or from something done that leaves it so ("I moved the key to
the well").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from astraweave.rag.writing_words import is_number, lexicon, stem

__all__ = ["ADVERBS", "ARTICLES", "NEGATIVE", "PLACES", "Claim", "claims_of", "shut_out"]

NEGATIVE = frozenset({"not", "no", "never", "nobody", "nothing", "neither", "nor", "without"})
ADVERBS = frozenset(
    """
    now still again very so really quite too just currently always already finally these days today
    tonight once more back safely all rather simply also longer only
    """.split()
)
ARTICLES = frozenset({"the", "a", "an", "this", "that", "'s", "of"})
PLACES = frozenset(
    """
    in at on near under behind beside above below inside outside by beneath between within beyond
    around across
    """.split()
)
_BE = frozenset({"is", "are", "am"})
_NO_PLACES = frozenset(
    """
    love trouble danger pain debt war need charge fault risk ruins fear peace hope sin poverty
    luxury hiding exile disgrace harmony comfort misery
    """.split()
)
_NO_NAMES = frozenset("known said spoken written lost forgotten cursed feared on in not".split())
_STAYS = frozenset(
    """
    lie li stand stay wait hid hide sit camp rest hang hung held kept bury buri stor lodg moor tie
    park hidden
    """.split()
)
_DIED = frozenset({"died", "perished"})
_LIVES = frozenset({"liv", "dwell", "resid"})
_BECOMES = frozenset({"been", "got", "gotten", "become", "gone", "grown", "turned", "fallen"})
_POINTING = frozenset("he sh she it they we ther there who what".split())
_ANY = frozenset("a an some any those these".split())  # another one each time
_NOT_THAT_ONE = frozenset("a an some any no another it them him her us me".split())
# What is done to a thing, and leaves it somewhere else, or with somebody else.
_PUT = frozenset(
    """
    moved put carried brought took taken placed laid stowed hid hidden buried hung stored left
    shifted tucked stashed
    """.split()
)
_TO_A_PLACE = (PLACES | {"to", "into", "onto", "behind"}) - {"by", "near"}
_ON_THE_WAY = frozenset("over down up away back out off round along".split())
_HOMES = frozenset("camp home house household family tent".split())
_GIVES = frozenset("gave given sold bequeathed gifted".split())
_HANDS = frozenset("lent handed passed returned entrusted traded".split()) | _GIVES
_BUYS = frozenset("bought acquired inherited purchased".split())
_BOUGHT_FROM = frozenset("from for at off with last".split())
_HOLDS = frozenset("carry carries hold holds keep keeps wear wears".split())
_LEADS = frozenset("leads commands rules steers governs captains lead command rule".split())
_FOR = frozenset({"lik", "lov", "enjoi", "ador", "trust"})
_AGAINST = frozenset({"hat", "despis", "dislik", "loath", "distrust", "mistrust", "detest"})
_BEARS = frozenset({"stand", "bear", "abide"})
_NO_LIKING = frozenset("look looks feel feels sound sounds something nothing more much is".split())
_SPEAKS = (
    _BE | _DIED | _PUT | _HANDS | _BUYS | _HOLDS | _LEADS
    | {"has", "have", "married", "changed", "cost", "costs", "call", "calls"}
)  # fmt: skip
_SPEAKS_ROOTS = _STAYS | _LIVES | _FOR | _AGAINST | _BEARS | {"mov", "belong", "own", "work"}
"""No other verb makes a claim."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is so, and of which there is one value at a time.

    Attributes
    ----------
    subject : frozenset of str
        Stems and ids of what it is about.
    predicate : str
        ``"state"``, ``"place"``, ``"home"``, ``"owner"``, ``"holder"``, ``"count"``, ``"cost"``,
        ``"name"``, ``"age"``, ``"job"``, ``"who"`` (of an office), ``"liking"``, or another thing
        of which there is only one (``"value"``).
    value : frozenset of str
        Stems of what is said of it.
    negative : bool
        It is said not to be so.
    holder : str
        Whose opinion it is; empty for what holds for all.
    done : bool
        Something was done that has left it so.
    """

    subject: frozenset[str]
    predicate: str
    value: frozenset[str]
    negative: bool = False
    holder: str = ""
    done: bool = False


def claims_of(tokens: Sequence[str], *, present: bool) -> tuple[Claim, ...]:
    """The claims of the first verb that makes any.

    Parameters
    ----------
    tokens : sequence of str
        Words of a clause; ids stand for "I" and "you".
    present : bool
        It says how things are now; False: only what was done counts.
    """
    for place, token in enumerate(tokens):
        if token not in _SPEAKS and stem(token) not in _SPEAKS_ROOTS:
            continue
        before, after = tokens[:place], tokens[place + 1 :]
        if token in {"has", "have"} and (rest := _bare(after)):
            if claims := tuple(_done(before, rest[0], rest[1:])):
                return claims
            if rest[0] == "been" and rest[1:2] == ["changed"]:
                return _told(_being(before, _until(rest[2:], {"to"})[1]))
            if rest[1:2] == ["to"] and rest[0] in {"come", "grown", "learned", "learnt"}:
                return _told(_liking(before, rest[2], rest[3:])) if len(rest) > 3 else ()
            return _told(_having(before, rest)) if present else ()
        if before and (claims := tuple(_done(before, token, after))):
            return claims
        if not present:
            continue
        if token in _BE:
            return _told(_being(before, after))
        if before and (claim := _doing(before, token, after)):
            return (claim,)
    return ()


def shut_out(new: Claim, old: Claim) -> bool:
    """Whether an older claim cannot hold beside a newer one."""
    if new.predicate != old.predicate or new.holder != old.holder:
        return False
    if new.subject != old.subject and not (new.done and _part_of(new, old)):
        return False
    if new.predicate == "state":
        return _opposed(new, old)
    if new.negative or old.negative:
        return new.negative != old.negative and new.value == old.value
    if new.predicate in {"age", "count", "liking"}:
        return new.value != old.value
    if new.value <= old.value or old.value <= new.value:
        # "It is hers" and "it is her sister's" are two owners.
        whose = new.predicate in {"owner", "holder"}
        return whose and bool((new.value ^ old.value) & lexicon().relations)
    return True


def _part_of(new: Claim, old: Claim) -> bool:
    """Whether something done names the same thing with fewer words."""
    return new.predicate == "place" and new.subject < old.subject and len(old.subject) == 2


def _opposed(new: Claim, old: Claim) -> bool:
    states = lexicon().states
    same = bool(new.value & old.value)
    if new.negative != old.negative:
        return same
    sides = {pair for word in old.value for pair in states.get(word, ())}
    opposed = any(
        (number, 1 - side) in sides for word in new.value for number, side in states.get(word, ())
    )
    return opposed and not same and not new.negative


def _told(claim: Claim | None) -> tuple[Claim, ...]:
    return () if claim is None else (claim,)


def _bare(tokens: Sequence[str]) -> list[str]:
    return [token for token in tokens if token not in ADVERBS]


def _being(before: Sequence[str], after: Sequence[str]) -> Claim | None:
    words = lexicon()
    if list(before) == ["there"]:
        return _counted(_bare(after))
    negative = bool(set(after[:2]) & NEGATIVE)
    rest = [token for token in after if token not in ADVERBS and token not in NEGATIVE]
    if not rest or not before:
        return None
    if claim := _name_or_age(before, rest, negative):
        return claim
    if before[-1] in {"name", "age"}:
        return None
    if rest[-1] == "'s":
        return _made(before, "owner", rest[:-1], negative)
    if stem(rest[0]) in words.states:
        return _made(before, "state", [rest[0]], negative)
    if rest[0] == "the" and len(rest) > 2 and stem(rest[1]) in words.offices:
        return _made(rest, "who", before, negative)
    if {stem(token) for token in before} & words.single_valued:
        return _made(before, "value", rest, negative)
    if rest[0] == "at" and rest[1:2] == ["home"]:
        return _made(before, "place", ["home"], negative)
    at = 1 if rest[0] in PLACES else 2
    if (at == 1 or stem(rest[0]) in _STAYS) and rest[at - 1 : at] and rest[at - 1] in PLACES:
        if rest[at : at + 1] and rest[at] in _NO_PLACES:
            return None
        return _made(before, "place", rest[at:], negative)
    return None


def _name_or_age(before: Sequence[str], rest: Sequence[str], negative: bool) -> Claim | None:
    numbers = [each for each in rest if is_number(each)]
    if rest[0] in {"called", "named"}:
        return _made(before, "name", rest[1:2], negative)
    if numbers and (rest[-2:] == ["years", "old"] or numbers == rest):
        return _made(before, "age", numbers, negative)
    if before[-1] == "name" and rest[0] not in _NO_NAMES:
        return _made(before[:-1], "name", rest[:1], negative)
    if before[-1] == "age":
        return _made(before[:-1], "age", numbers or rest[:1], negative)
    return None


def _having(before: Sequence[str], rest: Sequence[str]) -> Claim | None:
    if not before:
        return None
    if rest[0] == "moved" and rest[1:2] and rest[1] in {"to", "into", "in"}:
        return _made(before, "home", rest[2:])
    if rest[0] in _DIED:
        return _made(before, "state", ["dead"])
    if is_number(rest[0]) and len(rest) > 1:
        return _made([*before, rest[1]], "count", [rest[0]])
    at = 1 if rest[0] in _BECOMES and len(rest) > 1 else 0
    if stem(rest[at]) in lexicon().states:
        # "They have shut the gate": it is the gate that is shut.
        if at == 0 and len(rest) > 1 and rest[1] == "the":
            return _made(_until(rest[1:], _TO_A_PLACE | {"with", "for"})[0], "state", [rest[0]])
        return _made(before, "state", [rest[at]])
    return _made(rest[1:], "holder", before) if rest[0] == "the" else None


def _doing(before: Sequence[str], token: str, after: Sequence[str]) -> Claim | None:
    """What a verb in the present says."""
    verb = stem(token)
    if not after or token.endswith("ed"):
        return None
    if after[0] in PLACES and (verb in _LIVES or verb in _STAYS):
        if not _NO_PLACES.isdisjoint(after[1:3]):
            return None
        return _made(before, "home" if verb in _LIVES else "place", after[1:])
    if verb == "mov" and after[0] == "to":
        return _made(before, "home", after[1:])
    if verb == "belong" and after[0] == "to":
        return _made(before, "owner", after[1:])
    if verb == "own":
        return _made(after, "owner", before)
    if token in {"costs", "cost"}:
        return _made(before, "cost", after)
    if verb == "work" and after[0] == "as":
        return _made(before, "job", _until(after[1:], PLACES | {"for", "with"})[0])
    if token in _LEADS and after[0] == "the":
        return _made([token, *after], "who", before)
    if token in _HOLDS and _that_one(after) and not after[0].endswith("ing") and "to" not in before:
        return _made(_until(after, PLACES | {"with", "to"})[0], "holder", before)
    if token in {"call", "calls"} and len(_bare(after)) > 2 and _that_one(after):
        rest = _bare(after)
        return _made(rest[:-1], "name", rest[-1:])
    return _liking(before, token, after)


def _liking(before: Sequence[str], token: str, after: Sequence[str]) -> Claim | None:
    verb = stem(token)
    favour = verb in _FOR
    if not (favour or verb in _AGAINST or (verb in _BEARS and "not" in before)):
        return None
    if len(before) > 4 or (before and before[-1] in _NO_LIKING) or not after:
        return None
    favour = favour and not set(before) & NEGATIVE
    against = not favour and not (verb in _AGAINST and "not" in before)
    whom = [each for each in before if each not in {"can", "come", "to"}]
    object_ = [each for each in _bare(after) if each not in {"any", "more", "much", "at"}]
    if not whom or not object_ or object_[0] in _NOT_THAT_ONE | {"to"}:
        return None
    side = "averse" if against else "fond"
    return _made([*whom, *object_], "liking", [side], negative=False)


def _done(before: Sequence[str], verb: str, after: Sequence[str]) -> Iterator[Claim]:
    """What something that was done has left behind."""
    if verb == "married" and before and after and before[-1] not in _BE:
        yield from _left(_made(before, "state", ["married"]))
    elif verb in _DIED and before:
        yield from _left(_made(before, "state", ["dead"]))
    elif verb in _PUT and before and after:
        thing, where = _until(after, _TO_A_PLACE)
        thing = [each for each in thing if each not in _ON_THE_WAY]
        if verb == "moved" and not thing and after[0] in {"to", "into", "in"}:
            yield from _left(_made(before, "home", after[1:]))
        elif where and _that_one(thing) and not is_number(where[-1]):
            subject = before if thing[-1] in _HOMES and thing[0] != "the" else thing
            yield from _left(_made(subject, "place", where))
    elif verb == "changed" and after:
        yield from _left(_being(*_until(after, {"to"})))
    elif verb in _HANDS and after:
        thing, whom = _until(after, {"to"})
        if not whom and "the" in after[1:3]:  # "gave Mira the comb"
            at = list(after).index("the", 1)
            thing, whom = _until(after[at:], PLACES)[0], list(after[:at])
        if whom and _that_one(thing):
            yield from _left(_made(thing, "holder", whom))
            if verb in _GIVES:
                yield from _left(_made(thing, "owner", whom))
    elif verb in _BUYS and after and before:
        thing, _ = _until(after, _BOUGHT_FROM)
        if _that_one(thing):
            yield from _left(_made(thing, "owner", before))
            yield from _left(_made(thing, "holder", before))


def _left(claim: Claim | None) -> tuple[Claim, ...]:
    if claim is None or claim.negative:
        return ()
    return (msgspec.structs.replace(claim, done=True),)


def _until(tokens: Sequence[str], ends: frozenset[str] | set[str]) -> tuple[list[str], list[str]]:
    """What stands before the first of some words, and what after it."""
    for place, token in enumerate(tokens):
        if token in ends:
            return list(tokens[:place]), list(tokens[place + 1 :])
    return list(tokens), []


def _that_one(thing: Sequence[str]) -> bool:
    """Whether a certain thing is meant, and not any one of its kind."""
    if not thing or thing[0] in _NOT_THAT_ONE or is_number(thing[0]):
        return False
    return thing[0] == "the" or "'s" in thing or len(thing) > 1


def _counted(after: Sequence[str]) -> Claim | None:
    if len(after) < 2 or not is_number(after[0]):
        return None
    things = [each for each in after[1:] if each not in PLACES and each != "left"]
    return _made(things, "count", [after[0]])


def _made(
    subject: Sequence[str], predicate: str, value: Sequence[str], negative: bool | None = None
) -> Claim | None:
    words = lexicon()
    drop = {"not", "do", "does", "has", "have", *ARTICLES, *ADVERBS, "and", "to"}
    if negative is None:
        negative = bool(set(subject) & NEGATIVE)
    of = frozenset(stem(token) for token in subject if token not in drop) - {"no"}
    said = frozenset(
        stem(token) for token in value if token not in drop and token not in words.function_words
    )
    if not of or not said or of & _POINTING or (subject[0] in _ANY and predicate != "who"):
        return None
    return Claim(subject=of, predicate=predicate, value=said, negative=negative)
