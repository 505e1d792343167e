"""Lesson 8: a tavern table of four.

Whoever sits at the table hears and remembers what is said there, and nobody else does. Who is
spoken to by name answers first; others may agree, disagree, or be asked to answer instead.
"""

import tempfile
import time

import astraweave as aw

FRAME_S = 1 / 60
GUESTS = ("jory", "marlow", "wren", "agnes")
"""Built-in people of Harrow, each with a temper and a voice; your own are TOML files."""


def say(world: aw.World, table: aw.Conversation, text: str, to: str | None = None) -> list[str]:
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
    """An evening in the Crooked Lantern, and a question on the way home."""
    with tempfile.TemporaryDirectory() as folder, aw.World.open(folder) as world:
        jory, marlow, wren, agnes = (world.npc(name, persona=name) for name in GUESTS)
        pim = world.npc("pim", persona="pim")  # too young for the tavern
        agnes.remember("The old mill burned down on the night of the fair.")
        table = world.gather([jory, marlow, wren, agnes], place="tavern")

        say(world, table, "Good evening, everybody!")
        speakers = say(world, table, "Marlow, when did the old mill burn down?")
        assert speakers[0] == "marlow", speakers  # who was asked speaks, if only to hand over
        say(world, table, "My sister Mira hid a silver key under the bridge.", to="jory")

        print("\nEverybody at the table heard that, and nobody else:")
        question = "Where did Mira hide the key?"
        for npc, knows in ((wren, True), (pim, False)):
            answer = npc.say(question).wait().text
            print(f"{npc.id}> {answer}")
            assert ("bridge" in answer) == knows, answer

        print("\nWhat was heard is what was said, and the rest can still come:")
        reply = jory.say("How are you tonight?").wait()
        reply.interrupt(" ".join(reply.text.split()[:2]))
        print(f"jory> {reply.text}...")
        print(f"jory> {jory.say('Sorry. Go on.').wait().text}")

        print("\nNobody asked:")
        print(f"marlow> {marlow.bark('work')}   [bark]")


if __name__ == "__main__":
    main()
