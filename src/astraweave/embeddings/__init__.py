"""Texts to vectors, and vectors to neighbours."""

from __future__ import annotations

from astraweave.embeddings.mock import MockEmbeddingClient
from astraweave.embeddings.onnx import OnnxEmbedder
from astraweave.embeddings.openai import OpenAIEmbedder
from astraweave.embeddings.protocol import EmbedderInfo, EmbeddingClient
from astraweave.embeddings.vector_store import Hit, VectorStore

__all__ = [
    "EmbedderInfo",
    "EmbeddingClient",
    "Hit",
    "MockEmbeddingClient",
    "OnnxEmbedder",
    "OpenAIEmbedder",
    "VectorStore",
]
