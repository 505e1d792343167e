"""Text that arrives in pieces, cut into clauses as early as it is safe."""

from __future__ import annotations

import re

__all__ = ["ClauseSplitter"]

_END = re.compile(r"[.!?…]+[\"'”’)]*(?=\s)|[;:](?=\s)|\n+|\s[—–-]\s")
_COMMA = re.compile(r",(?=\s)")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|st|sr|jr)\.$", re.IGNORECASE)
_MIN_WORDS = 4


class ClauseSplitter:
    """Cuts streamed text behind sentence marks, and behind commas where both sides are long enough.

    The pieces, joined, are the text that was pushed, whatever the size of the pushes.

    Examples
    --------
    >>> splitter = ClauseSplitter()
    >>> splitter.push("Aye. Sit down, the")
    ['Aye.']
    >>> splitter.push(" iron is hot.")
    []
    >>> splitter.flush()
    [' Sit down, the iron is hot.']
    """

    def __init__(self) -> None:
        self._text = ""

    def push(self, text: str) -> list[str]:
        """Add text; the clauses that are now whole, spaces in front kept."""
        self._text += text
        found: list[str] = []
        while (cut := self._cut()) is not None:
            found.append(self._text[:cut])
            self._text = self._text[cut:]
        return found

    def flush(self) -> list[str]:
        """The end has come: what is left, if it is more than spaces."""
        rest, self._text = self._text, ""
        return [rest] if rest.strip() else []

    def _cut(self) -> int | None:
        best: int | None = None
        for match in _END.finditer(self._text):
            if not self._text[: match.start()].strip() or _ABBREVIATION.search(
                self._text[: match.end()]
            ):
                continue
            best = (
                match.end() if not match.group().isspace() else match.start() + len(match.group())
            )
            break
        for match in _COMMA.finditer(self._text):
            if best is not None and match.end() >= best:
                break
            before = self._text[: match.start()].split()
            after = self._text[match.end() : best].split()
            if len(before) >= _MIN_WORDS and len(after) > _MIN_WORDS:
                return match.end()
        return best
