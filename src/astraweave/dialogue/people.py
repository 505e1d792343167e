"""Who is who: "my aunt" is Isaura, and Isaura's brother is Fulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from astraweave.dialogue.facts import Fact, who
from astraweave.dialogue.language.lexicon import lexicon, singular
from astraweave.dialogue.language.phrases import Clause, Phrase
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import Word

__all__ = ["People", "everybody", "nested", "people_of", "rewordings"]

_ANYBODY = frozenset("people person folk family kin relative relatives friends somebody".split())
_MOST_STEPS = 4
_MOST_REWORDINGS = 4
_NAMING = frozenset(["call", "name"])
_HAVING = frozenset(["have", "get", "own", "keep"])


@dataclass(slots=True, frozen=True)
class _Link:
    """Whose what bears a name; who says so, and to whom."""

    owner: Phrase
    head: str
    name: str
    fact: Fact


class People:
    """What facts tell about who belongs to whom.

    Parameters
    ----------
    facts : iterable of Fact
        Clauses of what was told.
    names : mapping of str to str
        Ids to spoken names.
    """

    def __init__(self, facts: Iterable[Fact], names: Mapping[str, str]) -> None:
        self._ids = {name.casefold(): key for key, name in names.items()}
        self._names = dict(names)
        self._links: list[_Link] = []
        for fact in facts:
            self._read(fact, fact.clause)
        self._links.reverse()  # what was said last counts

    def named(self, phrase: Phrase, speaker: str, listener: str, steps: int = 0) -> str:
        """Who is meant: the id of somebody who speaks, a name in lower case, or nothing.

        Parameters
        ----------
        phrase : Phrase
            "my aunt", "Fulk", "the brother of my aunt".
        speaker, listener : str
            Whom "my" and "your" mean.
        """
        if phrase.head.is_("OS"):
            return who(phrase.head.low, speaker, listener)
        if phrase.names:
            name = phrase.names[0].casefold()
            return self._ids.get(name, name)
        owner = phrase.owner or phrase.of
        if owner is None or steps > _MOST_STEPS or phrase.head.is_("E"):
            return ""
        key = self._key(owner, speaker, listener, steps + 1)
        head = singular(phrase.head.low)
        if not key or head != phrase.head.low:
            return ""
        for same in (lambda other: other == head, lambda other: lexicon().same(other, head)):
            for link in self._links:
                source = link.fact.source
                if same(link.head) and (
                    self._key(link.owner, source.speaker, source.listener, steps + 1) == key
                ):
                    return link.name.casefold()
        return ""

    def _key(self, phrase: Phrase, speaker: str, listener: str, steps: int) -> str:
        """Who is meant, though nobody named them: "my nephew" is the same nephew every time."""
        found = self.named(phrase, speaker, listener, steps)
        if found or phrase.names or phrase.owner is None or steps > _MOST_STEPS:
            return found
        whose = self._key(phrase.owner, speaker, listener, steps + 1)
        head = phrase.head.low
        somebody = bool(lexicon().keys(head) & lexicon().persons)
        return f"{whose}'s {head}" if whose and somebody else ""

    def spoken(self, key: str) -> str:
        """A name as it is written."""
        if key in self._names:
            return self._names[key]
        return next((link.name for link in self._links if link.name.casefold() == key), "")

    def descriptions(self, name: str, speaker: str) -> list[str]:
        """What somebody is to a speaker: "my aunt" for Isaura."""
        found = []
        for link in self._links:
            source = link.fact.source
            if link.name.casefold() != name:
                continue
            if self.named(link.owner, source.speaker, source.listener) == speaker:
                found.append(f"my {link.head}")
        return list(dict.fromkeys(found))

    def heads(self, name: str, speaker: str) -> frozenset[str]:
        """What somebody is to a speaker, in one word: "aunt" for Isaura."""
        return frozenset(d.removeprefix("my ") for d in self.descriptions(name, speaker))

    # -- reading -----------------------------------------------------------------------------------

    def _read(self, fact: Fact, clause: Clause) -> None:
        subject = clause.subject
        for phrase in clause.phrases():
            for part in nested(phrase):
                if not part.names or part.head.is_("E"):
                    continue
                owner = part.owner or part.of
                if owner is None and clause.verb in _HAVING and part in clause.objects:
                    owner = subject
                self._link(fact, owner, part.head, part.names[0])
        if subject is None or clause.negated:
            return
        subject = fact.meant(subject)
        if clause.verb == "be" or (clause.verb in _NAMING and clause.passive):
            for other in clause.objects:
                for described, named in ((subject, other), (other, subject)):
                    if not named.names or not named.head.is_("E") or described.head.is_("E"):
                        continue
                    if described.head.low == "name" and described.owner is not None:
                        described = described.owner
                    self._link(
                        fact, described.owner or described.of, described.head, named.names[0]
                    )

    def _link(self, fact: Fact, owner: Phrase | None, head: Word, name: str) -> None:
        if owner is None:
            return
        owner = fact.meant(owner)
        self._links.append(_Link(owner, singular(head.low), name, fact))


def nested(phrase: Phrase) -> list[Phrase]:
    """The phrase, what is tied to it, and whose it is."""
    found = []
    for part in phrase.everyone():
        found.append(part)
        for inner in (part.owner, part.of):
            if inner is not None:
                found += nested(inner)
    return found


def rewordings(
    question: Question, people: People, asker: str, listener: str
) -> list[tuple[str, Question]]:
    """The same question with people named who were described, or described who were named.

    Returns
    -------
    list of (str, Question)
        Texts and what they ask; the question itself is not among them.
    """
    phrases = [*question.clause.phrases(), *(c for s in question.clause.subs for c in s.phrases())]
    phrases += [p for p in (question.target, question.noun) if p is not None]
    named: dict[tuple[int, int], str] = {}
    described: dict[tuple[int, int], str] = {}
    for phrase in phrases:
        for part in nested(phrase):
            if part.head.is_("OS"):
                continue
            key = people.named(part, asker, listener)
            if not key or key in {asker, listener}:
                continue
            span = _span(part)
            if not part.head.is_("E") and (name := people.spoken(key)):
                named[span] = name
            elif descriptions := people.descriptions(key, asker):
                described[span] = descriptions[0]
    found: dict[str, Question] = {}
    for replaced in (named, described):
        text = _replaced(question.text, replaced)
        if text == question.text:
            continue
        again = read_question(f"{text}?")
        if again is not None:
            again.hints |= question.hints
            found.setdefault(text, again)
    return list(found.items())[:_MOST_REWORDINGS]


def people_of(question: Question) -> list[Phrase]:
    """Phrases of a question that mean somebody: by name, or by what they are to somebody."""
    phrases = [*question.clause.phrases(), *(c for s in question.clause.subs for c in s.phrases())]
    phrases += [p for p in (question.target, question.noun) if p is not None]
    found: dict[int, Phrase] = {}
    lex = lexicon()
    for phrase in phrases:
        inner: set[int] = set()
        for part in nested(phrase):
            somebody = bool(lex.keys(part.head.low) & lex.persons)
            if part.owner is not None and part.owner.head.low in {"his", "her", "their"}:
                continue  # whose they are is said elsewhere
            if (
                part.head.low in _ANYBODY
                or id(part) in inner
                or not (part.names or (somebody and (part.owner or part.of)))
            ):
                continue
            found[id(part)] = part
            if somebody:  # whoever owns a sister is no part of what is asked
                inner |= {id(p) for o in (part.owner, part.of) if o is not None for p in nested(o)}
    return list(found.values())


def everybody(fact: Fact, people: People) -> tuple[set[str], set[str]]:
    """Names, and what their bearers are to somebody, of all whom a fact speaks of.

    Returns
    -------
    set of str, set of str
        Of those whom it speaks of; and words for those who are only named to say who is meant
        ("my sister's neighbour" speaks of no sister).
    """
    found: set[str] = set()
    owners: set[str] = set()
    source = fact.source
    for phrase in fact.clause.phrases():
        inner: set[int] = set()
        for part in nested(fact.meant(phrase)):
            if part.head.is_("OS"):
                continue
            if id(part) in inner:
                owners |= {part.head.low, *(n.casefold() for n in part.names)}
                continue
            if _is_person(part):
                inner |= {id(p) for o in (part.owner, part.of) if o is not None for p in nested(o)}
            if key := people.named(part, source.speaker, source.listener):
                found |= {key, *people.heads(key, source.speaker)}
    return found, owners


def _is_person(part: Phrase) -> bool:
    lex = lexicon()
    return bool(lex.keys(part.head.low) & lex.persons) and not part.head.is_("E")


def _span(phrase: Phrase) -> tuple[int, int]:
    words = _all_words(phrase)
    return min(w.start for w in words), max(w.end for w in words)


def _all_words(phrase: Phrase) -> list[Word]:
    found = list(phrase.words)
    for inner in (phrase.owner, phrase.of):
        if inner is not None:
            found += _all_words(inner)
    return found


def _replaced(text: str, replaced: Mapping[tuple[int, int], str]) -> str:
    """A text with stretches exchanged; of two that overlap the longer one."""
    spans = sorted(replaced, key=lambda s: (s[0], -s[1]))
    pieces, at = [], 0
    for start, end in spans:
        if start < at:
            continue
        pieces += [text[at:start], replaced[start, end]]
        at = end
    return "".join([*pieces, text[at:]])
