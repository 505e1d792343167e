"""Talk in languages that have tables and no parser: what is heard, noted, looked up and said back.

An answer is something told (or known by the character of itself) in which every word of the
question is found, and with what the question asks for: a place for "wo", a number for "wie viele".
All else is not known, and is said to be so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from astraweave.dialogue.acts import Act, ActKind
from astraweave.dialogue.answer import Answer
from astraweave.dialogue.facts import Source
from astraweave.dialogue.grammar import Grammar, language_of
from astraweave.dialogue.language.words import sentences
from astraweave.dialogue.moves.choice import Choice, Scene, planned
from astraweave.dialogue.plan import PlannedFact
from astraweave.persona import Persona

__all__ = ["act_in", "answer", "read_by_tables", "recall_in_greeting", "sum_up", "take_note"]

_WORD = re.compile(r"[^\W_]+")
_KINDS: tuple[ActKind, ...] = (
    "recap", "threat", "insult", "wellbeing", "offer", "thanks", "apology", "praise", "request",
    "farewell", "agreement",
)  # fmt: skip
_MOST_WORDS = 14
_MOST_SUMMED_UP = 2


def read_by_tables(text: str, persona: Persona) -> Grammar | None:
    """The tables of the persona's language, where the text is in it; None: the parser reads it."""
    if persona.language.split("-")[0] == "en":
        return None
    grammar = Grammar.named(persona.language)
    same = grammar.acts and language_of(text, default=grammar.tag) == grammar.tag
    return grammar if same else None


def act_in(text: str, grammar: Grammar) -> Act:
    """What a line does, by its language's tables.

    Examples
    --------
    >>> german = Grammar.named("de")
    >>> act_in("Guten Morgen!", german).kind, act_in("Meine Kuh ist krank.", german).kind
    ('greeting', 'telling')
    """
    greets = _matches(grammar, "greeting", text)
    for kind in _KINDS:
        if _matches(grammar, kind, text):
            return Act(kind=kind, greets=greets)
    said = sentences(text) or [text]
    told = " ".join(s for s in said if _tells(s, grammar))
    if any(_asks(sentence, grammar) for sentence in said):
        return Act(kind="question", greets=greets, told=told)
    if told:
        return Act(kind="telling", greets=greets, told=told)
    return Act(kind="greeting" if greets else "smalltalk", greets=greets)


def take_note(scene: Scene) -> Choice | None:
    """Take note of something told in the character's own language."""
    told = scene.heard.told
    if not told or read_by_tables(scene.text, scene.persona) is None:
        return None
    fact = PlannedFact(text=told, teller=scene.situation.speaker)
    return Choice("telling", ("told something worth keeping",), facts=(fact,), told=told)


def answer(scene: Scene) -> Choice | None:
    """Answer a question from what has all of its words; or say that it is not known."""
    grammar = read_by_tables(scene.text, scene.persona)
    if grammar is None:
        return None
    source = _answering(scene, grammar)
    if source is None:
        return Choice(
            "unknown",
            ("a question, and nothing that is known has its words",),
            answer=Answer("unknown", teller=_asked_of(scene.text, grammar)),
            model_clauses=0,
            whole=True,
        )
    teller = _teller(source, scene)
    said = grammar.shifted(source.text) if teller == "asker" else source.text
    found = Answer(
        "known",
        retold=(said.strip().rstrip(".!"),),
        teller=teller,
        memories=(source.memory_id,) if source.memory_id else (),
        texts=(source.text,),
    )
    return Choice(
        "answer",
        ("a question, and all of its words are in this",),
        facts=(planned(source, found.retold[0]),),
        answer=found,
        model_clauses=0,
        whole=True,
    )


def _asked_of(text: str, grammar: Grammar) -> str:
    """Whether a question is about the character ("self"), or about the one who asks ("asker")."""
    low = {word.casefold() for word in _WORD.findall(text)}
    yours = low & grammar.swap.get("second", {}).keys()
    return "self" if yours and not low & grammar.swap.get("first", {}).keys() else "asker"


def sum_up(scene: Scene) -> Choice | None:
    """Say what the speaker told, latest first."""
    grammar = read_by_tables(scene.text, scene.persona)
    if grammar is None:
        return None
    told = _told(scene, grammar)[:_MOST_SUMMED_UP]
    if not told:
        return None
    said = [grammar.shifted(s.text).strip().rstrip(".!") for s in told]
    return Choice(
        "summary_of_talk",
        ("asked what is remembered of them",),
        facts=tuple(planned(s, text) for s, text in zip(told, said, strict=True)),
        fields={
            "retold": grammar.joined([said[0], *(_inside(text, grammar) for text in said[1:])])
        },
        model_clauses=0,
        whole=True,
    )


def recall_in_greeting(scene: Scene) -> Choice | None:
    """Greet somebody who comes back with what they told last."""
    grammar = read_by_tables(scene.text, scene.persona)
    if grammar is None or scene.situation.last_met is None:
        return None
    if scene.relation.affinity < -0.2 or scene.relation.fear > 0.4:
        return None
    before = [s for s in _told(scene, grammar) if s.game_time <= scene.situation.last_met]
    if not before:
        return None
    telling = sorted(before, key=lambda s: -len(s.text))[:_MOST_SUMMED_UP]
    source = telling[scene.rng.randrange(len(telling))]
    retold = grammar.shifted(source.text).strip().rstrip(".!")
    return Choice(
        "greeting_recall",
        ("they have met, and this is remembered of them",),
        facts=(planned(source, retold),),
        fields={"retold": retold},
        model_clauses=0,
        whole=True,
    )


def _inside(text: str, grammar: Grammar) -> str:
    """A clause as it stands within a sentence."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first.casefold() in grammar.stopwords else text


def _told(scene: Scene, grammar: Grammar) -> list[Source]:
    """What the speaker told in this language and is short enough to be said back; latest first."""
    opinion = grammar.asked.get("opinion_told")
    return [
        source
        for source in sorted(scene.sources, key=lambda s: -s.order)
        if source.speaker == scene.situation.speaker
        and len(source.text.split()) <= _MOST_WORDS
        and len(sentences(source.text)) == 1
        and not (opinion and opinion.search(source.text))
        and language_of(source.text, default=grammar.tag) == grammar.tag
        and act_in(source.text, grammar).kind == "telling"
    ]


def _answering(scene: Scene, grammar: Grammar) -> Source | None:
    asked = next((s for s in reversed(sentences(scene.text)) if _asks(s, grammar)), scene.text)
    low = [word.casefold() for word in _WORD.findall(asked)]
    wanted = [
        word
        for word in low
        if word not in grammar.stopwords | grammar.question_words and len(word) > 1
    ]
    mine = any(word in grammar.swap.get("first", {}) for word in low)
    yours = any(word in grammar.swap.get("second", {}) for word in low)
    if not wanted:
        return None
    for words in (wanted, *_renamed(wanted, scene, grammar)):
        found = _with_all(words, asked, scene, grammar, mine=mine, yours=yours)
        if found is not None:
            return found
    return None


def _renamed(wanted: list[str], scene: Scene, grammar: Grammar) -> Iterator[list[str]]:
    """The words of a question with a name for "my sister", and the other way round."""
    if grammar.naming is None:
        return
    for source in sorted(scene.sources, key=lambda s: -s.order):
        if source.speaker != scene.situation.speaker:
            continue
        for whose, name in grammar.naming.findall(source.text):
            for old, new in ((whose, name), (name, whose)):
                places = [i for i, word in enumerate(wanted) if _alike(word, old.casefold())]
                if places:
                    yield [new.casefold() if i in places else w for i, w in enumerate(wanted)]


def _with_all(
    wanted: list[str], asked: str, scene: Scene, grammar: Grammar, *, mine: bool, yours: bool
) -> Source | None:
    """The latest source that has all of these words and what is asked for."""
    for source in sorted(scene.sources, key=lambda s: -s.order):
        own = source.speaker == scene.persona.id
        if (mine and source.speaker != scene.situation.speaker) or (yours and not mine and not own):
            continue
        if source.text == scene.text or _asks(source.text, grammar):
            continue
        if language_of(source.text, default=grammar.tag) != grammar.tag:
            continue
        if _has_all(wanted, source.text) and _has_what_is_asked(asked, source.text, grammar):
            return source
    return None


def _has_all(wanted: list[str], text: str) -> bool:
    known = [word.casefold() for word in _WORD.findall(text)]
    return all(any(_alike(word, other) for other in known) for word in wanted) and len(known) > len(
        wanted
    )


def _has_what_is_asked(asked: str, text: str, grammar: Grammar) -> bool:
    return all(needs.search(text) for asks, needs in grammar.questions if asks.search(asked))


def _alike(left: str, right: str) -> bool:
    """Whether two words are forms of one, as far as their beginnings tell."""
    longest = max(len(left), len(right))
    common = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        common += 1
    return left == right or (common >= 4 and common >= 0.65 * longest)


def _teller(source: Source, scene: Scene) -> str:
    if source.speaker == scene.persona.id:
        return "self"
    if source.speaker == scene.situation.speaker:
        return "asker"
    return scene.situation.spoken_names().get(source.speaker, source.speaker)


def _asks(sentence: str, grammar: Grammar) -> bool:
    return sentence.rstrip().endswith("?")


def _tells(sentence: str, grammar: Grammar) -> bool:
    """Whether a sentence tells something: of the speaker, or of something that is named."""
    if _asks(sentence, grammar) or len(sentence.split()) < 3 or _matches(grammar, "chat", sentence):
        return False
    if _matches(grammar, "greeting", sentence):
        return False
    found = _WORD.findall(sentence)
    mine = any(word.casefold() in grammar.swap.get("first", {}) for word in found)
    return mine or any(word[:1].isupper() for word in found[1:])


def _matches(grammar: Grammar, kind: str, text: str) -> bool:
    pattern = grammar.acts.get(kind)
    return pattern is not None and pattern.search(text.strip()) is not None
