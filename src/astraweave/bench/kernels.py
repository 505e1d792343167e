"""Making batches and drawing tokens, beside what one writes with NumPy."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Pair, case
from astraweave.core.rng import RandomStreams
from astraweave.kernels.batch import collate
from astraweave.kernels.sampling import PARAMETERS, sample, sample_rows

__all__ = ["CASES"]

_VOCABULARY = 49_152
_ROWS = 32
_RULE: dict[str, Any] = {
    "temperature": 0.7,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.0,
    "repetition_penalty": 1.1,
    "presence_penalty": 0.2,
    "frequency_penalty": 0.1,
}

_Ids = NDArray[np.int32]


def _ragged() -> list[list[int]]:
    rng: random.Random = RandomStreams(11)["rows"]
    return [[rng.randrange(_VOCABULARY) for _ in range(rng.randint(8, 64))] for _ in range(_ROWS)]


def _padded(rows: list[list[int]]) -> tuple[NDArray[np.int64], ...]:
    """The usual loop."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask, (np.cumsum(mask, axis=1) - 1) * mask


def _same(ours: tuple[NDArray[np.int64], ...], theirs: tuple[NDArray[np.int64], ...]) -> float:
    return float(all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)))


@case("kernels.collate", unit="us", peer_name="numpy")
def collate_lists() -> Pair:
    """32 lists of 8 to 64 ids to ids, mask and positions."""
    rows = _ragged()
    room = np.empty(3 * _ROWS * 64, np.int64)
    return Pair(
        ours=lambda: collate(rows, out=room),
        peer=lambda: _padded(rows),
        quality={"same": _same(collate(rows), _padded(rows))},
    )


def _draw(
    logits: NDArray[np.float32],
    seen: _Ids,
    counts: _Ids,
    *,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    presence_penalty: float,
    frequency_penalty: float,
    uniform: float,
) -> int:
    """The same with NumPy: penalties, partition, softmax, running sum."""
    touched = logits[seen]
    touched = np.where(touched > 0, touched / repetition_penalty, touched * repetition_penalty)
    logits[seen] = touched - (presence_penalty * (counts > 0) + frequency_penalty * counts)
    kept = np.argpartition(logits, -top_k)[-top_k:] if top_k else np.arange(len(logits))
    kept = kept[np.argsort(-logits[kept], kind="stable")]
    weights = np.exp((logits[kept].astype(np.float64) - logits[kept[0]]) / temperature)
    sums = np.cumsum(weights)
    kept = np.sort(kept[: int(np.searchsorted(sums, top_p * sums[-1])) + 1])
    weights = np.exp((logits[kept].astype(np.float64) - logits.max()) / temperature)
    weights[weights < min_p] = 0
    sums = np.cumsum(weights)
    return int(kept[np.searchsorted(sums, uniform * sums[-1], side="right")])


def _rows(count: int) -> tuple[NDArray[np.float32], list[_Ids], list[_Ids]]:
    """Logits as a language model's: most far below a few; and 300 tokens seen of each row."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, (count, _VOCABULARY)).astype(np.float32)
    logits[:, ::997] += 12
    seen = [rng.choice(_VOCABULARY, 300, replace=False).astype(np.int32) for _ in range(count)]
    return logits, seen, [rng.integers(0, 3, 300).astype(np.int32) for _ in range(count)]


def _one(rule: dict[str, Any]) -> Pair:
    rows, (seen,), (counts,) = _rows(1)
    row, used, scratch = rows[0], rows[0].copy(), np.empty(_VOCABULARY, np.int32)

    def ours(uniform: float = 0.4) -> int:
        used[:] = row
        return int(sample(used, seen, scratch, counts=counts, uniform=uniform, **rule))

    def peer(uniform: float = 0.4) -> int:
        used[:] = row
        return _draw(used, seen, counts, uniform=uniform, **rule)

    draws = np.linspace(0, 1, 200, endpoint=False)
    same = sum(ours(u) == peer(u) for u in draws) / len(draws)
    return Pair(ours=ours, peer=peer, quality={"agreement": same})


@case("kernels.sample", unit="us", peer_name="numpy")
def sample_one() -> Pair:
    """A token of 49,152 with 300 penalties, top-k and top-p; with a copy of the row (196 kB)."""
    return _one(_RULE)


@case("kernels.top_p", unit="us", peer_name="numpy")
def sample_top_p() -> Pair:
    """The same without top-k: top-p of the whole vocabulary."""
    return _one(_RULE | {"top_k": 0})


@case("kernels.sample_rows", unit="us", peer_name="numpy")
def sample_eight() -> Pair:
    """The same for each of 8 rows in one call."""
    count = 8
    rows, seen, counts = _rows(count)
    used, scratch = rows.copy(), np.empty(_VOCABULARY, np.int32)
    tokens = np.empty(count, np.int32)
    uniforms = [(i + 0.5) / count for i in range(count)]
    rules = [_RULE | {"uniform": uniform} for uniform in uniforms]
    parameters = np.array([[rule[name] for name in PARAMETERS] for rule in rules], np.float64)
    offsets = np.arange(0, 300 * count + 1, 300, dtype=np.int32)
    all_seen, all_counts = np.concatenate(seen), np.concatenate(counts)

    def ours() -> list[int]:
        used[:] = rows
        sample_rows(used, all_seen, all_counts, offsets, parameters, scratch, tokens)
        return list(map(int, tokens))

    def peer() -> list[int]:
        used[:] = rows
        return [
            _draw(row, mine, made, **rule)
            for row, mine, made, rule in zip(used, seen, counts, rules, strict=True)
        ]

    same = float(np.mean(np.equal(ours(), peer())))
    return Pair(ours=ours, peer=peer, per_call=count, quality={"agreement": same})


CASES: tuple[Case, ...] = (collate_lists, sample_one, sample_top_p, sample_eight)
