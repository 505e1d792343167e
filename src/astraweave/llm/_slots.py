"""Which prompt lies in which slot, and which slot serves the next one best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from astraweave.kernels.batch import common_length

__all__ = ["Placement", "Slot", "SlotTable"]


@dataclass(eq=False, slots=True)
class Slot:
    """KV memory of one sequence, and the tokens whose rows are in it."""

    index: int
    tokens: list[int] = field(default_factory=list)
    owner: str = ""
    used: int = 0
    """When it was last taken; 0: never."""
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a prompt goes: into `slot`, of which `reused` tokens need no computing."""

    slot: Slot
    reused: int
    source: Slot
    """Where those tokens lie now; another slot than `slot`: they have to be copied."""


class SlotTable:
    """Keeps the work that was done for earlier prompts. Used by one thread.

    The slot with the longest common beginning serves a prompt. Where that would destroy what
    another character's slot holds beyond the common part, the common part is copied (which is some
    hundred times cheaper than computing it) into the owner's own slot, or into the one that has
    been idle longest.
    """

    def __init__(self, count: int) -> None:
        self.slots = [Slot(index) for index in range(count)]
        self._clock = 0

    def place(self, prompt: Sequence[int], owner: str) -> Placement | None:
        """Take a slot for `prompt`; None: all are busy. Give it back with `release`."""
        free = [slot for slot in self.slots if not slot.busy]
        if not free:
            return None

        def mine(slot: Slot) -> bool:
            return bool(owner) and slot.owner == owner

        # The last token is always computed: its logits are wanted.
        matches = {
            slot.index: min(common_length(slot.tokens, prompt), len(prompt) - 1)
            for slot in self.slots
        }
        source = max(self.slots, key=lambda s: (matches[s.index], not s.busy, mine(s), -s.used))
        idle = min(free, key=lambda s: (not mine(s), s.used))
        reused = matches[source.index]
        in_place = not source.busy and (mine(source) or reused == len(source.tokens))
        slot = source if in_place else idle
        self._clock += 1
        slot.busy, slot.used, slot.owner = True, self._clock, owner
        return Placement(slot, reused, source)

    def release(self, slot: Slot) -> None:
        """The sequence in `slot` has ended; what it holds may be reused."""
        slot.busy = False
