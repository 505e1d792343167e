"""Noun phrases: their words, their head, whose they are; and what a clause is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import Word

__all__ = ["Clause", "Phrase", "PhraseReader"]

_RULING = frozenset(["learn", "teach", "refuse", "forget"])


@dataclass(slots=True)
class Phrase:
    """A noun phrase: its words, its head, the names in it and whose it is."""

    words: list[Word]
    start: int
    end: int
    head: Word
    names: tuple[str, ...] = ()
    owner: Phrase | None = None
    """Whose it is: "my" (a phrase of one word), "my sister", "Bren"."""
    of: Phrase | None = None
    others: list[Phrase] = field(default_factory=list)
    """What "and" or "or" ties to it."""
    about: list[Clause] = field(default_factory=list)
    """Relative clauses."""

    def content(self) -> list[Word]:
        """Words that carry meaning, those of the owner and the complement included."""
        own = [w for w in self.words if w.is_("NEJMV") and w.low not in lexicon().fillers]
        if self.of is not None:
            own += self.of.content()
        for other in self.others:
            own += other.content()
        return own

    def everyone(self) -> list[Phrase]:
        """The phrase itself and what is tied to it."""
        return [self, *self.others]


@dataclass(slots=True)
class Clause:
    """One verb and what belongs to it."""

    subject: Phrase | None = None
    verbs: list[Word] = field(default_factory=list)
    auxiliaries: list[Word] = field(default_factory=list)
    particles: list[Word] = field(default_factory=list)
    objects: list[Phrase] = field(default_factory=list)
    places: list[tuple[str, Phrase]] = field(default_factory=list)
    """Preposition and phrase; the preposition is ``"@time"`` for "last week"."""
    extras: list[Word] = field(default_factory=list)
    """Adjectives and adverbs beside the verb."""
    negated: bool = False
    passive: bool = False
    link: str = ""
    """The word that ties it to the clause before: "because", "when", "to", "that"..."""
    start: int = 0
    end: int = 0
    subject_shared: bool = False
    stranded: str = ""
    """A preposition with nothing behind it: "who did you give it to"."""
    relative: bool = False
    subs: list[Clause] = field(default_factory=list)

    @property
    def verb(self) -> str:
        """Lemma of the verb that carries the meaning; "be" for a copula."""
        if len(self.verbs) > 1 and self.verbs[0].lemma in _RULING:
            return self.verbs[0].lemma
        return self.verbs[-1].lemma if self.verbs else ("be" if self.auxiliaries else "")

    def phrases(self) -> Iterator[Phrase]:
        """Every noun phrase: subject, objects, then those behind prepositions."""
        if self.subject is not None:
            yield self.subject
        yield from self.objects
        for _, phrase in self.places:
            yield phrase


class PhraseReader:
    """Reads noun phrases from the words of one sentence; `at` is where it stands."""

    def __init__(self, found: list[Word]) -> None:
        self.words = found
        self.at = 0
        self.found: list[Clause] = []
        self.pending = ""

    # -- looking -------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> Word | None:
        """The word at, or after, the place where the reader stands."""
        index = self.at + ahead
        return self.words[index] if 0 <= index < len(self.words) else None

    def _phrase_begins(self, word: Word | None) -> bool:
        if word is None:
            return False
        if word.is_("A") and not word.is_("N"):
            return False
        return (word.is_("DSOMENJ") and not (word.is_("V") and not word.is_("N"))) or (
            word.is_("V") and word.is_("J")
        )

    def _verb_later(self, start: int) -> bool:
        """Whether a word that can only be a verb comes before the clause ends."""
        for word in self.words[start : start + 7]:
            if word.is_(".CBW"):
                return False
            if (word.is_("V") and not word.is_("NJ") and not word.forms <= {"ing"}) or word.is_(
                "A"
            ):
                return True
            if word.is_("DSO") and not word.is_("V"):
                return False
        return False

    def _clause_at(self, start: int) -> bool:
        """Whether a subject and its verb begin here."""
        saved, self.at = self.at, start
        while (word := self.peek()) is not None and word.is_("R") and not word.is_("N"):
            self.at += 1
        phrase = self.phrase(subject=True) if self._phrase_begins(self.peek()) else None
        word = self.peek()
        while word is not None and word.is_("RG") and not word.is_("VN"):
            self.at += 1
            word = self.peek()
        found = phrase is not None and word is not None and self._finite(word)
        self.at = saved
        return found

    @staticmethod
    def _finite(word: Word) -> bool:
        return word.is_("A") or (word.is_("V") and not word.forms <= {"ing"})

    # -- noun phrases --------------------------------------------------------------------------

    def phrase(self, *, subject: bool = False) -> Phrase | None:  # noqa: C901
        """Read one noun phrase; with `subject`, a verb ends it as early as it may."""
        begin = self.at
        owner: Phrase | None = None
        found: list[Word] = []
        while (word := self.peek()) is not None:
            after = self.peek(1)
            if not found and owner is None and word.is_("O") and not word.is_("SM"):
                self.at += 1
                found.append(word)
                break
            if word.is_("'"):
                if not found:
                    break
                self.at += 1
                owner = self._make(found, begin, self.at - 1, owner)
                found = []
                continue
            if word.is_("A") and not word.is_("N"):
                break
            heads = any(w.is_("NEO") for w in found)
            if word.is_("DS"):
                if found:
                    break
            elif word.is_("V") and not word.is_("N"):
                # "a broken cart": a participle between determiner and noun
                inside = (
                    (found or word.is_("J"))
                    and not heads
                    and word.forms & {"part", "ing"}
                    and self._phrase_begins(after)
                )
                if not inside:
                    break
            elif word.is_("V") and heads:
                if subject and not self._verb_later(self.at + 1):
                    break
                if not subject and after is not None and after.is_("DSO"):
                    break
            elif word.is_("R") and not word.is_("NJ"):
                if not found or heads or not (after is not None and after.is_("JMD")):
                    break
            elif (
                (word.is_("O") and not word.is_("M"))
                or not word.is_("NEJM")
                or (
                    heads and word.is_("J") and not word.is_("N") and not self._phrase_begins(after)
                )
                or (heads and word.is_("M"))
                or (heads and self._time_starts(word))
                or (heads and word.low == "back" and not self._phrase_begins(after))
            ):
                break
            elif (
                heads
                and found[-1].is_("E")
                and word.is_("N")
                and not word.is_("E")
                and not subject
                and found[0].is_("E")
            ):
                pass
            self.at += 1
            found.append(word)
            if (
                word.is_("D")
                and word.low in {"this", "that", "these", "those", "all", "both", "some"}
                and not (after is not None and after.is_("NEJMDS"))
            ):
                break
        if not found:
            self.at = begin
            return None
        made = self._make(found, begin, self.at, owner)
        self._extend(made, subject=subject)
        return made

    def _time_starts(self, word: Word) -> bool:
        return word.low in {"yesterday", "today", "tomorrow", "tonight"} or (
            word.low in {"last", "next"}
            and (after := self.peek(1)) is not None
            and after.low in lexicon().times
        )

    @staticmethod
    def _make(found: list[Word], start: int, end: int, owner: Phrase | None) -> Phrase:
        nouns = [w for w in found if w.is_("NV") and not w.is_("ESD")]
        names = tuple(w.text for w in found if w.is_("E"))
        head = nouns[-1] if nouns else found[-1]
        first = found[0]
        if owner is None and first.is_("S"):
            owner = Phrase([first], start, start + 1, first)
            found = found[1:] or found
        return Phrase(list(found), start, end, head, names, owner)

    def _extend(self, phrase: Phrase, *, subject: bool) -> None:  # noqa: C901
        """Add what stands behind the head: names, "of ...", "and ...", relative clauses."""
        word = self.peek()
        if (
            word is not None
            and word.low in {"named", "called"}
            and (after := self.peek(1))
            and after.is_("ENJ")
        ):
            if after.is_("E") or after.text[:1].isupper():
                self._take_names(phrase)
        elif word is not None and word.low == "," and (after := self.peek(1)) is not None:
            closing = self.peek(2)
            if (
                after.low == "the"
                and closing is not None
                and closing.is_("E")
                and not phrase.names
                and not self._name_ends_it(3)
            ):
                self.at += 1
                self._take_names(phrase)
                self.at += 1
                closing = None
            if after.is_("E") and not phrase.names and closing is not None and closing.low == ",":  # noqa: SIM102
                if phrase.head.low in lexicon().persons or phrase.owner is not None:
                    self._take_names(phrase)
                    self.at += 1
        if (word := self.peek()) is not None and word.low == ",":
            self._apposition(phrase)
        if (word := self.peek()) is not None and word.low == "of":
            saved = self.at
            self.at += 1
            phrase.of = self.phrase(subject=subject)
            if phrase.of is None:
                self.at = saved
        word, after = self.peek(), self.peek(1)
        if word is None:
            return
        if (word.is_("C") and word.low in {"and", "or", "nor"}) or word.low == "as_well_as":
            if self._phrase_begins(after) and (subject or not self._clause_at(self.at + 1)):
                saved = self.at
                self.at += 1
                if other := self.phrase(subject=subject):
                    phrase.others.extend(other.everyone())
                    other.others = []
                else:
                    self.at = saved
        elif word.low == "," and self._phrase_begins(after) and self._list_goes_on():
            self.at += 1
            if other := self.phrase(subject=subject):
                phrase.others.extend(other.everyone())
                other.others = []
        phrase.end = self.at

    def _apposition(self, phrase: Phrase) -> None:
        """Read ", a cooper," as "is a cooper"."""
        saved, after = self.at, self.peek(1)
        if after is None or after.low not in {"a", "an", "the"}:
            return
        self.at += 1
        other = self.phrase(subject=True)
        closing = self.peek()
        lex = lexicon()
        person = other is not None and not other.others and lex.keys(other.head.low) & lex.persons
        if other is None or not person or closing is None or closing.low != ",":
            self.at = saved
            return
        self.at += 1
        copula = Word("is", "is", 0, 0, {"A"}, "be")
        self.found.append(
            Clause(
                subject=phrase,
                auxiliaries=[copula],
                objects=[other],
                start=saved,
                end=self.at,
                relative=True,
            )
        )

    def _take_names(self, phrase: Phrase) -> None:
        names = []
        self.at += 1
        while (word := self.peek()) is not None and (
            word.is_("E") or (word.text[:1].isupper() and word.is_("NJ"))
        ):
            names.append(word.text)
            phrase.words.append(word)
            self.at += 1
        phrase.names += tuple(names)
        phrase.end = self.at

    def _list_goes_on(self) -> bool:
        """Whether "and" or "or" comes after this comma and the next phrase, with no verb between."""  # noqa: E501
        if self._clause_at(self.at + 1):
            return False
        for word in self.words[self.at + 1 : self.at + 9]:
            if word.low in {"and", "or"}:
                return True
            if not word.is_("DSENJMR") and word.low != ",":
                return False
        return False

    def _name_ends_it(self, ahead: int) -> bool:
        """Whether the apposition is not closed by a comma."""
        word = self.peek(ahead)
        while word is not None and word.is_("E"):
            ahead += 1
            word = self.peek(ahead)
        return word is None or word.low != ","
