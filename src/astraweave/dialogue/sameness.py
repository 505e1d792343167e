"""Who is who and what is what: whether words of a question and of a fact mean the same."""

from __future__ import annotations

from astraweave.dialogue.facts import Aliases, Fact, who
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.phrases import Phrase
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import Word, number_value
from astraweave.dialogue.similarity import Similarity

__all__ = ["LIKING", "Sameness"]

LIKING = frozenset(["favourite", "favorite", "best", "most", "prefer", "love", "like"])


class Sameness:
    """Compares words and phrases of one asker with those of facts.

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

    def __init__(
        self,
        asker: str,
        listener: str,
        similarity: Similarity,
        aliases: Aliases,
        names: dict[str, str],
    ) -> None:
        self.asker, self.listener = asker, listener
        self.similarity, self.aliases, self.names = similarity, aliases, names
        self._lex = lexicon()

    # -- whose ----------------------------------------------------------------------------------

    def identity(self, phrase: Phrase, fact: Fact | None) -> str:
        """Id of whom a pronoun or a name means; empty when it is nobody known."""
        if phrase.head.is_("OS"):
            if fact is None:
                return who(phrase.head.low, self.asker, self.listener)
            return who(phrase.head.low, fact.source.speaker, fact.source.listener)
        for key, name in self.names.items():
            if phrase.names and phrase.names[0].casefold() == name.casefold():
                return key
        return ""

    def _owner_agrees(self, phrase: Phrase, fact: Fact, question: Question) -> bool:
        """Owners of the same thing in question and fact must not be two."""
        if phrase.owner is None:
            return True
        candidates = [
            part
            for given in fact.clause.phrases()
            for part in self.nested(given, fact)
            if self._lex.same(phrase.head.low, part.head.low)
            or self._lex.is_kind(phrase.head.low, part.head.low)
        ]
        owned = [part for part in candidates if part.owner is not None]
        if not owned:
            # "I have a horse": the one who has it owns it. "the horse": nobody says otherwise.
            subject = fact.clause.subject
            asked = self.identity(phrase.owner, None)
            if (
                candidates
                and subject is not None
                and fact.clause.verb in {"have", "own", "get", "keep", "buy"}
            ):
                held = self.identity(fact.meant(subject), fact)
                return not asked or asked == held
            if asked and not candidates:
                return self._mentions(asked, fact) or fact.source.speaker == asked
            return not asked or fact.source.speaker == asked
        return any(
            self.same_owner(phrase.owner, part.owner, fact)
            for part in owned
            if part.owner is not None
        )

    def _selves(self, phrase: Phrase, fact: Fact) -> list[Phrase]:
        """The phrase and what it stands for, its owner left out."""
        found = [phrase, *phrase.others]
        if phrase.of is not None:
            found.append(phrase.of)
        for part in list(found):
            if part.names and part.head.is_("E"):
                found += [d for d, _ in self.aliases.describe(part.names)]
        return found

    def nested(self, phrase: Phrase, fact: Fact) -> list[Phrase]:
        """The phrase, what stands in it, and what it stands for."""
        found: list[Phrase] = []
        todo = [phrase]
        while todo:
            part = todo.pop()
            if part in found:
                continue
            found.append(part)
            todo += part.others
            todo += [p for p in (part.owner, part.of, fact.meant(part)) if p is not None]
        for part in list(found):
            if part.names and part.head.is_("E"):
                found += [d for d, _ in self.aliases.describe(part.names)]
        return found

    def same_owner(self, asked: Phrase, told: Phrase, fact: Fact) -> bool:
        """Whether two owners are one."""
        told = fact.meant(told)
        left, right = self.identity(asked, None), self.identity(told, fact)
        if left or right:
            return left == right
        return self.same_thing(asked, told, fact)

    def same_thing(self, asked: Phrase, told: Phrase, fact: Fact) -> bool:
        """Whether a phrase of the question and one of the fact mean the same."""
        told = fact.meant(told)
        left, right = self.identity(asked, None), self.identity(told, fact)
        if left or right:
            if left and left == right:
                return True
            if not (asked.names and told.names):
                return False
        if (
            asked.names
            and told.names
            and not {n.casefold() for n in asked.names} & {n.casefold() for n in told.names}
        ):
            return False
        if asked.names and told.names:
            return True
        for part in self._selves(told, fact):
            if (
                asked.names
                and part.names
                and {n.casefold() for n in asked.names} & {n.casefold() for n in part.names}
            ):
                return True
            head = asked.head.low
            if (
                not asked.head.is_("E")
                and any(self.similarity.near(head, w.low) > 0 for w in part.words if w.is_("N"))
                and (
                    asked.owner is None
                    or part.owner is None
                    or self.same_owner(asked.owner, part.owner, fact)
                )
            ):
                return True
        for described, _ in self.aliases.describe(asked.names):
            if self._lex.same(described.head.low, told.head.low):
                return True
        return False

    # -- words ----------------------------------------------------------------------------------

    def _anywhere(self, word: Word, fact: Fact) -> float:
        """Support of a word by the fact's own clause, or less by its neighbours."""
        strength = self._support(word, fact.bag(), fact)
        return strength or 0.7 * self._support(word, fact.context(), fact)

    def _support(self, word: Word, bag: list[Word], fact: Fact) -> float:  # noqa: C901
        low = word.low
        if word.is_("M") and not word.is_("N"):
            value = number_value(low)
            return 1.0 if any(number_value(w.low) == value for w in bag if w.is_("M")) else 0.0
        if word.is_("E"):
            if any(w.low == low for w in bag):
                return 1.0
            if self._speaks_as(low, fact):
                return 1.0
            return 0.9 if self._alias_name(low, bag, fact) else 0.0
        if low in LIKING and any(self._lex.keys(w.low) & LIKING for w in bag):
            return 1.0
        best = 0.0
        for other in bag:
            if other.is_("M") and not other.is_("N"):
                continue
            if other.is_("E"):
                if other.low == low:
                    return 1.0
                continue
            best = max(best, self.similarity.near(low, other.low))
            if best == 1.0:
                return 1.0
        # "my sister" stands for Mira when the fact names Mira.
        for other in bag:
            if other.is_("E"):
                for described, _ in self.aliases.describe((other.text,)):
                    if any(
                        self._lex.same(low, w.low) or self._lex.is_kind(low, w.low)
                        for w in described.content()
                    ):
                        return 0.95
        return best

    def _speaks_as(self, name: str, fact: Fact) -> bool:
        """Whether the fact's own "I" bears this name."""
        return self.names.get(fact.source.speaker, "").casefold() == name

    def _alias_name(self, name: str, bag: list[Word], fact: Fact) -> bool:
        """Whether the bag describes the one that bears the name: "my sister" for Mira."""
        for described, origin in self.aliases.describe((name,)):
            if origin.source.speaker != fact.source.speaker:
                continue
            if described.owner is not None and any(
                self._lex.keys(described.head.low) & self._lex.keys(w.low) for w in bag
            ):
                return True
        return False

    def _persons_supported(self, phrase: Phrase, fact: Fact) -> bool:
        """As in "I" and "you" of the question must be somebody in the fact."""
        low = phrase.head.low
        meant = who(low, self.asker, self.listener) if phrase.head.is_("O") else ""
        if not meant:
            return True
        if meant == self.listener and low in {"you"}:
            return self._mentions(self.listener, fact) or (
                phrase.head.is_("O") and fact.source.speaker == self.listener
            )
        return self._mentions(meant, fact)

    def _mentions(self, person: str, fact: Fact) -> bool:
        source = fact.source
        for index in range(len(fact.words)):
            word = fact.words[index]
            if word.is_("OS") and who(word.low, source.speaker, source.listener) == person:
                return True
        name = self.names.get(person, "").casefold()
        return bool(name) and any(w.low == name for w in fact.bag())
