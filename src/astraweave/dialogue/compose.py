"""Lines made from patterns: what is said when no model speaks, and how every line opens."""

from __future__ import annotations

import functools
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources

from astraweave.dialogue.answer import Answer, spoken
from astraweave.dialogue.facts import Fact, Source, facts_of, is_personal, roles_of
from astraweave.dialogue.language.clauses import Phrase, read
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import sentences, words
from astraweave.dialogue.retell import retell, retell_phrase
from astraweave.errors import ConfigError
from astraweave.persona import Persona

__all__ = ["Composer", "opines", "pattern_library"]

_SAD = re.compile(
    r"\b(?:died?|killed|stolen|stole|lost|burn(?:ed|t)|drown(?:ed|s)?|broke|sick|ill|hurt|wounded|bit|buried|robbed|sank|sunk|widow(?:er|ed)?|afraid|ach(?:e|es|ed)|"
    r"missing|starv(?:ed|ing)|miss"
    r"|(?:is|was|are|were|be|lies|lay|been|found|dropped|fell|shot|left) dead)\b",
)
_GLAD = re.compile(
    r"\b(?:married|wedding|won|found|healed|recovered|in"
    r" love|engaged|birthday|prize|rescued)\b",
    re.IGNORECASE,
)
_NOT_SAD = re.compile(
    r"\b(?:was|were|is|are|am) (?:buried|hidden|born)|born|buried (?:a|the|my|our|his|her)"
    r" (?!mother|father|wife|son|daughter|husband|brother|sister)|bury\b",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\{(\w+)\}")
_MAX_ECHO_WORDS = 16


class Composer:
    """Picks and fills patterns; the same state of `rng` gives the same line. Not thread-safe.

    Parameters
    ----------
    persona : Persona
        Whose voice it is; its own `lines` come before the patterns.
    """

    def __init__(self, persona: Persona) -> None:
        library = pattern_library(persona.patterns)
        own = {kind: tuple(lines) for kind, lines in persona.lines.items()}
        self._patterns = {
            kind: tuple(dict.fromkeys((*own.get(kind, ()), *library.get(kind, ()))))
            for kind in {*library, *own}
        }
        self._persona = persona

    # -- one act each ---------------------------------------------------------------------------

    def answer(self, answer: Answer, rng: random.Random, recent: Sequence[str]) -> str:
        """Say what is known, or that nothing is."""
        if answer.kind == "unknown":
            return self.pick(
                "unknown_self" if answer.teller == "self" else "unknown", {}, rng, recent
            )
        retold = _closed(answer.retold[0])
        fields = {"retold": retold, "short": answer.short, "teller": answer.teller}
        if answer.teller == "self":
            kind = {"confirmed": "confirmed_self", "denied": "denied"}.get(
                answer.kind, "answer_self"
            )
        elif answer.teller != "asker":
            kind = "answer_other"
        elif answer.kind in {"confirmed", "denied"}:
            kind = answer.kind
        else:
            kind = (
                "answer_short"
                if answer.short and not _echoes(answer.short, retold)
                else "answer_plain"
            )
        line = self.pick(kind, fields, rng, recent)
        if answer.kind == "about" and len(answer.retold) > 1 and answer.teller == "asker":
            line += self.pick(
                "about_more", {"retold": _closed(answer.retold[1])}, rng, recent, spaced=True
            )
        return line

    def telling(self, told: str, speaker: str, rng: random.Random, recent: Sequence[str]) -> str:
        """Take note of something told, and name it."""
        mood = "telling_mild" if _passing(told) else "telling"
        if _SAD.search(told) and not _NOT_SAD.search(told):
            mood = "telling_sad"
        elif _GLAD.search(told) and not re.search(r"\b(?:not|never|n't)\b", told):
            mood = "telling_glad"
        if opines(told):
            return self.pick("telling_opinion", {}, rng, recent)
        fields = echo_of(told, speaker, self._persona.id)
        if not fields:
            return self.pick("telling_plain", {}, rng, recent)
        return self.pick(mood, fields, rng, recent)

    def recap(self, told: Sequence[Fact], rng: random.Random, recent: Sequence[str]) -> str:
        """What is remembered of somebody, in one line."""
        said = [text for fact in told[:3] if (text := _closed(retell(fact, swap=True)))]
        if not said:
            return self.pick("recap_nothing", {}, rng, recent)
        line = self.pick("recap", {"retold": said[0]}, rng, recent)
        if len(said) > 1 and said[1] != said[0]:
            line += self.pick("about_more", {"retold": said[1]}, rng, recent, spaced=True)
        return line

    def opener(self, rng: random.Random, recent: Sequence[str]) -> str:
        """A word or two that can stand before anything."""
        lately = {line.split(".")[0] for line in recent[-6:]}
        options = [o for o in self._patterns["opener"] if o.split(".")[0] not in lately]
        return rng.choice(options or list(self._patterns["opener"]))

    def lines(self, kind: str) -> tuple[str, ...]:
        """The patterns of a kind; none where there are none."""
        return tuple(self._patterns.get(kind, ()))

    # -- picking --------------------------------------------------------------------------------

    def pick(
        self,
        kind: str,
        fields: Mapping[str, str],
        rng: random.Random,
        recent: Sequence[str],
        *,
        spaced: bool = False,
    ) -> str:
        """A filled pattern of this kind that was not said lately.

        Raises
        ------
        ConfigError
            There are no patterns of that kind.
        """
        patterns = self._patterns.get(kind)
        if not patterns:
            raise ConfigError(
                f"no composed lines for {kind!r} in patterns {self._persona.patterns!r}", kind=kind
            )
        usable = [
            p for p in patterns if all(fields.get(f.lower()) for f in _FIELD.findall(p))
        ] or list(patterns)
        order = rng.sample(usable, len(usable))
        # The pattern that was said longest ago comes first.
        order.sort(key=lambda p: _last_said(p, recent))
        for pattern in order:
            line = _fill(pattern, fields)
            if line not in recent:
                return line if spaced else spoken(line)
        tails = [t for t in self._patterns.get("tail", ()) if t]
        for pattern in order:
            for tail in rng.sample(tails, len(tails)):
                line = f"{spoken(_fill(pattern, fields))} {tail}"
                if line not in recent:
                    return line
        return spoken(_fill(order[0], fields))


_PASSING = re.compile(
    r"\b(?:last night|today|this morning|this evening|tonight|again|now|here|tired|hungry|thirsty|sleepy|"  # noqa: E501
    r"badly|breakfast|could use|thinking of)\b",
    re.IGNORECASE,
)


def _passing(told: str) -> bool:
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
    retold = _closed(retell(fact, swap=True))
    if len(retold.split()) > _MAX_ECHO_WORDS or not retold:
        retold = ""
    echo = _echo(fact)
    if not echo and not retold:
        return {}
    return {"retold": retold, "echo": echo or spoken(retold)}


_ABOUT_ME = frozenset(["you", "your", "yours", "yourself"])


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
    if clause.verb in _FEELING:
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
    if len(text.split()) < 2 and not new.names:
        return ""
    return text if len(text.split()) <= 9 else ""


def _said(phrase: Phrase, fact: Fact) -> str:
    meant = fact.meant(phrase)
    return retell_phrase(meant, swap=True)


def _closed(text: str) -> str:
    return text.strip().rstrip(".!?,;: ")


def _echoes(short: str, retold: str) -> bool:
    """Whether the short form says nearly all that the whole says."""
    return len(short.split()) >= len(retold.split()) - 1


def _fill(pattern: str, fields: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        text = fields.get(name.lower(), "")
        return spoken(text) if name[:1].isupper() else text

    return _FIELD.sub(value, pattern)


def _last_said(pattern: str, recent: Sequence[str]) -> int:
    """How lately a pattern was used: 0 never, larger the more lately."""
    parts = [part.strip() for part in _FIELD.split(pattern)[::2]]
    key = max(parts, key=len)
    for age, line in enumerate(reversed(recent)):
        if len(key) > 3 and key in line:
            return len(recent) - age
    return 0


@functools.cache
def _read(name: str) -> dict[str, tuple[str, ...]]:
    text = (
        resources.files("astraweave.dialogue.patterns")
        .joinpath(f"{name}.toml")
        .read_text(encoding="utf-8")
    )
    return {kind: tuple(lines) for kind, lines in tomllib.loads(text).items()}


def pattern_library(name: str) -> dict[str, tuple[str, ...]]:
    """Patterns of one flavour; what it lacks comes from ``plain``.

    Raises
    ------
    ConfigError
        There is no such flavour.
    """
    folder = resources.files("astraweave.dialogue.patterns")
    known = sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))
    if name not in known:
        raise ConfigError(
            f"there are no patterns {name!r}; there are: {', '.join(known)}",
            name=name,
            known=tuple(known),
        )
    return {**_read("plain"), **_read(name)}


def mentions(text: str) -> int:
    """How many sentences a text has."""
    return len(sentences(text))
