"""News that moves: what overturns a belief, and what makes the one who tells it sad or glad."""

from __future__ import annotations

from astraweave.dialogue.echoes import echo_of
from astraweave.dialogue.facts import Source
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.moves.choice import Choice, Scene, planned, short_fact
from astraweave.dialogue.plan import PlannedFact
from astraweave.dialogue.reported import in_third_person
from astraweave.dialogue.retell import retell

__all__ = ["felt_with", "notice_change"]

_FRIEND = 0.4
_KIND = 0.65
"""Who is at least so agreeable feels with strangers as well."""
_COLD = -0.2
_TAKEN_BACK_S = 60.0
"""What somebody said so lately, and says otherwise now, is put right and no news."""
_LATELY = 6
"""Turns of the other within which nobody is comforted, or wished joy, for the second time."""
_CHANGES = frozenset(["telling", "smalltalk", "greeting", "agreement"])


def notice_change(scene: Scene) -> Choice | None:
    """Be surprised by what cannot be true beside something that it believed."""
    situation = scene.situation
    if scene.heard.kind not in _CHANGES or not situation.overturned:
        return None
    told = scene.heard.told or scene.text
    names = situation.spoken_names()
    for old in situation.overturned:
        own = old.speaker == situation.speaker
        teller = "" if own else names.get(old.speaker, "")
        if not own and (not teller or old.speaker == scene.persona.id):
            continue  # nobody can be named who said so
        if own and old.game_time > situation.now - situation.calendar.game(_TAKEN_BACK_S):
            continue
        source = Source(old.text, old.speaker, scene.persona.id, old.id)
        fact = short_fact(source, swap=own)
        if fact is None:
            continue
        retold = retell(fact, swap=own)
        if not own:
            retold = in_third_person(retold, teller)
        whose = "they" if own else teller
        return Choice(
            "surprise",
            (f"it believed otherwise: {whose} had told it {old.text!r}",),
            facts=(planned(source, retold), PlannedFact(text=told, teller=situation.speaker)),
            fields={
                "retold": Grammar.named(scene.persona.language).believed(retold),
                "teller": teller,
                "echo": echo_of(told, situation.speaker, scene.persona.id).get("echo", ""),
            },
            model_clauses=0,
            whole=True,
        )
    return None


def felt_with(told: str, scene: Scene) -> tuple[Choice, ...]:
    """What follows sad or glad news of the speaker's own: comfort, or joy, where it is felt."""
    grammar = Grammar.named(scene.persona.language)
    takes = grammar.takes(told)
    if not takes or not grammar.speaks_of_self(told):
        return ()
    relation = scene.relation
    if relation.affinity <= _COLD or relation.fear >= _FRIEND:
        return ()
    friend = relation.affinity >= _FRIEND
    if not friend and scene.persona.temperament.agreeableness < _KIND:
        return ()
    before = [t.text for t in scene.situation.history if t.role == "user"][-_LATELY:]
    if any(grammar.takes(text) == takes for text in before):
        return ()  # said once it is meant; said at every turn it is a habit
    why = "they are a friend" if friend else "it is kind by nature"
    act = "comfort" if takes == "sad" else "congratulate"
    return (Choice(act, (f"the news is {takes} for them, and {why}",), model_clauses=0),)
