"""A line as it is spoken: opened by what is known, carried on by a model, checked clause by clause."""  # noqa: E501

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from astraweave.dialogue.check import Moment, moment_of
from astraweave.dialogue.clauses import ClauseSplitter
from astraweave.dialogue.moves.reserve import disclosed
from astraweave.dialogue.plan import LinePlan, Plan
from astraweave.dialogue.prompt import card_of
from astraweave.dialogue.report import Clause, LineReport, Tier
from astraweave.dialogue.road import Scheduler, Ticket
from astraweave.dialogue.situation import Situation
from astraweave.errors import AstraweaveError
from astraweave.llm.protocol import GenerationRequest, Priority

if TYPE_CHECKING:
    from astraweave.dialogue.generator import DialogueGenerator

__all__ = ["Line"]

_MIN_MODEL_WORDS = 4
_LATE = 0.01
"""Seconds kept back at the deadline for the composed remainder."""
_DRAFTS = 2
_DRAFT_S = 0.1
"""With fewer seconds left no other draft is begun."""


class Line:
    """One line; iterate once, then read `text` and `report`.

    Attributes
    ----------
    text : str
        What was shown so far.
    plan : LinePlan or None
        What it does and says; from its first clause on.
    report : LineReport
        Complete once the iteration has ended.
    """

    def __init__(
        self,
        generator: DialogueGenerator,
        situation: Situation,
        deadline: float,
        priority: Priority = "high",
        valid_while: Callable[[], bool] | None = None,
    ) -> None:
        self._generator, self._deadline = generator, deadline
        self._whole, self._situation = situation, disclosed(situation)[0]
        self.plan: LinePlan | None = None
        self._composed = ""
        self._priority, self._valid_while = priority, valid_while
        self._began = generator.clock.monotonic()
        self._clauses: list[Clause] = []
        self._failed: dict[str, int] = {}
        self._repaired: dict[str, int] = {}
        self._drafted = self._passed = 0
        self._asked = False
        self._first_ms = 0.0
        self._model_first: float | None = None
        self._model_end: float | None = None
        self._model_error = ""
        self._judge = generator.judge
        self.report = LineReport()

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(clause.text for clause in self._clauses)

    @property
    def whole(self) -> str:
        """The line as it would stand without the rest of what a model may add."""
        if self.plan is None or self.text.startswith(self._composed):
            return self.text
        return self._composed if self._composed.startswith(self.text) else self.text

    @property
    def memories(self) -> tuple[int, ...]:
        """Ids of the memories that the shown text rests on, without repeats."""
        return tuple(dict.fromkeys(m for clause in self._clauses for m in clause.memories))

    async def __aiter__(self) -> AsyncIterator[Clause]:
        """Clauses as they may be shown."""
        generator, telemetry = self._generator, self._generator.telemetry
        plan = self._plan()
        self.plan = plan.line
        self._composed = f"{plan.opening} {plan.remainder}".strip()
        try:
            if not plan.opening:
                return
            yield self._show(plan.opening, "composed", plan.memories)
            if generator.scheduler is not None and plan.model_clauses:
                async for clause in self._drafted_clauses(generator.scheduler, plan):
                    yield clause
            if plan.remainder and not any(c.tier == "model" for c in self._clauses):
                yield self._show(plan.remainder, "composed", ())
        finally:
            self._finish(plan)
            telemetry.count("dialogue.lines")
            telemetry.count(f"dialogue.tier.{self.report.tier}")
            telemetry.observe("dialogue.line", self.report.total_ms)

    def _plan(self) -> Plan:
        """What to say; where a studio's guard refuses it, something plain."""
        planner = self._generator.planner(self._situation.persona)
        plan = planner.plan(self._whole)
        guard = self._generator.studio_guard
        if guard is None:
            return plan
        verdict = guard.check(f"{plan.opening} {plan.remainder}".strip())
        for reason in verdict.reasons:
            self._refused(reason)
        return plan if verdict.passed else planner.plain(plan, self._situation)

    # -- the model's part -----------------------------------------------------------------------

    async def _drafted_clauses(self, scheduler: Scheduler, plan: Plan) -> AsyncIterator[Clause]:
        """What the model adds; when nothing of a draft may be shown, it drafts once more."""
        clock, end = self._generator.clock, self._deadline - _LATE
        if clock.monotonic() >= end:
            return
        moment = moment_of(self._situation, plan)
        self._asked = True
        try:
            request = self._generator.request(self._situation, plan, self._priority)
            self._judge = self._judge.about(card_of(request.messages))
            async with asyncio.timeout(end - clock.monotonic()):
                for draft in range(_DRAFTS):
                    ticket = scheduler.submit(
                        _again(request, draft),
                        deadline=end,
                        owner=request.owner,
                        valid_while=self._valid_while,
                    )
                    try:
                        async with aclosing(self._checked(ticket, plan, moment)) as clauses:
                            async for clause in clauses:
                                yield clause
                    finally:
                        ticket.cancel()
                    if self._model_count() or end - clock.monotonic() < _DRAFT_S:
                        return
        except (AstraweaveError, TimeoutError) as error:
            self._model_error = type(error).__name__
        finally:
            self._model_end = self._ms()

    async def _checked(
        self, ticket: Ticket, plan: Plan, moment: Moment
    ) -> AsyncGenerator[Clause, None]:
        """Clauses of one draft, as far as all of them pass."""
        splitter, begun = ClauseSplitter(), ""
        likely, tokens = 0.0, 0
        async for chunk in ticket:
            pieces = splitter.push(chunk.text)
            if chunk.finish_reason == "stop":
                pieces += splitter.flush()
            if not pieces:  # the chunk that lets a piece end is the beginning of the next
                likely, tokens = likely + chunk.logprob, tokens + chunk.tokens
            for piece in pieces:
                begun += piece
                if len(begun.split()) < _MIN_MODEL_WORDS and chunk.finish_reason is None:
                    continue  # "Aye." goes with what follows it, and is judged with it
                certainty = likely / tokens if tokens else None
                last = chunk.finish_reason == "stop"
                clause = self._judged(begun, moment, last=last, certainty=certainty)
                begun, likely, tokens = "", 0.0, 0
                if clause is None:
                    return
                yield clause
                if self._model_count() >= plan.model_clauses:
                    return
            if pieces:
                likely, tokens = likely + chunk.logprob, tokens + chunk.tokens

    def _judged(
        self, piece: str, moment: Moment, *, last: bool, certainty: float | None
    ) -> Clause | None:
        """The piece, mended, as a clause when it passes; otherwise None, and why is counted."""
        telemetry = self._generator.telemetry
        self._drafted += 1
        telemetry.count("dialogue.drafted")
        drafted = "".join(clause.text for clause in self._clauses if clause.tier == "model")
        verdict = self._judge.judge(
            piece, moment, line=self.text, drafted=drafted, last=last, certainty=certainty
        )
        if not verdict.passed:
            for reason in verdict.reasons:
                self._refused(reason)
            return None
        for repair in verdict.repairs:
            self._repaired[repair] = self._repaired.get(repair, 0) + 1
            telemetry.count(f"dialogue.repaired.{repair}")
        self._passed += 1
        telemetry.count("dialogue.passed")
        if self._model_first is None:
            self._model_first = self._ms()
        return self._show(verdict.text, "model", ())

    def _model_count(self) -> int:
        return sum(clause.tier == "model" for clause in self._clauses)

    # -- book-keeping ---------------------------------------------------------------------------

    def _show(self, text: str, tier: Tier, memories: tuple[int, ...]) -> Clause:
        clause = Clause(text=f" {text}" if self._clauses else text, tier=tier, memories=memories)
        if not self._clauses:
            self._first_ms = self._ms()
            self._generator.telemetry.observe("dialogue.first_clause", self._first_ms)
        self._clauses.append(clause)
        self._generator.telemetry.count("dialogue.shown")
        return clause

    def _refused(self, reason: str) -> None:
        self._failed[reason] = self._failed.get(reason, 0) + 1
        self._generator.telemetry.count(f"dialogue.refused.{reason}")

    def _ms(self) -> float:
        return (self._generator.clock.monotonic() - self._began) * 1e3

    def _finish(self, plan: Plan) -> None:
        tiers: dict[str, int] = {}
        for clause in self._clauses:
            tiers[clause.tier] = tiers.get(clause.tier, 0) + 1
        self.report = LineReport(
            act=plan.act.kind,
            answer=plan.answer.kind if plan.answer else "",
            drafted=self._drafted,
            passed=self._passed,
            shown=self._model_count(),
            tier="model" if self._model_count() else "composed",
            tiers=tiers,
            failed=dict(self._failed),
            repaired=dict(self._repaired),
            plan=plan.line,
            first_clause_ms=self._first_ms,
            total_ms=self._ms(),
            model_asked=self._asked,
            model_first_clause_ms=self._model_first,
            model_line_ms=self._model_end,
            model_error=self._model_error,
        )


def _again(request: GenerationRequest, draft: int) -> GenerationRequest:
    """The same request, drawn anew; which draw follows from the first seed."""
    seed = ((request.sampling.seed or 0) + draft) % 2**31
    sampling = msgspec.structs.replace(request.sampling, seed=seed)
    return msgspec.structs.replace(request, sampling=sampling)
