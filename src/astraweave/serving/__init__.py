"""The road between game and model: every call of a model goes through the scheduler here."""

from __future__ import annotations

from astraweave.serving.batch import BatchInference, BatchProgress, BatchResult
from astraweave.serving.prompt_cache import (
    CacheStats,
    PromptCache,
    normalize_line,
    request_key,
)
from astraweave.serving.scheduler import LlmScheduler, ScoreTicket, Ticket, request_digest
from astraweave.serving.semantic_cache import SemanticCache, SemanticStats

__all__ = [
    "BatchInference",
    "BatchProgress",
    "BatchResult",
    "CacheStats",
    "LlmScheduler",
    "PromptCache",
    "ScoreTicket",
    "SemanticCache",
    "SemanticStats",
    "Ticket",
    "normalize_line",
    "request_digest",
    "request_key",
]
