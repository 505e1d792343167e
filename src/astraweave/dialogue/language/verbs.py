"""Verb groups: which word is the verb here, what belongs to it, what its form says."""

from __future__ import annotations

from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.phrases import Clause, PhraseReader
from astraweave.dialogue.language.words import Word

__all__ = ["THINKING", "VerbReader", "finish"]

THINKING = group("clauses.thinking")


class VerbReader(PhraseReader):
    """Knows verbs when it sees them."""

    def _finite_soon(self, word: Word) -> bool:
        ahead = 0
        while word.is_("RG") and not word.is_("V"):
            ahead += 1
            following = self.peek(ahead)
            if following is None:
                return False
            word = following
        return self._finite(word)

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

    def _give_back(self, made: Clause) -> bool:
        """As in "I hope the road was kind": the last phrase is the subject of what follows."""
        if made.objects and made.objects[-1].end == self.at and made.verb in THINKING:
            self.at = made.objects.pop().start
            self.pending = "that"
        return True

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

    def _verbs_ahead(self) -> int:
        """How many verbs that can be nothing else stand before the next mark."""
        count = 0
        for word in self.words[self.at :]:
            if word.is_("."):
                break
            count += word.is_("A") or (word.is_("V") and not word.is_("NJ"))
        return count


def finish(made: Clause) -> None:
    """Settle what only the whole clause shows: whether it is passive, what is stranded."""
    be = any(a.lemma == "be" or a.low in {"got"} for a in made.auxiliaries)
    if made.verbs and be and made.verbs[0].forms & {"part"} and not made.verbs[0].forms <= {"ing"}:
        made.passive = "ing" not in made.verbs[0].forms
    if len(made.verbs) > 1 and made.verbs[0].lemma == "get" and "part" in made.verbs[1].forms:
        made.passive = True
    if made.relative and made.verbs and not made.auxiliaries and made.verbs[0].forms == {"part"}:
        made.passive = True
    if made.subject is None and made.stranded and not made.verbs:
        made.stranded = ""
