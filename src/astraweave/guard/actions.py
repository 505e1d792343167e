"""What an action is: its arguments, and every rule that may refuse it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_type_hints

import msgspec

from astraweave.core.worldview import Fact, WorldSnapshot, WorldView
from astraweave.errors import ConfigError
from astraweave.guard.slots import ListSlot, NumberSlot, Slot, read_slot
from astraweave.guard.trust import Effect, Origin

__all__ = ["Action", "ActionContext", "Actors", "Budget", "Cooldown", "Requires"]

RESERVED = "action"
"""Under this key a call names its action, so no argument may be called so."""


class ActionContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an action's function is told besides its arguments.

    Attributes
    ----------
    world : WorldView
        The live world; the function may change it.
    actor : str
        Id of who acts.
    origin : Origin
        Whose wish it goes back to.
    now : float
        Game time in seconds.
    """

    world: WorldView
    actor: str
    origin: Origin
    now: float


class Requires:
    """A precondition over the live world. Immutable.

    Parameters
    ----------
    name : str
        For the audit log.
    sentence : str
        What a refusal says; ``{argument}`` is filled in.
    holds : callable
        ``holds(world, actor, ...)``, where the further parameters are arguments of the action, by
        name. It must depend on nothing else: what it says is kept for one version of the world. An
        argument that is a list is asked item by item; one that is ``None`` is not asked about.
    remedy : str
        What would make it hold.

    Examples
    --------
    >>> near = Requires(
    ...     "near",
    ...     "{to} is not here.",
    ...     lambda world, actor, to: world.entities[to].place == world.entities[actor].place,
    ...     remedy="Go there first.",
    ... )
    >>> near.needs
    ('to',)
    """

    __slots__ = ("holds", "name", "needs", "remedy", "sentence")

    def __init__(
        self, name: str, sentence: str, holds: Callable[..., bool], *, remedy: str = ""
    ) -> None:
        try:
            parameters = [*inspect.signature(holds).parameters.values()]
        except (TypeError, ValueError):
            parameters = []
        positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
        if len(parameters) < 2 or any(each.kind not in positional for each in parameters):
            raise ConfigError(
                f"the precondition {name!r} must be callable as holds(world, actor, argument, ...)"
            )
        self.name = name
        self.sentence = sentence
        self.holds = holds
        self.remedy = remedy
        self.needs = tuple(each.name for each in parameters[2:])


class Actors(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do it: whoever one of these names; all three empty: everybody."""

    ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def admit(self, world: WorldSnapshot, actor: str) -> bool:
        """Whether this actor may."""
        if not (self.ids or self.kinds or self.tags):
            return True
        entity = world.entities.get(actor)
        return (
            actor in self.ids
            or (entity is not None and entity.kind in self.kinds)
            or any(Fact(actor, "is", tag) in world.facts for tag in self.tags)
        )


class Cooldown(msgspec.Struct, frozen=True, kw_only=True):
    """How long it rests after it was done.

    Attributes
    ----------
    seconds : float
        Game time.
    scope : str
        ``"actor"``: each actor for itself; ``"world"``: all together.
    """

    seconds: float
    scope: Literal["actor", "world"] = "actor"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How often, or how much of a number argument, within some time.

    Attributes
    ----------
    limit : float
        So many calls, or so much of `amount` in all.
    seconds : float
        Of game time.
    amount : str
        Name of a number argument; empty: calls are counted.
    scope : str
        ``"actor"``: each actor for itself; ``"world"``: all together.
    """

    limit: float
    seconds: float
    amount: str = ""
    scope: Literal["actor", "world"] = "actor"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a character can do; see `ActionRegistry.action`.

    Attributes
    ----------
    name, description : str
        What it is called, and what it does.
    slots : tuple of Slot
        Its arguments.
    effect : Effect
        What it does to the world.
    requires : tuple of Requires
        Preconditions, asked in this order.
    actors : Actors
        Who may do it.
    origins : frozenset of Origin or None
        On whose wish, whatever the trust policy says; None: what the policy says.
    cooldowns, budgets : tuple
        How often.
    charge : str
        ``"success"``: an exception gives cooldown and budget back; ``"attempt"``: it does not.
    run : callable or None
        ``run(context, **arguments)``; None: the checked arguments are the result.
    struct : type or None
        The `msgspec.Struct` that it was made from; `run` then gets one instance.
    """

    name: str
    description: str
    slots: tuple[Slot, ...]
    effect: Effect
    requires: tuple[Requires, ...] = ()
    actors: Actors = Actors()
    origins: frozenset[Origin] | None = None
    cooldowns: tuple[Cooldown, ...] = ()
    budgets: tuple[Budget, ...] = ()
    charge: Literal["success", "attempt"] = "success"
    run: Callable[..., Any] | None = None
    struct: type[msgspec.Struct] | None = None

    def __post_init__(self) -> None:
        """Refuse rules that speak of what is not there."""
        names = {slot.name for slot in self.slots}
        if not self.name.isidentifier():
            raise ConfigError(f"an action must be named like a function, not {self.name!r}")
        if RESERVED in names:
            raise ConfigError(f"{self.name}: no argument may be called {RESERVED!r}")
        for rule in self.requires:
            if unknown := set(rule.needs) - names:
                raise ConfigError(
                    f"{self.name}: the precondition {rule.name!r} asks for the arguments"
                    f" {sorted(unknown)}, which the action does not have"
                )
            _check_sentence(self.name, rule, names)
        for budget in self.budgets:
            kind = self.slot(budget.amount).kind if budget.amount in names else None
            if budget.amount and not isinstance(kind, NumberSlot):
                raise ConfigError(
                    f"{self.name}: a budget counts {budget.amount!r}, which is no number argument"
                )
            if budget.limit < 0 or budget.seconds <= 0:
                raise ConfigError(f"{self.name}: a budget needs a limit >= 0 and seconds > 0")
        if any(cooldown.seconds <= 0 for cooldown in self.cooldowns):
            raise ConfigError(f"{self.name}: a cooldown needs seconds > 0")

    def slot(self, name: str) -> Slot:
        """The slot of this name."""
        return next(slot for slot in self.slots if slot.name == name)

    def permits(self, world: WorldSnapshot, actor: str) -> bool:
        """Whether this actor may ever do it."""
        return self.actors.admit(world, actor)

    def asked(self, rule: Requires, arguments: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The tuples of arguments about which a precondition is to be asked."""
        rows: list[tuple[Any, ...]] = [()]
        for name in rule.needs:
            value = arguments[name]
            if value is None:
                return []
            several = isinstance(self.slot(name).kind, ListSlot)
            rows = [(*row, item) for row in rows for item in (value if several else (value,))]
        return rows


def _check_sentence(action: str, rule: Requires, names: set[str]) -> None:
    try:
        rule.sentence.format_map(dict.fromkeys((*names, "actor"), ""))
        rule.remedy.format_map(dict.fromkeys((*names, "actor"), ""))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"{action}: the sentence of {rule.name!r} has a place for {error}, which is no argument"
        ) from None


def action_of_function(function: Callable[..., Any], name: str, **rules: Any) -> Action:
    """An action whose arguments are a function's parameters after the first."""
    where = f"the action {name!r}"
    hints = get_type_hints(function, include_extras=True)
    parameters = [*inspect.signature(function).parameters.values()]
    if not parameters:
        raise ConfigError(f"{where} must take the context as its first parameter")
    slots = []
    for each in parameters[1:]:
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            raise ConfigError(f"{where}: *args and **kwargs cannot be checked")
        if each.name not in hints:
            raise ConfigError(f"{where}: the argument {each.name!r} has no type")
        required = each.default is each.empty
        default = None if required else each.default
        slots.append(
            read_slot(each.name, hints[each.name], where, required=required, default=default)
        )
    described = rules.pop("description", "") or _first_line(function)
    return Action(name=name, description=described, slots=tuple(slots), run=function, **rules)


def action_of_struct(
    struct: type[msgspec.Struct], name: str, run: Callable[..., Any] | None, **rules: Any
) -> Action:
    """An action whose arguments are a struct's fields."""
    where = f"the action {name!r}"
    hints = get_type_hints(struct, include_extras=True)
    slots = []
    for field in msgspec.structs.fields(struct):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        slots.append(
            read_slot(
                field.name,
                hints[field.name],
                where,
                required=field.required,
                default=None if default is msgspec.NODEFAULT else default,
            )
        )
    described = rules.pop("description", "") or _first_line(struct)
    return Action(
        name=name, description=described, slots=tuple(slots), run=run, struct=struct, **rules
    )


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0].strip()
