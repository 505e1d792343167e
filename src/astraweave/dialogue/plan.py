"""What a line will say, decided before any model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astraweave.dialogue.acts import Act, act_of
from astraweave.dialogue.answer import Answer, Answerer
from astraweave.dialogue.compose import Composer, opines
from astraweave.dialogue.facts import Fact, Source, facts_of
from astraweave.dialogue.knowing import known, told_then, when_told
from astraweave.dialogue.language.clauses import read
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import sentences, words
from astraweave.dialogue.moments import asked_period, asked_telling
from astraweave.dialogue.recall import corrected, resolved_question
from astraweave.dialogue.retell import retell
from astraweave.dialogue.situation import Situation, sources_of

__all__ = ["Plan", "Planner"]

_RECALL_CHANCE = 0.7
_MAX_RECALL_WORDS = 14


@dataclass(slots=True)
class Plan:
    """A line in two parts.

    `opening` is shown at once; `remainder` follows unless the model said something better. A line
    whose opening is already whole has no remainder.
    """

    act: Act
    opening: str
    remainder: str = ""
    memories: tuple[int, ...] = ()
    answer: Answer | None = None
    model_clauses: int = 2
    """How many clauses a model may add."""


class Planner:
    """Makes plans for one character. Not thread-safe.

    Parameters
    ----------
    composer : Composer
        The character's voice.
    answerer : Answerer
        Finds answers.
    """

    def __init__(self, composer: Composer, answerer: Answerer) -> None:
        self._composer, self._answerer = composer, answerer

    def plan(self, situation: Situation) -> Plan:
        """Decide what the line says."""
        text, recent = situation.utterance.text, situation.recent_lines()
        act = act_of(text, situation.persona.name)
        if asked_period(text) is not None:
            return self._said(act, told_then(situation), situation, recent)
        if (telling := asked_telling(text)) is not None:
            answer = when_told(telling, situation, self._answerer)
            return self._said(act, answer, situation, recent)
        if act.kind in {"telling", "smalltalk", "agreement"}:
            mended = corrected(situation.utterance.text, situation.history)
            if mended is not None and (told := act_of(mended).told):
                act = Act(kind="telling", greets=act.greets, told=told)
        if act.kind == "question" and act.question is not None:
            return self._answer(situation, act, act.question, recent)
        if act.kind == "telling" and act.greets and opines(act.told):
            return self._greet(situation, act, recent)
        if act.kind == "telling" and _weighty(act.told):
            line = self._composer.telling(act.told, situation.speaker, situation.rng, recent)
            return self._split(act, line)
        if act.kind == "recap":
            return self._recap(situation, act, recent)
        if act.kind == "greeting":
            return self._greet(situation, act, recent)
        if act.kind in {"smalltalk", "telling"}:
            opener = self._composer.opener(situation.rng, recent)
            rest = self._composer.pick("smalltalk", {}, situation.rng, recent)
            return Plan(act, opener, rest)
        return self._split(act, self._composer.pick(act.kind, {}, situation.rng, recent))

    def plain(self, plan: Plan, situation: Situation) -> Plan:
        """In place of one that must not be shown: nothing in it comes from anybody's words."""
        return Plan(plan.act, self._composer.opener(situation.rng, situation.recent_lines()))

    # -- acts -----------------------------------------------------------------------------------

    def _answer(
        self, situation: Situation, act: Act, question: Question, recent: Sequence[str]
    ) -> Plan:
        asked = resolved_question(situation.utterance.text, situation.history)
        if asked != situation.utterance.text:
            question = act_of(asked, situation.persona.name).question or question
        answer = known(asked, question, situation, self._answerer)
        return self._said(act, answer, situation, recent)

    def _said(self, act: Act, answer: Answer, situation: Situation, recent: Sequence[str]) -> Plan:
        line = self._composer.answer(answer, situation.rng, recent)
        return Plan(
            act,
            line,
            memories=answer.memories,
            answer=answer,
            model_clauses=0 if answer.kind == "unknown" else 1,
        )

    def _recap(self, situation: Situation, act: Act, recent: Sequence[str]) -> Plan:
        told = self._tellings(situation)
        line = self._composer.recap([f for f, _ in told], situation.rng, recent)
        return Plan(
            act,
            line,
            memories=tuple(s.memory_id for _, s in told[:2] if s.memory_id),
            model_clauses=1,
        )

    def _greet(self, situation: Situation, act: Act, recent: Sequence[str]) -> Plan:
        rng = situation.rng
        met = (
            any(s.speaker == situation.speaker for s in sources_of(situation))
            or situation.last_met is not None
        )
        if not met:
            return self._split(act, self._composer.pick("greeting", {}, rng, recent))
        told = self._tellings(situation)
        if told and rng.random() < _RECALL_CHANCE:
            fact, source = told[rng.randrange(min(3, len(told)))]
            line = self._composer.pick(
                "greeting_recall", {"retold": retell(fact, swap=True)}, rng, recent
            )
            return Plan(
                act, line, memories=(source.memory_id,) if source.memory_id else (), model_clauses=1
            )
        return self._split(act, self._composer.pick("greeting_again", {}, rng, recent))

    def _tellings(self, situation: Situation) -> list[tuple[Fact, Source]]:
        """What the speaker told, most telling first, each in a clause short enough to say back."""
        found: list[tuple[Fact, Source]] = []
        importance = {r.memory.id: r.memory.importance for r in situation.memories}
        for source in sources_of(situation):
            if source.speaker != situation.speaker or act_of(source.text).kind != "telling":
                continue
            for fact in facts_of(source):
                clause = fact.clause
                plain = (
                    not clause.relative
                    and not clause.link
                    and clause.subject is not None
                    and (clause.verbs or clause.objects)
                )
                if (
                    plain
                    and not fact.referents
                    and 3 <= len(retell(fact, swap=True).split()) <= _MAX_RECALL_WORDS
                ):
                    found.append((fact, source))
                    break
        found.sort(key=lambda pair: (-importance.get(pair[1].memory_id, 0.0), -pair[1].order))
        return found

    @staticmethod
    def _split(act: Act, line: str) -> Plan:
        """The first sentence opens; the others are the remainder."""
        parts = sentences(line)
        return Plan(act, parts[0], " ".join(parts[1:])) if parts else Plan(act, line)


def _weighty(told: str) -> bool:
    """Whether something told deserves to be named: somebody, a number, a place or a deed is in it."""  # noqa: E501
    for sentence in sentences(told):
        if any(w.is_("EM") or w.low in _MINE for w in words(sentence)):
            return True
        for clause in read(sentence):
            if (clause.verbs and clause.objects) or any(p != "@time" for p, _ in clause.places):
                return True
    return False


_MINE = frozenset(["i", "my", "me", "we", "our", "us"])
