"""Lines of keys in hand-written TOML."""

from __future__ import annotations

import pytest

from astraweave.core.toml import TomlText, did_you_mean, nearest
from astraweave.errors import ConfigError

DOCUMENT = '''\
# [not.a.header]
title = "x = 1"
text = """
[also.not]
fake = 1
"""
list = [
  "a", # ]
  "b",
]

[tam."the smith".voice]
tone = 'low'
a.b.c = 1

[[tam.messages]]
role = "user"
[[tam.messages]]
role = "assistant"
inline = { x = 1, y = [1, 2] }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("text",), 3),
        (("list",), 7),
        (("tam", "the smith", "voice"), 12),
        (("tam", "the smith", "voice", "tone"), 13),
        (("tam", "the smith", "voice", "a", "b", "c"), 14),
        (("tam", "messages", 0, "role"), 17),
        (("tam", "messages", 1), 18),
        (("tam", "messages", 1, "role"), 19),
        (("tam", "messages", 1, "inline", "x"), 20),
        (("nowhere",), 1),
    ],
)
def test_keys_are_found(path, line):
    assert TomlText(DOCUMENT, "doc").line(*path) == line


def test_the_value_of_a_long_string_begins_below_its_key():
    document = TomlText(DOCUMENT, "doc")
    assert document.value_line("text") == 4
    assert document.value_line("title") == 2


def test_windows_line_ends_change_nothing():
    document = TomlText(DOCUMENT.replace("\n", "\r\n"), "doc")
    assert document.line("tam", "messages", 1, "role") == 19


def test_broken_toml_names_its_line():
    with pytest.raises(ConfigError, match=r"^p\.toml:2: this is not TOML") as caught:
        TomlText("a = 1\nb = = 2\n", "p.toml")
    assert caught.value.line == 2
    with pytest.raises(ConfigError, match=r"^p\.toml:3: "):
        TomlText('a = 1\nb = """\nnever closed', "p.toml")


def test_unknown_keys_name_line_and_nearest():
    document = TomlText("[tam]\nname = 'Tam'\ntrats = []\n", "tam.toml")
    with pytest.raises(
        ConfigError, match=r"tam\.toml:3: unknown key 'trats'; did you mean 'traits'"
    ):
        document.check_keys(document.data["tam"], ["name", "traits"], "tam")


def test_nearest_names():
    assert nearest("Goal", ["goals", "facts"]) == "goals"
    assert nearest("xyz", ["goals"]) is None
    assert did_you_mean("xyz", []) == ""
