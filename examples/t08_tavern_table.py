"""Lesson 8: a tavern table of four.

Whoever sits at the table hears and remembers what is said there, and nobody else does. Who is
spoken to by name answers first; others may agree, disagree, or be asked to answer instead.
"""

import sys
import tempfile
import time
from pathlib import Path

import astraweave as aw
from astraweave.world import Conversation

FRAME_S = 1 / 60
TABLE = {"orla": "The host", "bren": "The ferryman", "hob": "The shepherd", "edda": "The weaver"}


def seat(world: aw.World) -> list[aw.Npc]:
    """Four people with tempers and opinions of their own."""
    return [
        world.npc(
            npc,
            aw.Persona.from_toml(
                f"""
                id = "{npc}"
                name = "{npc.capitalize()}"
                role = "{role.lower()} of Harrow"
                patterns = "{"plain" if npc in ("orla", "edda") else "gruff"}"
                [temperament]
                extraversion = {0.9 if npc == "orla" else 0.4}
                agreeableness = {0.3 if npc == "bren" else 0.6}
                """
            ),
        )
        for npc, role in TABLE.items()
    ]


def say(world: aw.World, table: Conversation, text: str, to: str | None = None) -> list[str]:
    """Say something to the table and play frames until everybody is done; who has spoken."""
    print(f"you> {text}")
    said = table.say(text, to=to)
    shown: dict[str, str] = {}
    while not said.done:  # stands for your game's own loop
        world.tick(budget_us=500)
        for npc, new in said.take():
            shown[npc] = shown.get(npc, "") + new
        time.sleep(FRAME_S)
    for npc, new in said.take():
        shown[npc] = shown.get(npc, "") + new
    for reply in said.replies:
        print(f"{reply.npc}> {shown[reply.npc]}   [{reply.plan.act if reply.plan else ''}]")
    return [reply.npc for reply in said.replies]


def main() -> None:
    """An evening at the table, and a question on the way home."""
    with tempfile.TemporaryDirectory() as folder, aw.World.open(Path(folder) / "slot1") as world:
        orla, bren, hob, edda = seat(world)
        hob.remember("The old mill burned down on the night of the fair.")
        table = world.gather([orla, bren, hob], place="tavern")

        say(world, table, "Good evening, everybody!")
        speakers = say(world, table, "Bren, when did the old mill burn down?")
        assert speakers[0] == "bren", speakers  # who was asked speaks, if only to hand over
        say(world, table, "My sister Mira hid a silver key under the bridge.", to="orla")

        # Everybody at the table heard it; Edda, who came later, did not.
        table.join("edda")
        assert "bridge" in bren.say("Where did Mira hide the key?").wait().text
        assert "bridge" not in edda.say("Where did Mira hide the key?").wait().text

        # Somebody cuts in: what was heard is what was said, and the rest can still come.
        reply = orla.say("How are you tonight?").wait()
        reply.interrupt(reply.text.split()[0])
        print(f"orla> {reply.text}—")
        print(f"orla> {orla.say('Sorry. Go on.').wait().text}")
        print(f"hob> {hob.bark('idle')}   [bark]")


if __name__ == "__main__":
    sys.exit(main())
