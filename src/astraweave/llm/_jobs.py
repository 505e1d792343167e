"""What the engine works on: tokens that are known, how many of them the backend has, what is next.

A job waits in the queue, is admitted (it then has a sequence of the backend), and ends; it may be
sent back to the queue and admitted again, when its tokens are computed anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import ModelError
from astraweave.kernels.sampling import log_probabilities
from astraweave.llm.protocol import FinishReason, Usage
from astraweave.llm.sampling import Sampler
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream

__all__ = ["BROKEN_OUTPUT", "Job", "Line", "ScoreBoard", "Scored", "TokenConstraint"]

BROKEN_OUTPUT = (
    "the model's output is not a number (its weights or the hardware's driver are damaged); "
    "verify the model's files, or run it on the provider 'cpu'"
)


class TokenDecoder(Protocol):
    """Turns tokens into text as they come; never half a character."""

    def push(self, token: int, /) -> str:
        """The text that is complete now."""
        ...

    def flush(self) -> str:
        """What was held back; half a character comes as U+FFFD."""
        ...


class TokenConstraint(Protocol):
    """What one answer is held to, from where it stands now."""

    @property
    def done(self) -> bool:
        """Whether the answer is complete and nothing can follow."""
        ...

    def forced(self) -> list[int]:
        """Tokens that must follow, often none; `advance` is still to be called for each."""
        ...

    def mask(self, row: NDArray[np.uint32]) -> None:
        """Set the bits of the tokens that may come next, and clear all others."""
        ...

    def advance(self, tokens: Sequence[int]) -> None:
        """The answer goes on with these tokens."""
        ...


class Job(ABC):
    """Tokens on their way through the model.

    Attributes
    ----------
    known : list of int
        All tokens so far: the prompt, and what came after it.
    computed : int
        How many of them the backend has.
    sequence : int or None
        The backend's number for it; None: it is not admitted.
    urgency, order : int
        Who goes first: the smaller urgency, and among equals the smaller order.
    reused : int
        Tokens that were not computed when it was first admitted.
    behind, until : Job and int
        Whose tokens it waits for, and how many of them, since both begin alike.
    """

    def __init__(self, prompt: Sequence[int], *, urgency: int, submitted: float) -> None:
        self.known = list(prompt)
        self.prompt_tokens = len(prompt)
        self.urgency = urgency
        self.submitted = submitted
        self.order = 0
        self.computed = 0
        self.sequence: int | None = None
        self.reused: int | None = None
        self.behind: Job | None = None
        self.until = 0

    @property
    def pending(self) -> int:
        """Tokens that are known and not computed."""
        return len(self.known) - self.computed

    @property
    def speaking(self) -> bool:
        """Whether somebody has read its beginning, and waits for its next word."""
        return False

    @property
    def may_need(self) -> int:
        """Tokens that it will soon want room for, beyond those that are known."""
        return 0

    @property
    def waits_in_vain(self) -> bool:
        """Whether what it waits for is there, or will never be."""
        other = self.behind
        return other is None or other.sequence is None or other.computed >= self.until

    @property
    @abstractmethod
    def wants_from(self) -> int:
        """The first of `known` after which logits are wanted."""

    @property
    @abstractmethod
    def reusable(self) -> int:
        """How many of `known` may come from elsewhere."""

    @property
    @abstractmethod
    def keepable(self) -> int:
        """How many of its tokens are worth keeping when it has ended."""

    @property
    @abstractmethod
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""

    def restart(self) -> None:
        """It goes back to the queue."""
        self.behind = None

    @abstractmethod
    def end_cancelled(self, now: float) -> None:
        """Tell its reader that it was cancelled."""

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """Tell its reader what went wrong."""


class Line(Job):
    """One answer.

    Parameters
    ----------
    prompt : sequence of int
        What it follows.
    max_tokens, context_tokens : int
        Longest answer, and longest prompt and answer together.
    urgency : int
        Its place among `PRIORITIES`.
    sampler, decoder, stops, constraint
        How tokens are drawn, become text, end it, and what they are held to.
    eos_ids : collection of int
        Tokens that end it.
    submitted : float
        When it was asked for, in monotonic seconds.
    logprobs : bool
        Whether its reader is told how likely its tokens were.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        context_tokens: int,
        urgency: int,
        sampler: Sampler,
        decoder: TokenDecoder,
        stops: StopScanner,
        eos_ids: Collection[int],
        submitted: float,
        constraint: TokenConstraint | None = None,
        logprobs: bool = False,
    ) -> None:
        super().__init__(prompt, urgency=urgency, submitted=submitted)
        self.logprobs = logprobs
        self.sampler = sampler
        self.constraint = constraint
        self.stream = ChunkStream()
        self.made = 0
        self._max_tokens = max_tokens
        self._context_tokens = context_tokens
        self._decoder = decoder
        self._stops = stops
        self._eos = eos_ids
        self._first_token = 0.0
        self._begun = False
        self._logprob, self._weighed = 0.0, 0

    @property
    def speaking(self) -> bool:
        """Whether it has made a token."""
        return self.made > 0

    @property
    def may_need(self) -> int:
        """Tokens until its end, up to a few."""
        return min(32, self._max_tokens - self.made)

    @property
    def wants_from(self) -> int:
        """The last token: the next one is drawn after it."""
        return len(self.known) - 1

    @property
    def reusable(self) -> int:
        """All but the last token, whose logits are wanted."""
        return len(self.known) - 1

    @property
    def keepable(self) -> int:
        """All of it: the next prompt often begins with this one and its answer."""
        return self.computed

    @property
    def cancelled(self) -> bool:
        """Whether its stream was."""
        return self.stream.cancelled

    def begin(self, now: float) -> tuple[FinishReason | None, str]:
        """What must come first whatever the model says; as `take`."""
        if self._begun or self.constraint is None:
            return None, ""
        self._begun = True
        return self._follow(now)

    def take(self, token: int, now: float) -> tuple[FinishReason | None, str]:
        """Go on with a token that was drawn; how the answer ends there, and the new text."""
        if token in self._eos:
            self._first_token = self._first_token or now
            return "stop", self.rest() + self._stops.flush()
        reason, text = self._append([token], now)
        if reason is None and self.constraint is not None:
            reason, more = self._follow(now)
            text += more
        return reason, text

    def weigh(self, logits: NDArray[np.float32], token: int) -> None:
        """Note how likely a token was by its row of logits."""
        out = np.empty(1)
        log_probabilities(logits[None, :], np.array([token], np.int32), out)
        self._logprob += float(out[0])
        self._weighed += 1

    def push(self, text: str) -> None:
        """Pass text on to its reader; tokens that have shown none yet count with what follows."""
        if text:
            self.stream.push(text, logprob=self._logprob, tokens=self._weighed)
            self._logprob, self._weighed = 0.0, 0

    def finish(self, reason: FinishReason, text: str, now: float) -> None:
        """Tell its reader that it has ended."""
        first = (self._first_token - self.submitted) * 1e3 if self._first_token else 0.0
        usage = Usage(
            prompt_tokens=self.prompt_tokens,
            reused_tokens=self.reused or 0,
            completion_tokens=self.made,
            first_token_ms=first,
            total_ms=(now - self.submitted) * 1e3,
        )
        self.stream.finish(
            reason, text=text, usage=usage, logprob=self._logprob, tokens=self._weighed
        )

    def end_cancelled(self, now: float) -> None:
        """Its last chunk says so."""
        self.finish("cancelled", "", now)

    def fail(self, error: Exception) -> None:
        """Raised where the text is read."""
        self.stream.fail(error)

    def _follow(self, now: float) -> tuple[FinishReason | None, str]:
        """Go on with whatever the constraint leaves no choice about."""
        assert self.constraint is not None
        reason: FinishReason | None = None
        text = ""
        while reason is None and (forced := self.constraint.forced()):
            reason, more = self._append(forced, now)
            text += more
        return reason, text

    def _append(self, tokens: Sequence[int], now: float) -> tuple[FinishReason | None, str]:
        self._first_token = self._first_token or now
        if self.constraint is not None:
            self.constraint.advance(tokens)
        text = ""
        for left, token in zip(range(len(tokens) - 1, -1, -1), tokens, strict=True):
            self.made += 1
            self.known.append(token)
            self.sampler.note(token)
            text += self._stops.push(self._decoder.push(token))
            if self._stops.stopped:
                return "stop", text
            if self.constraint is not None and self.constraint.done and not left:
                return "stop", text + self.rest() + self._stops.flush()
            if self.made >= self._max_tokens or len(self.known) > self._context_tokens:
                text += self.rest()
                return ("stop" if self._stops.stopped else "length"), text
        return None, text

    def rest(self) -> str:
        """Whole characters that were held back until the answer's end.

        What the stop scanner still holds after this belongs to an answer that said so with its end
        token; where an answer is cut off, it may be the beginning of a stop string, and is left
        out.
        """
        return self._stops.push(self._decoder.flush().rstrip("\ufffd"))


class ScoreBoard(Protocol):
    """Where the scores of one request are collected."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for them."""
        ...

    def note(self, index: int, logprob: float) -> None:
        """One continuation is through."""
        ...

    def fail(self, error: Exception) -> None:
        """There will be no scores."""
        ...

    def end_cancelled(self) -> None:
        """There will be no scores, as was wished."""
        ...


class Scored(Job):
    """One continuation of a prompt, of which the likelihood is asked.

    Each continuation is a job of its own. That all of them begin alike is seen as it is seen of
    other jobs: one computes the prompt, and the others wait for it and go on from there.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        continuation: Sequence[int],
        *,
        board: ScoreBoard,
        index: int,
        urgency: int,
        submitted: float,
    ) -> None:
        super().__init__([*prompt, *continuation[:-1]], urgency=urgency, submitted=submitted)
        self.prompt_tokens = len(prompt)
        self._targets = np.array(continuation, np.int32)
        self._board = board
        self._index = index
        self._logprob = 0.0

    @property
    def wants_from(self) -> int:
        """The prompt's last token: the continuation's first one is judged after it."""
        return self.prompt_tokens - 1

    @property
    def reusable(self) -> int:
        """The prompt but its last token."""
        return self.prompt_tokens - 1

    @property
    def keepable(self) -> int:
        """The prompt: nobody may ever say the continuation."""
        return min(self.computed, self.prompt_tokens)

    @property
    def cancelled(self) -> bool:
        """Whether its request was."""
        return self._board.cancelled

    def judge(self, first: int, logits: NDArray[np.float32]) -> bool:
        """Take the logits after ``known[first]`` and those that follow; whether that was all.

        Raises
        ------
        ModelError
            They are no numbers.
        """
        begin = first - self.wants_from
        targets = self._targets[begin : begin + len(logits)]
        out = np.empty(len(targets))
        log_probabilities(logits, targets, out)
        if np.isnan(out).any():
            raise ModelError(BROKEN_OUTPUT)
        self._logprob += float(out.sum())
        return begin + len(targets) == len(self._targets)

    def finish(self) -> None:
        """Hand in the score."""
        self._board.note(self._index, self._logprob)

    def restart(self) -> None:
        """Forget what was judged: all of it will be computed again."""
        super().restart()
        self._logprob = 0.0

    def end_cancelled(self, now: float) -> None:
        """The request is over."""
        self._board.end_cancelled()

    def fail(self, error: Exception) -> None:
        """The whole request fails."""
        self._board.fail(error)
