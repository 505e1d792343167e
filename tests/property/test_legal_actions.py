"""What the grammar of actions admits, the guard allows: in any world, whatever is drawn."""

from __future__ import annotations

import random
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.clock import ManualClock
from astraweave.core.worldview import Entity, Fact, WorldSnapshot, WorldView
from astraweave.guard import (
    ActionContext,
    ActionRegistry,
    Actors,
    Between,
    Budget,
    Cooldown,
    Effect,
    EntityRef,
    Items,
    Outcome,
    Requires,
    Text,
    ToolGuard,
)
from astraweave.llm.protocol import ToolCall

llguidance = pytest.importorskip("llguidance")

Person = Annotated[str, EntityRef("person")]
Item = Annotated[str, EntityRef("item")]
PLACES = ("forge", "inn", 'the "old" well')
GENERATED = 1000


def holds(world: WorldSnapshot, actor: str, item: str) -> bool:
    return Fact(actor, "holds", item) in world.facts


def here(world: WorldSnapshot, actor: str, to: str) -> bool:
    return to != actor and world.entities[to].place == world.entities[actor].place


def friends(world: WorldSnapshot, actor: str, one: str, other: str) -> bool:
    return one != other and Fact(one, "likes", other) in world.facts


def affordable(world: WorldSnapshot, actor: str, item: str, coins: int) -> bool:
    return coins >= len(item) % 5


def purse(world: WorldSnapshot, actor: str) -> float:
    return len(world.about(actor))


def registry() -> ActionRegistry:
    made = ActionRegistry()
    near, held = Requires("near", "{to} is away.", here), Requires("held", "No {item}.", holds)

    @made.action(effect=Effect.CHANGE, requires=(held, near))
    def give(context: ActionContext, item: Item, to: Person) -> None:
        context.world.retract(Fact(context.actor, "holds", item))
        context.world.state(Fact(to, "holds", item))

    @made.action(effect=Effect.CHANGE, budgets=(Budget(limit=9, seconds=5, amount="coins"),),
                 requires=(Requires("price", "Too little.", affordable),))  # fmt: skip
    def buy(
        context: ActionContext, item: Item, coins: Annotated[int, Between(0, purse)],
        note: Annotated[str, Text(max_chars=12)] | None = None,
    ) -> None:  # fmt: skip
        context.world.state(Fact(context.actor, "holds", item))

    @made.action(effect=Effect.SPEAK, requires=(Requires("friends", "Strangers.", friends),))
    def introduce(context: ActionContext, one: Person, other: Person, loud: bool) -> None:
        context.world.state(Fact(other, "likes", one))

    @made.action(effect=Effect.MOVE, cooldowns=(Cooldown(seconds=3),))
    def walk(
        context: ActionContext, to: Annotated[str, EntityRef("place")],
        speed: Annotated[float, Between(0.5, 2.0)] = 1.0,
    ) -> None:  # fmt: skip
        entity = context.world.snapshot().entities[context.actor]
        context.world.add(Entity(id=entity.id, name=entity.name, kind="person", place=to))

    @made.action(effect=Effect.SPEAK, actors=Actors(tags=("bard",)))
    def sing(
        context: ActionContext, to: Annotated[list[Person], Items(1, 3)],
        song: Literal["ballad", 'the "other" one'], verses: Annotated[int, Between(1, 3)] = 2,
    ) -> None: ...  # fmt: skip

    return made


def random_world(rng: random.Random) -> tuple[WorldView, list[str]]:
    view = WorldView()
    people = [f"p{number}\u00e9" for number in range(rng.randint(1, 5))]
    items = [f"item-{'x' * number}" for number in range(rng.randint(0, 6))]
    view.add(*(Entity(id=place, name=place, kind="place") for place in PLACES))
    view.add(*(Entity(id=one, name=one, kind="person", place=rng.choice(PLACES)) for one in people))
    view.add(*(Entity(id=item, name=item, kind="item") for item in items))
    for one in people:
        view.state(*(Fact(one, "holds", item) for item in items if rng.random() < 0.3))
        view.state(*(Fact(one, "likes", other) for other in people if rng.random() < 0.4))
        if rng.random() < 0.5:
            view.state(Fact(one, "is", "bard"))
    return view, people


class Writer:
    """A model that knows nothing: any byte that the grammar admits, by chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._tokenizer = llguidance.LLTokenizer("byte")

    def write(self, grammar: str, most: int = 600) -> str:
        matcher = llguidance.LLMatcher(self._tokenizer, grammar)
        assert not matcher.is_error(), matcher.get_error()
        written = bytearray()
        for _ in range(most):
            bias = matcher.compute_logit_bias()
            allowed = [token for token, weight in enumerate(bias) if weight]
            ends = [token for token in allowed if token >= 256]
            if ends and (len(ends) == len(allowed) or self._rng.random() < 0.5):
                return written.decode()
            token = self._rng.choice([token for token in allowed if token < 256])
            written.append(token)
            assert matcher.consume_token(token)
            if matcher.is_stopped():
                return written.decode()
        return ""  # a number with endless decimals


@pytest.mark.parametrize("form", ["schema", "lark"])
def test_a_thousand_generated_actions_are_legal(form: str) -> None:
    rng = random.Random(7)
    writer = Writer(rng)
    done: dict[str, int] = {}
    while sum(done.values()) < GENERATED // 2:
        view, people = random_world(rng)
        clock = ManualClock()
        guard = ToolGuard(registry(), view, clock=clock)
        for _ in range(6):
            actor = rng.choice(people)
            legal = guard.legal(actor)
            assert legal.exact
            grammar = legal.lark().grammar
            if form == "schema":
                grammar = llguidance.LLMatcher.grammar_from_json_schema(legal.schema())
            text = writer.write(grammar)
            if not text:
                continue
            outcome = guard.execute(text, actor=actor)
            assert outcome.allowed, (text, outcome)
            done[outcome.action] = done.get(outcome.action, 0) + 1
            clock.advance(rng.random())
    assert set(done) == {"wait", "give", "buy", "introduce", "walk", "sing"}


def test_a_generated_plan_stops_where_the_world_no_longer_fits() -> None:
    rng = random.Random(8)
    writer = Writer(rng)
    ended = refused = 0
    for _ in range(60):
        view, people = random_world(rng)
        guard = ToolGuard(registry(), view)
        schema = guard.legal(people[0]).plan_schema(most=4)
        text = writer.write(llguidance.LLMatcher.grammar_from_json_schema(schema), 2000)
        if not text:
            continue
        plan = guard.plan(text, actor=people[0])
        outcomes = plan.run()
        assert all(outcome.allowed for outcome in outcomes[:-1])
        assert outcomes[0].allowed
        ended += outcomes[-1].allowed
        refused += not outcomes[-1].allowed
    assert ended
    assert refused


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["give", "walk", "item-", "item-x", "p0\u00e9", "forge"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)  # fmt: skip
names = st.sampled_from(["action", "item", "to", "coins", "note", "one", "other", "speed", "song"])


@given(
    st.one_of(
        st.text(),
        st.binary(),
        json_values,
        st.dictionaries(names, json_values),
        st.builds(ToolCall, name=st.text(max_size=5), arguments=st.text()),
    )
)
def test_whatever_comes_there_is_a_verdict(call: Any) -> None:
    view, people = random_world(random.Random(3))
    guard = ToolGuard(registry(), view)
    before = view.version
    outcome = guard.execute(call, actor=people[0])
    assert isinstance(outcome, Outcome)
    assert outcome.allowed == (outcome.refusal is None)
    if not outcome.allowed:
        assert view.version == before
    assert len(guard.audit) == 1
    assert guard.audit.to_jsonl()
