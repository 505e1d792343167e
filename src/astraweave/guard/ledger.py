"""Cooldowns and budgets: who did what, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec

from astraweave.guard.actions import Action, Budget, Cooldown
from astraweave.guard.refusal import Refused

__all__ = ["Ledger", "LedgerEntry"]

_MOST_KEPT = 4096

Uses: TypeAlias = deque[tuple[float, float]]
"""Game time and amount, the oldest first."""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule remembers, for a saved game.

    Attributes
    ----------
    action : str
        Name of the action.
    rule : str
        Which cooldown or budget: ``"cooldown 0"``, ``"budget 1"``.
    actor : str
        Whose; empty: everybody's.
    spent : list of tuple
        Game time and amount of each use that still counts.
    """

    action: str
    rule: str
    actor: str
    spent: list[tuple[float, float]]


class Ledger:
    """What was used up. Not thread-safe by itself: the guard holds its lock."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str, str], Uses] = {}

    def check(self, action: Action, arguments: dict[str, Any], actor: str, now: float) -> None:
        """Refuse what rests or has used up its budget.

        Raises
        ------
        Refused
            With the game time that is to be waited.
        """
        if (rest := self.rests(action, actor, now)) > 0:
            raise Refused(
                "cooldown", f"{action.name} rests for {rest:.3g} s more.", f"Wait {rest:.3g} s.",
                rule="cooldown",
            )  # fmt: skip
        for number, budget in enumerate(action.budgets):
            wanted = _amount(budget, arguments)
            left = self._left(action, number, budget, actor, now)
            if wanted > left:
                what = budget.amount or "calls"
                raise Refused(
                    "budget",
                    f"{action.name} has {left:g} {what} left of {budget.limit:g} in"
                    f" {budget.seconds:g} s.",
                    "Ask for less, or wait." if left > 0 else "Wait.",
                    argument=budget.amount,
                    rule=f"budget {number}",
                )

    def rests(self, action: Action, actor: str, now: float) -> float:
        """Seconds until no cooldown holds it back any more."""
        longest = 0.0
        for number, cooldown in enumerate(action.cooldowns):
            spent = self._spent.get(_key(action, "cooldown", number, cooldown, actor))
            # A clock that was set back (an older save) must not make it wait for the future.
            if spent and spent[-1][0] <= now:
                longest = max(longest, spent[-1][0] + cooldown.seconds - now)
        return longest

    def left(self, action: Action, actor: str, now: float) -> tuple[bool, dict[str, float]]:
        """Whether a call is left, and how much of each counted argument."""
        amounts: dict[str, float] = {}
        for number, budget in enumerate(action.budgets):
            left = self._left(action, number, budget, actor, now)
            if not budget.amount and left < 1:
                return False, {}
            if budget.amount:
                amounts[budget.amount] = min(left, amounts.get(budget.amount, left))
        return True, amounts

    def charge(
        self, action: Action, arguments: dict[str, Any], actor: str, now: float
    ) -> Callable[[], None]:
        """Note one use; what is returned takes it back."""
        undo: list[Callable[[], object]] = []
        for number, cooldown in enumerate(action.cooldowns):
            key = _key(action, "cooldown", number, cooldown, actor)
            undo.append(partial(self._put_back, key, self._spent.get(key)))
            self._spent[key] = deque([(now, 1.0)])
        for number, budget in enumerate(action.budgets):
            key = _key(action, "budget", number, budget, actor)
            spent = self._spent.setdefault(key, deque())
            if len(spent) >= _MOST_KEPT:  # two of the oldest become one, so that nothing is lost
                first, second = spent.popleft(), spent.popleft()
                spent.appendleft((second[0], first[1] + second[1]))
            use = (now, _amount(budget, arguments))
            spent.append(use)
            undo.append(partial(spent.remove, use))

        def give_back() -> None:
            for step in undo:
                step()

        return give_back

    def _put_back(self, key: tuple[str, str, str], spent: Uses | None) -> None:
        if spent is None:
            self._spent.pop(key, None)
        else:
            self._spent[key] = spent

    def save(self) -> list[LedgerEntry]:
        """Everything, in a stable order."""
        return [
            LedgerEntry(action=action, rule=rule, actor=actor, spent=list(spent))
            for (action, rule, actor), spent in sorted(self._spent.items())
        ]

    def load(self, entries: list[LedgerEntry]) -> None:
        """Replace everything."""
        self._spent = {(each.action, each.rule, each.actor): deque(each.spent) for each in entries}

    def _left(self, action: Action, number: int, budget: Budget, actor: str, now: float) -> float:
        spent = self._spent.get(_key(action, "budget", number, budget, actor))
        if not spent:
            return budget.limit
        while spent and not now - budget.seconds < spent[0][0] <= now:
            spent.popleft()
        return budget.limit - sum(amount for _, amount in spent)


def _amount(budget: Budget, arguments: dict[str, Any]) -> float:
    return float(arguments[budget.amount] or 0) if budget.amount else 1.0


def _key(
    action: Action, what: str, number: int, rule: Cooldown | Budget, actor: str
) -> tuple[str, str, str]:
    return action.name, f"{what} {number}", actor if rule.scope == "actor" else ""
