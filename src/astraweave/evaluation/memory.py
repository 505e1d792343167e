"""How well a question finds the turns that answer it: the shipped pipeline and two plain searches.

Every turn of a conversation becomes one memory of one character who was listening; nobody in
particular asks. Measured is what a game would get from `RagPipeline.retrieve`:

hit@5
    Share of questions with any of their turns among the first five memories.
recall@k
    Share of a question's turns among the first k, averaged over questions.
session@5
    Sessions are ranked by their best memory; share of questions with a right one (the session of
    any of its turns) among the first five.

Questions without evidence are left out and counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.worldview import WorldView
from astraweave.embeddings import EmbeddingClient
from astraweave.evaluation.conversation import CATEGORIES, EPOCH, Conversation, Question
from astraweave.rag import GameCalendar, Memory, MemoryStore, RagPipeline
from astraweave.rag._linking import NameIndex
from astraweave.rag._question import search_words
from astraweave.rag._reranker import Reranker
from astraweave.rag.salience import importance_of
from astraweave.rag.store import create_memory_tables

__all__ = ["Answered", "Found", "Listener", "MemoryReport", "Scores", "evaluate_memory", "told"]

_LISTENER = "listener"
_DEPTH = 150
_KEPT = 20
_SESSIONS = 5

Progress = Callable[[int, int, str], None]


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How one way of searching did, in shares of 1."""

    hit_5: float = msgspec.field(name="hit@5")
    recall_1: float = msgspec.field(name="recall@1")
    recall_5: float = msgspec.field(name="recall@5")
    recall_10: float = msgspec.field(name="recall@10")
    recall_20: float = msgspec.field(name="recall@20")
    session_5: float = msgspec.field(name="session@5")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of searching brought for one question."""

    turns: tuple[str, ...]
    """The first twenty, best first."""
    scores: Scores


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One question, raw.

    Attributes
    ----------
    conversation, question : str
        Which.
    category : int
        Of `CATEGORIES`.
    evidence : tuple of str
        Ids of the turns that answer it.
    ours, bm25, minilm : Found
        What each brought.
    ms : float
        Our time in milliseconds, the question's embedding included.
    """

    conversation: str
    question: str
    category: int
    evidence: tuple[str, ...]
    ours: Found
    bm25: Found
    minilm: Found
    ms: float


class MemoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """All questions of a file."""

    answered: tuple[Answered, ...]
    without_evidence: int

    def scores(self, way: str = "ours", category: int | None = None) -> Scores:
        """Averages over the questions, of ``"ours"``, ``"bm25"`` or ``"minilm"``."""
        chosen = [
            msgspec.structs.astuple(getattr(one, way).scores)
            for one in self.answered
            if category in (None, one.category)
        ]
        return _scores(np.mean(chosen, axis=0) if chosen else [float("nan")] * 6)

    def categories(self) -> list[int]:
        """Those that there are."""
        return sorted({one.category for one in self.answered})

    def as_document(self) -> dict[str, Any]:
        """What ``astraweave eval memory --json`` prints."""
        times = [one.ms for one in self.answered] or [float("nan")]
        document: dict[str, Any] = dict(msgspec.to_builtins(self.scores()))
        document["by_category"] = {
            CATEGORIES.get(category, str(category)): {
                "questions": sum(one.category == category for one in self.answered),
                **msgspec.to_builtins(self.scores(category=category)),
            }
            for category in self.categories()
        }
        document["baselines"] = {
            "BM25": msgspec.to_builtins(self.scores("bm25")),
            "MiniLM": msgspec.to_builtins(self.scores("minilm")),
        }
        document["ms_p50"], document["ms_p95"] = np.percentile(times, (50, 95)).round(3).tolist()
        return document


def evaluate_memory(
    conversations: Sequence[Conversation],
    embedder: EmbeddingClient,
    *,
    reranker: Reranker | None = None,
    progress: Progress = lambda _done, _total, _what: None,
    clock: Clock | None = None,
) -> MemoryReport:
    """Ask every question of every conversation.

    Parameters
    ----------
    conversations : sequence of Conversation
        What is remembered and asked.
    embedder : EmbeddingClient
        Of memories and questions.
    reranker : Reranker, optional
        Other weights than the shipped ones.
    progress : callable
        Told how many questions are done, of how many, and of which conversation.
    clock : Clock, optional
        Measures; by default the machine's.
    """
    clock = clock or SystemClock()
    total = sum(len(one.questions) for one in conversations)
    answered: list[Answered] = []
    done = left_out = 0
    for conversation in conversations:
        progress(done, total, conversation.id)
        with told(conversation, embedder, reranker=reranker) as listener:
            for question in conversation.questions:
                if question.evidence:
                    answered.append(_ask(listener, question, clock))
                else:
                    left_out += 1
                done += 1
                progress(done, total, conversation.id)
    return MemoryReport(answered=tuple(answered), without_evidence=left_out)


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has heard a whole conversation."""

    conversation: Conversation
    store: MemoryStore
    pipeline: RagPipeline
    embedder: EmbeddingClient
    turn_of: dict[int, int]
    """Place of the turn that a memory was made of."""
    owner: str = _LISTENER


@contextmanager
def told(
    conversation: Conversation, embedder: EmbeddingClient, *, reranker: Reranker | None = None
) -> Iterator[Listener]:
    """A store in which somebody has heard a conversation, and the pipeline over it."""
    connection = sqlite3.connect(":memory:")
    try:
        create_memory_tables(connection)
        store = MemoryStore(connection, embedder)
        names = NameIndex(WorldView().snapshot())
        memories = []
        for turn in conversation.turns:
            entities = names.entities(turn.text)
            memories.append(
                Memory(
                    owner=_LISTENER,
                    text=turn.text,
                    speaker=turn.speaker,
                    addressee=turn.addressee,
                    game_time=turn.game_time,
                    importance=importance_of(turn.text, entities),
                    entities=entities,
                )
            )
        stored = store.add_many(memories)
        yield Listener(
            conversation=conversation,
            store=store,
            pipeline=RagPipeline(
                store, embedder, calendar=GameCalendar(epoch=EPOCH), reranker=reranker
            ),
            embedder=embedder,
            turn_of={memory.id: place for place, memory in enumerate(stored)},
        )
    finally:
        connection.close()


def _ask(listener: Listener, question: Question, clock: Clock) -> Answered:
    pipeline, store, embedder = listener.pipeline, listener.store, listener.embedder
    start = clock.monotonic()
    vector = embedder.embed(pipeline.query_text(question.text, owner=_LISTENER))
    pipeline.retrieve(question.text, owner=_LISTENER, k=5, vector=vector)
    ms = (clock.monotonic() - start) * 1000.0
    ours = pipeline.retrieve(question.text, owner=_LISTENER, k=_DEPTH, vector=vector)
    words = [(word, 1.0) for word in search_words(question.text)]
    plain = embedder.embed(question.text)
    return Answered(
        conversation=listener.conversation.id,
        question=question.text,
        category=question.category,
        evidence=question.evidence,
        ours=_found(listener, question, [listener.turn_of[one.memory.id] for one in ours]),
        bm25=_found(listener, question, _order(store.word_scores(_LISTENER, words))),
        minilm=_found(listener, question, _order(store.cosines(_LISTENER, plain))),
        ms=round(ms, 3),
    )


def _order(scores: NDArray[np.float32]) -> list[int]:
    places: list[int] = np.argsort(-scores, kind="stable").tolist()
    return places


def _found(listener: Listener, question: Question, places: Iterable[int]) -> Found:
    turns = listener.conversation.turns
    ranked = [turns[place] for place in places]
    wanted = set(question.evidence)
    right = [turn.id in wanted for turn in ranked]
    sessions = list(dict.fromkeys(turn.session for turn in ranked))[:_SESSIONS]
    right_sessions = {turn.session for turn in turns if turn.id in wanted}
    recall = [sum(right[:k]) / len(wanted) for k in (1, 5, 10, 20)]
    return Found(
        turns=tuple(turn.id for turn in ranked[:_KEPT]),
        scores=_scores(
            [float(any(right[:5])), *recall, float(bool(right_sessions & set(sessions)))]
        ),
    )


def _scores(values: Iterable[float]) -> Scores:
    hit, one, five, ten, twenty, session = (round(float(value), 4) for value in values)
    return Scores(
        hit_5=hit,
        recall_1=one,
        recall_5=five,
        recall_10=ten,
        recall_20=twenty,
        session_5=session,
    )
