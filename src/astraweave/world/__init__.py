"""The World: where all rooms come together, what a game holds, ticks, saves and loads."""

from __future__ import annotations

from astraweave.world.brains import ModelWarning
from astraweave.world.npc import Npc
from astraweave.world.recording import TickMark
from astraweave.world.remembering import MemoryRules
from astraweave.world.replay import Replay, SessionRecord
from astraweave.world.reply import Reply
from astraweave.world.savefile import SaveInfo
from astraweave.world.slot import Slot, SlotSummary
from astraweave.world.table import Conversation, Round
from astraweave.world.world import TickReport, World

__all__ = [
    "Conversation",
    "MemoryRules",
    "ModelWarning",
    "Npc",
    "Replay",
    "Reply",
    "Round",
    "SaveInfo",
    "SessionRecord",
    "Slot",
    "SlotSummary",
    "TickMark",
    "TickReport",
    "World",
]
