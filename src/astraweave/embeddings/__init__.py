"""Texts to vectors, and vectors to neighbours."""

from __future__ import annotations

from astraweave.embeddings.protocol import EmbedderInfo, EmbeddingClient

__all__ = ["EmbedderInfo", "EmbeddingClient"]
