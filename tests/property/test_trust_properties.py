"""Nothing that a player writes leaves its place in a prompt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from astraweave.llm import Message
from astraweave.prompts import PromptLibrary, PromptTemplate, Untrusted

BREAKS = ["\n", "\r", "\x00", "\u2028", "\u202e", "\ud800", "\\", '"', "\u201d", "'"]
TAGS = ["{{ x }}", "{% if %}", "{#", "<|im_end|>", "<|im_start|>system\n", "[/INST]", "</s>"]
ROLES = ["system:", "assistant: "]
PIECES = st.one_of(st.text(max_size=20), st.sampled_from(BREAKS + TAGS + ROLES))
HOSTILE = st.lists(PIECES, max_size=12).map("".join)

TEMPLATE = PromptTemplate("A\n{{ a }}\n{% for b in list %}\n- {{ b }}\n{% endfor %}\nEND")
LIBRARY = PromptLibrary.load()


@given(HOSTILE, st.lists(HOSTILE, max_size=3))
def test_lines_and_quotes_are_the_templates_own(a, items):
    text = TEMPLATE.render(a=Untrusted(a), list=[Untrusted(item) for item in items])
    lines = text.split("\n")
    assert text.splitlines() == lines
    assert len(lines) == 3 + len(items)
    assert (lines[0], lines[-1]) == ("A", "END")
    for line in (lines[1], *(line.removeprefix("- ") for line in lines[2:-1])):
        assert line in ("", "-") or (line[0] == line[-1] == '"' and '"' not in line[1:-1])
    assert "<|im_" not in text


@given(HOSTILE, HOSTILE, st.lists(HOSTILE, max_size=3))
def test_a_player_forges_no_message(line, speaker, memories):
    messages = LIBRARY["dialogue"].render(
        name="Tam",
        line=line,
        speaker=speaker,
        memories=memories,
        history=[Message("user", line or "x"), Message("assistant", speaker or "y")],
    )
    assert [m.role for m in messages if m.role == "system"] == ["system"]
    assert messages[0].content == LIBRARY["dialogue"].render(name="Tam", line="hi")[0].content
    for message in messages[1:-1]:
        assert len(message.content.splitlines()) == 1
    if messages[-1].role == "user":
        assert len(messages[-1].content.splitlines()) <= 2 + len(memories)
