"""Conversation histories, token budgets, and the window of a conversation that fits."""

from __future__ import annotations

from astraweave.context.turn import Turn

__all__ = ["Turn"]
