"""What is wrong with a persona beyond its form: what it says, and whom it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from astraweave.core.toml import did_you_mean
from astraweave.errors import ConfigError

if TYPE_CHECKING:
    from astraweave.persona.persona import Persona

__all__ = ["lint_persona"]

_FIRST_PERSON = re.compile(r"\b(?:I|[Mm]e|[Mm]y|[Mm]ine|[Mm]yself|[Ww]e|[Uu]s|[Oo]ur)\b")
_ENDS = (".", "!", "?")


def lint_persona(
    persona: Persona,
    text: str = "",
    *,
    origin: str = "<persona>",
    voices: Collection[str] | None = None,
) -> tuple[ConfigError, ...]:
    """Everything about a persona that will sound wrong in a game; empty when nothing will.

    Parameters
    ----------
    persona : Persona
        As it was loaded.
    text : str
        Its TOML, for the lines in the errors.
    origin : str
        What to call it in errors, usually the file.
    voices : collection of str, optional
        The voices that there are; None: `Persona.patterns` is not looked at.

    Returns
    -------
    tuple of ConfigError
        Not raised: there may be several. Each names file and line, and has ``path``, ``line`` and
        ``key`` in its ``details``.

    Examples
    --------
    >>> from astraweave.persona import Persona
    >>> ada = Persona(id="ada", name="Ada", facts=("The mill burnt down.",))
    >>> [str(error) for error in lint_persona(ada)]
    ["<persona>:1: the fact 'The mill burnt down.' is not in the first person"]
    """
    found: list[ConfigError] = []

    def add(key: str, said: str, message: str) -> None:
        line = _line(text, key, said)
        found.append(ConfigError(f"{origin}:{line}: {message}", path=origin, line=line, key=key))

    if voices is not None and persona.patterns not in voices:
        hint = did_you_mean(persona.patterns, voices)
        add("patterns", persona.patterns, f"there is no voice {persona.patterns!r}{hint}")
    for trait in persona.temperament.__struct_fields__:
        value = getattr(persona.temperament, trait)
        if not 0.0 <= value <= 1.0:
            add(trait, "", f"{trait!r} must be from 0 to 1, not {value}")
    english = persona.language.split("-")[0] == "en"
    for key in ("facts", "goals") if english else ():
        for sentence in getattr(persona, key):
            if not _FIRST_PERSON.search(sentence):
                add(key, sentence, f"the {key[:-1]} {sentence!r} is not in the first person")
            if not sentence.rstrip().endswith(_ENDS):
                add(key, sentence, f"the {key[:-1]} {sentence!r} is no whole sentence")
    _check_taboos(persona, add)
    return tuple(found)


def _check_taboos(persona: Persona, add: Callable[[str, str, str], None]) -> None:
    said = [
        *(("facts", fact) for fact in persona.facts),
        *((kind, line) for kind, lines in persona.lines.items() for line in lines),
        *(("examples", example.character) for example in persona.examples),
    ]
    for taboo in persona.taboos:
        bare = re.sub(r"^(?:the|a|an|my|our|his|her|their)\s+", "", taboo.strip(), flags=re.I)
        if not bare:
            add("taboos", taboo, "a taboo is empty")
            continue
        pattern = re.compile(rf"\b{re.escape(bare)}\b", re.IGNORECASE)
        for key, sentence in said:
            if pattern.search(sentence):
                add(key, sentence, f"{sentence!r} speaks of the taboo {taboo!r}")


def _line(text: str, key: str, said: str) -> int:
    """The line on which a value stands, or else its key."""
    key_line = 1
    for line, content in enumerate(text.splitlines(), start=1):
        if said and said in content:
            return line
        if key_line == 1 and re.match(rf"\s*(?:\[\[?\s*)?{re.escape(key)}\b", content):
            key_line = line
    return key_line
