"""Who may know what.

A memory belongs to a character or to a scope, whose name begins with "@". A character draws on a
shelf of their own and, at each moment, on those of the scopes that a `ScopeResolver` lets them
into. `Readable` holds exactly these shelves and no way to any other, so that whatever ranks
memories cannot bring back one that its owner may not know, whatever it does.

What those present heard is not a scope: each of them gets a memory of their own when it happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave._native import score_words
from astraweave.core.worldview import WorldSnapshot, WorldView
from astraweave.errors import InputError
from astraweave.rag._columns import UNREAD, Columns
from astraweave.rag._shelf import Shelf
from astraweave.rag._terms import WeightedTerm
from astraweave.rag.memory import Memory

__all__ = [
    "AUTHOR",
    "WORLD",
    "Readable",
    "WorldScopes",
    "check_scope",
    "faction_scope",
    "is_scope",
    "town_scope",
]

WORLD = "@world"
"""What everybody knows."""
AUTHOR = "@author"
"""What nobody in the game may know."""
# Of BM25: a longer line of speech holds more that is worth finding, so its length counts against it
# by less than in documents (hit@5 61.3 % against 58.7 with 1.2 and 0.75).
_K1, _B = 0.9, 0.3
_TOWN = "@town:"
_FACTION = "@faction:"


def town_scope(place: str) -> str:
    """The scope of everybody who is in a place, or in a place within it."""
    return _TOWN + place


def faction_scope(faction: str) -> str:
    """The scope of the members of a faction."""
    return _FACTION + faction


def is_scope(owner: str) -> bool:
    """Whether an owner is a scope and no character."""
    return owner.startswith("@")


def check_scope(scope: str) -> None:
    """Refuse what begins like a scope and is none.

    Raises
    ------
    InputError
        Nobody could ever be inside it.
    """
    known = scope in (WORLD, AUTHOR) or (
        scope.startswith((_TOWN, _FACTION)) and not scope.endswith(":")
    )
    if not known:
        raise InputError(
            f"{scope!r} is no scope; say '{WORLD}', '{_TOWN}ID', '{_FACTION}ID' or '{AUTHOR}' "
            "(names of characters do not begin with @)",
            scope=scope,
        )


class WorldScopes:
    """Who is inside a scope by what the game says of the world, as of now.

    A faction's scope admits entities of that faction; a town's, those whose chain of places leads
    there; the world's, everybody; the author's, nobody. Thread-safe.

    Parameters
    ----------
    world : WorldView
        Says where everybody is and belongs.

    Examples
    --------
    >>> from astraweave.core.worldview import Entity
    >>> world = WorldView()
    >>> world.add(
    ...     Entity(id="forge", name="Forge", kind="place", place="ashford"),
    ...     Entity(id="tam", name="Tam", kind="person", place="forge", faction="guild"),
    ... )
    >>> scopes = WorldScopes(world)
    >>> [scopes.may_know("tam", s) for s in ("@town:ashford", "@faction:guild", "@author")]
    [True, True, False]
    """

    def __init__(self, world: WorldView) -> None:
        self._world = world

    def may_know(self, owner: str, scope: str) -> bool:
        """Whether `owner` is inside `scope` now."""
        if scope == WORLD:
            return True
        snapshot = self._world.snapshot()
        entity = snapshot.entities.get(owner)
        if entity is None:
            return False
        if scope.startswith(_FACTION):
            return bool(entity.faction) and entity.faction == scope.removeprefix(_FACTION)
        if scope.startswith(_TOWN):
            return scope.removeprefix(_TOWN) in _places(snapshot, owner)
        return False


def _places(snapshot: WorldSnapshot, owner: str) -> set[str]:
    """Ids of the places around an entity, however the game has nested them."""
    found: set[str] = set()
    entity = snapshot.entities.get(owner)
    while entity is not None and entity.place and entity.place not in found:
        found.add(entity.place)
        entity = snapshot.entities.get(entity.place)
    return found


class Readable:
    """The memories that one character may draw on at one moment, and nothing else.

    All arrays have one number a memory, in one order: the character's own memories first, by
    ascending id, then those of each scope, in the order of their names. To be used at once: the
    next change of the store, or of the world, makes it stale.

    Parameters
    ----------
    owner : str
        Whose it is.
    shelves : sequence of Shelf
        Their own first.
    """

    __slots__ = ("_columns", "_shelves", "_starts", "owner")

    def __init__(self, owner: str, shelves: Sequence[Shelf]) -> None:
        self.owner = owner
        self._shelves = tuple(shelves)
        self._starts = [0]
        for shelf in shelves:
            self._starts.append(self._starts[-1] + len(shelf))
        self._columns: Columns | None = None

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def own(self) -> int:
        """How many are the character's own; they stand first."""
        return self._starts[1] if self._shelves and self._shelves[0].owner == self.owner else 0

    @property
    def starts(self) -> tuple[int, ...]:
        """Where the memories of each shelf begin; the last number is the end of all."""
        return tuple(self._starts)

    @property
    def columns(self) -> Columns:
        """What a ranking asks of every memory, the ids among it."""
        if self._columns is None:
            if len(self._shelves) == 1:
                self._columns = self._shelves[0].columns
            else:
                parts = [shelf.columns for shelf in self._shelves]
                self._columns = Columns._make(
                    np.concatenate(arrays) for arrays in zip(*parts, strict=True)
                )
        return self._columns

    def read_traits(self, places: NDArray[np.int64]) -> None:
        """Have the traits of some memories, and of the line before each, in `columns`."""
        traits = self.columns.traits
        near = np.concatenate((places, places[places > 0] - 1))
        for place in near[traits[near] == UNREAD].tolist():
            shelf, row = self._at(place)
            traits[place] = shelf.traits(row)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Their ids; ascending within the character's own and within each scope."""
        return self.columns.ids

    @property
    def speakers(self) -> frozenset[str]:
        """Everybody who said any of it."""
        return frozenset().union(*(+shelf.speakers for shelf in self._shelves)) - {""}

    def cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """How near each is to a unit vector; NaN where a memory has no vector yet."""
        parts = [shelf.vectors.cosines(vector) for shelf in self._shelves]
        return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0, np.float32)])

    def word_scores(self, terms: Iterable[WeightedTerm]) -> NDArray[np.float32]:
        """BM25 of each over these memories alone; 0 where none of the terms is there.

        Parameters
        ----------
        terms : iterable of (str, float)
            Words in any form (they are folded and stemmed), and keys of `_terms`, with weights.
        """
        shelves = [shelf.words for shelf in self._shelves]
        return score_words(shelves, terms, k1=_K1, b=_B)

    def memory(self, place: int) -> Memory:
        """The memory at a place of the arrays."""
        shelf, row = self._at(place)
        return shelf.memories[row]

    def _at(self, place: int) -> tuple[Shelf, int]:
        """The shelf of a place, and the row there."""
        for start, shelf in zip(self._starts, self._shelves, strict=False):
            if 0 <= place - start < len(shelf):
                return shelf, place - start
        raise IndexError(place)

    def place(self, memory_id: int) -> int | None:
        """Where a memory stands in the arrays; None: it is not among these."""
        for start, shelf in zip(self._starts, self._shelves, strict=False):
            row = shelf.row(memory_id)
            if row < len(shelf) and shelf.ids[row] == memory_id:
                return start + row
        return None

    def vectors(self, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Vectors of the memories at some places, shape ``(len(places), dimensions)``.

        As they are kept; NaN where one has none yet.
        """
        found = np.empty((len(places), self._shelves[0].vectors.dimensions), np.float32)
        for start, shelf in zip(self._starts, self._shelves, strict=False):
            inside = np.flatnonzero((places >= start) & (places < start + len(shelf)))
            found[inside] = shelf.vectors.rows(places[inside] - start)
        return found
