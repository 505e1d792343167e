"""What goes wrong between us and a server, as errors of our own tree."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from astraweave.errors import (
    AstraweaveError,
    CapacityError,
    ConfigError,
    InputError,
    InvalidResponse,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
)

__all__ = ["lost_connection", "retry_after_s", "said_by", "status_error"]

_LONGEST_SAID = 300
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length")
_NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached")


def status_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    place: str,
    path: str,
    secrets: Sequence[str] = (),
) -> AstraweaveError:
    """What an answer that is not 200 means.

    ``status`` and ``code`` (the server's own) stand in its details; where it is ModelUnavailable,
    also ``retry_after_s`` (None: the server did not say) and ``rate_limited``, so that a limiter
    can tell a server that is busy from one that is broken.
    """
    said, code = said_by(body, secrets)
    wait = retry_after_s(headers)
    details: dict[str, Any] = {"status": status, "code": code, "place": place}
    because = f": {said}" if said else ""
    if status in (401, 403):
        return ConfigError(  # what the server says of a key may contain it
            f"{place} does not accept the key (status {status}); check the key, and the "
            "environment variable that holds it",
            **details,
        )
    if 300 <= status < 400:
        return ConfigError(
            f"{place} sends requests elsewhere (status {status}), and a key does not follow: set "
            "the address that it is served at",
            **details,
        )
    if status in (404, 405):
        return ConfigError(
            f"{place} has no {path}, or not the model (status {status}){because}", **details
        )
    if status == 413 or code in _TOO_LONG:
        return CapacityError(f"the request is too long for {place}{because}", **details)
    if status in (408, 504):
        return ModelTimeout(
            f"{place} gave up (status {status}){because}", **details, phase="server"
        )
    if status == 429 and code not in _NO_CREDIT:
        return ModelUnavailable(
            f"{place} limits the rate of requests"
            + (f"; it asks to wait {wait:g} s" if wait is not None else "")
            + because,
            **details,
            retry_after_s=wait,
            rate_limited=True,
        )
    if status >= 500 or status in (402, 409, 425, 429):
        return ModelUnavailable(
            f"{place} failed (status {status}){because}",
            **details,
            retry_after_s=wait,
            rate_limited=False,
        )
    if status < 300:
        return InvalidResponse(f"{place} answered with status {status} and nothing", **details)
    return InputError(f"{place} refused the request (status {status}){because}", **details)


def lost_connection(error: BaseException, place: str) -> ModelError:
    """What an error of the connection means; nothing of `error` itself is kept."""
    import aiohttp

    reason = _reason(error)
    details: dict[str, Any] = {"place": place, "retry_after_s": None, "rate_limited": False}
    if isinstance(error, aiohttp.ServerTimeoutError):
        return ModelTimeout(
            f"{place} did not answer in time (connect)", place=place, phase="connect"
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return ModelUnavailable(
            f"the certificate of {place} is not trusted: {reason}", **details, phase="connect"
        )
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientProxyConnectionError):
        return ModelUnavailable(
            f"nobody answers at {place} ({reason}): is the server running?",
            **details,
            phase="connect",
        )
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | OSError):
        return ModelUnavailable(
            f"{place} dropped the connection ({reason})", **details, phase="answer"
        )
    return InvalidResponse(f"{place} does not speak HTTP as it should ({reason})", place=place)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``Retry-After``; None where it says nothing of use.

    A date is compared with the server's own ``Date``: its clock, not ours, wrote both.

    Examples
    --------
    >>> retry_after_s({"Retry-After": "30"})
    30.0
    >>> date = {"Date": "Fri, 31 Dec 1999 23:59:59 GMT"}
    >>> retry_after_s(date | {"Retry-After": "Sat, 01 Jan 2000 00:00:09 GMT"})
    10.0
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value):
        return float(value)
    until, now = _moment(value), _moment(headers.get("Date", ""))
    if until is None or now is None:
        return None
    seconds = (until - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def said_by(body: bytes, secrets: Sequence[str]) -> tuple[str, str]:
    """The server's words about an error, fit to be shown, and its code for it."""
    text, code = body.decode("utf-8", "replace"), ""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        if "<html" in text.lower():
            text = ""
    else:
        error = told.get("error", told) if isinstance(told, dict) else told
        if isinstance(error, dict):
            text = str(error.get("message") or error.get("detail") or "")
            code = str(error.get("code") or "")
            kind = str(error.get("type") or "")
            code = kind if kind in _TOO_LONG + _NO_CREDIT else code
        else:
            text = str(error)
    return _shown(text, secrets), _shown(code, secrets)


def _shown(text: str, secrets: Sequence[str]) -> str:
    """Without keys and control characters, and not long."""
    for secret in secrets:
        text = text.replace(secret, "[key]")
    text = " ".join("".join(c if c.isprintable() else " " for c in text[:4096]).split())
    return text if len(text) <= _LONGEST_SAID else text[: _LONGEST_SAID - 3] + "..."


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _reason(error: BaseException) -> str:
    inner = getattr(error, "os_error", None) or error
    said = getattr(inner, "strerror", None)
    return said if isinstance(said, str) and said else type(inner).__name__
