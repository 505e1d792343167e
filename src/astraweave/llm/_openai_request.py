"""What is sent to a server for one request, in its dialect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from astraweave.errors import InputError
from astraweave.llm._dialects import Dialect
from astraweave.llm._gbnf import choice_to_gbnf, regex_to_gbnf
from astraweave.llm.protocol import (
    Choice,
    Constraint,
    GenerationRequest,
    JsonSchema,
    Lark,
    Regex,
)

__all__ = ["ANSWER", "chat_body", "check_possible", "is_wrapped"]

ANSWER = "answer"
"""The field in which a server that knows schemas alone gives one of some choices."""


def check_possible(request: GenerationRequest, dialect: Dialect) -> None:
    """Refuse what this kind of server cannot do.

    Raises
    ------
    InputError
        The text says what it is, and what would do instead.
    """
    constraint = request.constraint
    if constraint is None:
        return
    if request.prefix:
        raise InputError(
            "a server cannot go on from a beginning and hold the whole answer to a constraint: "
            "give one of them, or use the embedded engine",
            field="prefix",
        )
    kind = type(constraint).__name__
    if (isinstance(constraint, Lark) and dialect.constraints != "structured_outputs") or (
        isinstance(constraint, Regex) and dialect.constraints == "schema"
    ):
        raise InputError(
            f"a server of the dialect '{dialect.name}' cannot hold an answer to {kind}: give a "
            "JsonSchema or a Choice, or use the embedded engine",
            field="constraint",
            dialect=dialect.name,
        )


def is_wrapped(constraint: Constraint | None, dialect: Dialect) -> bool:
    """Whether the answer comes inside of a JSON object (see `ANSWER`)."""
    return isinstance(constraint, Choice) and dialect.constraints == "schema"


def chat_body(
    request: GenerationRequest, *, model: str, dialect: Dialect, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON of a chat completion, streamed and with its usage.

    Parameters
    ----------
    extra : mapping
        Fields to add or replace; None takes a field away.

    Raises
    ------
    InputError
        See `check_possible`.
    """
    check_possible(request, dialect)
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": each.role, "content": each.content} for each in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        dialect.max_tokens: request.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    body |= {theirs: getattr(sampling, ours) for ours, theirs in dialect.sampling.items()}
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    for name in ("presence_penalty", "frequency_penalty"):
        if getattr(sampling, name):
            body[name] = getattr(sampling, name)
    if request.stop:
        body["stop"] = list(request.stop[: dialect.max_stops])
    if request.tools:
        body["parallel_tool_calls"] = True
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    if request.constraint is not None:
        body |= _constraint(request.constraint, dialect)
    if request.prefix:
        _begin_with(body, request.prefix, dialect)
    for name, value in extra.items():
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value
    return body


def _constraint(constraint: Constraint, dialect: Dialect) -> dict[str, Any]:
    if dialect.constraints == "structured_outputs":
        match constraint:
            case JsonSchema():
                how: dict[str, Any] = {"json": constraint.schema}
            case Regex():
                how = {"regex": constraint.pattern}
            case Lark():
                how = {"grammar": constraint.grammar}
            case Choice():
                how = {"choice": list(constraint.options)}
        return {"structured_outputs": how}
    if isinstance(constraint, JsonSchema):
        return _response_format(constraint.schema)
    if isinstance(constraint, Regex):
        return {"grammar": regex_to_gbnf(constraint.pattern)}
    assert isinstance(constraint, Choice), "check_possible has refused the rest"
    if dialect.constraints == "grammar":
        return {"grammar": choice_to_gbnf(constraint.options)}
    options = {"type": "string", "enum": list(constraint.options)}
    return _response_format(
        {
            "type": "object",
            "properties": {ANSWER: options},
            "required": [ANSWER],
            "additionalProperties": False,
        }
    )


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": ANSWER, "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _begin_with(body: dict[str, Any], prefix: str, dialect: Dialect) -> None:
    messages: list[dict[str, Any]] = body["messages"]
    if dialect.prefix == "asked":
        # What it repeats of the beginning is taken away again (see AnswerReader).
        wish = f"Begin your answer with exactly these words: {json.dumps(prefix)}"
        if messages[-1]["role"] == "user":
            messages[-1]["content"] += f"\n\n({wish})"
        else:
            messages.append({"role": "user", "content": wish})
        return
    messages.append({"role": "assistant", "content": prefix})
    if dialect.prefix == "marked":
        messages[-1]["prefix"] = True
    elif dialect.prefix == "flags":
        body |= {"continue_final_message": True, "add_generation_prompt": False}
