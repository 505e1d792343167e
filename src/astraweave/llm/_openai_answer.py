"""The events of a streamed chat completion, put together into one answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from astraweave.core.protocols import Clock
from astraweave.errors import InvalidResponse, ModelError, ModelUnavailable
from astraweave.inference.http import Expect, decode
from astraweave.inference.sse import ServerSentEvent
from astraweave.llm._conforms import complaint
from astraweave.llm._openai_request import ANSWER
from astraweave.llm.protocol import (
    Choice,
    FinishReason,
    GenerationRequest,
    JsonSchema,
    ToolCall,
    Usage,
)
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream

__all__ = ["AnswerReader", "estimate_tokens"]

_MOST_CALLS = 64
_BYTES_PER_TOKEN = 3.5
_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _EventChoice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _EventUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Timings(msgspec.Struct):
    cache_n: int | None = None
    """llama.cpp: tokens that were still in its memory."""


class _Event(msgspec.Struct):
    choices: list[_EventChoice] | None = None
    id: str | None = None
    usage: _EventUsage | None = None
    timings: _Timings | None = None
    error: Any = None


class _Call:
    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.name = ""
        self.arguments: list[str] = []


class AnswerReader:
    """Hands text on to a stream as it comes, and checks what cannot be an answer to the request.

    Parameters
    ----------
    request : GenerationRequest
        What was asked.
    stream : ChunkStream
        Where the answer goes.
    count : callable
        Tokens of a text, for a server that does not say.
    clock : Clock
        For `Usage`; only `monotonic` is read.
    wrapped : bool
        The answer comes inside of a JSON object, and is handed on at its end.
    repeats : bool
        The model may repeat the beginning that was given to it.
    """

    def __init__(
        self,
        request: GenerationRequest,
        stream: ChunkStream,
        *,
        count: Callable[[str], int],
        clock: Clock,
        wrapped: bool = False,
        repeats: bool = False,
    ) -> None:
        self._request = request
        self._stream = stream
        self._count = count
        self._clock = clock
        self._wrapped = wrapped
        self._prefix = request.prefix.lstrip() if repeats else ""
        self._held = ""
        """The beginning of the answer, as long as it may be the prefix again."""
        self._stops = StopScanner(request.stop)
        self._parts: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._id = ""
        self._reason = ""
        self._usage: _EventUsage | None = None
        self._reused = 0
        self._submitted = clock.monotonic()
        self._first = 0.0

    @property
    def complete(self) -> bool:
        """Whether all has come but a trailer."""
        return bool(self._reason) or self._stops.stopped

    def feed(self, event: ServerSentEvent) -> Expect:
        """Take an event.

        Raises
        ------
        ModelError
            It is an error of the server's, cannot be read, or belongs to another answer.
        """
        if event.data.strip() == "[DONE]":
            return "nothing"
        told = decode(event.data, _Event, "event")
        if told.error is not None or event.event == "error":
            raise _error(told.error)
        if told.id:
            if self._id and told.id != self._id:
                raise InvalidResponse("the server went on with another answer", field="id")
            self._id = told.id
        if told.choices is None and told.usage is None:
            raise InvalidResponse("the server sent an event without an answer", field="choices")
        if told.usage is not None:
            self._usage = told.usage
        if told.timings is not None and told.timings.cache_n:
            self._reused = told.timings.cache_n
        for choice in told.choices or ():
            if choice.index == 0:
                self._take(choice)
        if self._stops.stopped:
            return "nothing"
        if self._reason:
            return "rest" if self._usage is None else "nothing"
        return "more"

    def end(self) -> None:
        """The server has ended its stream: finish the answer.

        Raises
        ------
        InvalidResponse
            It is not complete, or not what was asked for.
        """
        if not self.complete:
            raise InvalidResponse("the server broke off without an end of its answer")
        calls = self._tool_calls()
        reason: FinishReason = "stop"
        if not self._stops.stopped:
            reason = _REASONS.get(self._reason, "stop")
            if self._reason in ("content_filter", "error", "abort"):
                raise InvalidResponse(
                    f"the server held its answer back ({self._reason})", reason=self._reason
                )
            if calls:
                reason = "tool_calls"
        text = self._stops.push(self._held)
        if not self._stops.stopped:
            text += self._stops.flush()
        if text:
            self._parts.append(text)
        if reason == "stop" and self._request.constraint is not None:
            text = self._checked(text)
        self._stream.finish(reason, text=text, usage=self.usage(), tool_calls=calls)

    def usage(self) -> Usage:
        """What it has cost so far."""
        now = self._clock.monotonic()
        told = self._usage
        prompt = told.prompt_tokens if told is not None else None
        made = told.completion_tokens if told is not None else None
        details = told.prompt_tokens_details if told is not None else None
        return Usage(
            prompt_tokens=self._count_prompt() if prompt is None else prompt,
            reused_tokens=(details.cached_tokens if details is not None else None) or self._reused,
            completion_tokens=self._count_answer() if made is None else made,
            first_token_ms=(self._first - self._submitted) * 1e3 if self._first else 0.0,
            total_ms=(now - self._submitted) * 1e3,
            estimated=prompt is None or made is None,
        )

    def _take(self, choice: _EventChoice) -> None:
        delta = choice.delta
        if delta is not None:
            if delta.content:
                self._say(delta.content)
            for call in delta.tool_calls or ():
                self._call(call)
        if choice.finish_reason:
            self._reason = choice.finish_reason

    def _say(self, text: str) -> None:
        self._first = self._first or self._clock.monotonic()
        if self._prefix:
            text = self._without_prefix(text)
        text = self._stops.push(text)
        if text:
            self._parts.append(text)
            if not self._wrapped:
                self._stream.push(text)

    def _without_prefix(self, text: str) -> str:
        self._held += text
        begun = self._held.lstrip()
        if begun.startswith(self._prefix):
            text = begun[len(self._prefix) :]
        elif self._prefix.startswith(begun):
            return ""
        else:
            text = self._held
        self._prefix = self._held = ""
        return text

    def _call(self, delta: _CallDelta) -> None:
        """Put a call together: servers name it by an index, or send it whole."""
        self._first = self._first or self._clock.monotonic()
        index = delta.index if delta.index is not None else len(self._calls)
        call = self._calls.get(index)
        if call is None:
            if len(self._calls) >= _MOST_CALLS:
                raise InvalidResponse(f"the model wants more than {_MOST_CALLS} calls at once")
            call = self._calls[index] = _Call(delta.id or f"call_{index}")
        elif delta.id and delta.id != call.id and delta.function and delta.function.name:
            raise InvalidResponse("two calls of the model have the same index", index=index)
        if delta.function is not None:
            call.name += delta.function.name or ""
            call.arguments.append(delta.function.arguments or "")

    def _tool_calls(self) -> tuple[ToolCall, ...]:
        if self._calls and not self._request.tools:
            raise InvalidResponse("the model wants to call a tool, and was given none")
        calls = []
        for _, call in sorted(self._calls.items()):
            if not call.name:
                raise InvalidResponse("the model wants to call a tool without a name")
            arguments = "".join(call.arguments) or "{}"
            calls.append(ToolCall(name=call.name, arguments=arguments, id=call.id))
        return tuple(calls)

    def _checked(self, last: str) -> str:
        """What is left to hand on, once the whole answer is what it was held to."""
        constraint, text = self._request.constraint, "".join(self._parts)
        if isinstance(constraint, Choice):
            if self._wrapped:
                last = text = decode(text, dict[str, str], "choice").get(ANSWER, "")
            if text not in constraint.options:
                raise InvalidResponse("the answer is none of the choices", constraint="choice")
        elif isinstance(constraint, JsonSchema):
            value = decode(text, object, "answer")
            if wrong := complaint(value, constraint.schema):
                raise InvalidResponse(
                    f"the answer does not keep to its schema: {wrong}", constraint="json_schema"
                )
        return last

    def _count_prompt(self) -> int:
        return sum(self._count(message.content) + 4 for message in self._request.messages) + 3

    def _count_answer(self) -> int:
        return self._count("".join(self._parts))


def estimate_tokens(text: str) -> int:
    """A guess at the tokens of `text`, rather too many: one for 3.5 bytes."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN)


def _error(told: Any) -> ModelError:
    """An error in the midst of a stream, where the status has long been sent."""
    said = told.get("message", "") if isinstance(told, dict) else told
    code = told.get("code") if isinstance(told, dict) else None
    shown = "".join(c if c.isprintable() else " " for c in str(said or "")[:300])
    return ModelUnavailable(
        f"the server broke off with an error: {shown}",
        code=str(code),
        retry_after_s=None,
        rate_limited=code in (429, "429", "rate_limit_exceeded"),
    )
