"""Lesson 9: a companion over twenty sittings, with a save and a fresh start between them.

Some things change, some are told by somebody else, one sitting is never saved; in the end the
companion says what he knows, and says so where he does not.
"""

import tempfile
from pathlib import Path

import astraweave as aw
from astraweave.core.clock import ManualClock
from astraweave.core.worldview import Entity

DAY_S = 86_400.0
UNSAVED = 13
"""The game crashes at the end of this sitting."""

TOLD = {
    0: ["I come from Dunmorrow.", "My sister Mira lives in Ravensford."],
    2: ["My landlord Odo owes me twelve crowns."],
    4: ["I hid my silver locket under the old windmill.", "Petra is my landlord's sister."],
    7: ["My sister moved to Gullport, just so you know."],
    9: ["Petra keeps nineteen geese."],
    11: ["My horse is called Thimble."],
    UNSAVED: ["My cousin Drogo is going to marry Vesna in June."],
    16: ["My landlord paid a part of it back. Now he owes me five crowns."],
}
CHATTER = ["What a wind today.", "Do you ever burn yourself?", "Is your apprentice any use yet?"]
ASKED = [
    ("player", "Where does my sister live?", "Gullport"),
    ("player", "How much does Odo owe me?", "five"),
    ("player", "What does my landlord's sister keep?", "geese"),
    ("player", "When did I tell you that my horse is called Thimble?", "days ago"),
    ("bren", "Where does Robin come from?", "Dunmorrow"),
    ("player", "What did I bring back to you?", "hammer"),
    ("bren", "Where does my sister live?", "don't know"),
    ("player", "Who is going to marry Vesna?", "don't know"),
]


def sit(slot: Path, number: int) -> None:
    """One sitting: a world that is opened, talked in, and saved."""
    clock = ManualClock()
    with aw.World.open(slot, clock=clock) as world:
        clock.set(number * DAY_S)
        if number == 0:
            world.view.add(
                Entity(id="player", name="Robin", kind="person"),
                Entity(id="bren", name="Bren", kind="person"),
            )
            world.npc("tam", persona="tam")
        tam = world.npc("tam")
        for line in [CHATTER[number % len(CHATTER)], *TOLD.get(number, [])]:
            clock.advance(60)
            tam.say(line).wait()
        if number == 5:
            tam.remember("The player brought back Tam's hammer.")
        if number != UNSAVED:
            world.save()


def ask(slot: Path) -> int:
    """The last sitting: questions, each by somebody; how many were answered as they should be."""
    clock, right = ManualClock(), 0
    with aw.World.open(slot, clock=clock) as world:
        clock.set(19 * DAY_S)
        tam = world.npc("tam")
        for speaker, question, answer in ASKED:
            clock.advance(60)
            reply = tam.say(question, speaker=speaker).wait()
            print(f"{speaker}> {question}\nTam> {reply.text}")
            right += answer in reply.text
    return right


def main() -> None:
    """Nineteen sittings, and one to ask about them."""
    with tempfile.TemporaryDirectory() as folder:
        slot = Path(folder) / "slot"
        for number in range(19):
            sit(slot, number)
        right = ask(slot)
    print(f"\n{right} of {len(ASKED)} answered as they should be.")
    assert right >= len(ASKED) - 1


if __name__ == "__main__":
    main()
