"""The ways in which the server of faults treats a request."""

from __future__ import annotations

from typing import Any, Literal, get_args

from astraweave.errors import ConfigError, MissingExtraError

__all__ = ["MODES", "Mode", "aiohttp_web", "checked"]

Mode = Literal[
    "ok",
    "refuse",
    "reset",
    "reset_midway",
    "rate_limit",
    "rate_limit_retry_after",
    "server_error",
    "slow_headers",
    "slow_bytes",
    "malformed_sse",
    "malformed_json",
    "schema_violation",
    "huge",
    "other_answer",
    "mixed_answers",
    "silence",
]
MODES: tuple[Mode, ...] = get_args(Mode)


def checked(mode: str) -> Mode:
    """A mode that there is.

    Raises
    ------
    ConfigError
        There is none of this name.
    """
    if mode not in MODES:
        raise ConfigError(f"{mode!r} is no mode; there are: {', '.join(MODES)}", mode=mode)
    return mode


def aiohttp_web() -> Any:
    """The library that serves.

    Raises
    ------
    MissingExtraError
        The extra ``http`` is not installed.
    """
    try:
        from aiohttp import web
    except ImportError:
        raise MissingExtraError("the fault server", "http") from None
    return web
