"""From a choice to composed words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from astraweave.dialogue.compose import Composer
from astraweave.dialogue.moves import Choice, Scene
from astraweave.dialogue.plan import LinePlan, Plan
from astraweave.dialogue.repair import normal
from astraweave.dialogue.tone import Tone

__all__ = ["worded"]

_INSTEAD: Mapping[str, tuple[str, ...]] = {
    "greet_friend": ("greeting_again",),
    "greet_rival": ("greeting_again",),
    "greet_feared": ("greeting_again",),
    "introduce": ("greeting",),
    "promise": ("telling_plain",),
    "accept": ("request",),
    "decline": ("request",),
    "refuse": ("request",),
    "taboo": ("refuse", "unknown_self"),
    "secret": ("refuse", "unknown_self"),
    "feeling": ("wellbeing",),
    "because": ("feeling", "wellbeing"),
    "tease": ("insult",),
    "warn": ("insult",),
    "threaten": ("warn", "insult"),
    "boast": ("smalltalk",),
    "disagree_with": ("smalltalk",),
    "agree_with": ("agreement",),
    "comfort": ("telling_sad", "telling_plain"),
    "congratulate": ("telling_glad", "telling_plain"),
    "listening": ("telling_plain",),
    "what_next": ("listening", "telling_plain"),
    "threatened": ("insult",),
    "wrong": ("because", "feeling"),
    "untroubled": ("wellbeing",),
    "stance": ("recap_nothing", "wellbeing"),
    "opinion": ("no_opinion", "unknown_self"),
    "no_opinion": ("unknown_self",),
    "no_news": ("wellbeing",),
    "gratitude": ("thanks",),
    "confirmed_self": ("because", "feeling"),
    "surprise": ("telling", "telling_plain"),
    "gossip": ("smalltalk",),
    "seek_help": ("smalltalk",),
    "resume": ("smalltalk",),
    "hand_over": ("agreement",),
    "interrupted": ("opener",),
}
"""What is said where a voice has no line for an act, or none whose places can be filled."""


_ENGLISH = frozenset(["feeling", "gap", "topic"])


def worded(composer: Composer, scene: Scene, choice: Choice, line: LinePlan) -> Plan:
    """The composed words of a choice: what opens the line, and what follows without a model."""
    recent = list(scene.recent)
    if choice.act == "silence":
        return Plan(scene.heard, "", model_clauses=0, line=line)
    text = _said(composer, scene, choice, line.tone, recent)
    if choice.act == "smalltalk":
        opening, rest = composer.opener(scene.rng, recent, line.tone), text
    elif choice.whole:
        opening, rest = text, ""
    else:
        opening, rest = _parted(text)
    for more in choice.after:
        said = _said(composer, scene, more, line.tone, [*recent, text])
        rest = f"{rest} {said}".strip()
    opening, rest = _unsaid(composer, scene, opening, rest)
    return Plan(
        scene.heard,
        opening,
        rest,
        memories=choice.answer.memories if choice.answer is not None else line.memories,
        answer=choice.answer,
        model_clauses=0 if choice.after else choice.model_clauses,
        line=line,
    )


_FIRST_SENTENCE = re.compile(r"(?s)(.+?(?<![.…])[.!?…][\"”»’)]*)\s+(?=[\"“„«(]?[^\W\d_])(.+)")


def _parted(text: str) -> tuple[str, str]:
    """The first sentence of a line and the others, each as it is written."""
    found = _FIRST_SENTENCE.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _unsaid(composer: Composer, scene: Scene, opening: str, rest: str) -> tuple[str, str]:
    """The two parts, with other words around them where the character said just that lately."""
    lately = {normal(line) for line in scene.recent}

    def fresh(first: str, then: str) -> bool:
        return normal(f"{first} {then}") not in lately and bool(then or normal(first) not in lately)

    if fresh(opening, rest):
        return opening, rest
    for first, last in _around(composer, scene):
        lead, tail = f"{first} {opening}".strip(), f"{rest} {last}".strip()
        if not rest and last:
            lead, tail = f"{lead} {last}", ""
        if fresh(lead, tail):
            return lead, tail
    return opening, rest


def _around(composer: Composer, scene: Scene) -> Iterator[tuple[str, str]]:
    """Words that can stand before and behind any line, in an order drawn for this one."""
    openers, tails = list(composer.lines("opener")), list(composer.lines("tail"))
    scene.rng.shuffle(openers)
    scene.rng.shuffle(tails)
    yield from ((opener, "") for opener in openers)
    yield from (("", tail) for tail in tails)
    yield from ((opener, tail) for opener in openers for tail in tails)
    yield from ((f"{one} {two}", "") for one in openers for two in openers if one != two)


def _said(
    composer: Composer, scene: Scene, choice: Choice, tone: Tone, recent: Sequence[str]
) -> str:
    """A composed line for a choice."""
    rng, fields = scene.rng, {**_named(scene), **choice.fields}
    if composer.voice.language != "en":
        # Words of English that stand for a thought: the voice's own language has its own.
        fields = {name: text for name, text in fields.items() if name not in _ENGLISH}
    if choice.act in {"answer", "unknown"} and choice.answer is not None:
        return composer.answer(choice.answer, rng, recent, tone)
    if choice.act == "telling" and choice.told:
        return composer.telling(choice.told, scene.situation.speaker, rng, recent, tone)
    if choice.act == "telling":
        return composer.pick("telling_plain", fields, rng, recent, tone=tone)
    if choice.act == "recap":
        return composer.recap([fact for fact, _ in scene.tellings], rng, recent, tone)
    kinds = (choice.act, *_INSTEAD.get(choice.act, ()), "smalltalk")
    kind = next((kind for kind in kinds if composer.covers(kind, fields)), "smalltalk")
    return composer.pick(kind, fields, rng, recent, tone=tone)


def _named(scene: Scene) -> dict[str, str]:
    return {"name": scene.name} if scene.name else {}
