"""The road between game and model: every call of a model goes through the scheduler here."""

from __future__ import annotations

from astraweave.serving.scheduler import LlmScheduler, Ticket, request_digest

__all__ = ["LlmScheduler", "Ticket", "request_digest"]
