"""How likely a model finds some continuations: collected until all of them are there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from astraweave.errors import Cancelled, DeadlineExceeded
from astraweave.llm.protocol import Score

__all__ = ["Scores"]


class Scores:
    """A `Scoring` that an engine fills in. Thread-safe.

    Parameters
    ----------
    tokens : sequence of int
        Tokens of each continuation; one of none is certain.

    Attributes
    ----------
    on_cancel : callable
        Called by `cancel`, in the thread that cancels; must not block.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tuple(tokens)
        self._logprobs: list[float | None] = [None if count else 0.0 for count in tokens]
        self._left = sum(count > 0 for count in tokens)
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._cancelled = False
        self.on_cancel: Callable[[], None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for them: they were cancelled, or have failed."""
        return self._cancelled or self._error is not None

    @property
    def done(self) -> bool:
        """Whether `result` would return or raise at once."""
        return self._left == 0 or self._error is not None

    def cancel(self) -> None:
        """Stop at the next step; `result` then raises `Cancelled`."""
        self._cancelled = True
        if self.on_cancel is not None and not self.done:
            self.on_cancel()

    def result(self, timeout: float | None = None) -> list[Score]:
        """Wait; one score for each continuation, in their order.

        Raises
        ------
        DeadlineExceeded
            They were not there after `timeout` seconds; work on them goes on.
        Cancelled
            They were cancelled.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.done, timeout):
                raise DeadlineExceeded(f"no scores in {timeout} s", timeout=timeout)
            if self._error is not None:
                raise self._error
            return [
                Score(logprob=logprob or 0.0, tokens=tokens)
                for logprob, tokens in zip(self._logprobs, self._tokens, strict=True)
            ]

    def note(self, index: int, logprob: float) -> None:
        """One continuation is through."""
        with self._changed:
            if self._logprobs[index] is None:
                self._logprobs[index] = logprob
                self._left -= 1
                self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """There will be no scores; what came first counts."""
        with self._changed:
            if not self.done:
                self._error = error
                self._changed.notify_all()

    def end_cancelled(self) -> None:
        """There will be no scores, as was wished."""
        self.fail(Cancelled("the scores were cancelled"))
