"""What a memory says, clause by clause, and who is meant by "I", "you" and "she" in it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

from astraweave.dialogue.language.clauses import Clause, Phrase, Reader
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import GIVING
from astraweave.dialogue.language.words import Word, sentences, words
from astraweave.rag.salience import TELLING_TAG, is_question

__all__ = ["Aliases", "Fact", "Roles", "Source", "facts_of", "is_personal", "roles_of", "who"]

_SELF = group("facts.self")
_OTHER = frozenset(["you", "your", "yours", "yourself", "yourselves"])
_PERSONAL = group("facts.personal")
_THING = frozenset(["it", "its", "itself", "one", "they", "them", "their"])
_TAKING = group("facts.taking")
_KEPT_TEXTS = 1024
"""How many texts stay read: what a few dozen characters talk of."""


@dataclass(slots=True, frozen=True)
class Source:
    """Where a text comes from: which memory, who said it to whom."""

    text: str
    speaker: str
    listener: str
    memory_id: int = 0
    game_time: float = 0.0
    score: float = 0.0
    order: int = 0


@dataclass(slots=True)
class Fact:
    """One clause of a source."""

    source: Source
    sentence: str
    words: list[Word]
    clause: Clause
    referents: dict[int, Phrase] = field(default_factory=dict)
    """A pronoun's place in the sentence to the phrase that it stands for."""
    siblings: list[Clause] = field(default_factory=list)
    sentence_clauses: list[Clause] = field(default_factory=list)
    _bag: list[Word] | None = None
    _context: list[Word] | None = None

    def told_by(self, source: Source) -> Fact:
        """The same clause in the mouth of somebody else; what was read of it is shared."""
        return Fact(
            source,
            self.sentence,
            self.words,
            self.clause,
            self.referents,
            self.siblings,
            self.sentence_clauses,
            self.bag(),
            self.context(),
        )

    def meant(self, phrase: Phrase) -> Phrase:
        """The phrase that a pronoun stands for; any other phrase stands for itself."""
        return self.referents.get(phrase.start, phrase) if phrase.head.is_("OS") else phrase

    def bag(self) -> list[Word]:
        """Words that the clause is about, referents of its pronouns included."""
        if self._bag is None:
            clause = self.clause
            found: list[Word] = [*clause.verbs, *clause.extras]
            for phrase in clause.phrases():
                found += _all_content(phrase)
                for part in phrase.everyone():
                    if (meant := self.meant(part)) is not part:
                        found += _all_content(meant)
                    if (
                        part.owner is not None
                        and (meant := self.meant(part.owner)) is not part.owner
                    ):
                        found += _all_content(meant)
                for about in phrase.about:
                    if about is not clause:
                        found += [*about.verbs, *about.extras]
                        for inner in about.phrases():
                            if inner is not phrase:
                                found += _all_content(inner)
            found += [
                w
                for w in self.words[clause.start : clause.end]
                if w.is_("NEM") or w.low in {"home", "abroad"}
            ]
            self._bag = found
        return self._bag

    def context(self) -> list[Word]:
        """Words of the other clauses of the same text."""
        if self._context is None:
            found: list[Word] = []
            for clause in self.siblings:
                if clause is not self.clause:
                    found += [*clause.verbs, *clause.extras]
                    for phrase in clause.phrases():
                        found += _all_content(phrase)
            self._context = found
        return self._context


def _all_content(phrase: Phrase) -> list[Word]:
    found = phrase.content()
    if phrase.owner is not None:
        found = found + _all_content(phrase.owner)
    return found


def facts_of(source: Source) -> list[Fact]:
    """Read a text; questions in it tell nothing and are left out.

    What texts say is kept for the next question: do not change it. Thread-safe.
    """
    return [fact.told_by(source) for fact in _read(source.text)]


@functools.lru_cache(maxsize=_KEPT_TEXTS)
def _read(text: str) -> list[Fact]:  # noqa: C901
    """The clauses of a text, whoever says it."""
    source = Source(text, "", "")
    made: list[Fact] = []
    person: Phrase | None = None
    thing: Phrase | None = None
    lex = lexicon()
    for sentence in sentences(source.text):
        sentence = TELLING_TAG.sub("", sentence.rstrip())
        if is_question(sentence):
            continue
        found = words(sentence)
        clauses = Reader(found).clauses()
        for clause in sorted(clauses, key=lambda c: c.start):
            fact = Fact(source, sentence, found, clause, sentence_clauses=clauses)
            for phrase in clause.phrases():
                for part in phrase.everyone():
                    low = part.head.low
                    if len(part.words) == 1 and part.head.is_("O"):
                        _refer(fact, part, person, thing)
                    if part.owner is not None and part.owner.head.low in _PERSONAL | _THING:
                        _refer(fact, part.owner, person, thing)
                    if part.head.is_("O"):
                        continue
                    if (part.names and part.head.is_("E")) or lex.keys(low) & lex.persons:
                        if (
                            clause.subject is phrase
                            or person is None
                            or clause.subject is None
                            or clause.subject.head.is_("O")
                        ):
                            person = part
                        if not lex.keys(low) & lex.persons and clause.subject is phrase:
                            thing = part
                    elif not (lex.keys(low) & lex.times):  # noqa: SIM102
                        if clause.subject is phrase or phrase in clause.objects or thing is None:
                            thing = part
            made.append(fact)
    everything = [fact.clause for fact in made]
    for fact in made:
        fact.siblings = everything
    return made


def _refer(fact: Fact, part: Phrase, person: Phrase | None, thing: Phrase | None) -> None:
    low = part.head.low
    if low in {"he", "she", "him", "her", "his", "hers"}:
        meant = person or thing
    elif low in {"it", "its"}:
        meant = thing
    elif low in {"they", "them", "their"}:
        meant = thing or person
    else:
        return
    if meant is not None and meant is not part:
        fact.referents[part.start] = meant


def who(low: str, speaker: str, listener: str) -> str:
    """The id that a pronoun stands for; empty when it is none of the first two persons."""
    if low in _SELF:
        return speaker
    if low in _OTHER:
        return listener
    return ""


@dataclass(slots=True)
class Roles:
    """Who does it, to what, and who gets it or gives it."""

    agent: Phrase | None = None
    theme: list[Phrase] = field(default_factory=list)
    recipient: Phrase | None = None
    origin: Phrase | None = None
    complement: list[Phrase] = field(default_factory=list)

    def core(self) -> dict[str, list[Phrase]]:
        """Role to phrases, only those that are filled."""
        return {
            name: phrases
            for name, phrases in (
                ("agent", [self.agent] if self.agent else []),
                ("theme", self.theme),
                ("recipient", [self.recipient] if self.recipient else []),
                ("origin", [self.origin] if self.origin else []),
            )
            if phrases
        }


def roles_of(clause: Clause, gap: str = "") -> Roles:  # noqa: C901
    """Roles of what stands in a clause, the same for active and passive, give and receive.

    `gap` is the grammatical place that a question leaves open, so that what is left is not taken
    for it ("what did Orla give Bren": Bren is no theme).
    """
    if gap in {"number", "amount", "kind"}:
        gap = "object"
    roles = Roles()
    by = next((p for prep, p in clause.places if prep == "by"), None)
    to = next((p for prep, p in clause.places if prep == "to"), None)
    source = next((p for prep, p in clause.places if prep == "from"), None)
    giving = clause.verb in GIVING
    taking = clause.verb in _TAKING
    objects = list(clause.objects)
    if clause.verb == "be":
        roles.agent = clause.subject
        roles.complement = objects
        return roles
    if clause.passive:
        roles.agent = by
        if clause.subject is not None:
            if giving and (objects or gap == "object"):
                roles.recipient = clause.subject
                roles.theme = objects
            else:
                roles.theme = [clause.subject]
                roles.complement = objects
        if to is not None:
            roles.recipient = roles.recipient or to
        if taking:
            roles.origin = source
        return roles
    roles.agent = clause.subject
    if giving and (len(objects) >= 2 or (objects and gap == "object")) and gap != "recipient":
        if gap != "object" or len(objects) >= 2 or is_personal(objects[0]):
            roles.recipient, objects = objects[0], objects[1:]
    elif (
        giving
        and len(objects) == 1
        and clause.verb in {"tell", "teach", "pay", "show"}
        and is_personal(objects[0])
    ):
        roles.recipient, objects = objects[0], []
    elif (
        clause.verb
        in {
            "make",
            "buy",
            "bake",
            "cook",
            "build",
            "bring",
            "call",
            "name",
            "cost",
            "carve",
            "knit",
            "sew",
            "forge",
            "find",
            "get",
            "leave",
        }
        and len(objects) >= 2
        and is_personal(objects[0])
    ):
        roles.recipient, objects = objects[0], objects[1:]
    roles.theme = objects
    if to is not None and clause.verbs and to.words[0].start < clause.verbs[-1].start:
        to = None  # "heading to Port Vell to sell wool"
    if to is not None and (giving or taking):
        roles.recipient = roles.recipient or to
    if taking and source is not None:
        # "Bren got it from Orla": Orla gave it.
        roles.origin = source
    return roles


def is_personal(phrase: Phrase) -> bool:
    """Whether a phrase names or means a person."""
    lex = lexicon()
    return bool(phrase.names or phrase.head.is_("O") or lex.keys(phrase.head.low) & lex.persons)


class Aliases:
    """What is known to be the same: "my sister" and "Mira"."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._described: dict[str, list[tuple[Phrase, Fact]]] = {}
        for fact in facts:
            for phrase in fact.clause.phrases():
                for part in (*phrase.everyone(), *([phrase.owner] if phrase.owner else [])):
                    if part.names and not part.head.is_("E"):
                        self._add(part.names, part, fact)
            subject = fact.clause.subject
            if subject is None:
                continue
            named = [p for p in fact.clause.objects if p.names and p.head.is_("E")]
            subject = fact.meant(subject)
            if named and (fact.clause.verb in {"call", "name"} and fact.clause.passive):
                self._add(named[0].names, subject, fact)
            elif named and fact.clause.verb in {"call", "name"} and len(fact.clause.objects) >= 2:
                self._add(named[-1].names, fact.clause.objects[0], fact)
            elif named and fact.clause.verb == "be":
                if subject.head.low == "name" and (whose := subject.owner or subject.of):
                    self._add(named[0].names, fact.meant(whose), fact)
                elif not subject.head.is_("E"):
                    self._add(named[0].names, subject, fact)
            elif subject.names and subject.head.is_("E") and fact.clause.verb == "be":
                for other in fact.clause.objects:
                    if not other.head.is_("E"):
                        self._add(subject.names, other, fact)

    def _add(self, names: tuple[str, ...], phrase: Phrase, fact: Fact) -> None:
        if phrase.head.is_("O"):
            return
        self._described.setdefault(names[0].casefold(), []).append((phrase, fact))

    def describe(self, names: tuple[str, ...]) -> list[tuple[Phrase, Fact]]:
        """Descriptions of a name, with the facts that gave them."""
        return self._described.get(names[0].casefold(), []) if names else []
