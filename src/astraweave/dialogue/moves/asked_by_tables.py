"""Questions for feelings, opinions and news in languages that have tables and no parser."""

from __future__ import annotations

import re

from astraweave.dialogue.answer import Answer
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.moves import feelings, opinions
from astraweave.dialogue.moves.answering import of_itself
from astraweave.dialogue.moves.by_tables import answer, read_by_tables
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.moves.news import gossip
from astraweave.persona import Explanation

__all__ = ["ask"]

_FEELING_ACTS = {"why": "because", "wrong": "wrong", "whether": "confirmed_self"}


_PLAIN_ACTS = {
    "forgive": "apology",
    "stance": "stance",
    "agreement": "telling_opinion",
    "opinion_told": "telling_opinion",
}


def ask(scene: Scene) -> Choice | None:
    """Answer what is asked of the character itself, where its language's tables read it."""
    grammar = read_by_tables(scene.text, scene.persona)
    if grammar is None:
        return None
    for kind, pattern in grammar.asked.items():
        if (found := pattern.search(scene.text)) is not None:
            return _answer(kind, found, scene, grammar)
    return None


def _answer(kind: str, found: re.Match[str], scene: Scene, grammar: Grammar) -> Choice | None:
    if kind in _FEELING_ACTS:
        return _felt(_FEELING_ACTS[kind], found, scene, grammar)
    if kind == "itself":
        return of_itself(scene, asked=True)
    if kind == "how":
        return feelings.how_it_feels(scene)
    if kind == "opinion":
        about = next((text for text in found.groups() if text), "")
        return opinions.opinion_of(scene, about) or _view(scene)
    if kind == "view":
        return _view(scene)
    if kind == "news":
        return gossip(scene) or _plain("no_news", "asked for news, and it has none to pass on")
    return _plain(_PLAIN_ACTS[kind], f"asked for its {kind}")


def _felt(act: str, found: re.Match[str], scene: Scene, grammar: Grammar) -> Choice:
    """As `feelings.ask_why`; the event is told by the tables, for its own text is English."""
    groups = found.groupdict()
    named = groups.get("felt") or groups.get("bond") or ""
    english = grammar.feeling_words.get(named.casefold(), named)
    question = f"why are you {english}" if english else ""
    choice = feelings.with_cause(scene, act, question)
    if choice.act not in {"because", "wrong", "confirmed_self"}:
        return choice
    told = _told(feelings.explained(scene, question), scene, grammar)
    if not told:
        return Choice("feeling", choice.reasons, model_clauses=0, whole=True)
    choice.fields = {"retold": told}
    return choice


def _told(why: Explanation, scene: Scene, grammar: Grammar) -> str:
    """The strongest event that the language has words for."""
    names = scene.situation.spoken_names()
    for reason in why.reasons:
        outcome = reason.cause.outcome
        with_listener = outcome.by == scene.situation.speaker
        pattern = grammar.happened.get("by_you" if with_listener else "by_other", {})
        if (text := pattern.get(outcome.kind)) is not None:
            return text.replace("{by}", names.get(outcome.by, outcome.by))
    return ""


def _view(scene: Scene) -> Choice:
    """What it says of its tastes, or that it has no view."""
    known = answer(scene)
    if known is not None and known.act == "answer":
        return known
    return _plain("no_opinion", "asked for a view")


def _plain(act: str, reason: str) -> Choice:
    answer = Answer("unknown") if act == "no_opinion" else None
    return Choice(act, (reason,), answer=answer, model_clauses=0, whole=True)
