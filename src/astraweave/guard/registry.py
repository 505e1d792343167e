"""All that characters of a game can do."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from astraweave.errors import ConfigError
from astraweave.guard.actions import Action, action_of_function, action_of_struct
from astraweave.guard.trust import Effect

__all__ = ["ActionRegistry"]

_Thing = TypeVar("_Thing", bound=Callable[..., Any])


class ActionRegistry:
    """Actions by name. Thread-safe; two registries never meet.

    Parameters
    ----------
    idle : str
        Name of the action that does nothing and is always legal, so that there is always something
        to choose; empty: none.

    Examples
    --------
    >>> from typing import Annotated
    >>> from astraweave.guard import ActionContext, EntityRef
    >>> registry = ActionRegistry()
    >>> @registry.action(effect=Effect.CHANGE)
    ... def take(context: ActionContext, item: Annotated[str, EntityRef("item")]) -> None:
    ...     "Pick something up."
    >>> [action.name for action in registry]
    ['wait', 'take']
    """

    def __init__(self, *, idle: str = "wait") -> None:
        self._lock = threading.Lock()
        self._actions: Mapping[str, Action] = MappingProxyType({})
        self.idle = idle
        if idle:
            self.add(Action(name=idle, description="Do nothing now.", slots=(), effect=Effect.READ))

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def __contains__(self, name: object) -> bool:
        return name in self._actions

    def get(self, name: str) -> Action | None:
        """The action of this name."""
        return self._actions.get(name)

    @property
    def actions(self) -> Mapping[str, Action]:
        """All of them, as they are now; a later `add` makes another mapping."""
        return self._actions

    def add(self, action: Action) -> None:
        """Add an action.

        Raises
        ------
        ConfigError
            One of this name is there.
        """
        with self._lock:
            if action.name in self._actions:
                raise ConfigError(f"there is an action {action.name!r} already")
            self._actions = MappingProxyType({**self._actions, action.name: action})

    def action(
        self,
        *,
        effect: Effect,
        name: str = "",
        run: Callable[..., Any] | None = None,
        **rules: Any,
    ) -> Callable[[_Thing], _Thing]:
        """Make a function, or a `msgspec.Struct`, an action.

        Parameters
        ----------
        effect : Effect
            What it does to the world.
        name : str
            What it is called; empty: the function's name, or the struct's in snake case.
        run : callable or None
            For a struct: ``run(context, instance)``.
        **rules
            `Action`'s ``requires``, ``actors``, ``origins``, ``cooldowns``, ``budgets``,
            ``charge``, ``description``.

        Raises
        ------
        ConfigError
            An argument has no type, or one that no grammar can hold; a rule speaks of an argument
            that is not there.
        """

        def decorate(thing: _Thing) -> _Thing:
            try:
                if isinstance(thing, type) and issubclass(thing, msgspec.Struct):
                    called = name or re.sub(r"(?<!^)(?=[A-Z])", "_", thing.__name__).lower()
                    self.add(action_of_struct(thing, called, run, effect=effect, **rules))
                else:
                    called = name or thing.__name__
                    self.add(action_of_function(thing, called, effect=effect, **rules))
            except TypeError as error:
                raise ConfigError(f"an action has no such rule: {error}") from error
            return thing

        return decorate
