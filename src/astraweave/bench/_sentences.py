"""Memories made by rule: as many different ones as are wanted, the same in every run."""

from __future__ import annotations

__all__ = ["made_sentence", "question_about"]

_PEOPLE = ("Mira", "Oswin", "Hild", "Bram", "Sunniva", "Corvin", "Tilda", "Rurik", "Nessa", "Falk")
_VERBS = ("lost", "found", "sold", "hid", "borrowed", "broke", "mended", "stole", "gave away")
_THINGS = (
    "silver ring", "red lantern", "copper kettle", "oak shield", "bag of salt", "blue cloak",
    "fishing net", "bronze key", "pair of boots", "clay jar", "old map", "goat bell",
)  # fmt: skip
_PLACES = ("the mill", "the north gate", "Hallow Bridge", "the tannery", "the old well", "Grimhold")
_TIMES = ("yesterday", "last winter", "on market day", "before the flood", "three days ago")


def made_sentence(n: int) -> str:
    """The n-th sentence."""
    person, verb = _PEOPLE[n % 10], _VERBS[(n // 10) % 9]
    thing, place = _THINGS[(n // 7) % 12], _PLACES[(n // 11) % 6]
    return f"{person} {verb} a {thing} near {place} {_TIMES[n % 5]}, worth {n} coins."


def question_about(sentence: str) -> str:
    """A question that one of these sentences answers."""
    person, verb, *_, coins, _ = sentence.replace(",", "").rstrip(".").split()
    return f"Do you remember who {verb} something worth {coins} coins, was it {person}?"
