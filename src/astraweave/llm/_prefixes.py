"""Token sequences by their beginnings: who else starts as this prompt does.

A radix tree: each node stands for the tokens on the way from the root to it, and holds whoever ends
there. Whoever lies anywhere below a point shares all tokens up to it, so the longest common
beginning with anybody is as far as one can walk down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from astraweave.kernels.batch import common_length

__all__ = ["PrefixTree"]

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("branches", "depth", "edge", "holders", "parent")

    def __init__(self, edge: list[int], parent: _Node[T] | None) -> None:
        self.edge = edge
        self.parent = parent
        self.depth: int = len(edge) + (parent.depth if parent is not None else 0)
        self.branches: dict[int, _Node[T]] = {}
        self.holders: list[T] = []

    def below(self) -> Iterator[T]:
        """Everybody here and further down."""
        nodes = [self]
        while nodes:
            node = nodes.pop()
            yield from node.holders
            nodes.extend(node.branches.values())


class PrefixTree(Generic[T]):
    """Holders (any objects, told apart by identity) by token sequences. Used by one thread.

    Examples
    --------
    >>> tree = PrefixTree[str]()
    >>> tree.add([1, 2, 3, 4], "tam")
    >>> tree.match([1, 2, 3, 9])
    (3, ['tam'])
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node([], None)
        self._at: dict[int, _Node[T]] = {}

    def __len__(self) -> int:
        return len(self._at)

    def add(self, tokens: Sequence[int], holder: T) -> None:
        """Note that `holder` has these tokens; one holder stands at one place."""
        node, depth = self._walk(tokens)
        if depth < node.depth:
            node = _split(node, depth)
        if depth < len(tokens):
            leaf: _Node[T] = _Node(list(tokens[depth:]), node)
            node.branches[tokens[depth]] = leaf
            node = leaf
        node.holders.append(holder)
        self._at[id(holder)] = node

    def remove(self, holder: T) -> None:
        """Forget a holder; nothing where it is not here."""
        node = self._at.pop(id(holder), None)
        if node is not None:
            node.holders = [other for other in node.holders if other is not holder]
            _tidy(node)

    def match(self, tokens: Sequence[int]) -> tuple[int, list[T]]:
        """The longest beginning that anybody shares with `tokens`, and all who share it."""
        node, depth = self._walk(tokens)
        return depth, list(node.below())

    def inside(self, tokens: Sequence[int]) -> list[T]:
        """All whose own tokens are a beginning of `tokens`, or all of them."""
        node, depth = self._walk(tokens)
        found: list[T] = []
        at: _Node[T] | None = node if depth == node.depth else node.parent
        while at is not None:
            found += at.holders
            at = at.parent
        return found

    def _walk(self, tokens: Sequence[int]) -> tuple[_Node[T], int]:
        """The last node that shares something new, and the tokens shared: it may have more."""
        node = self._root
        while node.depth < len(tokens):
            child = node.branches.get(tokens[node.depth])
            if child is None:
                break
            ahead = list(tokens[node.depth : child.depth])
            common = common_length(child.edge, ahead)
            if common < len(child.edge):
                return child, node.depth + common
            node = child
        return node, node.depth


def _split(node: _Node[T], depth: int) -> _Node[T]:
    """Cut the edge that leads to `node` at a depth; the new node there."""
    parent = node.parent
    assert parent is not None, "the root has no edge"
    cut = depth - parent.depth
    upper: _Node[T] = _Node(node.edge[:cut], parent)
    parent.branches[upper.edge[0]] = upper
    node.edge, node.parent = node.edge[cut:], upper
    upper.branches[node.edge[0]] = node
    return upper


def _tidy(node: _Node[T]) -> None:
    """Drop what leads to nobody, and join an edge that no longer forks."""
    while node.parent is not None and not node.holders and not node.branches:
        del node.parent.branches[node.edge[0]]
        node = node.parent
    if node.parent is not None and not node.holders and len(node.branches) == 1:
        (child,) = node.branches.values()
        child.edge, child.parent = node.edge + child.edge, node.parent
        node.parent.branches[child.edge[0]] = child
