"""Speaks lines: one `DialogueGenerator` for a world, one `Line` for each that is spoken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from astraweave.context.turn import Turn
from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock as GameClock
from astraweave.core.rng import RandomStreams
from astraweave.core.text import sanitize
from astraweave.dialogue.answer import Answerer
from astraweave.dialogue.bearing import Trees
from astraweave.dialogue.check import Judge
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.line import Line
from astraweave.dialogue.plan import LinePlan, Plan
from astraweave.dialogue.planner import Planner
from astraweave.dialogue.prompt import DialoguePrompt
from astraweave.dialogue.report import Clause, LineReport, Tier
from astraweave.dialogue.road import Scheduler
from astraweave.dialogue.similarity import Similarity
from astraweave.dialogue.situation import Situation
from astraweave.dialogue.voice import VoiceLibrary
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import UsageError
from astraweave.guard import OutputGuard
from astraweave.llm.protocol import GenerationRequest, Priority, SamplingParams
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.persona import Persona
from astraweave.prompts import PromptLibrary

__all__ = ["Clause", "DialogueGenerator", "Line", "LineReport", "Scheduler", "Tier"]

_STOP = ("\n", "User:", "Player:")
_SAMPLING = SamplingParams(
    temperature=0.4, top_k=40, top_p=0.9, min_p=0.05, repetition_penalty=1.15
)


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
    voices : VoiceLibrary or None
        Where personas find their voices; None: the built-in ones.

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
        voices: VoiceLibrary | None = None,
    ) -> None:
        self.voices = voices
        self.scheduler = scheduler
        self.studio_guard = guard
        drafts = scheduler.model.info.id if scheduler is not None else ""
        self.judge = Judge.of(drafts, embedder, guard=guard or OutputGuard())
        self.clock = clock or SystemClock()
        self.telemetry = telemetry
        self.sampling = sampling
        self._prompt = DialoguePrompt(scheduler.model, prompts) if scheduler is not None else None
        self._answerer = Answerer(Similarity(embedder))
        self._planners: dict[str, tuple[Persona, Planner]] = {}
        Trees.shipped()  # read now, and not in the middle of the first question

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

    def plan(self, situation: Situation) -> LinePlan:
        """What a line would do and say in this situation, without wording it; asks no model.

        For studios that have their own way with words. It draws from `situation.rng` as far as the
        decision is left to chance.
        """
        return self.planner(situation.persona).line_plan(situation)

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
            logprobs=True,
        )

    def planner(self, persona: Persona) -> Planner:
        """The planner of a character, kept from line to line."""
        kept = self._planners.get(persona.id)
        if kept is None or kept[0] is not persona:
            kept = (persona, Planner(Composer(persona, self.voices), self._answerer))
            self._planners[persona.id] = kept
        return kept[1]
