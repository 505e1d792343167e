"""The road between game and model: every call of a model goes through the scheduler here."""

from __future__ import annotations

from astraweave.serving.batch import BatchInference, BatchProgress, BatchResult
from astraweave.serving.breaker import BreakerOpen, BreakerState, CircuitBreaker, CircuitBreakers
from astraweave.serving.bulkhead import Bulkhead
from astraweave.serving.fallback import LAST_RESORT, Answered, Answering, FallbackChain, Tried
from astraweave.serving.health import HealthCheck
from astraweave.serving.latency import LatencyBook, QuantileSketch
from astraweave.serving.limits import RateLimited, RateLimiter, Reservation
from astraweave.serving.policies import (
    BreakerSettings,
    BulkheadSettings,
    ChainSettings,
    HealthSettings,
    HedgeSettings,
    LimitSettings,
    Rate,
    RetrySettings,
    RoadSettings,
    TimeoutSettings,
)
from astraweave.serving.prompt_cache import (
    CacheStats,
    PromptCache,
    normalize_line,
    request_key,
)
from astraweave.serving.resilient import Resilient
from astraweave.serving.responders import (
    CacheResponder,
    CallableResponder,
    ModelResponder,
    NothingFound,
    TemplateResponder,
)
from astraweave.serving.retry import Budget
from astraweave.serving.road import Road, RoadReport, open_road
from astraweave.serving.scheduler import LlmScheduler, ScoreTicket, Ticket, request_digest
from astraweave.serving.semantic_cache import SemanticCache, SemanticStats
from astraweave.serving.settings_file import read_road_settings
from astraweave.serving.timers import Timers

__all__ = [
    "LAST_RESORT",
    "Answered",
    "Answering",
    "BatchInference",
    "BatchProgress",
    "BatchResult",
    "BreakerOpen",
    "BreakerSettings",
    "BreakerState",
    "Budget",
    "Bulkhead",
    "BulkheadSettings",
    "CacheResponder",
    "CacheStats",
    "CallableResponder",
    "ChainSettings",
    "CircuitBreaker",
    "CircuitBreakers",
    "FallbackChain",
    "HealthCheck",
    "HealthSettings",
    "HedgeSettings",
    "LatencyBook",
    "LimitSettings",
    "LlmScheduler",
    "ModelResponder",
    "NothingFound",
    "PromptCache",
    "QuantileSketch",
    "Rate",
    "RateLimited",
    "RateLimiter",
    "Reservation",
    "Resilient",
    "RetrySettings",
    "Road",
    "RoadReport",
    "RoadSettings",
    "ScoreTicket",
    "SemanticCache",
    "SemanticStats",
    "TemplateResponder",
    "Ticket",
    "TimeoutSettings",
    "Timers",
    "Tried",
    "normalize_line",
    "open_road",
    "read_road_settings",
    "request_digest",
    "request_key",
]
