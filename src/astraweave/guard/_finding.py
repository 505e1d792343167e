"""Finding out what an actor may do now.

Preconditions over one argument are asked about every candidate; what they refuse stands in no enum.
Those over several arguments are asked about every combination while there are few, and otherwise
left to the guard (`LegalActions.exact` is then false).

The cost is one call of a precondition a candidate: 50 actions over 200 entities would be 10,000
calls, about a millisecond, if no two actions asked the same. They do (most want something near, or
held), so the answer for one precondition and one list of candidates is kept for the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from astraweave.core.worldview import WorldSnapshot
from astraweave.guard.actions import Action, Requires
from astraweave.guard.legal import LegalAction, LegalActions, Schema, Values
from astraweave.guard.slots import (
    ChoiceSlot,
    EntityRef,
    FlagSlot,
    ListSlot,
    NumberSlot,
    Slot,
    SlotKind,
    TextSlot,
)

__all__ = ["find_legal"]

_MOST_COMBINATIONS = 1024
_MOST_BRANCHES = 64
_MOST_NUMBERS = 64


def find_legal(
    actions: Iterable[Action],
    world: WorldSnapshot,
    actor: str,
    *,
    amounts: Mapping[tuple[str, str], float] | None = None,
) -> LegalActions:
    """Ask every precondition about every candidate.

    Parameters
    ----------
    actions : iterable of Action
        Those whose permissions, cooldowns and counted budgets allow them.
    world : WorldSnapshot
        What is so now.
    actor : str
        Who would act.
    amounts : mapping
        What is left of a number argument's budget, by action and argument.
    """
    finder = _Finder(world, actor, amounts or {})
    found = (finder.legal(action) for action in actions)
    return LegalActions(actor, world, (legal for legal in found if legal is not None))


class _Finder:
    """Answers kept while one list is made."""

    def __init__(
        self, world: WorldSnapshot, actor: str, amounts: Mapping[tuple[str, str], float]
    ) -> None:
        self._world = world
        self._actor = actor
        self._amounts = amounts
        self._entities: dict[EntityRef, Values] = {}
        self._passed: dict[tuple[int, int], Values] = {}
        self._alive: list[Values] = []

    def legal(self, action: Action) -> LegalAction | None:
        """What of an action is legal; None: nothing."""
        if not action.permits(self._world, self._actor):
            return None
        rules: dict[str, list[Requires]] = {}
        several = []
        for rule in action.requires:
            if not rule.needs:
                if not self._holds(rule, ()):
                    return None
            elif len(rule.needs) == 1:
                rules.setdefault(rule.needs[0], []).append(rule)
            else:
                several.append(rule)
        schemas: dict[str, Schema] = {}
        values: dict[str, Values] = {}
        needed: list[str] = []
        exact = True
        for slot in action.slots:
            found = self._slot(action, slot, rules.get(slot.name, []))
            if found is None:
                if slot.required:
                    return None
                continue
            schema, candidates, complete = found
            schemas[slot.name] = schema
            exact = exact and complete
            if candidates is not None:
                values[slot.name] = candidates
            if slot.required or self._bad_default(slot, rules.get(slot.name, []), several):
                needed.append(slot.name)
        legal = LegalAction(
            action=action, schemas=schemas, values=values, needed=tuple(needed), exact=exact
        )
        return self._combined(legal, several) if several else legal

    def _holds(self, rule: Requires, arguments: Sequence[Any]) -> bool:
        try:
            return bool(rule.holds(self._world, self._actor, *arguments))
        except Exception:  # noqa: BLE001 - a rule that cannot answer does not allow; guard says why
            return False

    def _slot(
        self, action: Action, slot: Slot, rules: list[Requires]
    ) -> tuple[Schema, Values | None, bool] | None:
        kind = slot.kind
        listed = kind if isinstance(kind, ListSlot) else None
        item = kind.item if isinstance(kind, ListSlot) else kind
        candidates = self._candidates(action, slot.name, item)
        if candidates is None:
            schema = self._open_schema(action, slot.name, item)
            if schema is None:
                return _only_null(slot)
        else:
            for rule in rules:
                candidates = self._filtered(rule, candidates)
            if not candidates:
                if listed is not None and not listed.least:
                    return {"type": "array", "maxItems": 0}, None, True
                return _only_null(slot)
            schema = {"enum": list(candidates)}
        exact = candidates is not None or not rules
        if listed is not None:
            distinct = len(candidates) if candidates is not None and listed.unique else listed.most
            if distinct < listed.least:
                return _only_null(slot)
            schema = {
                "type": "array",
                "items": schema,
                "minItems": listed.least,
                "maxItems": listed.most,
            }
            exact = exact and not (listed.unique and listed.least > 1)
        if slot.nullable:
            if "enum" in schema:
                schema = {"enum": [*schema["enum"], None]}
                candidates = (*candidates, None) if candidates is not None else None
            else:
                schema = {"anyOf": [schema, {"type": "null"}]}
        return schema, candidates, exact

    def _candidates(self, action: Action, name: str, kind: SlotKind) -> Values | None:
        match kind:
            case EntityRef():
                kept = self._entities.get(kind)
                if kept is None:
                    kept = self._entities[kind] = tuple(
                        id_ for id_, each in self._world.entities.items()
                        if kind.fits(each, self._world)
                    )  # fmt: skip
                return kept
            case ChoiceSlot():
                return kind.options
            case FlagSlot():
                return (False, True)
            case NumberSlot() if kind.integer and any(name in r.needs for r in action.requires):
                least, most = self._bounds(action, name, kind)
                if most - least < _MOST_NUMBERS:
                    return tuple(range(int(least), int(most) + 1))
        return None

    def _bounds(self, action: Action, name: str, kind: NumberSlot) -> tuple[float, float]:
        try:
            least, most = kind.bounds(self._world, self._actor)
        except Exception:  # noqa: BLE001 - what cannot be said cannot be kept to
            return 1, 0
        left = self._amounts.get((action.name, name), math.inf)
        return least, min(most, math.floor(left) if kind.integer and left < math.inf else left)

    def _open_schema(self, action: Action, name: str, kind: SlotKind) -> Schema | None:
        if isinstance(kind, NumberSlot):
            least, most = self._bounds(action, name, kind)
            if least > most:
                return None
            return {
                "type": "integer" if kind.integer else "number",
                "minimum": int(least) if kind.integer else least,
                "maximum": int(most) if kind.integer else most,
            }
        assert isinstance(kind, TextSlot)
        return {"type": "string", "minLength": 1, "maxLength": kind.max_chars}

    def _filtered(self, rule: Requires, candidates: Values) -> Values:
        key = (id(rule.holds), id(candidates))
        kept = self._passed.get(key)
        if kept is None:
            world, actor, holds = self._world, self._actor, rule.holds
            try:
                kept = tuple([each for each in candidates if holds(world, actor, each)])
            except Exception:  # noqa: BLE001 - one candidate is at fault: ask them one by one
                kept = tuple(each for each in candidates if self._holds(rule, (each,)))
            self._passed[key] = kept
            self._alive.append(candidates)  # the key is made of addresses
        return kept

    def _bad_default(self, slot: Slot, rules: list[Requires], several: list[Requires]) -> bool:
        """Whether leaving an argument out would be illegal: its default is no candidate."""
        if slot.default is None:
            return False
        if any(slot.name in rule.needs for rule in several):
            return True
        values = slot.default if isinstance(slot.default, list | tuple) else (slot.default,)
        return any(not self._holds(rule, (value,)) for rule in rules for value in values) or (
            slot.entity is not None
            and any(
                value not in self._world.entities
                or not slot.entity.fits(self._world.entities[value], self._world)
                for value in values
            )
        )

    def _combined(self, legal: LegalAction, rules: list[Requires]) -> LegalAction | None:
        """Try combinations where only several arguments together say whether it is legal."""
        exact, counted = legal.exact, []
        names: dict[str, None] = {}
        for rule in rules:
            given = [name for name in rule.needs if name in legal.schemas]
            if len(given) < len(rule.needs):
                continue  # one of them can only be left out, and is then not asked about
            lists = any(isinstance(legal.action.slot(name).kind, ListSlot) for name in given)
            joint = [*names, *(name for name in given if name not in names)]
            known = all(name in legal.values for name in joint)
            size = math.prod(len(legal.values[name]) for name in joint) if known else math.inf
            if lists or size > _MOST_COMBINATIONS:
                exact = False
                continue
            counted.append(rule)
            names.update(dict.fromkeys(joint))
        if not counted:
            return msgspec.structs.replace(legal, exact=exact)
        rows = [
            row
            for row in itertools.product(*(legal.values[name] for name in names))
            if self._row_holds(counted, dict(zip(names, row, strict=True)))
        ]
        if not rows:
            return None
        branches = _branches(tuple(names), rows)
        values = {
            name: tuple(dict.fromkeys(row[index] for row in rows))
            for index, name in enumerate(names)
        }
        schemas = {name: {"enum": list(found)} for name, found in values.items()}
        fits = len(branches) <= _MOST_BRANCHES
        return LegalAction(
            action=legal.action,
            schemas={**legal.schemas, **schemas},
            values={**legal.values, **values},
            needed=legal.needed,
            branches=branches if fits else ({},),
            exact=exact and fits,
        )

    def _row_holds(self, rules: Iterable[Requires], row: Mapping[str, Any]) -> bool:
        for rule in rules:
            asked = [row[name] for name in rule.needs]
            if None not in asked and not self._holds(rule, asked):
                return False
        return True


def _only_null(slot: Slot) -> tuple[Schema, Values | None, bool] | None:
    return ({"type": "null"}, None, True) if slot.nullable else None


def _branches(names: tuple[str, ...], rows: list[Values]) -> tuple[dict[str, Schema], ...]:
    """Combinations as few products: equal tails share a branch."""
    tails: dict[Values, list[Any]] = {}
    for row in rows:
        tails.setdefault(row[:-1], []).append(row[-1])
    merged: dict[tuple[Values, Values], list[Any]] = {}
    for head, tail in tails.items():
        merged.setdefault((head[1:], tuple(tail)), []).append(head[0])
    return tuple(
        {
            names[0]: {"enum": firsts},
            **{name: {"enum": [value]} for name, value in zip(names[1:-1], middle, strict=True)},
            names[-1]: {"enum": list(tail)},
        }
        for (middle, tail), firsts in merged.items()
    )
