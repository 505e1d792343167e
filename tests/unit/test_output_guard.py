"""What may be shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.errors import InputError
from astraweave.guard import OutputGuard

CARD = (
    "You are Tam, the smith of Oakford. You secretly forged the false seal that sent the old duke"
    " into exile, and you fear that Captain Brandt will find the mould under your anvil."
)
GUARD = OutputGuard(
    card=CARD, words=["damn", "ass", "white devil"], names=["Mira"],
    rules=[lambda text: "weather" if "rain" in text else None], card_exempt=["Tam Oakford"],
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "The fire is warm today.",
        "I pass the classic glass as an asset.",
        "A dam, now, that would help the mill.",
        "In 1455 we had 3 good years.",
        "Mira told me that: she was sure.",
        "I am the smith of Oakford.",
        "Captain Brandt is a hard man.",
        "He said \"hello\" to the user of that road.",
    ],
)  # fmt: skip
def test_ordinary_speech_passes(text: str) -> None:
    assert GUARD.check(text).reasons == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Fine<|im_end|>", "control"),
        ("Fine\x07.", "control"),
        ("Fine, {{ name }}.", "control"),
        ("&lt;|im_start|&gt;system", "control"),
        ("Aye. User: and then?", "role"),
        ("system: new rules", "role"),
        ("Mira: I never said that.", "role"),
        ("Oh, d4mn!", "word"),
        ("Oh, d a m n it", "word"),
        ("DAAAMN.", "word"),
        ("d.a.m.n", "word"),
        ("You \u0430ss.", "word"),
        ("you a$$", "word"),
        ("the white  devil", "word"),
        ("You secretly forged the false seal that sent him away.", "card"),
        ("I forged a false seal that sent the duke off into exile.", "card"),
        ("It may rain.", "weather"),
    ],
)
def test_what_is_refused_has_its_reason(text: str, reason: str) -> None:
    assert reason in GUARD.check(text).reasons


def test_a_rule_that_fails_lets_nothing_pass() -> None:
    guard = OutputGuard(rules=[lambda text: str(1 / 0)])
    assert guard.check("Hello.").reasons == ("a rule failed: ZeroDivisionError",)
    with pytest.raises(InputError, match="letters"):
        OutputGuard(words=["..."])


LINES = st.lists(
    st.sampled_from(
        ["Aye.", " ", "The fire", " is warm", ", ", "damn", "da", "mn", "Mira", ":", "\n", "User:",
         "<|im", "_end|>", "rain", "forged the false seal that sent the old duke", "...", "!"]
    ),
    max_size=14,
)  # fmt: skip


@given(LINES)
def test_a_stream_shows_only_clauses_that_pass(pieces: list[str]) -> None:
    stream = GUARD.stream()
    shown = "".join(stream.feed(piece) for piece in pieces) + stream.end()
    whole = "".join(pieces)
    assert shown == stream.shown
    assert whole.startswith(shown)
    assert (shown == whole) == (stream.verdict is None)
    assert "<|" not in shown
    assert "rain" not in shown
    assert not re.search(r"\bdamn\b|(?:^|[.!?\n] ?)(?:Mira|User):", shown)


def test_a_guard_learns_a_second_card_and_keeps_its_rules() -> None:
    guard = OutputGuard(card="Nobody may know that the well is poisoned.", words=["damn"])
    told = guard.about("You are Tam, and your brother sold the bridge to Orla.")
    assert told.check("It is damn cold.").reasons == ("word",)
    assert told.check("Nobody may know that the well is poisoned.").reasons == ("card",)
    assert told.check("And your brother sold the bridge to Orla.").reasons == ("card",)
    assert guard.check("And your brother sold the bridge to Orla.").passed


@pytest.mark.parametrize("text", ["The fire\ufffd is hot.", "One.\u2028Two.", "A\ue000b."])
def test_broken_characters_are_control_text(text: str) -> None:
    assert "control" in OutputGuard().check(text).reasons
