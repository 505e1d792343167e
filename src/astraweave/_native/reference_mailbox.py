"""What the mailbox means: a queue a lane, and a turn for the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

__all__ = ["Mailbox"]


class Mailbox:
    """Five deques. One thread at a time."""

    LANES = 5

    def __init__(self) -> None:
        self._lanes: list[deque[Callable[[], object]]] = [deque() for _ in range(self.LANES)]
        self._counts = [[0, 0] for _ in range(self.LANES)]
        self._armed = False
        self._turn = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def post(self, item: Callable[[], object], lane: int = 0) -> bool:
        """Whether somebody was armed, and is no longer."""
        self._lanes[lane].append(item)
        self._counts[lane][0] += 1
        armed, self._armed = self._armed, False
        return armed

    def deliver(self, budget_ns: int) -> int:
        """Call what waits: everything (below 0), or as if each took longer than the budget."""
        delivered = 0
        while (item := self._take()) is not None:
            item()
            delivered += 1
            if budget_ns >= 0:
                break
        return delivered

    def arm(self) -> bool:
        """The next `post` says so; whether nothing waits."""
        self._armed = True
        return not len(self)

    def counts(self) -> list[tuple[int, int]]:
        """Posted to and taken from each lane."""
        return [(posted, taken) for posted, taken in self._counts]

    def _take(self) -> Callable[[], object] | None:
        order = list(range(self.LANES))
        if (self._turn + 1) % 8 == 0:
            order.reverse()
        for lane in order:
            if self._lanes[lane]:
                self._turn += 1
                self._counts[lane][1] += 1
                return self._lanes[lane].popleft()
        return None
