"""onnxruntime sessions, providers, and the thread budget that all models share."""

from __future__ import annotations

from astraweave.inference.providers import ProviderFallbackWarning, provider_name
from astraweave.inference.sessions import InferenceReport, Session, Sessions
from astraweave.inference.threads import ThreadBudgetWarning

__all__ = [
    "InferenceReport",
    "ProviderFallbackWarning",
    "Session",
    "Sessions",
    "ThreadBudgetWarning",
    "provider_name",
]
