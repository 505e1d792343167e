"""What servers understand beyond the common part of OpenAI's chat completions.

========== ==================== ================== ====================== ==========================
dialect    JSON schema          regex, choice      Lark                   the answer's beginning
========== ==================== ================== ====================== ==========================
llama.cpp  response_format      grammar (GBNF)     no                     continue_final_message
vllm       structured_outputs   structured_outputs structured_outputs     continue_final_message
ollama     response_format      no, as a schema    no                     last message
lmstudio   response_format      no, as a schema    no                     asked for
mistral    response_format      no, as a schema    no                     last message, marked
openai     response_format      no, as a schema    no                     asked for
generic    response_format      no, as a schema    no                     asked for
========== ==================== ================== ====================== ==========================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from astraweave.errors import ConfigError

__all__ = ["DIALECTS", "Dialect", "dialect_named", "dialect_of"]


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of server understands.

    Attributes
    ----------
    name : str
        For settings.
    owner : tuple of str
        What such a server says under ``owned_by`` in its list of models.
    constraints : str
        ``"grammar"``: a field with a GBNF grammar; ``"structured_outputs"``: vLLM's; ``"schema"``:
        nothing but ``response_format``.
    prefix : str
        How the answer is made to go on from a beginning: ``"last"``: a last message of the
        assistant is gone on with; ``"flags"``: the same, said in fields; ``"marked"``: with a mark
        in that message; ``"asked"``: the model is told to, and what it repeats is taken away.
    sampling : mapping
        Our fields of SamplingParams that are no part of OpenAI's, by the server's names.
    max_tokens : str
        The field for the longest answer.
    tokenizes : str
        Whose way of counting tokens it has: ``"llama.cpp"``, ``"vllm"`` or none.
    max_stops : int
        How many stop strings it takes; we look for all of them ourselves.
    """

    name: str
    owner: tuple[str, ...] = ()
    constraints: Literal["grammar", "structured_outputs", "schema"] = "schema"
    prefix: Literal["last", "flags", "marked", "asked"] = "asked"
    sampling: Mapping[str, str] = {}
    max_tokens: str = "max_tokens"
    tokenizes: Literal["", "llama.cpp", "vllm"] = ""
    max_stops: int = 4


_SAME = {"top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repetition_penalty"}
_LLAMA = {"top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repeat_penalty"}

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="llama.cpp",
        owner=("llamacpp",),
        constraints="grammar",
        prefix="flags",
        sampling=_LLAMA,
        tokenizes="llama.cpp",
        max_stops=64,
    ),
    Dialect(
        name="vllm",
        owner=("vllm",),
        constraints="structured_outputs",
        prefix="flags",
        sampling=_SAME,
        tokenizes="vllm",
        max_stops=64,
    ),
    Dialect(name="ollama", owner=("library",), prefix="last"),
    Dialect(name="lmstudio", owner=("organization_owner",), sampling=_LLAMA),
    Dialect(name="mistral", owner=("mistralai",), prefix="marked"),
    Dialect(
        name="openai",
        owner=("openai", "openai-internal", "system"),
        max_tokens="max_completion_tokens",
    ),
    Dialect(name="generic"),
)


def dialect_named(name: str) -> Dialect:
    """The dialect of that name.

    Raises
    ------
    ConfigError
        There is none.
    """
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in DIALECTS)
    raise ConfigError(f"{name!r} is no dialect; there are: auto, {known}", dialect=name)


def dialect_of(owner: str) -> Dialect:
    """The dialect of a server that says this of who owns its models."""
    for dialect in DIALECTS:
        if owner in dialect.owner:
            return dialect
    return DIALECTS[-1]
