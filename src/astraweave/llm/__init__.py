"""Language models: the protocol, the in-process engine, and a scripted model for tests."""

from __future__ import annotations

from astraweave.llm.onnx import OnnxLanguageModel
from astraweave.llm.protocol import (
    PRIORITIES,
    Choice,
    Chunk,
    Constraint,
    FinishReason,
    Generation,
    GenerationRequest,
    JsonSchema,
    LanguageModel,
    Lark,
    Message,
    ModelInfo,
    Priority,
    Regex,
    Role,
    SamplingParams,
    Score,
    ScoreRequest,
    Scoring,
    ScoringModel,
    Tool,
    ToolCall,
    Usage,
)
from astraweave.llm.scripted import ScriptedModel
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream, Listener

__all__ = [
    "PRIORITIES",
    "Choice",
    "Chunk",
    "ChunkStream",
    "Constraint",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "JsonSchema",
    "LanguageModel",
    "Lark",
    "Listener",
    "Message",
    "ModelInfo",
    "OnnxLanguageModel",
    "Priority",
    "Regex",
    "Role",
    "SamplingParams",
    "Score",
    "ScoreRequest",
    "Scoring",
    "ScoringModel",
    "ScriptedModel",
    "StopScanner",
    "Tool",
    "ToolCall",
    "Usage",
]
