"""What stands beside a clause's verb: prepositions, relative clauses, objects, times."""

from __future__ import annotations

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.phrases import Clause, Phrase
from astraweave.dialogue.language.verbs import VerbReader, finish
from astraweave.dialogue.language.words import Word

__all__ = ["PartReader"]

_PARTICLES = frozenset(["up", "down", "out", "off", "over", "away", "back"])


class PartReader(VerbReader):
    """Reads one part after another into the clause that it is given."""

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
        finish(made)
        return made

    def _step(self, made: Clause, word: Word, shared: Phrase | None) -> bool:
        """Read one thing into the clause; True when the clause ends here."""
        raise NotImplementedError

    def _skip(self) -> bool:
        self.at += 1
        return False

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

    def _last_phrase(self, made: Clause) -> Phrase | None:
        found = [p for p in made.phrases() if p.end <= self.at]
        return max(found, key=lambda p: p.end, default=None)

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
        finish(inner)
        inner.objects.insert(0, phrase)
        return inner
