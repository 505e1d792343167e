"""A model that says what it is told to: for tests, and for games that want to rehearse."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from functools import partial

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.threads import Crew
from astraweave.errors import InputError, UsageError
from astraweave.llm._requests import check_request
from astraweave.llm.protocol import (
    FinishReason,
    Generation,
    GenerationRequest,
    Message,
    ModelInfo,
    Usage,
)
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream

__all__ = ["ScriptedModel"]

_TOKEN = re.compile(r"\s*\S+|\s+$")
_TOKENS_PER_MESSAGE = 4
_TOKENS_OF_OPENING = 3


class ScriptedModel:
    """Deterministic answers with everything that can happen to real ones. Thread-safe.

    A word with the spaces before it is a token. Answers that take time, and those of a function,
    come from threads, so that any number of them run at once, as on a server. A row of answers
    without delays needs none: what `generate` returns has ended.

    Parameters
    ----------
    responses : sequence of (str or BaseException), or callable
        Answers in the order of the requests, over and over; or a function of the request. An
        exception in place of an answer is raised where the answer is read.
    first_token_delay, delay : float
        Seconds before the first token, and before each later one.
    tokens_per_chunk : int
        Tokens that arrive together.
    fail_after : int or None
        Break with `error` after that many tokens of every answer.
    error : BaseException or None
        What it breaks with; None: a `RuntimeError`.
    hang_after : int or None
        After that many tokens of every answer say nothing more until cancelled.
    ignore_cancel : bool
        Go on in spite of `cancel`, as a server that is out of control; only `close` ends it.
    slots, context_tokens : int
        As `info` tells them.
    keep_requests : bool
        Whether `requests` is written; a model that is asked for hours should not.

    Examples
    --------
    >>> model = ScriptedModel(["Aye, I have it.", "No."])
    >>> request = GenerationRequest(messages=(Message("user", "My hammer?"),))
    >>> [model.generate(request).result() for _ in range(3)]
    ['Aye, I have it.', 'No.', 'Aye, I have it.']
    >>> model.close()
    """

    def __init__(
        self,
        responses: Sequence[str | BaseException]
        | Callable[[GenerationRequest], str | BaseException],
        *,
        first_token_delay: float = 0.0,
        delay: float = 0.0,
        tokens_per_chunk: int = 1,
        fail_after: int | None = None,
        error: BaseException | None = None,
        hang_after: int | None = None,
        ignore_cancel: bool = False,
        slots: int = 1,
        context_tokens: int = 8192,
        keep_requests: bool = True,
        clock: Clock | None = None,
    ) -> None:
        if not callable(responses) and not responses:
            raise InputError("a scripted model needs at least one response")
        if tokens_per_chunk < 1:
            raise InputError(f"tokens_per_chunk must be 1 or more, not {tokens_per_chunk}")
        self._responses = responses
        self._first_token_delay = first_token_delay
        self._delay = delay
        self._tokens_per_chunk = tokens_per_chunk
        self._fail_after = fail_after
        self._error = error
        self._hang_after = hang_after
        self._ignore_cancel = ignore_cancel
        self._clock = clock or SystemClock()
        instant = not (callable(responses) or first_token_delay or delay or hang_after is not None)
        self._info = ModelInfo(
            id="scripted",
            context_tokens=context_tokens,
            provider="script",
            slots=slots,
            instant=instant,
        )
        self._lock = threading.Lock()
        self._crew = Crew("astraweave-scripted")
        self._running: set[threading.Event] = set()
        self._keep_requests = keep_requests
        self._turns = 0
        self._closed = False
        self.requests: list[GenerationRequest] = []
        """Every request that came, in order."""

    @property
    def info(self) -> ModelInfo:
        """What model it is."""
        return self._info

    def count(self, text: str) -> int:
        """Words of `text`."""
        return len(_TOKEN.findall(text))

    def count_messages(self, messages: Sequence[Message]) -> int:
        """Words of all contents, four tokens a message and three for the answer's opening."""
        contents = sum(self.count(message.content) for message in messages)
        return contents + _TOKENS_PER_MESSAGE * len(messages) + _TOKENS_OF_OPENING

    def generate(self, request: GenerationRequest) -> Generation:
        """Begin the next answer of the script."""
        check_request(request)
        wake = None if self._info.instant else threading.Event()
        stream = ChunkStream(on_cancel=wake.set if wake is not None else None)
        with self._lock:
            if self._closed:
                raise UsageError("the language model is closed")
            turn = self._turns
            self._turns += 1
            if self._keep_requests:
                self.requests.append(request)
            if wake is not None:
                self._running.add(wake)
                self._crew.run(partial(self._speak, request, turn, stream, wake))
        if wake is None:
            self._speak(request, turn, stream, None)
        return stream

    def close(self) -> None:
        """End all answers as cancelled."""
        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for wake in running:
            wake.set()
        self._crew.close()

    def _speak(
        self,
        request: GenerationRequest,
        turn: int,
        stream: ChunkStream,
        wake: threading.Event | None,
    ) -> None:
        try:
            self._answer(request, turn, stream, wake)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the text is read
            stream.fail(error)
        finally:
            if wake is not None:
                with self._lock:
                    self._running.discard(wake)

    def _answer(
        self,
        request: GenerationRequest,
        turn: int,
        stream: ChunkStream,
        wake: threading.Event | None,
    ) -> None:
        started = self._clock.monotonic()
        first_token: float | None = None
        made = 0
        waiting = ""

        def end(reason: FinishReason, text: str = "") -> None:
            now = self._clock.monotonic()
            usage = Usage(
                prompt_tokens=self.count_messages(request.messages) + self.count(request.prefix),
                completion_tokens=made,
                first_token_ms=((first_token or now) - started) * 1e3,
                total_ms=(now - started) * 1e3,
            )
            stream.finish(reason, text=text, usage=usage)

        answer = self._next(request, turn)
        stops = StopScanner(request.stop)
        for token in _TOKEN.findall(answer):
            if made == self._fail_after:
                raise self._error or RuntimeError("the script breaks here")
            if made == request.max_tokens:
                return end("length", waiting)
            if wake is not None:
                if made == self._hang_after:
                    self._wait(None, stream, wake)
                if self._wait(self._delay if made else self._first_token_delay, stream, wake):
                    return end("cancelled", waiting)
            made += 1
            first_token = first_token or self._clock.monotonic()
            waiting += stops.push(token)
            if stops.stopped:
                return end("stop", waiting)
            if made % self._tokens_per_chunk == 0:
                stream.push(waiting)
                waiting = ""
        if made == self._fail_after:
            raise self._error or RuntimeError("the script breaks here")
        return end("stop", waiting + stops.flush())

    def _next(self, request: GenerationRequest, turn: int) -> str:
        if callable(self._responses):
            answer = self._responses(request)
        else:
            answer = self._responses[turn % len(self._responses)]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _wait(self, seconds: float | None, stream: ChunkStream, wake: threading.Event) -> bool:
        """Sleep (None: until woken); whether the answer has to end now."""
        if self._ignore_cancel:
            deadline = None if seconds is None else self._clock.monotonic() + seconds
            while not self._closed:
                left = None if deadline is None else deadline - self._clock.monotonic()
                if left is not None and left <= 0:
                    return False
                wake.wait(left)
                if not self._closed:
                    wake.clear()
            return True
        if seconds is None or seconds > 0:
            wake.wait(seconds)
        return stream.cancelled or self._closed
