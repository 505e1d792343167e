"""What somebody told of themselves, said by another: "I keep bees" is "Anselm keeps bees"."""

from __future__ import annotations

from astraweave.dialogue.language.lexicon import third_person
from astraweave.dialogue.language.words import Word, words

__all__ = ["in_third_person"]

_SINGULAR = {
    "am": "is", "'m": " is", "have": "has", "'ve": " has", "do": "does", "'ll": " will",
    "'d": " would",
}  # fmt: skip
_PLURAL = {"am": "are", "'m": "'re", "was": "were"}
_THEIRS = {
    "me": "them", "my": "their", "mine": "theirs", "myself": "themselves", "we": "they",
    "us": "them", "our": "their", "ours": "theirs", "ourselves": "themselves",
}  # fmt: skip


def in_third_person(told: str, teller: str) -> str:
    """A clause with its "I" named: no first person of the teller is left in it.

    Parameters
    ----------
    told : str
        A clause as its teller said it.
    teller : str
        Their spoken name; later mentions are "they".

    Examples
    --------
    >>> in_third_person("I come from Dunmorrow, and I keep my bees", "Robin")
    'Robin comes from Dunmorrow, and they keep their bees'
    >>> in_third_person("my sister hates me", "Robin")
    "Robin's sister hates them"
    """
    found = words(told)
    pieces: list[str] = []
    end, named = 0, False
    verbs: dict[int, str] = {}
    for index, word in enumerate(found):
        pieces.append(told[end : word.start])
        end = word.end
        low = word.low
        if low == "i" and not word.is_("N"):
            pieces.append("they" if named else teller)
            if (at := _verb_behind(found, index)) is not None:
                verbs[at] = _agreeing(found[at], plural=named)
            named = True
        elif low == "my" and not named:
            pieces.append(f"{teller}'s")
            named = True
        elif low in _THEIRS and word.is_("OS"):
            pieces.append(_THEIRS[low])
        elif index in verbs:
            pieces.append(verbs[index])
        else:
            pieces.append(told[word.start : word.end])
    return ("".join(pieces) + told[end:]).replace("  ", " ")


def _verb_behind(found: list[Word], at: int) -> int | None:
    """The finite verb of an "I": next to it, but for adverbs."""
    for index in range(at + 1, min(at + 4, len(found))):
        word = found[index]
        if word.is_("AV") and not (word.is_("R") and index + 1 < len(found)):
            return index
        if not word.is_("RG"):
            return None
    return None


def _agreeing(verb: Word, *, plural: bool) -> str:
    """A verb of the first person as the third has it."""
    if plural:
        return _PLURAL.get(verb.low, verb.text)
    if verb.low in _SINGULAR:
        return _SINGULAR[verb.low]
    if verb.is_("A") or not verb.is_("V"):
        return verb.text
    if verb.forms and "base" not in verb.forms:
        return verb.text
    return third_person(verb.text)
