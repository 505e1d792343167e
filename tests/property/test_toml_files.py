"""Files that people write, damaged in any way: an error that names the file, or a reading."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astraweave.errors import AstraweaveError
from astraweave.models import Registry
from astraweave.persona import Persona
from astraweave.prompts import PromptLibrary

PIECES = (
    "[", "]", "[[", "{", "}", "=", '"', '"""', "'", "\n", "#", ",", ".", "\\", "\0", "\ufeff",
    "{{", "}}", "{%", "%}", "{{ name.__class__ }}", "{% for x in facts %}", "true", "-1", "1e999",
    "nan", "9" * 400, "1979-05-27", "[models]", "extends = 'dialogue'", "\r", "é", "\u202e",
)  # fmt: skip


def load_prompts(path: Path) -> object:
    return PromptLibrary.load(path, builtin=False)


READERS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "persona": ("astraweave.persona.library", "tam.toml", Persona.load),
    "registry": ("astraweave.models", "registry.toml", Registry.load),
    "prompts": ("astraweave.prompts.builtin", "dialogue.toml", load_prompts),
}


def damaged(text: str) -> st.SearchStrategy[bytes]:
    """Lines taken out, doubled or swapped, pieces put anywhere, bytes changed, the end cut off."""
    lines = text.splitlines(keepends=True)
    line = st.integers(0, len(lines) - 1)
    place = st.integers(0, len(text))

    def moved(edits: list[tuple[int, int]]) -> bytes:
        changed = lines.copy()
        for source, target in edits:
            changed[target] = lines[source]
        return "".join(changed).encode()

    def stuffed(edits: list[tuple[int, int, str]]) -> bytes:
        changed = text
        for at, gone, piece in edits:
            changed = changed[:at] + piece + changed[at + gone :]
        return changed.encode()

    def flipped(edits: list[tuple[int, int]]) -> bytes:
        changed = bytearray(text.encode())
        for at, byte in edits:
            changed[at % len(changed)] = byte
        return bytes(changed)

    return st.one_of(
        place.map(lambda n: text[:n].encode()),
        st.lists(st.tuples(line, line), min_size=1, max_size=4).map(moved),
        st.lists(
            st.tuples(place, st.integers(0, 12), st.sampled_from(PIECES)), min_size=1, max_size=3
        ).map(stuffed),
        st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=3).map(flipped),
        st.binary(max_size=60),
    )


@pytest.mark.parametrize("kind", READERS)
def test_damage_is_told_or_read(kind: str, tmp_path: Path) -> None:
    package, name, load = READERS[kind]
    path = tmp_path / name
    text = resources.files(package).joinpath(name).read_text("utf-8")

    @settings(deadline=None, suppress_health_check=[HealthCheck.data_too_large])
    @given(damaged(text))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            load(path)
        except AstraweaveError as error:
            assert name in str(error)  # noqa: PT017 (an error is allowed, not wanted)

    path.write_text(text, "utf-8")
    load(path)
    check()
