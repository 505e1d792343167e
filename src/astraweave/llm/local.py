"""The language model that runs inside the game's own process."""

from __future__ import annotations

import hashlib
import random
import weakref
from collections.abc import Sequence

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.closing import Closing
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.errors import CapacityError, ConfigError, InputError
from astraweave.inference import Sessions
from astraweave.llm._backends import BackendName, open_backend
from astraweave.llm._config import DecoderConfig, read_config
from astraweave.llm._engine import Engine, EngineReport
from astraweave.llm._jobs import Line, Scored
from astraweave.llm._requests import check_request, check_score_request
from astraweave.llm._scoring import Scores
from astraweave.llm.grammar import GrammarCompiler
from astraweave.llm.protocol import (
    PRIORITIES,
    Generation,
    GenerationRequest,
    Message,
    ModelInfo,
    SamplingParams,
    ScoreRequest,
    Scoring,
)
from astraweave.llm.sampling import Sampler
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream
from astraweave.models import ChatTemplate, ModelFiles, Tokenizer
from astraweave.observability import NULL_TELEMETRY, Telemetry

__all__ = ["LocalLanguageModel"]

_GRID = 64
"""Tokens of a piece where the graph has to compute a sequence always in the same ones."""


class LocalLanguageModel(Closing):
    """A converted decoder, run in this process by a thread of its own. Thread-safe.

    Requests are answered together, the more urgent ones first: they share every pass through the
    weights, and join and leave between two tokens. What a prompt has in common with an earlier one,
    or with one that is just being computed, is not computed again; answers count as earlier prompts
    too.

    Equal seeds give equal draws whatever else runs. With the native backend a request's logits do
    not depend on its neighbours either. The graph's int8 kernels round differently for one row and
    for many; with `deterministic` each sequence is run alone, at the price of the batch.

    The thread ends in `close`, at the latest when the interpreter exits. Use the model in the
    process that opened it: a forked child gets `UsageError`.

    Parameters
    ----------
    files : ModelFiles
        A converted decoder (see `astraweave.models.ModelStore`).
    sessions : Sessions, optional
        Where the session is opened, under its thread budget; default: one with default settings.
    backend : {"auto", "native", "graph"}
        What computes. ``"auto"``: the native decoder where the processor runs the model, else the
        ONNX graph.
    max_sequences : int
        Answers in work at once; more wait.
    context_tokens : int
        Longest prompt and answer together, in tokens.
    kv_bytes : int or None
        Memory for keys and values: of what runs, and of what is kept for reuse. None: what all
        sequences can fill. It is taken as it is filled.
    deterministic : bool
        Equal requests give equal answers whatever else runs: requests without a seed then draw from
        a stream made of the request itself.
    seed : int
        Of the stream that requests without a seed draw from.
    clock : Clock, optional
        For `Usage`; only `monotonic` is read.
    telemetry : Telemetry
        Spans ``llm.prefill``, ``llm.decode`` and ``llm.sample``, one a step; counter
        ``llm.preempted``.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    ModelUnavailable, UnsupportedModel, CorruptDataError
        The files cannot be used.
    ConfigError
        `max_sequences`, `context_tokens` or `kv_bytes` are impossible for this model.
    """

    def __init__(
        self,
        files: ModelFiles,
        *,
        sessions: Sessions | None = None,
        backend: BackendName = "auto",
        max_sequences: int = 16,
        context_tokens: int = 1024,
        kv_bytes: int | None = None,
        deterministic: bool = False,
        seed: int = 0,
        clock: Clock | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        config = read_config(files)
        _check_sizes(config, max_sequences, context_tokens)
        self._tokenizer = Tokenizer.from_file(files.tokenizer)
        self._template = ChatTemplate.load(files, self._tokenizer)
        self._config = config
        self._clock = clock or SystemClock()
        self._seed = seed
        self._deterministic = deterministic
        self._seeds = RandomStreams(seed)["llm"]
        self._grammars = GrammarCompiler(
            self._tokenizer, eos_ids=config.eos_ids, vocab_size=config.vocab_size
        )
        opened = open_backend(
            files,
            config,
            sessions or Sessions(),
            kind=backend,
            max_sequences=max_sequences,
            context_tokens=context_tokens,
            kv_bytes=kv_bytes,
            alone=deterministic,
        )
        self._context_tokens = min(context_tokens, opened.report().capacity_tokens)
        if self._context_tokens < 2:
            opened.close()
            raise ConfigError(
                f"kv_bytes={kv_bytes} holds {self._context_tokens} tokens of '{config.id}'",
                kv_bytes=kv_bytes,
            )
        self._info = ModelInfo(
            id=config.id,
            context_tokens=self._context_tokens,
            provider=opened.provider,
            slots=max_sequences,
            keeps_prompts=True,
        )
        self._engine = Engine(
            opened,
            max_running=max_sequences,
            clock=self._clock,
            telemetry=telemetry,
            name=config.id,
            grid=_GRID if deterministic and not opened.mixes else 0,
        )
        # Also at interpreter exit, and where nobody called `close`.
        self._stop = weakref.finalize(self, self._engine.stop)

    @property
    def info(self) -> ModelInfo:
        """What model it is; `context_tokens` is what one sequence may have."""
        return self._info

    def report(self) -> EngineReport:
        """What it is at: running and waiting requests, kept prompts, memory."""
        return self._engine.report()

    def prepare_constraints(self) -> None:
        """Take in the vocabulary for constrained answers now, and not with the first of them.

        It takes some tenths of a second, most of it with the GIL held: call it while a game loads.

        Raises
        ------
        MissingExtraError
            llguidance is not installed.
        """
        self._grammars.prepare()

    def count(self, text: str) -> int:
        """Tokens of `text`; special tokens are not recognised in it."""
        return self._tokenizer.count(text)

    def count_messages(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole rendered prompt, the opening of the answer included."""
        return len(self._template.render(messages))

    def generate(self, request: GenerationRequest) -> Generation:
        """Begin an answer; returns at once.

        Raises
        ------
        InputError
            The request has an impossible value, its constraint cannot be used or admits nothing, or
            it asks for tools.
        MissingExtraError
            It has a constraint, and llguidance is not installed.
        CapacityError
            Its prompt leaves no room for an answer.
        UsageError
            The model is closed, or belongs to another process.
        """
        check_request(request)
        if request.tools:
            raise InputError(
                "the embedded engine calls no tools: hold its answer to a grammar of actions "
                "instead (see astraweave.guard)",
                field="tools",
            )
        self._engine.check_usable()
        prompt = tuple(self._template.render(request.messages, prefix=request.prefix))
        self._check_room(len(prompt))
        constraint = None
        if request.constraint is not None:
            constraint = self._grammars.matcher(request.constraint, prefix=request.prefix)
        line = Line(
            prompt,
            max_tokens=request.max_tokens,
            context_tokens=self._context_tokens,
            urgency=PRIORITIES.index(request.priority),
            sampler=Sampler(
                request.sampling,
                stream=self._stream_for(prompt, request.sampling),
                context=prompt,
                exempt=self._config.eos_ids,
            ),
            decoder=self._tokenizer.decoder(),
            stops=StopScanner(request.stop),
            eos_ids=self._config.eos_ids,
            submitted=self._clock.monotonic(),
            constraint=constraint,
            logprobs=request.logprobs,
        )
        engine = self._engine
        line.stream = ChunkStream(on_cancel=lambda: engine.drop_waiting([line]))
        engine.submit([line])
        return line.stream

    def score(self, request: ScoreRequest) -> Scoring:
        """Begin to score continuations; returns at once.

        They are judged together, and what they follow is computed once. A continuation's tokens are
        those that it has by itself.

        Raises
        ------
        InputError
            The request has no message or no continuation.
        CapacityError
            The prompt and a continuation are longer than a sequence may be.
        UsageError
            The model is closed, or belongs to another process.
        """
        check_score_request(request)
        self._engine.check_usable()
        prompt = tuple(self._template.render(request.messages, prefix=request.prefix))
        continuations = [self._tokenizer.encode(text) for text in request.continuations]
        self._check_room(len(prompt) + max(map(len, continuations)) - 1)
        scores = Scores([len(tokens) for tokens in continuations])
        now = self._clock.monotonic()
        jobs = [
            Scored(
                prompt,
                tokens,
                board=scores,
                index=index,
                urgency=PRIORITIES.index(request.priority),
                submitted=now,
            )
            for index, tokens in enumerate(continuations)
            if tokens
        ]
        engine = self._engine
        scores.on_cancel = lambda: engine.drop_waiting(jobs)
        engine.submit(jobs)
        return scores

    def close(self) -> None:
        """Stop cleanly; running generations end as cancelled. Closing twice is allowed."""
        self._stop()

    def _check_room(self, tokens: int) -> None:
        room = self._context_tokens
        if tokens >= room:
            raise CapacityError(
                f"the prompt has {tokens} tokens, and there is room for {room} with the answer: "
                f"shorten it by {tokens - room + 1} at least, or open the model with more "
                "context_tokens or kv_bytes",
                prompt_tokens=tokens,
                context_tokens=room,
            )

    def _stream_for(self, prompt: tuple[int, ...], sampling: SamplingParams) -> random.Random:
        """What a request draws from; nobody else's draws ever move it."""
        if sampling.seed is not None:
            seed = sampling.seed
        elif self._deterministic:
            parts = msgspec.msgpack.encode((self._seed, prompt, sampling))
            seed = int.from_bytes(hashlib.blake2b(parts, digest_size=8).digest(), "little")
        else:
            seed = self._seeds.getrandbits(64)
        return RandomStreams(seed)["sampling"]


def _check_sizes(config: DecoderConfig, max_sequences: int, context_tokens: int) -> None:
    if max_sequences < 1 or not 2 <= context_tokens <= config.context_tokens:
        raise ConfigError(
            f"'{config.id}' takes 1 or more sequences of 2 to {config.context_tokens} tokens, "
            f"not {max_sequences} of {context_tokens}",
            max_sequences=max_sequences,
            context_tokens=context_tokens,
            longest=config.context_tokens,
        )
