"""What a language model is to the rest of astraweave.

A request goes in, a `Generation` comes back at once, and text arrives in chunks. The same shape
serves the in-process engine, an HTTP server and a script for tests; retry, limits and fallbacks
wrap it (see `astraweave.serving`) and look the same from outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

__all__ = [
    "Chunk",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "LanguageModel",
    "Message",
    "ModelInfo",
    "Role",
    "SamplingParams",
    "Usage",
]

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "cancelled", "error"]


class Message(msgspec.Struct, frozen=True):
    """One message of a chat. Its content is text, never control tokens."""

    role: Role
    content: str


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the next token is drawn; every value is checked by the model that gets it.

    Attributes
    ----------
    temperature : float
        0: always the likeliest token.
    top_k : int
        Draw from the k likeliest; 0: from all.
    top_p : float
        Draw from the likeliest that together reach this probability; 1: from all.
    min_p : float
        Leave out what is less likely than this share of the likeliest; 0: nothing.
    repetition_penalty : float
        Above 1: tokens already in the context become less likely.
    presence_penalty : float
        Taken from the logit of every token that the answer has already.
    frequency_penalty : float
        The same for each time that the answer has it.
    seed : int or None
        Equal seeds give equal text; None: the model's own stream.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of a language model.

    Attributes
    ----------
    messages : tuple of Message
        The chat so far. What changes least should stand first: the model reuses its work for the
        longest prefix that some slot already holds.
    prefix : str
        The answer's own beginning, already shown; the model goes on from it, and chunks hold only
        what comes after it.
    max_tokens : int
        Longest answer in tokens.
    stop : tuple of str
        The answer ends before the first of these.
    sampling : SamplingParams
        How tokens are drawn.
    owner : str
        Whose thought it is (a character's id); helps choosing a slot, and fairness later.
    """

    messages: tuple[Message, ...]
    prefix: str = ""
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    sampling: SamplingParams = SamplingParams()
    owner: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation cost; tokens and milliseconds."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """New text; the last chunk has a `finish_reason` and the usage."""

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says about itself."""

    id: str
    context_tokens: int
    provider: str = ""
    slots: int = 1
    keeps_prompts: bool = False
    """Whether the part of a prompt that came before costs nothing, and is worth asking ahead."""


class Generation(Protocol):
    """A running answer; iterate over it once, from any thread or any event loop."""

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks as they come; blocks between them. Raises what went wrong."""
        ...

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Chunks as they come, awaited."""
        ...

    def cancel(self) -> None:
        """Stop at the next token; a last chunk with ``"cancelled"`` follows. Thread-safe."""
        ...

    def result(self, timeout: float | None = None) -> str:
        """Wait for the end; the whole text. Raises what went wrong."""
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that goes on with a chat."""

    @property
    def info(self) -> ModelInfo:
        """What model it is."""
        ...

    def count(self, text: str) -> int:
        """Tokens of `text` in the model's own vocabulary."""
        ...

    def count_messages(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole rendered prompt, the opening of the answer included."""
        ...

    def generate(self, request: GenerationRequest) -> Generation:
        """Begin an answer; returns at once."""
        ...

    def close(self) -> None:
        """Stop cleanly; running generations end as cancelled. Closing twice is allowed."""
        ...
