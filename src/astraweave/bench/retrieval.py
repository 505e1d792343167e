"""Finding memories, piece by piece: words, vectors, fusion, and all of it in one question."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from astraweave._native import Vocabulary, WordShelf, score_words, stem
from astraweave.bench._sentences import made_sentence
from astraweave.bench.case import Case, Figures, Pair, case
from astraweave.embeddings import MockEmbeddingClient
from astraweave.kernels.ranking import diversify, fuse, largest
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.rag._vectors import VectorRows
from astraweave.rag.store import create_memory_tables

__all__ = ["CASES", "filled_store"]

_MEMORIES = 10_000
_DIMENSIONS = 384
_CANDIDATES = 150
_QUESTIONS = (
    "lost silver ring mill",
    "hid bronze key tannery winter",
    "mended fishing net Oswin",
    "worth 4711 coins",
    "old map well yesterday Sunniva",
)

_Scores = NDArray[np.float32]


def _texts() -> list[str]:
    return [made_sentence(n) for n in range(_MEMORIES)]


def _terms(question: str) -> list[tuple[str, float]]:
    return [(word, 1.0) for word in question.split()]


@cache
def _shelf() -> WordShelf:
    shelf = WordShelf(Vocabulary())
    shelf.append(_texts())
    return shelf


@cache
def _full_text() -> sqlite3.Connection:
    """SQLite's own index of the same texts, as quick as it can be made: in memory, one transaction.

    Never closed, like everything here that is shared by cases.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _index_full_text(connection, _texts())
    return connection


def _index_full_text(connection: sqlite3.Connection, texts: list[str]) -> None:
    connection.execute(
        "CREATE VIRTUAL TABLE said USING fts5(text,"
        " tokenize='porter unicode61 remove_diacritics 2')"
    )
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO said VALUES (?)", ((text,) for text in texts))
    connection.execute("COMMIT")


def _match(connection: sqlite3.Connection, question: str) -> _Scores:
    """Scores of all rows, as ours are."""
    query = " OR ".join(f'"{word}"' for word in question.split())
    rows = connection.execute(
        "SELECT rowid, bm25(said) FROM said WHERE said MATCH ?", (query,)
    ).fetchall()
    scores = np.zeros(_MEMORIES, np.float32)
    if rows:
        table = np.array(rows)
        scores[table[:, 0].astype(np.int64) - 1] = -table[:, 1]
    return scores


@case("retrieval.words_10k", unit="us", peer_name="sqlite fts5")
def words() -> Pair:
    """BM25 of 10,000 memories for a question of three to five words."""
    shelf, peer = _shelf(), _full_text()
    ours, theirs = cycle(_QUESTIONS), cycle(_QUESTIONS)
    same = [
        np.mean((score_words([shelf], _terms(q)) > 0) == (_match(peer, q) > 0)) for q in _QUESTIONS
    ]
    return Pair(
        ours=lambda: score_words([shelf], _terms(next(ours))),
        peer=lambda: _match(peer, next(theirs)),
        quality={"same_found": float(np.mean(same))},
    )


@case("retrieval.index_10k", unit="ms", peer_name="sqlite fts5")
def index() -> Pair:
    """Indexing the words of 10,000 memories, as when a world is loaded."""
    texts = _texts()

    def ours() -> None:
        WordShelf(Vocabulary()).append(texts)

    def peer() -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        _index_full_text(connection, texts)
        connection.close()

    return Pair(ours=ours, peer=peer)


@case("retrieval.stem", unit="us", peer_name="snowballstemmer")
def stems() -> Pair:
    """The stem of one English word."""
    every = sorted({word.strip(".,").lower() for text in _texts()[:600] for word in text.split()})
    peer: Callable[[], object] | None = None
    quality = {}
    try:
        import snowballstemmer
    except ImportError:
        pass
    else:
        theirs = snowballstemmer.stemmer("english").stemWord
        quality = {"same": float(np.mean([stem(word) == theirs(word) for word in every]))}
        peer = lambda: [theirs(word) for word in every]  # noqa: E731
    return Pair(
        ours=lambda: [stem(word) for word in every],
        peer=peer,
        per_call=len(every),
        quality=quality,
    )


@cache
def _vectors() -> tuple[VectorRows, _Scores, _Scores]:
    """As a shelf has them, as they were drawn, and questions."""
    draw = np.random.default_rng(1)
    units = draw.standard_normal((_MEMORIES + 64, _DIMENSIONS), np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    rows = VectorRows(_DIMENSIONS)
    rows.append_empty(_MEMORIES)
    rows.set(np.arange(_MEMORIES), units[:_MEMORIES])
    return rows, units[:_MEMORIES], units[_MEMORIES:]


@case("retrieval.cosines_10k", unit="us", peer_name="numpy")
def cosines() -> Pair:
    """Cosines of 10,000 memories in 8 bits; beside them a product of float32 matrices."""
    rows, units, questions = _vectors()
    ours, theirs = cycle(questions), cycle(questions)
    off = max(float(np.abs(rows.cosines(q) - units @ q).max()) for q in questions[:8])
    return Pair(
        ours=lambda: rows.cosines(next(ours)),
        peer=lambda: units @ next(theirs),
        quality={"largest_error": off},
    )


_TIMES = 60.0 * np.arange(_MEMORIES, dtype=np.float64)
_GAP = 900.0


def _best(words: _Scores, meaning: _Scores) -> NDArray[np.int64]:
    """As `rag._ranking.rank` chooses candidates: by both searches, with a share of neighbours."""
    window = fuse(words, meaning, _TIMES, [0, _MEMORIES], gap=_GAP)[3]
    best: NDArray[np.int64] = largest(window, _CANDIDATES)
    return best


def _numpy_best(words: _Scores, meaning: _Scores) -> NDArray[np.intp]:
    sums = sum((scores - scores.mean()) / scores.std() for scores in (words, meaning))
    positive, near = np.maximum(sums, 0.0), np.diff(_TIMES) <= _GAP
    two = near[1:] & near[:-1]
    window = sums.copy()
    window[1:] += np.float32(0.6) * positive[:-1] * near
    window[2:] += np.float32(0.3) * positive[:-2] * two
    window[:-1] += np.float32(0.4) * positive[1:] * near
    window[:-2] += np.float32(0.2) * positive[2:] * two
    best = np.argpartition(-window, _CANDIDATES)[:_CANDIDATES]
    ordered: NDArray[np.intp] = best[np.argsort(-window[best], kind="stable")]
    return ordered


@case("retrieval.fuse_10k", unit="us", peer_name="numpy")
def fusion() -> Pair:
    """The 150 best of 10,000 by two searches' z-scores and what stands around each, in order."""
    words = score_words([_shelf()], _terms(_QUESTIONS[0]))
    meaning = _vectors()[0].cosines(_vectors()[2][0])
    ours, theirs = _best(words, meaning), _numpy_best(words, meaning)
    return Pair(
        ours=lambda: _best(words, meaning),
        peer=lambda: _numpy_best(words, meaning),
        quality={"same": len(set(ours.tolist()) & set(theirs.tolist())) / _CANDIDATES},
    )


@case("retrieval.candidates_10k", unit="us", peer_name="sqlite fts5 and numpy")
def candidates() -> Pair:
    """From a question's words and vector to the 150 best of 10,000 memories."""
    shelf, connection = _shelf(), _full_text()
    rows, units, questions = _vectors()
    ours, theirs = cycle(_QUESTIONS), cycle(_QUESTIONS)
    asked, asked_too = cycle(questions), cycle(questions)

    def find() -> object:
        return _best(score_words([shelf], _terms(next(ours))), rows.cosines(next(asked)))

    def find_plainly() -> object:
        return _numpy_best(_match(connection, next(theirs)), units @ next(asked_too))

    return Pair(ours=find, peer=find_plainly)


def _numpy_diverse(vectors: _Scores, relevance: _Scores, most: int) -> list[int]:
    alike = vectors @ vectors.T
    chosen = [int(relevance.argmax())]
    near = alike[chosen[0]].copy()
    while len(chosen) < most:
        value = 0.7 * relevance - 0.3 * near
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
        near = np.maximum(near, alike[chosen[-1]])
    return chosen


@case("retrieval.diversify", unit="us", peer_name="numpy")
def diverse() -> Pair:
    """5 of 32 candidates by maximal marginal relevance."""
    vectors = np.ascontiguousarray(_vectors()[1][:32])
    relevance = np.random.default_rng(2).random(32).astype(np.float32)
    ours = diversify(vectors, relevance, 5, balance=0.7).tolist()
    return Pair(
        ours=lambda: diversify(vectors, relevance, 5, balance=0.7),
        peer=lambda: _numpy_diverse(vectors, relevance, 5),
        quality={"same": float(ours == _numpy_diverse(vectors, relevance, 5))},
    )


def filled_store() -> MemoryStore:
    """10,000 memories of one character, vectors drawn."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    create_memory_tables(connection)
    store = MemoryStore(connection, MockEmbeddingClient(_DIMENSIONS))
    stored = store.add_many(
        (
            Memory(owner="tam", text=text, speaker="player", addressee="tam", game_time=60.0 * n)
            for n, text in enumerate(_texts())
        ),
        embed=False,
    )
    store.set_vectors(stored, _vectors()[1])
    return store


@case("retrieval.retrieve_10k", unit="ms")
def retrieve() -> Figures:
    """5 of 10,000 memories by `RagPipeline.retrieve`, the question's vector given; p95 of 1,000."""
    store, embedder = filled_store(), MockEmbeddingClient(_DIMENSIONS)
    questions = _vectors()[2]
    telemetry = Telemetry()
    for each, count in ((NULL_TELEMETRY, 100), (telemetry, 1_000)):  # the first to warm up
        pipeline = RagPipeline(store, embedder, telemetry=each)
        for n in range(count):
            question, vector = _QUESTIONS[n % len(_QUESTIONS)], questions[n % len(questions)]
            pipeline.retrieve(f"What of the {question}?", owner="tam", k=5, vector=vector)
    took = telemetry.spans()["rag.retrieve"]
    return Figures(ours=took.p95_ms, quality={"p50": took.p50_ms})


CASES: tuple[Case, ...] = (
    words, index, stems, cosines, fusion, candidates, diverse, retrieve,
)  # fmt: skip
