"""What was asked of the guard, and what it said: bounded, in order, safe to read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from astraweave.core.text import sanitize
from astraweave.errors import InputError
from astraweave.guard.trust import Origin

__all__ = ["AuditEntry", "AuditLog"]

_MAX_TEXT = 400
_MAX_DEPTH = 4
_MAX_ITEMS = 64


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log.

    Attributes
    ----------
    number : int
        Grows by one; a gap means that older lines were dropped.
    time : float
        Game time in seconds.
    actor, action : str
        Who wanted to do what.
    origin : Origin
        On whose wish.
    verdict : str
        ``"executed"``, ``"refused"``, ``"failed"`` (the action raised), ``"checked"`` (a dry run).
    arguments : dict
        As they were asked for; every text in them is cleaned and cut.
    code, sentence : str
        Why it was refused or failed.
    """

    number: int
    time: float
    actor: str
    action: str
    origin: Origin
    verdict: Literal["executed", "refused", "failed", "checked"]
    arguments: dict[str, Any] = {}
    code: str = ""
    sentence: str = ""


class AuditLog:
    """The latest lines. Thread-safe.

    Parameters
    ----------
    capacity : int
        So many lines are kept.
    """

    def __init__(self, capacity: int = 1024) -> None:
        if capacity < 1:
            raise InputError("an audit log keeps at least one line", capacity=capacity)
        self._lock = threading.Lock()
        self._lines: deque[AuditEntry] = deque(maxlen=capacity)
        self._count = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def dropped(self) -> int:
        """So many older lines are gone."""
        with self._lock:
            return self._count - len(self._lines)

    def note(self, arguments: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Append a line; texts are cleaned here."""
        for name in ("actor", "action", "sentence"):
            fields[name] = _clean(fields.get(name, ""))
        safe = _safe(arguments or {}, 0)
        with self._lock:
            self._lines.append(AuditEntry(number=self._count, arguments=safe, **fields))
            self._count += 1

    def entries(self) -> list[AuditEntry]:
        """The lines that are kept, the oldest first."""
        with self._lock:
            return list(self._lines)

    def to_jsonl(self) -> str:
        """One JSON object a line, the oldest first."""
        return "".join(msgspec.json.encode(line).decode() + "\n" for line in self.entries())


def _clean(text: object) -> str:
    try:
        return sanitize(str(text), max_chars=_MAX_TEXT).text if text else ""
    except InputError:
        return ""


def _safe(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else _clean("a huge number")
    if depth >= _MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_MAX_ITEMS]
        return {_clean(key): _safe(each, depth + 1) for key, each in pairs}
    if isinstance(value, list | tuple):
        return [_safe(each, depth + 1) for each in value[:_MAX_ITEMS]]
    return _clean(value)
