"""What is kept of lines that correct themselves or others, or say only half."""

import pytest

from astraweave.context.turn import Turn
from astraweave.dialogue.acts import act_of
from astraweave.dialogue.recall import memory_text
from astraweave.rag.salience import is_question


def _told(*lines: str) -> list[Turn]:
    return [Turn(role="user", text=line, speaker="p", game_time=0.0) for line in lines]


@pytest.mark.parametrize(
    ("before", "said", "kept"),
    [
        ((), "I owe Hal three crowns. No wait, it was five.", "I owe Hal five crowns."),
        ((), "Only four men lived. No, sorry, five men.", "Only five men lived."),
        ((), "I gave it to Osric, no wait, Aldo.", "I gave it to Aldo."),
        ((), "I have three goats. No one likes them.", "I have three goats. No one likes them."),
        (("It lies ten paces north.",), "Nay, 'twas twenty paces.", "It lies twenty paces north."),
        (
            ("The duke wants Grell. He pays 200 gold.", "200 is decent."),
            "no, 250 actually",
            "The duke wants Grell. He pays 250 gold.",
        ),
        (("There were nine wolves.",), "No, seven of them died.", "No, seven of them died."),
        ((), "stashed the loot under the oak", "I stashed the loot under the oak"),
        (("The bandits camp at the mill.",), "Nine of them.", "There are nine bandits."),
        (
            ("My sister is called Mira.", "The man has a wet boot."),
            "I gave her a locket.",
            "I gave my sister a locket.",
        ),
        (
            ("My partner's Dax. He's an archer.",),
            "He got shot in the knee.",
            "My partner got shot in the knee.",
        ),
    ],
)
def test_what_is_kept(before: tuple[str, ...], said: str, kept: str) -> None:
    assert memory_text(said, _told(*before)) == kept


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("where's the camp", True),
        ("how many were there", True),
        ("When I was a boy I lived in Fen", False),
        ("She named them Bertie and Maud, isn't that sweet?", False),
        ("He is a baker, isn't he?", False),
    ],
)
def test_what_asks(text: str, asks: bool) -> None:
    assert is_question(text) is asks


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Guess what? I found a frog!", "telling"),
        ("I won a jar of honey, can you believe it?", "telling"),
        ("My brother Pell is a baker, isn't he?", "question"),
        ("What a glorious morning!", "smalltalk"),
        ("Who am I knitting a scarf for?", "question"),
        ("whats my wolf's name", "question"),
    ],
)
def test_what_a_line_does(text: str, kind: str) -> None:
    assert act_of(text).kind == kind
