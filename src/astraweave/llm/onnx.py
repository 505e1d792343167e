"""The language model that runs inside the game's own process."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from types import TracebackType

import msgspec
import numpy as np

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.errors import CapacityError, ConfigError, CorruptDataError
from astraweave.inference import Sessions
from astraweave.llm._decoder import Decoder, DecoderConfig
from astraweave.llm._engine import Engine, Job
from astraweave.llm._requests import check_request
from astraweave.llm.protocol import Generation, GenerationRequest, Message, ModelInfo
from astraweave.llm.sampling import Sampler
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream
from astraweave.models import ChatTemplate, ModelFiles, Tokenizer
from astraweave.observability import NULL_TELEMETRY, Telemetry

__all__ = ["OnnxLanguageModel"]


class OnnxLanguageModel:
    """A converted decoder on onnxruntime, with a thread of its own. Thread-safe.

    Requests are answered in the order in which they come. What earlier prompts have in common with
    a new one is not computed again: each slot keeps the work for the last prompt that it served,
    its answer included.

    Equal requests with equal seeds give equal text on the same machine as long as the same part of
    the prompt is reused: the int8 kernels for one row and for many rows round differently.

    The thread ends in `close`, at the latest when the interpreter exits. Use the model in the
    process that opened it: a forked child gets `UsageError`.

    Parameters
    ----------
    files : ModelFiles
        A converted decoder (see `astraweave.models.ModelStore`).
    sessions : Sessions, optional
        Where the session is opened, under its thread budget; default: one with default settings.
    slots : int
        How many prompts are kept for reuse. A slot takes memory as it is filled.
    slot_tokens : int
        Longest prompt and answer together, in tokens.
    seed : int
        Of the stream that requests without a seed draw from.
    clock : Clock, optional
        For `Usage`; only `monotonic` is read.
    telemetry : Telemetry
        Spans ``llm.prefill``, ``llm.decode`` and ``llm.sample``, one a step.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    ModelUnavailable, UnsupportedModel, CorruptDataError
        The files cannot be used.
    ConfigError
        `slots` or `slot_tokens` are impossible for this model.
    """

    def __init__(
        self,
        files: ModelFiles,
        *,
        sessions: Sessions | None = None,
        slots: int = 2,
        slot_tokens: int = 1024,
        seed: int = 0,
        clock: Clock | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        config = _read_config(files)
        if slots < 1 or not 2 <= slot_tokens <= config.context_tokens:
            raise ConfigError(
                f"'{config.id}' takes 1 or more slots of 2 to {config.context_tokens} tokens, "
                f"not {slots} of {slot_tokens}",
                slots=slots,
                slot_tokens=slot_tokens,
                context_tokens=config.context_tokens,
            )
        self._tokenizer = Tokenizer.from_file(files.tokenizer)
        self._template = ChatTemplate.load(files, self._tokenizer)
        self._config = config
        self._slot_tokens = slot_tokens
        self._clock = clock or SystemClock()
        self._stream = RandomStreams(seed)["llm"]
        self._scratch = np.empty(config.vocab_size, np.int32)
        session = (sessions or Sessions()).open(files.graph)
        self._info = ModelInfo(
            id=config.id,
            context_tokens=slot_tokens,
            provider=session.provider,
            slots=slots,
            keeps_prompts=True,
        )
        self._engine = Engine(
            Decoder(session, config, slots=slots, slot_tokens=slot_tokens),
            slots=slots,
            slot_tokens=slot_tokens,
            eos_ids=config.eos_ids,
            clock=self._clock,
            telemetry=telemetry,
            name=config.id,
        )
        # Also at interpreter exit, and where nobody called `close`.
        self._stop = weakref.finalize(self, self._engine.stop)

    @property
    def info(self) -> ModelInfo:
        """What model it is; `context_tokens` is what a slot holds."""
        return self._info

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
            The request has an impossible value.
        CapacityError
            Its prompt leaves no room for an answer in a slot.
        UsageError
            The model is closed, or belongs to another process.
        """
        check_request(request)
        self._engine.check_usable()
        prompt = tuple(self._template.render(request.messages, prefix=request.prefix))
        if len(prompt) >= self._slot_tokens:
            raise CapacityError(
                f"the prompt has {len(prompt)} tokens, and a slot holds {self._slot_tokens} with "
                f"the answer: shorten it by {len(prompt) - self._slot_tokens + 1} at least, or "
                "open the model with more slot_tokens",
                prompt_tokens=len(prompt),
                slot_tokens=self._slot_tokens,
            )
        job = Job(
            prompt=prompt,
            max_tokens=request.max_tokens,
            owner=request.owner,
            sampler=Sampler(
                request.sampling,
                stream=self._stream,
                context=prompt,
                exempt=self._config.eos_ids,
                scratch=self._scratch,
            ),
            decoder=self._tokenizer.decoder(),
            stops=StopScanner(request.stop),
            submitted=self._clock.monotonic(),
        )
        engine = self._engine
        job.stream = ChunkStream(on_cancel=lambda: engine.drop_if_waiting(job))
        engine.submit(job)
        return job.stream

    def close(self) -> None:
        """Stop cleanly; running generations end as cancelled. Closing twice is allowed."""
        self._stop()

    def __enter__(self) -> OnnxLanguageModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _read_config(files: ModelFiles) -> DecoderConfig:
    try:
        return msgspec.json.decode(files.config.read_bytes(), type=DecoderConfig)
    except (OSError, msgspec.DecodeError) as error:
        raise CorruptDataError(
            f"'{files.config}' does not describe a decoder ({error}); convert the model again",
            path=str(files.config),
        ) from error
