"""What a question asks for, by its words alone: a place, an age, somebody, a count of something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astraweave.dialogue.language.words import words
from astraweave.dialogue.memory_words import Text, attribute_patterns, kind_patterns, word_groups

__all__ = ["Sought", "sought_in"]


@dataclass(slots=True, frozen=True)
class Sought:
    """What a question asks for.

    Attributes
    ----------
    kind : str
        ``"person"``, ``"place"``, ``"age"``, ``"count"`` ...; ``"thing"`` fits anything.
    noun : str
        What is counted, or what bears the name that is asked for.
    names : frozenset of str
        Names in the question, in lower case.
    things : tuple of str
        Nouns in the question that name something in particular.
    attributes : tuple of str
        Attributes that the memory must speak of.
    """

    kind: str
    noun: str = ""
    names: frozenset[str] = frozenset()
    things: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def sought_in(question: str, told: Sequence[str] = (), *, ignore: Sequence[str] = ()) -> Sought:
    """Read what a question asks for.

    Parameters
    ----------
    question : str
        One question.
    told : sequence of str
        Memories; a first word counts as a name when one of them has it as a name.
    ignore : sequence of str
        Names that only address the listener.

    Examples
    --------
    >>> sought_in("How old is Mira?").kind
    'age'
    >>> sought_in("In what town was she born?").attributes
    ('born',)
    """
    low = question.lower().replace("’", "'")
    text = Text.of(question)
    known = {name for memory in told for _, name in Text.of(memory).names()}
    names = {name for index, name in text.names() if not text.starts[index] or name in known} - {
        name.lower() for name in ignore
    }
    kind, noun = _kind_of(low)
    general = word_groups()["common"] | word_groups()["general"]
    asked = words(question)
    things = tuple(
        word.low
        for word, before in zip(asked, [None, *asked], strict=False)
        if word.is_("N")
        and (
            not word.is_("VARE")
            or (before is not None and before.is_("DS") and word.can <= set("NV"))
        )
        and word.low not in general | names
    )
    attributes = tuple(
        name for name, asked_of, _ in attribute_patterns() if kind != "job" and asked_of.search(low)
    )
    return Sought(kind, noun, frozenset(names), things, attributes)


def _kind_of(low: str) -> tuple[str, str]:
    for kind, pattern in kind_patterns():
        if (match := pattern.search(low)) is not None:
            noun = (
                match.groupdict().get("noun")
                or match.groupdict().get("noun2")
                or match.groupdict().get("noun3")
                or ""
            )
            return kind, noun.split()[-1] if noun else ""
    return "thing", ""
