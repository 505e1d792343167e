"""Whether a fact answers a question, and with what."""

from __future__ import annotations

from dataclasses import dataclass

from astraweave.dialogue.agreement import Agreement
from astraweave.dialogue.facts import Fact
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.phrases import Phrase
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import Word
from astraweave.dialogue.sameness import LIKING
from astraweave.dialogue.slots import Slot, find_slot

__all__ = ["Match", "Matcher"]

_TITLES = group("matching.titles")
_EVALUATIVE = group("matching.evaluative")


@dataclass(slots=True)
class Match:
    """A fact that answers, how well, and what fills the gap."""

    fact: Fact
    fit: float
    slot: Slot | None
    contradicted: bool = False


class Matcher(Agreement):
    """Compares questions of one asker with facts. One instance serves one question.

    Parameters
    ----------
    asker : str
        Id of who asks ("I" in the question).
    listener : str
        Id of who is asked ("you").
    similarity : Similarity
        Judges words that differ.
    aliases : Aliases
        Who is who.
    names : dict of str to str
        Ids to spoken names.
    """

    # -- the whole ------------------------------------------------------------------------------

    def match(self, question: Question, fact: Fact) -> Match | None:
        """The fact as an answer to the question, or None."""
        covered = self._coverage(question, fact)
        if covered is None:
            return None
        if question.gap not in {"name", "age", "colour", "job", "about"} and not self._roles_agree(
            question, fact
        ):
            return None
        if question.gap == "about":
            return Match(fact, covered, None)
        if question.gap == "yesno":
            return Match(fact, covered, None)
        if fact.clause.negated and not question.clause.negated and question.gap != "reason":
            return None
        slot = find_slot(question, fact, self)
        if slot is None:
            return None
        return Match(fact, covered * slot.trust, slot)

    # -- words ----------------------------------------------------------------------------------

    def _coverage(self, question: Question, fact: Fact) -> float | None:
        """Share of the question's words that the fact supports; None when an essential one is not."""  # noqa: E501
        total = supported = 0.0
        for phrase in self._given(question):
            for word in self._demanded(phrase, question):
                weight = 2.0 if word.is_("EM") else 1.0
                total += weight
                strength = self._anywhere(word, fact)
                if strength == 0.0 and not self._optional(word, phrase, question):
                    return None
                supported += weight * strength
            if not self._persons_supported(phrase, fact):
                return None
            if not self._owner_agrees(phrase, fact, question):
                return None
        for clause in (question.clause, *[c for c in question.clause.subs if c.verbs]):
            agreed = self._verb(clause, question, fact)
            if agreed is None and clause is not question.clause:
                verbs = {v.lemma for c in fact.siblings for v in c.verbs}
                agreed = 0.8 if clause.verb in verbs else None
            if agreed is None:
                return None
            total += 1.5
            supported += 1.5 * agreed
            for extra in clause.extras:
                if extra.low in _EVALUATIVE or extra.is_("R"):
                    continue
                strength = self._anywhere(extra, fact)
                if strength == 0.0:
                    return None
                total += 1.0
                supported += strength
        return supported / total if total else 0.0

    def _given(self, question: Question) -> list[Phrase]:
        """Phrases of the question that the fact must support."""
        found: list[Phrase] = []
        seen: set[int] = set()
        clauses = [question.clause, *question.clause.subs]
        for clause in clauses:
            for phrase in clause.phrases():
                if question.gap in {"name", "age", "colour", "job"} and phrase.head.low in {
                    "name",
                    "age",
                    "colour",
                    "color",
                    "job",
                    "trade",
                    "living",
                    "profession",
                    "occupation",
                    "work",
                    "craft",
                    "calling",
                    "nickname",
                    "surname",
                    "title",
                }:
                    continue
                for part in phrase.everyone():
                    if id(part) not in seen:
                        seen.add(id(part))
                        found.append(part)
        if (
            question.target is not None
            and question.target.head.low not in {"name", "age"}
            and id(question.target) not in seen
        ):
            found.append(question.target)
        if question.gap in {"number", "amount", "owner"} and question.noun is not None:
            found.append(question.noun)
        return found

    def _demanded(self, phrase: Phrase, question: Question) -> list[Word]:
        found = [w for w in phrase.content() if not (w.is_("V") and not w.is_("NJ"))]
        for about in phrase.about:
            found += [w for p in about.phrases() if p is not phrase for w in p.content()]
        if any(w.is_("E") and w.low not in self._lex.persons for w in found):
            found = [w for w in found if not (w.is_("E") and w.low in self._lex.persons | _TITLES)]
        owner = phrase.owner
        while owner is not None:
            if not owner.head.is_("S"):
                found += [w for w in owner.content() if w not in found]
            owner = owner.owner
        return [
            w
            for w in found
            if w.low
            not in {
                "thing",
                "things",
                "stuff",
                "something",
                "anything",
                "person",
                "people",
                "someone",
            }
        ]

    def _optional(self, word: Word, phrase: Phrase, question: Question) -> bool:
        if word.is_("EM"):
            return False
        if word.low in LIKING:
            return False
        if word.is_("J") and word is not phrase.head and word.low in _EVALUATIVE:
            return True
        lex = self._lex
        if word is not phrase.head and word.is_("N") and lex.keys(phrase.head.low) & lex.persons:
            return (
                word.low not in lex.materials | lex.colours and not lex.keys(word.low) & lex.persons
            )
        return word.low in _EVALUATIVE and word.is_("RJ") and not word.is_("N")
