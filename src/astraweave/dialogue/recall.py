"""What to look for before a line, and what to keep after it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.context.turn import Turn
from astraweave.dialogue.acts import act_of, completed, is_telling
from astraweave.dialogue.facts import Fact, Source, facts_of
from astraweave.dialogue.language.clauses import Phrase
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon, singular
from astraweave.dialogue.language.paraphrase import plain_question
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import Word, number_value, plainly, sentences, words
from astraweave.dialogue.retell import retell_phrase
from astraweave.rag.salience import is_question

__all__ = ["carried_over", "corrected", "memory_text", "resolved_question", "retrieval_query"]

_TAKING_BACK = (
    r"(?:oh|no|nay|wait|sorry|actually|hold on|hm+|i mean(?:t)?|correction|let me correct that|i"
    r" misspoke|i was wrong|my mistake|(?:i beg (?:your |yer )?)?pardon(?: me)?|ah|well|forgive me|"
    r"(?:belay|scratch|strike) that|make (?:that|it)|or rather|rather)"
)
_CORRECTS = re.compile(
    rf"^(?:{_TAKING_BACK}\b[\s,.:!—-]*)+"
    r"(?:(?:it|that|there)(?:'s| was| is| were| are) |'?twas |now )?",
    re.IGNORECASE,
)
_AMENDS = re.compile(
    rf"[.,;:!—-]+\s*(?:{_TAKING_BACK}\b[\s,.:!—-]*)+"
    r"(?:(?:it|that|there)(?:'s| was| is| were| are) |'?twas |now )?",
    re.IGNORECASE,
)
_NOT_OLD = re.compile(
    r"\b([\w'-]+), not (?:(?:on|in|at|to|from|for|with|by) )?(?:an? |the )?([\w'-]+)"
    r"|\bnot (?:an? |the )?([\w'-]+),? but (?:an? |the )?([\w'-]+)",
    re.IGNORECASE,
)
_SAME = {
    **dict.fromkeys(["he", "him", "his"], frozenset(["he", "him", "his"])),
    **dict.fromkeys(["she", "her"], frozenset(["she", "her", "hers"])),
    **dict.fromkeys(["it", "they"], frozenset[str]()),
}
"""Pronouns that go on about the same person."""
_LOOK_BACK = 6


def retrieval_query(utterance: str, history: Sequence[Turn]) -> str:
    """The text to retrieve memories by: the question alone, its pronouns resolved.

    Greetings and wrappings ("Tam, do you remember ...") pull retrieval towards small talk.
    """
    utterance = carried_over(utterance, history)
    for sentence in reversed(sentences(utterance)):
        if (question := read_question(sentence)) is not None:
            # "Something of mine is under the bridge. What is it?": the question alone says nothing.
            alone = any(w.is_("NE") for w in words(question.text))
            return _resolved(question.text if alone else utterance, history)
    return _resolved(utterance, history)


def resolved_question(utterance: str, history: Sequence[Turn]) -> str:
    """A question whose "her" and "it" say whom and what they mean, where the talk is clear."""
    utterance = plain_question(carried_over(plainly(utterance), history))
    if not is_question(utterance):
        return utterance
    *before, last = sentences(utterance) or [utterance]
    if before and is_question(last):
        # "I need my ring back. Where is it?": what the question means was said just before it.
        said = Turn(role="user", speaker="", text=" ".join(before))
        resolved = _resolved(last, [*history, said])
        if resolved != last:
            return resolved
    return _resolved(utterance, history)


_FURTHER = re.compile(
    r"^(?:(?:and|or|but|so)[\s,]+)?(?:(?:what|how) about[\s,]+|(?<=and )|(?<=or ))"
    r"(?P<whom>(?!(?:you|me|us|then|now|so|that|this|it|wh\w+|how|is|are|was|were|"
    r"did|do|does|can|could|will|would|has|have|if)\b)[^\W\d_][\w' -]{1,40}?)\s*\?$",
    re.IGNORECASE,
)


def carried_over(utterance: str, history: Sequence[Turn]) -> str:
    """A question that goes on with the one before, in full.

    Examples
    --------
    >>> asked = [Turn(role="user", speaker="ash", text="Where does my sister live?")]
    >>> carried_over("And my brother?", asked)
    'Where does my brother live?'
    """
    further = _FURTHER.match(utterance.strip())
    if further is None:
        return utterance
    for turn in list(history)[::-1][:_LOOK_BACK]:
        before = turn.text.strip()
        if turn.role != "user" or not is_question(before) or _FURTHER.match(before):
            continue
        question = next(
            (q for s in reversed(sentences(before)) if (q := read_question(s)) is not None), None
        )
        if question is None:
            return utterance
        for phrase in (question.target, question.clause.subject, *question.clause.phrases()):
            if phrase is None or not phrase.words or phrase.head.is_("OW"):
                continue
            said = re.escape(" ".join(w.text for w in phrase.words)).replace(r"\ ", r"\s+")
            owned = r"(?:(?:my|your|his|her|its|our|their|the|an?)\s+|[\w']+'s\s+)*"
            found = re.search(rf"(?<!\w){owned}{said}(?!\w)", question.text, re.IGNORECASE)
            if found is not None:
                whole = (
                    question.text[: found.start()] + further["whom"] + question.text[found.end() :]
                )
                return whole if whole.endswith("?") else f"{whole}?"
        return utterance
    return utterance


def memory_text(utterance: str, history: Sequence[Turn]) -> str:
    """What of an utterance to keep as a memory: pronouns resolved, corrections spelt out.

    "She lives in Fenwick" after "My sister is called Mira" becomes "My sister lives in Fenwick";
    "Actually seven, not five" after "I have five goats" becomes "I have seven goats". An utterance
    that needs neither comes back as it was.
    """
    if (corrected := _corrected(utterance, history)) is not None:
        return corrected
    utterance = _counted(_amended(completed(utterance)), history)
    if not any(is_telling(sentence) for sentence in sentences(utterance)):
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
        if not all(word.is_("NEM") and not word.is_("VA") for word in words(f"{new} {old}")):
            return None  # "has not been seen" takes nothing back
        for text in _earlier(history):
            found = re.search(rf"\b{re.escape(old)}\b", text, re.IGNORECASE)
            if found and not text.rstrip().endswith("?"):
                return text[: found.start()] + new + text[found.end() :]
        return None
    said = words(utterance[opening.end() :]) if opening is not None else []
    if not said or (value := _value(said[0])) is None:
        return None
    noun = next((w for w in said[1:2] if w.is_("N")), None)
    if noun is None and (len(utterance.split()) > 7 or any(w.is_("NVA") for w in said)):
        return None
    best: tuple[str, Word] | None = None
    for text in _earlier(history)[:3]:
        stale = _number_in(text, noun)
        if stale is None or number_value(stale.low) == value or is_question(text):
            continue
        # "Pays 200 gold." "200 is decent." "No, 250": the number is mended where it says most.
        same = best is not None and number_value(best[1].low) == number_value(stale.low)
        if best is None or (same and len(text) > len(best[0])):
            best = text, stale
    if best is None:
        return None
    text, stale = best
    return text[: stale.start] + said[0].text + text[stale.end :]


def corrected(utterance: str, history: Sequence[Turn]) -> str | None:
    """What a line that corrects means in full; None where it corrects nothing."""
    mended = _corrected(utterance, history) or _amended(utterance)
    return mended if mended != utterance else None


def _value(word: Word) -> float | None:
    """What a number stands for; "one" may be anybody."""
    return None if word.low == "one" else number_value(word.low)


def _number_in(text: str, noun: Word | None) -> Word | None:
    """The number of a text, or the one that counts the noun; None where that is not clear."""
    found = words(text)
    numbers = [i for i, w in enumerate(found) if _value(w) is not None]
    if noun is not None:
        numbers = [
            i for i in numbers if any(lexicon().same(noun.low, w.low) for w in found[i + 1 : i + 4])
        ]
    return found[numbers[0]] if len(numbers) == 1 else None


_OF_THEM = re.compile(
    r"^(?:(?:about|only|at least|maybe|some|all|just) )*(?P<number>[\w-]+) of (?:them|'em)[.!]*$",
    re.IGNORECASE,
)


def _counted(text: str, history: Sequence[Turn]) -> str:
    """As in "Nine of them." after "Bandits camp there": "There are nine bandits."."""
    match = _OF_THEM.match(text.strip())
    if match is None or number_value(match["number"].lower()) is None:
        return text
    for earlier in _earlier(history)[:2]:
        for word in words(earlier):
            many = word.is_("N") and singular(word.low) != word.low
            if many and not lexicon().keys(word.low) & lexicon().times:
                return f"There are {match['number'].lower()} {word.low}."
    return text


def _amended(text: str) -> str:
    """A line that corrects itself, set right: "I owe him three crowns, no, five"."""
    mark = _AMENDS.search(text)
    if mark is None or is_question(text):
        return text
    before, after = text[: mark.start()], text[mark.end() :]
    said, told = words(after), words(before)
    if not said:
        return text
    if _value(said[0]) is not None:
        old = next((w for w in reversed(told) if _value(w) is not None), None)
    elif said[0].text[:1].isupper() and (len(said) == 1 or said[1].is_(".")):
        old = next((w for w in reversed(told) if w.is_("E")), None)
    else:
        old = None
    if old is None:
        return text
    rest = after[said[0].end :]
    if len(said) > 1 and said[1].is_("N") and any(lexicon().same(said[1].low, w.low) for w in told):
        rest = after[said[1].end :]
    rest = re.sub(r"^\s*(?:now|actually|rather)\b", "", rest, flags=re.IGNORECASE).strip()
    gap = "" if not rest or rest[0] in ".,;:!" else ", "
    return f"{before[: old.start]}{said[0].text}{before[old.end :]}{gap}{rest}"


def _resolved(text: str, history: Sequence[Turn], *, people_only: bool = False) -> str:
    found = words(text)
    for index, word in enumerate(found):
        low = word.low
        if (
            low in {"he", "she", "his", "him"}
            or (low == "her")
            or (
                low in {"it", "they"} and index <= (2 if len(found) <= 4 else 1) and not people_only
            )
        ):
            person = low not in {"it", "they"}
            if person and any(_somebody(w) for w in found[:index]):
                return text
            meant = _last_mentioned(history, low, asking=not people_only)
            if meant is None:
                return text
            said = retell_phrase(meant, swap=False)
            said += "'s" if word.is_("S") or low == "his" else ""
            if word.text[:1].isupper():
                said = said[:1].upper() + said[1:]
            return text[: word.start] + said + text[word.end :]
    return text


def _somebody(word: Word) -> bool:
    """Whether "he" or "she" may mean this."""
    lex = lexicon()
    return (
        word.is_("E")
        or bool(lex.keys(word.low) & lex.persons)
        or (word.is_("N") and lex.is_kind("animal", word.low))
    )


_FEMALE = group("recall.female")
_MALE = group("recall.male")


def _last_mentioned(history: Sequence[Turn], pronoun: str, *, asking: bool) -> Phrase | None:
    """Whom or what "she", "he", "it" or "they" means, in the latest tellings."""
    lex = lexicon()
    person = pronoun not in {"it", "they"}
    wrong = _MALE if pronoun in {"she", "her"} else _FEMALE
    for text in _earlier(history)[:4]:
        act = act_of(text)
        if act.kind == "question" and act.question is not None and asking:
            if (meant := _asked_about(act.question, wrong, person=person)) is not None:
                return meant
            continue
        if act.kind != "telling":
            continue
        passed = False
        for fact in reversed(facts_of(Source(text, "", ""))):
            for phrase in fact.clause.phrases():
                keys = lex.keys(phrase.head.low)
                if phrase.names:
                    keys = keys | {w.low for w in phrase.words} & (_FEMALE | _MALE)
                if keys & lex.times or _passed_over(phrase, fact):
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
                passed = passed or fits
        if not passed and not any(w.low in _SAME[pronoun] for w in words(text)):
            return None  # what lies further back is no longer talked of
    return None


def _passed_over(phrase: Phrase, fact: Fact) -> bool:
    """Whether a phrase only describes: "such a sweet boy", "like a horse", "he's an archer"."""
    if phrase.head.is_("O") or not phrase.words or phrase.words[0].low == "such":
        return True
    if phrase.start > 0 and fact.words[phrase.start - 1].low == "such":
        return True
    clause = fact.clause
    if any(p is phrase and prep in {"like", "as"} for prep, p in clause.places):
        return True
    subject = clause.subject
    pronoun = subject is not None and subject.head.is_("O")
    return pronoun and clause.verb == "be" and phrase in clause.objects


def _asked_about(question: Question, wrong: frozenset[str], *, person: bool) -> Phrase | None:
    """Whom or what the question before was about."""
    lex = lexicon()
    phrases = [*([question.target] if question.target else []), *question.clause.phrases()]
    for phrase in reversed(phrases):
        keys = lex.keys(phrase.head.low)
        if phrase.head.is_("OW") or not phrase.words or keys & lex.times:
            continue
        somebody = _somebody(phrase.head)
        if (person and somebody and not keys & wrong) or (not person and not keys & lex.persons):
            return phrase
    return None
