"""Which memories a line may draw on: what a question brings back, and what that leads to.

"Where does my landlord's sister live?" brings back whose sister she is; only then can be asked
where Petra lives. And what was told yesterday is found by the time, not by the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from astraweave.context.turn import Turn
from astraweave.dialogue.facts import Fact, Source, facts_of
from astraweave.dialogue.language.paraphrase import other_wordings, plain_question
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import sentences
from astraweave.dialogue.moments import asked_period, asked_telling, period_of
from astraweave.dialogue.people import People, rewordings
from astraweave.dialogue.recall import resolved_question, retrieval_query
from astraweave.dialogue.tellings import straight
from astraweave.rag import GameCalendar
from astraweave.rag.memory import Memory
from astraweave.rag.retrieved import Retrieved

__all__ = ["Recall", "gather"]

_MORE = 8
"""Memories that each further search may add."""
_MOST_STEPS = 3
_MOST_OF_A_TIME = 24


@dataclass(frozen=True, slots=True)
class Recall:
    """How a character's memories are reached, and who talks to it.

    Attributes
    ----------
    search : callable
        ``(query, k)`` to memories, best first.
    everything : callable
        All memories of the character, oldest first; asked only for questions about a time.
    asker, listener : str
        Ids of who asks and who is asked.
    names : mapping of str to str
        Ids to spoken names.
    now : float
        Game time in seconds.
    """

    search: Callable[[str, int], list[Retrieved]]
    everything: Callable[[], Sequence[Memory]]
    asker: str
    listener: str
    names: Mapping[str, str]
    now: float
    calendar: GameCalendar = field(default_factory=GameCalendar)


def gather(utterance: str, history: Sequence[Turn], recall: Recall, *, k: int) -> list[Retrieved]:
    """Memories for the answer to an utterance, best first.

    Parameters
    ----------
    utterance : str
        What was said.
    history : sequence of Turn
        The conversation before it.
    recall : Recall
        How memories are reached.
    k : int
        At most so many of the first search.
    """
    if (period := asked_period(utterance)) is not None:
        return _of_a_time(period_of(period, _times(recall), recall.now, recall.calendar), recall)
    telling = asked_telling(utterance)
    query = telling.claim if telling else retrieval_query(plain_question(utterance), history)
    found = recall.search(query, k)
    asked = telling.question() if telling else _question(resolved_question(utterance, history))
    if asked is None:
        return found
    done = {query}
    for _ in range(_MOST_STEPS):
        more = [text for text in _leads(asked, found, recall) if text not in done]
        if not more:
            break
        for text in more:
            done.add(text)
            known = {r.memory.id for r in found}
            found += [r for r in recall.search(text, _MORE) if r.memory.id not in known]
    return found


def _question(utterance: str) -> Question | None:
    for sentence in reversed(sentences(utterance)):
        if (question := read_question(sentence)) is not None:
            return question
    return None


def _leads(question: Question, found: Sequence[Retrieved], recall: Recall) -> list[str]:
    """The question in other words: people named who were described, or described who were named."""
    facts: list[Fact] = []
    for retrieved in found:
        memory = retrieved.memory
        if memory.speaker != recall.listener:
            speaker = memory.speaker or recall.listener
            facts += facts_of(
                Source(straight(memory.text), speaker, memory.addressee or recall.listener)
            )
    people = People(facts, recall.names)
    reworded = [text for text, _ in rewordings(question, people, recall.asker, recall.listener)]
    return [*reworded, *other_wordings(question.text)]


def _times(recall: Recall) -> list[float]:
    return [m.game_time for m in recall.everything() if m.speaker == recall.asker]


def _of_a_time(span: tuple[float, float] | None, recall: Recall) -> list[Retrieved]:
    """What the asker said in a stretch of time, the weightiest first."""
    if span is None:
        return []
    told = [
        memory
        for memory in recall.everything()
        if memory.speaker == recall.asker and span[0] <= memory.game_time <= span[1]
    ]
    told.sort(key=lambda memory: -memory.importance)
    return [Retrieved(memory=memory, score=memory.importance) for memory in told[:_MOST_OF_A_TIME]]
