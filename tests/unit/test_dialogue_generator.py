"""Lines from composed text and from a model that says what the test wants."""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.context import Turn
from astraweave.core.text import sanitize
from astraweave.core.worldview import Entity, Fact, WorldView
from astraweave.dialogue import DialogueGenerator, Judge, Situation
from astraweave.errors import InputError, MissingExtraError, ModelUnavailable, UsageError
from astraweave.llm import ScriptedModel
from astraweave.llm.protocol import Chunk, GenerationRequest
from astraweave.persona import Persona
from astraweave.rag import Memory, Retrieved

TAM = Persona.builtin("tam")
TOLD = ["My sister Mira hid a silver ring under the old mill.", "I have five goats."]


def retrieved(texts=TOLD, speaker="player"):
    return tuple(
        Retrieved(
            memory=Memory(id=n, owner="tam", text=text, speaker=speaker, addressee="tam"), score=1.0
        )
        for n, text in enumerate(texts, start=7)
    )


def situation(said, *, seed=1, history=(), memories=(), **more):
    return Situation(
        persona=TAM,
        speaker="player",
        utterance=sanitize(said),
        history=history,
        memories=memories,
        rng=random.Random(seed),
        **more,
    )


class Script:
    """A model's road that says one text in pieces, waits, or fails."""

    def __init__(self, text="", *, piece=3, delay=0.0, error=None):
        self.text, self.piece, self.delay, self.error = text, piece, delay, error
        self.requests: list[GenerationRequest] = []
        self.cancelled = 0
        self.model = ScriptedModel(["-"], context_tokens=1024)

    def submit(self, request, *, deadline=None, owner="", valid_while=None):
        if self.error is not None and not self.text:
            raise self.error
        self.requests.append(request)
        return self

    def cancel(self):
        self.cancelled += 1

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for at in range(0, len(self.text), self.piece):
            await asyncio.sleep(self.delay)
            yield Chunk(text=self.text[at : at + self.piece])
        if self.error is not None:
            raise self.error
        yield Chunk(finish_reason="stop")


def speak(script, *args, deadline_s=5.0, **kwargs):
    async def run():
        line = DialogueGenerator(script).begin(situation(*args, **kwargs), deadline_s=deadline_s)
        return line, [clause async for clause in line]

    return asyncio.run(run())


def test_answer_names_the_slot_and_its_memory():
    line, clauses = speak(None, "Where did Mira hide the ring?", memories=retrieved())
    assert "under the old mill" in line.text.lower()
    assert "your sister Mira hid a silver ring" in line.text
    assert clauses[0].memories == (7,)
    assert (line.report.act, line.report.answer) == ("question", "known")
    assert line.report.tiers == {"composed": 1}


def test_nothing_is_made_up():
    for asked in ("How old is my sister?", "Who hid the lantern?", "How many sheep do I have?"):
        line, _ = speak(None, asked, memories=retrieved())
        assert "I don't know" in line.text
        assert line.report.answer == "unknown"


def test_questions_in_memory_are_no_facts():
    asked = retrieved(["Did Mira hide a ring in the well?", "Where is my gold?"])
    line, _ = speak(None, "Where did Mira hide the ring?", memories=asked)
    assert line.report.answer == "unknown"


def test_what_others_said_is_quoted():
    told = retrieved(["I saw a wolf by the mill."], speaker="bren")
    line, _ = speak(None, "Where did Bren see a wolf?", memories=told, names={"bren": "Bren"})
    assert "Bren" in line.text
    assert "I saw a wolf by the mill" in line.text


def test_world_facts_answer():
    view = WorldView()
    view.add(
        Entity(id="orla", name="Orla", kind="person", place="inn"),
        Entity(id="inn", name="the Crooked Oar", kind="place"),
    )
    view.state(Fact("orla", "is married to", "hob"))
    line, _ = speak(None, "Where is Orla?", world=view.snapshot())
    assert "Crooked Oar" in line.text


def test_model_carries_on_behind_the_opening():
    script = Script(" The fire is warm today. Sit down a while.")
    line, clauses = speak(script, "It looks like rain.")
    assert [c.tier for c in clauses] == ["composed", "model", "model"]
    assert line.text.endswith("The fire is warm today. Sit down a while.")
    assert script.requests[0].prefix == clauses[0].text
    assert (line.report.drafted, line.report.passed, line.report.shown) == (2, 2, 2)
    assert line.report.model_first_clause_ms is not None


def test_the_judge_hears_how_sure_the_model_was_of_each_clause():
    class Sure(Script):
        async def __aiter__(self):
            sure = iter([-1.0, -1.0, -1.0, -1.0, -1.0, -3.0, -3.0, -3.0, -3.0])
            for word in re.findall(r" [^ ]+", self.text):
                yield Chunk(text=word, logprob=next(sure), tokens=1)
            yield Chunk(finish_reason="stop")

    class Listening(Judge):
        heard: ClassVar[list[float | None]] = []

        def judge(self, piece, moment, *, certainty=None, **more):
            self.heard.append(certainty)
            return super().judge(piece, moment, certainty=certainty, **more)

        def about(self, card):
            return self

    async def run(script):
        generator = DialogueGenerator(script)
        generator.judge = Listening()
        async for _ in generator.begin(situation("It looks like rain."), deadline_s=5.0):
            pass

    asyncio.run(run(Sure(" The fire is warm today. Sit down a while.")))
    assert Listening.heard == [pytest.approx(-1.0), pytest.approx(-3.0)]
    Listening.heard.clear()
    asyncio.run(run(Script(" The fire is warm today. Sit down a while.")))
    assert Listening.heard == [None, None]


def test_refused_clause_is_replaced_and_never_shown():
    script = Script(" Garrick stole your sword. The fire is warm.")
    line, clauses = speak(script, "It looks like rain.")
    assert "Garrick" not in line.text
    assert [c.tier for c in clauses] == ["composed", "composed"]
    assert script.cancelled
    assert line.report.failed


def test_a_refused_draft_is_drawn_once_more():
    script = Script(" Garrick stole your sword.")
    line, _ = speak(script, "It looks like rain.")
    first, second = script.requests
    assert (first.messages, first.prefix) == (second.messages, second.prefix)
    assert first.sampling.seed != second.sampling.seed
    assert (line.report.drafted, line.report.passed) == (2, 0)


def test_a_short_word_is_judged_with_what_follows():
    line, _ = speak(Script(" Aye. Sit down by the fire."), "It looks like rain.")
    assert line.text.endswith(" Aye. Sit down by the fire.")
    assert (line.report.drafted, line.report.passed) == (1, 1)
    alone, clauses = speak(Script(" Aye."), "It looks like rain.")
    assert [c.tier for c in clauses] == ["composed", "composed"]
    assert alone.report.failed == {"short": 2}


def test_the_players_words_are_not_said_back_as_the_models():
    line, _ = speak(Script(" The road to the old mill is wet."), "The road to the old mill is wet.")
    assert "repetition" in line.report.failed


def test_a_line_that_does_not_fit_is_composed():
    script = Script(" The fire is warm.")
    script.model = ScriptedModel(["-"], context_tokens=40)
    line, _ = speak(script, "It looks like rain.")
    assert not script.requests
    assert line.report.model_error == "CapacityError"
    assert line.text


def test_a_model_needs_templates_and_composed_lines_do_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "minijinja", None)
    DialogueGenerator()
    with pytest.raises(MissingExtraError):
        DialogueGenerator(Script())
    with pytest.raises(UsageError):
        DialogueGenerator().warm_up(TAM)


def test_a_warm_up_reads_what_the_next_line_begins_with():
    script, history = Script(" The fire is warm."), []
    generator = DialogueGenerator(script)
    for said in ("Hello.", "It looks like rain."):
        warm = generator.warm_up(TAM, history)
        line = generator.begin(situation(said, history=tuple(history)))

        async def run(line=line):
            async for _ in line:
                pass

        asyncio.run(run())
        assert script.requests[-1].messages[:-1] == warm.messages[:-1]
        history += [
            Turn(role="user", speaker="player", text=said),
            Turn(role="assistant", speaker="tam", text=line.text),
        ]


@pytest.mark.parametrize("error", [ModelUnavailable("gone"), TimeoutError()])
def test_line_is_whole_without_the_model(error):
    line, clauses = speak(Script(error=error), "My sister is called Mira.")
    assert line.text
    assert {c.tier for c in clauses} == {"composed"}
    assert line.report.model_error == type(error).__name__


def test_late_model_does_not_hold_the_line():
    line, clauses = speak(
        Script(" The fire is warm today.", delay=30.0), "It looks like rain.", deadline_s=0.05
    )
    assert [c.tier for c in clauses] == ["composed", "composed"]
    assert line.report.model_error == "TimeoutError"


def test_unknown_answers_are_left_alone_by_the_model():
    script = Script(" Maybe in the well.")
    line, _ = speak(script, "Where is the key of the chapel?", memories=retrieved())
    assert not script.requests
    assert "I don't know" in line.text


def test_same_seed_same_line():
    first, _ = speak(None, "Hello there!", seed=5)
    assert first.text == speak(None, "Hello there!", seed=5)[0].text


def test_no_line_is_repeated_within_twenty():
    said = ["Hm, nice day.", "Goodbye.", "How old is the king?", "Hello!", "Thanks."]

    async def run():
        generator, history, rng = DialogueGenerator(), [], random.Random(3)
        for turn in range(100):
            text = said[turn % len(said)] if turn < 60 else said[turn // 20]
            line = generator.begin(
                Situation(
                    persona=TAM,
                    speaker="player",
                    utterance=sanitize(text),
                    history=tuple(history),
                    rng=rng,
                )
            )
            async for _ in line:
                pass
            recent = [t.text for t in history if t.role == "assistant"][-20:]
            assert line.text not in recent
            history += [
                Turn(role="user", speaker="player", text=text),
                Turn(role="assistant", speaker="tam", text=line.text),
            ]

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_any_utterance_gets_a_line(text):
    try:
        sanitize(text)
    except InputError:
        return
    line, clauses = speak(None, text, memories=retrieved())
    assert line.text.strip()
    assert line.text == "".join(c.text for c in clauses)


WORDS = [
    "I",
    "you",
    "my",
    "your",
    "the",
    "a",
    "who",
    "what",
    "where",
    "when",
    "how",
    "many",
    "much",
    "why",
    "whose",
    "which",
    "tell",
    "me",
    "remember",
    "is",
    "was",
    "did",
    "does",
    "have",
    "has",
    "had",
    "Mira",
    "Orla",
    "Bren",
    "mill",
    "ring",
    "goats",
    "five",
    "seven",
    "hid",
    "gave",
    "to",
    "from",
    "under",
    "in",
    "of",
    "and",
    "or",
    "but",
    "that",
    "because",
    "so",
    "next",
    "close",
    "front",
    "out",
    "on",
    "'s",
    "n't",
    "not",
    "never",
    ",",
    ".",
    "?",
    "!",
    "'",
    "sister",
    "name",
    "called",
    "old",
    "silver",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join))
def test_word_salad_breaks_nothing(text):
    line, _ = speak(None, text, memories=retrieved([*TOLD, text]))
    assert line.text.strip()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("Where was I born?", "I don't know"),
        ("What is my dog called?", "I don't know"),
        ("Where was Bren born?", "Dunmere"),
        ("What did Bren lose?", "axe"),
        ("What is Bren's dog called?", "Biscuit"),
        ("How many goats do I have?", "five"),
        ("How many goats does Bren have?", "I don't know"),
        ("What did I lose?", "I don't know"),
        ("Where were you born?", "Harrow"),
    ],
)
def test_one_speakers_words_are_not_anothers(asked, answer):
    told = retrieved(
        ["I was born in Dunmere.", "My dog is called Biscuit.", "I lost my axe."], speaker="bren"
    )
    told += tuple(
        Retrieved(memory=Memory(id=n, owner="tam", text=text, speaker="player"), score=1.0)
        for n, text in enumerate(["I have five goats."], start=20)
    )
    line, _ = speak(None, asked, memories=told, names={"bren": "Bren"})
    assert answer in line.text


@pytest.mark.parametrize(
    ("told", "asked", "said"),
    [
        ("Elsie keeps a tame crow.", "What does Elsie keep?", "a tame crow"),
        (
            "Tam, I should tell you that my brother joined the guard.",
            "Who joined the guard?",
            "your brother joined the guard",
        ),
        ("I know three languages.", "How many languages do I know?", "you know three languages"),
        ("No wolves live in the marsh.", "What do you know about wolves?", "no wolves live"),
        ("You know, I never ate an oyster.", "What did I never eat?", "you never ate an oyster"),
        ("By the way, I own a mule.", "What do I own?", "you own a mule"),
    ],
)
def test_what_is_said_back(told, asked, said):
    line, _ = speak(None, asked, memories=retrieved([told]))
    assert said.casefold() in line.text.casefold()
    assert "tell me" not in line.text
