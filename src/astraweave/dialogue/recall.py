"""What to look for before a line, and what to keep after it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.context.turn import Turn
from astraweave.dialogue.acts import act_of, is_telling
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.language.clauses import Phrase
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import read_question
from astraweave.dialogue.language.words import number_value, sentences, words
from astraweave.dialogue.retell import retell_phrase

__all__ = ["memory_text", "retrieval_query"]

_CORRECTS = re.compile(
    r"^(?:(?:oh|no|wait|sorry|actually|hold on|hm+|i mean|correction|let me correct that|i"
    r" misspoke|i was wrong|pardon|ah|well|forgive me)\b[\s,.:!—-]*)+",
    re.IGNORECASE,
)
_NOT_OLD = re.compile(
    r"\b([\w'-]+),? not (?:an? |the )?([\w'-]+)|\bnot (?:an? |the )?([\w'-]+),? but (?:an? |the"
    r" )?([\w'-]+)",
    re.IGNORECASE,
)
_LOOK_BACK = 6


def retrieval_query(utterance: str, history: Sequence[Turn]) -> str:
    """The text to retrieve memories by: the question alone, its pronouns resolved.

    Greetings and wrappings ("Tam, do you remember ...") pull retrieval towards small talk.
    """
    for sentence in reversed(sentences(utterance)):
        if (question := read_question(sentence)) is not None:
            # "Something of mine is under the bridge. What is it?": the question alone says nothing.
            alone = any(w.is_("NE") for w in words(question.text))
            return _resolved(question.text if alone else utterance, history)
    return _resolved(utterance, history)


def memory_text(utterance: str, history: Sequence[Turn]) -> str:
    """What of an utterance to keep as a memory: pronouns resolved, corrections spelt out.

    "She lives in Fenwick" after "My sister is called Mira" becomes "My sister lives in Fenwick";
    "Actually seven, not five" after "I have five goats" becomes "I have seven goats". An utterance
    that needs neither comes back as it was.
    """
    if (corrected := _corrected(utterance, history)) is not None:
        return corrected
    if not is_telling(sentences(utterance)[0] if sentences(utterance) else utterance):
        return utterance
    # Only people: who "they" are is guessed too often to be written down.
    return _resolved(utterance, history, people_only=True)


def _earlier(history: Sequence[Turn]) -> list[str]:
    """What the other side told lately, newest first."""
    said = [t.text for t in history if t.role == "user"]
    return said[-_LOOK_BACK:][::-1]


def _corrected(utterance: str, history: Sequence[Turn]) -> str | None:
    opening = _CORRECTS.match(utterance)
    changed = _NOT_OLD.search(utterance)
    if opening is None and changed is None:
        return None
    if changed is not None:
        new, old = (changed[1], changed[2]) if changed[1] else (changed[4], changed[3])
        for text in _earlier(history):
            found = re.search(rf"\b{re.escape(old)}\b", text, re.IGNORECASE)
            if found and not text.rstrip().endswith("?"):
                return text[: found.start()] + new + text[found.end() :]
        return None
    if opening is None or len(utterance.split()) > 7:
        return None
    numbers = [w for w in words(utterance[opening.end() :]) if number_value(w.low) is not None]
    if len(numbers) != 1:
        return None
    if any(w.is_("N") for w in words(utterance[opening.end() :])):
        return None
    for text in _earlier(history)[:2]:
        known = [w for s in [text] for w in words(s) if number_value(w.low) is not None]
        if len(known) == 1:
            return text[: known[0].start] + numbers[0].text + text[known[0].end :]
    return None


def _resolved(text: str, history: Sequence[Turn], *, people_only: bool = False) -> str:
    found = words(text)
    for index, word in enumerate(found):
        low = word.low
        if (
            low in {"he", "she", "his", "him"}
            or (low == "her")
            or (low in {"it", "they"} and index <= 1 and not people_only)
        ):
            person = low not in {"it", "they"}
            if (
                any(w.is_("E") or lexicon().keys(w.low) & lexicon().persons for w in found[:index])
                and person
            ):
                return text
            meant = _last_mentioned(history, low)
            if meant is None:
                return text
            said = retell_phrase(meant, swap=False)
            said += "'s" if word.is_("S") or low == "his" else ""
            if index == 0:
                said = said[:1].upper() + said[1:]
            return text[: word.start] + said + text[word.end :]
    return text


_FEMALE = group("recall.female")
_MALE = group("recall.male")


def _last_mentioned(history: Sequence[Turn], pronoun: str) -> Phrase | None:
    """Whom or what "she", "he", "it" or "they" means, in the latest tellings."""
    lex = lexicon()
    person = pronoun not in {"it", "they"}
    wrong = _MALE if pronoun in {"she", "her"} else _FEMALE
    for text in _earlier(history)[:4]:
        if act_of(text).kind != "telling":
            continue
        for fact in reversed(facts_of(Source(text, "", ""))):
            for phrase in fact.clause.phrases():
                keys = lex.keys(phrase.head.low)
                if phrase.head.is_("O") or not phrase.words or keys & lex.times:
                    continue
                owner = phrase.owner
                if phrase.head.low == "name" and owner is not None:
                    phrase, keys = owner, lex.keys(owner.head.low)
                plural = phrase.head.low not in keys and bool(keys & lex.persons)
                is_person = bool(phrase.names and phrase.head.is_("E")) or bool(keys & lex.persons)
                fits = is_person or lex.is_kind("animal", phrase.head.low)
                if person and fits and not keys & wrong and not plural:
                    return phrase
                if not person and not is_person:
                    return phrase
        return None
    return None
