"""Weights: the registry, fetching, verifying and converting them, tokenizers, chat templates."""

from __future__ import annotations

from astraweave.models.tokenizer import StreamDecoder, Tokenizer

__all__ = ["StreamDecoder", "Tokenizer"]
