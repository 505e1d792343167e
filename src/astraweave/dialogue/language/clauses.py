"""From words to clauses: who, does what, to what, where.

A chunker, not a grammar: it reads left to right, never fails, and leaves out what it does not
understand. Everything that a clause says stays reachable through its span of words.
"""

from __future__ import annotations

from astraweave.dialogue.language.parts import PartReader
from astraweave.dialogue.language.phrases import Clause, Phrase
from astraweave.dialogue.language.verbs import THINKING
from astraweave.dialogue.language.words import Word, words

__all__ = ["THINKING", "Clause", "Phrase", "Reader", "read"]


def read(sentence: str) -> list[Clause]:
    """Clauses of one sentence.

    Examples
    --------
    >>> [c.verb for c in read("Mira hid a ring under the mill and Aldo found it.")]
    ['hide', 'find']
    """
    return Reader(words(sentence)).clauses()


def _goes_on_passive(clause: Clause) -> bool:
    """As in "was written by her and delivered by him"."""
    bare = clause.subject_shared and clause.verbs and not clause.auxiliaries
    return bool(
        bare and "part" in clause.verbs[0].forms and any(p == "by" for p, _ in clause.places)
    )


class Reader(PartReader):
    """Reads one sentence; `at` is where it stands."""

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
