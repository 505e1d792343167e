"""What characters remember: the store, and the way from a question to the memories it needs."""

from __future__ import annotations

from astraweave.rag._time import GameCalendar
from astraweave.rag.explain import Explanation, Reason
from astraweave.rag.memory import Memory, MemoryKind
from astraweave.rag.pipeline import RagPipeline
from astraweave.rag.retrieved import Retrieved
from astraweave.rag.store import MemoryStore
from astraweave.rag.store import checked as checked_memory

__all__ = [
    "Explanation",
    "GameCalendar",
    "Memory",
    "MemoryKind",
    "MemoryStore",
    "RagPipeline",
    "Reason",
    "Retrieved",
    "checked_memory",
]
