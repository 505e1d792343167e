"""What is said back of something told: the thing in it, or the whole clause; and whether to."""

from __future__ import annotations

import re

from astraweave.dialogue.facts import Fact, Source, facts_of, is_personal, roles_of
from astraweave.dialogue.language.clauses import Phrase, read
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import sentences, words
from astraweave.dialogue.retell import retell, retell_phrase

__all__ = ["MAX_ECHO_WORDS", "echo_of", "follows_on", "opines", "passing"]

MAX_ECHO_WORDS = 16
"""Who says back more than that only repeats."""

_PASSING = re.compile(
    r"\b(?:last night|today|this morning|this evening|tonight|again|now|tired|hungry|thirsty|sleepy|"  # noqa: E501
    r"badly|breakfast|could use|thinking of)\b",
    re.IGNORECASE,
)


def passing(told: str) -> bool:
    """Whether what was told will not matter tomorrow: nobody is named, and it is of the day."""
    if not _PASSING.search(told):
        return False
    lex = lexicon()
    found = [w for s in sentences(told) for w in words(s)]
    return not any(w.is_("EM") or lex.keys(w.low) & lex.persons for w in found)


_OPINING = frozenset("think believe suppose trust suspect reckon guess presume hope wish".split())
_MODAL = frozenset("should would could must might may shall gotta".split())


def opines(told: str) -> bool:
    """Whether what was told is a thought, and no news: nothing in particular is in it."""
    lex = lexicon()
    found = [w for s in sentences(told) for w in words(s)]
    if any(w.is_("M") or lex.keys(w.low) & lex.persons for w in found[1:]):
        return False
    if any(w.is_("E") and w.start > 0 for w in found) or len(sentences(told)) > 1:
        return False
    clauses = [c for c in read(told) if c.subject is not None and not c.relative]
    if not clauses:
        return False
    clause, subject = clauses[0], clauses[0].subject
    if subject is not None and subject.head.low == "i":
        supposed = any(a.low in _MODAL for a in clause.auxiliaries)
        return clause.verb in _OPINING or (supposed and not clause.objects)
    mine = any(w.low in {"i", "me", "my", "we", "us", "our"} for w in found)
    past = any(w.forms & {"past"} and "base" not in w.forms for c in clauses for w in c.verbs)
    bare = subject is not None and not subject.words[0].is_("DSO") and subject.owner is None
    known = subject is not None and (not subject.head.is_("E") or lex.known(subject.head.low))
    settled = all(p == "of" for p, _ in clause.places)
    return bare and known and settled and not mine and not past


def echo_of(told: str, speaker: str, listener: str) -> dict[str, str]:
    """Fields that name what was told: ``echo`` (the thing) and ``retold`` (the whole clause)."""
    facts = [
        f
        for f in facts_of(Source(told, speaker, listener))
        if f.clause.verbs or f.clause.auxiliaries
    ]
    mains = [
        f
        for f in facts
        if not f.clause.relative and not f.clause.link and f.clause.subject is not None
    ]
    if not mains:
        return {}
    fact = mains[0]
    if any(word.low in _ABOUT_ME for word in fact.words):
        return {}  # what others say about the character is theirs to say, not the character's
    retold = _bare(retell(fact, swap=True))
    if len(retold.split()) > MAX_ECHO_WORDS or not retold:
        retold = ""
    echo = _echo(fact)
    if not echo and not retold:
        return {}
    return {"retold": retold, "echo": echo or retold}


_ABOUT_ME = frozenset(["you", "your", "yours", "yourself"])


_GOING_ON = frozenset(
    "he she it they that this those these his her its their him them and but so then there".split()
)


def follows_on(told: str) -> bool:
    """Whether what was told goes on with what was told before: "She is marrying a cooper."."""
    found = words(told)
    return bool(found) and found[0].low in _GOING_ON


_FEELING = frozenset("hate love like miss fear find trust believe".split())


def _echo(fact: Fact) -> str:
    """The new thing in a clause, said back: "A silver ring under the old mill"."""
    clause = fact.clause
    if clause.negated:
        return ""
    roles = roles_of(clause)
    things = [p for p in (*roles.theme, *roles.complement) if not p.head.is_("O")]
    new = next((p for p in things if p is not clause.subject), None)
    if new is None or new.words[0].low in {"the", "this", "that"} or (new.owner and not new.names):
        return ""  # "The lantern." says too little: the whole clause is said back
    if not new.head.is_("NEM") or clause.verb in _FEELING:
        return ""  # "Turnips?" says too little of somebody who hates them
    if is_personal(new) and clause.verb not in {"be", "call", "name", "have", "get"}:
        return ""
    text = _said(new, fact)
    if len(text.split()) <= 4:
        for prep, phrase in clause.places:
            behind = new.end <= phrase.start <= new.end + 1
            if behind and prep not in {"@time", "by", "to", "for", "as"}:
                text += f" {prep.replace('_', ' ')} {_said(phrase, fact)}"
                break
    if len(text.split()) < 3 and not new.names:
        return ""  # "A fisherman." is no answer to who somebody's husband is
    return text if len(text.split()) <= 9 else ""


def _said(phrase: Phrase, fact: Fact) -> str:
    meant = fact.meant(phrase)
    return retell_phrase(meant, swap=True)


def _bare(text: str) -> str:
    return text.strip().rstrip(".!?,;: ")
