"""The World: where all rooms come together, what a game holds, ticks, saves and loads."""

from __future__ import annotations

from astraweave.world.journal import EventJournal, JournalEvent
from astraweave.world.savefile import SaveInfo
from astraweave.world.slot import Slot, SlotSummary, WriteBehind
from astraweave.world.state import StateTable

__all__ = [
    "EventJournal",
    "JournalEvent",
    "SaveInfo",
    "Slot",
    "SlotSummary",
    "StateTable",
    "WriteBehind",
]
