"""What the lint of voices finds, and that the shipped ones are clean."""

from __future__ import annotations

from importlib import resources

import pytest

from astraweave.dialogue.voice_lint import lint_voice, lint_voices

FOLDER = resources.files("astraweave.dialogue.voices")
SHIPPED = {
    f"voices/{p.name}": p.read_text(encoding="utf-8")
    for p in FOLDER.iterdir()
    if p.name.endswith(".toml")
}


def test_shipped_voices_have_no_errors():
    assert [str(p) for p in lint_voices(SHIPPED) if p.severity == "error"] == []


@pytest.mark.parametrize(
    ("act", "line", "kind", "says"),
    [
        ("greeting", "Hello {nmae}.", "field", "did you mean 'name'"),
        ("greeting", "So {retold}.", "field", "{retold} is never filled here"),
        ("recap", "You said {RETOLD}.", "field", "write {retold} or {Retold}"),
        ("greeting", "Hello {name.", "field", "a brace"),
        ("greeting", "Hello  there.", "seam", "two blanks"),
        ("greeting", "Hello there..", "seam", "two marks"),
        ("greeting", "Hello there?.", "seam", "two marks"),
        ("greeting", "Hello , you.", "seam", "a blank before"),
        ("greeting", " Hello.", "seam", "at the beginning"),
        ("greeting", "hello.", "seam", "small letter"),
        ("greeting", "Well. hello there.", "seam", "small letter"),
        ("recap", "{retold}, you said.", "seam", "write {Retold}"),
        ("recap", "Aye. {retold}.", "seam", "write {Retold}"),
        ("greeting", "Hello there", "seam", "last mark"),
        ("greeting", "Have a apple.", "seam", "Have an apple."),
        ("greeting", "Have an hammer.", "", ""),
        ("gossip", "{teller} says {retold}.", "", ""),
        ("greeting", "Ah... you again.", "", ""),
        ("about_more", " And {retold}.", "", ""),
    ],
)
def test_mistakes_in_a_line_are_found_on_their_line(act, line, kind, says):
    text = f'name = "x"\nextends = "plain"\n[acts]\n{act} = [\n  "Yes.",\n  "{line}",\n]\n'
    found = [p for p in lint_voice(text, "x.toml") if p.severity == "error"]
    if not kind:
        assert found == []
        return
    assert found[0].kind == kind
    assert says in found[0].message
    assert (found[0].source, found[0].line, found[0].act) == ("x.toml", 6, act)
    assert str(found[0]).startswith("x.toml:6: error: ")


@pytest.mark.parametrize(
    ("acts", "kind", "line", "says"),
    [
        ('greeting."warm cold" = ["Hello you two."]', "condition", 4, "can never hold"),
        ('long_ago.unsure = ["once,"]', "condition", 4, "never meets"),
        ('hedge = ["so {teller} says,"]', "condition", 4, "'hearsay'"),
        ('greeting = ["Hello."]\ngreting = ["Hi."]', "file", 5, "did you mean 'greeting'"),
        ('greeting = ["Well met.", "Well, met!"]', "duplicate", 4, "stands twice"),
    ],
)
def test_mistakes_of_structure_are_found(acts, kind, line, says):
    text = f'name = "x"\nextends = "plain"\n[acts]\n{acts}\n'
    problem = next(p for p in lint_voice(text, "x.toml") if p.severity == "error")
    assert (problem.kind, problem.line) == (kind, line)
    assert says in problem.message


def test_what_is_missing_is_noted_and_in_a_voice_without_parent_an_error():
    acts = '[acts]\ngreeting = ["Hello."]\n'
    notes = lint_voice(f'name = "x"\nextends = "plain"\n{acts}', "x.toml")
    assert {(p.kind, p.severity) for p in notes} == {("uncovered", "note"), ("few", "note")}
    assert "farewell" in next(p.message for p in notes if p.kind == "uncovered")
    alone = lint_voice(f'name = "x"\n{acts}', "x.toml")
    assert ("uncovered", "error") in {(p.kind, p.severity) for p in alone}


def test_two_voices_must_not_say_the_same():
    line = '[acts]\ngreeting = ["What a fine day it is."]\n'
    texts = {f"{n}.toml": f'name = "{n}"\nextends = "plain"\n{line}' for n in "ab"}
    problem = next(p for p in lint_voices(texts) if p.severity == "error")
    assert (problem.kind, problem.source, problem.line) == ("duplicate", "b.toml", 4)
    assert "also said by 'a'" in problem.message
