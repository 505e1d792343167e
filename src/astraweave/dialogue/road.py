"""The road to a language model, as far as a line needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from astraweave.llm.protocol import Chunk, GenerationRequest, LanguageModel

__all__ = ["Scheduler", "Ticket"]


class Ticket(Protocol):
    """A request's answer, as the dialogue reads it."""

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as they come."""
        ...

    def cancel(self) -> None:
        """Stop; nothing more is wanted."""
        ...


class Scheduler(Protocol):
    """The road to the model (`astraweave.serving.LlmScheduler`)."""

    @property
    def model(self) -> LanguageModel:
        """Counts what it will be asked."""
        ...

    def submit(
        self,
        request: GenerationRequest,
        *,
        deadline: float | None = None,
        owner: str = "",
        valid_while: Callable[[], bool] | None = None,
    ) -> Ticket:
        """Queue a request; `deadline` is machine time in seconds."""
        ...
