"""What characters remember: the store, and the way from a question to the memories it needs."""

from __future__ import annotations

from astraweave.rag.memory import Memory, MemoryKind
from astraweave.rag.pipeline import RagPipeline
from astraweave.rag.retrieved import Retrieved
from astraweave.rag.scopes import Readable, WorldScopes
from astraweave.rag.sharing import share, why_known
from astraweave.rag.store import MemoryStore
from astraweave.rag.store import checked as checked_memory

__all__ = [
    "Memory",
    "MemoryKind",
    "MemoryStore",
    "RagPipeline",
    "Readable",
    "Retrieved",
    "WorldScopes",
    "checked_memory",
    "share",
    "why_known",
]
