"""Whether a clause may be shown: whether anything known supports what it says.

A language model that is small enough to ship with a game invents. Its clauses pass only when they
claim nothing, or nothing that memory, persona, history and world do not support. It is strict on
purpose: a good clause that is thrown away costs a little colour, a false one costs the player's
trust.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from itertools import pairwise

import msgspec

from astraweave.dialogue.language.clauses import Clause, read
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import Word, number_value, sentences, words

__all__ = ["Knowledge", "Verdict", "check_clause"]

_ROLE = re.compile(
    r"\b(?:as an? (?:\w+ )?(?:ai|assistant|chatbot|language model|bot|machine|program)|language"
    r" model|chatbot|artificial intelligence|\bai\b|i(?:'m| am) (?:an? )?(?:\w+"
    r" )?assistant|openai|training data|my (?:training|programming)|virtual assistant|"
    r"how (?:can|may) i (?:assist|help) you (?:today)?|i(?:'m| am) here to"
    r" (?:help|assist)|role-?play|in character|fictional|the user|the player|this"
    r" (?:conversation|chat|game|story)|prompt|instructions?|npc)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^\s*[\"'*]*\s*[A-Z][\w' -]{0,24}\s*:\s|\b(?:user|assistant|system|player|human|npc)\s*:",
    re.IGNORECASE,
)
_LABEL_STRICT = re.compile(r"^\s*[\"'*]*\s*[A-Z][\w'-]{0,20}(?: [A-Z][\w'-]{0,20})?\s*:(?=\s)")
_MARKUP = re.compile(r"[*_#`~{}\[\]|<>\\]|https?:|www\.|&\w+;|\bdef \w+\(|^\s*[-•]\s|\d+\.\s+[A-Z]")
_FOR_PLAYER = re.compile(
    r"\byou (?:say|said|reply|replied|ask|asked|nod|smile|laugh|walk|feel|look|think|sigh|take"
    r" a|turn to|decide|whisper|shout)\b(?! that)(?!.*\?)",
    re.IGNORECASE,
)
_STAGE = re.compile(
    r"\b(?:he|she|they|tam|the smith)"
    r" (?:says?|said|replies|replied|smiles?|nods?|laughs?|grins?|asks?|asked|sighs?|looks?)\b",
    re.IGNORECASE,
)
_MAX_WORDS = 34
_SHARED_WORDS = 5
"""So many words in a row from a recent line count as copied."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a clause may be shown; when not, why."""

    passed: bool
    reasons: tuple[str, ...] = ()


class Knowledge:
    """The texts that a line may rest on, indexed for one check after another. Immutable.

    Parameters
    ----------
    texts : iterable of str
        What the character knows: memories, persona facts, history, world facts.
    names : iterable of str
        Names that may be spoken.
    own : iterable of str
        The character's facts about themselves: "I" in a clause must agree with these.
    """

    def __init__(
        self, texts: Iterable[str], names: Iterable[str] = (), own: Iterable[str] = ()
    ) -> None:
        self.sources = [_known(text) for text in dict.fromkeys(texts) if text]
        self.own = [_known(text) for text in dict.fromkeys(own) if text]
        self.names = {part.casefold() for name in names for part in re.findall(r"[^\W\d_]+", name)}
        for known in (*self.sources, *self.own):
            self.names |= known.names
        self.numbers = {n for known in (*self.sources, *self.own) for n in known.numbers}
        self.keys = frozenset().union(*(k.keys for k in (*self.sources, *self.own)))


class _Known:
    """One text: its words' lemmas, names and numbers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.keys: frozenset[str] = frozenset()
        self.names: set[str] = set()
        self.numbers: set[float] = set()
        self.negated = False
        lex = lexicon()
        keys: set[str] = set()
        for sentence in sentences(text):
            for word in words(sentence):
                if word.is_("E"):
                    self.names.add(word.low)
                elif word.is_("M"):
                    self.numbers.add(number_value(word.low) or 0.0)
                elif word.is_("G"):
                    self.negated = True
                keys |= lex.keys(word.low)
        self.keys = frozenset(keys)
        self._order = [w for w in _tokens(text) if w in self.names]

    def in_order(self, names: list[str]) -> bool:
        """Whether names stand in the order in which the text has them: who did it comes first."""
        left = iter(self._order)
        return all(name in left for name in names)


@functools.lru_cache(maxsize=1024)
def _known(text: str) -> _Known:
    return _Known(text)


def check_clause(
    clause: str, knowledge: Knowledge, *, recent: Sequence[str] = (), line: str = ""
) -> Verdict:
    """Judge one clause.

    Whether anything of it must not be shown whatever it claims (control text, other speakers'
    lines, the system's card) is `astraweave.guard.OutputGuard`'s to say.

    Parameters
    ----------
    clause : str
        What would be shown next.
    knowledge : Knowledge
        What it may rest on.
    recent : sequence of str
        The character's latest lines; nothing of them is said again.
    line : str
        What was already shown of this line.

    Examples
    --------
    >>> known = Knowledge(["My sister Mira hid a ring under the mill."])
    >>> check_clause("The fire is hot today.", known).passed
    True
    >>> check_clause("Mira hid it in the well.", known).reasons
    ('claim',)
    """
    reasons = list(_form(clause, recent, line))
    if not reasons:
        reasons += _claims(clause, knowledge)
    return Verdict(passed=not reasons, reasons=tuple(dict.fromkeys(reasons)))


# -- form ---------------------------------------------------------------------------------------


def _form(clause: str, recent: Sequence[str], line: str) -> Iterable[str]:
    bare = clause.strip()
    if not bare or not any(c.isalpha() for c in bare):
        yield "empty"
        return
    if _MARKUP.search(bare) or "\n" in bare:
        yield "markup"
    letters = [c for c in bare if c.isalpha()]
    if sum(c.isascii() or c in "éèêëàâäöüïîôûçñæœ" for c in letters.__iter__()) < 0.98 * len(
        letters
    ):
        yield "language"
    if sum(c.isupper() for c in letters) > 0.6 * len(letters) and len(letters) > 6:
        yield "shouting"
    if _ROLE.search(bare) or _LABEL_STRICT.search(bare) or _LABEL.match(bare):
        yield "role"
    if _FOR_PLAYER.search(bare) or _STAGE.search(bare):
        yield "role"
    tokens = _tokens(bare)
    if len(tokens) > _MAX_WORDS:
        yield "length"
    if _repeats(tokens, line, recent):
        yield "repetition"


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.lower().replace("’", "'"))


def _repeats(tokens: list[str], line: str, recent: Sequence[str]) -> bool:
    joined = " ".join(tokens)
    if len(tokens) >= 2 and f" {joined} " in f" {' '.join(_tokens(line))} ":
        return True
    if _shares(tokens, _tokens(line), _SHARED_WORDS):
        return True
    pairs = [p for p in pairwise(tokens) if max(map(len, p)) > 3]
    if len(set(pairs)) < len(pairs):
        return True
    triples = [tuple(tokens[i : i + 3]) for i in range(len(tokens) - 2)]
    if len(set(triples)) < len(triples) or any(
        a == b
        for a, b in pairwise(tokens)
        if a not in {"very", "well", "so", "that", "had", "no", "aye", "now"}
    ):
        return True
    content = {t for t in tokens if len(t) > 3}
    for said in recent:
        before = _tokens(said)
        if joined == " ".join(before) or (
            len(tokens) >= 3 and _shares(tokens, before, max(_SHARED_WORDS, len(tokens) - 1))
        ):
            return True
        if len(tokens) >= 4 and f" {joined} " in f" {' '.join(before)} ":
            return True
        if len(content) >= 4 and len(content & set(before)) >= 0.85 * len(content):
            return True
    return False


def _shares(tokens: list[str], other: list[str], size: int) -> bool:
    """Whether `size` neighbouring words stand in both."""
    if len(tokens) < size or len(other) < size:
        return False
    runs = {tuple(other[i : i + size]) for i in range(len(other) - size + 1)}
    return any(tuple(tokens[i : i + size]) in runs for i in range(len(tokens) - size + 1))


# -- claims -------------------------------------------------------------------------------------


@functools.cache
def _flavour() -> frozenset[str]:
    text = (
        resources.files("astraweave.dialogue")
        .joinpath("vocabulary.toml")
        .read_text(encoding="utf-8")
    )
    return frozenset(tomllib.loads(text)["flavour"].split())


def _claims(text: str, knowledge: Knowledge) -> list[str]:
    reasons: list[str] = []
    for sentence in sentences(text):
        found = words(sentence)
        reasons += _names_and_numbers(found, knowledge)
        if not sentence.rstrip().endswith("?"):
            for clause in read(sentence):
                if (reason := _clause_claim(clause, found, knowledge)) is not None:
                    reasons.append(reason)
        elif _presumes(found, knowledge):
            reasons.append("claim")
    return reasons


def _names_and_numbers(found: list[Word], knowledge: Knowledge) -> list[str]:
    reasons = []
    for word in found:
        if (
            word.is_("E")
            and word.low not in knowledge.names
            and not knowledge.keys & lexicon().keys(word.low)
        ):
            first = word is found[0]
            if not (first and lexicon().keys(word.low) & _flavour()) and word.low not in {
                "god",
                "gods",
                "aye",
                "nay",
                "hm",
                "heh",
                "ha",
                "mm",
                "lord",
                "heaven",
            }:
                reasons.append("name")
        if (
            word.is_("M")
            and word.low not in {"one", "once"}
            and (number_value(word.low) or 0.0) not in knowledge.numbers
        ):
            reasons.append("number")
    return reasons


def _content(span: list[Word]) -> list[Word]:
    lex = lexicon()
    shades = lex.colours | lex.materials
    return [
        w for w in span if (w.is_("NEVM") and not w.is_("AOSD")) or (w.is_("J") and w.low in shades)
    ]


def _clause_claim(clause: Clause, found: list[Word], knowledge: Knowledge) -> str | None:
    span = found[clause.start : clause.end] or found
    content = [w for w in _content(span) if w.low not in _INTERJECTIONS]
    strange = [w for w in content if not _free(w)]
    if not all(_known_anywhere(w, knowledge) for w in strange):
        return "claim"
    if any(w.low in _WHEN and w.low not in knowledge.keys for w in span):
        return "claim"
    happened = _asserts_past(clause) or _holds(clause)
    if not (strange or happened or _whose(span)):
        return None
    needed = [w for w in content if not _light(w)] if happened or _whose(span) else strange
    if strange:  # "the soup was warm" when it was cold
        needed = needed + [
            w for w in span if w.is_("J") and w.low not in _PRAISE and w not in needed
        ]
    first_person = any(w.low in {"i", "my", "we", "our"} for w in span)
    about_player = any(w.low in {"you", "your"} for w in span)
    pools = [*knowledge.sources, *knowledge.own]
    if first_person and not about_player:
        pools = knowledge.own
    names = [w.low for w in needed if w.is_("E")]
    for known in pools:
        agrees = known.negated == clause.negated and known.in_order(names)
        if needed and agrees and all(_in(w, known) for w in needed):
            return None
    return "claim"


_PRAISE = group("check.praise")
_INTERJECTIONS = group("check.interjections")


_WHEN = frozenset(
    ["tomorrow", "tonight", "yesterday", "monday", "tuesday", "wednesday", "thursday", "friday"]
)


def _known_anywhere(word: Word, knowledge: Knowledge) -> bool:
    if word.is_("E"):
        return word.low in knowledge.names
    if word.is_("M"):
        return (number_value(word.low) or 0.0) in knowledge.numbers
    return bool(knowledge.keys & lexicon().keys(word.low))


def _holds(clause: Clause) -> bool:
    """Whether something lasting is said of the player: "you have", "you live"."""
    subject = clause.subject
    return (
        subject is not None
        and subject.head.low == "you"
        and clause.verb in {"have", "own", "live", "keep", "owe", "possess", "belong"}
        and clause.link not in {"if", "when"}
    )


def _free(word: Word) -> bool:
    if word.is_("M"):
        return word.low == "one"
    return word.low in _flavour() or bool(lexicon().keys(word.low) & _flavour())


def _light(word: Word) -> bool:
    return not word.is_("E") and bool(lexicon().keys(word.low) & _LIGHT)


_LIGHT = group("check.light")


def _in(word: Word, known: _Known) -> bool:
    if word.is_("E"):
        return word.low in known.names
    if word.is_("M"):
        return (number_value(word.low) or 0.0) in known.numbers
    return bool(lexicon().keys(word.low) & known.keys)


def _whose(span: list[Word]) -> bool:
    """Whether something is said of a thing of the player's, or of a person of the character's."""
    lex = lexicon()
    for index, word in enumerate(span[:-1]):
        after = span[index + 1]
        if (
            word.low in {"your", "my", "our"}
            and lex.keys(after.low) & lex.persons
            and not lex.keys(after.low) & {"friend", "guest", "customer", "man", "lad", "lass"}
        ):
            return True
        if (
            word.low == "your"
            and after.is_("N")
            and not lex.keys(after.low)
            & {
                "way",
                "word",
                "mind",
                "time",
                "hand",
                "hands",
                "face",
                "heart",
                "luck",
                "company",
                "foot",
                "feet",
                "day",
                "health",
                "story",
                "question",
                "seat",
                "self",
                "back",
                "coat",
                "eye",
                "road",
                "journey",
                "work",
                "trouble",
                "memory",
                "name",
                "step",
                "patience",
                "tongue",
                "ear",
                "life",
            }
        ):
            return True
    return False


def _asserts_past(clause: Clause) -> bool:
    """Whether something is said to have happened."""
    subject = clause.subject
    if subject is None or clause.link in {"if", "when", "unless"}:
        return False
    somebody = subject.head.is_("OE") or bool(lexicon().keys(subject.head.low) & lexicon().persons)
    if not somebody or subject.head.low in {"it", "that", "this", "nobody", "everybody"}:
        return False
    main = clause.verbs[0] if clause.verbs else None
    if main is not None and main.lemma in {"hope", "wish", "wonder", "guess", "suppose", "doubt"}:
        return False
    told = (
        main is not None
        and "past" in main.forms
        and not clause.auxiliaries
        and main.low
        not in {
            "put",
            "cut",
            "hit",
            "let",
            "set",
            "shut",
            "cost",
            "read",
            "beat",
            "hurt",
            "come",
            "become",
            "run",
        }
    )
    perfect = any(a.lemma == "have" for a in clause.auxiliaries) and main is not None
    was = any(a.low in {"was", "were", "did", "had"} for a in clause.auxiliaries)
    if not (told or perfect or was):
        return False
    if subject.head.low in {"that", "it", "this", "there"} and not (
        clause.places or clause.objects
    ):
        return False
    return not (
        main is not None
        and main.lemma in {"think", "wonder", "hear", "hope", "say", "know", "mean", "guess"}
        and not clause.objects
        and not clause.places
    )


def _presumes(found: list[Word], knowledge: Knowledge) -> bool:
    """Whether a question takes for granted what nobody said: "how is your wife?"."""
    strange = [w for w in _content(found) if not _free(w) and not w.is_("E")]
    for word in strange:
        if not knowledge.keys & lexicon().keys(word.low):
            return True
    for index, word in enumerate(found[:-1]):
        after = found[index + 1]
        if (
            word.low == "your"
            and after.is_("N")
            and lexicon().keys(after.low) & lexicon().persons
            and not knowledge.keys & lexicon().keys(after.low)
        ):
            return True
    return False
