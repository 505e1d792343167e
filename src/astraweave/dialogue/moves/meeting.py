"""Meeting and parting: what a greeting says depends on who it is and what lies between the two."""

from __future__ import annotations

import re

from astraweave.dialogue.acts import act_of
from astraweave.dialogue.answer import spoken
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import words
from astraweave.dialogue.moves import by_tables
from astraweave.dialogue.moves.answering import summary
from astraweave.dialogue.moves.choice import Choice, Scene, planned, short_fact
from astraweave.dialogue.moves.news import heard_of_speaker
from astraweave.dialogue.retell import retell
from astraweave.rag import DAY_S

__all__ = ["go_on", "greet", "part"]

_RECALL_CHANCE = 0.7
_CLOSE = 0.4
"""From here on somebody is a friend, or the opposite."""
_AFRAID = 0.5
_PROMISING = re.compile(
    r"\b(?:i (?:promise|swear|vow)|i(?:'ll| will) (?:bring|get|fetch|find|return|repay|pay|"
    r"help|come"
    r" back|be back|give|make|send|show|write|keep)|you have my word|upon my word)\b",
    re.IGNORECASE,
)
PROMISE = "promise"
"""Tag of a memory of something that was promised and is not done yet."""
LONG_S = 2 * DAY_S
"""After so long a greeting says how long it was."""
VERY_LONG_S = 14 * DAY_S
"""After so long it also says what the two talked of."""


def greet(scene: Scene) -> Choice:
    """Greet by what the two are to each other, and by what lies between them."""
    relation = scene.relation
    gap = {"gap": span_of(scene.away_s)} if scene.away_s >= LONG_S else {}
    who = {"name": scene.name} if scene.name else {}
    fields = {**gap, **who}
    reasons = (f"the two last talked {gap['gap']} ago",) if gap else ()
    if relation.fear >= _AFRAID:
        return Choice("greet_feared", ("it is afraid of them", *reasons), fields=fields)
    if relation.affinity <= -_CLOSE or relation.trust <= -_CLOSE:
        return Choice("greet_rival", ("the two are not on good terms", *reasons), fields=fields)
    if not scene.met_before:
        return _first_meeting(scene, fields)
    if (promised := open_promise(scene)) is not None:
        return promised.because(*reasons)
    if (news := heard_of_speaker(scene)) is not None:
        return news.because(*reasons)
    if scene.away_s >= VERY_LONG_S and (back := summary(scene, most=2)) is not None:
        return _after_long(back, fields, reasons, friend=relation.affinity >= _CLOSE)
    if (known := by_tables.recall_in_greeting(scene)) is not None:
        return known.because(*reasons)
    told = scene.tellings
    if told and scene.rng.random() < _RECALL_CHANCE:
        fact, source = told[scene.rng.randrange(min(3, len(told)))]
        retold = retell(fact, swap=True)
        return Choice(
            "greeting_recall",
            ("they have met, and this is remembered of them", *reasons),
            facts=(planned(source, retold),),
            fields={"retold": retold, **fields},
            model_clauses=1,
            whole=True,
        )
    if relation.affinity >= _CLOSE:
        return Choice("greet_friend", ("it likes them", *reasons), fields=fields)
    return Choice("greeting_again", ("they have met before", *reasons), fields=fields)


def _after_long(
    back: Choice, fields: dict[str, str], reasons: tuple[str, ...], *, friend: bool
) -> Choice:
    """A greeting after a long absence: what the two talked of is worth a word."""
    return Choice(
        "greet_friend" if friend else "greeting_again",
        ("they have not met for long", *reasons),
        fields=fields,
        model_clauses=0,
        whole=True,
        after=(back,),
    )


def _first_meeting(scene: Scene, fields: dict[str, str]) -> Choice:
    told = any(act_of(s).told for s in [scene.text]) or scene.persona.temperament.extraversion > 0.6
    if told and scene.persona.role:
        own = {"own_name": scene.persona.name, "role": scene.persona.role, **fields}
        return Choice("introduce", ("the two have never met",), fields=own)
    return Choice("greeting", ("the two have never met",), fields=fields)


def open_promise(scene: Scene) -> Choice | None:
    """Remind of what the speaker promised and has not done, as far as is known."""
    speaker = scene.situation.speaker
    theirs = [m for m in scene.situation.lately if m.speaker == speaker and not m.superseded_by]
    for memory in theirs:
        if memory.game_time >= scene.situation.now - 60 or scene.lines_since(memory.text) < 21:
            continue
        if PROMISE not in memory.tags and not _PROMISING.search(memory.text):
            continue
        wanted = _things(memory.text)
        later = [m.text for m in theirs if m.id > memory.id]
        if any(len(wanted & _things(text)) >= min(2, len(wanted)) for text in later):
            continue  # they have spoken of it since: done, or no news
        source = next((s for s in scene.sources if s.memory_id == memory.id), None)
        fact = short_fact(source, swap=True) if source is not None else None
        if source is None or fact is None:
            continue
        retold = retell(fact, swap=True)
        if scene.lines_since(retold) < 21:
            continue
        return Choice(
            "greeting_recall",
            ("they promised this, and it is not known to be done",),
            facts=(planned(source, retold),),
            fields={"retold": retold},
            model_clauses=0,
            whole=True,
        )
    return None


def part(scene: Scene) -> Choice:
    """Say goodbye."""
    return Choice("farewell", ("they take their leave",), fields=_named(scene))


_GO_ON = re.compile(
    r"^(?:(?:sorry|please|pardon)[\s,.!]*)*(?:go on|carry on|continue|you were saying|what were you"
    r" saying|as you were saying|do go on|finish (?:what you were saying|your (?:sentence|"
    r"story)))\b",
    re.IGNORECASE,
)


def go_on(scene: Scene) -> Choice | None:
    """Take up again what it was saying when somebody cut in."""
    rest = scene.situation.unsaid
    if not rest or not (_GO_ON.match(scene.text) or scene.heard.kind in {"agreement", "apology"}):
        return None
    return Choice(
        "resume",
        ("it was interrupted, and may go on",),
        fields={"rest": rest, "Rest": spoken(rest)},
        model_clauses=0,
        whole=True,
    )


def span_of(seconds: float) -> str:
    """A stretch of game time in words: "three days".

    Examples
    --------
    >>> span_of(3 * 86_400), span_of(86_400 * 15)
    ('three days', 'two weeks')
    """
    for name, length in _SPANS:
        if seconds >= length * 0.95:
            count = max(1, round(seconds / length))
            if count == 1:
                return f"{'an' if name == 'hour' else 'a'} {name}"
            said = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
            return f"{said} {name}s"
    return "a while"


_SPANS = (
    ("year", 365 * DAY_S),
    ("month", 30 * DAY_S),
    ("week", 7 * DAY_S),
    ("day", DAY_S),
    ("hour", 3600.0),
)
_NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()


def _things(text: str) -> frozenset[str]:
    """What a text is about: its nouns and names."""
    lex = lexicon()
    return frozenset(
        min(lex.keys(w.low), default=w.low)
        for w in words(text)
        if w.is_("NE") and not w.is_("O") and not lex.keys(w.low) & lex.times
    )


def _named(scene: Scene) -> dict[str, str]:
    return {"name": scene.name} if scene.name else {}
