"""Conversation histories, token budgets, and the window of a conversation that fits."""

from __future__ import annotations

from astraweave.context.budget import Share, TokenBudget
from astraweave.context.history import ConversationHistory
from astraweave.context.rough import RoughCounter
from astraweave.context.summary import ExtractiveSummariser, Summariser
from astraweave.context.turn import Turn, as_messages
from astraweave.context.window import (
    Fitted,
    Strategy,
    Window,
    drop_oldest,
    fit,
    keep_ends,
    summarise,
    window,
)

__all__ = [
    "ConversationHistory",
    "ExtractiveSummariser",
    "Fitted",
    "RoughCounter",
    "Share",
    "Strategy",
    "Summariser",
    "TokenBudget",
    "Turn",
    "Window",
    "as_messages",
    "drop_oldest",
    "fit",
    "keep_ends",
    "summarise",
    "window",
]
