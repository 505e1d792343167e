"""How tickets end: once each, counted, written down, and only then seen by who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from astraweave.core.protocols import Clock, Journal, NullJournal
from astraweave.llm import Chunk, FinishReason, Usage
from astraweave.observability import Telemetry
from astraweave.serving._ticket import Ticket, request_digest

__all__ = ["Endings", "Outcome"]

Outcome = Literal["finished", "cancelled", "late", "expired", "failed", "shed", "stale"]

_COUNTER: dict[Outcome, str] = {outcome: f"llm.{outcome}" for outcome in get_args(Outcome)}


class Endings:
    """Shows tickets their text and their end. Thread-safe."""

    def __init__(self, clock: Clock, journal: Journal | None, telemetry: Telemetry) -> None:
        self._clock = clock
        self._journal = None if isinstance(journal, NullJournal) else journal
        self._telemetry = telemetry

    def show(self, ticket: Ticket, chunks: Sequence[Chunk]) -> None:
        """Pass text on; of a ticket that has ended, nothing."""
        self._note_text(ticket)
        ticket._append(chunks)

    def end(
        self,
        ticket: Ticket,
        outcome: Outcome,
        last: Chunk | None = None,
        *,
        error: BaseException | None = None,
    ) -> None:
        """End a ticket once; whoever comes later changes nothing."""
        if not ticket._claim():
            return
        ticket._quiet()
        ticket.late, ticket.stale = outcome == "late", outcome == "stale"
        total_ms = (self._clock.monotonic() - ticket.submitted) * 1e3
        if last is None:
            reason: FinishReason = "cancelled" if error is None else "error"
            last = Chunk(finish_reason=reason, usage=Usage(total_ms=total_ms))
        elif last.usage is None:
            last = msgspec.structs.replace(last, usage=Usage(total_ms=total_ms))
        if last.text:
            self._note_text(ticket)
        if outcome == "finished" and last.finish_reason == "cancelled":
            outcome = "cancelled"
        self._telemetry.count(_COUNTER[outcome])
        if ticket._run.running:
            self._telemetry.observe("llm.total", total_ms)
        try:
            if ticket.recorded and self._journal is not None:
                self._journal.record("llm", _event(ticket, last, error))
        except Exception as problem:  # noqa: BLE001 - what is not written down is not shown
            error = error or problem
        ticket._append(() if error else (last,), done=True, error=error, claimed=True)

    def _note_text(self, ticket: Ticket) -> None:
        if not ticket._spoke:
            ticket._spoke = True
            waited = self._clock.monotonic() - ticket.submitted
            self._telemetry.observe("llm.first_token", waited * 1e3)


def _event(ticket: Ticket, last: Chunk, error: BaseException | None) -> Mapping[str, object]:
    return {
        "request": request_digest(ticket.request),
        "owner": ticket.owner,
        "text": ticket.text + last.text,
        "finish_reason": last.finish_reason,
        "late": ticket.late,
        "stale": ticket.stale,
        "error": None if error is None else f"{type(error).__name__}: {error}",
        "usage": msgspec.to_builtins(last.usage),
        "tool_calls": msgspec.to_builtins(last.tool_calls),
    }
