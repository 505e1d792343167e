"""Stop strings must not depend on where tokens end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.errors import InputError
from astraweave.llm import StopScanner

texts = st.text("ab\nP:", max_size=24)
stops = st.lists(st.text("ab\nP:", min_size=1, max_size=5), max_size=4)


def reference(text: str, stop: list[str]) -> tuple[str, bool]:
    """The shortest beginning that ends with a stop string, without the longest such string."""
    for end in range(len(text) + 1):
        ending = [s for s in stop if text[:end].endswith(s)]
        if ending:
            return text[: end - max(map(len, ending))], True
    return text, False


@settings(max_examples=500)
@given(texts, stops, st.data())
def test_any_cut_gives_the_same_text(text: str, stop: list[str], data: st.DataObject) -> None:
    scanner = StopScanner(stop)
    shown, rest = "", text
    wanted, stopped = reference(text, stop)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        shown += scanner.push(rest[:size])
        rest = rest[size:]
        assert wanted.startswith(shown), "a part of a stop string was let out"
    assert shown + scanner.flush() == wanted
    assert scanner.stopped == stopped


@given(texts, stops)
def test_only_what_may_begin_a_stop_is_held_back(text: str, stop: list[str]) -> None:
    scanner = StopScanner(stop)
    shown = scanner.push(text)
    if not scanner.stopped:
        held = text[len(shown) :]
        assert not held or any(s.startswith(held) for s in stop)


def test_nothing_comes_after_the_stop() -> None:
    scanner = StopScanner(["END"])
    assert scanner.push("line END more") == "line "
    assert scanner.push("still more") == ""
    assert scanner.flush() == ""


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        StopScanner([""])
