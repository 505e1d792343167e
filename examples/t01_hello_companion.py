"""Lesson 1: a companion in a 60 Hz game loop.

The game thread never waits: `say` returns at once, `tick` delivers what is ready, `take` gives the
new text of this frame.
"""

import sys
import tempfile
import time
from pathlib import Path

import astraweave as aw

FRAME_S = 1 / 60


def speak(world: aw.World, npc: aw.Npc, text: str) -> aw.Reply:
    """Say one line and play frames until it is answered."""
    print(f"you> {text}")
    reply = npc.say(text, speaker="player")
    print("Tam> ", end="")
    while not reply.done:  # stands for your game's own loop
        world.tick(budget_us=500)
        sys.stdout.write(reply.take())
        sys.stdout.flush()
        time.sleep(FRAME_S)
    print(reply.take())
    return reply


def main() -> None:
    """Meet Tam, save, and meet him again."""
    with tempfile.TemporaryDirectory() as folder:
        slot = Path(folder) / "slot1"
        with aw.World.open(slot) as world:
            tam = world.npc("tam", persona="tam")
            speak(world, tam, "Good morning, Tam! I am back from the coast.")
            speak(world, tam, "My sister Mira hid a silver key under the old mill.")
            world.save()

        # Tomorrow: another process, the same save.
        with aw.World.open(slot) as world:
            tam = world.npc("tam")
            answer = speak(world, tam, "Where did my sister hide the key?")
            assert "mill" in answer.text, answer
            print(f"(tiers: {', '.join(answer.tiers)}; memories: {answer.memories})")


if __name__ == "__main__":
    main()
