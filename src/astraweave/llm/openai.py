"""A language model on a server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.closing import Closing
from astraweave.core.protocols import Clock, TokenCounter
from astraweave.errors import (
    AstraweaveError,
    ConfigError,
    InvalidResponse,
    UsageError,
)
from astraweave.inference.event_loop import EventLoop
from astraweave.inference.http import HttpClient, HttpTimeouts, decode
from astraweave.llm._dialects import DIALECTS, Dialect, dialect_named, dialect_of
from astraweave.llm._openai_answer import AnswerReader, estimate_tokens
from astraweave.llm._openai_request import chat_body, check_possible, is_wrapped
from astraweave.llm._requests import check_request
from astraweave.llm.protocol import Generation, GenerationRequest, Message, ModelInfo
from astraweave.llm.stream import ChunkStream
from astraweave.observability import NULL_TELEMETRY, Telemetry

__all__ = ["OpenAILanguageModel"]

_CONTEXT_TOKENS = 8192
"""Until the server has said how long its context is."""
_COUNT_S = 2.0
_COUNT_AGAIN_S = 30.0
"""How long to go on with estimates after the server did not count."""
_COUNTS_KEPT = 4096
_BYTES_PER_EVENT = 4096
_BYTES_AT_LEAST = 1 << 17


class _Meta(msgspec.Struct):
    n_ctx: int | None = None


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    data: list[_Model] = []


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a server."""

    model: str
    dialect: Dialect
    context_tokens: int


class OpenAILanguageModel(Closing):
    """A model on llama.cpp's server, Ollama, LM Studio, vLLM, or a hosted one. Thread-safe.

    Answers are streamed, on one thread for all of them. Connections are used again; a cancelled
    answer closes its own at once, so that the server stops too. See the page 'Use a server'.

    The thread ends in `close`, at the latest when the interpreter exits. Use the model in the
    process that opened it: a forked child gets `UsageError`.

    Parameters
    ----------
    base_url : str
        ``http://127.0.0.1:8080/v1`` or the like.
    model : str
        Its name on the server; empty: the first that the server names.
    api_key : str, optional
        Sent in a header to this server alone; in no text, log or exception.
    headers : mapping, optional
        More headers for each request, as secret as the key.
    dialect : str
        ``"llama.cpp"``, ``"vllm"``, ``"ollama"``, ``"lmstudio"``, ``"mistral"``, ``"openai"``,
        ``"generic"``; ``"auto"``: asked of the server, in the background and where that fails
        before the first request.
    context_tokens : int
        Longest prompt and answer together; 0: what the server says, until then 8192.
    slots : int
        Requests that the server computes at once.
    tokenizer : TokenCounter, optional
        Counts as the model does; default: the server where it can, else an estimate.
    timeouts : HttpTimeouts
        How long to wait, phase by phase.
    proxy, ca_file, connections, loop
        See `HttpClient`.
    extra : mapping, optional
        Fields to add to each request or to replace; None takes one away.
    clock : Clock, optional
        For `Usage`; only `monotonic` is read.
    telemetry : Telemetry
        Counters ``http.requests``, ``http.ModelTimeout`` and their like; durations
        ``http.first_token`` and ``http.answer``.

    Raises
    ------
    MissingExtraError
        aiohttp is not installed.
    ConfigError
        The address, the key or the dialect cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str = "",
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        dialect: str = "auto",
        context_tokens: int = 0,
        slots: int = 8,
        tokenizer: TokenCounter | None = None,
        timeouts: HttpTimeouts = HttpTimeouts(),  # noqa: B008 - immutable
        connections: int = 64,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
        extra: Mapping[str, Any] | None = None,
        loop: EventLoop | None = None,
        clock: Clock | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        if slots < 1 or context_tokens < 0:
            raise ConfigError(
                f"slots must be 1 or more and context_tokens not negative, not {slots} and "
                f"{context_tokens}",
                slots=slots,
                context_tokens=context_tokens,
            )
        self._dialect = None if dialect == "auto" else dialect_named(dialect)
        self._model = model
        self._context_tokens = context_tokens
        self._slots = slots
        self._tokenizer = tokenizer
        self._extra = dict(extra or {})
        self._clock = clock or SystemClock()
        self._telemetry = telemetry
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._counts_lock = threading.Lock()
        self._no_count_until = 0.0
        self._asking: asyncio.Lock | None = None
        self._server: _Server | None = None
        if model and self._dialect is not None:
            self._server = _Server(
                model=model,
                dialect=self._dialect,
                context_tokens=context_tokens or _CONTEXT_TOKENS,
            )
        self._client = HttpClient(
            base_url,
            key=api_key,
            headers=headers,
            timeouts=timeouts,
            connections=connections,
            proxy=proxy,
            ca_file=ca_file,
            loop=loop,
        )
        if self._server is None:
            self._client.start(self._know_soon)

    def __repr__(self) -> str:
        return f"OpenAILanguageModel({self._client.endpoint.url!r}, {self._model!r})"

    @property
    def info(self) -> ModelInfo:
        """What model it is; its name and context are the server's once that was asked."""
        server = self._server
        name = server.model if server is not None else self._model
        return ModelInfo(
            id=name.rpartition("/")[2] if name.endswith(".gguf") else name or self._place,
            context_tokens=(
                server.context_tokens
                if server is not None
                else self._context_tokens or _CONTEXT_TOKENS
            ),
            provider=self._place,
            remote=True,
            slots=self._slots,
        )

    @property
    def counting(self) -> Literal["tokenizer", "server", "estimate"]:
        """How `count` counts now."""
        if self._tokenizer is not None:
            return "tokenizer"
        server = self._server
        dialect = self._dialect if server is None else server.dialect
        late = self._clock.monotonic() < self._no_count_until
        return "server" if dialect is not None and dialect.tokenizes and not late else "estimate"

    @property
    def _place(self) -> str:
        return self._client.endpoint.place

    def connect(self) -> ModelInfo:
        """Ask the server what it is, now and not with the first request; waits.

        Raises
        ------
        ModelError, ConfigError
            It does not answer, or not as it should.
        """
        self._client.call(self._know)
        return self.info

    def count(self, text: str) -> int:
        """Tokens of `text`, as `counting` says; what the server counted once is kept."""
        if self._tokenizer is not None:
            return self._tokenizer.count(text)
        counted = self._ask_count(text, lambda server: self._count_text(text, server))
        return estimate_tokens(text) if counted is None else counted

    def count_messages(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt: the server's count of it, or 4 a message and 3 more."""
        if self._tokenizer is None:
            key = "\0".join(f"{each.role}\0{each.content}" for each in messages)
            counted = self._ask_count(key, lambda server: self._count_prompt(messages, server))
            if counted is not None:
                return counted
        return sum(self.count(message.content) + 4 for message in messages) + 3

    def generate(self, request: GenerationRequest) -> Generation:
        """Begin an answer; returns at once.

        What the server does wrong is raised where the text is read: `ModelUnavailable` (with
        ``retry_after_s`` and ``rate_limited``), `ModelTimeout` (with ``phase``), `InvalidResponse`,
        `ConfigError`, `CapacityError` or `InputError`.

        Raises
        ------
        InputError
            The request has an impossible value, or asks for what the server cannot do.
        UsageError
            The model is closed, or belongs to another process.
        """
        check_request(request)
        if self._server is not None:
            check_possible(request, self._server.dialect)
        stream = ChunkStream(on_cancel=lambda: work.cancel())
        work = self._client.start(
            lambda: self._answer(request, stream), ended=lambda: stream.finish("cancelled")
        )
        return stream

    def close(self) -> None:
        """Stop cleanly; running generations end as cancelled. Closing twice is allowed."""
        self._client.close()

    # -- on the loop's thread

    async def _answer(self, request: GenerationRequest, stream: ChunkStream) -> None:
        self._telemetry.count("http.requests")
        reader: AnswerReader | None = None
        try:
            server = await self._know()
            dialect = server.dialect
            body = chat_body(request, model=server.model, dialect=dialect, extra=self._extra)
            reader = AnswerReader(
                request,
                stream,
                count=self._tokenizer.count if self._tokenizer is not None else estimate_tokens,
                clock=self._clock,
                wrapped=is_wrapped(request.constraint, dialect),
                repeats=dialect.prefix == "asked",
            )
            limit = _BYTES_AT_LEAST + _BYTES_PER_EVENT * request.max_tokens
            try:
                await self._client.stream("/chat/completions", body, reader.feed, max_bytes=limit)
            except AstraweaveError:
                if not reader.complete:
                    raise  # else only the trailer was lost, or late
            reader.end()
        except asyncio.CancelledError:
            stream.finish("cancelled", usage=reader.usage() if reader is not None else None)
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again where the text is read
            self._telemetry.count(f"http.{type(error).__name__}")
            stream.fail(error)
        usage = stream.usage
        if usage is not None:
            self._telemetry.observe("http.first_token", usage.first_token_ms)
            self._telemetry.observe("http.answer", usage.total_ms)

    async def _know(self) -> _Server:
        """What the server is, asked once; requests that come meanwhile wait for it."""
        if self._server is not None:
            return self._server
        self._asking = self._asking or asyncio.Lock()
        async with self._asking:
            if self._server is None:
                self._server = await self._ask_server()
        return self._server

    async def _know_soon(self) -> None:
        with contextlib.suppress(AstraweaveError):  # the first request asks again, and tells
            await self._know()

    async def _ask_server(self) -> _Server:
        try:
            models = decode(await self._client.ask("/models"), _Models, "list of models").data
        except (ConfigError, InvalidResponse) as error:
            if error.details.get("status") in (401, 403):
                raise
            models = []  # it has no such list
        found = next((each for each in models if each.id == self._model), None)
        found = found or (models[0] if models else None)
        name = self._model or (found.id if found is not None else "")
        if not name:
            raise ConfigError(
                f"{self._place} does not say which models it has: name one",
                field="model",
            )
        told = found.max_model_len or (found.meta.n_ctx if found.meta else None) if found else None
        dialect = self._dialect or (dialect_of(found.owned_by or "") if found else DIALECTS[-1])
        context = self._context_tokens or told or _CONTEXT_TOKENS
        return _Server(model=name, dialect=dialect, context_tokens=context)

    def _ask_count(self, key: str, ask: Callable[[_Server], Any]) -> int | None:
        """What the server counts, from memory where it did; None: it does not."""
        with self._counts_lock:
            if key in self._counts:
                self._counts.move_to_end(key)
                return self._counts[key]
        if self.counting != "server" or self._client.loop.here:
            return None

        async def counted() -> int:
            async with asyncio.timeout(_COUNT_S):
                tokens: int = await ask(await self._know())
                return tokens

        try:
            tokens = self._client.call(counted)
        except UsageError:
            raise
        except (AstraweaveError, TimeoutError):
            self._no_count_until = self._clock.monotonic() + _COUNT_AGAIN_S
            return None
        with self._counts_lock:
            self._counts[key] = tokens
            while len(self._counts) > _COUNTS_KEPT:
                self._counts.popitem(last=False)
        return tokens

    async def _count_text(self, text: str, server: _Server) -> int:
        if server.dialect.tokenizes == "vllm":
            asked: dict[str, Any] = {
                "model": server.model,
                "prompt": text,
                "add_special_tokens": False,
            }
            return await self._tokenize_vllm(asked)
        return await self._tokenize_llama(text, special=False)

    async def _count_prompt(self, messages: Sequence[Message], server: _Server) -> int:
        chat = [{"role": each.role, "content": each.content} for each in messages]
        if server.dialect.tokenizes == "vllm":
            return await self._tokenize_vllm({"model": server.model, "messages": chat})
        body = await self._client.ask("/apply-template", {"messages": chat}, from_root=True)
        prompt = decode(body, dict[str, Any], "prompt").get("prompt")
        if not isinstance(prompt, str):
            raise InvalidResponse("the server rendered no prompt")
        return await self._tokenize_llama(prompt, special=True)

    async def _tokenize_llama(self, text: str, *, special: bool) -> int:
        asked = {"content": text, "add_special": False, "parse_special": special}
        body = await self._client.ask("/tokenize", asked, from_root=True)
        return len(decode(body, dict[str, list[int]], "tokens").get("tokens", ()))

    async def _tokenize_vllm(self, asked: dict[str, Any]) -> int:
        body = await self._client.ask("/tokenize", asked, from_root=True)
        count = decode(body, dict[str, Any], "tokens").get("count")
        if not isinstance(count, int):
            raise InvalidResponse("the server counted no tokens")
        return count
