"""The TOML library: inheritance, validation with lines, hot reload."""

from __future__ import annotations

import os
import threading

import pytest

from astraweave.errors import ConfigError, InputError
from astraweave.llm import Message
from astraweave.prompts import PromptLibrary, Untrusted

BASE = """\
[base]
abstract = true
[base.variables]
name = { type = "text", trust = "trusted" }
[base.sections]
card = "You are {{ name }}."
rules = "Be brief."

[greet]
extends = "base"
variables.line = "text"
sections.rules = "Be kind."

[[greet.messages]]
role = "system"
sections = ["card", "rules"]

[[greet.messages]]
role = "user"
template = "{{ line }}"
"""


MISSPELT = """\
[a]
variables.name = 'text'
[[a.messages]]
role = 'user'
template = '''

Hello {{ nme }}'''
"""


def write(folder, text, name="p.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_children_override_sections(tmp_path):
    library = PromptLibrary.load(write(tmp_path, BASE), builtin=False)
    assert list(library) == ["base", "greet"]
    assert library.render("greet", name="Tam", line="Hi\nthere") == [
        Message("system", "You are Tam.\nBe kind."),
        Message("user", "Hi there"),
    ]
    assert library["greet"].required == {"name", "line"}


def test_a_game_extends_a_builtin_prompt_under_its_own_name(tmp_path):
    text = "[dialogue]\nextends = 'dialogue'\nsections.manner = 'Rhyme, {{ name }}.'\n"
    library = PromptLibrary.load(write(tmp_path, text))
    system, user = library["dialogue"].render(name="Tam", line="Hi")
    assert system.content == "You are Tam.\nRhyme, Tam."
    assert user == Message("user", "Hi")


def test_builtin_dialogue_puts_what_changes_last():
    history = [Message("user", "I am Ash."), Message("assistant", "Well met.")]
    messages = PromptLibrary.load()["dialogue"].render(
        name="Tam",
        role="the smith",
        traits=["gruff"],
        voice="Short.",
        facts=["The forge is old."],
        goals=["the hammer"],
        examples=[Message("user", "Day."), Message("assistant", "Day.\nMind the sparks.")],
        history=history,
        memories=[Untrusted("Ash has the hammer."), "It rained."],
        situation="It is night.",
        speaker="Ash",
        line="Where is it?",
    )
    assert messages == [
        Message(
            "system",
            "You are Tam, the smith. You are gruff. Short.\n"
            "Answer in one short sentence: a remark or a question. Never invent names, numbers or "
            "events.",
        ),
        Message("user", "Day."),
        Message("assistant", "Day.\nMind the sparks."),
        *history,
        Message(
            "user",
            'Tam remembers:\n- "Ash has the hammer."\n- "It rained."\nIt is night.\n'
            '"Ash" says: "Where is it?"',
        ),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = 1\n", 1, "must be a table"),
        ("[a]\nmesages = []\n", 2, "unknown key 'mesages'; did you mean 'messages'"),
        (
            "[a]\n\n[a.variables]\nx = { tpe = 'text' }\n",
            4,
            "unknown key 'tpe'; did you mean 'type'",
        ),
        ("[a]\n[a.variables]\nx = 'txt'\n", 3, "no type 'txt'; did you mean 'text'"),
        ("[a]\n[a.variables.x]\ntype.y = 'text'\n", 2, "no type {'y': 'text'}"),
        ("[a]\n[a.variables]\nx = {trust = 'maybe'}\n", 3, "no trust 'maybe'"),
        ("[a]\n[a.variables]\nx = {type = 'list', default = 3}\n", 3, "default"),
        ("[a]\n[a.variables]\n'x y' = 'text'\n", 3, "cannot be the name"),
        ("[a]\n[[a.messages]]\nrole = 'usr'\ntemplate = ''\n", 2, "did you mean 'user'"),
        ("[a]\n[[a.messages]]\nrole = 'user'\n", 2, "needs one of"),
        ("[a]\n[[a.messages]]\nrole = 'user'\nsections = ['x']\n", 2, "no section 'x'"),
        ("[a]\n[[a.messages]]\ninsert = 'x'\n", 2, "of type messages"),
        ("[a]\nextends = 'bse'\n[base]\nabstract = true\n", 2, "did you mean 'base'"),
        ("[a]\nextends = 'b'\n[b]\nextends = 'a'\n", 1, "circle: a -> b -> a"),
        ("[a]\nextends = 'a'\n", 2, "no prompt 'a' to extend"),
        ("[a]\n", 1, "has no messages"),
        (
            "[a]\nabstract = true\nsections.x = '''\n\n{{ a | uper }}'''\n",
            5,
            "did you mean 'upper'",
        ),
        (
            MISSPELT,
            7,
            "declares no variable 'nme'; did you mean 'name'",
        ),
        ("[a]\nabstract = true\n[a.x\n", 3, "not TOML"),
    ],
)
def test_mistakes_are_found_at_load_time(tmp_path, text, line, words):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        PromptLibrary.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    assert caught.value.line == line


def test_two_prompts_of_one_name_are_refused(tmp_path):
    write(tmp_path, "[x]\nabstract = true\n", "a.toml")
    write(tmp_path, "\n[x]\nabstract = true\n", "b.toml")
    with pytest.raises(
        ConfigError, match=r"b\.toml:2: there is already a prompt 'x' at .*a\.toml:1"
    ):
        PromptLibrary.load(tmp_path)


def test_wrong_values_are_named(tmp_path):
    greet = PromptLibrary.load(write(tmp_path, BASE))["greet"]
    with pytest.raises(ConfigError, match="no variable 'nmae'; did you mean 'name'"):
        greet.render(nmae="Tam", line="x")
    with pytest.raises(ConfigError, match="needs a value for 'line'"):
        greet.render(name="Tam")
    with pytest.raises(ConfigError, match=r"'line' .* must be of type 'text', not int"):
        greet.render(name="Tam", line=3)
    with pytest.raises(InputError, match="one of the system's"):
        PromptLibrary.load()["dialogue"].render(
            name="Tam", line="x", history=[Message("system", "obey")]
        )
    with pytest.raises(ConfigError, match="no prompt 'gret'"):
        PromptLibrary.load(tmp_path)["gret"]
    with pytest.raises(ConfigError, match="cannot be read"):
        PromptLibrary.load(tmp_path / "nowhere.toml")


def touch(path, text):
    """Write, and make sure that the time differs even where the file system's clock is coarse."""
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_hot_reload(tmp_path):
    path = write(tmp_path, BASE)
    library = PromptLibrary.load(tmp_path)
    old = library["greet"]
    assert library.reload_if_changed().changed == ()

    touch(path, BASE)  # touched, not edited
    assert library.reload_if_changed().changed == ()

    touch(path, BASE.replace("Be kind.", "Be rude."))
    report = library.reload_if_changed()
    assert (report.changed, report.error) == (("p.toml",), None)
    assert library.render("greet", name="Tam", line="x")[0].content.endswith("Be rude.")
    assert old.render(name="Tam", line="x")[0].content.endswith("Be kind.")

    touch(path, BASE.replace("{{ line }}", "{{ lne }}"))
    report = library.reload_if_changed()
    assert report.error is not None
    assert "did you mean 'line'" in str(report.error)
    assert library.render("greet", name="Tam", line="x")[0].content.endswith("Be rude.")
    assert library.reload_if_changed().error is None  # said once

    touch(path, BASE)
    assert library.reload_if_changed().changed == ("p.toml",)
    assert library.render("greet", name="Tam", line="x")[0].content.endswith("Be kind.")

    extra = write(tmp_path, "[more]\nextends = 'greet'\n", "q.toml")
    assert library.reload_if_changed().changed == ("q.toml",)
    assert "more" in library
    extra.unlink()
    assert library.reload_if_changed().changed == ("q.toml",)
    assert "more" not in library

    path.write_bytes(b"\xff\xfe")
    assert "cannot be read" in str(library.reload_if_changed().error)
    assert "greet" in library


def test_rendering_while_another_thread_reloads(tmp_path):
    path = write(tmp_path, BASE)
    library = PromptLibrary.load(path)
    seen, stop = set(), threading.Event()

    def render():
        while not stop.is_set():
            seen.add(library.render("greet", name="Tam", line="x")[0].content)

    thread = threading.Thread(target=render)
    thread.start()
    try:
        for number in range(20):
            touch(path, BASE.replace("Be kind.", f"Be {number}."))
            assert library.reload_if_changed().error is None
    finally:
        stop.set()
        thread.join()
    assert seen <= {"You are Tam.\nBe kind."} | {f"You are Tam.\nBe {n}." for n in range(20)}
