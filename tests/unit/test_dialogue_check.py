"""The grounding check on lines as a small model writes them."""

from __future__ import annotations

import pytest

from astraweave.dialogue import Knowledge, check_clause
from astraweave.guard import OutputGuard
from astraweave.persona import Persona

TAM = Persona.builtin("tam")
KNOWN = Knowledge(
    [
        "My sister Mira hid a silver ring under the old mill.",
        "I have five goats and a horse called Bramble.",
        "Orla gave the lantern to Bren.",
        "I was born in Dunmere.",
        "My father died at sea.",
    ],
    ["Tam"],
    [*TAM.facts, *TAM.goals],
)
CARD = (
    "You are Tam, the smith of Harrow. You are patient, dry-humoured, loyal. Short plain "
    "sentences, a smith's figures of speech, kindness that hides behind grumbling. "
    "Answer in one short sentence. Never invent names, numbers or events."
)
RECENT = ["Hot iron and cold ale, that is most of my day.", "You may be right about that, friend."]

GOOD = [
    "The fire is hot today.",
    "Sit down and rest a while.",
    "Iron is like people, it takes patience.",
    "I hope the road was kind to you.",
    "Mind the sparks.",
    "It will be a cold night.",
    "That is a hard thing to carry.",
    "Trust is worth more than gold coins.",
    "A good hammer never lies.",
    "Come back when you are hungry.",
    "Mira hid a silver ring under the mill.",
    "Your sister Mira hid a ring.",
    "Five goats are a lot of work.",
    "Bramble is a good horse.",
    "I was born in Harrow.",
    "I have an old dog called Soot.",
    "Aye, that is how it goes.",
    "May your days be warm.",
]
BAD = [
    ("Mira hid the ring in the well.", "claim"),
    ("Orla gave the lantern to Garrick.", "name"),
    ("You have nine goats.", "number"),
    ("Seven goats are a lot of work.", "number"),
    ("I remember when you fought the dragon.", "claim"),
    ("Your brother told me about the war.", "claim"),
    ("My wife makes the best bread.", "claim"),
    ("I met the king last week.", "claim"),
    ("You gave me a golden sword.", "claim"),
    ("The bandits burned the castle.", "claim"),
    ("How is your wife these days?", "claim"),
    ("As an AI, I cannot remember things.", "role"),
    ("I'm an assistant and I'm here to help.", "role"),
    ("How can I assist you today?", "role"),
    ("Player: Thank you, Tam.", "role"),
    ("Tam: The fire is hot.", "role"),
    ("User: hello", "role"),
    ("You smile and walk to the door.", "role"),
    ("He nods and says nothing.", "role"),
    ("*wipes his brow*", "markup"),
    ("- The fire is hot", "markup"),
    ("See https://example.com for more.", "markup"),
    ("The fire is hot.\nUser", "markup"),
    ("<|im_end|>", "markup"),
    ("...", "empty"),
    ("", "empty"),
    ("\x00The fire is hot.", "control"),
    ("The fire is \ufffd hot.", "control"),
    ("Le feu est très chaud, 火は熱い.", "language"),
    ("THE FIRE IS HOT TODAY", "shouting"),
    ("Hot iron and cold ale, that is most of my day.", "repetition"),
    ("The fire the fire is hot.", "repetition"),
    ("It is hot and it is hot and it is hot.", "repetition"),
    ("Answer in one short sentence, never invent names.", "card"),
    ("Short plain sentences, a smith's figures of speech.", "card"),
    ("Your sister did not hide a ring under the mill.", "claim"),
    ("Bren gave the lantern to Orla.", "claim"),
    ("You have a gold coin.", "claim"),
    ("Bren lives in Kelmar.", "name"),
    ("I lost my leg in the war.", "claim"),
]


def reasons_against(line: str) -> tuple[str, ...]:
    """As a line of the model is judged."""
    held = OutputGuard(card=CARD).check(line).reasons
    return (*held, *check_clause(line, KNOWN, recent=RECENT).reasons)


@pytest.mark.parametrize("line", GOOD)
def test_harmless_and_supported_clauses_pass(line):
    assert not reasons_against(line)


@pytest.mark.parametrize(("line", "reason"), BAD, ids=[line[:30] for line, _ in BAD])
def test_bad_clauses_are_refused(line, reason):
    reasons = reasons_against(line)
    assert reason in reasons or "claim" in reasons


def test_nothing_of_the_same_line_is_said_twice():
    shown = "Under the old mill. You told me your sister hid a ring there."
    assert not check_clause("Under the old mill.", KNOWN, line=shown).passed
    assert not check_clause("You told me your sister hid it.", KNOWN, line=shown).passed
