"""A claim turned into the question that it answers: "Is Mira twenty?" into "How old is Mira?".

Nobody is told that Mira is not twenty; that she is thirty denies it all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.phrases import Clause, Phrase
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import Word, number_value

__all__ = ["opened", "says_so"]

_PLACES = frozenset(["in", "at", "to", "near", "under", "by", "behind", "on"])


def opened(question: Question) -> list[Question]:
    """What a question of yes or no asks when its last part is left open; likeliest first."""
    clause = question.clause
    if clause.negated or clause.subject is None:
        return []
    lex = lexicon()
    objects, places = list(clause.objects), list(clause.places)
    told = [word for word in clause.extras if word.low in lex.colours]
    if clause.verb == "be" and (
        told or any(w.low in lex.colours for p in objects for w in p.words)
    ):
        return [Question("colour", Clause(), question.text, target=clause.subject)]
    counted = next((p for p in objects if any(w.is_("M") for w in p.words)), None)
    if clause.verb == "be" and counted is not None:
        return [Question("age", Clause(), question.text, target=clause.subject)]
    if counted is not None:
        rest = _without(clause, counted)
        noun = Phrase([counted.head], counted.start, counted.end, counted.head)
        return [Question("number", rest, question.text, noun=noun)]
    found: list[Question] = []
    if places and places[-1][0] in _PLACES and not objects:
        rest = replace(clause, places=places[:-1], subs=[])
        found.append(Question("place", rest, question.text))
    elif objects and clause.verb == "be":
        found.append(Question("job", Clause(), question.text, target=clause.subject))
    elif objects:
        last = objects[-1]
        person = bool(last.names or lex.keys(last.head.low) & lex.persons)
        found.append(Question("object", _without(clause, last), question.text, person=person))
    return found


def says_so(question: Question, told: Sequence[Word]) -> bool:
    """Whether what was told holds every number, name and thing that is claimed of the subject."""
    lex, clause = lexicon(), question.clause
    phrases = [*clause.objects, *(phrase for _, phrase in clause.places)]
    claimed = [w for phrase in phrases for w in phrase.words if w.is_("MEN")]
    claimed += [w for w in clause.extras if w.low in lex.colours]
    for word in claimed:
        if (value := number_value(word.low)) is not None:
            if all(number_value(w.low) != value for w in told):
                return False
            continue
        measure = lex.keys(word.low) & (lex.units | lex.times)
        if not measure and not any(w.low == word.low or lex.same(word.low, w.low) for w in told):
            return False
    return bool(claimed)


def _without(clause: Clause, phrase: Phrase) -> Clause:
    return replace(clause, objects=[p for p in clause.objects if p is not phrase], subs=[])
