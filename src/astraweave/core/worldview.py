"""What the game tells the runtime about itself.

Guard, dialogue check, entity linking and planners read this and nothing else of the game. The game
pushes changes, or gives its own objects to `WorldView.sync`. Readers on other threads take a
`snapshot`, which never changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from astraweave.errors import InputError

__all__ = ["Entity", "Fact", "ViewChange", "WorldSnapshot", "WorldView"]


class Entity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person, thing or place that has a name.

    Attributes
    ----------
    id : str
        Stable, unique in the world.
    name : str
        As it is spoken.
    kind : str
        ``"person"``, ``"item"``, ``"place"``, ``"faction"``, ``"creature"``, or the game's own.
    aliases : tuple of str
        Other names for it.
    place : str or None
        Id of the place where it is.
    faction : str or None
        Id of its faction.
    """

    id: str
    name: str
    kind: str = "thing"
    aliases: tuple[str, ...] = ()
    place: str | None = None
    faction: str | None = None


class Fact(msgspec.Struct, frozen=True, order=True):
    """Something that is true of the world: ``Fact("tam", "owns", "hammer")``."""

    subject: str
    predicate: str
    object: str


class WorldSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The world at one version; immutable, so that any thread may read it."""

    version: int
    entities: Mapping[str, Entity]
    facts: frozenset[Fact]
    names: Mapping[str, str]
    """Every name and alias, case-folded, to the id of its entity.

    Where several bear one, a name goes before an alias and what was added first before the rest.
    """

    def find(self, name: str) -> Entity | None:
        """The entity that bears this id, name or alias; case does not matter."""
        found = self.entities.get(name)
        if found is None and (key := self.names.get(name.casefold())) is not None:
            found = self.entities.get(key)
        return found

    def about(self, entity_id: str) -> list[Fact]:
        """Facts in which the entity is subject or object, in a stable order."""
        return sorted(f for f in self.facts if entity_id in (f.subject, f.object))


class ViewChange(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a `WorldView`: what is gone goes first, then comes what is new.

    Attributes
    ----------
    version : int
        Of the view, afterwards.
    added : tuple of Entity
        New ones in order, and those that replace others with the same id, in their places.
    removed : tuple of str
        Ids of entities.
    stated, retracted : tuple of Fact
        What has become true, and what is true no longer.
    """

    version: int
    added: tuple[Entity, ...] = ()
    removed: tuple[str, ...] = ()
    stated: tuple[Fact, ...] = ()
    retracted: tuple[Fact, ...] = ()


class WorldView:
    """The live view; the game writes, everybody else reads snapshots. Thread-safe.

    Examples
    --------
    >>> view = WorldView()
    >>> view.add(Entity(id="tam", name="Tam", kind="person", aliases=("the smith",)))
    >>> view.state(Fact("tam", "works at", "forge"))
    >>> view.snapshot().find("The Smith").id
    'tam'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entities: dict[str, Entity] = {}
        self._facts: set[Fact] = set()
        self._version = 0
        self._snapshot: WorldSnapshot | None = None
        self._changes: list[ViewChange] | None = None

    @property
    def version(self) -> int:
        """Grows by one with every change; saying again what is already so is none."""
        return self._version

    def __contains__(self, entity_id: str) -> bool:
        """Whether there is an entity with this id; needs no snapshot."""
        return entity_id in self._entities

    def add(self, *entities: Entity) -> None:
        """Add entities, or replace those with the same id."""
        fresh = _by_id(entities)
        with self._lock:
            new = tuple(each for key, each in fresh.items() if self._entities.get(key) != each)
            if new:
                self._entities.update(fresh)
                self._touch(added=new)

    def remove(self, entity_id: str) -> None:
        """Remove an entity and every fact about it; unknown ids are ignored."""
        with self._lock:
            about = {f for f in self._facts if entity_id in (f.subject, f.object)}
            gone = self._entities.pop(entity_id, None)
            if gone is not None or about:
                self._facts -= about
                removed = () if gone is None else (entity_id,)
                self._touch(removed=removed, retracted=tuple(sorted(about)))

    def state(self, *facts: Fact) -> None:
        """Say that facts are true from now on."""
        with self._lock:
            if new := set(facts) - self._facts:
                self._facts |= new
                self._touch(stated=tuple(sorted(new)))

    def retract(self, *facts: Fact) -> None:
        """Say that facts are no longer true; unknown ones are ignored."""
        with self._lock:
            if gone := self._facts.intersection(facts):
                self._facts -= gone
                self._touch(retracted=tuple(sorted(gone)))

    def sync(self, entities: Iterable[Entity], facts: Iterable[Fact]) -> None:
        """Replace everything in one step: for games that adapt their own objects."""
        fresh, stated = _by_id(entities), set(facts)
        with self._lock:
            if fresh == self._entities and stated == self._facts:
                return
            old, self._entities = self._entities, fresh
            gone, new = self._facts - stated, stated - self._facts
            self._facts = stated
            kept = [key for key in old if key in fresh]
            if kept == list(fresh)[: len(kept)]:  # what stays keeps its place
                removed = [key for key in old if key not in fresh]
                added = [each for key, each in fresh.items() if old.get(key) != each]
            else:
                removed, added = list(old), list(fresh.values())
            self._touch(
                added=tuple(added),
                removed=tuple(removed),
                stated=tuple(sorted(new)),
                retracted=tuple(sorted(gone)),
            )

    def snapshot(self) -> WorldSnapshot:
        """The world as it is now; built once a version, then shared."""
        with self._lock:
            if self._snapshot is None:
                names: dict[str, str] = {}
                for entity in self._entities.values():
                    for alias in entity.aliases:
                        names.setdefault(alias.casefold(), entity.id)
                for entity in reversed(self._entities.values()):  # a name beats any alias
                    names[entity.name.casefold()] = entity.id
                self._snapshot = WorldSnapshot(
                    version=self._version,
                    entities=MappingProxyType(dict(self._entities)),
                    facts=frozenset(self._facts),
                    names=MappingProxyType(names),
                )
            return self._snapshot

    def take_changes(self) -> list[ViewChange]:
        """What has changed since the last call, step by step; nothing is kept before the first."""
        with self._lock:
            taken, self._changes = self._changes, []
            return taken or []

    def restore(self, entities: Iterable[Entity], facts: Iterable[Fact], version: int) -> None:
        """Go back to a saved state, its version included."""
        fresh, stated = _by_id(entities), set(facts)
        with self._lock:
            self._entities, self._facts = fresh, stated
            self._version = version
            self._snapshot = None
            self._changes = None if self._changes is None else []

    def _touch(
        self,
        *,
        added: tuple[Entity, ...] = (),
        removed: tuple[str, ...] = (),
        stated: tuple[Fact, ...] = (),
        retracted: tuple[Fact, ...] = (),
    ) -> None:
        self._version += 1
        self._snapshot = None
        if self._changes is not None:
            self._changes.append(
                ViewChange(
                    version=self._version,
                    added=added,
                    removed=removed,
                    stated=stated,
                    retracted=retracted,
                )
            )


def _by_id(entities: Iterable[Entity]) -> dict[str, Entity]:
    fresh: dict[str, Entity] = {}
    for entity in entities:
        if not entity.id or not entity.name.strip():
            raise InputError(f"an entity needs an id and a name: {entity!r}", entity=entity)
        fresh[entity.id] = entity
    return fresh
