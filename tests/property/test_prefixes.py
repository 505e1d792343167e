"""The prefix tree against a plain list of everybody's tokens."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from astraweave.llm._prefixes import PrefixTree

sequences = st.lists(st.integers(0, 2), max_size=8)


class Holder:
    """Told apart by identity."""


def common(a: list[int], b: list[int]) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


class PrefixMachine(RuleBasedStateMachine):
    holders = Bundle("holders")

    def __init__(self) -> None:
        super().__init__()
        self.tree: PrefixTree[Holder] = PrefixTree()
        self.plain: dict[Holder, list[int]] = {}

    @rule(target=holders, tokens=sequences)
    def add(self, tokens: list[int]) -> Holder:
        holder = Holder()
        self.tree.add(tokens, holder)
        self.plain[holder] = tokens
        return holder

    @rule(holder=consumes(holders))
    def remove(self, holder: Holder) -> None:
        self.tree.remove(holder)
        self.tree.remove(holder)
        del self.plain[holder]

    @rule(tokens=sequences, fixed=st.booleans())
    def match(self, tokens: list[int], fixed: bool) -> None:
        depth, found = self.tree.match(tuple(tokens) if fixed else tokens)
        longest = max((common(known, tokens) for known in self.plain.values()), default=0)
        assert depth == longest
        assert set(found) == {
            h for h, known in self.plain.items() if common(known, tokens) == depth
        }
        assert len(found) == len(set(found))

    @rule(tokens=sequences)
    def inside(self, tokens: list[int]) -> None:
        found = self.tree.inside(tokens)
        wanted = {h for h, known in self.plain.items() if known == tokens[: len(known)]}
        assert set(found) == wanted
        assert len(found) == len(wanted)

    @invariant()
    def no_node_is_superfluous(self) -> None:
        assert len(self.tree) == len(self.plain)
        nodes = list(self.tree._root.branches.values())
        while nodes:
            node = nodes.pop()
            assert node.edge
            assert node.holders or len(node.branches) > 1
            assert node.parent is not None
            assert node.depth == node.parent.depth + len(node.edge)
            assert node.parent.branches[node.edge[0]] is node
            nodes.extend(node.branches.values())


PrefixMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_the_tree_knows_who_shares_what = PrefixMachine.TestCase
