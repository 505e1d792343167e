"""astraweave: an in-process AI runtime for games.

Give characters a persona, and they remember, talk and adapt, on the player's own machine, offline,
without costing the game a frame::

    import astraweave as aw

    world = aw.World.open("saves/slot1")
    tam = world.npc("tam", persona="tam")
    reply = tam.say("Do you still have my hammer?")
    while running:                       # the game's own loop
        world.tick(budget_us=500)        # delivers what is ready; never waits
        hud.append(reply.take())         # new text since the last frame

Importing this package loads nothing else: each name comes with its first use, so that a game's
start does not pay for what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astraweave.core.clock import ManualClock, SystemClock
    from astraweave.core.settings import Settings
    from astraweave.core.worldview import Entity, Fact, WorldView
    from astraweave.dialogue import LinePlan
    from astraweave.errors import AstraweaveError
    from astraweave.persona import Outcome, Persona, PersonaState
    from astraweave.rag import LifeSettings, Memory, Retrieved
    from astraweave.world import Conversation, MemoryRules, Npc, Reply, SaveInfo, TickReport, World

__version__ = "0.1.0"

__all__ = [
    "AstraweaveError",
    "Conversation",
    "Entity",
    "Fact",
    "LifeSettings",
    "LinePlan",
    "ManualClock",
    "Memory",
    "MemoryRules",
    "Npc",
    "Outcome",
    "Persona",
    "PersonaState",
    "Reply",
    "Retrieved",
    "SaveInfo",
    "Settings",
    "SystemClock",
    "TickReport",
    "World",
    "WorldView",
    "__version__",
]

_HOMES = {
    "AstraweaveError": "errors",
    "Conversation": "world",
    "Entity": "core.worldview",
    "Fact": "core.worldview",
    "LifeSettings": "rag",
    "LinePlan": "dialogue",
    "ManualClock": "core.clock",
    "Memory": "rag",
    "MemoryRules": "world",
    "Npc": "world",
    "Outcome": "persona",
    "Persona": "persona",
    "PersonaState": "persona",
    "Reply": "world",
    "Retrieved": "rag",
    "SaveInfo": "world",
    "Settings": "core.settings",
    "SystemClock": "core.clock",
    "TickReport": "world",
    "World": "world",
    "WorldView": "core.worldview",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'astraweave' has no attribute {name!r}")
    value = getattr(import_module(f"astraweave.{home}"), name)
    globals()[name] = value  # the next use costs nothing
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
