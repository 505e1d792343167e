"""Language models: the protocol, the in-process engine, and a scripted model for tests."""

from __future__ import annotations

from astraweave.llm.onnx import OnnxLanguageModel
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
from astraweave.llm.scripted import ScriptedModel
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream

__all__ = [
    "Chunk",
    "ChunkStream",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "LanguageModel",
    "Message",
    "ModelInfo",
    "OnnxLanguageModel",
    "Role",
    "SamplingParams",
    "ScriptedModel",
    "StopScanner",
    "Usage",
]
