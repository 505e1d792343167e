"""The vectors that searches are measured on: the user's own, or drawn ones."""

from __future__ import annotations

import warnings
from os import PathLike, fspath
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings.vector_store import Metric
from astraweave.errors import InputError

__all__ = ["Sample", "drawn_sample", "nearest", "read_sample", "recall_of", "scores_of"]

_FEWEST_ROWS = 100
_MOST_QUERIES = 1_000
_MOST_DIMENSIONS = 65_536
_BLOCK = 8_192


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Vectors to index and vectors to ask for.

    Attributes
    ----------
    name : str
        What they are, for a heading.
    rows, queries : ndarray of float32, shape (n, dimensions)
        Contiguous and finite; scaled to length 1 where the metric is cosine.
    metric : {"cosine", "dot", "l2"}
        How nearness is measured.
    """

    name: str
    rows: NDArray[np.float32]
    queries: NDArray[np.float32]
    metric: Metric


def read_sample(path: str | PathLike[str], *, metric: Metric = "cosine") -> Sample:
    """The vectors of a ``.npy`` file: its last tenth (1,000 at most) ask, the rest is indexed.

    Raises
    ------
    InputError
        The file cannot be read, or is no two-dimensional array of at least 100 rows of finite
        floating-point numbers; for cosine, a row is all zeros. Pickled objects are not loaded.
    """
    array = _read_array(fspath(path))
    queries = min(len(array) // 10, _MOST_QUERIES)
    try:
        with np.errstate(over="ignore"):  # what became infinite is named below
            vectors = np.ascontiguousarray(array, np.float32)
    except MemoryError:
        raise _refused(path, "it does not fit into memory") from None
    _check_numbers(path, vectors, metric)
    if metric == "cosine":
        vectors = _scaled(vectors)
    return Sample(
        name=f"{fspath(path)}: {len(vectors) - queries:,} x {vectors.shape[1]}",
        rows=vectors[:-queries],
        queries=vectors[-queries:],
        metric=metric,
    )


def drawn_sample(
    n: int = 20_000, dimensions: int = 384, *, queries: int = 500, seed: int = 7
) -> Sample:
    """Vectors drawn so that neighbours are about as hard to find as those of real sentences.

    Sentence vectors fill few of their dimensions and come in clusters of topics; independent
    coordinates would make every graph look worse than it is.
    """
    rng = np.random.default_rng(seed)
    hidden = 48
    topics = rng.standard_normal((max(1, n // 40), hidden))
    points = topics[rng.integers(len(topics), size=n + queries)]
    points = points + 0.9 * rng.standard_normal(points.shape)
    vectors = points @ rng.standard_normal((hidden, dimensions))
    vectors += 0.5 * rng.standard_normal(vectors.shape)
    scaled = _scaled(np.ascontiguousarray(vectors, np.float32))
    return Sample(
        name=f"drawn vectors, {n:,} x {dimensions}",
        rows=scaled[:n],
        queries=scaled[n:],
        metric="cosine",
    )


def nearest(sample: Sample, k: int) -> NDArray[np.float64]:
    """The score of each query's `k`-th neighbour, exactly: what an answer has to reach.

    Scores as `scores_of` gives them. Comparing scores, not ids, is just to every index where
    several vectors are equally near.
    """
    best = np.empty((len(sample.queries), 0))
    for start in range(0, len(sample.rows), _BLOCK):
        block = _scores(sample, sample.rows[start : start + _BLOCK].astype(np.float64))
        merged = np.concatenate([best, block], axis=1)
        keep = min(k, merged.shape[1])
        best = -np.partition(-merged, keep - 1, axis=1)[:, :keep]
    lowest: NDArray[np.float64] = best.min(axis=1)
    return lowest


def recall_of(
    sample: Sample, ids: NDArray[np.integer[Any]], wanted: NDArray[np.float64] | None = None
) -> float:
    """The share of the true neighbours among `ids`, shape (queries, k).

    `wanted` is what `nearest` gave for that `k`, where it is at hand already.
    """
    k = ids.shape[1]
    least = nearest(sample, k) if wanted is None else wanted
    near = scores_of(sample, ids) >= (least - 1e-6 * (1 + np.abs(least)))[:, None]
    return float(near.sum() / (len(least) * min(k, len(sample.rows))))


def scores_of(sample: Sample, ids: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """How near the rows `ids`, shape (queries, k), are to their queries; higher is nearer."""
    queries = sample.queries.astype(np.float64)[:, None, :]
    rows = sample.rows[ids].astype(np.float64)
    if sample.metric == "l2":
        distances: NDArray[np.float64] = ((rows - queries) ** 2).sum(axis=2)
        return -distances
    products: NDArray[np.float64] = (rows * queries).sum(axis=2)
    return products


def _scores(sample: Sample, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    queries = sample.queries.astype(np.float64)
    scores: NDArray[np.float64] = queries @ rows.T
    if sample.metric == "l2":
        lengths = (queries**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1)
        scores = 2 * scores - lengths
    return scores


def _read_array(path: str) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that an old Python wrote
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    except Exception:  # noqa: BLE001 - whatever a damaged header makes of Python's own parsers
        reason = "it is no whole .npy file of numbers (numpy.save writes one)"
        raise _refused(path, reason) from None
    if not isinstance(array, np.ndarray):
        raise _refused(path, "it is an .npz archive; save one array with numpy.save")
    if array.ndim != 2:
        raise _refused(path, f"its shape is {array.shape}; (vectors, dimensions) is needed")
    if array.dtype.kind != "f":
        raise _refused(
            path, f"it holds {array.dtype}, not floating-point numbers: array.astype('float32')"
        )
    rows, dimensions = array.shape
    if rows < _FEWEST_ROWS:
        raise _refused(path, f"it has {rows} rows; at least {_FEWEST_ROWS} are needed")
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _refused(path, f"its vectors have {dimensions} dimensions, not 1 to 65,536")
    return array


def _check_numbers(path: str | PathLike[str], vectors: NDArray[np.float32], metric: Metric) -> None:
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if wrong.size:
        raise _refused(path, f"row {wrong[0]} holds NaN, infinity or what float32 cannot hold")
    if metric == "cosine" and not (nonzero := vectors.any(axis=1)).all():
        raise _refused(path, f"row {np.argmin(nonzero)} is all zeros, which has no cosine")


def _scaled(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    # By the largest number first, so that no square is too large or too small for a float.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / largest
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled


def _refused(path: str | PathLike[str], reason: str) -> InputError:
    return InputError(f"'{fspath(path)}' cannot be measured with: {reason}", path=fspath(path))
