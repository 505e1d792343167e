"""A line as it is compared with others: clause by clause, what is said and what it takes back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import msgspec

from astraweave.rag.salience import is_question
from astraweave.rag.writing_claims import ADVERBS, ARTICLES, NEGATIVE, PLACES, Claim, claims_of
from astraweave.rag.writing_words import is_number, lexicon, stem, tokens_of

__all__ = ["Clause", "Statement", "pieces_of", "read_statement"]

_MOST_CLAUSES = 8
_LEAST_WORDS = 2  # what it is about, and what is said of it
_UNREAL = frozenset(
    """
    if unless would could might may maybe perhaps probably should suppose imagine wish were
    will shall whether seems supposedly
    """.split()
)
_LONG_PAST = frozenset("was were had did used once formerly ago before previously then".split())
_PAST = _LONG_PAST | {"yesterday"}
_NO_PAST = frozenset(
    "need indeed hundred called named married wed red bed seed feed breed sacred".split()
)
_CALLED_SO = frozenset("is are am be been being not".split())
_HAS_LEFT = frozenset("is are have has".split())  # "there are six left"
_LASTING = frozenset("home owner holder job who name age count cost".split())
_OPINION = re.compile(
    r"(?i)^(?:i (?:think|believe|reckon|guess|feel|find|suppose|say|hear|heard)(?: that)?"
    r"|in my (?:opinion|view)|if you ask me|to my mind),?\s+|,\s*(?:if you ask me|i think"
    r"|i believe|i reckon)(?=[.!]*$)"
)
_SET_AGAINST = re.compile(r"(?i),\s*not\s+(?:\w+\s*){1,3}[.!]*$")
_CLAUSES = re.compile(r"[;.!?…]+\s+|,\s+(?:and|but|so)\s+|\s+[–—]\s+")
# Announces that something is not as it was.
_NEWS = re.compile(
    r"(?i)(?<!^)\bnow\b(?!,)|\bthese days\b|\bnowadays\b|\bfrom (?:now on|today|tonight|tomorrow)\b"
    r"|\b(?:any|no) longer\b|\bany ?more\b|\binstead\b|\bsince\b|\bonly\b|\bby now\b|\bas of\b"
)
_IS_OVER = re.compile(r"(?i)\bno longer\b|n[o'’]t\b.*\bany ?(?:more|longer)\b|\bused to\b")
_GIVES_UP = re.compile(
    r"(?i)\b(?:given up|gave up|stopped|quit|done with|decided (?:against|not to)"
    r"|changed (?:my|our|his|her|their) minds? about|out of) (?=\w)"
)
_LEAVES = re.compile(r"(?i)\b(?:left|broken with|turned (?:my|our|his|her|their) back on) (?=\w)")
_INSTEAD_OF = re.compile(r"(?i)\b(?:instead of|rather than|in place of)\s+((?:[\w'’-]+\s*){1,5})")
# Without one of these there is nothing for the patterns to find.
_OVER_TOKENS = frozenset(
    "longer more anymore used given gave stopped quit done decided changed out left broken"
    " turned".split()
)
_INSTEAD_TOKENS = frozenset({"instead", "rather", "place"})
_NEWS_WORDS = frozenset(
    "now days nowadays from longer more anymore instead since only by as".split()
)
_OVER_WORDS = frozenset(
    map(
        stem,
        "longer any more anymore used given gave up stopped quit done decided against changed mind"
        " left broken turned back instead these days nowadays now only since from since on".split(),
    )
)


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """What stands between two stops.

    Attributes
    ----------
    content : frozenset of str
        Stems of what it says; who is meant stands for "I" and "you".
    frame : frozenset of str
        Of these, what is left without numbers, times, coins, and words that only announce a
        change; one word stands for all that say a price.
    values : frozenset of str
        The numbers and times.
    order : tuple of str
        Stems of all its words but articles and adverbs, as they follow one another.
    claims : tuple of Claim
        What there can be only one of.
    negative : bool
        It denies something.
    standing : bool
        It says how things are, and not what happened.
    news : bool
        It says that something has changed.
    raised : bool
        Something was done to a number or a day.
    over : frozenset of str
        What it says to be so no longer; empty where it says nothing of the kind.
    left : bool
        ``over`` is where somebody was, or belonged.
    replaced : frozenset of str
        What something else has come instead of.
    speaker : str
        Stem of who says it.
    """

    content: frozenset[str]
    frame: frozenset[str]
    values: frozenset[str]
    order: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    negative: bool = False
    standing: bool = False
    news: bool = False
    raised: bool = False
    over: frozenset[str] = frozenset()
    left: bool = False
    replaced: frozenset[str] = frozenset()
    speaker: str = ""


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
    clauses : tuple of Clause
        What it says, one after another; none where it asks.
    changing : tuple of Clause
        Those that may change what was so.
    raises : bool
        One of them says that a price is another.
    speaker : str
        Stem of who says it; empty: nobody, it is seen.
    """

    content: frozenset[str]
    numbers: frozenset[str]
    negative: bool
    question: bool
    present: bool
    opinion: bool
    clauses: tuple[Clause, ...]
    changing: tuple[Clause, ...]
    raises: bool
    speaker: str

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Everything of which there can be only one."""
        return tuple(claim for clause in self.clauses for claim in clause.claims)

    @property
    def tells_how_it_is(self) -> bool:
        """Whether it says of something how it is, and not only what was done."""
        return any(not claim.done for claim in self.claims)

    @property
    def tells_news(self) -> bool:
        """Whether it says that something is not as it was."""
        return any(
            clause.news
            or clause.raised
            or clause.over
            or clause.replaced
            or any(claim.done for claim in clause.claims)
            for clause in self.clauses
        )

    @property
    def is_lasting(self) -> bool:
        """Whether it says what holds for longer than the moment, in however few words."""
        return any(claim.predicate in _LASTING for claim in self.claims)


def read_statement(text: str, *, speaker: str, addressee: str) -> Statement:
    """Read a line; 'I' and 'you' become who they are."""
    words = lexicon()
    bare = _OPINION.sub("", text)
    question = is_question(text)
    # "Thimble, not Biscuit": what is only set against says nothing by itself.
    told = bare[: match.start()] if (match := _SET_AGAINST.search(bare)) else bare
    tokens = _tokens(told, speaker, addressee)
    folded = set(tokens)
    stems = {stem(token) for token in tokens}
    content = _content(tokens)
    anymore = " any more" in bare.casefold() or "no longer" in bare.casefold()
    opinion = bare != text or not (
        stems.isdisjoint(words.feelings) and stems.isdisjoint(words.bonds)
    )
    clauses: tuple[Clause, ...] = ()
    if not question:
        holder = (speaker or "?") if bare != text else ""
        pieces = pieces_of(told)
        read = (
            _clause(piece, tokens if len(pieces) == 1 else None, speaker, addressee, holder)
            for piece in pieces
        )
        clauses = tuple(clause for clause in read if clause is not None)
    return Statement(
        content=content - {"any", "mor", "longer"} if anymore else content,
        numbers=frozenset(token for token in tokens if is_number(token)),
        negative=bool(folded & NEGATIVE),
        question=question,
        present=not question and not folded & _UNREAL and not folded & _PAST,
        opinion=opinion,
        clauses=clauses,
        changing=tuple(clause for clause in clauses if _may_change(clause)),
        raises=any(clause.raised and "price" in clause.frame for clause in clauses),
        speaker=stem(speaker.casefold()),
    )


def pieces_of(text: str) -> list[str]:
    """A line as what stands between its stops."""
    return [piece for piece in _CLAUSES.split(text)[:_MOST_CLAUSES] if piece.strip()]


def _clause(
    piece: str, tokens: list[str] | None, speaker: str, addressee: str, holder: str
) -> Clause | None:
    """Read a clause; None where it says nothing that could be compared."""
    words = lexicon()
    tokens = _obliged(_tokens(piece, speaker, addressee) if tokens is None else tokens)
    folded = set(tokens)
    if not folded.isdisjoint(_UNREAL):
        return None
    content = _content(tokens)
    if len(content) < _LEAST_WORDS:
        return None
    numbers = [each for each in tokens if is_number(each)]
    values = words.times.intersection(folded).union(numbers)
    if "once" in folded and not folded.isdisjoint({"a", "every"}):  # "once a day"
        values |= {"once"}
    past = "once" not in values and not folded.isdisjoint(_PAST)
    claims = claims_of(tokens, present=not past) if folded.isdisjoint(_LONG_PAST) else ()
    over, left, replaced = _taken_back(piece, folded, speaker, addressee)
    return Clause(
        content=content,
        frame=_frame(tokens, bool(numbers)),
        values=values,
        order=tuple(stem(each) for each in tokens if each not in ARTICLES and each not in ADVERBS),
        claims=tuple(_held_by(claim, holder, speaker) for claim in claims),
        negative=bool(over) or not folded.isdisjoint(NEGATIVE),
        standing=not past and not _happened(tokens),
        news=not folded.isdisjoint(_NEWS_WORDS) and _NEWS.search(piece) is not None,
        raised=not folded.isdisjoint(words.raised),
        over=over,
        left=left,
        replaced=replaced,
        speaker=stem(speaker.casefold()),
    )


def _may_change(clause: Clause) -> bool:
    """Whether what a clause says may be news of something."""
    if clause.claims or clause.over or clause.replaced or clause.news:
        return True
    return bool(clause.values) and (clause.standing or clause.raised)


def _held_by(claim: Claim, holder: str, speaker: str) -> Claim:
    """A claim with whose opinion it is."""
    if not holder and claim.value.isdisjoint(lexicon().matters_of_opinion):
        return claim
    return msgspec.structs.replace(claim, holder=holder or speaker or "?")


def _frame(tokens: Sequence[str], counts: bool) -> frozenset[str]:
    """What is the same before and after a change; see `Clause`."""
    words = lexicon()
    left_out, coins = words.left_out_of_frames, words.coins if counts else frozenset()
    roots = [stem(each) for each in tokens if each not in left_out and not is_number(each)]
    frame = frozenset(root for root in roots if root not in _OVER_WORDS and root not in coins)
    return frame if words.price_words.isdisjoint(tokens) else frame | {"price"}


def _taken_back(
    piece: str, folded: set[str], speaker: str, addressee: str
) -> tuple[frozenset[str], bool, frozenset[str]]:
    """What a clause says to be over, whether that is where somebody was, and what is replaced."""
    nothing: frozenset[str] = frozenset()
    over, left = nothing, False
    if not folded.isdisjoint(_OVER_TOKENS):
        over, left = _over(piece, speaker, addressee)
    if folded.isdisjoint(_INSTEAD_TOKENS) or not (match := _INSTEAD_OF.search(piece)):
        return over, left, nothing
    return over, left, _content(_tokens(match[1], speaker, addressee))


def _over(piece: str, speaker: str, addressee: str) -> tuple[frozenset[str], bool]:
    """What a clause says to be so no longer, and whether that is where somebody was."""
    left = _LEAVES.search(piece)
    if left is not None:
        rest = _tokens(piece[left.end() :], speaker, addressee)
        if not rest or PLACES & set(rest) or rest[0] in {"a", "an", "behind", "it"}:
            left = None
    if left is None and not (_IS_OVER.search(piece) or _GIVES_UP.search(piece)):
        return frozenset(), False
    tokens = _tokens(piece, speaker, addressee)
    return frozenset(_content(tokens) - _OVER_WORDS), left is not None


def _tokens(text: str, speaker: str, addressee: str) -> list[str]:
    found = []
    for token in tokens_of(text):
        if token in {"i", "me", "my", "mine", "myself"}:
            found.append(speaker.casefold() or token)
        elif token in {"you", "your", "yours", "ye", "yourself"}:
            found.append(addressee.casefold() or token)
        else:
            found.append(token)
            continue
        if token in {"mine", "yours"}:
            found.append("'s")
    return found


def _obliged(tokens: list[str]) -> list[str]:
    """Words without "had to": who had to do something did it."""
    for place, (one, other) in enumerate(itertools.pairwise(tokens)):
        if other == "to" and one in {"had", "have", "has"}:
            return [*tokens[:place], *tokens[place + 2 :]]
    return tokens


def _content(tokens: Sequence[str]) -> frozenset[str]:
    words = lexicon()
    return frozenset(
        stem(each) for each in tokens if each not in words.function_words and each != "'s"
    )


def _happened(tokens: Sequence[str]) -> bool:
    """Whether something is told that happened: a verb in the past that describes nothing."""
    past_verbs = lexicon().past_verbs
    before = ""
    for place, word in enumerate(tokens):
        remains = word == "left" and not _HAS_LEFT.isdisjoint(tokens[:place])
        past = word in past_verbs or (
            word.endswith("ed") and len(word) > len("used") and word not in _NO_PAST
        )
        if past and not remains and before not in _CALLED_SO:
            return True
        before = word
    return False
