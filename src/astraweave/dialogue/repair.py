"""Small faults of a model's clause that can be mended without changing what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.dialogue.language.words import sentences, words

__all__ = ["normal", "repaired"]

_TERMINAL = (".", "!", "?", "…", '"', "”", "»")
_LABEL = re.compile(r"^\s*[\"'*]*([\w' -]{1,32}?)[\"'*]*\s*:\s+")
_TOKEN = re.compile(r"[^\W_]+")


def normal(text: str) -> str:
    """A text by its words alone, so that two that sound the same are the same.

    Examples
    --------
    >>> normal("Aye -- the Fire's hot!") == normal("aye, the fire's hot.")
    True
    """
    return " ".join(_TOKEN.findall(text.casefold().replace("'", "").replace("’", "")))


def repaired(
    piece: str, *, speaker: str, line: str = "", recent: Sequence[str] = (), last: bool = False
) -> tuple[str, tuple[str, ...]]:
    """A clause without its small faults, and what they were.

    Only what is sure is mended: the speaker's own name in front is taken off, a sentence that the
    line or a recent line has is dropped, half a sentence behind whole ones is cut off, and a last
    sentence that only lacks its stop gets it. Whatever else is wrong is for the check to refuse.

    Parameters
    ----------
    piece : str
        What the model wrote.
    speaker : str
        Name of the character.
    line : str
        What was already shown of this line.
    recent : sequence of str
        The character's latest lines.
    last : bool
        The model ended by itself behind this.

    Returns
    -------
    tuple of str and tuple of str
        The clause, empty where nothing of it is left; and names of the repairs.

    Examples
    --------
    >>> repaired("Tam: The fire is warm. And the old", speaker="Tam")
    ('The fire is warm.', ('label', 'half'))
    """
    done: list[str] = []
    text = piece.strip()
    label = _LABEL.match(text)
    if label is not None and label[1].casefold() == speaker.casefold():
        text = text[label.end() :].lstrip("\"'* ")
        done.append("label")
    said = sentences(text)
    known = {normal(s) for whole in (line, *recent) for s in sentences(whole)}
    fresh: list[str] = []
    for sentence in said:
        key = normal(sentence)
        if len(said) > 1 and key and key in known:
            continue
        known.add(key)
        fresh.append(sentence)
    if len(fresh) < len(said):
        text = " ".join(fresh)
        done.append("repeated")
    if len(fresh) > 1 and not text.endswith(_TERMINAL):
        text = " ".join(fresh[:-1])
        done.append("half")
    elif last and text and not text.endswith(_TERMINAL) and _ends_whole(text):
        text += "."
        done.append("stop")
    return text, tuple(done)


def _ends_whole(text: str) -> bool:
    """Whether a sentence may end with its last word: not with "the" or "and"."""
    found = [w for w in words(text) if any(c.isalnum() for c in w.text)]
    if len(found) < 3 or text.rstrip()[-1] in ",;:-–—(":
        return False
    last = found[-1]
    return last.is_("NEJM") and not last.is_("DSPCA")
