"""The same question in other words, and questions that come in two sentences made one."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["other_wordings", "plain_question"]

_AT_ONCE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (
            r"^(?:say|suppose|imagine|let's say|if|what if)(?: that)? i (?:wanted|want|were|was|had|have|"
            r"decided|needed|need|wished|went)(?: to)? (?:go and |go to |come and )?"
            r"(?:visit|see|find|meet|call on|look for|write to) (?P<who>[^.,?!]+)[.,?!] *(?:then )?"
            r"(?:where|(?:which|what|in which|to which) (?:town|city|village|place)\b)[^.,?!]*\?*$",
            r"Where does \g<who> live?",
        ),
        (
            r"^(?P<who>[^.,?!]+) (?:has|have|had|keeps?) (?P<what>[\w-]+)[.,] *how many"
            r"(?: (?:is it|are they|are there|of them))?\?*$",
            r"How many \g<what> does \g<who> have?",
        ),
        (r"^who (?:pays|employs) me\?*$", r"Whom do I work for?"),
    )
)
_ALSO: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        (r"^who (?:is|'s) my (?:master|boss|employer)$", (r"Who do I work for",)),
        (r"^whom? do i work for$", ("Who is my master",)),
        (
            r"^(?:where|(?:which|what) (?:town|city|village|place)) (?:am i|do i come|do i hail) ?(?:from)?$",
            ("Where was I born", "Where did I grow up", "Where do I come from"),
        ),
        (
            r"^(?:where|(?:which|what) (?:town|city|village|place)) (?:is|does) (?P<x>.+?) (?:from|come from|hail from)$",
            (r"Where was \g<x> born", r"Where did \g<x> grow up", r"Where does \g<x> come from"),
        ),
        (
            r"^where (?:is|'s) (?P<x>.+?) (?:going|off to|heading|headed|bound|travelling|going to)$",
            (r"Where is \g<x> off to", r"Where does \g<x> travel to", r"Where is \g<x> going"),
        ),
        (
            r"^(?:when|(?:on )?(?:what|which) day) (?:does|is|will) (?P<x>.+?) "
            r"(?:set off|setting off|leave|leaving|depart|departing|go|start|set out)$",
            (r"When does \g<x> leave", r"When is \g<x> off", r"When does \g<x> travel"),
        ),
        (
            r"^(?:when|(?:in )?(?:what|which) month) (?:do|must|should|will) i (?:have to |need to |)(?:be|come|go|go to|come to|visit)"
            r" (?:in |to |at )?(?P<x>[A-Z].+)$",
            (
                r"When did I promise to come to \g<x>",
                r"When will I be in \g<x>",
                r"When would I visit \g<x>",
            ),
        ),
        (
            r"^(?:to )?whom? did i (?:give|pledge) my word (?:about|on|for|to) (?P<x>.+)$",
            (
                r"Whom did I promise to come to \g<x>",
                r"Whom did I swear to visit \g<x>",
            ),
        ),
        (
            r"^what (?:does|do|would|did) (?P<x>.+?) (?:like|love|prefer|enjoy) to eat(?: (?:best|most|the most))?$",
            (r"What is \g<x>'s favourite food", r"What is \g<x>'s favourite meal"),
        ),
        (r"^what(?: is|'s) (?P<x>.+) favou?rite (?:food|dish|meal)$",
         (r"What is \g<x> favourite food", r"What is \g<x> favourite meal", r"What is \g<x> favourite dish")),
        (
            r"^who (?:stole|took|nicked|pinched) (?P<x>.+)$",
            (r"Who ran off with \g<x>", r"Who stole \g<x>"),
        ),
        (
            r"^what did (?P<x>.+?) (?:take|steal) from (?P<y>.+)$",
            (r"What did \g<x> steal from \g<y>",),
        ),
    )
)  # fmt: skip
_YOURS = re.compile(r"\byou's\b", re.IGNORECASE)
_MINE = re.compile(r"\b(?:I|me)'s\b", re.IGNORECASE)


def plain_question(text: str) -> str:
    """A question of two sentences, or of a journey only imagined, as one that is asked straight.

    Examples
    --------
    >>> plain_question("Say I wanted to visit my aunt. Which town would I have to go to?")
    'Where does my aunt live?'
    >>> plain_question("Mira has children. How many?")
    'How many children does Mira have?'
    """
    for pattern, said in _AT_ONCE:
        if found := pattern.match(text.strip()):
            return found.expand(said)
    return text


@lru_cache(maxsize=2048)
def other_wordings(text: str) -> tuple[str, ...]:
    """What also asks for the same, without a question mark; nothing for most questions.

    Examples
    --------
    >>> other_wordings("Whom do I work for?")
    ('Who is my master',)
    """
    bare = text.strip().rstrip("?!. ")
    found: dict[str, None] = {}
    for pattern, wordings in _ALSO:
        if match := pattern.match(bare):
            for wording in wordings:
                said = match.expand(wording)
                found.setdefault(_MINE.sub("my", _YOURS.sub("your", said)))
    return tuple(said for said in found if said.casefold() != bare.casefold())
