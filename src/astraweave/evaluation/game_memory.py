"""Whether characters of a game find what they are asked for, and only what they can know.

The life of a whole country (`game_country`) is played once, in the order of its days: every line is
written by the shipped `RagPipeline` into one store for all characters, and every question is asked
at its moment, of what there is by then. Measured are

hit@5, hit@1
    Share of the questions with an answer for which a memory that answers is among the first five,
    or is the first. A line that was kept in several parts counts by any of them.
leaked
    Memories among the first fifty, over all questions, which the asked character cannot know by
    the country's own files.

BM25 and the embedding alone search the same memories: those that the character may read.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.worldview import WorldView
from astraweave.embeddings import EmbeddingClient
from astraweave.evaluation.game_country import (
    KINDS,
    Country,
    GameMemory,
    GameQuestion,
    Move,
    read_country,
)
from astraweave.rag import MemoryStore, RagPipeline
from astraweave.rag._question import search_words
from astraweave.rag.life import MemoryLife
from astraweave.rag.life_columns import create_life_tables
from astraweave.rag.scopes import WorldScopes
from astraweave.rag.store import create_memory_tables
from astraweave.rag.writing_novelty import NoveltyTable, create_writing_tables

__all__ = ["GameAnswered", "GameReport", "evaluate_game"]

_WAYS = ("ours", "bm25", "minilm")
_K = 5
_DEPTH = 50

Progress = Callable[[int, int, str], None]


class GameAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """One question, raw.

    Attributes
    ----------
    character, kind, question, evidence
        As in `GameQuestion`.
    texts : tuple of str
        The memories that answer it.
    found : dict of str to tuple of str
        What each of ``"ours"``, ``"bm25"`` and ``"minilm"`` brought, the first five.
    place : dict of str to int
        Where the first piece of evidence stands in each, from 1 on; 0: not among the first fifty.
    answer : int
        Where the piece that gives the answer stands in ours.
    leaked : tuple of str
        What we brought that the character cannot know.
    readable : int
        Among how many memories it was looked for.
    ms : float
        Our time in milliseconds, the question's embedding included.
    """

    character: str
    kind: str
    question: str
    evidence: tuple[str, ...]
    texts: tuple[str, ...]
    found: dict[str, tuple[str, ...]]
    place: dict[str, int]
    answer: int
    leaked: tuple[str, ...]
    readable: int
    ms: float


class GameReport(msgspec.Struct, frozen=True, kw_only=True):
    """All questions of the country."""

    answered: tuple[GameAnswered, ...]
    memories: int
    merged: int
    """Lines that the writer took for something known already."""

    def questions(self, kind: str | None = None) -> list[GameAnswered]:
        """Those that have an answer, of all kinds or one."""
        return [one for one in self.answered if one.evidence and kind in (None, one.kind)]

    def hit(self, k: int = _K, way: str = "ours", kind: str | None = None) -> float:
        """Share of the questions answered within the first `k`; NaN where there is none."""
        right = [0 < one.place[way] <= k for one in self.questions(kind)]
        return round(float(np.mean(right)), 4) if right else float("nan")

    def answer(self, k: int = _K, kind: str | None = None) -> float:
        """Share of the questions whose answer itself is within the first `k`."""
        right = [0 < one.answer <= k for one in self.questions(kind)]
        return round(float(np.mean(right)), 4) if right else float("nan")

    @property
    def leaked(self) -> int:
        """How many memories came back which a character cannot know."""
        return sum(len(one.leaked) for one in self.answered)

    def as_document(self) -> dict[str, Any]:
        """What ``astraweave eval game --json`` prints."""
        secrets = sum(not one.evidence for one in self.answered)
        document: dict[str, Any] = {
            "hit@5": self.hit(),
            "hit@1": self.hit(1),
            "answer@5": self.answer(),
            "leaked": self.leaked,
            "questions": len(self.questions()),
            "secrets": secrets,
            "memories": self.memories,
            "merged": self.merged,
            "by_kind": {
                kind: {
                    "questions": len(self.questions(kind)),
                    "hit@5": self.hit(kind=kind),
                    "hit@1": self.hit(1, kind=kind),
                    "answer@5": self.answer(kind=kind),
                }
                for kind in KINDS
                if self.questions(kind)
            },
            "baselines": {
                name: {"hit@5": self.hit(way=way), "hit@1": self.hit(1, way)}
                for name, way in (("BM25", "bm25"), ("MiniLM", "minilm"))
            },
        }
        times = [one.ms for one in self.answered]
        document["ms_p50"], document["ms_p95"] = np.percentile(times, (50, 95)).round(3).tolist()
        return document


def evaluate_game(
    embedder: EmbeddingClient,
    *,
    country: Country | None = None,
    progress: Progress = lambda _done, _total, _what: None,
    clock: Clock | None = None,
) -> GameReport:
    """Play the life of the country and ask every question at its moment.

    Parameters
    ----------
    embedder : EmbeddingClient
        Of memories and questions.
    country : Country, optional
        Another than the shipped one.
    progress : callable
        Told how many questions are done, of how many, and who is asked.
    clock : Clock, optional
        Measures; by default the machine's.
    """
    country = country or read_country()
    clock = clock or SystemClock()
    answered: list[GameAnswered] = []
    with _life(country, embedder) as life:
        for question in country.questions:
            progress(len(answered), len(country.questions), question.character)
            life.until(question.now)
            answered.append(life.ask(question, clock))
        progress(len(answered), len(country.questions), "")
        return GameReport(answered=tuple(answered), memories=life.store.count(), merged=life.merged)


@contextmanager
def _life(country: Country, embedder: EmbeddingClient) -> Iterator[_Life]:
    connection = sqlite3.connect(":memory:")
    try:
        for create in (create_memory_tables, create_life_tables, create_writing_tables):
            create(connection)
        yield _Life(country, embedder, connection)
    finally:
        connection.close()


class _Life:
    """The country as far as it has been played, in one store."""

    def __init__(
        self, country: Country, embedder: EmbeddingClient, connection: sqlite3.Connection
    ) -> None:
        self._country = country
        self._embedder = embedder
        self._world = WorldView()
        self._world.add(*country.entities)
        self._scopes = WorldScopes(self._world)
        self.store = MemoryStore(connection, embedder)
        self._rag = RagPipeline(
            self.store,
            embedder,
            world=self._world,
            scopes=self._scopes,
            life=MemoryLife(connection, self.store),
            novelty=NoveltyTable(connection),
        )
        self._ahead: list[GameMemory | Move] = sorted(
            [*country.memories, *country.moves], key=lambda one: one.game_time, reverse=True
        )
        self._kept_as: dict[str, set[int]] = defaultdict(set)
        self._lines = {memory.key: memory for memory in country.memories}
        self._wrote: dict[int, GameMemory] = {}
        self.merged = 0

    def until(self, now: float) -> None:
        """Play on to a moment."""
        while self._ahead and self._ahead[-1].game_time <= now:
            event = self._ahead.pop()
            if isinstance(event, Move):
                entity = self._world.snapshot().entities[event.character]
                self._world.add(msgspec.structs.replace(entity, place=event.place))
            else:
                self._write(event)
        self.store.embed_pending()

    def _write(self, line: GameMemory) -> None:
        for part in self._rag.remember_parts(
            line.text,
            owner=line.owner,
            game_time=line.game_time,
            speaker=line.speaker,
            addressee=line.addressee,
        ):
            self.merged += part.memory.id in self._wrote
            self._wrote.setdefault(part.memory.id, line)
            self._kept_as[line.key].add(part.memory.id)

    def ask(self, question: GameQuestion, clock: Clock) -> GameAnswered:
        """What a question brings, and what of it is right."""
        start = clock.monotonic()
        vector = self._embedder.embed(self._rag.query_text(question.text, owner=question.character))
        self._retrieve(question, _K, vector)
        ms = (clock.monotonic() - start) * 1000.0
        readable = self.store.readable(question.character, self._scopes)
        words = [(word, 1.0) for word in search_words(question.text)]
        plain = self._embedder.embed(question.text)
        ranked = {
            "ours": self._retrieve(question, _DEPTH, vector),
            "bm25": readable.ids[_best(readable.word_scores(words))].tolist(),
            "minilm": readable.ids[_best(readable.cosines(plain))].tolist(),
        }
        right = [self._kept_as[key] for key in question.evidence]
        return GameAnswered(
            character=question.character,
            kind=question.kind,
            question=question.text,
            evidence=question.evidence,
            texts=tuple(self._lines[key].text for key in question.evidence),
            found={way: self._texts(ids[:_K]) for way, ids in ranked.items()},
            place={way: _place(ids, set().union(*right)) for way, ids in ranked.items()},
            answer=_place(ranked["ours"], right[0] if right else set()),
            leaked=self._texts([one for one in ranked["ours"] if not self._knows(question, one)]),
            readable=len(readable),
            ms=round(ms, 3),
        )

    def _retrieve(self, question: GameQuestion, k: int, vector: NDArray[np.float32]) -> list[int]:
        found = self._rag.retrieve(
            question.text,
            owner=question.character,
            k=k,
            speaker=question.asker,
            now=question.now,
            vector=vector,
        )
        return [one.memory.id for one in found]

    def _knows(self, question: GameQuestion, memory_id: int) -> bool:
        line = self._wrote[memory_id]
        return self._country.may_read(line, question.character, question.now)

    def _texts(self, ids: Sequence[int]) -> tuple[str, ...]:
        memories = [self.store.get(one) for one in ids]
        return tuple(one.text for one in memories if one is not None)


def _best(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-scores, kind="stable")[:_DEPTH]


def _place(ids: Sequence[int], right: set[int]) -> int:
    return next((at for at, one in enumerate(ids, start=1) if one in right), 0)
