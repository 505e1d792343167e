"""Personas and the errors that their files can have."""

from __future__ import annotations

from importlib import resources

import pytest

from astraweave.errors import ConfigError
from astraweave.persona import BigFive, Persona, lint_persona

GOOD = """\
id = "ada"
name = "Ada"
traits = ["calm"]
facts = [
  "I was born in Harrow.",
]

[lines]
greeting = ["Hello."]

[[examples]]
player = "Hi"
character = "Hello."

[[examples]]
player = "Bye"
character = "Go well."
"""


def test_builtin_tam_is_complete():
    tam = Persona.builtin("tam")
    assert tam.name == "Tam"
    assert len(tam.examples) >= 3
    assert all(fact.endswith(".") for fact in tam.facts)


def test_unknown_builtin_names_those_there_are():
    with pytest.raises(ConfigError, match="tam"):
        Persona.builtin("tom")


def test_load(tmp_path):
    path = tmp_path / "ada.toml"
    path.write_text(GOOD, encoding="utf-8")
    ada = Persona.load(path)
    assert (ada.id, ada.facts, ada.examples[1].character) == (
        "ada",
        ("I was born in Harrow.",),
        "Go well.",
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "nearest"),
    [
        ("traits =", "trais =", 3, "traits"),
        ("facts =", "fact =", 4, "facts"),
        ("[[examples]]", "[[example]]", 11, "examples"),
        ("[lines]", "[line]", 8, "lines"),
        ('character = "Go well."', 'charakter = "Go well."', 17, "character"),
    ],
)
def test_typo_gives_line_and_nearest_key(tmp_path, old, new, line, nearest):
    path = tmp_path / "ada.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Persona.load(path)
    assert caught.value.details["line"] == line
    assert caught.value.details["nearest"] == nearest
    assert f"{path}:{line}:" in str(caught.value)
    assert nearest in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('name = "Ada"', "name = 3", 2),
        ('traits = ["calm"]', 'traits = "calm"', 3),
        ('traits = ["calm"]', 'traits = ["calm", 7]', 3),
        ('greeting = ["Hello."]', "greeting = 1", 8),
        ('character = "Go well."', "character = 4", 17),
        ('character = "Go well."', "", 15),
        ('name = "Ada"', 'name = "  "', 2),
        ('name = "Ada"', 'name = "Ada', 2),
    ],
)
def test_wrong_value_gives_line(old, new, line):
    with pytest.raises(ConfigError) as caught:
        Persona.from_toml(GOOD.replace(old, new))
    assert caught.value.details["line"] == line


def test_unreadable_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Persona.load(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b'id = "a"\nname = "Ren\xe9"\n')
    with pytest.raises(ConfigError, match=r":2: not UTF-8"):
        Persona.load(path)
    path.write_bytes(b"# " + b"x" * 2_000_000)
    with pytest.raises(ConfigError, match="larger"):
        Persona.load(path)


@pytest.mark.parametrize("name", Persona.builtin_names())
def test_every_builtin_persona_is_rich_and_passes_the_lint(name):
    persona = Persona.builtin(name)
    text = (resources.files("astraweave.persona.library") / f"{name}.toml").read_text("utf-8")
    assert lint_persona(persona, text, origin=f"{name}.toml") == ()
    assert persona.id == name
    assert len(persona.facts) >= 10
    assert len(persona.goals) >= 2
    assert len(persona.examples) >= 3
    assert len(persona.lines["greeting"]) >= 3
    assert len(persona.lines["smalltalk"]) >= 5
    assert persona.voice
    assert persona.temperament != BigFive()
    assert set(persona.relationships) <= set(Persona.builtin_names()) - {name}


def test_the_town_is_of_different_people():
    everybody = [Persona.builtin(name) for name in Persona.builtin_names()]
    assert len(everybody) >= 12
    for part in ("patterns", "name", "role", "voice", "temperament"):
        assert len({(each.language, str(getattr(each, part))) for each in everybody}) == len(
            everybody
        )
