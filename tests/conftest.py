"""Fixtures that need more than a line; the default weights are fetched on first use."""

from __future__ import annotations

import pytest

from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.errors import ModelUnavailable
from astraweave.models import ModelFiles, ModelStore


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    """The user's own store (``ASTRAWEAVE_HOME``, or the cache folder)."""
    return ModelStore(Settings.from_environment())


@pytest.fixture(scope="session")
def decoder_files(model_store: ModelStore) -> ModelFiles:
    return _ensured(model_store, DEFAULT_MODEL)


@pytest.fixture(scope="session")
def encoder_files(model_store: ModelStore) -> ModelFiles:
    return _ensured(model_store, DEFAULT_EMBEDDER)


def _ensured(store: ModelStore, model_id: str) -> ModelFiles:
    try:
        return store.ensure(model_id)
    except ModelUnavailable as error:
        if store.offline:
            pytest.skip(f"ASTRAWEAVE_OFFLINE is set and the weights are missing: {error}")
        raise
