from __future__ import annotations

import hashlib

import numpy as np

from astraweave.bench.memory import measure_memory
from astraweave.embeddings import EmbedderInfo


class Hashing:
    dimensions = 16
    model_info = EmbedderInfo(id="hashing", dimensions=16, max_tokens=64)

    def embed(self, text):
        seed = hashlib.blake2b(text.encode(), digest_size=8).digest()
        row = np.random.default_rng(int.from_bytes(seed, "little")).normal(size=16)
        return (row / np.linalg.norm(row)).astype(np.float32)

    def embed_batch(self, texts):
        return np.stack([self.embed(text) for text in texts])


def test_the_case_measures_what_it_says(tmp_path):
    figures = measure_memory(tmp_path, Hashing(), memories=300, owners=3, questions=30, repeats=2)
    assert (figures.memories, figures.owners) == (300, 3)
    assert (figures.save.count, figures.load.count) == (2, 2)
    assert figures.retrieve.count == figures.embed_query.count == 30
    assert figures.found >= 0.9
    assert figures.save_bytes > 0
