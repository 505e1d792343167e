"""Whether a fact's verb and roles are those that a question asks about."""

from __future__ import annotations

from astraweave.dialogue.evidence import IMPLIED
from astraweave.dialogue.facts import Fact, roles_of
from astraweave.dialogue.facts import is_personal as _personal
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.phrases import Clause
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.sameness import LIKING, Sameness

__all__ = ["Agreement"]

_LIGHT = group("matching.light")
_PUTTING = group("matching.putting")
_STANDING = group("matching.standing")
_NEUTRAL = frozenset(["it", "there", "that", "this", "they", "he", "she"])


class Agreement(Sameness):
    """Compares who does what to whom."""

    def _roles_agree(self, question: Question, fact: Fact) -> bool:
        """Nobody may stand in another role than the question gives them."""
        clause = question.clause
        if not clause.verbs or not fact.clause.verbs:
            return self._copula_agrees(question, fact)
        gap = question.gap if question.gap in {"object", "recipient", "number", "amount"} else ""
        if clause.verb == "marry" or fact.clause.verb == "marry":
            return self._copula_agrees(question, fact) if question.gap == "object" else True
        asked = roles_of(clause, gap)
        told = roles_of(fact.clause)
        swap = self.converse(clause, fact.clause)
        told_core, asked_core = told.core(), asked.core()
        for role_asked, phrases in asked_core.items():
            role = swap.get(role_asked, role_asked)
            here = [p for q in told_core.get(role, []) for p in q.everyone()]
            elsewhere = [
                p
                for name, group in told_core.items()
                if name != role
                for q in group
                for p in q.everyone()
            ]
            for phrase in phrases:
                if any(self.same_thing(phrase, p, fact) for p in here):
                    continue
                if any(self.same_thing(phrase, p, fact) for p in elsewhere):
                    themes = [p for q in told_core.get("theme", []) for p in q.everyone()]
                    moved = role == "agent" and not clause.objects and not _personal(phrase)
                    if moved and any(self.same_thing(phrase, p, fact) for p in themes):
                        continue  # "where did the ring end up": it was put there
                    return False
                if phrase.head.low in _NEUTRAL or (
                    here and all(fact.meant(p).head.low in _NEUTRAL for p in here)
                ):
                    continue
                if here and role != "theme":
                    return False
                if here and _personal(phrase) and all(_personal(p) for p in here):
                    return False
        return True

    def converse(self, asked: Clause, told: Clause) -> dict[str, str]:
        """How roles of the question's verb map to the fact's: buyer and seller trade places."""
        takes = frozenset(
            [
                "receive",
                "get",
                "buy",
                "borrow",
                "inherit",
                "purchase",
                "acquire",
                "rent",
                "lease",
                "learn",
                "accept",
                "win",
            ]
        )
        gives = frozenset(
            [
                "give",
                "sell",
                "lend",
                "send",
                "teach",
                "show",
                "bequeath",
                "loan",
                "leave",
                "present",
                "hand",
                "pass",
                "grant",
                "award",
            ]
        )
        fears = frozenset(["scare", "frighten", "terrify"])
        if asked.verb in gives and told.verb in takes:
            return {"agent": "origin", "recipient": "agent"}
        if asked.verb in takes and told.verb in gives:
            return {"agent": "recipient", "origin": "agent"}
        if told.verb == "bear" and asked.verb in {"come", "hail", "grow", "originate"}:
            return {"agent": "theme"}
        if asked.verb in fears and told.verb not in fears:
            return {"theme": "agent", "agent": "theme"}
        if told.verb in fears and asked.verb not in fears:
            return {"theme": "agent", "agent": "theme"}
        if asked.verb == "rob" and told.verb != "rob":
            return {"theme": "origin"}
        if asked.verb == "owe" and told.verb == "borrow":
            return {"recipient": "origin"}
        if asked.verb == "buy" and told.verb == "pay":
            return {"origin": "recipient"}
        if asked.verb == "pay" and told.verb in {"sell"}:
            return {"agent": "recipient", "recipient": "agent"}
        if {asked.verb, told.verb} == {"cost", "pay"} or {asked.verb, told.verb} == {"cost", "buy"}:
            return {"agent": "theme", "recipient": "agent", "theme": "agent"}
        return {}

    def _copula_agrees(self, question: Question, fact: Fact) -> bool:
        """For "is": the asked subject must be the told one, or its complement."""
        subject = question.clause.subject
        if subject is None:
            return True
        told = fact.clause.subject
        if told is not None and told.owner is not None and question.clause.verb in LIKING:
            return self.same_owner(subject, told.owner, fact)
        if subject.head.is_("O") and not question.clause.verbs and not fact.clause.verbs:
            told = fact.clause.subject
            return told is None or self.same_thing(subject, told, fact)
        if question.clause.verbs or fact.clause.verbs:  # noqa: SIM102
            if subject.head.is_("O") or subject.names:
                told_subject = fact.clause.subject
                if told_subject is not None and not self.same_thing(subject, told_subject, fact):
                    agent = roles_of(fact.clause).agent
                    return (
                        agent is None
                        or self.same_thing(subject, agent, fact)
                        or fact.clause.verb in {"scare", "frighten", "terrify"}
                    )
        return True

    # -- the verb -------------------------------------------------------------------------------

    def _verb(self, clause: Clause, question: Question, fact: Fact) -> float | None:  # noqa: C901
        """How well the fact's verbs support the question's; None when they contradict it."""
        if question.gap in {"name", "age", "colour", "job", "about", "material"}:
            return 1.0
        verb = clause.verb
        if not verb or verb in {"be"}:
            return 0.9
        told = list(fact.clause.verbs) + list(fact.clause.extras)
        lemmas = {
            k for v in told for k in ({v.lemma} if v.lemma else set()) | self._lex.keys(v.low)
        }
        lemmas |= {fact.clause.verb} if fact.clause.verb else set()
        if verb in lemmas:
            return 1.0
        if verb in LIKING and any(w.low in LIKING for w in fact.bag()):
            return 1.0
        if (
            any(w.low == "there" for w in fact.words[fact.clause.start : fact.clause.start + 2])
            and verb in _STANDING
        ):
            return 0.8
        if not lemmas:
            lemmas = {"be"}
        if any(self._lex.same(verb, other) for other in lemmas):
            return 0.95
        if "action" in question.hints and any(a.lemma == "would" for a in fact.clause.auxiliaries):
            return 0.8
        if lemmas & set(IMPLIED.get(verb, ())):
            return 0.85
        nouns = {k for w in fact.bag() if w.is_("N") for k in self._lex.keys(w.low)}
        if verb in nouns or (
            any(self._lex.same(verb, noun) for noun in nouns)
            and verb not in {"have", "keep", "get"}
        ):
            return 0.8
        if verb in {"have", "own", "keep", "get", "possess"}:
            return self._has(question, fact)
        if verb in {"do", "happen"}:
            return 0.5
        if verb in _PUTTING and lemmas & _PUTTING and question.gap == "place":
            return 0.8
        best = max(
            (self.similarity.near(verb, other) for other in lemmas if other not in _LIGHT),
            default=0.0,
        )
        if best > 0:
            return 0.8 * best
        return None

    def _has(self, question: Question, fact: Fact) -> float | None:
        """As in "How many goats do I have" is answered by any "my five goats"."""
        for phrase in fact.clause.phrases():
            for part in phrase.everyone():
                if part.owner is None or question.clause.subject is None:
                    continue
                asked = self.identity(question.clause.subject, None)
                if asked and asked == self.identity(part.owner, fact):
                    return 0.8
        if fact.clause.verb in {"be"} and question.gap in {"number"}:
            return 0.6
        return None
