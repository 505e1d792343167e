"""`DialogueSystem` as a processor of the entity system `esper`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from astraweave.ecs.components import (
    CConversationHistory,
    CDialogueState,
    CMemoryStore,
    CPersonaLlm,
)
from astraweave.ecs.protocols import Speakers
from astraweave.ecs.system import DialogueSystem, Row
from astraweave.errors import MissingExtraError

__all__ = ["dialogue_processor"]


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
    try:
        esper = importlib.import_module("esper")
    except ImportError:
        raise MissingExtraError("the esper adapter", "ecs") from None
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
