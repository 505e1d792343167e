"""What is not talked about: taboos, and what was told in confidence or is meant to stay hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from astraweave.context.turn import Turn
from astraweave.dialogue.answer import Answer
from astraweave.dialogue.facts import Source
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import words
from astraweave.dialogue.moves.answering import found_in
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.situation import Situation
from astraweave.persona import Persona
from astraweave.rag.memory import Memory

__all__ = ["SECRET", "confided", "disclosed", "keep_secret", "promise_silence", "refuse_taboo"]
__all__ += ["taboo_in", "touches_taboo"]

SECRET = "secret"  # noqa: S105 - a tag
"""Tag of a memory that is not for everybody."""

TRUST_FOR_SECRETS = 0.6
"""From here on a character tells its own secrets; never what others told it in confidence."""

_CONFIDING = re.compile(
    r"\b(?:(?:don't|do not|never|mustn't|must not|please don't) (?:you )?(?:ever )?(?:tell|"
    r"say (?:it"
    r"|this|a word) to|breathe a word)|tell (?:no ?body|no ?one|no soul)|"
    r"(?:just )?between (?:you and"
    r" me|us|ourselves|the two of us)|keep (?:it|this|that) (?:to yourself|secret|quiet|"
    r"between us)|"
    r"(?:it's|it is|this is|that's) (?:a|our|my) secret|(?:can|will|could) you keep a secret|in"
    r" confidence|"
    r"nobody (?:must|may|can|should) know|swear (?:not to|you won't) tell)\b",
    re.IGNORECASE,
)


def confided(text: str) -> bool:
    """Whether somebody tells this in confidence.

    Examples
    --------
    >>> confided("Between you and me, I hid the gold under the bridge.")
    True
    """
    return bool(_CONFIDING.search(text))


def disclosed(situation: Situation) -> tuple[Situation, tuple[Memory, ...]]:
    """The situation without what must not be told in it, and what that is."""
    withheld = tuple(r.memory for r in situation.memories if not _may_tell(r.memory, situation))
    hidden = {memory.id for memory in withheld}
    turns = _open_turns(situation.history, situation)
    if not withheld and len(turns) == len(situation.history):
        return situation, ()
    return msgspec.structs.replace(
        situation,
        memories=tuple(r for r in situation.memories if r.memory.id not in hidden),
        lately=tuple(m for m in situation.lately if _may_tell(m, situation)),
        history=turns,
    ), withheld


def _may_tell(memory: Memory, situation: Situation) -> bool:
    if SECRET not in memory.tags or memory.owner in situation.scopes:
        return True
    hearers = {situation.speaker, *situation.present} - {situation.persona.id}
    if memory.speaker and memory.speaker != situation.persona.id:
        return hearers == {memory.speaker}
    return all(situation.mind.towards(who).trust >= TRUST_FOR_SECRETS for who in hearers)


def _open_turns(history: Sequence[Turn], situation: Situation) -> Sequence[Turn]:
    """Turns without what others told in confidence, and without what was answered to that."""
    hearers = {situation.speaker, *situation.present} - {situation.persona.id}
    kept: list[Turn] = []
    hiding = False
    for turn in history:
        if turn.role != "assistant":
            hiding = confided(turn.text) and hearers != {turn.speaker}
        if not hiding:
            kept.append(turn)
    return history if len(kept) == len(history) else tuple(kept)


def refuse_taboo(scene: Scene) -> Choice | None:
    """Refuse to talk of what the character does not talk about."""
    topic = taboo_in(scene.text, scene.persona)
    if topic is None:
        return None
    return Choice(
        "taboo",
        (f"it does not talk about {topic!r}",),
        fields={"topic": topic},
        answer=Answer("unknown", topic=topic) if scene.heard.kind == "question" else None,
        model_clauses=0,
        whole=True,
    )


def keep_secret(scene: Scene) -> Choice | None:
    """Do not answer what only a secret answers."""
    question = scene.heard.question
    if question is None or not scene.withheld:
        return None
    sources = [
        Source(m.text, m.speaker or scene.persona.id, m.addressee or scene.persona.id, m.id)
        for m in scene.withheld
    ]
    if found_in(scene, question, sources).kind == "unknown":
        return None
    if found_in(scene, question, scene.sources).kind != "unknown":
        return None  # something that is no secret answers it as well
    confiding = sorted({m.speaker for m in scene.withheld} - {"", scene.persona.id})
    why = (
        f"{confiding[0]} told it in confidence"
        if confiding
        else f"it is a secret, and trust is {scene.relation.trust:.2f}, below {TRUST_FOR_SECRETS}"
    )
    return Choice("secret", (why,), answer=Answer("unknown"), model_clauses=0, whole=True)


def promise_silence(scene: Scene) -> Choice | None:
    """Promise to keep to itself what is told in confidence."""
    if not scene.heard.told or not confided(scene.text):
        return None
    return Choice("promise", ("it was told in confidence",), told=scene.heard.told, model_clauses=0)


def taboo_in(text: str, persona: Persona) -> str | None:
    """The taboo that a text said to the character touches, as the persona has it; or None.

    Examples
    --------
    >>> bard = Persona(id="b", name="Bard", taboos=("the war", "my brother"))
    >>> taboo_in("What did you do in the war?", bard), taboo_in("My brother is a monk.", bard)
    ('the war', None)
    """
    return next((t for t in persona.taboos if _touches(text, t, persona, mine=False)), None)


def touches_taboo(clause: str, persona: Persona) -> bool:
    """Whether a clause that the character would say talks of what it does not talk about."""
    return any(_touches(clause, t, persona, mine=True) for t in persona.taboos)


_OWNERS = frozenset(["my", "the", "a", "an", "our", "your", "his", "her", "their"])


def _touches(text: str, taboo: str, persona: Persona, *, mine: bool) -> bool:
    lex = lexicon()
    wanted = [w.low for w in words(taboo) if w.low not in _OWNERS and w.low.strip("'.,")]
    if not wanted:
        return bool(taboo.strip()) and taboo.casefold() in text.casefold()
    found = words(text)
    own = taboo.casefold().startswith("my ")
    for index, word in enumerate(found):
        if word.low != wanted[0] and not lex.keys(word.low) & lex.keys(wanted[0]):
            continue
        if not all(
            any(w.low == other or lex.same(w.low, other) for w in found) for other in wanted
        ):
            continue
        if not own or _whose(found[:index]) == ("my" if mine else "your"):
            return True
        if persona.name.split()[0].casefold() in {w.low for w in found[max(0, index - 3) : index]}:
            return True
    return False


def _whose(before: Sequence[object]) -> str:
    """The nearest possessive in front, within three words."""
    for word in reversed(list(before)[-3:]):
        low = getattr(word, "low", "")
        if low in _OWNERS - {"the", "a", "an"}:
            return str(low)
    return ""
