"""Twenty sittings with a companion: what he answers about them, and what he makes up.

A hundred and twenty things are said to him or seen by him, sixty questions are asked between them,
and between the sittings the game is saved and opened again; once it ends without a save, and once
an older save is loaded, and what was said there must be unknown. Everything is drawn by seed
(`astraweave.bench._saga`); a third of the sorts of facts is held out from tuning.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from astraweave.bench._cast import BREN, NAMES, PLAYER
from astraweave.bench._corpus import corpus
from astraweave.bench._judging import Answered, judge
from astraweave.bench._saga import draw_saga
from astraweave.bench._saga_parts import COMPANION, ELSEWHERE, Item, Saga, Sitting, Step
from astraweave.bench._scoring import canonical
from astraweave.bench.bars import Bar
from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.core.worldview import Entity
from astraweave.persona import Persona
from astraweave.world import Npc, World

__all__ = ["Answered", "CompanionFigures", "judge", "measure_companion", "play"]

_DAY_S, _MORNING_S, _MINUTE_S = 86_400.0, 9 * 3600.0, 60.0


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the transcript."""

    sitting: int
    said: str
    speaker: str
    line: str
    tiers: tuple[str, ...]
    stray: str = ""
    """A name or a place in the line that the companion cannot know."""
    answered: Answered | None = None
    """Where a question was asked."""


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """A whole saga as it was played."""

    seed: int
    spoken: tuple[Spoken, ...]
    model: str

    @property
    def answered(self) -> list[Answered]:
        """Every question and its answer, in order."""
        return [spoken.answered for spoken in self.spoken if spoken.answered is not None]

    @property
    def invented(self) -> int:
        """Wrong answers that claim something, and lines that name what nobody told."""
        strays = sum(bool(line.stray) for line in self.spoken)
        return sum(a.invented for a in self.answered) + strays


class CompanionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What runs over one or more seeds gave; shares of questions answered rightly, 0 to 1.

    Attributes
    ----------
    seeds : dict of str to float
        Share by seed.
    invented : dict of str to int
        Inventions by seed.
    right : float
        Over all seeds.
    tuned, held_out : float
        Over frames that may be tuned to, and over those that may not.
    by_sort, by_kind, by_tier : dict
        Right answers and questions.
    model : str
        What spoke beside the composer.
    """

    seeds: dict[str, float]
    invented: dict[str, int]
    right: float
    tuned: float
    held_out: float
    by_sort: dict[str, tuple[int, int]]
    by_kind: dict[str, tuple[int, int]]
    by_tier: dict[str, tuple[int, int]]
    model: str

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What a companion is held to."""
        return (
            Bar(name="answered rightly", value=self.right, limit=0.95, unit="", floor=True),
            Bar(
                name="held-out sorts of facts", value=self.held_out, limit=0.95, unit="", floor=True
            ),
            Bar(name="invented facts", value=sum(self.invented.values()), limit=0, unit=""),
        )


def measure_companion(
    seeds: Sequence[int],
    settings: Settings,
    *,
    progress: Callable[[int, int], None] | None = None,
    transcript: Path | None = None,
) -> CompanionFigures:
    """Play a saga for each seed, and count.

    Parameters
    ----------
    seeds : sequence of int
        What is drawn.
    settings : Settings
        The models.
    progress : callable, optional
        Called with sittings done and sittings in all.
    transcript : Path, optional
        A text file for everything that was said.
    """
    plays: list[Play] = []
    for number, seed in enumerate(seeds):
        saga = draw_saga(seed)
        total = len(seeds) * len(saga.sittings)

        def told(done: int, before: int = number * len(saga.sittings), total: int = total) -> None:
            if progress is not None:
                progress(before + done, total)

        plays.append(play(saga, settings, on_sitting=told))
        if transcript is not None:
            transcript.write_text("\n".join(_transcript(plays)), encoding="utf-8")
    return figures_of(plays)


def figures_of(plays: Sequence[Play]) -> CompanionFigures:
    """Count what was right."""
    answers = [a for each in plays for a in each.answered]
    tuned = [a for a in answers if not a.item.held_out]
    held_out = [a for a in answers if a.item.held_out]
    return CompanionFigures(
        seeds={str(each.seed): _share(each.answered) for each in plays},
        invented={str(each.seed): each.invented for each in plays},
        right=_share(answers),
        tuned=_share(tuned),
        held_out=_share(held_out),
        by_sort=_counted((a.item.sort, a.correct) for a in answers),
        by_kind=_counted((a.item.kind, a.correct) for a in answers),
        by_tier=_counted((a.tier, a.correct) for a in answers),
        model=plays[0].model if plays else "none",
    )


def play(
    saga: Saga, settings: Settings, *, on_sitting: Callable[[int], None] = lambda done: None
) -> Play:
    """Play all sittings of one saga; each opens the world anew.

    Parameters
    ----------
    saga : Saga
        What is said.
    settings : Settings
        The models.
    on_sitting : callable
        Called with the number of sittings that are over.
    """
    persona = msgspec.structs.replace(Persona.builtin("tam"), facts=saga.facts, goals=())
    player = _Player(saga, settings, persona)
    with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
        slot, older = Path(folder) / "slot", Path(folder) / "older"
        for number, sitting in enumerate(saga.sittings):
            if sitting.end == "rewound":
                shutil.copytree(slot, older)
            player.sit(number, sitting, slot)
            if sitting.end == "rewound":
                shutil.rmtree(slot)
                older.rename(slot)
            on_sitting(number + 1)
    return Play(
        seed=saga.seed,
        spoken=tuple(player.spoken),
        model=player.model,
    )


class _Player:
    """Says what a saga says, and keeps what comes back."""

    def __init__(self, saga: Saga, settings: Settings, persona: Persona) -> None:
        self._saga, self._settings, self._persona = saga, settings, persona
        self._heard = canonical(" ".join(saga.facts))
        self.spoken: list[Spoken] = []
        self.model = "none"

    def sit(self, number: int, sitting: Sitting, slot: Path) -> None:
        """One sitting."""
        clock = ManualClock()
        heard = self._heard
        with World.open(slot, settings=self._settings, seed=self._saga.seed, clock=clock) as world:
            self.model = world.model_info.id if world.model_info else "none"
            clock.set(_DAY_S * sitting.day + _MORNING_S)
            if number == 0:
                world.view.add(
                    Entity(id=PLAYER, name=NAMES[PLAYER], kind="person"),
                    Entity(id=BREN, name=NAMES[BREN], kind="person"),
                )
                world.npc(COMPANION, self._persona)
                world.npc(ELSEWHERE, msgspec.structs.replace(self._persona, name="Oskar", facts=()))
            for step in sitting.steps:
                clock.advance(_MINUTE_S)
                self._take(number, step, world.npc(step.to))
            if sitting.end != "lost":
                world.save()
        if sitting.end != "save":
            self._heard = heard

    def _take(self, number: int, step: Step, npc: Npc) -> None:
        if step.to == COMPANION:
            self._heard += " " + canonical(step.text)
        if step.seen:
            npc.remember(step.text)
            return
        reply = npc.say(step.text, speaker=step.speaker).wait()
        if step.to != COMPANION:
            return
        stray = _stray(reply.text, self._heard)
        answered = None
        if step.item is not None:
            clauses = [(clause.text, clause.tier) for clause in reply.clauses]
            answered = judge(step.item, reply.text, _answering_tier(step.item, clauses))
            if stray and not answered.invented:
                answered = msgspec.structs.replace(
                    answered, correct=False, invented=True, why=f"nobody told of {stray}"
                )
            stray = ""
        self.spoken.append(
            Spoken(
                sitting=number,
                said=step.text,
                speaker=NAMES[step.speaker],
                line=reply.text,
                tiers=reply.tiers,
                stray=stray,
                answered=answered,
            )
        )


def _answering_tier(item: Item, clauses: Sequence[tuple[str, str]]) -> str:
    """The tier of the clause that answers; of the whole line where no single clause does."""
    for text, tier in clauses:
        if judge(item, text).correct:
            return tier
    tiers = {tier for _, tier in clauses}
    return tiers.pop() if len(tiers) == 1 else "mixed" if tiers else "none"


@cache
def _proper() -> tuple[str, ...]:
    """Words that stand in a line only when somebody told them: names, towns, places, things."""
    words = corpus().words
    things = [f"{a} {h}" for group in words.things for a in group.adjectives for h in group.heads]
    listed = (*words.women, *words.men, *words.towns, *words.spots, *words.pets, *things)
    return tuple(canonical(each.split("|")[0]) for each in listed)


def _stray(line: str, heard: str) -> str:
    """The first proper word of a line that was never heard; empty when there is none."""
    said = f" {canonical(line)} "
    return next((w for w in _proper() if f" {w} " in said and f" {w} " not in f" {heard} "), "")


def _share(answers: Sequence[Answered]) -> float:
    return sum(a.correct for a in answers) / len(answers) if answers else 0.0


def _counted(pairs: Iterable[tuple[str, bool]]) -> dict[str, tuple[int, int]]:
    pairs = list(pairs)
    right = Counter(name for name, correct in pairs if correct)
    total = Counter(name for name, _ in pairs)
    return {name: (right[name], total[name]) for name in sorted(total)}


def _transcript(plays: Sequence[Play]) -> Iterable[str]:
    for each in plays:
        yield f"=== seed {each.seed}: {_share(each.answered):.1%} right, {each.invented} invented"
        for spoken in each.spoken:
            yield f"[{spoken.sitting + 1:2}] {spoken.speaker}: {spoken.said}"
            mark = "  ?" if spoken.stray else ""
            yield f"     Tam ({', '.join(spoken.tiers)}): {spoken.line}{mark}"
            if (answered := spoken.answered) is not None:
                wrong = "INVENTED" if answered.invented else "missed"
                state = "right" if answered.correct else wrong
                yield f"     {state}: {answered.why} [{answered.item.sort}]"
