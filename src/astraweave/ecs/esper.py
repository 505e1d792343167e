"""The systems as processors of the entity system `esper`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from astraweave.ecs.components import (
    CConversationHistory,
    CDialogueState,
    CMemoryStore,
    CPersonaLlm,
    CThought,
)
from astraweave.ecs.protocols import Speakers
from astraweave.ecs.system import DialogueSystem, Row
from astraweave.ecs.thoughts import ThoughtSystem
from astraweave.errors import MissingExtraError
from astraweave.serving import LlmScheduler

__all__ = ["dialogue_processor", "thought_processor"]


def dialogue_processor(world: Speakers, *, budget_us: float = 500.0) -> Any:
    """Make a processor for ``esper.add_processor``.

    Parameters
    ----------
    world : World
        Whose characters the components name.
    budget_us : float
        Time that a frame may give to it, in microseconds.

    Raises
    ------
    MissingExtraError
        `esper` is not installed.
    """
    esper = _esper()
    system = DialogueSystem(world, budget_us=budget_us)

    def rows() -> Iterator[Row]:
        for entity, persona in esper.get_component(CPersonaLlm):
            yield (
                persona,
                esper.try_component(entity, CDialogueState),
                esper.try_component(entity, CConversationHistory),
                esper.try_component(entity, CMemoryStore),
            )

    class DialogueProcessor(esper.Processor):  # type: ignore[misc, name-defined]
        def process(self, *_: object) -> None:
            system.run(rows())

    return DialogueProcessor()


def thought_processor(scheduler: LlmScheduler) -> Any:
    """Make a processor that asks what every `CThought` asks, and brings it the answer.

    Parameters
    ----------
    scheduler : LlmScheduler
        The road to the model (``world.scheduler``).

    Raises
    ------
    MissingExtraError
        `esper` is not installed.
    """
    esper = _esper()
    system = ThoughtSystem(scheduler)

    class ThoughtProcessor(esper.Processor):  # type: ignore[misc, name-defined]
        def process(self, *_: object) -> None:
            system.run(thought for _, thought in esper.get_component(CThought))

    return ThoughtProcessor()


def _esper() -> Any:
    try:
        return importlib.import_module("esper")
    except ImportError:
        raise MissingExtraError("the esper adapter", "ecs") from None
