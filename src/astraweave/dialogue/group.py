"""Talk among several: who is meant, and who speaks next. Plain data in, plain data out."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

import msgspec

from astraweave.dialogue.plan import LinePlan

__all__ = ["EVERYONE", "Answered", "Standing", "addressed", "speaking_order", "without_calls"]

EVERYONE = "everyone"
"""As whom to address all who are present."""

_ALL = re.compile(
    r"\b(?:every(?:one|body)|all of you|you all|y'all|friends|folks?|lads|ladies|gentlemen|good"
    r" people|anyone|anybody|who (?:here|of you|among you)|(?:one|any|some) of you)\b",
    re.IGNORECASE,
)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody present has already said to the same utterance.

    Attributes
    ----------
    speaker : str
        Their id.
    name : str
        Their name.
    text : str
        What was shown of it.
    plan : LinePlan
        What it did.
    """

    speaker: str
    name: str
    text: str
    plan: LinePlan


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether somebody speaks next.

    Attributes
    ----------
    npc : str
        Who.
    addressed : bool
        They were spoken to.
    relevance : float
        How near the best of their memories is to what was said, 0 to 1.
    affinity : float
        Towards who spoke, -1 to 1.
    extraversion : float
        0 to 1.
    silent_for : int
        Lines of the group since they spoke last; large: they have not.
    """

    npc: str
    addressed: bool = False
    relevance: float = 0.0
    affinity: float = 0.0
    extraversion: float = 0.5
    silent_for: int = 99


def addressed(
    text: str, names: Mapping[str, Sequence[str]], to: str | Sequence[str] | None = None
) -> tuple[str, ...]:
    """Who is spoken to, in the order of being named; empty: nobody in particular.

    Parameters
    ----------
    text : str
        What is said.
    names : mapping of str to sequence of str
        Ids of those present to the names that they answer to.
    to : str or sequence of str, optional
        Ids of whom the speaker looks at, or ``"everyone"``; then the words do not count.

    Examples
    --------
    >>> names = {"orla": ["Orla"], "bren": ["Bren"], "tam": ["Tam"]}
    >>> addressed("Orla, where is Bren?", names), addressed("Well, all of you?", names)
    (('orla',), ('orla', 'bren', 'tam'))
    """
    if to == EVERYONE:
        return tuple(names)
    if to is not None:
        wanted = (to,) if isinstance(to, str) else tuple(to)
        return tuple(npc for npc in wanted if npc in names)
    found: list[tuple[int, str]] = []
    for npc, called in names.items():
        places = [at for name in called if (at := _called(text, name)) is not None]
        if places:
            found.append((min(places), npc))
    if found:
        return tuple(npc for _, npc in sorted(found))
    return tuple(names) if _ALL.search(text) else ()


def without_calls(text: str, names: Mapping[str, Sequence[str]]) -> str:
    """What is said without whom it is said to, in front or at the end.

    Examples
    --------
    >>> without_calls("Bren, when does the ferry leave?", {"bren": ["Bren"]})
    'When does the ferry leave?'
    """
    every = sorted({n.strip() for called in names.values() for n in called if n.strip()}, key=len)
    if not every:
        return text
    name = "|".join(re.escape(n) for n in reversed(every))
    bare = re.sub(
        rf"^(?:(?:hey|hello|and|well|so)[\s,]+)?(?:{name})(?!\w)\s*[,!:]\s*", "", text, flags=re.I
    )
    bare = re.sub(rf",\s*(?:{name})(?!\w)(?=\s*[.?!…]*$)", "", bare, flags=re.I)
    if not any(char.isalnum() for char in bare):
        return text
    return bare if bare == text else bare[:1].upper() + bare[1:]


def _called(text: str, name: str) -> int | None:
    """Where somebody is spoken to by this name: set off by commas, alone, or behind "you"."""
    if not name.strip():
        return None
    word = rf"{re.escape(name.strip())}"
    call = re.compile(
        r"(?:^|[.!?…]\s+|,\s*|\b(?:hey|hello|hi|oh|you|and)[\s,]+)(?<!\w)"
        rf"({word})"
        rf"(?!\w)(?=\s*(?:[,!?:.…—-]|$))",
        re.IGNORECASE,
    )
    match = call.search(text)
    return match.start(1) if match is not None else None


def speaking_order(standings: Sequence[Standing], rng: random.Random) -> list[str]:
    """Ids in the order in which they would speak; the first of them does.

    Who was addressed comes first. Then counts how much somebody has to say about it, whom they like
    to talk to, how outgoing they are, and that nobody holds the floor.
    """
    drawn = {s.npc: rng.random() for s in sorted(standings, key=lambda s: s.npc)}

    def weight(one: Standing) -> float:
        spoke = {1: -1.0, 2: -0.4}.get(one.silent_for, 0.0)
        return (
            10.0 * one.addressed
            + 2.0 * max(0.0, one.relevance)
            + 0.5 * one.affinity
            + (one.extraversion - 0.5)
            + spoke
            + 0.3 * drawn[one.npc]
        )

    return [s.npc for s in sorted(standings, key=lambda s: (-weight(s), s.npc))]
