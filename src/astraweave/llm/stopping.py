"""Stop strings, found across the borders of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from astraweave.errors import InputError

__all__ = ["StopScanner"]


class StopScanner:
    r"""Lets text through until a stop string is complete, and never lets out a part of one.

    What might be the beginning of a stop string is held back until it is clear. Where several stop
    strings overlap, the one that is complete first counts, and of those that end together the
    longest: so the result does not depend on how the text was cut into pieces.

    Examples
    --------
    >>> scanner = StopScanner(["\nPlayer:"])
    >>> scanner.push("Aye.\nPl"), scanner.push("ayer: "), scanner.stopped
    ('Aye.', '', True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if "" in stops:
            raise InputError("a stop string must not be empty", stop=tuple(stops))
        self._stops = tuple(stops)
        self._longest = max(map(len, stops), default=0)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """What may be shown now."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)[1]]
        keep = self._begun(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back and turned out to be no stop string: the text has ended."""
        held, self._held = self._held, ""
        return held

    def _begun(self, text: str) -> int:
        for length in range(min(len(text), self._longest - 1), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
