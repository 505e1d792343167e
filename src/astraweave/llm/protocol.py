"""What a language model is to the rest of astraweave.

A request goes in, a `Generation` comes back at once, and text arrives in chunks. The same shape
serves the in-process engine, an HTTP server and a script for tests; retry, limits and fallbacks
wrap it (see `astraweave.serving`) and look the same from outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

__all__ = [
    "PRIORITIES",
    "Choice",
    "Chunk",
    "ConstrainingModel",
    "Constraint",
    "DeadlineModel",
    "FinishReason",
    "Generation",
    "GenerationRequest",
    "JsonSchema",
    "LanguageModel",
    "Lark",
    "Message",
    "ModelInfo",
    "Priority",
    "Regex",
    "Role",
    "SamplingParams",
    "Score",
    "ScoreRequest",
    "Scoring",
    "ScoringModel",
    "Tool",
    "ToolCall",
    "Usage",
]

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "tool_calls", "cancelled", "error"]
Priority = Literal["critical", "high", "normal", "low", "background"]

PRIORITIES: tuple[Priority, ...] = ("critical", "high", "normal", "low", "background")
"""The most urgent first."""


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


class JsonSchema(msgspec.Struct, frozen=True, kw_only=True, tag="json_schema"):
    """The answer is one JSON value of this schema.

    Attributes
    ----------
    schema : dict
        JSON Schema, as builtins.
    compact : bool
        No blanks but one after a comma or a colon: fewer tokens, and none of them wasted.
    """

    schema: dict[str, Any]
    compact: bool = True


class Regex(msgspec.Struct, frozen=True, kw_only=True, tag="regex"):
    r"""The whole answer matches this regular expression (no look-around, no references).

    ``\d`` is a digit from 0 to 9; ``\w`` and ``\s`` know all scripts.
    """

    pattern: str


class Lark(msgspec.Struct, frozen=True, kw_only=True, tag="lark"):
    """The answer is a sentence of this grammar, in the dialect of Lark that llguidance reads."""

    grammar: str


class Choice(msgspec.Struct, frozen=True, kw_only=True, tag="choice"):
    """The answer is one of these texts, to the letter."""

    options: tuple[str, ...]


Constraint: TypeAlias = JsonSchema | Regex | Lark | Choice
"""What an answer can be held to, token by token."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that a model on a server may call.

    Attributes
    ----------
    name, description : str
        What it is called, and when to use it.
    parameters : dict
        JSON Schema of its arguments, an object.
    """

    name: str
    description: str = ""
    parameters: dict[str, Any] = msgspec.field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that a model wants: nothing has been checked, and nothing done (see `guard`).

    Attributes
    ----------
    name : str
        Of the tool.
    arguments : str
        JSON as the model wrote it.
    id : str
        The server's name for this call.
    """

    name: str
    arguments: str
    id: str = ""


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
        Whose thought it is (a character's id): for fairness between characters.
    use : str
        What it is for: ``"dialogue"``, ``"quest"``, ``"director"``, ``"decision"``, or a game's own
        word. How long to wait for an answer is learnt for each.
    priority : str
        How urgent it is among others; the same request asked with another priority is the same
        question.
    constraint : Constraint or None
        What the answer is held to; None: nothing.
    logprobs : bool
        Whether chunks should say how likely their words were; not every model can.
    tools : tuple of Tool
        What a model on a server may call. The embedded engine refuses them: hold its answer to a
        grammar of actions instead (see `astraweave.guard`).
    """

    messages: tuple[Message, ...]
    prefix: str = ""
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    sampling: SamplingParams = SamplingParams()
    owner: str = ""
    use: str = "dialogue"
    priority: Priority = "normal"
    constraint: Constraint | None = None
    logprobs: bool = False
    tools: tuple[Tool, ...] = ()


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How likely a model finds each of some continuations of one chat.

    Attributes
    ----------
    messages : tuple of Message
        The chat so far; computed once for all continuations.
    continuations : tuple of str
        Candidates for the answer, or for what follows `prefix`.
    prefix : str
        The answer's own beginning.
    owner : str
        Whose thought it is.
    priority : str
        How urgent it is among others.
    """

    messages: tuple[Message, ...]
    continuations: tuple[str, ...]
    prefix: str = ""
    owner: str = ""
    priority: Priority = "normal"


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What a model thinks of one continuation.

    Attributes
    ----------
    logprob : float
        Natural logarithm of its probability, summed over its tokens.
    tokens : int
        How many they are.
    """

    logprob: float
    tokens: int

    @property
    def mean(self) -> float:
        """Logarithm of the probability, a token."""
        return self.logprob / max(1, self.tokens)


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation cost; tokens and milliseconds."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    first_token_ms: float = 0.0
    total_ms: float = 0.0
    estimated: bool = False
    """Whether the tokens are our own count or guess: the server did not say."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """New text; the last chunk has a `finish_reason`, the usage, and the calls it wants.

    Where the request asked for it and the model can tell, `logprob` is the natural logarithm of the
    probability of the tokens behind the text, before any penalty, and `tokens` how many they are.
    """

    text: str = ""
    logprob: float = 0.0
    tokens: int = 0
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says about itself."""

    id: str
    context_tokens: int
    provider: str = ""
    slots: int = 1
    continues_prefix: bool = True
    """Whether it goes on from `GenerationRequest.prefix` as if it had said that itself."""
    keeps_prompts: bool = False
    """Whether the part of a prompt that came before costs nothing, and is worth asking ahead."""
    remote: bool = False
    """Whether a server answers: where one call fails, another may not."""
    instant: bool = False
    """Whether `generate` has the answer at once: beginning it is then left to no other thread."""


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


@runtime_checkable
class DeadlineModel(Protocol):
    """A model that wants to know by when an answer is of use: it waits and asks again."""

    takes_deadline: bool
    """Whether it does; what tells such a model from others."""

    def generate(self, request: GenerationRequest, *, deadline: float | None = None) -> Generation:
        """Begin an answer; what cannot be done by `deadline` (machine time) is not begun."""
        ...


@runtime_checkable
class ConstrainingModel(Protocol):
    """A model that can get ready for constrained answers before the first of them."""

    def prepare_constraints(self) -> None:
        """Take in the vocabulary now: some tenths of a second, most of it with the GIL held."""
        ...


class Scoring(Protocol):
    """Scores on their way."""

    def cancel(self) -> None:
        """Stop at the next step; `result` then raises. Thread-safe."""
        ...

    def result(self, timeout: float | None = None) -> list[Score]:
        """Wait; one score for each continuation, in their order. Raises what went wrong."""
        ...


@runtime_checkable
class ScoringModel(Protocol):
    """A model that can also be asked how likely it finds a text."""

    def score(self, request: ScoreRequest) -> Scoring:
        """Begin to score; returns at once."""
        ...
