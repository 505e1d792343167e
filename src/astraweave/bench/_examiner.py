"""What is asked about twenty sittings, and what counts as the answer to each question."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from astraweave.bench._cast import BREN, NAMES, PLAYER, Fact
from astraweave.bench._companion_corpus import Own, Telling, companion_corpus
from astraweave.bench._drawing import Slot, fill
from astraweave.bench._saga_parts import ASKED, COMPANION, Item, Step
from astraweave.bench._scoring import canonical, number_words
from astraweave.bench._story import SITTINGS, Story

__all__ = ["Examiner"]

_QUESTIONS_AT_MOST = 6
_BY_YOU = (
    "you told",
    "you said",
    "you mentioned",
    "yourself",
    "from you",
    "you did",
    "your own mouth",
)


class Examiner:
    """Asks about a story; every question in a sitting of its own draw.

    Parameters
    ----------
    story : Story
        What was told.
    own : sequence of (Own, dict of str to Slot)
        What the companion knows of himself.
    """

    def __init__(self, story: Story, own: Sequence[tuple[Own, dict[str, Slot]]]) -> None:
        self._story, self._own = story, own
        self._rng, self._cast = story.rng, story.cast
        self._questions: list[list[Step]] = [[] for _ in range(SITTINGS)]

    def ask(self, planned: Mapping[str, Sequence[Fact]]) -> list[list[Step]]:
        """The questions of each sitting.

        Parameters
        ----------
        planned : mapping of str to sequence of Fact
            The facts that each sort of question (`ASKED`) is about; some sorts choose for
            themselves.
        """
        about: dict[str, Callable[[str, Fact], None]] = {
            "yes or no": self._ask_claim,
            "when told": self._ask_when,
            "who told": self._ask_who,
        }
        free: dict[str, Callable[[str], None]] = {
            "what was told when": self._ask_period,
            "own": self._ask_own,
            "own, never told": self._ask_own_unknown,
            "never told": self._ask_never,
            "told of somebody else": self._ask_other,
            "not the asker's": self._ask_other,
        }
        for sort, count in ASKED.items():
            for number in range(count):
                if sort in free:
                    free[sort](sort)
                else:
                    about.get(sort, self._ask_fact)(sort, planned[sort][number])
        return self._questions

    def _add(self, item: Item, asker: str, after: int, *, at: int | None = None) -> None:
        """Ask in a later sitting, now and then in the same one."""
        story = self._story
        if at is None:
            same = after >= 0 and after not in story.lost and self._rng.random() < 0.1
            later = [n for n in story.kept if n > max(0, after)]
            usable = [n for n in later if len(self._questions[n]) < _QUESTIONS_AT_MOST] or later
            at = after if same else self._rng.choice(usable)
        self._questions[at].append(Step(text=item.question, speaker=asker, item=item))

    # -- about a fact ------------------------------------------------------------------------------

    def _ask_fact(self, sort: str, fact: Fact) -> None:
        """A slot of a fact, by the teller or by somebody else."""
        frame = fact.telling
        asker = BREN if sort == "asked by another" else PLAYER
        if sort == "seen" and frame.asked_of and self._rng.random() < 0.25:
            asker = BREN
        target, kind, form = self._form(fact, asker, sort)
        question = fill(form, self._cast.asked(fact, asker, linked=sort == "two steps"))
        item = Item(question=question, sort=sort, kind=kind, held_out=fact.held_out, fact=fact.said)
        if sort not in {"told to somebody else", "told after the save"}:
            item = self._answered(item, fact, target, asker)
        self._add(item, asker, fact.sitting)

    def _answered(self, item: Item, fact: Fact, target: str, asker: str) -> Item:
        """The question with what answers it, or with what must not be told."""
        answers = self._cast.answers(fact, target, asker)
        if fact.in_confidence and asker != fact.teller:
            return msgspec.structs.replace(item, secret=answers, context=tuple(NAMES.values()))
        slot = fact.slots.get(target)
        values = {name: canonical(slot.names[0]) for name, slot in fact.slots.items()}
        if fact.person is not None and fact.person.of is None:
            by_relation = canonical(self._cast.answers(fact, "p", asker)[1])
            values["p"] = f"(?:{values['p']}|{by_relation})"
        return msgspec.structs.replace(
            item,
            expected=answers,
            forbidden=() if slot is None else self._forbidden(fact, slot, item.question),
            wrong=tuple(pattern.format_map(values) for pattern in fact.telling.wrong),
            outdated=() if fact.former is None else fact.former.names,
        )

    def _form(self, fact: Fact, asker: str, sort: str) -> tuple[str, str, str]:
        """Target, kind and form of a question that can mean this fact only."""
        frame = fact.telling
        of_teller = asker != fact.teller and fact.teller and frame.about == "me"
        if of_teller or (sort == "seen" and asker == BREN):
            ask = self._rng.choice(frame.asked_of)
            return ask.target, ask.kind, self._rng.choice(ask.forms)
        mine = asker == fact.teller or not fact.teller
        targets = [frame.changing] if sort == "changed" else list(frame.slots)
        if sort == "two steps":
            targets = [t for t in targets if t != "p"]
        options = [
            (target, ask.kind, form)
            for target in targets
            for ask in frame.asks
            if ask.target == target
            for form in frame.forms(target, mine=mine) + (list(ask.forms) if frame.once else [])
            if form in ask.forms
            and (sort != "two steps" or "{p" in form.lower())
            and (sort != "changed" or not _names_changed(form, frame))
        ]
        return self._rng.choice(options)

    def _ask_claim(self, sort: str, fact: Fact) -> None:
        """Whether something is so; every other time it is not."""
        frame = fact.telling
        target = re.findall(r"\{(\w+)\}", frame.claim)[-1]
        holds = self._rng.random() < 0.5
        slots = dict(self._cast.asked(fact, PLAYER))
        if not holds:
            beside = {n: s for n, s in fact.slots.items() if n != target}
            kinds = {target: frame.slots[target]}
            slots[target] = self._cast.slots_of(kinds, None, beside)[target]
        question = fill(frame.claim, slots)
        true = fact.slots[target]
        item = Item(
            question=question,
            sort=sort,
            kind="yes-no",
            expected=true.answers,
            forbidden=self._forbidden(fact, true, question),
            holds=holds,
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, PLAYER, fact.sitting)

    def _ask_when(self, sort: str, fact: Fact) -> None:
        """How long ago something was told."""
        story = self._story
        form = self._rng.choice(companion_corpus().times.when)
        clause = fill(fact.telling.clause, self._cast.asked(fact, PLAYER))
        later = [n for n in story.kept if n > fact.sitting]
        at = self._rng.choice(later[:4])
        days = story.days[at] - story.days[fact.sitting]
        expected = [f"{days} days", f"{number_words(days)} days"] if days < 100 else []
        if days == 1:
            expected += ["yesterday", "1 day", "one day"]
        if days % 7 == 0:
            expected += ["a week", "last week"] if days == 7 else [f"{days // 7} weeks"]
        if at == later[0]:
            expected += ["last time", "the last time"]
        if fact.sitting == 0:
            expected += ["first talk", "first time", "first day", "first met"]
        # "One day in May" of the telling itself says nothing of when it was told.
        own = "|".join(re.findall(r"\d+ days?(?: \w+)?", canonical(fact.said)))
        wrong = rf"(?!{days}\b)(?!(?:{own or '-'})\b)\d+ days?"
        forbidden = ["today"] + (["yesterday"] if days != 1 else [])
        question = form.format(clause=clause)
        item = Item(
            question=question,
            sort=sort,
            kind="when",
            expected=tuple(expected),
            forbidden=tuple(f for f in forbidden if f not in question),
            wrong=(wrong,) if days > 1 else (),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, PLAYER, fact.sitting, at=at)

    def _ask_who(self, sort: str, fact: Fact) -> None:
        """From whom something is known."""
        form = self._rng.choice(companion_corpus().times.who)
        clause = fill(fact.telling.clause, self._cast.asked(fact, PLAYER))
        teller = fact.teller
        item = Item(
            question=form.format(clause=clause),
            sort=sort,
            kind="who",
            expected=_BY_YOU if teller == PLAYER else (NAMES[teller],),
            forbidden=(NAMES[BREN],) if teller == PLAYER else ("you told", "you said"),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, PLAYER, fact.sitting)

    # -- about a time ------------------------------------------------------------------------------

    def _ask_period(self, sort: str) -> None:
        """What was told yesterday, last time, or in the first talk."""
        number, at, form = self._period()
        told = self._told_by_player(number)
        own = {canonical(a) for f in told for s in f.slots.values() for a in (*s.answers, *s.names)}
        own |= {canonical(w) for f in told for w in re.findall(r"[\w-]+", f.said)}
        others = [
            name
            for other in self._story.known
            if other not in told
            for slot in other.slots.values()
            if slot.kind not in {"number", "day"}
            for name in slot.names[:1]
            if canonical(name) not in own
        ]
        expected = [a for f in told for s in f.slots.values() for a in s.answers]
        expected += [f.person.name for f in told if f.link and f.person is not None]
        item = Item(
            question=form,
            sort=sort,
            kind="what",
            expected=tuple(dict.fromkeys(expected)),
            forbidden=tuple(dict.fromkeys(others)),
            fact=" / ".join(f.said for f in told),
        )
        self._add(item, PLAYER, number, at=at)

    def _period(self) -> tuple[int, int, str]:
        """The sitting that is asked about, the one in which it is asked, and the question."""
        times, kept, days = companion_corpus().times, self._story.kept, self._story.days
        options: list[tuple[int, int, Sequence[str]]] = []
        for before, at in itertools.pairwise(kept):
            if self._told_by_player(before) and at == before + 1:
                options.append((before, at, times.last))
                if days[at] - days[before] == 1:
                    options += [(before, at, times.yesterday)] * 2
        if self._told_by_player(0):
            options += [(0, self._rng.choice(kept[2:]), times.first)] * 4
        number, at, forms = self._rng.choice(options)
        return number, at, self._rng.choice(forms)

    def _told_by_player(self, sitting: int) -> list[Fact]:
        return [f for f in self._story.told[sitting] if f.teller == PLAYER and not f.elsewhere]

    # -- about what nobody told --------------------------------------------------------------------

    def _ask_never(self, sort: str) -> None:
        """Something of a fact that was never told."""
        facts = [f for f in self._story.known if f.frame and f.teller == PLAYER]
        fact = self._rng.choice(facts)
        ask = self._rng.choice(fact.telling.unknown)
        question = fill(self._rng.choice(ask.forms), self._cast.asked(fact, PLAYER))
        own = [a for s in fact.slots.values() for a in s.answers]
        self._unknown(sort, ask.kind, question, fact, PLAYER, (*own, *fact.said.split()))

    def _ask_other(self, sort: str) -> None:
        """What is known of one person, asked of another one."""
        asker = BREN if sort == "not the asker's" else PLAYER
        options = [
            (fact, ask.kind, form)
            for fact in self._story.known
            if fact.frame and fact.person and fact.teller == PLAYER and fact.frame.about == "them"
            for ask in fact.frame.asks
            if ask.target != "p"
            for form in fact.frame.forms(ask.target, mine=asker == PLAYER, only=frozenset("p"))
            if form in ask.forms and "{p" in form.lower()
        ]
        self._rng.shuffle(options)
        for fact, kind, form in options:
            other = self._cast.stand_in(fact, asker)
            if other is not None:
                self._unknown(sort, kind, fill(form, {"p": other}), fact, asker)
                return
        raise AssertionError("there is always somebody of whom it was not told")

    def _unknown(
        self,
        sort: str,
        kind: str,
        question: str,
        fact: Fact,
        asker: str,
        context: Iterable[str] = (),
    ) -> None:
        item = Item(
            question=question,
            sort=sort,
            kind=kind,
            context=(*context, *NAMES.values()),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, asker, fact.sitting)

    # -- about the companion himself ---------------------------------------------------------------

    def _ask_own(self, sort: str) -> None:
        """What the companion knows of himself."""
        own, slots = self._rng.choice(self._own)
        ask = self._rng.choice(own.asks)
        question = fill(self._rng.choice(ask.forms), slots)
        fact = Fact(frame=None, held_out=False, teller=COMPANION, person=None, slots=slots)
        item = Item(
            question=question,
            sort=sort,
            kind=ask.kind,
            expected=slots[ask.target].answers,
            forbidden=self._forbidden(fact, slots[ask.target], question),
            fact=fill(own.fact, slots),
        )
        self._add(item, PLAYER, -1)

    def _ask_own_unknown(self, sort: str) -> None:
        """What the companion never thought about."""
        ask = companion_corpus().own_unknown
        question = self._rng.choice(ask.forms)
        words = tuple(w for own, slots in self._own for w in fill(own.fact, slots).split())
        item = Item(question=question, sort=sort, kind=ask.kind, context=words)
        self._add(item, PLAYER, -1)

    # -- what would be wrong -----------------------------------------------------------------------

    def _forbidden(self, fact: Fact, target: Slot, question: str) -> tuple[str, ...]:
        """Other values of the slot's type, unless they stand in the fact or in the question."""
        said = canonical(f"{fact.said} {question}")
        own = {canonical(a) for s in fact.slots.values() for a in (*s.answers, s.names[0])}
        own |= {canonical(fact.person.name)} if fact.person else set()
        others: Iterable[str] = (
            name
            for facts in self._story.told
            for other in facts
            for slot in other.slots.values()
            if slot.kind == target.kind and other is not fact
            for name in slot.names
        )
        names = dict.fromkeys((*others, *target.names[1:], *target.rivals))
        return tuple(
            name
            for name in names
            if canonical(name) not in own and f" {canonical(name)} " not in f" {said} "
        )


def _names_changed(form: str, frame: Telling) -> bool:
    """Whether a question names the value that has changed."""
    return f"{{{frame.changing}}}" in form
