"""What a choice is made from, and what it is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from astraweave.dialogue.acts import Act, act_of
from astraweave.dialogue.answer import Answer, Answerer
from astraweave.dialogue.echoes import opines
from astraweave.dialogue.facts import Fact, Source, facts_of
from astraweave.dialogue.plan import PlannedFact
from astraweave.dialogue.retell import retell
from astraweave.dialogue.situation import Situation, sources_of
from astraweave.persona import Mood, Relationship
from astraweave.rag.memory import Memory

__all__ = ["LINE_ACTS", "Choice", "Scene", "planned"]

LINE_ACTS: tuple[str, ...] = (
    "answer", "unknown", "recap", "recap_nothing", "summary_of_talk", "telling", "surprise",
    "comfort", "congratulate", "greeting", "greeting_again", "greeting_recall", "greet_friend",
    "greet_rival", "greet_feared", "introduce", "farewell", "thanks", "wellbeing", "feeling",
    "because", "request", "offer", "accept", "decline", "refuse", "promise", "taboo", "secret",
    "seek_help", "insult", "warn", "threaten", "tease", "praise", "complain", "boast", "apology",
    "agreement", "agree_with", "disagree_with", "gossip", "hand_over", "interrupted", "resume",
    "smalltalk", "opener", "listening", "what_next", "threatened", "wrong", "untroubled",
    "confirmed_self", "stance", "opinion", "no_opinion", "telling_opinion", "no_news", "gratitude",
)  # fmt: skip
"""Everything that a planned line may do."""

_MAX_RECALL_WORDS = 14


@dataclass(slots=True)
class Choice:
    """One thing to say, and why.

    Attributes
    ----------
    act : str
        One of `LINE_ACTS`.
    reasons : tuple of str
        Why, in plain words.
    facts : tuple of PlannedFact
        What is said.
    fields : dict of str to str
        Words for the places of composed lines.
    answer : Answer or None
        For acts that answer.
    told : str
        For acts that take note of something told.
    model_clauses : int
        How many clauses a model may add.
    whole : bool
        The composed line stands as one piece; otherwise all but its first sentence gives way to
        what the model says.
    after : tuple of Choice
        What follows in the same line.
    towards : Relationship or None
        To whom the line speaks of, where its wording goes by that and not by the listener.
    """

    act: str
    reasons: tuple[str, ...] = ()
    facts: tuple[PlannedFact, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    answer: Answer | None = None
    told: str = ""
    model_clauses: int = 2
    whole: bool = False
    after: tuple[Choice, ...] = ()
    towards: Relationship | None = None

    def because(self, *reasons: str) -> Choice:
        """The same choice with more reasons in front."""
        return replace(self, reasons=(*reasons, *self.reasons))


class Scene:
    """A situation as the choosing rules see it; each thing is worked out when it is asked for.

    Parameters
    ----------
    situation : Situation
        What may be spoken of in it: without what is withheld.
    heard : Act
        What the utterance did.
    answerer : Answerer
        Finds answers.
    withheld : sequence of Memory
        What came to mind and must not be told here.
    """

    def __init__(
        self,
        situation: Situation,
        heard: Act,
        answerer: Answerer,
        withheld: Sequence[Memory] = (),
    ) -> None:
        self.situation, self.heard, self.answerer = situation, heard, answerer
        self.withheld = tuple(withheld)
        self.persona = situation.persona
        self.rng = situation.rng

    @cached_property
    def text(self) -> str:
        """The utterance."""
        return self.situation.utterance.text

    @cached_property
    def recent(self) -> list[str]:
        """The character's latest lines, newest last."""
        return self.situation.recent_lines()

    @cached_property
    def relation(self) -> Relationship:
        """How the character stands to the speaker."""
        return self.situation.mind.towards(self.situation.speaker)

    @cached_property
    def mood(self) -> Mood:
        """The character's mood as of now."""
        return self.situation.mood()

    @cached_property
    def name(self) -> str:
        """How the character calls the speaker; empty: by no name."""
        return self.situation.speaker_name

    @cached_property
    def sources(self) -> list[Source]:
        """What may be answered from."""
        return sources_of(self.situation)

    @cached_property
    def met_before(self) -> bool:
        """Whether the two have talked before."""
        speaker = self.situation.speaker
        return (
            self.situation.last_met is not None
            or speaker in self.situation.mind.relationships
            or any(source.speaker == speaker for source in self.sources)
        )

    @cached_property
    def away_s(self) -> float:
        """Since the two last talked before this sitting, in seconds of days of 24 hours; 0: never."""  # noqa: E501
        last = self.situation.last_met
        gap = 0.0 if last is None else self.situation.now - last
        return self.situation.calendar.plain(gap) if math.isfinite(gap) else 0.0

    @cached_property
    def tellings(self) -> list[tuple[Fact, Source]]:
        """What the speaker told, most telling first, each in a clause short enough to say back."""
        found: list[tuple[Fact, Source]] = []
        if self.persona.language.split("-")[0] != "en":
            return found  # these are read by the parser, which reads English
        situation = self.situation
        memories = (*situation.lately, *(r.memory for r in situation.memories))
        gone = {memory.text for memory in memories if memory.superseded_by}
        importance = {r.memory.id: r.memory.importance for r in self.situation.memories}
        for source in self.sources:
            if source.speaker != self.situation.speaker or act_of(source.text).kind != "telling":
                continue
            if opines(source.text):
                continue  # a hope or a thought is nothing to be reminded of
            if source.text in gone:
                continue  # it is so no longer
            if (fact := short_fact(source, swap=True)) is not None:
                found.append((fact, source))
        found.sort(key=lambda pair: (-importance.get(pair[1].memory_id, 0.0), -pair[1].order))
        return found

    def lines_since(self, text: str) -> int:
        """How many lines ago the character said this, in whatever words around it; large: never lately."""  # noqa: E501
        wanted = _weighty_words(text)
        for age, line in enumerate(reversed(self.recent), start=1):
            if wanted and len(wanted & _weighty_words(line)) >= 0.75 * len(wanted):
                return age
        return NEVER


NEVER = 10**6
_TOKEN = re.compile(r"[^\W_]{4,}")


def _weighty_words(text: str) -> frozenset[str]:
    return frozenset(_TOKEN.findall(text.casefold()))


def short_fact(source: Source, *, swap: bool) -> Fact | None:
    """The first clause of a text that is plain and short enough to be said back; or None."""
    for fact in facts_of(source):
        clause = fact.clause
        plain = (
            not clause.relative
            and not clause.link
            and clause.subject is not None
            and (clause.verbs or clause.objects)
        )
        if not plain or fact.referents:
            continue
        if 3 <= len(retell(fact, swap=swap).split()) <= _MAX_RECALL_WORDS:
            return fact
    return None


def planned(source: Source, retold: str = "") -> PlannedFact:
    """A source as a fact of a plan."""
    return PlannedFact(
        text=source.text, retold=retold, memory=source.memory_id, teller=source.speaker
    )
