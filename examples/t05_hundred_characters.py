"""Lesson 5: a hundred characters think at once, and the frame does not notice.

Within one second each of them asks for a line; guards before all others, idle thoughts last. Runs
with the default model; with `--script`, or where there is none, with one that only pretends.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field

import esper

import astraweave as aw
from astraweave import ecs
from astraweave.llm import PRIORITIES, GenerationRequest, Message, Priority, ScriptedModel

PEOPLE = 100
ARRIVE_S = 1.0
FRAME_S = 1 / 60
RULES = Message(
    "system",
    "You are one of the people of Grimhold, a village between the marsh and the king's road. The "
    "mill burned down in the spring. At night there is a light in the old watchtower, and wolves "
    "came down from the hills twice this winter. Answer in one short sentence, as you would talk.",
)
TRADES = ("ferryman", "baker", "reeve", "shepherd", "weaver", "smith", "fisher", "potter")
QUESTIONS = ("What did you see at the watchtower?", "Who set fire to the mill?", "Any wolves?")


@dataclass
class Villager:
    """The game's own component: who it is, and when what happened."""

    trade: str
    question: str
    priority: Priority
    asks_at: float
    asked: float = 0.0
    spoke: float = 0.0
    ended: float = 0.0


@dataclass
class Town(esper.Processor):
    """The game's own system: lets the villagers ask, and notes when they are answered."""

    start: float = 0.0
    open: int = PEOPLE

    def process(self) -> None:
        """One frame."""
        now = time.perf_counter()
        for entity, (who, thought) in esper.get_components(Villager, ecs.CThought):
            if not who.asked and now >= self.start + who.asks_at:
                who.asked = now
                thought.request = question(entity, who)
            if who.asked and not who.spoke and thought.new_text:
                who.spoke = now
            if thought.error is not None:
                raise thought.error
            if thought.ticket is not None and not thought.thinking and not who.ended:
                who.spoke = who.spoke or now
                who.ended = now
                self.open -= 1


@dataclass
class Frames:
    """What the frames cost that astraweave's part of them took."""

    seconds: list[float] = field(default_factory=list)

    def run(self, world: aw.World) -> None:
        """One frame of a 60 Hz loop."""
        start = time.perf_counter()
        world.tick(budget_us=500)  # delivers what is ready, never waits
        esper.process()
        took = time.perf_counter() - start
        self.seconds.append(took)
        time.sleep(max(0.0, FRAME_S - took))


def question(entity: int, who: Villager) -> GenerationRequest:
    """What a villager asks itself. The rules stand first, so they are computed once for all."""
    return GenerationRequest(
        messages=(RULES, Message("user", f"{who.trade} number {entity}: {who.question}")),
        max_tokens=25,
        owner=f"villager{entity}",
        priority=who.priority,
    )


def urgency(number: int) -> Priority:
    """Of each twenty: a guard, three whom the player looks at, ten, four, and two who idle."""
    shares = (1, 3, 10, 4, 2)
    return [each for each, share in zip(PRIORITIES, shares, strict=True) for _ in range(share)][
        number * 7 % 20
    ]


def open_world(folder: str, scripted: bool) -> tuple[aw.World, ScriptedModel | None]:
    """A world with the default model, or with one that pretends."""
    world = None if scripted else aw.World.open(folder)
    if world is not None and world.scheduler is not None:
        return world, None
    if world is not None:
        world.close()
        print("no language model is here (astraweave doctor says why): one that pretends answers")
    script = ScriptedModel(
        lambda request: "I saw a light there, and I kept away.", delay=0.01, slots=8
    )
    return aw.World.open(folder, model=script), script


def report(villagers: list[Villager], frames: list[float], start: float) -> None:
    """Who was answered when, and what the frames paid."""
    print(f"{'priority':<12}{'asked':>6}{'first word, median':>21}{'slowest':>10}{'all done':>11}")
    for priority in PRIORITIES:
        some = [who for who in villagers if who.priority == priority]
        waits = [who.spoke - who.asked for who in some]
        done = max(who.ended for who in some) - start
        row = f"{statistics.median(waits):>19.2f} s{max(waits):>8.2f} s{done:>9.2f} s"
        print(f"{priority:<12}{len(some):>6}{row}")
    p99 = statistics.quantiles(frames, n=100)[-1]
    print(
        f"{len(villagers)} answered in {max(who.ended for who in villagers) - start:.1f} s. "
        f"{len(frames)} frames paid {statistics.median(frames) * 1e3:.2f} ms each, "
        f"{p99 * 1e3:.2f} ms at p99, of {FRAME_S * 1e3:.1f}."
    )


def main(scripted: bool) -> None:
    """A hundred questions within a second, and frames until all are answered."""
    with tempfile.TemporaryDirectory() as folder:
        world, script = open_world(folder, scripted)
        with world:
            assert world.scheduler is not None
            villagers, frames, town = [], Frames(), Town()
            for number in range(PEOPLE):
                who = Villager(
                    trade=TRADES[number % len(TRADES)],
                    question=QUESTIONS[number % len(QUESTIONS)],
                    priority=urgency(number),
                    asks_at=ARRIVE_S * number / PEOPLE,
                )
                villagers.append(who)
                esper.create_entity(who, ecs.CThought())
            esper.add_processor(ecs.thought_processor(world.scheduler), priority=1)
            esper.add_processor(town)
            town.start = time.perf_counter()
            while town.open:
                frames.run(world)
            report(villagers, frames.seconds, town.start)
            for _, (who, thought) in esper.get_components(Villager, ecs.CThought)[:3]:
                print(f"{who.trade}: {thought.text.strip()}")
            esper.clear_database()
        if script is not None:
            script.close()


if __name__ == "__main__":
    main("--script" in sys.argv[1:])
