"""Weights: the registry, fetching, verifying and converting them, tokenizers, chat templates."""

from __future__ import annotations

from astraweave.models.chat import ChatTemplate
from astraweave.models.progress import Progress, no_progress
from astraweave.models.registry import ModelCard, Registry
from astraweave.models.store import ModelFiles, ModelRow, ModelStore
from astraweave.models.tokenizer import Appender, StreamDecoder, Tokenizer

__all__ = [
    "Appender",
    "ChatTemplate",
    "ModelCard",
    "ModelFiles",
    "ModelRow",
    "ModelStore",
    "Progress",
    "Registry",
    "StreamDecoder",
    "Tokenizer",
    "no_progress",
]
