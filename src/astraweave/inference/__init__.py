"""onnxruntime sessions, providers, and the threads and memory that all models share."""

from __future__ import annotations

from astraweave.inference.memory import MemoryBudget, MemoryReport, MemoryShare
from astraweave.inference.providers import (
    ProviderFallbackWarning,
    device_of,
    precision_for,
    provider_name,
)
from astraweave.inference.sessions import InferenceReport, Session, Sessions
from astraweave.inference.threads import ThreadBudgetWarning

__all__ = [
    "InferenceReport",
    "MemoryBudget",
    "MemoryReport",
    "MemoryShare",
    "ProviderFallbackWarning",
    "Session",
    "Sessions",
    "ThreadBudgetWarning",
    "device_of",
    "precision_for",
    "provider_name",
]
