"""Language models: the protocol, the in-process engine, servers, and a scripted model for tests."""

from __future__ import annotations

from astraweave.llm._backend import KvReport
from astraweave.llm._engine import EngineReport
from astraweave.llm.local import LocalLanguageModel
from astraweave.llm.openai import OpenAILanguageModel
from astraweave.llm.protocol import (
    PRIORITIES,
    Choice,
    Chunk,
    ConstrainingModel,
    Constraint,
    DeadlineModel,
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
    "ConstrainingModel",
    "Constraint",
    "DeadlineModel",
    "EngineReport",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "JsonSchema",
    "KvReport",
    "LanguageModel",
    "Lark",
    "Listener",
    "LocalLanguageModel",
    "Message",
    "ModelInfo",
    "OpenAILanguageModel",
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
