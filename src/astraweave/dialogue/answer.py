"""From a question and what is remembered to what may be said: an answer, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from astraweave.dialogue.claims import opened, says_so
from astraweave.dialogue.facts import Aliases, Fact, Source, facts_of
from astraweave.dialogue.language.clauses import Phrase
from astraweave.dialogue.language.paraphrase import other_wordings
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import number_value, sentences, words
from astraweave.dialogue.matching import Match, Matcher
from astraweave.dialogue.people import People, rewordings
from astraweave.dialogue.retell import of_teller, retell, retell_phrase, retell_text, shift
from astraweave.dialogue.similarity import Similarity

__all__ = ["Answer", "Answerer"]

_MIN_FIT = 0.5
_LEAST_RETOLD = 3
_SAME_FIT = 0.12
"""Answers that fit within this of the best are equals: the latest of them counts."""


@dataclass(slots=True)
class Answer:
    """What is known about a question.

    Attributes
    ----------
    kind : str
        ``"known"``, ``"confirmed"`` or ``"denied"`` (yes or no), ``"about"``, ``"unknown"``.
    short : str
        The gap's filling, where it can be said safely: "under the mill".
    retold : tuple of str
        Clauses in the right person: "your sister Mira hid a ring under the mill".
    teller : str
        ``"asker"``, ``"self"`` or the name of a third person whom `retold` quotes.
    memories : tuple of int
        Ids of the memories it rests on (0 is left out).
    topic : str
        What the question was about, for saying that it is not known.
    fit : float
        How well it answers, 0 to 1.
    texts : tuple of str
        What it rests on, as it was told.
    order : int
        Place in time of what it rests on; larger is later.
    likely : bool
        Nothing but its signs say that it answers; it is said with a doubt.
    """

    kind: Literal["known", "confirmed", "denied", "about", "unknown"]
    short: str = ""
    retold: tuple[str, ...] = ()
    teller: str = "asker"
    memories: tuple[int, ...] = ()
    topic: str = ""
    fit: float = 0.0
    texts: tuple[str, ...] = field(default=())
    order: int = 0
    likely: bool = False


class Answerer:
    """Answers questions from sources. Not thread-safe.

    Parameters
    ----------
    similarity : Similarity
        Judges words that differ.
    """

    def __init__(self, similarity: Similarity | None = None) -> None:
        self._similarity = similarity or Similarity()

    def question(self, utterance: str, listener: str = "") -> Question | None:
        """The question in an utterance (the last, when there are more); None when there is none."""
        for sentence in reversed(sentences(utterance)):
            if (found := read_question(sentence, listener=listener)) is not None:
                return found
        return None

    def answer(
        self,
        question: Question,
        sources: Sequence[Source],
        *,
        asker: str,
        listener: str,
        names: Mapping[str, str],
    ) -> Answer:
        """The best answer that the sources support.

        Parameters
        ----------
        question : Question
            What is asked.
        sources : sequence of Source
            What is remembered or known.
        asker, listener : str
            Ids of who asks and who is asked.
        names : mapping of str to str
            Ids to spoken names.
        """
        self._similarity.begin()
        facts = [fact for source in sources for fact in facts_of(source)]
        matcher = Matcher(asker, listener, self._similarity, Aliases(facts), dict(names))
        people = People(facts, names)
        asked = [question, *self._reworded(question, people, asker, listener)]
        matches = [
            best
            for fact in facts
            if (best := self._best(matcher, asked, fact)) is not None and best.fit >= _MIN_FIT
        ]
        if question.gap == "yesno":
            if not matches:
                return self._otherwise(question, facts, matcher, people, asker, listener, names)
            return self._yes_or_no(question, matches, asker, listener, names)
        if question.gap == "about":
            return self._about(question, matches, asker, listener, names)
        if not matches:
            return Answer("unknown", topic=self._topic(question))
        best = self._choose(matches)
        return self._told(best, asker, listener, names, kind="known")

    @staticmethod
    def _reworded(question: Question, people: People, asker: str, listener: str) -> list[Question]:
        wordings = [question, *_also(question)]
        return [
            *wordings[1:],
            *(q for w in wordings for _, q in rewordings(w, people, asker, listener)),
        ]

    @staticmethod
    def _best(matcher: Matcher, asked: Sequence[Question], fact: Fact) -> Match | None:
        """How a fact answers the question in the wording that suits it best."""
        found = [m for question in asked if (m := matcher.match(question, fact)) is not None]
        return max(found, key=lambda m: m.fit, default=None)

    # -- kinds of answer ------------------------------------------------------------------------

    def _yes_or_no(
        self,
        question: Question,
        matches: list[Match],
        asker: str,
        listener: str,
        names: Mapping[str, str],
    ) -> Answer:
        best = self._choose(matches)
        agrees = best.fact.clause.negated == question.clause.negated
        return self._told(
            best, asker, listener, names, kind="confirmed" if agrees else "denied", short=False
        )

    def _otherwise(
        self,
        question: Question,
        facts: Sequence[Fact],
        matcher: Matcher,
        people: People,
        asker: str,
        listener: str,
        names: Mapping[str, str],
    ) -> Answer:
        """Nobody said that it is so; perhaps something was told that it cannot be beside."""
        for asked in opened(question):
            wordings = [
                asked,
                *(o for q in self._reworded(question, people, asker, listener) for o in opened(q)),
            ]
            matches = [
                best
                for fact in facts
                if (best := self._best(matcher, wordings, fact)) is not None
                and best.fit >= _MIN_FIT
            ]
            if matches:
                best = self._choose(matches)
                so = says_so(question, best.fact.words) or _claimed(question, best)
                kind: Literal["confirmed", "denied"] = "confirmed" if so else "denied"
                return self._told(best, asker, listener, names, kind=kind, short=False)
        return Answer("unknown", topic=self._topic(question))

    def _about(
        self,
        question: Question,
        matches: list[Match],
        asker: str,
        listener: str,
        names: Mapping[str, str],
    ) -> Answer:
        ordered = sorted(
            matches,
            key=lambda m: (
                # What happened is no "is".
                "event" in question.hints and m.fact.clause.verb in {"be", ""},
                -m.fit,
                -m.fact.source.score,
                -m.fact.source.order,
            ),
        )
        told: list[Answer] = []
        seen: set[str] = set()
        for match in ordered:
            answer = self._told(match, asker, listener, names, kind="about", short=False)
            if answer.retold[0] not in seen and (not told or answer.teller == told[0].teller):
                told.append(answer)
                seen.add(answer.retold[0])
            if len(told) == 2:
                break
        if not told:
            return Answer("unknown", topic=self._topic(question))
        return Answer(
            "about",
            retold=tuple(a.retold[0] for a in told),
            teller=told[0].teller,
            memories=tuple(dict.fromkeys(m for a in told for m in a.memories)),
            texts=tuple(t for a in told for t in a.texts),
            fit=ordered[0].fit,
        )

    def _choose(self, matches: list[Match]) -> Match:
        """The best fit; among equals the latest, for later words correct earlier ones."""
        top = max(m.fit for m in matches)
        equals = [m for m in matches if m.fit >= top - _SAME_FIT]
        return max(equals, key=lambda m: (m.fact.source.order, m.fit, m.fact.source.score))

    def _told(
        self,
        match: Match,
        asker: str,
        listener: str,
        names: Mapping[str, str],
        *,
        kind: str,
        short: bool = True,
    ) -> Answer:
        fact = match.fact
        source = fact.source
        if source.speaker == listener:
            teller, swap = "self", False
        elif source.speaker == asker:
            teller, swap = "asker", True
        else:
            teller, swap = names.get(source.speaker, source.speaker), False
        retold = retell(fact, swap=swap)
        if len(retold.split()) < _LEAST_RETOLD:  # "that's": the rest of it was left behind
            retold = retell_text(source.text, swap=swap) or retold
        if teller not in {"self", "asker"}:
            retold = of_teller(retold, teller)
        return Answer(
            kind,  # type: ignore[arg-type]
            short=self._short(match, swap=swap) if short and (swap or teller == "self") else "",
            retold=(retold,),
            teller=teller,
            memories=(source.memory_id,) if source.memory_id else (),
            fit=match.fit,
            texts=(source.text,),
            order=source.order,
        )

    # -- words ----------------------------------------------------------------------------------

    def _short(self, match: Match, *, swap: bool) -> str:
        slot, fact = match.slot, match.fact
        if slot is None or slot.whole or slot.trust < 0.6:
            return ""
        if slot.text:
            return slot.text
        phrase = slot.phrase
        if phrase is None:
            return ""
        meant = fact.meant(phrase)
        if meant is not phrase or not self._in_sentence(phrase, fact):
            said = retell_phrase(meant, swap=swap)
        else:
            said = shift(fact.words[phrase.start : phrase.end], fact.sentence, swap=swap)
            first = fact.words[phrase.start]
            if phrase.start == 0 and not first.is_("E") and first.text != "I":
                said = said[:1].lower() + said[1:]
        preposition = slot.preposition.replace("_", " ")
        return f"{preposition} {said}" if preposition and preposition not in {"by"} else said

    @staticmethod
    def _in_sentence(phrase: Phrase, fact: Fact) -> bool:
        return phrase.end <= len(fact.words) and all(
            any(w is v for v in fact.words) for w in phrase.words
        )

    @staticmethod
    def _topic(question: Question) -> str:
        """What to name when nothing is known: "your horse"; empty when nothing safe is found."""
        phrase = question.target
        if phrase is None:
            phrases = [p for p in question.clause.phrases() if not p.head.is_("O")]
            phrase = phrases[-1] if phrases else question.noun
        if phrase is None or phrase.head.is_("O") or len(phrase.words) > 5:
            return ""
        return retell_phrase(phrase, swap=True)


def _claimed(question: Question, match: Match) -> bool:
    """Whether what fills the opened claim is the very number, name or word that was claimed."""
    slot = match.slot
    if slot is None:
        return False
    filler = words(slot.text) if slot.text else slot.phrase.words if slot.phrase else []
    claimed = [w for w in words(question.text) if w.is_("MNEJ")]
    numbers = {number_value(w.low) for w in filler if w.is_("M")} - {None}
    if numbers:
        return bool(numbers & {number_value(w.low) for w in claimed})
    lows = {w.low for w in claimed}
    named = [w for w in filler if w.is_("NE") and not w.is_("D")]
    return bool(named) and all(w.low in lows for w in named)


def _also(question: Question) -> list[Question]:
    """The same question in other words."""
    found = []
    for text in other_wordings(question.text):
        if (again := read_question(f"{text}?")) is not None:
            again.hints |= question.hints
            found.append(again)
    return found


def spoken(text: str) -> str:
    """A capital in front."""
    return text[:1].upper() + text[1:]


def is_question(text: str) -> bool:
    """Whether any sentence asks something."""
    return any(read_question(s) is not None for s in sentences(text))
