"""What a character said lately, so that it is not said again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.dialogue.voice import FIELD

__all__ = ["RecentLines"]


class RecentLines:
    """Lines said lately, compared by their words alone."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [f" {_plain(line)} " for line in lines]

    def holds(self, line: str) -> bool:
        """Whether a line, or all but a few words of one, was said."""
        plain = f" {_plain(line)} "
        return any(plain in said for said in self._lines)

    def last(self, pattern: str) -> int:
        """How lately a pattern was used: 0 never, larger the more lately."""
        key = max((_plain(part) for part in FIELD.split(pattern)[::2]), key=len)
        if len(key) > 3:
            for age, line in enumerate(reversed(self._lines)):
                if f" {key} " in line:
                    return len(self._lines) - age
        return 0


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold().replace("’", "").replace("'", "")))
