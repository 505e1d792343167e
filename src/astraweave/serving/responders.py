"""The ways to answer that serving knows: a model, what was answered before, a rule, a sentence."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar, Unpack

from astraweave.core.protocols import Reply
from astraweave.core.threads import Crew
from astraweave.errors import (
    AstraweaveError,
    CapacityError,
    ConfigError,
    DeadlineExceeded,
    InvalidResponse,
)
from astraweave.llm import Chunk, ChunkStream, GenerationRequest
from astraweave.serving.prompt_cache import PromptCache, request_key
from astraweave.serving.semantic_cache import KeyParts, SemanticCache

__all__ = [
    "CacheResponder",
    "CallableResponder",
    "ModelResponder",
    "NothingFound",
    "TemplateResponder",
]

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class NothingFound(AstraweaveError):
    """A responder has no answer to this; that is no fault."""


class _Submits(Protocol):
    """What a `ModelResponder` needs of an `LlmScheduler`."""

    def submit(
        self, request: GenerationRequest, *, deadline: float | None = None
    ) -> ChunkStream: ...


class ModelResponder:
    """Asks a model through a scheduler. Thread-safe.

    Parameters
    ----------
    scheduler : LlmScheduler
        The road to the model.
    name : str
        The tier's.
    expected_s : float
        Seconds that an answer takes before anything was measured; rather too little than too much,
        for a tier that is never begun is never measured.
    prepare : callable, optional
        Makes another request of the one that came: a shorter prompt for a smaller model.
    check : callable, optional
        Raises where an answer is of no use; `InvalidResponse` says so best. Where there is one, no
        word is shown before it has passed.
    on_answer : callable, optional
        Gets the request that came and the whole answer, to remember it.
    """

    def __init__(
        self,
        scheduler: _Submits,
        *,
        name: str = "model",
        expected_s: float = 0.1,
        prepare: Callable[[GenerationRequest], GenerationRequest] | None = None,
        check: Callable[[str], object] | None = None,
        on_answer: Callable[[GenerationRequest, str], object] | None = None,
    ) -> None:
        if not expected_s > 0:
            raise ConfigError(f"a model takes time; expected_s must be above 0, not {expected_s}")
        self.name = name
        self.expected_s = expected_s
        self._scheduler = scheduler
        self._prepare = prepare
        self._check = check
        self._on_answer = on_answer

    def respond(
        self, request: GenerationRequest, deadline: float, reply: Reply[str]
    ) -> Callable[[], None] | None:
        """Ask it."""
        asked = request if self._prepare is None else self._prepare(request)
        ticket = self._scheduler.submit(asked, deadline=deadline)
        ticket.listen(partial(self._hear, request, ticket, reply))
        return ticket.cancel

    def _hear(
        self,
        request: GenerationRequest,
        ticket: ChunkStream,
        reply: Reply[str],
        chunks: Sequence[Chunk],
        error: BaseException | None,
    ) -> None:
        last = chunks[-1] if chunks and chunks[-1].finish_reason is not None else None
        if self._check is None:
            for chunk in chunks:
                reply.push(chunk.text)
        if error is not None:
            reply.fail(error if isinstance(error, Exception) else InvalidResponse(repr(error)))
        elif last is not None and last.finish_reason in ("cancelled", "error"):
            reply.fail(DeadlineExceeded("it was stopped before its end"))
        elif last is not None:
            self._end(request, ticket.text, reply)

    def _end(self, request: GenerationRequest, text: str, reply: Reply[str]) -> None:
        try:
            if self._check is not None:
                self._check(text)
            if self._on_answer is not None:
                self._on_answer(request, text)
        except Exception as error:  # noqa: BLE001 - a studio's own code; the next tier answers
            reply.fail(error)
            return
        reply.finish(text)


class CacheResponder:
    """Looks for an answer that was given before. Thread-safe.

    Parameters
    ----------
    cache : PromptCache or SemanticCache
        Where to look; the second may ask an embedder, so it is given a thread.
    name : str
        The tier's.
    **parts
        What `request_key` takes beside the request.
    """

    def __init__(
        self, cache: PromptCache | SemanticCache, *, name: str = "cache", **parts: Unpack[KeyParts]
    ) -> None:
        self.name = name
        self.expected_s = 0.0 if isinstance(cache, PromptCache) else 0.01
        self._cache = cache
        self._parts = parts
        self._crew = Crew("astraweave-cache")

    def respond(
        self, request: GenerationRequest, deadline: float, reply: Reply[str]
    ) -> Callable[[], None] | None:
        """Look it up."""
        if self.expected_s:
            self._crew.run(partial(self._look, request, reply))
        else:
            self._look(request, reply)
        return None

    def remember(self, request: GenerationRequest, text: str) -> None:
        """Keep an answer; for `ModelResponder`'s `on_answer`."""
        if isinstance(self._cache, SemanticCache):
            self._cache.put(request, text, **self._parts)
        else:
            self._cache.put(request_key(request, **self._parts), text)

    def _look(self, request: GenerationRequest, reply: Reply[str]) -> None:
        try:
            if isinstance(self._cache, SemanticCache):
                found = self._cache.get(request, **self._parts)
            else:
                found = self._cache.get(request_key(request, **self._parts))
        except AstraweaveError as error:
            reply.fail(error)
            return
        if found is None:
            reply.fail(NothingFound("nobody has asked this before"))
        else:
            reply.finish(found if isinstance(found, str) else found.decode("utf-8", "replace"))


class CallableResponder(Generic[RequestT, AnswerT]):
    """A function as a responder: a heuristic, a composer, a studio's own rule. Thread-safe.

    Parameters
    ----------
    name : str
        The tier's.
    function : callable
        From the request to the answer, or None where it has none.
    expected_s : float
        What it takes; 0: microseconds, so it is called where it is needed. Anything longer is given
        a thread, and given up when its time is over.
    threads : int
        How many of them may run at once, where it takes time; while all are busy it has no answer.

    Examples
    --------
    >>> rule = CallableResponder("greeting", lambda request: "Well met.")
    """

    def __init__(
        self,
        name: str,
        function: Callable[[RequestT], AnswerT | None],
        *,
        expected_s: float = 0.0,
        threads: int = 2,
    ) -> None:
        self.name = name
        self.expected_s = expected_s
        self._function = function
        self._crew = Crew(f"astraweave-{name}")
        self._free = threading.BoundedSemaphore(threads)

    def respond(
        self, request: RequestT, deadline: float, reply: Reply[AnswerT]
    ) -> Callable[[], None] | None:
        """Call it."""
        if self.expected_s <= 0:
            self._call(request, reply)
        elif self._free.acquire(blocking=False):
            self._crew.run(partial(self._call_apart, request, reply))
        else:
            reply.fail(CapacityError(f"all threads of {self.name} are busy"))
        return None

    def _call_apart(self, request: RequestT, reply: Reply[AnswerT]) -> None:
        try:
            self._call(request, reply)
        finally:
            self._free.release()

    def _call(self, request: RequestT, reply: Reply[AnswerT]) -> None:
        try:
            answer = self._function(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next tier answers
            reply.fail(error)
            return
        if answer is None:
            reply.fail(NothingFound(f"{self.name} has no answer to this"))
        else:
            reply.finish(answer)


class TemplateResponder:
    """A sentence that always fits, the same for the same request. Thread-safe; cannot fail.

    Parameters
    ----------
    lines : sequence of str
        What may be said.
    name : str
        The tier's.
    """

    expected_s = 0.0

    def __init__(self, lines: Sequence[str], *, name: str = "template") -> None:
        if isinstance(lines, str) or not lines or not all(lines):
            raise ConfigError("a template needs lines, none of them empty")
        self.name = name
        self._lines = tuple(lines)

    def respond(
        self, request: GenerationRequest, deadline: float, reply: Reply[str]
    ) -> Callable[[], None] | None:
        """Say one."""
        said = request.messages[-1].content if request.messages else ""
        seed = f"{request.owner}\0{said}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.blake2b(seed, digest_size=4).digest(), "little")
        reply.finish(self._lines[number % len(self._lines)])
        return None
