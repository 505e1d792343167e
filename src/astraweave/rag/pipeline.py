"""From what is said to memories, and from a question to the memories that answer it.

How memories are ranked stands in `_ranking`, how they are written in `writing`, how they fade and
are summed up in `life` and `life_gists`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.protocols import ScopeResolver, TokenCounter
from astraweave.core.worldview import WorldView
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag._linking import NameIndex
from astraweave.rag._reranker import Reranker
from astraweave.rag._retrieval import Retrieval
from astraweave.rag._time import GameCalendar
from astraweave.rag.explain import Explanation
from astraweave.rag.life import MemoryLife
from astraweave.rag.memory import Memory, MemoryKind
from astraweave.rag.retrieved import Retrieved
from astraweave.rag.scopes import WorldScopes
from astraweave.rag.store import MemoryStore
from astraweave.rag.writing import Decision, MemoryWriter, Written, most_telling
from astraweave.rag.writing_novelty import NoveltyTable

__all__ = ["RagPipeline"]


class RagPipeline:
    """Remembers and retrieves. Confined to the thread of its store.

    Parameters
    ----------
    store : MemoryStore
        Where memories are.
    embedder : EmbeddingClient
        Embeds questions; the one that the store has.
    world : WorldView, optional
        Knows names, aliases and kinds; without it names are guessed from capitals.
    scopes : ScopeResolver, optional
        Says which scopes a character is inside; by default `WorldScopes` of the world.
    life : MemoryLife, optional
        How memories fade; without it none does.
    novelty : NoveltyTable, optional
        What is usual for each owner; without it nothing surprises.
    calendar : GameCalendar, optional
        How long a day of the game is and which date it is; for questions like 'yesterday'.
    reranker : Reranker, optional
        Other weights than the shipped ones.
    telemetry : Telemetry
        Spans ``rag.retrieve`` and ``rag.embed_query``, counters ``rag.remembered`` and
        ``rag.repeated``.

    Attributes
    ----------
    writer : MemoryWriter
        Tells what became of each part of a line, where `remember` is too short an answer.
    life : MemoryLife or None
        Strengths.
    """

    def __init__(
        self,
        store: MemoryStore,
        embedder: EmbeddingClient,
        *,
        world: WorldView | None = None,
        scopes: ScopeResolver | None = None,
        life: MemoryLife | None = None,
        novelty: NoveltyTable | None = None,
        calendar: GameCalendar | None = None,
        reranker: Reranker | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._world = world or WorldView()
        self._scopes = scopes or WorldScopes(self._world)
        self._telemetry = telemetry
        self._names = NameIndex(self._world.snapshot())
        self.life = life
        self.writer = MemoryWriter(
            store, self._name_index, life=life, novelty=novelty, telemetry=telemetry
        )
        self._retrieval = Retrieval(
            store,
            embedder,
            world=self._world,
            names=self._name_index,
            scopes=self._scopes,
            calendar=calendar or GameCalendar(),
            reranker=reranker or Reranker.shipped(),
            telemetry=telemetry,
        )

    def remember(
        self,
        text: str,
        *,
        owner: str,
        game_time: float,
        speaker: str = "",
        addressee: str = "",
        kind: MemoryKind | None = None,
        importance: float | None = None,
        tags: Sequence[str] = (),
        embed: bool = False,
    ) -> Memory:
        """Keep what a character heard, said or saw; no model is asked.

        How a line becomes memories stands in `MemoryWriter`: it is taken apart, what is known
        already becomes stronger, what no longer holds is superseded. Who and what it is about is
        looked up in the world; kind and importance come from rules where they are not given.

        Parameters
        ----------
        text : str
            One utterance or observation, cleaned.
        owner : str
            Who remembers it.
        game_time : float
            When, in seconds of game time.
        embed : bool
            False: `MemoryStore.embed_pending` does it later, so that a line need not wait.

        Returns
        -------
        Memory
            The memory that holds it now, new or not; of several the one that tells most.

        Raises
        ------
        InputError
            It cannot be stored.
        """
        written = self.remember_parts(
            text,
            owner=owner,
            game_time=game_time,
            speaker=speaker,
            addressee=addressee,
            kind=kind,
            importance=importance,
            tags=tags,
            embed=embed,
        )
        return most_telling(written)

    def remember_parts(self, text: str, **line: Any) -> tuple[Written, ...]:
        """What `remember` does, told part by part; takes what it takes."""
        written = self.writer.write(text, **line)
        self._count(written)
        return written

    def strength(self, memory_id: int, now: float) -> float:
        """How strong a memory is, 0 (gone) to 1; 1 throughout where nothing fades."""
        return 1.0 if self.life is None else self.life.strength(memory_id, now)

    def recalled(self, ids: Collection[int], now: float) -> None:
        """Memories came to mind and were spoken of: they last longer from now on."""
        if self.life is not None:
            self.life.recall(ids, now)

    def decide(
        self, line: Memory, *, importance: float | None = None, rests_on: Collection[int] = ()
    ) -> Decision:
        """What `remember` would make of a line; nothing is changed.

        For whoever changes the store through events: apply `Decision.changes`, then hand the
        decision to `MemoryWriter.follow`. `rests_on` are the memories that its owner's own words
        are made of.
        """
        judged = importance is not None or bool(line.tags)
        if importance is not None:
            line = msgspec.structs.replace(line, importance=importance)
        decision = self.writer.decide(
            line, judged=judged, importance=importance is None, rests_on=rests_on
        )
        self._count(decision.written)
        return decision

    def _count(self, written: Sequence[Written]) -> None:
        for one in written:
            known = one.outcome in {"again", "retold"}
            self._telemetry.count("rag.repeated" if known else "rag.remembered")

    def retrieve(
        self,
        query: str,
        *,
        owner: str,
        k: int = 5,
        exclude: Collection[int] = frozenset(),
        speaker: str | None = None,
        now: float | None = None,
        vector: NDArray[np.float32] | None = None,
        diversity: float = 0.0,
    ) -> list[Retrieved]:
        """What a character remembers about a question.

        Parameters
        ----------
        query : str
            What was asked, in any words; it is data, never query syntax.
        owner : str
            Who is asked; what comes back is theirs, or of a scope that they are inside.
        k : int
            At most so many.
        exclude : collection of int
            Ids that are not wanted (they stand in the prompt already).
        speaker : str, optional
            Who asks: "my sister" then means theirs.
        now : float, optional
            Game time; None: that of the latest memory.
        vector : ndarray, shape ``(dimensions,)``, optional
            The question's vector, where it was embedded elsewhere (see `query_text`).
        diversity : float
            0: the best as they are (default); towards 1: each as unlike those before it as can be.
            It costs answers: of LoCoMo's questions 84.5 % find theirs at 0, 82.3 at 0.1, 78.2 at
            0.3.

        Returns
        -------
        list of Retrieved
            Best first. Whether the best is good enough is for the caller to judge, by
            ``similarity`` and ``lexical``.
        """
        return self._retrieval.retrieve(
            query,
            owner=owner,
            k=k,
            exclude=exclude,
            speaker=speaker,
            now=now,
            vector=vector,
            diversity=diversity,
        )

    def explain(
        self,
        query: str,
        *,
        owner: str,
        k: int = 5,
        memory_id: int | None = None,
        speaker: str | None = None,
        now: float | None = None,
        vector: NDArray[np.float32] | None = None,
    ) -> list[Explanation]:
        """Why a question brings back what it does.

        Parameters
        ----------
        query, owner, k, speaker, now, vector
            As for `retrieve`.
        memory_id : int, optional
            A memory that is explained as well, wherever it ranks.

        Returns
        -------
        list of Explanation
            Best first, the one of `memory_id` last where it is not among the best; each as text
            (``str``) names what counted most.

        Raises
        ------
        InputError
            `owner` may draw on no memory `memory_id`.
        """
        return self._retrieval.explain(
            query,
            owner=owner,
            k=k,
            memory_id=memory_id,
            speaker=speaker,
            now=now,
            vector=vector,
        )

    def query_text(self, query: str, *, owner: str) -> str:
        """What of a question should be embedded: all but the names of those who speak."""
        return self._retrieval.query_text(query, owner)

    @staticmethod
    def inject(
        retrieved: Sequence[Retrieved],
        budget_tokens: int,
        counter: TokenCounter,
        *,
        render: Callable[[Memory], str] = lambda memory: memory.text,
    ) -> list[Retrieved]:
        """What fits into a prompt, best first: one too long gives way to shorter ones after it.

        Parameters
        ----------
        retrieved : sequence of Retrieved
            Best first.
        budget_tokens : int
            For all of them together.
        counter : TokenCounter
            Counts as the model will.
        render : callable
            How a memory will stand in the prompt; each as a line of its own.
        """
        fitting = []
        for candidate in retrieved:
            cost = counter.count(render(candidate.memory) + "\n")
            if cost <= budget_tokens:
                budget_tokens -= cost
                fitting.append(candidate)
        return fitting

    def _name_index(self) -> NameIndex:
        if self._names.version != self._world.version:
            self._names = self._names.at(self._world.snapshot())
        return self._names
