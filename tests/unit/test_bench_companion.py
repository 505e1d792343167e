"""What twenty sittings ask about, and which answers count."""

from __future__ import annotations

import itertools
import re

import pytest

from astraweave.bench._cast import PLAYER
from astraweave.bench._companion_corpus import companion_corpus
from astraweave.bench._drawing import Slot
from astraweave.bench._examiner import Examiner
from astraweave.bench._judging import judge
from astraweave.bench._saga import draw_saga
from astraweave.bench._saga_parts import Item
from astraweave.bench._story import Story

ITEMS = [item for seed in range(1, 80) for item in draw_saga(seed).items]
WHERE = Item(
    question="Where does my sister Mira live?",
    sort="told",
    kind="where",
    expected=("Foxhollow",),
    forbidden=("Dunmorrow", "Larkspur Vale"),
    outdated=("Larkspur Vale",),
)


@pytest.mark.parametrize(
    ("line", "correct", "invented"),
    [
        ("In Foxhollow. You said so yourself.", True, False),
        ("I don't know. Tell me, and I'll not forget it.", False, False),
        ("In Dunmorrow. I don't forget: your aunt lives in Dunmorrow.", False, True),
        ("That's an easy one. To Dunmorrow. You told me so.", False, True),
        ("Dunmorrow, that's what you told me.", False, True),
        ("Foxhollow, or was it Dunmorrow?", False, True),
        ("In Larkspur Vale. You said so yourself.", False, False),
        ("Aye, I remember. You said your aunt has moved to Dunmorrow.", False, False),
        ("You told me your sister keeps nine goats.", False, False),
    ],
)
def test_another_name_given_as_the_answer_is_invented(
    line: str, correct: bool, invented: bool
) -> None:
    answered = judge(WHERE, line)
    assert (answered.correct, answered.invented) == (correct, invented), answered.why


@pytest.mark.parametrize(
    ("holds", "line", "correct", "invented"),
    [
        (True, "Aye. You told me your wife lives in Foxhollow.", True, False),
        (True, "So you said.", True, False),
        (True, "Your wife lives in Foxhollow.", True, False),
        (True, "No. You told me your wife lives in Foxhollow.", False, True),
        (True, "Somebody's bent that one. Your wife lives in Foxhollow.", False, True),
        (True, "Other way round. You told me so.", False, True),
        (False, "Other way round. You told me your wife lives in Foxhollow.", True, False),
        (False, "Somebody's bent that one.", True, False),
        (False, "That's right.", False, True),
        (False, "I don't know.", False, False),
    ],
)
def test_yes_and_no_are_read_in_other_words(
    holds: bool, line: str, correct: bool, invented: bool
) -> None:
    item = Item(
        question="Does my wife live there?",
        sort="yes or no",
        kind="yes-no",
        expected=("Foxhollow",),
        holds=holds,
    )
    answered = judge(item, line)
    assert (answered.correct, answered.invented) == (correct, invented), answered.why


@pytest.mark.parametrize(
    ("line", "correct", "invented"),
    [
        ("Somebody told me that in trust. There it stays.", True, False),
        ("I don't know.", True, False),
        ("Behind the millpond, going by Bren.", False, False),
        ("Behind the goose meadow.", False, True),
    ],
)
def test_what_was_told_in_confidence_is_right_to_keep(
    line: str, correct: bool, invented: bool
) -> None:
    item = Item(
        question="Where is Bren's ring?",
        sort="told by another",
        kind="where",
        secret=("millpond",),
        context=("Bren", "Robin"),
    )
    answered = judge(item, line)
    assert (answered.correct, answered.invented) == (correct, invented), answered.why


def test_what_is_told_in_confidence_is_asked_of_others_as_a_secret() -> None:
    told = [i for i in ITEMS if i.fact.startswith("Just between us") and i.kind == "where"]
    secrets = [i for i in told if i.sort in {"told by another", "asked by another"}]
    assert secrets
    assert all(i.secret and not i.expected for i in secrets)
    assert not any(i.secret for i in ITEMS if i not in secrets and i.kind == "where")


def test_who_did_what_is_not_turned_round_by_calling_somebody_by_kinship() -> None:
    robbed = [
        i for i in ITEMS if i.sort == "told" and i.question.startswith(("Who stole", "Who robbed"))
    ]
    asked = [i for i in robbed if "my " in i.fact]
    assert asked
    for item in asked:
        kin = re.search(r"my (\w+)", item.fact)
        assert kin is not None
        thief = item.expected[0]
        assert judge(item, f"{thief}. You told me {thief} stole it.").correct, item
        assert judge(item, f"{thief}. Your {kin[1]} stole it from {thief}.").invented, item


def test_a_day_that_the_telling_speaks_of_is_no_wrong_date() -> None:
    items = [i for i in ITEMS if i.sort == "when told"]
    for item in items:
        days = next((e for e in item.expected if e[0].isdigit()), None)
        if days is None:
            continue
        assert judge(item, f"{days} ago. You said: {item.fact}").correct, item
        if item.wrong:
            assert judge(item, f"{days} ago, or 99 days ago.").invented, item
    assert any("one day" in item.fact for item in items)


def test_the_word_first_alone_says_nothing_of_when() -> None:
    items = [i for i in ITEMS if i.sort == "when told"]
    first = [i for i in items if "first talk" in i.expected]
    assert first
    for item in first:
        assert judge(item, "In our first talk.").correct
        assert not judge(item, "You said it was the first.").correct


def test_akin_sorts_of_facts_are_never_told_of_one_person() -> None:
    corpus = companion_corpus()
    names = {frame.name for frame in (*corpus.frames, *corpus.held_out)}
    assert {name for group in corpus.akin for name in group} <= names
    for seed in range(1, 100):
        story = Story(seed)
        story.plan()
        told: dict[int, set[str]] = {}
        for facts in story.told:
            for fact in facts:
                if fact.frame is not None and fact.person is not None:
                    told.setdefault(id(fact.person), set()).add(fact.frame.name)
        for frames in told.values():
            assert not any(len(frames.intersection(group)) > 1 for group in corpus.akin), frames


def test_what_nobody_told_is_not_answered_by_an_akin_fact() -> None:
    corpus = companion_corpus()
    asked = 0
    for seed in range(1, 60):
        story = Story(seed)
        planned = story.plan()
        story.tell()
        facts = [f for f in story.known if f.frame is not None]
        for step in itertools.chain.from_iterable(Examiner(story, OWN).ask(planned)):
            item = step.item
            if item is None or item.sort != "told of somebody else":
                continue
            frame = next(f.telling.name for f in facts if f.said == item.fact)
            people = {
                id(f.person): f.person
                for f in facts
                if f.person is not None
                and f.person.of is None
                and f.teller == PLAYER
                and re.search(rf"\b(?:{f.person.name}|my {f.person.relation})\b", item.question)
            }
            told = {f.telling.name for f in facts if f.person in people.values()}
            assert not told & corpus.kin_of(frame), (item.question, told)
            asked += 1
    assert asked > 200


OWN = [
    (
        companion_corpus().own[0],
        {"town": Slot(kind="place", texts={"": "Harrow"}, answers=("Harrow",), names=("Harrow",))},
    )
]
