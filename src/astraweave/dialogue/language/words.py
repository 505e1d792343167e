"""From a text to words that know what they can be."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field

from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon, singular

__all__ = ["NUMBERS", "Word", "number_value", "plainly", "sentences", "words"]

NUMBERS = {
    name: value
    for value, name in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]  # noqa: E501
    )
} | {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000, "dozen": 12, "score": 20,
}  # fmt: skip

_DETERMINERS = group("words.determiners")
_POSSESSIVES = frozenset(["my", "your", "his", "her", "its", "our", "their"])
_PRONOUNS = group("words.pronouns")
_PREPOSITIONS = group("words.prepositions")
_AUXILIARIES = group("words.auxiliaries")
_SUBORDINATORS = group("words.subordinators")
_MULTIWORD = [
    "next to", "close to", "in front of", "on top of", "out of", "because of", "instead of", "as well as",  # noqa: E501
    "such as", "at least", "so that", "rather than", "on account of", "outside of", "inside of", "due to",  # noqa: E501
    "rid of",
]  # fmt: skip
_MULTI = {tuple(phrase.split()): phrase.replace(" ", "_") for phrase in _MULTIWORD}
_MULTI_AS = {
    "next_to": "P", "close_to": "P", "in_front_of": "P", "on_top_of": "P", "out_of": "P", "because_of": "P",  # noqa: E501
    "instead_of": "P", "as_well_as": "C", "such_as": "P", "at_least": "R", "so_that": "B", "rather_than": "P",  # noqa: E501
    "on_account_of": "P", "outside_of": "P", "inside_of": "P", "due_to": "P", "rid_of": "P",
}  # fmt: skip
_TOKEN = re.compile(
    r"\d+(?:[.,]\d+)*(?:st|nd|rd|th)?\b|[^\W\d_]+(?:-[^\W\d_]+)*|['’](?:s|m|re|ve|ll|d)\b|['’]|\S",
    re.UNICODE,
)
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\"'“‘(]?\w)|\s*;\s*|\s+[—–]\s+|\s+-\s+")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|st|sr|jr)\.$", re.IGNORECASE)
_DIALECT = {
    "ye": "you", "thou": "you", "thee": "you", "yer": "your", "thy": "your", "fer": "for",
    "cos": "because",
}  # fmt: skip
"""Read as if it were said plainly; it is said back as it was said."""
_GIVES_ME = frozenset(
    "give bring tell teach show make buy cost lend sell pay send hand offer promise leave get owe"
    " call find ask sing read bake cook build let see hear watch help wish name".split()
)
_THINKING = group("clauses.thinking")
_SUBJECTS = frozenset(["i", "he", "she", "we", "they"])
_MAX_WORDS = 120
_KEPT_SENTENCES = 512
"""How many stay read: an utterance is asked for its words a dozen times, a memory at each question
that brings it back."""
_QUOTED = re.compile(r"(?<!\w)'([^']{1,60})'(?!\w)")
_QUOTES = frozenset('"“”‘«»()')


@dataclass(slots=True)
class Word:
    """One word (or mark) of a sentence.

    `can` holds one letter for each thing that it can be: N noun, V verb, J adjective, R adverb,
    D determiner, S possessive, O pronoun, P preposition, A auxiliary, C conjunction,
    B subordinator, W question word, M number, E name, G negation, ' genitive, . mark.

    `can` and `forms` of a word that has been read are shared with others: replace them, never
    change them.
    """

    text: str
    low: str
    start: int
    end: int
    can: set[str] = field(default_factory=set)
    lemma: str = ""
    forms: set[str] = field(default_factory=set)

    def copied(self) -> Word:
        """Another one that is the same, for whoever knows better what it is."""
        return Word(self.text, self.low, self.start, self.end, self.can, self.lemma, self.forms)

    def is_(self, kinds: str) -> bool:
        """Whether it can be any of these."""
        return not self.can.isdisjoint(kinds)


def sentences(text: str) -> list[str]:
    """Sentences of a text, marks kept."""
    found: list[str] = []
    for piece in _SENTENCE.split(text):
        if not piece or not piece.strip():
            continue
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece.strip()}"
        else:
            found.append(piece.strip())
    return found


_UNMARKED = re.compile(r"\b(what|who|where|how|when|there|that)s\b", re.IGNORECASE)


def plainly(text: str) -> str:
    """A text with the apostrophes that a hasty writer leaves out: "whats", "theres"."""
    return _UNMARKED.sub(r"\1's", text.replace("’", "'"))


def number_value(low: str) -> float | None:
    """What a number word or digits stand for; None for anything else."""
    if low in NUMBERS:
        return float(NUMBERS[low])
    if "-" in low:
        parts = [NUMBERS.get(part) for part in low.split("-")]
        known = [part for part in parts if part is not None]
        if len(known) == len(parts) == 2:
            return float(sum(known))
    digits = low.replace(",", "")
    if digits[:1].isdigit():
        try:
            return float(digits.rstrip("stndrh"))
        except ValueError:
            return None
    return None


def words(sentence: str) -> list[Word]:
    """Words of one sentence (the first 120), each with what it can be; they are the caller's."""
    return [word.copied() for word in _read(sentence)]


@functools.lru_cache(maxsize=_KEPT_SENTENCES)
def _read(sentence: str) -> list[Word]:
    quoted = _QUOTED.sub(r'"\1"', sentence.replace("’", "'"))
    raw = [w for w in _raw(quoted) if w.text not in _QUOTES][:_MAX_WORDS]
    result: list[Word] = []
    index = 0
    while index < len(raw):
        for size in (3, 2):
            phrase = tuple(w.low for w in raw[index : index + size])
            if len(phrase) == size and phrase in _MULTI:
                name = _MULTI[phrase]
                last = raw[index + size - 1]
                text = sentence[raw[index].start : last.end]
                word = Word(text, name, raw[index].start, last.end, {_MULTI_AS[name]}, name)
                index += size
                break
        else:
            word = raw[index]
            _classify(word, result[-1] if result else None)
            index += 1
        result.append(word)
    _settle(result)
    for word in result:
        word.can, word.forms = _one(word.can), _one(word.forms)
    return result


_SETS: dict[frozenset[str], set[str]] = {}


def _one(letters: set[str]) -> set[str]:
    """The one set for all that are equal: there are a few dozen among all words."""
    return _SETS.setdefault(frozenset(letters), letters)


def _raw(sentence: str) -> list[Word]:
    """Tokens with contractions taken apart."""
    found: list[Word] = []
    sentence = sentence.replace("’", "'")
    for match in _TOKEN.finditer(sentence):
        text, start, end = match.group(), match.start(), match.end()
        low = text.lower()
        # "don" + "'" + "t": the pattern cannot see it whole.
        if low == "t" and len(found) >= 2 and found[-1].text == "'" and found[-1].end == start:
            found.pop()
            stem = found[-1]
            if stem.low.endswith("n") and stem.low not in {"n", "can"}:
                stem.text, stem.low, stem.end = stem.text[:-1], stem.low[:-1], stem.end - 1
            found.append(Word("n't", "not", stem.end, end))
            continue
        if text == "'" and found and found[-1].low == "o" and found[-1].end == start:
            found[-1].text, found[-1].low, found[-1].end = "o'", "of", end
            continue
        found.append(Word(text, _DIALECT.get(low, low), start, end))
    return found


def _classify(word: Word, before: Word | None) -> None:  # noqa: C901
    lex, low, can = lexicon(), word.low, word.can
    word.lemma = low
    if not low[0].isalnum() and low[0] != "'":
        can.add(".")
        return
    if low in {"'", "'s"}:
        can.update({"'", "A"} if low == "'s" else {"'"})
        return
    if low in {"'m", "'re", "'ve", "'ll", "'d"}:
        can.add("A")
        word.lemma = {"'m": "be", "'re": "be", "'ve": "have", "'ll": "will", "'d": "would"}[low]
        return
    if low in {"not", "never", "cannot"}:
        can.add("G")
        return
    if number_value(low) is not None:
        can.add("M")
        if low == "one":
            can.add("O")
        return
    for members, letter in (
        (_DETERMINERS, "D"), (_POSSESSIVES, "S"), (_PRONOUNS, "O"), (_PREPOSITIONS, "P"),
        (_AUXILIARIES, "A"), (_SUBORDINATORS, "B"),
    ):  # fmt: skip
        if low in members:
            can.add(letter)
    if low in {"and", "or", "but", "nor"}:
        can.add("C")
    if low in {"who", "whom", "what", "which", "where", "when", "why", "how", "whose", "that"}:
        can.add("W")
    if low in lex.forms:
        lemmas = lex.forms[low]
        word.forms = {form for _, form in lemmas}
        if "A" in can:
            word.lemma = lemmas[0][0]
            if low in {"have", "has", "had", "do", "does", "did"}:
                can.add("V")
        elif not can & {"P", "O", "S", "D"} or low in {"like", "past"}:
            can.add("V")
            word.lemma = lemmas[0][0]
            if word.forms & {"ing"} or low in lex.noun_like or singular(low) in lex.noun_like:
                can.add("N")
    if low in lex.adverbs:
        can.add("R")
    if low in lex.adjectives:
        can.add("J")
        can.discard("N") if low not in lex.noun_like else None
    if low in lex.persons or low in lex.places or low in lex.times:
        can.add("N")
    named = word.text[:1].isupper() and before is not None and low != "i"
    if not can or can <= {"V"} or named:
        _guess(word, before)


def _guess(word: Word, before: Word | None) -> None:
    """What an unknown word, or a known verb, can be by its looks."""
    low, can = word.low, word.can
    capital = word.text[:1].isupper()
    first = before is None or before.low in {".", "!", "?", ":"}
    if capital and low not in lexicon().not_names and not (first and can):
        can.clear()
        can.add("E")
        return
    if can:
        return
    if low.endswith("ly") and len(low) > 4:
        can.update("R" if low not in {"family", "belly", "jelly", "lily", "holly"} else "N")
    elif low.endswith("ed") and len(low) > 4:
        can.update({"V", "J"})
        word.forms = {"past", "part"}
        word.lemma = min(lexicon().keys(low), key=len)
    elif low.endswith("ing") and len(low) > 5:
        can.update({"V", "N"})
        word.forms = {"ing"}
        word.lemma = min(lexicon().keys(low), key=len)
    elif low.endswith(("ful", "ous", "less", "ish", "ive", "able", "ible")) and len(low) > 5:
        can.update({"J", "N"})
    else:
        can.add("N")


def _settle(found: list[Word]) -> None:  # noqa: C901
    """Resolve what two neighbours make clear."""
    for index, word in enumerate(found):
        before = found[index - 1] if index else None
        after = found[index + 1] if index + 1 < len(found) else None
        low = word.low
        if low == "'s" and before is not None:
            verbal = before.is_("OWR") and not before.is_("NE")
            if not verbal and after is not None and before.is_("NE"):
                alone = index + 2 >= len(found) or found[index + 2].is_(".")
                somebody = bool(lexicon().keys(before.low) & lexicon().persons)
                verbal = (
                    after.is_("DSGP")
                    or (after.is_("E") and alone and somebody)
                    or (after.forms & {"part"} and not after.is_("NE"))
                    or after.low.endswith("ing")
                ) and after.low not in {"own"}
            if after is None or after.is_("."):
                verbal = False
            word.can = {"A"} if verbal else {"'"}
            if verbal:
                perfect = (
                    after is not None
                    and bool(after.forms & {"part"})
                    and after.low in {"been", "got", "had"}
                )
                word.lemma = "have" if perfect else "be"
        elif low == "me" and after is not None and after.is_("NJ") and _sailors_my(found, index):
            word.can, word.low = {"S"}, "my"
        elif low == "her" and after is not None:
            noun_follows = after.is_("NJEM") and not after.is_("P")
            noun_follows = noun_follows and after.low not in {"half", "most", "twice"}
            word.can = {"S"} if noun_follows else {"O"}
        elif low == "that" and before is not None:
            rules = (
                before.is_("V") and before.lemma in _THINKING and _clause_follows(found, index + 1)
            )
            if rules or (before.is_("NEOAV") and after is not None and after.is_("VAOSED")):
                word.can = {"W"}
            elif after is not None and after.is_("NJM") and not after.is_("OSD"):
                word.can = {"D"}
        elif low == "than" and after is not None and after.low in _SUBJECTS:
            word.can = {"B"}
        elif low.endswith("ed") and "J" in word.can and after is not None and after.low == "by":
            word.can.add("V")
            word.forms = word.forms or {"past", "part"}
            word.lemma = min(lexicon().keys(low) | {low[:-2]}, key=len)
        elif low == "used" and after is not None and after.low == "to":
            word.can, word.lemma = {"A"}, "use"
        elif _participle_before_noun(word, before, after):
            word.can = {"V", "J"}
        elif (
            low in {"last", "fall", "spring", "march"}
            and after is not None
            and (lexicon().keys(after.low) & lexicon().times)
        ):
            word.can = {"J"}
        elif low in {"before", "after", "since", "until", "till"} and after is not None:
            if after.is_("O") and after.low in {"i", "he", "she", "we", "they"}:
                word.can = {"B"}
            elif not _clause_follows(found, index + 1):
                word.can.discard("B")
        elif (
            word.can == {"V"}
            and word.forms <= {"base"}
            and before is not None
            and before.low in {"the", "a", "my", "your"}
            and (after is None or after.is_("."))
        ):
            word.can = {"N"}  # "for the sow"
        elif word.can == {"V", "J"} and before is not None and before.is_("DS"):
            word.can = {"J"}  # "a tame crow"
        elif "V" in word.can and "N" in word.can and before is not None:
            if before.is_("DS") or (before.is_("J") and index > 1 and found[index - 2].is_("DSM")):
                word.can.discard("V")
            elif before.low == "to" or (before.is_("O") and not before.is_("DS")):
                word.can.discard("N") if before.low != "to" or word.forms & {"base"} else None


def _sailors_my(found: list[Word], index: int) -> bool:
    """Whether "me" means "my": "me parrot talks", "the navy hanged me mate", "in me pocket"."""
    before, after = found[index - 1] if index else None, found[index + 1]
    if after.is_("DSOPRMA") or (after.is_("V") and not after.is_("N")):
        return False
    lex = lexicon()
    if before is None or before.is_(".CW") or before.low in {"is", "'s", "was", "of"}:
        return True
    if before.is_("P"):
        return before.low in {"in", "on", "with"} and after.is_("N")
    human = bool(lex.keys(after.low) & lex.persons)
    return before.is_("V") and human and not {before.lemma, before.low} & _GIVES_ME


def _participle_before_noun(word: Word, before: Word | None, after: Word | None) -> bool:
    """Whether "painted" stands as an adjective: "with painted faces"."""
    return (
        word.can == {"V"}
        and word.low.endswith("ed")
        and before is not None
        and before.is_("PC")
        and after is not None
        and after.is_("N")
        and not after.is_("DSOP")
    )


def _clause_follows(found: list[Word], start: int) -> bool:
    """Whether a subject and a verb stand before the next mark."""
    seen_noun = False
    for word in found[start : start + 8]:
        if word.is_(".C"):
            return False
        if seen_noun and word.is_("VA") and not word.is_("N"):
            return True
        seen_noun = seen_noun or word.is_("NEO")
    return False
