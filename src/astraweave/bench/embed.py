"""Sentence vectors beside sentence-transformers, the same weights in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Pair, case
from astraweave.bench.footprint import wanted_models
from astraweave.core.settings import DEFAULT_EMBEDDER
from astraweave.embeddings import OnnxEmbedder
from astraweave.models import ModelStore

__all__ = ["CASES"]

_DIMENSIONS = 384
_THREADS = 2
"""Of the peer, at most; ours works on the calling thread alone."""
_TEXTS = 100
_PEOPLE = ("Mira", "Brandt", "old Tam", "Zo\u00eb", "the miller", "Corvin", "Nessa")
_DEEDS = (
    "borrowed my second-best hammer",
    "will not walk past the north gate after dark",
    "paid eleven silver for a red lantern",
    "says that the bridge at Saltmarsh has washed away again",
    "has not forgotten what you did at the mill",
)
_TIMES = ("last winter", "on market day", "before the flood", "three days ago")

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def _texts() -> list[str]:
    """Different lines of about 65 characters (17 tokens)."""
    lines = (f"{who} {deed}, {when}." for who, deed, when in product(_PEOPLE, _DEEDS, _TIMES))
    return list(islice(lines, _TEXTS))


def _ours() -> OnnxEmbedder:
    (files,) = wanted_models(DEFAULT_EMBEDDER)
    return OnnxEmbedder(files)


def _theirs() -> Encode | None:
    """sentence-transformers over the weights that ours were converted from."""
    sources = sorted(ModelStore().home.glob(f"sources/{DEFAULT_EMBEDDER}-*/model.safetensors"))
    try:
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Pooling, Transformer
    except ImportError:
        return None
    if not sources:  # a bundle has the converted model only
        return None
    torch.set_num_threads(min(_THREADS, torch.get_num_threads()))
    reader = Transformer(str(sources[-1].parent))
    model: Any = SentenceTransformer(modules=[reader, Pooling(_DIMENSIONS)], device="cpu")

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    return encode


def _agreement(ours: OnnxEmbedder, theirs: Encode | None) -> dict[str, float]:
    """Mean cosine between the two; ours has 8-bit weights."""
    if theirs is None:
        return {}
    texts = _texts()
    products = ours.embed_batch(texts) * theirs(texts)
    return {"cosine": float(products.sum(axis=1).mean())}


@case("embed.query", unit="ms", peer_name="sentence-transformers")
def query() -> Pair:
    """One line, another one each time, as a question to the memories is embedded."""
    ours, theirs = _ours(), _theirs()
    mine, others = cycle(_texts()), cycle(_texts())
    return Pair(
        ours=lambda: ours.embed(next(mine)),
        peer=None if theirs is None else lambda: theirs([next(others)]),
        quality=_agreement(ours, theirs),
    )


@case("embed.batch_100", unit="ms", peer_name="sentence-transformers")
def batch() -> Pair:
    """A hundred lines at once, as a character's memories are written."""
    ours, theirs, texts = _ours(), _theirs(), _texts()
    return Pair(
        ours=lambda: ours.embed_batch(texts),
        peer=None if theirs is None else lambda: theirs(texts),
        quality=_agreement(ours, theirs),
    )


CASES: tuple[Case, ...] = (query, batch)
