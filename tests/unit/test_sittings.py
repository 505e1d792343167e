"""The two-sittings scenario is fair: a perfect listener gets everything, a wrong one nothing."""

from __future__ import annotations

import re

import pytest

from astraweave.bench._corpus import corpus
from astraweave.bench._scoring import canonical, number_words, score_line
from astraweave.bench.sittings import MIN_TURNS, Question, Scenario, draw, score
from astraweave.errors import InputError

SEEDS = range(40)
SCENARIOS = [draw(seed) for seed in SEEDS]
HONEST = "I don't know, you never told me that."


def says(slot: str) -> str:
    return f"If I remember rightly, that was {slot}."


def answer(question: Question) -> str:
    return says(question.expected[0]) if question.answerable else HONEST


def right(line: str, question: Question) -> bool:
    return score(line, question).correct


@pytest.mark.parametrize("scenario", SCENARIOS[:5], ids=lambda s: f"seed{s.seed}")
def test_equal_seeds_give_equal_scenarios(scenario: Scenario) -> None:
    assert draw(scenario.seed) == scenario


def test_seeds_differ() -> None:
    assert len({scenario.first for scenario in SCENARIOS}) == len(SCENARIOS)
    kinds = {question.kind for scenario in SCENARIOS for question in scenario.questions}
    assert kinds >= {"who", "whom", "whose", "what", "which", "where", "when", "how many"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"seed{s.seed}")
def test_shape_of_the_scenario(scenario: Scenario) -> None:
    assert len(scenario.first) == len(set(scenario.first)) == 40
    assert len(scenario.questions) == 10
    assert sum(question.answerable for question in scenario.questions) == 8
    asked = {question.fact for question in scenario.questions}
    assert asked <= set(scenario.first)
    assert len(set(scenario.first) - asked) >= 30
    for line in (*scenario.first, *(question.question for question in scenario.questions)):
        assert "{" not in line
        assert line[0].isupper() or line[0].isdigit()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"seed{s.seed}")
def test_a_perfect_listener_gets_ten_of_ten(scenario: Scenario) -> None:
    for question in scenario.questions:
        verdict = score(answer(question), question)
        assert verdict.correct, (question, verdict)
        for slot in question.expected:
            assert right(says(slot), question), (question, slot)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"seed{s.seed}")
def test_repeating_the_right_fact_is_right_and_any_other_line_wrong(scenario: Scenario) -> None:
    for question in scenario.questions:
        for line in scenario.first:
            wanted = line == question.fact and question.answerable
            assert right(line, question) == wanted, (line, question)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"seed{s.seed}")
def test_always_wrong_answers_get_nothing(scenario: Scenario) -> None:
    for question in scenario.questions:
        assert not right("Ah, a fine day for the forge, friend.", question)
        if not question.answerable:
            assert not right("That was Bertram, in Wexholt.", question)
            assert not right("I don't know, perhaps Bertram?", question)
            assert not right("I don't know, 37 or so.", question)
            continue
        assert not right(HONEST, question)
        assert not right(f"It was not {question.expected[0]}.", question)
        assert question.forbidden
        for slot in question.forbidden:
            assert not right(says(slot), question)
            assert not right(f"Either {question.expected[0]} or {slot}.", question)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"seed{s.seed}")
def test_answers_given_to_the_wrong_questions_are_wrong(scenario: Scenario) -> None:
    questions = scenario.questions
    for shift in range(1, len(questions)):
        for index, question in enumerate(questions):
            other = questions[(index + shift) % len(questions)]
            if question.answerable or other.answerable:
                assert not right(answer(other), question)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"seed{s.seed}")
def test_no_question_gives_its_answer_away(scenario: Scenario) -> None:
    for question in scenario.questions:
        for slot in question.expected:
            assert f" {canonical(slot)} " not in f" {canonical(question.question)} "
        told = [line for line in scenario.first if line != question.fact]
        for slot in question.expected:
            if len(slot.split()) > 1 or slot[0].isupper():
                assert not any(f" {canonical(slot)} " in f" {canonical(line)} " for line in told)


def test_questions_use_other_words_than_the_facts() -> None:
    """The words that a question shares with its fact are mostly its names."""
    little = set(
        "the a an of to in on at is was did does do has have had my me i his her him he she it for "
        "that who what where when which how and by with from be been so no not".split()
    )
    shared = total = 0
    for scenario in SCENARIOS:
        for question in scenario.questions:
            slots = set(canonical(" ".join(question.context)).split())
            words = set(canonical(question.question).split()) - little - slots
            shared += len(words & set(canonical(question.fact).split()))
            total += len(words)
    assert shared / total < 0.08


def test_reversed_roles_are_wrong() -> None:
    seen = set()
    for seed in range(200):
        for question in draw(seed).questions:
            if not question.wrong:
                continue
            seen.add(question.wrong[0].split("(")[-1])
            name = question.expected[0]
            rival = next(w.split()[0] for w in question.wrong if w.split()[0].isalpha())
            if "won against" in question.question:
                assert right(f"{name} won.", question)
                assert not right(f"{rival} beat {name}.", question)
    assert len(seen) >= 3


@pytest.mark.parametrize(
    "line",
    [
        "I don't know.",
        "I couldn't tell you, friend.",
        "You never told me how old he is.",
        "I can't say, you only told me of the goats.",
        "That I do not know.",
        "No idea, you haven't said.",
        "I\u2019m not sure you ever mentioned it.",
        "I don't recall you saying.",
        "You've not told me that.",
        "Hm. I do not remember you speaking of it.",
        "I never heard about that.",
    ],
)
def test_honest_ignorance_is_recognised(line: str) -> None:
    verdict = score_line(
        line, question="How old is he?", expected=(), forbidden=(), wrong=(), context=("goats",)
    )
    assert verdict.correct, verdict


@pytest.mark.parametrize("line", ["Forty-two.", "42 crowns!", "It was forty two, I think."])
def test_numbers_count_as_words_and_as_digits(line: str) -> None:
    verdict = score_line(
        line, question="How many?", expected=("42",), forbidden=("41",), wrong=(), context=()
    )
    assert verdict.correct, verdict


def test_numbers_read_back() -> None:
    for number in range(100):
        assert canonical(number_words(number)) == str(number)


def test_the_corpus_has_variety() -> None:
    data = corpus()
    words = data.words
    assert len(data.frames) >= 25
    assert len(data.chatter.lines) >= 60
    assert len(words.women) + len(words.men) >= 120
    assert sum(len(group.heads) for group in words.things) >= 80
    assert len(words.towns) + len(words.spots) >= 60
    for frame in data.frames:
        assert len(frame.says) >= 3, frame.name
        assert len(frame.asks) >= 1
        assert len(frame.unknown) >= 2
        for ask in frame.asks:
            assert len(ask.forms) >= 3, frame.name
            assert ask.target in frame.slots
            assert not any(re.search(rf"{{{ask.target}[}}_]", form) for form in ask.forms) or all(
                f"{{{ask.target}}}" not in form for form in ask.forms
            )


def test_words_belong_to_one_list() -> None:
    words = corpus().words
    people = {*words.women, *words.men}
    assert len(people) == len(words.women) + len(words.men)
    heads = [head for group in words.things for head in group.heads]
    assert len(heads) == len(set(heads))
    ends = [spot.split()[-1] for spot in words.spots]
    assert len(ends) == len(set(ends))
    chatter = f" {canonical(' '.join(corpus().chatter.lines))} "
    for name in (*people, *words.towns, *words.spots, *heads, *words.colours, *words.pets):
        assert f" {canonical(name.split('|')[0])} " not in chatter, name


def test_turns_are_honoured() -> None:
    assert len(draw(1, turns=MIN_TURNS).first) == MIN_TURNS
    assert len(draw(1, turns=200).first) == 200
    with pytest.raises(InputError, match="not 9"):
        draw(1, turns=9)
