"""The last word on every action, spoken when it is carried out.

A call may have been planned a minute ago, by a model that saw another world. So everything is asked
again at the moment of execution: form, types, entities, permissions, trust, preconditions, cooldown
and budget, in this order. Only when all of them hold does the action's own code run, once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from astraweave.core.clock import ManualClock
from astraweave.core.protocols import Clock
from astraweave.core.worldview import WorldSnapshot, WorldView
from astraweave.errors import InputError
from astraweave.guard._finding import find_legal
from astraweave.guard.actions import Action, ActionContext, Requires
from astraweave.guard.audit import AuditLog
from astraweave.guard.calls import CallLike, read_call, read_json
from astraweave.guard.ledger import Ledger, LedgerEntry
from astraweave.guard.legal import LegalActions
from astraweave.guard.refusal import Outcome, Refusal, Refused
from astraweave.guard.registry import ActionRegistry
from astraweave.guard.trust import Origin, TrustPolicy

__all__ = ["PlanRun", "ToolGuard"]

_MOST_KEPT = 256
_MOST_STEPS = 64
_NO_SOURCES: Mapping[str, Origin] = {}


class ToolGuard:
    """Checks calls and carries them out. Thread-safe: one action at a time.

    An action's function runs under the guard's lock, so it must not wait for another thread that
    asks the same guard. It may ask the guard itself.

    Parameters
    ----------
    registry : ActionRegistry
        What can be done.
    world : WorldView
        Where.
    clock : Clock
        Game time, for cooldowns and budgets.
    policy : TrustPolicy
        How far each origin is trusted.
    audit : AuditLog or None
        Where every verdict is written; None: a log of its own.

    Examples
    --------
    >>> from typing import Annotated
    >>> from astraweave.core.worldview import Entity, Fact
    >>> from astraweave.guard import ActionContext, Effect, EntityRef, Requires
    >>> world = WorldView()
    >>> world.add(Entity(id="tam", name="Tam", kind="person"))
    >>> world.add(Entity(id="hammer", name="the hammer", kind="item"))
    >>> registry = ActionRegistry()
    >>> held = Requires("held", "You do not hold {item}.", lambda world, actor, item:
    ...     Fact(actor, "holds", item) in world.facts, remedy="Pick it up first.")
    >>> @registry.action(effect=Effect.CHANGE, requires=(held,))
    ... def drop(context: ActionContext, item: Annotated[str, EntityRef("item")]) -> None:
    ...     "Put something down."
    ...     context.world.retract(Fact(context.actor, "holds", item))
    >>> guard = ToolGuard(registry, world)
    >>> print(guard.execute('{"action": "drop", "item": "hammer"}', actor="tam").refusal)
    You do not hold hammer. Pick it up first.
    >>> world.state(Fact("tam", "holds", "hammer"))
    >>> guard.execute('{"action": "drop", "item": "hammer"}', actor="tam").allowed
    True
    """

    def __init__(
        self,
        registry: ActionRegistry,
        world: WorldView,
        *,
        clock: Clock | None = None,
        policy: TrustPolicy | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self.registry = registry
        self.world = world
        self.policy = policy or TrustPolicy()
        self.audit = AuditLog() if audit is None else audit
        self._clock: Clock = clock or ManualClock()
        self._lock = threading.RLock()
        self._ledger = Ledger()
        self._legal: OrderedDict[tuple[Any, ...], tuple[WorldSnapshot, LegalActions]] = (
            OrderedDict()
        )

    # -- what is legal ------------------------------------------------------------------------

    def legal(self, actor: str, *, origin: Origin = Origin.CHARACTER) -> LegalActions:
        """What this actor may do now; kept until the world, a cooldown or a budget changes."""
        snapshot, now = self.world.snapshot(), self._clock.now()
        actions = self.registry.actions
        open_, amounts = [], {}
        with self._lock:
            for action in actions.values():
                if not self._trusted(action, origin) or self._ledger.rests(action, actor, now) > 0:
                    continue
                some, left = self._ledger.left(action, actor, now)
                if some:
                    open_.append(action)
                    amounts.update({(action.name, name): much for name, much in left.items()})
            key = (actor, *(action.name for action in open_), *sorted(amounts.items()))
            kept = self._legal.get(key)
            # The very same snapshot: a version number comes again when an old save is loaded.
            if kept is not None and kept[0] is snapshot:
                self._legal.move_to_end(key)
                return kept[1]
        legal = find_legal(open_, snapshot, actor, amounts=amounts)
        with self._lock:
            self._legal[key] = (snapshot, legal)
            while len(self._legal) > _MOST_KEPT:
                self._legal.popitem(last=False)
        return legal

    # -- one call -----------------------------------------------------------------------------

    def check(
        self,
        call: CallLike,
        *,
        actor: str,
        origin: Origin = Origin.CHARACTER,
        sources: Mapping[str, Origin] = _NO_SOURCES,
    ) -> Outcome:
        """Whether a call would be carried out now; nothing is done or used up.

        Parameters
        ----------
        call : str, bytes, ToolCall, Struct or mapping
            ``{"action": "give", "item": "hammer", "to": "mira"}``, or a server's tool call.
        actor : str
            Id of who would act.
        origin : Origin
            Whose wish it is.
        sources : mapping of str to Origin
            Where single arguments come from, when they come from somebody less trusted.
        """
        return self._handle(call, actor, origin, sources, run=False)

    def execute(
        self,
        call: CallLike,
        *,
        actor: str,
        origin: Origin = Origin.CHARACTER,
        sources: Mapping[str, Origin] = _NO_SOURCES,
    ) -> Outcome:
        """Check a call and carry it out; see `check`.

        An exception of the action's own code comes back in the outcome, not out of this method.
        Cooldown and budget are given back then, unless the action says ``charge="attempt"``. What
        the code had changed before it failed stays changed: let it change things last.
        """
        return self._handle(call, actor, origin, sources, run=True)

    def _handle(
        self,
        call: CallLike,
        actor: str,
        origin: Origin,
        sources: Mapping[str, Origin],
        *,
        run: bool,
    ) -> Outcome:
        name = ""
        written: dict[str, Any] = {}
        with self._lock:
            now = self._clock.now()
            try:
                action, written = read_call(call, self.registry)
                name = action.name
                arguments = self._checked(action, written, actor, origin, sources, now)
                outcome = Outcome(allowed=True, action=name, arguments=arguments)
                if run:
                    outcome = self._run(action, arguments, actor, origin, now)
            except Refused as refused:
                outcome = Outcome(allowed=False, action=name, refusal=refused.refusal)
            self.audit.note(
                written,
                time=now,
                actor=actor,
                action=name,
                origin=origin,
                verdict=_verdict(outcome, run),
                code=outcome.refusal.code if outcome.refusal else "",
                sentence=str(outcome.refusal or ""),
            )
        return outcome

    def _checked(
        self,
        action: Action,
        written: Mapping[str, Any],
        actor: str,
        origin: Origin,
        sources: Mapping[str, Origin],
        now: float,
    ) -> dict[str, Any]:
        world = self.world.snapshot()
        if actor not in world.entities:
            raise Refused("unknown_actor", "Who wants to act is not there.")
        arguments = {
            slot.name: self._read(action, slot.name, written[slot.name], world, actor)
            for slot in action.slots
        }
        if not action.permits(world, actor):
            raise Refused("not_permitted", f"{actor} may not {action.name}.")
        weakest = TrustPolicy.least((origin, *sources.values()))
        if not self._trusted(action, weakest):
            raise Refused(
                "untrusted",
                f"What comes from {weakest.value} may not {action.name}: it is"
                f" {action.effect.name.lower()}.",
                "Let somebody who is trusted with it decide.",
            )
        for rule in action.requires:
            for row in action.asked(rule, arguments):
                _ask(rule, row, action, arguments, world, actor)
        self._ledger.check(action, arguments, actor, now)
        return arguments

    @staticmethod
    def _read(action: Action, name: str, value: object, world: WorldSnapshot, actor: str) -> Any:
        slot = action.slot(name)
        if value is None and not slot.required and slot.default is None:
            return None
        try:
            return slot.read(value, world, actor)
        except Refused:
            raise
        except Exception as error:
            raise Refused(
                "precondition", f"The bounds of {name} could not be told: {error}.", argument=name
            ) from error

    def _trusted(self, action: Action, origin: Origin) -> bool:
        if action.origins is not None:
            return origin in action.origins
        return self.policy.allows(origin, action.effect)

    def _run(
        self, action: Action, arguments: dict[str, Any], actor: str, origin: Origin, now: float
    ) -> Outcome:
        context = ActionContext(world=self.world, actor=actor, origin=origin, now=now)
        # Charged first, so that an action that asks the guard again cannot spend the same twice.
        give_back = self._ledger.charge(action, arguments, actor, now)
        try:
            result = _call(action, context, arguments)
        except Exception as error:  # noqa: BLE001 - the game's code: reported, not hidden
            if action.charge == "success":
                give_back()
            refusal = Refusal(
                code="failed",
                sentence=f"{action.name} failed: {type(error).__name__}: {error}",
                rule=action.name,
            )
            return Outcome(
                allowed=False, action=action.name, arguments=arguments, refusal=refusal, error=error
            )
        return Outcome(allowed=True, action=action.name, arguments=arguments, result=result)

    # -- plans --------------------------------------------------------------------------------

    def plan(
        self,
        calls: str | bytes | Sequence[CallLike],
        *,
        actor: str,
        origin: Origin = Origin.CHARACTER,
        sources: Mapping[str, Origin] = _NO_SOURCES,
    ) -> PlanRun:
        """Steps to be carried out one by one, each checked when its turn comes.

        Raises
        ------
        InputError
            It is no list of calls, or has more than 64 steps.
        """
        steps: Any = calls
        if isinstance(calls, str | bytes):
            try:
                steps = read_json(calls)
            except Refused as refused:
                raise InputError(f"this is no plan: {refused.refusal}") from None
        if not isinstance(steps, list | tuple) or len(steps) > _MOST_STEPS:
            raise InputError(f"a plan is a list of at most {_MOST_STEPS} calls")
        return PlanRun(self, tuple(steps), actor, origin, sources)

    # -- saving -------------------------------------------------------------------------------

    def save(self) -> list[LedgerEntry]:
        """Cooldowns and budgets, for a saved game."""
        with self._lock:
            return self._ledger.save()

    def load(self, entries: list[LedgerEntry]) -> None:
        """Go back to saved cooldowns and budgets."""
        with self._lock:
            self._ledger.load(entries)


class PlanRun:
    """A plan on its way; call `step` once a tick, or `run`. For one thread.

    Attributes
    ----------
    outcomes : list of Outcome
        Of the steps that were tried. The first refusal ends the plan: what was planned after it
        counted on it.
    """

    def __init__(
        self,
        guard: ToolGuard,
        calls: tuple[CallLike, ...],
        actor: str,
        origin: Origin,
        sources: Mapping[str, Origin],
    ) -> None:
        self._guard = guard
        self._calls = calls
        self._who = {"actor": actor, "origin": origin, "sources": sources}
        self.outcomes: list[Outcome] = []

    @property
    def done(self) -> bool:
        """Whether no step is left, or one was refused."""
        return len(self.outcomes) == len(self._calls) or (
            bool(self.outcomes) and not self.outcomes[-1].allowed
        )

    @property
    def refusal(self) -> Refusal | None:
        """Why the plan ended early."""
        return self.outcomes[-1].refusal if self.outcomes else None

    def step(self) -> Outcome | None:
        """Check the next step in the world as it is now and carry it out; None: it is done."""
        if self.done:
            return None
        outcome = self._guard.execute(self._calls[len(self.outcomes)], **self._who)  # type: ignore[arg-type]
        self.outcomes.append(outcome)
        return outcome

    def run(self) -> list[Outcome]:
        """All steps that are left, until one is refused."""
        while self.step() is not None:
            continue
        return self.outcomes


def _ask(
    rule: Requires,
    row: Sequence[Any],
    action: Action,
    arguments: Mapping[str, Any],
    world: WorldSnapshot,
    actor: str,
) -> None:
    try:
        if rule.holds(world, actor, *row):
            return
    except Exception as error:
        raise Refused(
            "precondition", f"Whether {rule.name} holds could not be told: {error}.", rule=rule.name
        ) from error
    said = {"actor": actor, **arguments, **dict(zip(rule.needs, row, strict=True))}
    raise Refused(
        "precondition",
        rule.sentence.format_map(said),
        rule.remedy.format_map(said),
        argument=rule.needs[0] if rule.needs else "",
        rule=rule.name,
    )


def _call(action: Action, context: ActionContext, arguments: dict[str, Any]) -> Any:
    if action.struct is not None:
        instance = action.struct(**arguments)
        return action.run(context, instance) if action.run is not None else instance
    return action.run(context, **arguments) if action.run is not None else None


def _verdict(outcome: Outcome, run: bool) -> str:
    if outcome.allowed:
        return "executed" if run else "checked"
    return "failed" if outcome.error is not None else "refused"
