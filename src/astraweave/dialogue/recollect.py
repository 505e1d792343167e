"""Which memory a question is about, where its grammar cannot be matched.

The strict way (`answer`) compares clauses, and is right when it finds one. People ask about the
same thing in other words, though: "Where did Orla get hurt?" after "My aunt Orla broke her elbow by
the charcoal pit". Here the whole memory is the answer, said back as it was told, and the only
question is whether it holds what was asked for. Three things must hold:

- everybody and everything that the question names stands in the memory;
- the memory holds something of the sort that is asked for: a place, an age, a person who is not
  named in the question already ...;
- where the question asks for a common attribute (where somebody was born, what something cost), the
  memory speaks of that attribute.

Otherwise nothing is known, and saying so is the honest answer.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon, singular
from astraweave.dialogue.language.words import number_value, sentences, words
from astraweave.rag.salience import TELLING_TAG, is_question

__all__ = ["Candidate", "Sought", "fits", "recollect", "sought_in"]

_MIN_SIMILARITY = 0.3
"""A question that names nothing must at least sound like the memory."""
_CLEAR_SCORE = 6.0
_CLEAR_LEAD = 1.5
_MAX_HOLDERS = 3
"""A word that more memories than this share is no topic."""
_TOKEN = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*(?:['’][a-z]+)?|\d+")


@dataclass(slots=True, frozen=True)
class Candidate:
    """A memory that retrieval brought back.

    Attributes
    ----------
    text : str
        What was told.
    score : float
        What retrieval ranked it by.
    similarity : float
        Cosine to the question.
    """

    text: str
    score: float
    similarity: float


@dataclass(slots=True, frozen=True)
class Sought:
    """What a question asks for.

    Attributes
    ----------
    kind : str
        ``"person"``, ``"place"``, ``"age"``, ``"count"`` ...; ``"thing"`` fits anything.
    noun : str
        What is counted, or what bears the name that is asked for.
    names : frozenset of str
        Names in the question, in lower case.
    things : tuple of str
        Nouns in the question that name something in particular.
    attributes : tuple of str
        Attributes that the memory must speak of.
    """

    kind: str
    noun: str = ""
    names: frozenset[str] = frozenset()
    things: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Text:
    """A memory in words: as written, and bare in lower case."""

    written: list[str]
    low: list[str]
    starts: list[bool]
    """Whether a word begins a sentence, so that its capital says nothing."""
    words: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def of(cls, text: str) -> _Text:
        written, low, starts = [], [], []
        for match in _TOKEN.finditer(text):
            before = text[: match.start()].rstrip(" \"'“‘(")
            written.append(match.group())
            low.append(_bare(match.group()))
            starts.append(not before or before[-1] in ".!?:;")
        return cls(written, low, starts, frozenset(low))

    def names(self) -> list[tuple[int, str]]:
        """Places and lower-case forms of what is written like a name."""
        vocabulary, lex = _vocabulary(), lexicon()
        found = []
        for index, (word, low) in enumerate(zip(self.written, self.low, strict=True)):
            if not word[:1].isupper() or low in vocabulary["calendar"] or low in _FIRST_PERSON:
                continue
            plain = low in vocabulary["common"] or number_value(low) is not None
            if self.starts[index] and (plain or low in lex.forms or lex.known(low)):
                continue
            found.append((index, low))
        return found


def sought_in(question: str, told: Sequence[str] = (), *, ignore: Sequence[str] = ()) -> Sought:
    """Read what a question asks for.

    Parameters
    ----------
    question : str
        One question.
    told : sequence of str
        Memories; a first word counts as a name when one of them has it as a name.
    ignore : sequence of str
        Names that only address the listener.

    Examples
    --------
    >>> sought_in("How old is Mira?").kind
    'age'
    >>> sought_in("In what town was she born?").attributes
    ('born',)
    """
    low = question.lower().replace("’", "'")
    text = _Text.of(question)
    known = {name for memory in told for _, name in _Text.of(memory).names()}
    names = {name for index, name in text.names() if not text.starts[index] or name in known} - {
        name.lower() for name in ignore
    }
    kind, noun = _kind_of(low)
    general = _vocabulary()["common"] | _vocabulary()["general"]
    asked = words(question)
    things = tuple(
        word.low
        for word, before in zip(asked, [None, *asked], strict=False)
        if word.is_("N")
        and (
            not word.is_("VARE")
            or (before is not None and before.is_("DS") and word.can <= set("NV"))
        )
        and word.low not in general | names
    )
    attributes = tuple(
        name for name, asked_of, _ in _attributes() if kind != "job" and asked_of.search(low)
    )
    return Sought(kind, noun, frozenset(names), things, attributes)


def recollect(
    question: str, candidates: Sequence[Candidate], *, ignore: Sequence[str] = ()
) -> int | None:
    """The memory that answers a question; None when none does.

    Parameters
    ----------
    question : str
        One question.
    candidates : sequence of Candidate
        What was told by others, best first; questions among them tell nothing.
    ignore : sequence of str
        Names that only address the listener.

    Returns
    -------
    int or None
        Its place in `candidates`.
    """
    telling = [i for i, c in enumerate(candidates) if _tells(c.text)]
    sought = sought_in(question, [candidates[i].text for i in telling], ignore=ignore)
    topics = _topics(sought, [_Text.of(candidates[i].text) for i in telling])
    deeds: list[frozenset[str]] = []
    if sought.kind == "thing" and not topics:
        deeds = _deeds(question, [_Text.of(candidates[i].text) for i in telling])
    people = _described(sought, question, [_Text.of(candidates[i].text) for i in telling])
    found = []
    for index in telling:
        candidate, text = candidates[index], _Text.of(candidates[index].text)
        if not sought.names <= text.words or any(not p & text.words for p in [*people, *deeds]):
            continue
        missing = sum(not t & text.words for t in topics)
        # "Gran gave me a penny for it": the tooth was named in the line before.
        stands_in = bool(people or sought.names) and bool(text.words & {"it", "them"})
        if missing > stands_in:
            continue
        if _holds(sought, text) and _speaks_of(sought, text, candidate.text):
            found.append(index)
    if not found:
        return None
    found.sort(key=lambda index: -candidates[index].score)
    best = candidates[found[0]]
    if sought.names or topics or best.similarity >= _MIN_SIMILARITY:
        return found[0]
    # Nothing is named: only a memory that stands out from all others is meant.
    second = candidates[found[1]].score if len(found) > 1 else 0.0
    return found[0] if best.score >= max(_CLEAR_SCORE, _CLEAR_LEAD * second) else None


def fits(question: str, text: str, told: Sequence[str] = (), *, ignore: Sequence[str] = ()) -> bool:
    """Whether a memory holds what a question asks for.

    A name of the question may be missing from it where something else that was told says whose
    name it is ("My brother is called Tobin").
    """
    sought = sought_in(question, [text, *told], ignore=ignore)
    memory = _Text.of(text)
    hidden = [name for name in sought.names if name not in memory.words]
    known = " ".join(told).lower()
    if any(re.search(_INTRODUCED.format(re.escape(name)), known) is None for name in hidden):
        return False
    return _holds(sought, memory) and _speaks_of(sought, memory, text)


def _tells(text: str) -> bool:
    """Whether any sentence of a memory tells something."""
    return any(not is_question(TELLING_TAG.sub("", s)) for s in sentences(text))


# -- what is asked ------------------------------------------------------------------------------


def _kind_of(low: str) -> tuple[str, str]:
    for kind, pattern in _kinds():
        if (match := pattern.search(low)) is not None:
            noun = (
                match.groupdict().get("noun")
                or match.groupdict().get("noun2")
                or match.groupdict().get("noun3")
                or ""
            )
            return kind, noun.split()[-1] if noun else ""
    return "thing", ""


def _topics(sought: Sought, texts: Sequence[_Text]) -> list[frozenset[str]]:
    """Things of the question that some memory knows by the same word; the answer must have them.

    Each comes as the forms that it may have.
    """
    lex = lexicon()
    topics = []
    for word in sought.things:
        if (
            len(word) < 2
            or lex.keys(word) & (lex.persons | lex.times | lex.places)
            or word == sought.noun
        ):
            continue
        forms = _forms(word)
        if 0 < sum(bool(forms & text.words) for text in texts) <= _MAX_HOLDERS:
            topics.append(forms)
    return topics


def _deeds(question: str, texts: Sequence[_Text]) -> list[frozenset[str]]:
    """What was done to somebody, where some memory tells of it in the same word."""
    lex, found = lexicon(), []
    asked = words(question)
    if not any(w.low in {"was", "were"} for w in asked):
        return []
    for word in asked:
        if (
            not word.is_("V")
            or "part" not in word.forms
            or word.is_("ANJG")
            or word.lemma in _LIGHT
            or not word.lemma
        ):
            continue
        keys = {word.lemma, *lex.keys(word.low)}
        forms = frozenset(w for text in texts for w in text.words if lex.keys(w) & keys)
        if forms and sum(bool(forms & text.words) for text in texts) <= _MAX_HOLDERS:
            found.append(forms)
    return found


def _described(sought: Sought, question: str, texts: Sequence[_Text]) -> list[frozenset[str]]:
    """People of the question who are described, not named: the answer must speak of them.

    Each comes as the words that may stand for them: what they are called, and the names in the
    memories that describe them ("My brother Pell is a baker").
    """
    lex, found = lexicon(), []
    described = _DESCRIBED.findall(question.lower())
    for word in (first or second for first, second in described):
        keys = lex.keys(word) & lex.persons
        if not keys or word in _vocabulary()["general"] or word in {*sought.names, sought.noun}:
            continue
        forms = set(_forms(word))
        for text in texts:
            if forms & text.words:
                forms |= {name for _, name in text.names()}
        if len(forms) > len(_forms(word)) or any(forms & text.words for text in texts):
            found.append(frozenset(forms))
    return found


def _forms(word: str) -> frozenset[str]:
    """One and many: "bandit", "bandits"."""
    bare = singular(word)
    return frozenset({word, bare, bare + "s", bare + "es"})


# -- what a memory holds ------------------------------------------------------------------------


def _holds(sought: Sought, text: _Text) -> bool:
    """Whether the memory holds something of the sort that is asked for."""
    lex, vocabulary = lexicon(), _vocabulary()
    match sought.kind:
        case "person":
            return any(True for _ in _people(sought, text))
        case "place":
            return _has_place(sought, text)
        case "age":
            return any(_is_age(text, index) for index in _numbers(text))
        case "count":
            return any(
                _counts(sought.noun, n) for i in _numbers(text) for n in _all_counted(text, i)
            )
        case "money":
            return any(_counted(text, i) in vocabulary["money"] for i in _numbers(text))
        case "amount":
            return bool(_numbers(text))
        case "weekday":
            return bool(text.words & vocabulary["weekdays"])
        case "month":
            return bool(text.words & vocabulary["months"])
        case "time":
            return bool(text.words & (vocabulary["calendar"] | vocabulary["hours"]))
        case "colour":
            return any(lex.keys(word) & lex.colours for word in text.low)
        case "job":
            return any(_is_job(text, index) for index in range(len(text.low)))
        case "name":
            return _bears_name(sought, text)
    return True


def _bears_name(sought: Sought, text: _Text) -> bool:
    """Whether what the question means bears a name here: "my clerk, Dobbs", "is called Dobbs"."""
    bearers = [i for i, word in enumerate(text.low) if _same_sort(sought.noun, word)]
    names = [i for i, name in text.names() if name not in sought.names]
    if not bearers or not names:
        return False
    if text.words & _NAMING:
        return True
    return any(
        abs(n - b) <= 3 and not set(text.low[min(n, b) + 1 : max(n, b)]) - _BETWEEN
        for n in names
        for b in bearers
    )


def _people(sought: Sought, text: _Text) -> list[str]:
    """Who is in the memory but not in the question: names that are no places, "the ferryman"."""
    lex = lexicon()
    people = [
        name
        for index, name in text.names()
        if name not in sought.names and not _names_place(text, index)
    ]
    for index, word in enumerate(text.low[1:], 1):
        named = text.low[index + 1] in sought.names if index + 1 < len(text.low) else False
        described = bool({text.low[index - 1], text.low[index - 2]} & _WHOSE)
        somebody = lex.keys(word) & lex.persons or (
            text.low[index - 2] in _DEALING and _made(word) and not lex.known(word)
        )
        if described and not named and word not in sought.things and somebody:
            people.append(word)
    return people


def _names_place(text: _Text, index: int) -> bool:
    vocabulary = _vocabulary()
    before = text.low[index - 1] if index else ""
    if before in vocabulary["at"]:
        return True
    return before in vocabulary["towards"] and bool(text.words & vocabulary["travel"])


def _has_place(sought: Sought, text: _Text) -> bool:
    vocabulary = _vocabulary()
    for index, name in text.names():
        if name not in sought.names and _names_place(text, index):
            return True
    for index, name in text.names():
        if name not in sought.names and index and text.low[index - 1] in {"on", "off"}:
            return True
    if text.written and not any(w[:1].isupper() for w in text.written) and len(text.low) > 3:
        # Who writes without capitals leaves out articles too: "bandits camp at raven hollow".
        for word, after in zip(text.low[1:], text.low[2:], strict=False):
            if (
                word in {"at", "in", "near", "under"}
                and not lexicon().keys(after) & lexicon().times
            ):
                return True
    for index, word in enumerate(text.low[:-2]):
        if word not in vocabulary["at"] | vocabulary["beside"]:
            continue
        at = index + (2 if text.low[index + 1] in {"to", "of"} else 1)
        if at + 1 >= len(text.low) or text.low[at] not in vocabulary["articles"]:
            continue
        if not set(text.low[at + 1 : at + 3]) & (vocabulary["calendar"] | vocabulary["no_place"]):
            return True
    return False


def _numbers(text: _Text) -> list[int]:
    """Where numbers stand; of "two hundred" the last word."""
    found = [i for i, word in enumerate(text.low) if _is_number(word)]
    return [i for i in found if i + 1 not in found]


def _is_number(word: str) -> bool:
    return word != "one" and number_value(word) is not None


def _counted(text: _Text, index: int) -> str:
    """The noun that a number counts; empty when it counts nothing."""
    if text.low[index + 1 : index + 2] == ["of"] and set(text.low[index + 2 : index + 3]) & _WHOSE:
        index += 2  # "two of my hens"
    for word in text.low[index + 1 : index + 3]:
        if word in _vocabulary()["common"] | _vocabulary()["calendar"] | _DATING:
            return ""
        if word not in lexicon().adjectives:
            return word
    return ""


def _all_counted(text: _Text, index: int) -> list[str]:
    """What a number may count: "eleven iron seals" counts seals, whatever iron is."""
    first = _counted(text, index)
    if not first:
        return []
    at = text.low.index(first, index + 1)
    behind = text.low[at + 1 : at + 2]
    return [first, *(w for w in behind if w not in _vocabulary()["common"])]


def _counts(asked: str, counted: str) -> bool:
    if not counted:
        return False
    vocabulary = _vocabulary()
    if asked in vocabulary["spans"] and counted in vocabulary["spans"]:
        return True
    return _same_sort(asked, counted)


def _is_age(text: _Text, index: int) -> bool:
    following = text.low[index + 1 : index + 3]
    if following[:1] and following[0] in {"year", "years", "winters", "summers"}:
        return following[1:] in ([], ["old"], ["of"], ["now"], ["today"])
    before = text.low[index - 1] if index else ""
    return not _counted(text, index) and (
        before in {"is", "turned", "turns", "aged", "age", "be", "was", "turning"}
        or bool(set(following[:1]) & {"now", "already", "today"})
    )


def _is_job(text: _Text, index: int) -> bool:
    word, before = text.low[index], text.low[index - 1] if index else ""
    lex, vocabulary = lexicon(), _vocabulary()
    if word in vocabulary["kin"] or text.written[index][:1].isupper():
        return False
    named_as = {before, text.low[index - 2] if index > 1 else ""} & _NAMED_AS
    if lex.keys(word) & lex.persons:
        return bool(named_as)
    return _made(word) and bool(named_as) and not lex.known(word)


def _made(word: str) -> bool:
    """Whether a word is made like that of a trade: "drover", "clockmaker"."""
    return word.endswith(
        ("er", "or", "man", "smith", "wright", "monger", "binder", "wife", "keeper")
    )


def _same_sort(asked: str, word: str) -> bool:
    lex = lexicon()
    return lex.same(asked, word) or lex.is_kind(asked, word) or lex.is_kind(word, asked)


def _speaks_of(sought: Sought, text: _Text, memory: str) -> bool:
    """Whether the memory speaks of every attribute that the question asks for."""
    low = memory.lower()
    return all(
        said.search(low) is not None for name, _, said in _attributes() if name in sought.attributes
    )


# -- words --------------------------------------------------------------------------------------

_DATING = frozenset(["last", "next", "since", "winter", "summer", "now", "today"])
_INTRODUCED = r"(?:called|named|name is|name's|name was|is|am|was|[a-z]+,) {}\b"
_DESCRIBED = re.compile(
    r"\b(?:(?:the|my|our|his|her|their|that|'s) ([a-z-]+)"
    r"|(mum|dad|gran|daddy|mummy|granny|mother|father))\b"
)
_DEALING = frozenset(["to", "from", "by", "with", "called"])
_LIGHT = group("matching.light")
_NAMING = frozenset(
    ["called", "call", "calls", "named", "name", "names", "christened", "known", "dubbed"]
)
_BETWEEN = frozenset("is was are the a an my our old mr mrs certain good little named".split())
_WHOSE = frozenset(["a", "an", "the", "my", "our", "his", "her", "their"])
_NAMED_AS = frozenset(["a", "an", "as", "every", "any", "the", "is", "become", "became"])
_FIRST_PERSON = frozenset(["i", "i'm", "i've", "i'd", "i'll"])


def _bare(word: str) -> str:
    low = word.lower().replace("’", "'")
    return low.removesuffix("'s") if low not in _FIRST_PERSON else low


@functools.cache
def _data() -> dict[str, dict[str, str]]:
    text = resources.files(__package__ or "").joinpath("recollect.toml").read_text("utf-8")
    return tomllib.loads(text)


@functools.cache
def _vocabulary() -> dict[str, frozenset[str]]:
    groups = {name: frozenset(text.split()) for name, text in _data()["words"].items()}
    groups["calendar"] = groups["weekdays"] | groups["months"]
    return groups


@functools.cache
def _kinds() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(pattern)) for kind, pattern in _data()["kinds"].items())


@functools.cache
def _attributes() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    asked, said = _data()["asked"], _data()["said"]
    return tuple((name, re.compile(asked[name]), re.compile(said[name])) for name in asked)
