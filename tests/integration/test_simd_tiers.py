"""Each SIMD tier of this machine, forced from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

from astraweave import _native

SEARCH = """
import sys
import numpy as np
from astraweave import _native
from astraweave.embeddings import VectorStore

assert _native.simd_tier() == sys.argv[1], _native.simd_tier()
rng = np.random.default_rng(5)
vectors = rng.integers(-4, 5, (500, 83)).astype(np.float32)  # whole numbers: sums are exact
for metric in ("dot", "l2"):
    store = VectorStore(83, metric)
    store.insert_many(range(500), vectors)
    for query in vectors[:20]:
        print(metric, [(hit.id, round(hit.score, 3)) for hit in store.search(query, 7)])
"""


def found_with(tier: str, environment: pytest.MonkeyPatch) -> str:
    environment.setenv("ASTRAWEAVE_SIMD", tier)
    return subprocess.run(
        [sys.executable, "-c", SEARCH, tier], capture_output=True, check=True, text=True
    ).stdout


def test_every_tier_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {tier: found_with(tier, monkeypatch) for tier in _native.simd_tiers()}
    assert answers["scalar"].count("\n") == 40
    assert len(set(answers.values())) == 1, answers


@pytest.mark.parametrize("tier", ["sse9", "neon" if "avx2" in _native.simd_tiers() else "avx2"])
def test_a_tier_that_is_not_here_is_named(tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTRAWEAVE_SIMD", tier)
    ended = subprocess.run(
        [sys.executable, "-c", "from astraweave import _native"], capture_output=True, text=True
    )
    assert ended.returncode != 0
    assert tier in ended.stderr
    assert "scalar" in ended.stderr
