"""What a model's server says, rightly and wrongly, as the bytes of its bodies."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

__all__ = [
    "HUGE_BYTES",
    "Answer",
    "Said",
    "broken_events",
    "broken_json",
    "completion",
    "events",
    "huge",
    "model_list",
    "says",
    "unheld",
    "vectors",
    "violation",
]

HUGE_BYTES = 100_000_000
_PIECE = 64 * 1024
_TOKEN = re.compile(r"\s*\S+")
_MODEL = "fault-server"

Said: TypeAlias = str | Sequence[tuple[str, str]]
"""A text, or the calls that the model wants: name and JSON of the arguments."""
Answer: TypeAlias = Callable[[dict[str, Any]], Said]
"""What the model says to one request."""


def says(_request: dict[str, Any]) -> Said:
    """The same line to everybody."""
    return "Aye, the forge is warm today, and the gate is nearly done."


def model_list() -> bytes:
    """The one model that is served."""
    model = {"id": _MODEL, "object": "model", "owned_by": "astraweave"}
    return _json({"object": "list", "data": [model]})


def completion(request: dict[str, Any], said: Said, answer_id: str) -> bytes:
    """A whole answer."""
    tokens, reason = _tokens(request, said)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens)}
    if not isinstance(said, str):
        message = {"role": "assistant", "content": None, "tool_calls": _calls(said)}
    return _json(
        {
            "id": answer_id,
            "object": "chat.completion",
            "model": request.get("model", _MODEL),
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": _usage(request, tokens),
        }
    )


def events(request: dict[str, Any], said: Said, answer_id: str) -> list[bytes]:
    """An answer as server-sent events, one a token, with the usage if it is asked for."""
    tokens, reason = _tokens(request, said)

    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event({"id": answer_id, "object": "chat.completion.chunk", "choices": [choice]})

    made = [event({"role": "assistant", "content": ""})]
    if isinstance(said, str):
        made += [event({"content": token}) for token in tokens]
    else:
        made += [event({"tool_calls": [delta]}) for delta in _call_deltas(said)]
    made.append(event({}, reason))
    if (request.get("stream_options") or {}).get("include_usage"):
        made.append(_event({"id": answer_id, "choices": [], "usage": _usage(request, tokens)}))
    made.append(b"data: [DONE]\n\n")
    return made


def vectors(request: dict[str, Any], embed: Callable[[list[str]], list[list[float]]]) -> bytes:
    """Embeddings, the last text first: a client has to look at the index."""
    texts = request.get("input", [])
    texts = [texts] if isinstance(texts, str) else list(texts)
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(embed(texts))
    ]
    return _json({"object": "list", "model": _MODEL, "data": data[::-1], "usage": {}})


def broken_events(rng: random.Random) -> bytes:
    """A body that says it is server-sent events, and is not."""
    return rng.choice(
        (
            b'data: {"choices": [{"index": 0, "delta": {"content": "Aye, th\n\n',
            b"data: \xff\xfe\x00garbage\r\rdata: {]\n\n",
            b"<html><body>502 Bad Gateway</body></html>\n\n",
            b'{"choices": [{"delta": {"content": "no field name"}}]}\n\n',
            b"data: Aye, the forge is warm today.\n\ndata: [DONE]\n\n",
            b"\n\n\n\n",
            b"data: [DONE",
        )
    )


def broken_json(rng: random.Random) -> bytes:
    """A body that says it is JSON, and is not."""
    return rng.choice(
        (
            b'{"id": "x", "choices": [{"message": {"content": "Aye, th',
            b"{'choices': []}",
            b"<html><body>captive portal</body></html>",
            b'{"choices": \xff\xfe}',
            b"",
            b"[" * 100_000,
            b'{"choices": NaN, "id": 1e999999}',
        )
    )


def violation(rng: random.Random) -> bytes:
    """JSON that is not what was agreed upon."""
    return rng.choice(
        (
            b"{}",
            b"[]",
            b"null",
            b'"Aye."',
            b'{"choices": {}}',
            b'{"choices": [{"index": 0, "message": {"content": 5}, "delta": {"content": 5}}]}',
            b'{"choices": [{"index": 0, "message": [], "delta": []}]}',
            b'{"choices": [{"index": 0, "delta": {"tool_calls": {"0": {}}}}]}',
            b'{"error": {"message": "something broke", "code": "oh"}}',
            b'{"data": [{"index": 99, "embedding": ["a"]}]}',
        )
    )


def unheld(rng: random.Random) -> str:
    """What a model says that was to keep to a schema."""
    return rng.choice(('{"unexpected":true}', "[]", '"Aye."', "Aye,itiswarm.", '{"answer":1}'))


def huge(*, streamed: bool, rng: random.Random) -> Iterator[bytes]:
    """An answer of 100 MB: many events or one endless line; or one string of JSON."""
    if streamed and rng.random() < 0.5:
        delta = {"content": "a" * 1000}
        event = _event({"id": "huge", "choices": [{"index": 0, "delta": delta}]})
        piece = event * (_PIECE // len(event))
    else:
        yield b"data: " if streamed else b""
        yield b'{"id": "huge", "choices": [{"index": 0, "message": {"content": "'
        piece = b"a" * _PIECE
    for _ in range(HUGE_BYTES // len(piece)):
        yield piece


def _tokens(request: dict[str, Any], said: Said) -> tuple[list[str], str]:
    """The tokens of an answer as far as the request lets it go, and why it ends there."""
    if not isinstance(said, str):
        return ["call"] * len(said), "tool_calls"
    tokens = _TOKEN.findall(said) or ([said] if said else [])
    most = request.get("max_completion_tokens") or request.get("max_tokens") or len(tokens)
    return tokens[:most], "length" if len(tokens) > most else "stop"


def _usage(request: dict[str, Any], tokens: list[str]) -> dict[str, int]:
    prompt = sum(
        len(_TOKEN.findall(message.get("content") or "")) for message in request["messages"]
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(tokens),
        "total_tokens": prompt + len(tokens),
    }


def _calls(said: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(said)
    ]


def _call_deltas(said: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """The calls begun one after the other, and their arguments in pieces, in turns."""
    for index, call in enumerate(_calls(said)):
        yield {"index": index, **call, "function": {**call["function"], "arguments": ""}}
    longest = max((len(arguments) for _, arguments in said), default=0)
    for at in range(0, longest, 5):
        for index, (_, arguments) in enumerate(said):
            if piece := arguments[at : at + 5]:
                yield {"index": index, "function": {"arguments": piece}}


def _event(content: object) -> bytes:
    return b"data: " + _json(content) + b"\n\n"


def _json(content: object) -> bytes:
    return msgspec.json.encode(content)
