"""Lesson 2: the same companion, awaited. Both doors stand on one implementation."""

import asyncio
import tempfile

import astraweave as aw


async def main() -> None:
    """Stream one line, await another, and speak with two characters at once."""
    with tempfile.TemporaryDirectory() as folder, aw.World.open(folder) as world:
        tam = world.npc("tam", persona="tam")
        async for piece in tam.say("I gave my lantern to the ferryman."):
            print(piece, end="", flush=True)
        print()

        answer = await tam.say("Who did I give my lantern to?")
        print(answer.text)
        assert "ferryman" in answer.text, answer

        smith, twin = tam, world.npc("twin", persona="tam")
        first, second = await asyncio.gather(
            smith.say("Do you remember my lantern?"), twin.say("Do you remember my lantern?")
        )
        print("the smith:", first.text)
        print("his twin: ", second.text)  # nobody told him
        assert "ferryman" not in second.text, second
        await world.save_async()


if __name__ == "__main__":
    asyncio.run(main())
