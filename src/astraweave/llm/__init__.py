"""Language models: the protocol, the in-process engine, and a scripted model for tests."""

from __future__ import annotations

from astraweave.llm.protocol import (
    Chunk,
    FinishReason,
    Generation,
    GenerationRequest,
    LanguageModel,
    Message,
    ModelInfo,
    Role,
    SamplingParams,
    Usage,
)

__all__ = [
    "Chunk",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "LanguageModel",
    "Message",
    "ModelInfo",
    "Role",
    "SamplingParams",
    "Usage",
]
