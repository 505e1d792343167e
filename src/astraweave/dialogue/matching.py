"""Whether a fact answers a question, and with what."""

from __future__ import annotations

from dataclasses import dataclass

from astraweave.dialogue.facts import Aliases, Fact, roles_of, who
from astraweave.dialogue.facts import is_personal as _personal
from astraweave.dialogue.language.clauses import Clause, Phrase
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import Word, number_value
from astraweave.dialogue.similarity import Similarity
from astraweave.dialogue.slots import Slot, find_slot

__all__ = ["Match", "Matcher"]

_LIGHT = group("matching.light")
_TITLES = group("matching.titles")
_EVALUATIVE = group("matching.evaluative")
_PUTTING = group("matching.putting")
_STANDING = group("matching.standing")
_NEUTRAL = frozenset(["it", "there", "that", "this", "they", "he", "she"])
_LIKING = frozenset(["favourite", "favorite", "best", "most", "prefer", "love", "like"])
_VERB_IMPLIES = {
    "receive": "give send inherit leave",
    "get": "have give buy receive win inherit find trade swap exchange",
    "win": "award",
    "own": "buy",
    "sell": "buy trade",
    "buy": "sell pay trade",
    "pay": "cost buy owe sell",
    "cost": "pay buy",
    "raise": "keep have",
    "keep": "have own",
    "owe": "borrow",
    "put": "hide keep bury",
    "end": "drop fall lose leave throw put hide bury go",
    "pull": "drag save",
    "have": "own keep get possess",
    "own ": "have",
    "serve": "work",
    "live": "settle move",
    "stay": "live lodge",
    "hide": "keep bury",
    "keep ": "hide",
    "work": "be",
    "learn": "teach",
    "teach": "learn",
    "study": "learn",
    "scare": "fear afraid",
    "hurt": "break sprain bite cut",
    "injure": "break sprain cut",
    "lend": "borrow",
    "borrow": "lend",
    "come": "bear live",
    "grow": "bear",
    "lie": "hide bury be keep",
    "give": "receive get inherit send lend present",
    "take": "steal borrow",
    "attack": "bite",
    "marry": "wife husband",
    "need": "want",
    "miss": "lose",
    "forge": "make",
    "stand": "be",
    "find": "hide leave keep lose bury discover",
}


@dataclass(slots=True)
class Match:
    """A fact that answers, how well, and what fills the gap."""

    fact: Fact
    fit: float
    slot: Slot | None
    contradicted: bool = False


class Matcher:
    """Compares questions of one asker with facts. One instance serves one question.

    Parameters
    ----------
    asker : str
        Id of who asks ("I" in the question).
    listener : str
        Id of who is asked ("you").
    similarity : Similarity
        Judges words that differ.
    aliases : Aliases
        Who is who.
    names : dict of str to str
        Ids to spoken names.
    """

    def __init__(
        self,
        asker: str,
        listener: str,
        similarity: Similarity,
        aliases: Aliases,
        names: dict[str, str],
    ) -> None:
        self.asker, self.listener = asker, listener
        self.similarity, self.aliases, self.names = similarity, aliases, names
        self._lex = lexicon()

    # -- the whole ------------------------------------------------------------------------------

    def match(self, question: Question, fact: Fact) -> Match | None:
        """The fact as an answer to the question, or None."""
        covered = self._coverage(question, fact)
        if covered is None:
            return None
        if question.gap not in {"name", "age", "colour", "job", "about"} and not self._roles_agree(
            question, fact
        ):
            return None
        if question.gap == "about":
            return Match(fact, covered, None)
        if question.gap == "yesno":
            return Match(fact, covered, None)
        if fact.clause.negated and not question.clause.negated and question.gap != "reason":
            return None
        slot = find_slot(question, fact, self)
        if slot is None:
            return None
        return Match(fact, covered * slot.trust, slot)

    # -- words ----------------------------------------------------------------------------------

    def _coverage(self, question: Question, fact: Fact) -> float | None:
        """Share of the question's words that the fact supports; None when an essential one is not."""  # noqa: E501
        total = supported = 0.0
        for phrase in self._given(question):
            for word in self._demanded(phrase, question):
                weight = 2.0 if word.is_("EM") else 1.0
                total += weight
                strength = self._anywhere(word, fact)
                if strength == 0.0 and not self._optional(word, phrase, question):
                    return None
                supported += weight * strength
            if not self._persons_supported(phrase, fact):
                return None
            if not self._owner_agrees(phrase, fact, question):
                return None
        for clause in (question.clause, *[c for c in question.clause.subs if c.verbs]):
            agreed = self._verb(clause, question, fact)
            if agreed is None and clause is not question.clause:
                verbs = {v.lemma for c in fact.siblings for v in c.verbs}
                agreed = 0.8 if clause.verb in verbs else None
            if agreed is None:
                return None
            total += 1.5
            supported += 1.5 * agreed
            for extra in clause.extras:
                if extra.low in _EVALUATIVE or extra.is_("R"):
                    continue
                strength = self._anywhere(extra, fact)
                if strength == 0.0:
                    return None
                total += 1.0
                supported += strength
        return supported / total if total else 0.0

    def _anywhere(self, word: Word, fact: Fact) -> float:
        """Support of a word by the fact's own clause, or less by its neighbours."""
        strength = self._support(word, fact.bag(), fact)
        return strength or 0.7 * self._support(word, fact.context(), fact)

    def _given(self, question: Question) -> list[Phrase]:
        """Phrases of the question that the fact must support."""
        found: list[Phrase] = []
        seen: set[int] = set()
        clauses = [question.clause, *question.clause.subs]
        for clause in clauses:
            for phrase in clause.phrases():
                if question.gap in {"name", "age", "colour", "job"} and phrase.head.low in {
                    "name",
                    "age",
                    "colour",
                    "color",
                    "job",
                    "trade",
                    "living",
                    "profession",
                    "occupation",
                    "work",
                    "craft",
                    "calling",
                    "nickname",
                    "surname",
                    "title",
                }:
                    continue
                for part in phrase.everyone():
                    if id(part) not in seen:
                        seen.add(id(part))
                        found.append(part)
        if (
            question.target is not None
            and question.target.head.low not in {"name", "age"}
            and id(question.target) not in seen
        ):
            found.append(question.target)
        if question.gap in {"number", "amount", "owner"} and question.noun is not None:
            found.append(question.noun)
        return found

    def _demanded(self, phrase: Phrase, question: Question) -> list[Word]:
        found = [w for w in phrase.content() if not (w.is_("V") and not w.is_("NJ"))]
        for about in phrase.about:
            found += [w for p in about.phrases() if p is not phrase for w in p.content()]
        if any(w.is_("E") and w.low not in self._lex.persons for w in found):
            found = [w for w in found if not (w.is_("E") and w.low in self._lex.persons | _TITLES)]
        owner = phrase.owner
        while owner is not None:
            if not owner.head.is_("S"):
                found += [w for w in owner.content() if w not in found]
            owner = owner.owner
        return [
            w
            for w in found
            if w.low
            not in {
                "thing",
                "things",
                "stuff",
                "something",
                "anything",
                "person",
                "people",
                "someone",
            }
        ]

    def _optional(self, word: Word, phrase: Phrase, question: Question) -> bool:
        if word.is_("EM"):
            return False
        if word.low in _LIKING:
            return False
        if word.is_("J") and word is not phrase.head and word.low in _EVALUATIVE:
            return True
        lex = self._lex
        if word is not phrase.head and word.is_("N") and lex.keys(phrase.head.low) & lex.persons:
            return (
                word.low not in lex.materials | lex.colours and not lex.keys(word.low) & lex.persons
            )
        return word.low in _EVALUATIVE and word.is_("RJ") and not word.is_("N")

    def _support(self, word: Word, bag: list[Word], fact: Fact) -> float:  # noqa: C901
        low = word.low
        if word.is_("M") and not word.is_("N"):
            value = number_value(low)
            return 1.0 if any(number_value(w.low) == value for w in bag if w.is_("M")) else 0.0
        if word.is_("E"):
            if any(w.low == low for w in bag):
                return 1.0
            if self._speaks_as(low, fact):
                return 1.0
            return 0.9 if self._alias_name(low, bag, fact) else 0.0
        if low in _LIKING and any(self._lex.keys(w.low) & _LIKING for w in bag):
            return 1.0
        best = 0.0
        for other in bag:
            if other.is_("M") and not other.is_("N"):
                continue
            if other.is_("E"):
                if other.low == low:
                    return 1.0
                continue
            best = max(best, self.similarity.near(low, other.low))
            if best == 1.0:
                return 1.0
        # "my sister" stands for Mira when the fact names Mira.
        for other in bag:
            if other.is_("E"):
                for described, _ in self.aliases.describe((other.text,)):
                    if any(
                        self._lex.same(low, w.low) or self._lex.is_kind(low, w.low)
                        for w in described.content()
                    ):
                        return 0.95
        return best

    def _speaks_as(self, name: str, fact: Fact) -> bool:
        """Whether the fact's own "I" bears this name."""
        return self.names.get(fact.source.speaker, "").casefold() == name

    def _alias_name(self, name: str, bag: list[Word], fact: Fact) -> bool:
        """Whether the bag describes the one that bears the name: "my sister" for Mira."""
        for described, origin in self.aliases.describe((name,)):
            if origin.source.speaker != fact.source.speaker:
                continue
            if described.owner is not None and any(
                self._lex.keys(described.head.low) & self._lex.keys(w.low) for w in bag
            ):
                return True
        return False

    def _persons_supported(self, phrase: Phrase, fact: Fact) -> bool:
        """As in "I" and "you" of the question must be somebody in the fact."""
        low = phrase.head.low
        meant = who(low, self.asker, self.listener) if phrase.head.is_("O") else ""
        if not meant:
            return True
        if meant == self.listener and low in {"you"}:
            return self._mentions(self.listener, fact) or (
                phrase.head.is_("O") and fact.source.speaker == self.listener
            )
        return self._mentions(meant, fact)

    def _mentions(self, person: str, fact: Fact) -> bool:
        source = fact.source
        for index in range(len(fact.words)):
            word = fact.words[index]
            if word.is_("OS") and who(word.low, source.speaker, source.listener) == person:
                return True
        name = self.names.get(person, "").casefold()
        return bool(name) and any(w.low == name for w in fact.bag())

    # -- whose ----------------------------------------------------------------------------------

    def identity(self, phrase: Phrase, fact: Fact | None) -> str:
        """Id of whom a pronoun or a name means; empty when it is nobody known."""
        if phrase.head.is_("OS"):
            if fact is None:
                return who(phrase.head.low, self.asker, self.listener)
            return who(phrase.head.low, fact.source.speaker, fact.source.listener)
        for key, name in self.names.items():
            if phrase.names and phrase.names[0].casefold() == name.casefold():
                return key
        return ""

    def _owner_agrees(self, phrase: Phrase, fact: Fact, question: Question) -> bool:
        """Owners of the same thing in question and fact must not be two."""
        if phrase.owner is None:
            return True
        candidates = [
            part
            for given in fact.clause.phrases()
            for part in self.nested(given, fact)
            if self._lex.same(phrase.head.low, part.head.low)
            or self._lex.is_kind(phrase.head.low, part.head.low)
        ]
        owned = [part for part in candidates if part.owner is not None]
        if not owned:
            # "I have a horse": the one who has it owns it. "the horse": nobody says otherwise.
            subject = fact.clause.subject
            asked = self.identity(phrase.owner, None)
            if (
                candidates
                and subject is not None
                and fact.clause.verb in {"have", "own", "get", "keep", "buy"}
            ):
                held = self.identity(fact.meant(subject), fact)
                return not asked or asked == held
            if asked and not candidates:
                return self._mentions(asked, fact) or fact.source.speaker == asked
            return not asked or fact.source.speaker == asked
        return any(
            self.same_owner(phrase.owner, part.owner, fact)
            for part in owned
            if part.owner is not None
        )

    def _selves(self, phrase: Phrase, fact: Fact) -> list[Phrase]:
        """The phrase and what it stands for, its owner left out."""
        found = [phrase, *phrase.others]
        if phrase.of is not None:
            found.append(phrase.of)
        for part in list(found):
            if part.names and part.head.is_("E"):
                found += [d for d, _ in self.aliases.describe(part.names)]
        return found

    def nested(self, phrase: Phrase, fact: Fact) -> list[Phrase]:
        """The phrase, what stands in it, and what it stands for."""
        found: list[Phrase] = []
        todo = [phrase]
        while todo:
            part = todo.pop()
            if part in found:
                continue
            found.append(part)
            todo += part.others
            todo += [p for p in (part.owner, part.of, fact.meant(part)) if p is not None]
        for part in list(found):
            if part.names and part.head.is_("E"):
                found += [d for d, _ in self.aliases.describe(part.names)]
        return found

    def same_owner(self, asked: Phrase, told: Phrase, fact: Fact) -> bool:
        """Whether two owners are one."""
        told = fact.meant(told)
        left, right = self.identity(asked, None), self.identity(told, fact)
        if left or right:
            return left == right
        return self.same_thing(asked, told, fact)

    # -- roles ----------------------------------------------------------------------------------

    def same_thing(self, asked: Phrase, told: Phrase, fact: Fact) -> bool:
        """Whether a phrase of the question and one of the fact mean the same."""
        told = fact.meant(told)
        left, right = self.identity(asked, None), self.identity(told, fact)
        if left or right:
            if left and left == right:
                return True
            if not (asked.names and told.names):
                return False
        if (
            asked.names
            and told.names
            and not {n.casefold() for n in asked.names} & {n.casefold() for n in told.names}
        ):
            return False
        if asked.names and told.names:
            return True
        for part in self._selves(told, fact):
            if (
                asked.names
                and part.names
                and {n.casefold() for n in asked.names} & {n.casefold() for n in part.names}
            ):
                return True
            head = asked.head.low
            if (
                not asked.head.is_("E")
                and any(self.similarity.near(head, w.low) > 0 for w in part.words if w.is_("N"))
                and (
                    asked.owner is None
                    or part.owner is None
                    or self.same_owner(asked.owner, part.owner, fact)
                )
            ):
                return True
        for described, _ in self.aliases.describe(asked.names):
            if self._lex.same(described.head.low, told.head.low):
                return True
        return False

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
                    here and all(p.head.low in _NEUTRAL for p in here)
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
        if told is not None and told.owner is not None and question.clause.verb in _LIKING:
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
        if verb in _LIKING and any(w.low in _LIKING for w in fact.bag()):
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
        implied = _VERB_IMPLIES.get(verb, "").split()
        if lemmas & set(implied):
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
