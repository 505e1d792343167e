"""Lesson 5: a hundred characters think at once, and the frame does not notice.

Runs with the default model; with `--script` with one that only pretends, which takes a second.
"""

import sys
import tempfile
import time

import esper

import astraweave as aw
from astraweave import ecs
from astraweave.llm import GenerationRequest, Message, ScriptedModel

PEOPLE = 100
RULES = Message("system", "You live in the village of Grimhold. Answer in one short sentence.")


def question(number: int) -> GenerationRequest:
    """What one of them asks itself; the guards' thoughts go before everybody else's."""
    return GenerationRequest(
        messages=(RULES, Message("user", f"You are villager {number}. What do you do now?")),
        max_tokens=25,
        owner=f"villager{number}",
        priority="critical" if number % 20 == 0 else "low",
    )


def main(scripted: bool) -> None:
    """Ask a hundred questions in one frame, then run frames until all are answered."""
    model = ScriptedModel(["I sweep the yard."], delay=0.01, slots=8) if scripted else None
    with tempfile.TemporaryDirectory() as folder, aw.World.open(folder, model=model) as world:
        if world.scheduler is None:
            sys.exit("there is no language model: see world.notices, or try --script")
        esper.add_processor(ecs.thought_processor(world.scheduler))
        thoughts = [ecs.CThought(request=question(number)) for number in range(PEOPLE)]
        for thought in thoughts:
            esper.create_entity(thought)
        frames, slowest, began = 0, 0.0, time.perf_counter()
        guards_done = 0.0
        while frames == 0 or any(thought.thinking for thought in thoughts):
            start = time.perf_counter()
            world.tick()
            esper.process()
            slowest = max(slowest, time.perf_counter() - start)
            frames += 1
            if not guards_done and not any(thought.thinking for thought in thoughts[::20]):
                guards_done = time.perf_counter() - began
            time.sleep(1 / 60)
        took = time.perf_counter() - began
        assert all(thought.text and thought.error is None for thought in thoughts)
        print(f"{PEOPLE} thoughts in {took:.1f} s, those of the guards in {guards_done:.1f} s")
        print(f"{frames} frames, the slowest took {slowest * 1e3:.2f} ms")
        print(f"villager 7: {thoughts[7].text}")
        esper.clear_database()


if __name__ == "__main__":
    main("--script" in sys.argv[1:])
