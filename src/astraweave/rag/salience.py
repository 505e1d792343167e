"""How much a line matters to whoever hears it, by rules that take microseconds.

The rules read English. A line in another language gets the middle of the scale from its length,
its numbers and its names, which is what they look like everywhere.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

__all__ = ["TAG_QUESTION", "TELLING_TAG", "importance_of", "is_question"]

_SMALL_TALK = re.compile(
    r"(?i)^\W*(?:(?:well|so|oh|ah|hm+)\W+)?"
    r"(?:hello|hi|hey|greetings|good (?:morning|day|evening|night)|welcome|farewell|goodbye|bye"
    r"|see you|thanks?(?: you)?|yes|no|aye|nay|ok(?:ay)?|sure|indeed|i see|how are you"
    r"|nice (?:weather|day)|what's new)\b"
)
_WEIGHTY = re.compile(
    r"(?i)\b(?:promis\w*|swear|swore|sworn|oath|vow\w*|secret\w*|never|always|remember|forget"
    r"|kill\w*|murder\w*|die[ds]?|dead|death|love[ds]?|hate[ds]?|marr(?:y|ied)|betray\w*"
    r"|st(?:eal|ole|olen)|lost|owe[ds]?|debt|afraid|danger\w*|save[ds]?|help me|sorry|forgive\w*)\b"
)
_DIGIT = re.compile(r"\d")
_BELONGS = re.compile(
    r"(?i)\b(?:my|our|his|her|their)\s+(?:\w+\s+){0,2}(?:is|was|are|were|name|live[ds]?|work\w*)\b"
    r"|\bi(?:'m| am| was| have| had|'ve) (?!(?:fine|well|good|ok)\b)|\bcalled\b|\bnamed?\b"
)


TAG_QUESTION = re.compile(
    r",\s*(?:(?:(?:can|could|would|will|do|did|are|is|was|were|has|have)(?:n't|n’t)?"
    r"|can['’]t|won['’]t) "
    r"(?:you|ye|he|she|it|they|we|i|that|this)\b[^,?]{0,24}"
    r"|(?:so )?what (?:do|d'|would) ?(?:you|ye) (?:reckon|think|say)"
    r"|eh|huh|right|no|you know|you see|savvy|innit)\?$",
    re.IGNORECASE,
)

TELLING_TAG = re.compile(
    r",?\s*\b(?:(?:isn|wasn|ain)(?:'t|’t) (?:that|it|this|he|she) (?:just |so |very |too )*"
    r"(?!a\b|an\b|the\b|my\b|your\b|right\b|so\b)[a-z]+"
    r"|(?:can|could|would|will) (?:you|ye) (?:believe|imagine|credit|guess)\b[^,?]{0,16}"
    r"|(?:so )?what (?:do|d'|would) ?(?:you|ye) (?:reckon|think|say)"
    r"(?: (?:to|of|about) (?:that|it))?"
    r"|don(?:'t|’t) (?:you|ye) think|will (?:you|ye)|would (?:you|ye)"
    r"|eh|huh|you know|you see|savvy)"
    r"\?$",
    re.IGNORECASE,
)
"""Words that ask nothing about what stands before them: "..., isn't that sweet?"."""

_AUX = r"(?:is|are|am|was|were|be|did|do|does|have|has|had|can|will|would|should)"
_ASKS_UNMARKED = re.compile(
    r"(?:(?:so|and|hey|well|but|tell me|remind me"
    r"|do you (?:remember|recall|know))[\s,]+)*"
    rf"(?:(?:who|what|where|when|why|how)(?:['’]s|s| {_AUX}) \w"
    rf"|(?:what|which|whose|how (?:many|much|old|far|long)) "
    rf"(?!(?:an?|i|my) )(?:[\w'’-]+ ){{0,4}}?{_AUX}\b"
    r"|what happened)(?! an?\b)",
    re.IGNORECASE,
)
"""A question whose mark was left out: "where's the camp"."""


_ASKS_FIRST = re.compile(
    r"\W*(?:(?:in|on|at|by|to|from|with|for|since) )?"
    rf"(?:(?:who|whom|when|where|why)|(?:which|what|whose) \w+|how(?: \w+){{0,2}}) {_AUX}\b",
    re.IGNORECASE,
)
"""What asks from its first word on asks, whatever follows: "When did she leave, was it today?"."""


@functools.lru_cache(maxsize=256)  # each line is asked for by several in a row
def is_question(text: str) -> bool:
    """Whether a line asks, and so tells little itself; "..., can you imagine?" tells."""
    text = text.rstrip("\"'”’) ")
    if text[-1:] not in ".!…" and _ASKS_UNMARKED.match(text):
        return True
    asks = _ASKS_FIRST.match(text) is not None or not TAG_QUESTION.search(text)
    return text.endswith(("?", "？", "؟")) and asks


def importance_of(text: str, entities: Collection[str] = ()) -> float:
    """How much a line matters, 0 (small talk) to 1 (an oath).

    Examples
    --------
    >>> importance_of("Good morning, smith.") < importance_of("My sister lost a silver ring.")
    True
    """
    score = 0.35
    if _SMALL_TALK.match(text) and len(text) < 60:
        score -= 0.25
    if is_question(text):
        score -= 0.15
    score += 0.25 * bool(_WEIGHTY.search(text))
    score += 0.15 * bool(_BELONGS.search(text))
    score += 0.1 * bool(_DIGIT.search(text))
    score += min(0.15, 0.05 * len(entities))
    score += 0.05 * (len(text) > 80)
    return round(min(1.0, max(0.05, score)), 3)
