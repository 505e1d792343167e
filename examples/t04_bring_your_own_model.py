"""Lesson 4: your own language model behind the same dialogue.

Anything with the shape of `astraweave.llm.LanguageModel` will do. Here a scripted one stands for
it, so that the lesson runs the same everywhere; `LocalLanguageModel` takes any model that
`astraweave models fetch` has converted, yours included (see docs: "Bring your own model").
"""

import tempfile

import astraweave as aw
from astraweave.llm import ScriptedModel


def main() -> None:
    """One line that the check lets through, and one that it does not."""
    model = ScriptedModel(
        ["Aye, a fine day for the forge.", "Your brother Aldous owes me 90 gold pieces."]
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        aw.World.open(folder, model=model) as world,
    ):
        tam = world.npc("tam", persona="tam")
        for text, passes in (("It is a lovely day.", True), ("How is the forge today?", False)):
            reply = tam.say(text).wait()
            print(f"you> {text}\nTam> {reply.text}   [{', '.join(reply.tiers)}]")
            assert ("model" in reply.tiers) == passes, reply
            assert "Aldous" not in reply.text, "nobody ever mentioned him: the check stops it"


if __name__ == "__main__":
    main()
