"""What of a line is worth a lasting memory, and of what kind it is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence

from astraweave.rag.memory import MemoryKind
from astraweave.rag.salience import is_question
from astraweave.rag.writing_words import is_number, lexicon, stem, tokens_of

__all__ = ["is_passing", "is_promise", "kind_of", "sentences", "telling_words"]

_TELLS_BY_ASKING = re.compile(
    r"(?i)^\W*(?:is it true that|have you heard (?:that|of|about)|did you (?:know|hear)(?: that)?"
    r"|do you (?:know|remember) that|would you believe)\b"
)
_ASKS_A_FAVOUR = re.compile(
    r"(?i)^\W*(?:please,? )?(?:(?:can|could|will|would) (?:you|ye|somebody|someone|anybody|anyone)"
    r" (?!(?:please )?(?:tell|say|remember|remind|repeat|explain|recall|describe|name|know)\b)"
    r"|(?:have|has|did) (?:you|ye|anybody|anyone|somebody|someone) (?:seen?|f(?:ou|i)nd|met)\b)"
)
_TELLS_ENOUGH = 4
_ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|sr|jr|prof|capt|lt|no|vs|etc)|\b[A-Z])\.$", re.I
)
_SENTENCE_END = re.compile(r"[.!?…]+['\"”’)\]]*(?=\s|$)|[。！？]+|\n+")
_GOES_ON = re.compile(r"[.!?…]\S*\s+\S|[。！？\n]")
_EXCLAIMS = re.compile(r"(?i)^\W*(?:what an?|how|such an?|no way|go on|come on)\b[^,;:]*[!.]*$")
_OWN_PLAN_OF_THE_MOMENT = re.compile(
    r"(?i)^\W*(?:i(?:'ll| will| shall)|let me|let us|let's|we(?:'ll| will| shall)|one moment)\b"
    r"(?:\W+\w+){0,6}\W*$"
)
_ADVICE = re.compile(
    r"(?i)\b(?:every|each|twice|thrice|times? a|for an? (?:hour|day|week|month|year|night)|until"
    r"|then|always|never|first|start(?:ing)? (?:from|with)|spoons?|whenever|when|if)\b"
)
_HOW_TO = re.compile(
    r"(?i)^\W*to \w+[^.!?]{3,60}, \w+|\bhow to\b|\bthe (?:trick|secret|way) (?:is|to)\b"
    r"|\b(?:you|one|anyone)\b[^.!?]{0,40}\b(?:must|should|have to|need to|ought to)\b"
)
_PROMISE = re.compile(
    r"(?i)\b(?:i|we)(?:'ll)?\s+(?:\w+ly\s+)?(?:promise|swear|vow|pledge|give (?:you )?my word)\b"
    r"|\b(?:i|we) (?:have |had )?(?:promised|sworn|vowed)\b|\bmy oath\b"
)
_WORD_GIVEN = frozenset("promise promised swear sworn vow vowed pledge pledged word oath".split())
_PASSING_STATE = re.compile(
    r"(?i)\b(?:now|tonight|today|at the moment|right now|this (?:morning|evening))\b"
)
_PAST = re.compile(
    r"(?i)\b(?:was|were|had|did|went|came|saw|gave|took|left|lost|found|stole|broke|brought|bought"
    r"|sold|met|fell|drowned|killed|died|told|said|made|ran|fought|slept|paid|spent|wrote|built"
    r"|burnt|hid|kept|began|ate|drank|knew|heard|felt|held|sent|won|led|rose|spoke|swore|threw|wore"
    r"|(?!(?:called|named|married|need|indeed|wed|red|bed|seed|feed|breed|hundred|sacred)\b)"
    r"[a-z]{2,}ed)\b"
)
_STANDING = re.compile(
    r"(?i)\b(?:is|are|am|'m|'s|lives?|works?|has|have|owns?|costs?|belongs?|called|named|means?"
    r"|always|never|usually|every|each|likes?|prefers?|knows?|wears?|needs?|wants?|can|cannot|can't"
    r"|speaks?|eats?|sleeps?|comes?|keeps?|opens?|closes?|lies|stands?)\b"
)
_RELATED = re.compile(
    r"(?i)\b(?:is|are|am|was|were|'m|became|called|named|name is)\b|\bsince\b|\bspeak"
)


def is_passing(text: str, names: Collection[str] = (), *, addressee: str = "") -> bool:
    """Whether a line is air: small talk, a filler, a bare question, an order of the moment.

    Parameters
    ----------
    text : str
        One segment of an utterance.
    names : collection of str
        Words, case-folded, that name whom or what it is about.
    addressee : str
        Calling somebody by name tells nothing about them.
    """
    whole = _passes(text, names, addressee)
    if not whole or not _GOES_ON.search(text) or len(parts := sentences(text)) < 2:
        return whole
    # "My mule is lame. Can you lend me yours?" tells, though it ends in asking.
    if len(set(telling_words(text)).difference(tokens_of(addressee))) < _TELLS_ENOUGH:
        return True
    return all(_passes(part, names, addressee) for part in parts)


def sentences(text: str) -> list[str]:
    """The sentences of an utterance; what is abbreviated ends none."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        piece = text[start : match.end()]
        if match.group() == "." and _ABBREVIATED.search(piece):
            continue
        found.append(piece.strip())
        start = match.end()
    found.append(text[start:].strip())
    return [piece for piece in found if piece]


def _passes(text: str, names: Collection[str], addressee: str) -> bool:
    words = lexicon()
    if _TELLS_BY_ASKING.match(text):
        return False
    asks = is_question(text)
    if (asks and not _ASKS_A_FAVOUR.match(text)) or _EXCLAIMS.match(text):
        return True
    tokens = tokens_of(text)
    stems = {stem(token) for token in tokens}
    if is_promise(text) or _relates(stems, text):
        return False
    called = set(tokens_of(addressee))
    telling = [each for each in telling_words(text) if each not in called]
    felt = not stems.isdisjoint(words.feelings)
    numbers = any(is_number(token) for token in tokens)
    known = any(token in names for token in telling)
    if asks:
        # An errand is worth keeping where it says what to do for whom.
        return len(telling) < _TELLS_ENOUGH + (not known)
    how_it_is = "because" in tokens or (bool(telling) and _says_a_state(tokens))
    if len(telling) + felt + known + how_it_is < 2 and not (numbers and telling):
        return True
    # An errand that names somebody, or says how many, lasts longer than the moment.
    brief = len(telling) < _TELLS_ENOUGH + (-1 if known or numbers else 1)
    if brief and _is_order(tokens) and not _ADVICE.search(text):
        return True
    return bool(_OWN_PLAN_OF_THE_MOMENT.match(text)) and len(telling) < 2


def telling_words(text: str) -> list[str]:
    """The words of a line that are neither grammar nor small talk, each once."""
    words = lexicon()
    return [
        each
        for each in dict.fromkeys(tokens_of(text))
        if each not in words.function_words and each != "'s" and stem(each) not in words.small_talk
    ]


def kind_of(text: str, *, seen: bool = False) -> MemoryKind:
    """What sort of memory a line makes.

    Examples
    --------
    >>> [kind_of(t) for t in ("I am afraid of deep water.", "Mira is my sister.")]
    ['emotional', 'social']
    >>> kind_of("To mend a net, start from the torn edge."), kind_of("The mill burned down.")
    ('procedural', 'episodic')
    >>> kind_of("A room costs four pennies.")
    'semantic'
    """
    if seen:
        return "episodic"
    words = lexicon()
    tokens = tokens_of(text)
    stems = {stem(token) for token in tokens}
    if stems & words.feelings:
        return "emotional"
    if _relates(stems, text):
        return "social"
    if _HOW_TO.search(text) or (_starts_as_order(tokens) and _ADVICE.search(text)):
        return "procedural"
    standing = _STANDING.search(text) and not _PAST.search(text)
    if standing and not _PASSING_STATE.search(text):
        return "semantic"
    return "episodic"


def is_promise(text: str) -> bool:
    """Whether somebody gives their word."""
    if _WORD_GIVEN.isdisjoint(tokens_of(text)):
        return False
    return bool(_PROMISE.search(text)) and not is_question(text)


def _relates(stems: set[str], text: str) -> bool:
    """Whether a line says how people stand to one another."""
    words = lexicon()
    if stems & words.bonds:
        return True
    return bool(stems & words.relations and _RELATED.search(text) and not _PAST.search(text))


def _says_a_state(tokens: Sequence[str]) -> bool:
    """Whether something is said to be in a state that it could also not be in."""
    words = lexicon()
    for token, follower in itertools.pairwise(tokens):
        if (
            token in {"is", "are", "was", "were", "am", "been", "not"}
            and stem(follower) in words.states
        ):
            return True
    return False


def _starts_as_order(tokens: Sequence[str]) -> bool:
    rest = [token for token in tokens[:3] if token not in {"please", "now", "just", "do", "not"}]
    lexical = lexicon()
    return bool(rest) and (
        rest[0] in lexical.orders
        or rest[0] in lexical.crafts
        or (
            rest[0] not in lexical.function_words
            and len(tokens) > 2
            and tokens[1] in {"the", "it", "them", "this", "that", "two", "three", "a", "an", "her"}
        )
    )


def _is_order(tokens: Sequence[str]) -> bool:
    rest = [token for token in tokens[:3] if token not in {"please", "now", "just"}]
    return bool(rest) and rest[0] in lexicon().orders
