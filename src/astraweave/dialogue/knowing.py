"""What a character knows about a question: the way from memories to an answer, or to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from astraweave.dialogue.answer import Answer, Answerer
from astraweave.dialogue.evidence import needs_of, supported
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.paraphrase import other_wordings
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import sentences, words
from astraweave.dialogue.memory_words import Text
from astraweave.dialogue.moments import Telling, ago
from astraweave.dialogue.people import People, everybody, nested, people_of, rewordings
from astraweave.dialogue.recollect import Candidate, fits, recollect, sought_in
from astraweave.dialogue.retell import of_teller, retell_text
from astraweave.dialogue.situation import Situation, sources_of
from astraweave.rag.salience import is_question

__all__ = ["known", "told_then", "when_told"]

_MOST_TOLD = 2
_MAX_WORDS = 30
_ASKING = group("questions.wh")


def known(asked: str, question: Question, situation: Situation, answerer: Answerer) -> Answer:
    """What is known about a question: by its grammar, or else the memory that it is about."""
    sources = sources_of(situation)
    answer = answerer.answer(
        question,
        sources,
        asker=situation.speaker,
        listener=situation.persona.id,
        names=situation.spoken_names(),
    )
    if answer.kind == "known" and answer.teller == "asker" and not _fits(asked, sources, answer):
        answer = Answer("unknown", topic=answer.topic)
    if answer.kind == "known" and answer.teller != "self" and question.gap != "reason":
        later = _recollected(asked, question, sources, situation, open_ended=False)
        if later is not None and later.fit >= 1.0 and _rather(later, answer, asked, sources):
            return later
    if answer.kind == "unknown":
        open_ended = question.gap in {"yesno", "about"}
        if not (open_ended and about_listener(question)):
            answer = (
                _recollected(asked, question, sources, situation, open_ended=open_ended)
                or _in_other_words(question, sources, situation)
                or answer
            )
        if answer.kind == "unknown" and about_listener(question):
            answer.teller = "self"
    return answer


def _in_other_words(
    question: Question, sources: Sequence[Source], situation: Situation
) -> Answer | None:
    """The memory that answers what also asks for the same, of people by their names."""
    facts = [fact for source in sources if source.memory_id for fact in facts_of(source)]
    people = People(facts, situation.spoken_names())
    named = rewordings(question, people, situation.speaker, situation.persona.id)
    for text in dict.fromkeys([*(text for text, _ in named), *other_wordings(question.text)]):
        again = read_question(f"{text}?")
        if again is None:
            continue
        if (found := _recollected(f"{text}?", again, sources, situation)) is not None:
            return found
    return None


def when_told(telling: Telling, situation: Situation, answerer: Answerer) -> Answer:
    """When, or by whom, something was told."""
    question = telling.question()
    if question is None:
        return Answer("unknown")
    sources = sources_of(situation)
    answer = answerer.answer(
        question,
        sources,
        asker=situation.speaker,
        listener=situation.persona.id,
        names=situation.spoken_names(),
    )
    if answer.kind != "confirmed":
        found = _recollected(telling.claim, question, sources, situation, least=0.6)
        if found is None or found.likely:
            return Answer("unknown")
        answer = found
    answer.kind = "known"
    if telling.asks == "who":
        answer.short = "you did" if answer.teller == "asker" else ""
        return answer
    times = [r.memory.game_time for r in situation.memories if r.memory.id in answer.memories]
    answer.short = ago(times[0], situation.now, situation.calendar) if times else "just now"
    return answer


def told_then(situation: Situation) -> Answer:
    """What the speaker told in the stretch of time that the memories are from."""
    told: list[tuple[float, Source, str]] = []
    importance = {r.memory.id: r.memory.importance for r in situation.memories}
    for source in sources_of(situation):
        if source.speaker != situation.speaker or not source.memory_id:
            continue
        retold = retell_text(source.text, swap=True)
        first = words(source.text)[:2]
        if not retold or len(retold.split()) > _MAX_WORDS or is_question(source.text):
            continue
        if first and (first[0].low in _ASKING or (first[0].is_("P") and first[-1].low in _ASKING)):
            continue
        found = [w for s in sentences(source.text) for w in words(s)]
        particular = sum(w.is_("M") or (w.is_("E") and w.start > 0) for w in found)
        weight = importance[source.memory_id] + min(particular, 3) / 3
        told.append((-weight, source, retold))
    told.sort(key=lambda each: (each[0], -each[1].order))
    if not told:
        return Answer("unknown")
    best = told[:_MOST_TOLD]
    return Answer(
        "about",
        retold=tuple(retold for _, _, retold in best),
        memories=tuple(source.memory_id for _, source, _ in best),
        texts=tuple(source.text for _, source, _ in best),
    )


def about_listener(question: Question) -> bool:
    """Whether a question asks the character about themselves."""
    clause = question.clause
    phrases = [*clause.phrases(), *([question.target] if question.target else [])]
    yours = any(
        p.head.low == "you" or (p.owner is not None and p.owner.head.low == "your") for p in phrases
    )
    mine = any(w.low in _MINE for w in words(question.text))
    return yours and not mine


_ANY_OF_MINE = frozenset(["people", "kin", "family", "relatives", "friends", "folk"])
_MINE = frozenset(["i", "my", "me", "we", "our", "us"])


def _fits(asked: str, sources: Sequence[Source], answer: Answer) -> bool:
    """Whether what was told holds the sort of thing that is asked for."""
    told = [s.text for s in sources if s.memory_id]
    return any(fits(asked, text, told) for text in answer.texts)


def _rather(later: Answer, answer: Answer, asked: str, sources: Sequence[Source]) -> bool:
    """Whether a memory as a whole answers better: said since, or of all that is asked."""
    if later.order > answer.order:
        return True
    sought = sought_in(asked, [s.text for s in sources if s.memory_id])
    needs = needs_of(asked, sought, sought.names)
    return not all(
        any(supported(need, Text.of(text), asked, text) for text in answer.texts) for need in needs
    )


# -- whole memories -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Somebody:
    """Somebody of the question: what may stand for them, and whose words alone can mean them."""

    forms: frozenset[str]
    teller: str = ""
    called: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What they are to each of those who talk."""

    def in_(self, text: set[str], speaker: str) -> bool:
        forms = self.forms | self.called.get(speaker, frozenset())
        return bool(forms & text) and self.teller in {"", speaker}


def _recollected(
    asked: str,
    question: Question,
    sources: Sequence[Source],
    situation: Situation,
    *,
    open_ended: bool = False,
    least: float = 1.0,
) -> Answer | None:
    """The memory that a question is about, said back whole, where no clause of any answers it."""
    if open_ended and question.gap == "about" and sought_in(asked).kind == "thing":
        return None
    persona, names = situation.persona, situation.spoken_names()
    facts = {source: facts_of(source) for source in sources if source.memory_id}
    people = People([fact for found in facts.values() for fact in found], names)
    wanted = _somebodies(question, people, situation)
    mine = any(w.low in _MINE for w in words(question.text))
    yours = not wanted and about_listener(question)
    retrieved = {r.memory.id: r for r in situation.memories}
    about = {form for s in wanted for form in (s.forms if s.called or s.teller else ())}
    about |= {form for s in wanted for called in s.called.values() for form in called}
    nested_parts = [p for phrase in people_of(question) for p in nested(phrase)]
    about |= {part.head.low for part in nested_parts if not part.head.is_("OS")}
    talkers = {name.casefold() for name in names.values()} - {persona.name.casefold()}
    candidates, kept = [], []
    for source, found in facts.items():
        also, owners = set[str](), set[str]()
        for fact in found:
            spoken_of, only_owners = everybody(fact, people)
            also, owners = also | spoken_of, owners | only_owners
        if source.speaker in names:
            also.add(names[source.speaker].casefold())
        said = {w.low for s in sentences(source.text) for w in words(s)}
        memory = retrieved[source.memory_id]
        text = (said - owners) | also
        own = source.speaker in {situation.speaker, persona.id}
        said_by_another = any(s.teller not in {"", source.speaker} for s in wanted)
        if said_by_another or (mine and not own):
            continue
        if yours and not _of_listener(source, persona.id):
            continue
        met = sum(somebody.in_(text, source.speaker) for somebody in wanted)
        kept.append(source)
        candidates.append(
            Candidate(
                source.text,
                memory.score,
                memory.similarity,
                frozenset(also),
                source.order,
                source.speaker == persona.id and bool((talkers & said) - about),
                met,
                len(wanted) - met,
            )
        )
    best = recollect(
        asked,
        candidates,
        ignore=persona.name.split(),
        people=about,
        mine=mine and not wanted and not _ANY_OF_MINE & {w.low for w in words(question.text)},
        least=least,
    )
    if best is None:
        return None
    source = kept[best.index]
    asker = source.speaker == situation.speaker
    retold = retell_text(source.text, swap=asker)
    if not retold:
        return None
    if not asker and source.speaker != persona.id:
        retold = of_teller(retold, names.get(source.speaker, source.speaker))
    others = "self" if source.speaker == persona.id else names.get(source.speaker, source.speaker)
    return Answer(
        "known",
        retold=(retold,),
        teller="asker" if asker else others,
        memories=(source.memory_id,),
        texts=(source.text,),
        fit=best.share,
        order=source.order,
        likely=best.likely,
    )


def _somebodies(question: Question, people: People, situation: Situation) -> list[_Somebody]:
    """Everybody whom a question means by name or by what they are to somebody."""
    found = []
    asker, listener = situation.speaker, situation.persona.id
    for phrase in people_of(question):
        if phrase.head.is_("OS"):
            continue
        key = people.named(phrase, asker, listener)
        if key in {asker, listener}:
            continue
        if key:
            found.append(_called(key, people, situation))
        elif phrase.owner is not None and phrase.owner.head.low in {"my", "our"}:
            found.append(_Somebody(frozenset({phrase.head.low}), asker))
        elif phrase.owner is not None and phrase.owner.head.low == "your":
            found.append(_Somebody(frozenset({phrase.head.low}), listener))
        elif (owner := phrase.owner or phrase.of) is not None:
            found.append(_Somebody(frozenset({phrase.head.low})))
            if whose := people.named(owner, asker, listener):
                found.append(_called(whose, people, situation))
            elif not owner.head.is_("OS"):
                found.append(_Somebody(frozenset({owner.head.low})))
    return found


def _called(key: str, people: People, situation: Situation) -> _Somebody:
    speakers = {situation.speaker, *(r.memory.speaker for r in situation.memories)}
    called = {speaker: heads for speaker in speakers if (heads := people.heads(key, speaker))}
    return _Somebody(frozenset({key}) | _names(key, situation), called=called)


def _of_listener(source: Source, listener: str) -> bool:
    """Whether something is said by, or of, the one who is asked."""
    return source.speaker == listener or bool(_YOU & {w.low for w in words(source.text)})


_YOU = frozenset(["you", "your", "yours"])


def _names(key: str, situation: Situation) -> frozenset[str]:
    name = situation.spoken_names().get(key, "")
    return frozenset({name.casefold()} if name else ())
