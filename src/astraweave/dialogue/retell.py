"""Saying back what somebody said, in the right person."""

from __future__ import annotations

import re

from astraweave.dialogue.events import retell_event
from astraweave.dialogue.facts import Fact
from astraweave.dialogue.grammar import Grammar, language_of
from astraweave.dialogue.language.clauses import Clause, Phrase
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import Word, sentences, words
from astraweave.rag.salience import TAG_QUESTION, TELLING_TAG, is_question

__all__ = ["of_teller", "retell", "retell_event", "retell_phrase", "retell_text", "shift"]

_TO_YOU = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself",
    "we": "you", "us": "you", "our": "your", "ours": "yours", "ourselves": "yourselves",
}  # fmt: skip
_CALENDAR = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june"
    " july august september october november december".split()
)
_TO_ME = {"your": "my", "yours": "mine", "yourself": "myself"}


def shift(found: list[Word], text: str, *, swap: bool) -> str:
    """The text of some words of a sentence, first and second person traded when `swap` is set.

    Parameters
    ----------
    found : list of Word
        Neighbouring words of one sentence.
    text : str
        That sentence.
    swap : bool
        False: as it was said.
    """
    pieces: list[str] = []
    end = found[0].start if found else 0
    for index, word in enumerate(found):
        gap = text[end : word.start] if end <= word.start else ""
        end = word.end
        before = found[index - 1] if index else None
        after = found[index + 1] if index + 1 < len(found) else None
        said = _swapped(word, before, after, found) if swap else word.text
        # As written: "can't" is read as "can" and "n't", which share a letter.
        pieces.append(gap + (text[word.start : word.end] if said == word.text else said))
    return "".join(pieces).strip()


def _swapped(word: Word, before: Word | None, after: Word | None, found: list[Word]) -> str:
    low = word.low
    if low in _TO_YOU and word.is_("OS"):
        return _TO_YOU[low]
    if low in _TO_ME:
        return _TO_ME[low]
    if low == "you":
        verb_next = after is not None and (
            after.is_("AG") or (after.is_("V") and not after.is_("N")) or after.is_("R")
        )
        if verb_next and not (
            before is not None
            and (before.is_("P") or (before.is_("V") and before.low not in {"that", "said"}))
        ):
            return "I"
        return "me"
    subject = before.low if before is not None else ""
    if before is not None and before.is_("RG") and len(found) > 2:
        place = found.index(word)
        subject = found[place - 2].low if place >= 2 else subject
    inverted = before is None and after is not None
    if subject == "i" or (inverted and after is not None and after.low == "i"):
        return {"am": "are", "'m": "'re", "was": "were"}.get(low, word.text)
    if subject == "you":
        return {"are": "am", "'re": "'m", "were": "was"}.get(low, word.text)
    if (low == "was" and subject == "and") or low == "am":
        return "are" if low == "am" else word.text
    return word.text


def segment(fact: Fact) -> tuple[int, int, Clause]:
    """The stretch of the sentence that holds the fact's clause, and the clause that rules it."""
    said = sorted(
        (c for c in fact.sentence_clauses if not c.relative and not c.link and _says(c)),
        key=lambda c: c.start,
    )
    # A noun that was taken for a verb ("the great flood") begins no clause of its own.
    mains = [c for i, c in enumerate(said) if not i or _parted(fact.words, c.start)]
    ruler = next((c for c in reversed(mains) if c.start <= fact.clause.start), None)
    if ruler is None:
        # "Once, when I was seven, I fell ...": what comes first belongs to the first main clause
        ruler = mains[0] if mains else fact.clause
    end = len(fact.words)
    for clause in mains:
        if clause.start > ruler.start:
            end = clause.start
            break
    start = ruler.start if mains and ruler is not mains[0] else 0
    while end > start and (
        fact.words[end - 1].is_("C.")
        or (fact.words[end - 1].low in {"then", "so", "also"} and end < len(fact.words))
    ):
        end -= 1
    return start, end, ruler


def _parted(found: list[Word], at: int) -> bool:
    """Whether a clause of its own may begin here: behind a mark or an "and", not in mid-phrase."""
    if found[at - 1].is_("C.") or found[at].is_("C") or found[at - 1].low in {"then", "so"}:
        return not (at >= 2 and found[at - 1].low in {"then", "so"} and not found[at - 2].is_("C."))
    return False


def _says(clause: Clause) -> bool:
    return clause.subject is not None and bool(clause.verbs or clause.auxiliaries)


# Applied when persons are already traded: "I should tell you" has become "you should tell me", and
# "you know," has become "I know,". What could carry meaning ("no wolves", "you know Bren") is
# taken away only where a comma says that it is none.
_OPENERS = re.compile(
    r"^(?:(?:[a-z]+(?=, (?:you|let) )|well|so|oh|ah|yes|no|hey|alas|truly|arr|aye|nay|gosh|"
    r"right|listen|look|sorry|wait|smith|friend|sir|madam|sergeant|master|fine|really|actually|"
    r"hello|hi|hey|ahoy|(?:hello|hi|hey|ahoy) [a-z]+|good (?:day|morning|evening)(?: [a-z]+)?|"
    r"(?:my|your|dear|good|old) (?:friend|lady|lord|dear|man|sir)|fancy that|mind you|"
    r"I know|I see|you mean|remember|fun fact|in fact|honestly|anyway|guess what|as it happens|"
    r"to tell the truth|truth be told|believe it or not|for what it's worth|between (?:us|you)|"
    r"between me and you|as I know|just so I know)\s*[,:!.…—]+\s*"
    r"|so\s+(?=(?:my|your|the|our|his|her|their|I|you|we)\b)|if (?:I|you) must know,?\s+"
    r"|(?:bad|good|sad|great) news[:,]\s+|(?:oh and|oh|and|but|also|actually|by the way|did I "
    r"know(?: that)?|remember that|"
    r"(?:allow|permit|let) (?:you|me) to introduce (?:yourself|myself)[,:;]|"
    r"let (?:you|me) tell me(?: that)?|you (?:told|said to) me(?: that)?|"
    r"you think you (?:said|told me)(?: that)?|"
    r"you (?:should|must|ought to|have to|need to|want to|wanted to|might) "
    r"(?:tell|mention|say|confess|admit)(?:(?: to)?(?: me)(?: that)?| that))\b[\s,:]*)+(?=\w)",
    re.IGNORECASE,
)


_CLOSERS = re.compile(
    r"(?:,\s*(?:by the way|by the by|(?:you|I) know|(?:you|I) see|(?:you|i) think|"
    r"(?:you|i) believe|(?:you|i) suppose|mind you|please|thank (?:goodness|heavens?|god|the gods)|"
    r"smith|friend|(?:my|your|dear|good|old) (?:friend|lady|lord|dear|man|sir)|sir|madam|sergeant|"
    r"master|if (?:you|I) must know|as it happens|though))+$",
    re.IGNORECASE,
)


def retell(fact: Fact, *, swap: bool) -> str:
    """The clause of a fact as reported speech: no capital in front, no full stop behind."""
    if language_of(fact.sentence) != "en":
        return _quoted(fact.sentence)
    start, end, ruler = segment(fact)
    found = fact.words[start:end]
    if not found:
        return ""
    inside = {id(w) for w in found}
    replaced: dict[int, str] = {}
    for position, meant in fact.referents.items():
        if (
            start <= position < end
            and not any(id(w) in inside for w in meant.words)
            and meant.head.is_("NEM")
        ):
            pronoun = fact.words[position]
            said = retell_phrase(meant, swap=swap)
            if pronoun.is_("S") or pronoun.low in {"his", "its", "their"}:
                said += "'s"
            elif (
                pronoun.low in {"it", "them", "him", "her"}
                and ruler.subject is not None
                and ruler.subject.start == position
            ):
                pass
            replaced[position] = said
    text = _spliced(fact, start, end, replaced, swap=swap)
    if start:
        text = _JOINED.sub("", text)
    inside_it = ruler.subject is not None and start <= ruler.subject.start < end
    if ruler.subject_shared and ruler.subject is not None and not inside_it:
        subject = fact.meant(ruler.subject)
        text = f"{retell_phrase(subject, swap=swap)} {text}"
    if start == 0:
        text = _OPENERS.sub("", text) or text
    text = _CLOSERS.sub("", text.strip(" ,.;:!")) or text
    return _lowered(text.strip(" ,.;:!"), fact)


_JOINED = re.compile(
    r"^(?:so|then|also|yet)\s+(?=(?:i|you|he|she|it|we|they|the|an?|my|your|his|her|our|their)\b)",
    re.IGNORECASE,
)


def _spliced(fact: Fact, start: int, end: int, replaced: dict[int, str], *, swap: bool) -> str:
    if not replaced:
        return shift(fact.words[start:end], fact.sentence, swap=swap)
    pieces, at = [], start
    for position in sorted(replaced):
        if position > at:
            pieces.append(shift(fact.words[at:position], fact.sentence, swap=swap))
        # "she's" keeps its verb: the words behind follow at once
        glued = position + 1 < end and fact.words[position + 1].start == fact.words[position].end
        pieces.append(replaced[position] + ("" if not glued else "\0"))
        at = position + 1
    if at < end:
        pieces.append(shift(fact.words[at:end], fact.sentence, swap=swap))
    return " ".join(p for p in pieces if p).replace("\0 ", "")


def _quoted(text: str) -> str:
    """A text in a language that is not read here: word for word, as a quotation."""
    return Grammar.named(language_of(text)).quoted(text.strip().rstrip(".!"))


def retell_text(text: str, *, swap: bool) -> str:
    """A whole text as reported speech, its sentences joined; no capital in front, no full stop."""
    if language_of(text) != "en":
        return _quoted(text)
    told = []
    for sentence in sentences(text):
        sentence = TELLING_TAG.sub("", sentence.strip())
        if is_question(sentence) or _GREETS.match(sentence):
            continue
        sentence = TAG_QUESTION.sub("", sentence.strip())
        found = words(sentence)
        if not found:
            continue
        said = _OPENERS.sub("", shift(found, sentence, swap=swap))
        said = _CLOSERS.sub("", said.strip(" ,.;:!")).strip(" ,.;:!")
        # A first word keeps its capital where it is a name.
        named = found[0].is_("E") and said.startswith(found[0].text)
        if not named and not re.match(r"I(?:'|\b)", said):
            said = said[:1].lower() + said[1:]
        if said:
            told.append(said)
    return ", and ".join(told)


_GREETS = re.compile(
    r"(?:hello|hi|hey|ahoy|greetings|good (?:day|morning|afternoon|evening))(?: [\w' "
    r"]{1,24})?[.!]*$",
    re.IGNORECASE,
)
_OF_MINE = re.compile(r"\bmy\b", re.IGNORECASE)
_SPEAKING = re.compile(r"\b(?:I|I'm|I've|I'd|I'll|me|mine|myself|we|us|our|you|your)\b")


def of_teller(retold: str, teller: str) -> str:
    """What somebody else told of theirs, so that "my niece" cannot mean the speaker's.

    Words in which the teller says "I" stay a quotation.

    Examples
    --------
    >>> of_teller("Rorik took a stool from my niece", "Robin")
    "Rorik took a stool from Robin's niece"
    """
    if _SPEAKING.search(retold):
        return retold
    first = _OF_MINE.sub(f"{teller}'s", retold, count=1)
    return _OF_MINE.sub("their", first)


def retell_phrase(phrase: Phrase, *, swap: bool) -> str:
    """A noun phrase in the right person: "my sister Mira" as "your sister Mira"."""
    said = " ".join(w.text for w in phrase.words)
    first = phrase.words[0]
    if phrase.owner is not None:
        if phrase.owner.head.is_("S"):
            said = f"{phrase.owner.head.text} {said}"
        else:
            owner = retell_phrase(phrase.owner, swap=False)
            several = owner.endswith("s") and not phrase.owner.names
            said = f"{owner}' {said}" if several else f"{owner}'s {said}"
    if phrase.of is not None:
        said += " of " + retell_phrase(phrase.of, swap=False)
    if phrase.others:
        others = [retell_phrase(o, swap=False) for o in phrase.others]
        said = ", ".join([said, *others[:-1]]) + " and " + others[-1]
    found = words(said)
    shifted = shift(found, said, swap=swap)
    keep = first.is_("E") or first.low in _CALENDAR or (first.text == "I" and not swap)
    if not keep and shifted[:1].isupper() and not (phrase.owner and phrase.owner.names):  # noqa: SIM102
        if not (found[0].is_("E") and first.text == found[0].text) or found[0].low in {
            "a",
            "the",
            "my",
            "our",
        }:
            shifted = shifted[:1].lower() + shifted[1:]
    return shifted


def _lowered(text: str, fact: Fact) -> str:
    first = text.split(" ", 1)[0]
    if not first[:1].isupper() or first in {"I", "I'm", "I've", "I'd", "I'll"}:
        return text
    names = {w.text for w in fact.words if w.is_("E")}
    bare = re.sub(r"'s$", "", first)
    lex = lexicon()
    second = text[len(first) :].lstrip()[:1]
    if lex.keys(bare.lower()) & lex.persons and second.isupper():
        return text  # "Captain Voss"
    if _is_name(fact.words):
        return text
    if lex.known(bare.lower()) and bare not in {
        n for p in fact.clause.phrases() for n in p.names[1:]
    }:
        return text[:1].lower() + text[1:]
    if bare.lower() in _UNCOUNTED:
        return text[:1].lower() + text[1:]
    if not lex.known(bare.lower()) and len(fact.words) > 1 and _begins_with_name(fact.words):
        return text
    if bare in names or any(bare in p.names for c in fact.siblings for p in c.phrases()):
        return text
    return text[:1].lower() + text[1:]


def _is_name(found: list[Word]) -> bool:
    """Whether the first word names somebody though it could be another: "Will is a soldier"."""
    if len(found) < 2 or not found[0].is_("AV") or not found[0].text[:1].isupper():
        return False
    after = found[1]
    return after.low in {"is", "was", "has", "had", "does", "did", "will", "'s"} or bool(
        after.is_("V") and after.forms & {"s", "past"} and "base" not in after.forms
    )


def _begins_with_name(found: list[Word]) -> bool:
    """Whether an unknown first word is a name: "Edda, the older one, ..."; no plural noun."""
    first, after = found[0], found[1]
    if first.low.endswith("s") or first.is_("OSDPWCBRM"):
        return False
    return after.low == "," or after.is_("VA")


_UNCOUNTED = frozenset(
    "life love time work money war peace death luck hope winter summer spring autumn bread ale "
    "beer wine water iron gold silver snow rain fire".split()
)
"""Begin a sentence without an article, and are no names."""
