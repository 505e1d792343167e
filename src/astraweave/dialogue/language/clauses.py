"""From words to clauses: who, does what, to what, where.

A chunker, not a grammar: it reads left to right, never fails, and leaves out what it does not
understand. Everything that a clause says stays reachable through its span of words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import Word, words

_RULING = frozenset(["learn", "teach", "refuse", "forget"])
THINKING = group("clauses.thinking")
_PARTICLES = frozenset(["up", "down", "out", "off", "over", "away", "back"])

__all__ = ["THINKING", "Clause", "Phrase", "Reader", "read"]


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


def read(sentence: str) -> list[Clause]:
    """Clauses of one sentence.

    Examples
    --------
    >>> [c.verb for c in read("Mira hid a ring under the mill and Aldo found it.")]
    ['hide', 'find']
    """
    return Reader(words(sentence)).clauses()


def subject_list(reader: Reader, ahead: int) -> bool:
    """Whether the apposition is not closed by a comma."""
    word = reader.peek(ahead)
    while word is not None and word.is_("E"):
        ahead += 1
        word = reader.peek(ahead)
    return word is None or word.low != ","


def _goes_on_passive(clause: Clause) -> bool:
    """As in "was written by her and delivered by him"."""
    bare = clause.subject_shared and clause.verbs and not clause.auxiliaries
    return bool(
        bare and "part" in clause.verbs[0].forms and any(p == "by" for p, _ in clause.places)
    )


class Reader:
    """Reads one sentence; `at` is where it stands."""

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
                and not subject_list(self, 3)
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

    # -- clauses -------------------------------------------------------------------------------

    def clauses(self) -> list[Clause]:
        """Read the whole sentence."""
        link = ""
        shared: Phrase | None = None
        while self.peek() is not None:
            before = self.at
            clause = self.clause(link=link, shared=shared)
            before_it = self.found[-1] if self.found else None
            if before_it is not None and before_it.passive and _goes_on_passive(clause):
                clause.passive = True
            if clause.verbs or clause.auxiliaries or clause.subject is not None or clause.places:
                self.found.append(clause)
                if clause.subject is not None and not clause.relative:
                    shared = clause.subject
            link, self.pending = self.pending, ""
            while (word := self.peek()) is not None and (
                word.is_(".C") or (word.is_("B") and not self._phrase_begins(word))
            ):
                if word.is_("B"):
                    link = word.low
                self.at += 1
                if link:
                    break
            if self.at == before:
                self.at += 1
        return self.found

    def clause(
        self, *, link: str = "", shared: Phrase | None = None, subject: Phrase | None = None
    ) -> Clause:
        """Read one clause from here on; `shared` is the subject when none stands here."""
        made = Clause(link=link, start=self.at, subject=subject, relative=subject is not None)
        while (word := self.peek()) is not None:
            if self._step(made, word, shared):
                break
        made.end = self.at
        if made.subject is None and shared is not None and (made.verbs or made.auxiliaries):
            made.subject, made.subject_shared = shared, True
        self._finish(made)
        return made

    def _step(self, made: Clause, word: Word, shared: Phrase | None) -> bool:  # noqa: C901
        """Read one thing into the clause; True when the clause ends here."""
        started = bool(made.verbs or made.auxiliaries)
        after = self.peek(1)
        if word.is_("."):
            return self._mark(made, word, started=started)
        if word.is_("C"):
            return self._conjunction(made, word, after, started=started)
        if word.low == "that" and word.is_("W") and made.verb == "be" and started:
            self.at += 1
            self.pending = "that"
            return True
        if word.is_("W") and started and not word.is_("D"):
            return self._relative_or_end(made, word)
        if word.is_("W") and not started and made.subject is not None:
            return self._relative_or_end(made, word)
        opens = word.is_("B") and (not word.is_("P") or self._clause_at(self.at + 1))
        if opens and not started and made.subject is None and not made.link:
            made.link = word.low
            return self._skip()
        if word.is_("B") and (started or made.subject is not None) and not word.is_("P"):
            return True
        if word.is_("B") and word.is_("P") and started and self._clause_at(self.at + 1):
            return True
        if word.is_("G"):
            made.negated = True
            self.at += 1
            return False
        if (
            word.low == "to"
            and after is not None
            and after.is_("VA")
            and (after.forms & {"base"} or after.low in {"be", "have", "do"})
        ):
            self._infinitive(made, after)
            return False
        if word.is_("P") and not (
            word.is_("V") and made.subject is not None and not made.verbs and not word.is_("R")
        ):
            self._preposition(made, word)
            return False
        if word.is_("A") and not made.verbs:
            if word.is_("V") and not self._verb_group_follows():
                made.verbs.append(word)
            else:
                made.auxiliaries.append(word)
            self.at += 1
            return False
        if word.is_("V") and self._is_verb_here(made, word):
            if (
                made.verbs
                and not word.forms <= {"ing", "part", "past"}
                and not self._chain(made, word)
            ):
                return self._give_back(made)
            made.verbs.append(word)
            self.at += 1
            return False
        if word.is_("A"):
            if made.verbs and made.subject is not None:
                return self._give_back(made)
            return self._skip()
        if self._phrase_begins(word):
            return self._take_phrase(made, word, started=started)
        if word.is_("RJ"):
            made.extras.append(word)
        return self._skip()

    def _give_back(self, made: Clause) -> bool:
        """As in "I hope the road was kind": the last phrase is the subject of what follows."""
        if made.objects and made.objects[-1].end == self.at and made.verb in THINKING:
            self.at = made.objects.pop().start
            self.pending = "that"
        return True

    def _skip(self) -> bool:
        self.at += 1
        return False

    def _mark(self, made: Clause, word: Word, *, started: bool) -> bool:
        self.at += 1
        if word.low == "," and not started:
            return False  # "Under the mill, my sister ..."
        after = self.peek()
        if word.low == "," and after is not None and started:
            if after.is_("W") and after.low in {"who", "which", "whose", "where"}:
                return self._relative_or_end(made, after)
            if after.is_("P") and not after.is_("B"):
                return False
            if after.is_("R") and not self._clause_at(self.at):
                return False
            if after.is_("V") and after.forms & {"ing"}:
                return False
        return word.low in {",", ".", "!", "?", ":", ";"} or started

    def _conjunction(self, made: Clause, word: Word, after: Word | None, *, started: bool) -> bool:
        if not started:
            return self._skip()
        if (
            self._phrase_begins(after)
            and not self._clause_at(self.at + 1)
            and not (after is not None and after.is_("V"))
        ):
            self.at += 1
            phrase = self.phrase()
            if phrase is not None:
                if (
                    made.places
                    and made.places[-1][1].end >= self.at - 8
                    and made.places[-1][1].end == phrase.start - 1
                ):
                    made.places[-1][1].others.append(phrase)
                else:
                    made.objects.append(phrase)
            return False
        if after is not None and after.is_("J") and not after.is_("V"):
            return self._skip()
        return True

    def _relative_or_end(self, made: Clause, word: Word) -> bool:
        """A relative clause about the last phrase; the sentence goes on behind it."""
        last = self._last_phrase(made)
        if last is None or (last.end < self.at - 2):
            if not made.verbs and not made.auxiliaries:
                return self._skip()
            made.link = made.link or ""
            return True
        self.at += 1
        after = self.peek()
        lex = lexicon()
        if word.low == "where" and last.head.low not in lex.places:
            self.at -= 1
            return True
        if word.low == "when" and not lex.keys(last.head.low) & lex.times:
            self.at -= 1
            return True
        if word.low == "who" and made.objects and last is not made.objects[-1]:
            last = made.objects[-1]
        if word.low in {"where", "when", "why", "how", "what"} or (
            word.low == "that"
            and self._clause_at(self.at)
            and made.verb
            in {
                "say",
                "tell",
                "think",
                "know",
                "hear",
                "hope",
                "believe",
                "swear",
                "claim",
            }
        ):
            self.at -= 1 if word.low != "that" else 0
            if word.low in {"where", "when"}:
                self.at += 1
                inner = self.clause(subject=None)
                inner.places.append(("at" if word.low == "where" else "@time", last))
                inner.relative = True
                self.found.append(inner)
                return False
            if word.low == "that":
                self.pending = "that"
            return True
        if word.low == "whose":
            inner_subject = self.phrase(subject=True)
            if inner_subject is not None:
                inner_subject.owner = last
            inner = self.clause(subject=inner_subject)
        elif after is not None and self._finite_soon(after):
            inner = self.clause(subject=last)
        else:
            inner = self.clause()
            inner.relative = True
            if inner.stranded:
                inner.places.append((inner.stranded, last))
                inner.stranded = ""
            else:
                inner.objects.insert(0, last)
        last.about.append(inner)
        self.found.append(inner)
        return False

    def _finite_soon(self, word: Word) -> bool:
        ahead = 0
        while word.is_("RG") and not word.is_("V"):
            ahead += 1
            following = self.peek(ahead)
            if following is None:
                return False
            word = following
        return self._finite(word)

    def _last_phrase(self, made: Clause) -> Phrase | None:
        found = [p for p in made.phrases() if p.end <= self.at]
        return max(found, key=lambda p: p.end, default=None)

    def _infinitive(self, made: Clause, verb: Word) -> None:
        """As in "to sell": the clause's verb becomes the last of the chain, or a purpose of its own."""  # noqa: E501
        self.at += 2
        if made.objects and made.verbs:
            made.subs.append(
                Clause(subject=made.subject, verbs=[verb], link="to", start=self.at - 2)
            )
            made.extras.append(verb)
        elif verb.is_("V"):
            made.verbs.append(verb)
        else:
            made.auxiliaries.append(verb)

    def _preposition(self, made: Clause, word: Word) -> None:
        self.at += 1
        after = self.peek()
        if word.low in _PARTICLES and after is not None and made.verbs and self._time_ahead():
            made.particles.append(word)
            return
        if after is not None and after.is_("V") and after.forms & {"ing"} and not after.is_("J"):
            following = self.peek(1)
            if following is None or not following.is_("NE") or after.low in {"selling", "stealing"}:
                made.extras.append(after)
                self.at += 1
                return
        if after is not None and after.is_("P") and not after.is_("DSO"):
            self.at += 0
            made.particles.append(word)
            return
        while (
            after is not None
            and after.is_("R")
            and not after.is_("NJ")
            and self._phrase_begins(self.peek(1))
        ):
            self.at += 1
            after = self.peek()
        waiting = made.subject is not None and not (made.verbs or made.auxiliaries)
        phrase = self.phrase(subject=waiting) if self._phrase_begins(after) else None
        if phrase is not None:
            made.places.append((word.low, phrase))
        elif after is not None and after.low in {"here", "there", "home", "abroad"}:
            made.extras.append(after)
            self.at += 1
        else:
            made.particles.append(word)
            made.stranded = word.low

    def _time_ahead(self) -> bool:
        """Whether the phrase here tells a time: "two winters ago", "last spring"."""
        saved = self.at
        phrase = self.phrase() if self._phrase_begins(self.peek()) else None
        after = self.peek()
        self.at = saved
        lex = lexicon()
        return phrase is not None and (
            (after is not None and after.low == "ago")
            or bool(lex.keys(phrase.head.low) & lex.times)
        )

    def _verb_group_follows(self) -> bool:
        """Behind "have" or "do": whether the real verb is still to come."""
        for word in self.words[self.at + 1 : self.at + 4]:
            if word.is_("GR"):
                continue
            if word.is_("A") and word.low in {"been", "be", "had", "have"}:
                return True
            return word.is_("V") and not word.is_("DNJ")
        return False

    def _is_verb_here(self, made: Clause, word: Word) -> bool:
        after = self.peek(1)
        if (
            word.is_("J")
            and not made.verbs
            and made.auxiliaries
            and self._phrase_begins(after)
            and not word.forms & {"part"}
        ):
            return False
        if not word.is_("N"):
            return True
        if made.verbs:
            return bool(word.forms & {"ing"}) and made.verb in {
                "go",
                "like",
                "love",
                "enjoy",
                "hate",
                "start",
                "begin",
                "stop",
                "keep",
                "prefer",
                "be",
                "come",
                "finish",
                "dislike",
                "fear",
                "try",
                "spend",
            }
        if made.auxiliaries:
            last = made.auxiliaries[-1]
            if last.lemma in {"be", "have"} and not word.forms & {"ing", "part"}:
                return False
            return bool(last.lemma != "be" or word.forms & {"ing", "part"})
        if made.subject is not None:
            return True
        return made.subject is None and not self._clause_at(self.at)

    def _chain(self, made: Clause, word: Word) -> bool:
        return made.verb in {
            "let",
            "make",
            "help",
            "go",
            "come",
            "see",
            "hear",
            "watch",
        } or word.is_("J")

    def _take_phrase(self, made: Clause, word: Word, *, started: bool) -> bool:
        if word.is_("J") and made.auxiliaries and not made.verbs and not word.is_("NEM"):
            following = self.peek(1)
            if following is None or not following.is_("NEJ"):
                made.extras.append(word)
                return self._skip()
        if (
            started
            and made.objects
            and word.is_("O")
            and word.low in {"i", "he", "she", "we", "they"}
        ):
            return True  # "the ring I lost": a relative clause without its word is read apart
        if (
            started
            and word.low in {"i", "he", "she", "we", "they"}
            and not made.objects
            and made.verbs
        ):
            return True
        behind = made.link and made.link != "that" and (made.objects or made.extras or made.places)
        if started and behind and self._clause_at(self.at):
            return True  # "When I was a boy my mother sang"
        asked = bool(made.auxiliaries) and not made.verbs and made.subject is None
        phrase = self.phrase(subject=not started or asked)
        if phrase is None:
            return self._skip()
        lex = lexicon()
        after = self.peek()
        if after is not None and after.low == "ago":
            self.at += 1
            phrase.end = self.at
            phrase.words.append(after)
            made.places.append(("@time", phrase))
            return False
        is_time = any(k in lex.times for k in lex.keys(phrase.head.low)) and phrase.owner is None
        if (
            is_time
            and (
                phrase.head.low in {"yesterday", "today", "tomorrow", "tonight"}
                or phrase.words[0].low
                in {"last", "next", "this", "every", "each", "that", "one", "all", "the"}
            )
            and not (after is not None and after.is_("A"))
            and (made.objects or not started or made.verbs)
        ) and not (made.verb in {"like", "love", "hate", "prefer", "be"} and not made.objects):
            made.places.append(("@time", phrase))
            return False
        if not started and made.subject is None:
            made.subject = phrase
            self._reduced(made, phrase)
        elif (
            started
            and made.subject is None
            and not made.verbs
            and made.auxiliaries
            and not made.relative
        ):
            made.subject = phrase  # inverted: "is my sister ..."
        else:
            made.objects.append(phrase)
            self._reduced(made, phrase)
        return False

    def _reduced(self, made: Clause, phrase: Phrase) -> None:
        """As in "a ring made of silver", "the mule I bought": relative clauses without their word."""  # noqa: E501
        word = self.peek()
        if word is None:
            return
        started = bool(made.verbs or made.auxiliaries)
        if word.is_("V") and word.forms & {"part"} and started and not word.is_("N"):
            inner = self.clause(subject=phrase)
            inner.passive = True
            self.found.append(inner)
        elif (
            word.is_("O")
            and word.low in {"i", "he", "she", "we", "they", "you"}
            and not started
            and phrase.head is not word
            and self._clause_at(self.at)
            and self._verbs_ahead() >= 2
        ):
            self.found.append(self._bare_relative(phrase))

    def _verbs_ahead(self) -> int:
        """How many verbs that can be nothing else stand before the next mark."""
        count = 0
        for word in self.words[self.at :]:
            if word.is_("."):
                break
            count += word.is_("A") or (word.is_("V") and not word.is_("NJ"))
        return count

    def _bare_relative(self, phrase: Phrase) -> Clause:
        """Read "I bought from Hob" behind "the mule"."""
        saved = self.at
        subject = self.phrase(subject=True)
        inner = Clause(start=saved, subject=subject, relative=True)
        while (word := self.peek()) is not None:
            if inner.verbs and (
                word.is_("A")
                or (word.is_("V") and not word.is_("N") and word.forms & {"past", "s", "base"})
            ):
                break
            if self._step(inner, word, None):
                break
        inner.end = self.at
        self._finish(inner)
        inner.objects.insert(0, phrase)
        return inner

    @staticmethod
    def _finish(made: Clause) -> None:
        be = any(a.lemma == "be" or a.low in {"got"} for a in made.auxiliaries)
        if (
            made.verbs
            and be
            and made.verbs[0].forms & {"part"}
            and not made.verbs[0].forms <= {"ing"}
        ):
            made.passive = "ing" not in made.verbs[0].forms
        if len(made.verbs) > 1 and made.verbs[0].lemma == "get" and "part" in made.verbs[1].forms:
            made.passive = True
        if (
            made.relative
            and made.verbs
            and not made.auxiliaries
            and made.verbs[0].forms == {"part"}
        ):
            made.passive = True
        if made.subject is None and made.stranded and not made.verbs:
            made.stranded = ""
