"""A line as it is spoken: opened by what is known, carried on by a model, checked clause by clause."""  # noqa: E501

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Literal, Protocol

import msgspec

from astraweave.context.turn import Turn
from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock as GameClock
from astraweave.core.rng import RandomStreams
from astraweave.core.text import sanitize
from astraweave.dialogue.answer import Answerer
from astraweave.dialogue.check import Knowledge, check_clause
from astraweave.dialogue.clauses import ClauseSplitter
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.plan import Plan, Planner
from astraweave.dialogue.prompt import DialoguePrompt, card_of
from astraweave.dialogue.similarity import Similarity
from astraweave.dialogue.situation import Situation, world_texts
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import AstraweaveError, UsageError
from astraweave.guard import OutputGuard
from astraweave.llm.protocol import (
    Chunk,
    GenerationRequest,
    LanguageModel,
    Priority,
    SamplingParams,
)
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.persona import Persona
from astraweave.prompts import PromptLibrary

__all__ = ["Clause", "DialogueGenerator", "Line", "LineReport", "Scheduler", "Tier"]

Tier = Literal["model", "composed"]

_STOP = ("\n", "User:", "Player:")
_SAMPLING = SamplingParams(
    temperature=0.4, top_k=40, top_p=0.9, min_p=0.05, repetition_penalty=1.15
)
_MIN_MODEL_WORDS = 4
_CHEER = re.compile(
    r"\b(?:well done|congratulations|fine day|great name|happy|wonderful|glad)\b", re.IGNORECASE
)
"""Cheer from a model that has not understood what it was told."""
_LATE = 0.01
"""Seconds kept back at the deadline for the composed remainder."""
_GUARD = OutputGuard()
_DRAFTS = 2
_DRAFT_S = 0.1
"""With fewer seconds left no other draft is begun."""


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


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a line that was shown.

    Attributes
    ----------
    text : str
        With the space in front that joins it to the piece before.
    tier : str
        Who made it: ``"model"`` or ``"composed"``.
    memories : tuple of int
        Ids of the memories that it rests on.
    """

    text: str
    tier: Tier
    memories: tuple[int, ...] = ()


class LineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line; times in milliseconds from `DialogueGenerator.begin`.

    Attributes
    ----------
    act : str
        What the utterance did: ``"question"``, ``"telling"``...
    answer : str
        For questions: ``"known"``, ``"confirmed"``, ``"denied"``, ``"about"``, ``"unknown"``.
    drafted, passed, shown : int
        Clauses that the model drafted, that passed the check, that were shown.
    tier : str
        Who answered: ``"model"`` where it added anything, else ``"composed"``.
    tiers : dict of str to int
        Shown clauses of each tier.
    failed : dict of str to int
        Reasons for which clauses were refused.
    first_clause_ms, total_ms : float
        First shown clause; the whole line.
    model_asked : bool
        Whether a model was asked at all.
    model_first_clause_ms, model_line_ms : float or None
        First checked clause of the model; the end of its draft. None: there was none.
    model_error : str
        Class of the error that ended the model's part; empty when there was none.
    """

    act: str = ""
    answer: str = ""
    drafted: int = 0
    passed: int = 0
    shown: int = 0
    tier: Tier = "composed"
    tiers: dict[str, int] = {}
    failed: dict[str, int] = {}
    first_clause_ms: float = 0.0
    total_ms: float = 0.0
    model_asked: bool = False
    model_first_clause_ms: float | None = None
    model_line_ms: float | None = None
    model_error: str = ""


class DialogueGenerator:
    """Speaks lines. One for a world; used from one event loop.

    Parameters
    ----------
    scheduler : Scheduler or None
        The road to a language model; None: every line is composed.
    clock : Clock
        For deadlines and measurements.
    telemetry : Telemetry
        Counters ``dialogue.lines``, ``tier.TIER``, ``drafted``, ``passed``, ``shown``,
        ``refused.REASON``; spans ``dialogue.first_clause`` and ``dialogue.line``.
    embedder : EmbeddingClient or None
        Judges words that the lexicon does not know.
    sampling : SamplingParams
        How the model draws.
    prompts : PromptLibrary or None
        Its ``dialogue`` is what the model is asked; None: the built-in one.
    guard : OutputGuard or None
        A studio's words and rules, which hold for composed text as well.

    Raises
    ------
    MissingExtraError
        There is a model to ask, and minijinja, which prompts are written in, is not installed.
    ConfigError
        ``dialogue`` of `prompts` cannot be used.
    """

    def __init__(
        self,
        scheduler: Scheduler | None = None,
        *,
        clock: GameClock | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
        embedder: EmbeddingClient | None = None,
        sampling: SamplingParams = _SAMPLING,
        prompts: PromptLibrary | None = None,
        guard: OutputGuard | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.studio_guard = guard
        self.clock = clock or SystemClock()
        self.telemetry = telemetry
        self.sampling = sampling
        self._prompt = DialoguePrompt(scheduler.model, prompts) if scheduler is not None else None
        self._answerer = Answerer(Similarity(embedder))
        self._planners: dict[str, tuple[Persona, Planner]] = {}

    def begin(
        self,
        situation: Situation,
        *,
        deadline_s: float = 0.45,
        priority: Priority = "high",
        valid_while: Callable[[], bool] | None = None,
    ) -> Line:
        """Begin a line; iterate over it to have it spoken.

        Parameters
        ----------
        situation : Situation
            What it is spoken in.
        deadline_s : float
            Seconds in which the whole line should stand. The model may speak until then; what is
            missing is composed.
        priority : str
            How urgent the model's part is.
        valid_while : callable, optional
            Whether the model's part is still wanted; asked on the model's thread.
        """
        deadline = self.clock.monotonic() + max(0.0, deadline_s)
        return Line(self, situation, deadline, priority, valid_while)

    def warm_up(self, persona: Persona, history: Sequence[Turn] = ()) -> GenerationRequest:
        """A request that reads all of a character's next prompt that is known into the model.

        Raises
        ------
        UsageError
            There is no model.
        CapacityError
            The character's card does not fit into the model's window.
        """
        if self._prompt is None:
            raise UsageError("there is no model to warm up")
        situation = Situation(
            persona=persona,
            speaker="",
            utterance=sanitize("Hello."),
            rng=RandomStreams(0)["warm_up"],  # nothing is drawn from it
            history=history,
        )
        return GenerationRequest(
            messages=self._prompt.messages(situation),
            max_tokens=1,
            owner=persona.id,
            use="warm_up",  # how long it takes says nothing about lines
            priority="background",
        )

    def request(
        self, situation: Situation, plan: Plan, priority: Priority = "high"
    ) -> GenerationRequest:
        """What the model is asked for the rest of a line that begins as planned.

        Raises
        ------
        UsageError
            There is no model.
        CapacityError
            The prompt does not fit into the model's window.
        """
        if self._prompt is None:
            raise UsageError("there is no model to ask")
        return GenerationRequest(
            messages=self._prompt.messages(situation, opening=plan.opening, memories=plan.memories),
            prefix=plan.opening,
            max_tokens=self._prompt.answer_tokens,
            stop=_STOP,
            sampling=msgspec.structs.replace(self.sampling, seed=situation.rng.randrange(2**31)),
            owner=situation.persona.id,
            use="dialogue",
            priority=priority,
        )

    def planner(self, persona: Persona) -> Planner:
        """The planner of a character, kept from line to line."""
        kept = self._planners.get(persona.id)
        if kept is None or kept[0] is not persona:
            kept = (persona, Planner(Composer(persona), self._answerer))
            self._planners[persona.id] = kept
        return kept[1]


class Line:
    """One line; iterate once, then read `text` and `report`.

    Attributes
    ----------
    text : str
        What was shown so far.
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
        self._generator, self._situation, self._deadline = generator, situation, deadline
        self._priority, self._valid_while = priority, valid_while
        self._began = generator.clock.monotonic()
        self._clauses: list[Clause] = []
        self._failed: dict[str, int] = {}
        self._drafted = self._passed = 0
        self._asked = False
        self._first_ms = 0.0
        self._model_first: float | None = None
        self._model_end: float | None = None
        self._model_error = ""
        self._guard = generator.studio_guard or _GUARD
        self.report = LineReport()

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(clause.text for clause in self._clauses)

    async def __aiter__(self) -> AsyncIterator[Clause]:
        """Clauses as they may be shown."""
        generator, telemetry = self._generator, self._generator.telemetry
        plan = self._plan()
        try:
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
        plan = planner.plan(self._situation)
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
        knowledge = _knowledge(self._situation, plan)
        self._asked = True
        try:
            request = self._generator.request(self._situation, plan, self._priority)
            self._guard = self._guard.about(card_of(request.messages))
            async with asyncio.timeout(end - clock.monotonic()):
                for draft in range(_DRAFTS):
                    ticket = scheduler.submit(
                        _again(request, draft),
                        deadline=end,
                        owner=request.owner,
                        valid_while=self._valid_while,
                    )
                    try:
                        async with aclosing(self._checked(ticket, plan, knowledge)) as clauses:
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
        self, ticket: Ticket, plan: Plan, knowledge: Knowledge
    ) -> AsyncGenerator[Clause, None]:
        """Clauses of one draft, as far as all of them pass."""
        splitter, begun = ClauseSplitter(), ""
        async for chunk in ticket:
            pieces = splitter.push(chunk.text)
            if chunk.finish_reason == "stop":
                pieces += splitter.flush()
            for piece in pieces:
                begun += piece
                if len(begun.split()) < _MIN_MODEL_WORDS and chunk.finish_reason is None:
                    continue  # "Aye." goes with what follows it, and is judged with it
                clause = self._judged(begun, plan, knowledge)
                begun = ""
                if clause is None:
                    return
                yield clause
                if self._model_count() >= plan.model_clauses:
                    return

    def _judged(self, piece: str, plan: Plan, knowledge: Knowledge) -> Clause | None:
        """The piece as a clause when it passes; otherwise None, and why is counted."""
        telemetry = self._generator.telemetry
        self._drafted += 1
        telemetry.count("dialogue.drafted")
        drafted = "".join(clause.text for clause in self._clauses if clause.tier == "model")
        reasons = list(self._guard.check(piece, before=drafted).reasons)
        if not reasons:
            recent = [*self._situation.recent_lines(), self._situation.utterance.text]
            reasons += check_clause(piece, knowledge, recent=recent, line=self.text).reasons
        if plan.answer is not None and _denies(piece):
            reasons.append("contradiction")
        if len(piece.split()) < _MIN_MODEL_WORDS:
            reasons.append("short")
        if plan.act.kind in {"telling", "apology"} and _CHEER.search(piece):
            reasons.append("tone")
        if not piece.rstrip().endswith((".", "!", "?", "…", '"')):
            reasons.append("cut")
        if reasons:
            for reason in reasons:
                self._refused(reason)
            return None
        self._passed += 1
        telemetry.count("dialogue.passed")
        if self._model_first is None:
            self._model_first = self._ms()
        return self._show(piece.strip(), "model", ())

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
            first_clause_ms=self._first_ms,
            total_ms=self._ms(),
            model_asked=self._asked,
            model_first_clause_ms=self._model_first,
            model_line_ms=self._model_end,
            model_error=self._model_error,
        )


def _knowledge(situation: Situation, plan: Plan) -> Knowledge:
    persona = situation.persona
    own = [*persona.facts, *persona.goals, f"I am {persona.name}, {persona.role}."]
    texts = [r.memory.text for r in situation.memories]
    texts += [t.text for t in situation.history]
    texts += [situation.utterance.text, plan.opening, *world_texts(situation)]
    names = [persona.name, *situation.spoken_names().values()]
    return Knowledge(texts, names, own)


def _again(request: GenerationRequest, draft: int) -> GenerationRequest:
    """The same request, drawn anew; which draw follows from the first seed."""
    seed = ((request.sampling.seed or 0) + draft) % 2**31
    sampling = msgspec.structs.replace(request.sampling, seed=seed)
    return msgspec.structs.replace(request, sampling=sampling)


def _denies(piece: str) -> bool:
    """Whether a clause behind an answer takes it back."""
    low = f" {piece.lower()} "
    return any(
        mark in low
        for mark in (
            " not ",
            "n't ",
            " never ",
            " but ",
            " no,",
            " wrong",
            " actually",
            " instead",
            " maybe",
            " perhaps",
        )
    )
