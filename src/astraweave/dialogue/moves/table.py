"""From what was heard to what is done: the first rule that has something to say, says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from astraweave.dialogue.moves import (
    answering,
    asked_by_tables,
    by_tables,
    company,
    feelings,
    meeting,
    news,
    opinions,
    reserve,
    sympathy,
    telling,
    wishes,
)
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.moves.foreign import hear_foreign

__all__ = ["decide"]

Rule = Callable[[Scene], Choice | None]

_FIRST: Sequence[Rule] = (
    hear_foreign,
    meeting.go_on,
    company.follow,
    reserve.refuse_taboo,
    asked_by_tables.ask,
    opinions.ask_forgiveness,
    opinions.ask_stance,
    opinions.ask_agreement,
    feelings.ask_why,
    opinions.ask_opinion,
    news.tell_news,
    answering.look_back,
    answering.of_itself,
    wishes.give_word,
    sympathy.notice_change,
)
"""Asked before all others, whatever was heard."""

_TABLE: Mapping[str, Sequence[Rule]] = {
    "question": (reserve.keep_secret, by_tables.answer, company.hand_over, answering.answer),
    "recap": (by_tables.sum_up, answering.recap),
    "telling": (reserve.promise_silence, telling.take_note),
    "greeting": (meeting.greet,),
    "farewell": (meeting.part,),
    "wellbeing": (feelings.be_well,),
    "request": (wishes.meet_request,),
    "offer": (wishes.meet_offer,),
    "insult": (feelings.meet_insult,),
    "threat": (feelings.meet_threat,),
    "praise": (feelings.meet_praise,),
    "apology": (feelings.meet_apology,),
    "smalltalk": (news.gossip_sometimes,),
}
"""By what was heard. What no rule takes is small talk, or the composed line of the same name."""

_OUT_OF_SORTS = -0.3
"""In a mood below this nobody asks for favours."""
_ROOM_FOR_WISHES = frozenset(["smalltalk", "wellbeing", "farewell", "thanks"])
"""What leaves a character room to speak of what it wants itself."""


def decide(scene: Scene) -> Choice:
    """What the character does."""
    heard = scene.heard.kind
    for rule in (*_FIRST, *_TABLE.get(heard, ())):
        if (choice := rule(scene)) is not None:
            return _with_wishes(choice, scene)
    if heard in {"smalltalk", "telling", "question"}:
        return _with_wishes(telling.chat(scene), scene)
    return _with_wishes(Choice(heard, (f"in answer to {heard}",)), scene)


def _with_wishes(choice: Choice, scene: Scene) -> Choice:
    """The choice, and behind it a wish of the character's own where there is room for one."""
    busy = choice.after or choice.act in {"resume", "silence"} or scene.situation.present
    if busy or scene.heard.kind not in _ROOM_FOR_WISHES or scene.mood.valence <= _OUT_OF_SORTS:
        return choice
    wish = wishes.seek_help(scene)
    return choice if wish is None else replace(choice, after=(wish,), model_clauses=0)
