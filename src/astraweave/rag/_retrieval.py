"""From a question to the memories that it needs; the retrieving half of `RagPipeline`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from astraweave.core.protocols import ScopeResolver
from astraweave.core.worldview import WorldView
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import InputError
from astraweave.observability import Telemetry
from astraweave.rag._features import FEATURES
from astraweave.rag._linking import NameIndex
from astraweave.rag._moment import looked_for
from astraweave.rag._ranking import Ranking, diverse, embedded_text, rank, read_query
from astraweave.rag._reranker import Reranker
from astraweave.rag._time import GameCalendar
from astraweave.rag.explain import Explanation, Reason
from astraweave.rag.retrieved import Retrieved
from astraweave.rag.scopes import Readable
from astraweave.rag.store import MemoryStore

__all__ = ["Retrieval"]

_MAX_QUERY_CHARS = 2000


class Retrieval:
    """Answers questions from a store. Confined to the thread of the store.

    Parameters
    ----------
    store : MemoryStore
        Where memories are.
    embedder : EmbeddingClient
        Embeds questions.
    world : WorldView
        Knows names.
    names : callable
        Gives the index of the names as of now.
    scopes : ScopeResolver
        Says who is inside which scope.
    calendar : GameCalendar
        Resolves time expressions.
    reranker : Reranker
        Weighs what speaks for a memory.
    telemetry : Telemetry
        Spans ``rag.retrieve`` and ``rag.embed_query``.
    """

    def __init__(
        self,
        store: MemoryStore,
        embedder: EmbeddingClient,
        *,
        world: WorldView,
        names: Callable[[], NameIndex],
        scopes: ScopeResolver,
        calendar: GameCalendar,
        reranker: Reranker,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._world = world
        self._names = names
        self._scopes = scopes
        self._calendar = calendar
        self._reranker = reranker
        self._telemetry = telemetry

    def retrieve(
        self,
        query: str,
        *,
        owner: str,
        k: int,
        exclude: Collection[int],
        speaker: str | None,
        now: float | None,
        vector: NDArray[np.float32] | None,
        diversity: float,
    ) -> list[Retrieved]:
        """See `RagPipeline.retrieve`."""
        if not 0.0 <= diversity <= 1.0:
            raise InputError(f"diversity lies from 0 to 1, not at {diversity}")
        with self._telemetry.span("rag.retrieve"):
            known = self._store.readable(owner, self._scopes)
            if k < 1 or not len(known):
                return []
            ranking = self.ranked(query, known, speaker, now, vector, exclude)
            chosen = diverse(ranking, known, k, diversity)
            return [
                Retrieved(
                    memory=known.memory(place),
                    score=score,
                    similarity=0.0 if math.isnan(similarity) else similarity,
                    lexical=lexical,
                )
                for place, score, similarity, lexical in zip(
                    ranking.places[chosen].tolist(),
                    ranking.scores[chosen].tolist(),
                    ranking.meaning[chosen].tolist(),
                    ranking.words[chosen].tolist(),
                    strict=True,
                )
            ]

    def explain(
        self,
        query: str,
        *,
        owner: str,
        k: int,
        memory_id: int | None,
        speaker: str | None,
        now: float | None,
        vector: NDArray[np.float32] | None,
    ) -> list[Explanation]:
        """See `RagPipeline.explain`."""
        known = self._store.readable(owner, self._scopes)
        include = None
        if memory_id is not None:
            include = known.place(memory_id)
            if include is None:
                raise InputError(f"{owner!r} has no memory {memory_id}", id=memory_id)
        if not len(known):
            return []
        ranking = self.ranked(query, known, speaker, now, vector, include=include)
        shown = list(range(min(max(k, 0), len(ranking.places))))
        if include is not None:
            at = int(np.flatnonzero(ranking.places == include)[0])
            shown += [at] if at not in shown else []
        return [self._explained(ranking, known, at) for at in shown]

    def ranked(
        self,
        query: str,
        known: Readable,
        speaker: str | None = None,
        now: float | None = None,
        vector: NDArray[np.float32] | None = None,
        exclude: Collection[int] = frozenset(),
        include: int | None = None,
    ) -> Ranking:
        """All candidates of a question with their features, best first."""
        query = query[:_MAX_QUERY_CHARS]
        if vector is None:
            text = self._embedded(query, known)
            with self._telemetry.span("rag.embed_query"):
                vector = self._embedder.embed(text)
        if vector.shape != (self._embedder.dimensions,) or not np.isfinite(vector).all():
            raise InputError(
                f"the question's vector must hold {self._embedder.dimensions} finite numbers"
            )
        read = read_query(query, known, self._names(), speaker)
        return rank(
            read,
            known,
            vector,
            now=now,
            calendar=self._calendar,
            said_by=[self._store.code_of(name) for name in sorted(read.said_by)],
            reranker=self._reranker,
            asker=self._store.code_of(speaker) if speaker else -1,
            exclude=exclude,
            include=include,
        )

    def query_text(self, query: str, owner: str) -> str:
        """See `RagPipeline.query_text`."""
        return self._embedded(query, self._store.readable(owner, self._scopes))

    def _embedded(self, query: str, known: Readable) -> str:
        speakers = known.speakers
        undeclared = speakers - self._world.snapshot().entities.keys()
        return embedded_text(looked_for(query, known), speakers, undeclared, self._names())

    def _explained(self, ranking: Ranking, known: Readable, at: int) -> Explanation:
        reasons = [
            Reason(feature=name, value=value, weight=weight)
            for name, value, weight in zip(
                FEATURES,
                ranking.features[:, at].tolist(),
                self._reranker.weights.tolist(),
                strict=True,
            )
        ]
        if lift := float(ranking.lift[at]):
            reasons.append(Reason(feature="said last", value=lift, weight=1.0))
        reasons.sort(key=lambda reason: -abs(reason.contribution))
        return Explanation(
            memory=known.memory(int(ranking.places[at])),
            rank=at + 1,
            score=float(ranking.scores[at]),
            reasons=tuple(reasons),
        )
