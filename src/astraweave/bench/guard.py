"""What the guard costs: what is legal now, one call, one line in, one line out."""

from __future__ import annotations

from itertools import count, cycle
from typing import Annotated, Any

from astraweave.bench.case import Case, Pair, case
from astraweave.core.text import sanitize
from astraweave.core.worldview import Entity, Fact, WorldSnapshot, WorldView
from astraweave.guard import (
    ActionContext,
    ActionRegistry,
    Between,
    Effect,
    EntityRef,
    OutputGuard,
    Requires,
    Text,
    ToolGuard,
    injection_report,
)

__all__ = ["CASES"]

ACTIONS = 50
ENTITIES = 200

Item = Annotated[str, EntityRef("item")]
Person = Annotated[str, EntityRef("person")]


def _here(world: WorldSnapshot, actor: str, to: str) -> bool:
    return world.entities[to].place == world.entities[actor].place


def _held(world: WorldSnapshot, actor: str, item: str) -> bool:
    return Fact(actor, "holds", item) in world.facts


def town() -> ToolGuard:
    """Fifty actions of four kinds over two hundred entities."""
    world = WorldView()
    world.add(
        *(
            Entity(
                id=f"e{n}", name=f"Entity {n}", kind=("person", "item")[n % 2], place=f"p{n % 7}"
            )
            for n in range(ENTITIES)
        )
    )
    world.state(*(Fact("e0", "holds", f"e{n}") for n in range(1, ENTITIES, 8)))
    registry = ActionRegistry(idle="")
    near = Requires("near", "{to} is not here.", _here)
    held = Requires("held", "You do not hold {item}.", _held)

    def give(context: ActionContext, item: Item, to: Person) -> None: ...
    def take(context: ActionContext, to: Item) -> None: ...
    def tell(
        context: ActionContext, to: Person, text: Annotated[str, Text(max_chars=120)]
    ) -> None: ...
    def pay(context: ActionContext, to: Person, coins: Annotated[int, Between(1, 20)]) -> None: ...

    forms: list[tuple[Any, tuple[Requires, ...]]] = [
        (give, (held, near)),
        (take, (near,)),
        (tell, (near,)),
        (pay, (near,)),
    ]
    for number, (form, rules) in zip(range(ACTIONS), cycle(forms), strict=False):
        registry.action(effect=Effect.CHANGE, name=f"{form.__name__}_{number}", requires=rules)(
            form
        )
    return ToolGuard(registry, world)


@case("guard.compile", unit="us")
def compile_actions() -> Pair:
    """The schema of what is legal now, after the world has changed."""
    guard = town()
    days = count()

    def compiled() -> object:
        guard.world.state(Fact("e0", "day", str(next(days) % 3)))
        guard.world.retract(Fact("e0", "day", str(next(days) % 3)))
        return guard.legal("e0").schema()

    return Pair(ours=compiled)


@case("guard.compile_again", unit="us")
def compile_again() -> Pair:
    """The same while the world stands still."""
    guard = town()
    return Pair(ours=lambda: guard.legal("e0").schema())


@case("guard.check", unit="us")
def check_call() -> Pair:
    """One call from JSON text to a verdict, its line in the audit log included."""
    guard = town()
    call = '{"action": "give_0", "item": "e1", "to": "e14"}'
    return Pair(
        ours=lambda: guard.check(call, actor="e0"),
        quality={"allowed": float(guard.check(call, actor="e0").allowed)},
    )


@case("guard.sanitize", unit="us")
def sanitize_line() -> Pair:
    """A player's line that was never cleaned before."""
    days = count()
    return Pair(ours=lambda: sanitize(f"Do you still have my hammer, after {next(days)} days?"))


@case("guard.injection", unit="us")
def score_line() -> Pair:
    """How likely a player's line is an injection."""
    days = count()
    return Pair(
        ours=lambda: injection_report(f"Do you still have my hammer, after {next(days)} days?")
    )


@case("guard.output", unit="us")
def check_line() -> Pair:
    """One clause of a character, with a card of sixty words and a list of fifty."""
    guard = OutputGuard(
        card="You are Tam, the smith of Oakford, gruff and kind and proud of the forge. " * 4,
        words=[f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(50)],
        names=["Mira", "Brandt"],
    )
    days = count()
    return Pair(ours=lambda: guard.check(f"The gate took me {next(days)} days, and it holds."))


CASES: tuple[Case, ...] = (
    compile_actions,
    compile_again,
    check_call,
    sanitize_line,
    score_line,
    check_line,
)
