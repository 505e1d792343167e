"""The default models on every device that this machine has: see docs/gpu.md."""

from __future__ import annotations

import json

import numpy as np
import pytest

from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.embeddings import OnnxEmbedder
from astraweave.inference import Sessions
from astraweave.llm import (
    GenerationRequest,
    JsonSchema,
    LocalLanguageModel,
    Message,
    SamplingParams,
)
from astraweave.models import ModelFiles, ModelStore

pytestmark = [pytest.mark.models, pytest.mark.slow]

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm", "angry"]}, "say": {"type": "string", "maxLength": 40}},
    "required": ["mood", "say"],
    "additionalProperties": False,
}


@pytest.fixture
def half_files(decoder_files: ModelFiles) -> ModelFiles:
    store = ModelStore(Settings.from_environment(), precision="fp16")
    if not store.sources(DEFAULT_MODEL).is_dir():
        pytest.skip("the store holds converted models only (a bundle)")
    return store.ensure(DEFAULT_MODEL)


def question(at: int, **wishes: object) -> GenerationRequest:
    return GenerationRequest(
        messages=(
            Message("system", "You are Tam, the smith of a small village."),
            Message("user", f"Do you have {at} nails for me?"),
        ),
        max_tokens=60,
        sampling=SamplingParams(temperature=0.0, repetition_penalty=1.0),
        **wishes,  # type: ignore[arg-type]
    )


def test_the_decoder_answers_in_half_precision(device: str, half_files: ModelFiles) -> None:
    """Alone and together, free and held to a schema; its memory is counted where it lies."""
    sessions = Sessions(Settings(provider=device, gpu_memory_mb=2048))
    budget = sessions.memory if device == "cpu" else sessions.gpu_memory
    with LocalLanguageModel(
        half_files, sessions=sessions, backend="graph", max_sequences=4, context_tokens=192
    ) as model:
        assert model.info.provider.lower().startswith(device)
        report = budget.report()
        assert len(report.holders) == 2
        assert report.used < 2 << 30
        alone = model.generate(question(1)).result(120)
        assert len(alone) > 10
        constraint = JsonSchema(schema=SCHEMA)
        answers = [model.generate(question(at, constraint=constraint)) for at in range(6)]
        again = model.generate(question(1))
        for answer in answers:
            value = json.loads(answer.result(120))
            assert value["mood"] in ("calm", "angry")
            assert len(value["say"]) <= 40
        assert again.result(120)[:10] == alone[:10]
    sessions.close()


def test_embeddings_agree(device: str, model_store: ModelStore) -> None:
    texts = ["The old wolf came down from the hill.", "What do I owe you?", "Zoë's café, at night"]
    files = model_store.ensure(DEFAULT_EMBEDDER)
    vectors = []
    for provider in ("cpu", device):
        with Sessions(Settings(provider=provider)) as sessions:
            embedder = OnnxEmbedder(files, sessions=sessions)
            vectors.append(np.stack([embedder.embed(text) for text in texts]))
    assert (np.sum(vectors[0] * vectors[1], axis=1) > 0.999).all()
