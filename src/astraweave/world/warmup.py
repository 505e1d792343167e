"""Reading characters' prompts into the model before anybody talks to them.

Most of a prompt never changes: who the character is, how it talks, what was said lately. Computing
that takes longer than the rest of a line, and a model that keeps prompts need not do it twice. So
it is done as soon as a character is there, while nobody speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from astraweave.errors import AstraweaveError
from astraweave.llm import GenerationRequest
from astraweave.observability import Telemetry
from astraweave.serving import LlmScheduler

__all__ = ["WarmUps"]

Prepare = Callable[[], GenerationRequest]


class WarmUps:
    """Warms characters up, one after the other; on the runtime's loop.

    A line that begins stops it at the model's next step; it goes on when the last line has ended.

    Parameters
    ----------
    scheduler : LlmScheduler or None
        The road to the model. Nothing is done where there is none, or where it keeps no prompts.
    telemetry : Telemetry
        Span ``dialogue.warm_up``, counter ``dialogue.warmed_up``.
    """

    def __init__(self, scheduler: LlmScheduler | None, telemetry: Telemetry) -> None:
        info = scheduler.model.info if scheduler is not None else None
        self._scheduler = scheduler
        self._room = info.slots if info is not None and info.keeps_prompts else 0
        self._telemetry = telemetry
        self._waiting: dict[str, Prepare] = {}
        self._lines = 0
        self._work: asyncio.Task[None] | None = None

    def add(self, npc: str, prepare: Prepare) -> None:
        """Warm a character up; `prepare` makes the request when its turn has come.

        Of more characters than the model keeps prompts of, the last ones count.
        """
        self._waiting.pop(npc, None)
        self._waiting[npc] = prepare
        while len(self._waiting) > self._room:
            del self._waiting[next(iter(self._waiting))]
        self._go_on()

    @contextlib.contextmanager
    def paused(self, npc: str) -> Iterator[None]:
        """While `npc` speaks a line, which warms it up as well."""
        self._lines += 1
        self._waiting.pop(npc, None)
        if self._work is not None:
            self._work.cancel()
            self._work = None
        try:
            yield
        finally:
            self._lines -= 1
            self._go_on()

    def _go_on(self) -> None:
        if self._waiting and not self._lines and self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._warm_up())

    async def _warm_up(self) -> None:
        assert self._scheduler is not None, "nothing waits without a model"
        while self._waiting:
            npc, prepare = next(iter(self._waiting.items()))
            ticket = None
            try:
                with self._telemetry.span("dialogue.warm_up"):
                    ticket = self._scheduler.submit(
                        prepare(), priority="background", recorded=False, coalesce=False
                    )
                    async for _ in ticket:
                        pass
                self._telemetry.count("dialogue.warmed_up")
            except AstraweaveError:  # the line will meet it too, and says so
                self._telemetry.count("dialogue.not_warmed_up")
            finally:
                if ticket is not None:
                    ticket.cancel()
            if self._waiting.get(npc) is prepare:
                del self._waiting[npc]
        self._work = None
