"""What a character saw, as it would say it.

"The player returned Tam's hammer" is "You returned my hammer" when Tam tells the player.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from astraweave.dialogue.language.words import words

__all__ = ["as_witness"]

_BE_YOU = {"was": "were", "is": "are", "has": "have", "'s": "'re", "does": "do"}
_BE_I = {"were": "was", "is": "am", "has": "have", "'s": "'m", "does": "do"}


def as_witness(text: str, *, me: str, you: str, names: Mapping[str, str]) -> str:
    """A text in the third person in the words of one who speaks to another.

    Parameters
    ----------
    text : str
        As the game wrote it down.
    me, you : str
        Ids of the character who saw it and of the one it speaks to.
    names : mapping of str to str
        Ids to spoken names; "the player" stands for the id "player".

    Examples
    --------
    >>> as_witness("The player returned Tam's ring.", me="tam", you="player", names={"tam": "Tam"})
    'You returned my ring.'
    """
    for person, nominative, accusative, possessive, verbs in (
        (you, "you", "you", "your", _BE_YOU),
        (me, "I", "me", "my", _BE_I),
    ):
        called = [f"the {re.escape(person)}", re.escape(names.get(person, "")) or "\0"]
        pattern = re.compile(rf"\b(?:{'|'.join(called)})\b('s\b)?(?P<verb> [a-z]+)?", re.IGNORECASE)
        said = partial(_said, text=text, forms=(nominative, accusative, possessive), verbs=verbs)
        text = pattern.sub(said, text)
    for key, name in names.items():
        if key not in {me, you}:
            text = re.sub(rf"\bthe {re.escape(key)}\b", name, text, flags=re.IGNORECASE)
    return text[:1].upper() + text[1:]


def _said(
    found: re.Match[str], *, text: str, forms: tuple[str, str, str], verbs: Mapping[str, str]
) -> str:
    """What stands for a name: "you", "your" or "me", as its place wants it."""
    nominative, accusative, possessive = forms
    verb = found["verb"] or ""
    if found[1]:
        return possessive + verb
    follows = words(verb.strip())
    if follows and follows[0].is_("VA") and not follows[0].is_("NP"):
        plain = follows[0].lemma if follows[0].forms == {"s"} else verb.strip()
        return nominative + " " + verbs.get(verb.strip(), plain)
    before = words(text[: found.start()].strip())[-1:]
    if not before or before[0].is_(".CB"):
        return nominative + verb
    return accusative + verb
