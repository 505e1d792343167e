"""What characters remember: the store, and the way from a question to the memories it needs."""

from __future__ import annotations

from astraweave.rag._time import DAY_S, GameCalendar
from astraweave.rag.changes import MemoryChanges
from astraweave.rag.explain import Explanation, Reason
from astraweave.rag.life import MemoryLife, Swept
from astraweave.rag.life_settings import DecayRule, LifeSettings
from astraweave.rag.memory import Memory, MemoryKind
from astraweave.rag.pipeline import RagPipeline
from astraweave.rag.retrieved import Retrieved
from astraweave.rag.scopes import Readable, WorldScopes
from astraweave.rag.sharing import share, why_known
from astraweave.rag.store import MemoryStore
from astraweave.rag.store import checked as checked_memory
from astraweave.rag.writing import MemoryWriter, Written
from astraweave.rag.writing_novelty import NoveltyTable

__all__ = [
    "DAY_S",
    "DecayRule",
    "Explanation",
    "GameCalendar",
    "LifeSettings",
    "Memory",
    "MemoryChanges",
    "MemoryKind",
    "MemoryLife",
    "MemoryStore",
    "MemoryWriter",
    "NoveltyTable",
    "RagPipeline",
    "Readable",
    "Reason",
    "Retrieved",
    "Swept",
    "WorldScopes",
    "Written",
    "checked_memory",
    "share",
    "why_known",
]
