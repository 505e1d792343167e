"""The default embedding model, fetched and converted by the model store."""

from __future__ import annotations

import numpy as np
import pytest

from astraweave import models
from astraweave.core.settings import Settings
from astraweave.embeddings import OnnxEmbedder
from astraweave.errors import AstraweaveError
from astraweave.inference import Sessions

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def files():
    settings = Settings.from_environment()
    if not hasattr(models, "ModelStore"):
        pytest.skip("the model store is not there yet")
    try:
        return models.ModelStore(settings).ensure(settings.embedder)
    except AstraweaveError as error:
        pytest.skip(f"the default embedder cannot be had: {error}")


def test_meaning_is_near_and_exact_vectors_do_not_depend_on_batch_mates(files) -> None:
    texts = [
        "Tam lost his hammer at the old mill.",
        "The queen sleeps in the northern tower.",
        "Mira sells apples and honey on market day.",
        "",
        "wolf " * 2000,
    ]
    queries = ["Where did the smith leave his tool?", "Who rests in the castle?", "buying fruit"]
    with Sessions(Settings(threads=1)) as sessions:
        exact = OnnxEmbedder(files, sessions=sessions, exact=True)
        fast = OnnxEmbedder(files, sessions=sessions)
        vectors = exact.embed_batch(texts)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert (exact.embed_batch(queries) @ vectors[:3].T).argmax(axis=1).tolist() == [0, 1, 2]
        assert (exact.embed_batch(texts[::-1])[::-1] == vectors).all()
        assert ((fast.embed_batch(texts) * vectors).sum(axis=1) > 0.9).all()
        assert exact.model_info.exact
        assert not fast.model_info.exact
