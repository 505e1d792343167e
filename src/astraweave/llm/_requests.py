"""What every model asks of a request before it begins."""

from __future__ import annotations

from astraweave.errors import InputError
from astraweave.llm.protocol import PRIORITIES, GenerationRequest, ScoreRequest
from astraweave.llm.sampling import check_sampling

__all__ = ["check_request", "check_score_request"]


def check_request(request: GenerationRequest) -> None:
    """Refuse a request that no model could answer.

    Raises
    ------
    InputError
        The message names the field and its value.
    """
    if not request.messages:
        raise InputError("a request needs at least one message", field="messages")
    if request.max_tokens < 1:
        raise InputError(
            f"max_tokens must be 1 or more, not {request.max_tokens}",
            field="max_tokens",
            value=request.max_tokens,
        )
    if "" in request.stop:
        raise InputError("a stop string must not be empty", field="stop", value=request.stop)
    check_sampling(request.sampling)
    _check_priority(request.priority)


def check_score_request(request: ScoreRequest) -> None:
    """Refuse a request that no model could score.

    Raises
    ------
    InputError
        The message names the field and its value.
    """
    if not request.messages:
        raise InputError("a request needs at least one message", field="messages")
    if not request.continuations:
        raise InputError("a request needs at least one continuation", field="continuations")
    _check_priority(request.priority)


def _check_priority(priority: str) -> None:
    if priority not in PRIORITIES:
        raise InputError(
            f"priority must be one of {', '.join(PRIORITIES)}, not {priority!r}",
            field="priority",
            value=priority,
        )
