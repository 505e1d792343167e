"""Wishes: what is asked of the character, what is offered to it, and what it wants itself."""

from __future__ import annotations

import re

from astraweave.dialogue.moves.choice import Choice, Scene

__all__ = ["give_word", "meet_offer", "meet_request", "seek_help"]

SEEK_HELP_EVERY = 12
"""Lines between two in which a character speaks of what it wants."""
_SEEK_CHANCE = 0.4
_LIKED = 0.3
_DISLIKED = -0.3
_AFRAID = 0.5


_ASKS_WORD = re.compile(
    r"^(?:(?:please|then|but|and)[\s,]+)*(?:(?:can|will|would|do) you )?(?:promise(?: me)?\b|"
    r"give me your word|swear(?: it)?(?: to me)?\b)",
    re.IGNORECASE,
)


def give_word(scene: Scene) -> Choice | None:
    """Give its word to somebody who asks for it, or not."""
    if not _ASKS_WORD.match(scene.text):
        return None
    relation = scene.relation
    if relation.affinity <= _DISLIKED or relation.trust <= _DISLIKED:
        return Choice("refuse", ("asked for its word by somebody whom it does not trust",))
    if relation.trust + relation.affinity >= _LIKED or relation.fear >= _AFRAID:
        why = "likes or trusts" if relation.fear < _AFRAID else "fears"
        return Choice("promise", (f"asked for its word by somebody whom it {why}",))
    return Choice("request", ("asked for its word by somebody whom it hardly knows",))


def meet_request(scene: Scene) -> Choice:
    """Grant, put off or refuse what is asked for, by how the two stand to each other."""
    relation = scene.relation
    if relation.fear >= _AFRAID:
        return Choice("accept", ("asked for something by somebody whom it fears",))
    if relation.affinity <= _DISLIKED or relation.trust <= _DISLIKED:
        return Choice("refuse", ("asked for something by somebody whom it does not like or trust",))
    if relation.affinity + relation.trust >= 2 * _LIKED:
        return Choice("accept", ("asked for something by somebody whom it likes and trusts",))
    if scene.mood.valence <= -0.5:
        return Choice("decline", ("asked for something while it is in a bad mood",))
    return Choice("request", ("asked for something",))


def meet_offer(scene: Scene) -> Choice:
    """Take help that is offered, or not."""
    relation = scene.relation
    if relation.affinity <= _DISLIKED or relation.trust <= _DISLIKED:
        return Choice("decline", ("offered help by somebody whom it does not like or trust",))
    if scene.persona.goals and (wish := seek_help(scene, anyway=True)) is not None:
        return Choice(
            "accept", ("offered help, and there is something that it wants",), after=(wish,)
        )
    return Choice("accept", ("offered help",))


def seek_help(scene: Scene, *, anyway: bool = False) -> Choice | None:
    """Speak of something that the character wants, now and then."""
    goals = scene.persona.goals
    if not goals or scene.relation.affinity <= _DISLIKED or scene.relation.fear >= _AFRAID:
        return None
    said = [scene.lines_since(_clause(goal)) for goal in goals]
    if min(said) <= SEEK_HELP_EVERY:
        return None
    if not anyway and (len(scene.recent) < 2 or scene.rng.random() >= _SEEK_CHANCE):
        return None
    longest = [goal for goal, age in zip(goals, said, strict=True) if age == max(said)]
    goal = longest[scene.rng.randrange(len(longest))]
    clause = _clause(goal)
    return Choice(
        "seek_help",
        (f"it wants something, and has not said so for {SEEK_HELP_EVERY} lines",),
        fields={"goal": clause, "retold": clause},
        model_clauses=0,
    )


def _clause(goal: str) -> str:
    """A goal as a clause: "I want to finish the gate"."""
    return goal.strip().rstrip(".!")
