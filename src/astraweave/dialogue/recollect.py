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

Where no memory passes, trees that were fitted to questions and their answers weigh what speaks for
each (`astraweave.dialogue.bearing`); what they are sure enough of is said with a doubt. Otherwise
nothing is known, and saying so is the honest answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from astraweave.dialogue.bearing import bearing
from astraweave.dialogue.evidence import needs_of, of_that_side, supported
from astraweave.dialogue.holding import holds, speaks_of
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon, singular
from astraweave.dialogue.language.words import sentences, words
from astraweave.dialogue.memory_words import Text, word_groups
from astraweave.dialogue.signs import Told
from astraweave.dialogue.sought import Sought, sought_in
from astraweave.rag.salience import TELLING_TAG, is_question

__all__ = ["Candidate", "Recollected", "Sought", "fits", "recollect", "sought_in"]

_MIN_SIMILARITY = 0.3
"""A question that names nothing must at least sound like the memory."""
_NEAR = 0.45
"""A memory so near in meaning need not speak of all that the question does."""
_FIRST_PERSON = frozenset(["i", "i'm", "i've", "i'd", "i'll", "me", "my", "mine", "you", "your"])
_TO_ONESELF = frozenset(["me", "mine", "myself", "us"])
_DISOWNING = frozenset(["can't", "cannot", "doesn't", "don't", "never", "not", "no", "hates"])
_WHENCE = re.compile(
    r"\b(?:am|is|are) [\w' ]+ from\W*$|\b(?:come|comes|hail) from\W*$", re.IGNORECASE
)
_WHITHER = re.compile(r"\b(?:travel(?:s|ling)?|going|off to|heading|bound)\b", re.IGNORECASE)
_CLEAR_SCORE = 6.0
_CLEAR_LEAD = 1.5
_MAX_HOLDERS = 3
"""A word that more memories than this share is no topic."""
_INTRODUCED = r"(?:called|named|name is|name's|name was|is|am|was|[a-z]+,) {}\b"
_DESCRIBED = re.compile(
    r"\b(?:(?:the|my|our|his|her|their|that|'s) ([a-z-]+)"
    r"|(mum|dad|gran|daddy|mummy|granny|mother|father))\b"
)
_LIGHT = group("matching.light")


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
    also : frozenset of str
        Words that stand for somebody in it, in lower case: "isaura" where it says "my aunt".
    order : int
        Its place in time.
    somebody : bool
        It names one of those who talk, which only who knows them can tell.
    met, missed : int
        People of the question whom it speaks of, and whom it does not.
    """

    text: str
    score: float
    similarity: float
    also: frozenset[str] = frozenset()
    order: int = 0
    somebody: bool = False
    met: int = 0
    missed: int = 0


@dataclass(slots=True, frozen=True)
class Recollected:
    """A candidate that answers: its place, and the share of the question that it speaks of.

    `likely`: no rule takes it; its signs alone speak for it.
    """

    index: int
    share: float
    likely: bool = False


def recollect(
    question: str,
    candidates: Sequence[Candidate],
    *,
    ignore: Sequence[str] = (),
    people: Collection[str] = frozenset(),
    mine: bool = False,
    least: float = 1.0,
) -> Recollected | None:
    """The memory that answers a question; None when none does.

    Where strict rules take no memory, what is likely counts: how much the signs of a memory say
    that it answers (`astraweave.dialogue.bearing`).

    Parameters
    ----------
    question : str
        One question.
    candidates : sequence of Candidate
        What was told by others, best first; questions among them tell nothing.
    ignore : sequence of str
        Names that only address the listener.
    people : collection of str
        Words of the question that mean somebody of whom a candidate may speak.
    mine : bool
        The question is about the one who asks, whose words all candidates are.
    least : float
        The share of the question that a memory has to speak of.
    """
    telling = [i for i, c in enumerate(candidates) if _tells(c.text)]
    if not telling:
        return None
    sought = sought_in(question, [candidates[i].text for i in telling], ignore=ignore)
    if mine:
        telling = [i for i in telling if not _nobodys(sought, Text.of(candidates[i].text))]
    taken = _taken(question, candidates, telling, sought, people, mine=mine, least=least)
    if (best := _best(taken, candidates, sought, people, question, telling)) is not None:
        return best
    if not telling:
        return None
    by_rule = {each.index for each in taken}
    told = [_told(candidates[i], rules=i in by_rule) for i in telling]
    likeliest = bearing(question, told, sought, people)
    return None if likeliest is None else Recollected(telling[likeliest], 0.0, likely=True)


def _told(candidate: Candidate, *, rules: bool) -> Told:
    return Told(
        text=candidate.text,
        score=candidate.score,
        similarity=candidate.similarity,
        words=Text.of(candidate.text).words | candidate.also,
        met=candidate.met,
        missed=candidate.missed,
        somebody=candidate.somebody,
        rules=rules,
    )


def _taken(
    question: str,
    candidates: Sequence[Candidate],
    telling: Sequence[int],
    sought: Sought,
    people: Collection[str],
    *,
    mine: bool,
    least: float,
) -> list[Recollected]:
    """What the strict rules take."""
    telling = [i for i in telling if not candidates[i].missed]
    texts = [Text.of(candidates[i].text) for i in telling]
    topics = _topics(sought, texts)
    deeds = _deeds(question, texts) if sought.kind == "thing" and not topics else []
    described = _described(sought, question, texts, people)
    needs = needs_of(question, sought, people)
    named = sought.names - set(people)
    things = named if sought.kind == "person" else named & _places_in(question)
    known = replace(sought, names=sought.names | set(people))
    found: list[Recollected] = []
    for index in telling:
        candidate, text = candidates[index], Text.of(candidates[index].text)
        told = text.words | candidate.also
        if not named <= told or any(not p & told for p in [*described, *deeds]):
            continue
        missing = sum(not t & text.words for t in topics)
        # "Gran gave me a penny for it": the tooth was named in the line before.
        stands_in = bool(described or people or sought.names) and bool(text.words & {"it", "them"})
        if missing > stands_in:
            continue
        someone = sought.kind == "person" and candidate.somebody
        if not (someone or holds(known, text)) or (
            least >= 1.0 and not speaks_of(sought, text, candidate.text)
        ):
            continue
        met = [supported(need, text, question, candidate.text) for need in needs]
        strict = [ok for need, ok in zip(needs, met, strict=True) if need.thing]
        near = candidate.similarity >= _NEAR and any(met) and bool(people or sought.names)
        near = near and sought.kind != "animal"  # that one is spoken of says nothing of whose it is
        told_of = any(met) or bool(of_that_side(question, candidate.text))
        if not all(strict) and not (stands_in and told_of) and not near:
            continue
        share = _share(sought, question, candidate.text, [*met, *(True for _ in things)])
        if share is None or (mine and not needs and not text.words & _FIRST_PERSON):
            continue
        if _beside_it(sought, question, text, candidate.text) or (
            mine and _of_theirs(text, sought)
        ):
            continue
        if share >= least or near or (stands_in and told_of and not all(strict)):
            found.append(Recollected(index, share))
    return found


def _best(
    found: list[Recollected],
    candidates: Sequence[Candidate],
    sought: Sought,
    people: Collection[str],
    question: str,
    telling: Sequence[int],
) -> Recollected | None:
    """Of what the rules take, what answers best; None where nothing stands out."""
    if not found:
        return None
    most = max(each.share for each in found)
    found = [each for each in found if each.share == most]
    if most >= 1.0:  # of those that say all, the last word counts
        return max(found, key=lambda each: candidates[each.index].order)
    found.sort(key=lambda each: -candidates[each.index].score)
    best = candidates[found[0].index]
    texts = [Text.of(candidates[i].text) for i in telling if not candidates[i].missed]
    if sought.names or people or _topics(sought, texts) or best.similarity >= _MIN_SIMILARITY:
        return found[0]
    # Nothing is named: only a memory that stands out from all others is meant.
    second = candidates[found[1].index].score if len(found) > 1 else 0.0
    return found[0] if best.score >= max(_CLEAR_SCORE, _CLEAR_LEAD * second) else None


def _places_in(question: str) -> set[str]:
    """Names in a question that stand where a place stands: "in Deepwater"."""
    text, groups = Text.of(question), word_groups()
    before = zip(text.low, text.low[1:], strict=False)
    return {word for lead, word in before if lead in groups["at"]}


def _share(sought: Sought, question: str, memory: str, met: Sequence[bool]) -> float | None:
    """The share of a question that a memory speaks of; None where it is of another side of life."""
    if met:
        return sum(met) / len(met)
    if sought.attributes:
        return 1.0
    side = of_that_side(question, memory)
    if side is not None:
        return 1.0 if side else None
    return 0.0 if sought.kind in {"thing", "person", "place", "time"} else 1.0


def fits(question: str, text: str, told: Sequence[str] = (), *, ignore: Sequence[str] = ()) -> bool:
    """Whether a memory holds what a question asks for.

    A name of the question may be missing from it where something else that was told says whose
    name it is ("My brother is called Tobin").
    """
    sought = sought_in(question, [text, *told], ignore=ignore)
    memory = Text.of(text)
    hidden = [name for name in sought.names if name not in memory.words]
    known = " ".join(told).lower()
    if any(re.search(_INTRODUCED.format(re.escape(name)), known) is None for name in hidden):
        return False
    if Text.of(question).words & {"my", "our"} and _nobodys(sought, memory):
        return False
    return holds(sought, memory) and speaks_of(sought, memory, text)


def _nobodys(sought: Sought, text: Text) -> bool:
    """Whether a taste is asked for, and a memory tells nobody's: "old songs are the best"."""
    return "favourite" in sought.attributes and not text.words & _FIRST_PERSON


def _beside_it(sought: Sought, question: str, text: Text, memory: str) -> bool:
    """Whether a memory names a place or an animal, but not whence, whither or whose it is."""
    if sought.kind == "animal":
        return bool(text.words & _DISOWNING)
    moving = _WHENCE.search(question) or _WHITHER.search(question)
    return sought.kind == "place" and bool(moving) and not of_that_side(question, memory)


def _of_theirs(text: Text, sought: Sought) -> bool:
    """Whether a memory speaks of somebody of the teller's, and not of the teller."""
    lex = lexicon()
    theirs = [
        index
        for index, (lead, word) in enumerate(zip(text.low, text.low[1:], strict=False))
        if lead == "my" and lex.keys(word) & lex.persons
    ]
    if not theirs:
        return False
    if sought.kind in {"job", "age"}:
        return True
    # "My aunt has done it since I was small"
    return theirs[0] == 0 and not text.words & _TO_ONESELF


def _tells(text: str) -> bool:
    """Whether any sentence of a memory tells something."""
    return any(not is_question(TELLING_TAG.sub("", s)) for s in sentences(text))


def _topics(sought: Sought, texts: Sequence[Text]) -> list[frozenset[str]]:
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


def _deeds(question: str, texts: Sequence[Text]) -> list[frozenset[str]]:
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


def _described(
    sought: Sought, question: str, texts: Sequence[Text], people: Collection[str]
) -> list[frozenset[str]]:
    """People of the question who are described, not named: the answer must speak of them.

    Each comes as the words that may stand for them: what they are called, and the names in the
    memories that describe them ("My brother Pell is a baker").
    """
    lex, found = lexicon(), []
    described = _DESCRIBED.findall(question.lower())
    for word in (first or second for first, second in described):
        keys = lex.keys(word) & lex.persons
        if word in people or not keys or word in word_groups()["general"]:
            continue
        if word in {*sought.names, sought.noun}:
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
