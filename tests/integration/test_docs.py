"""The Python of the README, the tutorial and the how-to guides runs as it stands there.

The blocks of a page run in order, in one namespace and an empty folder, without any model. A TOML
block whose first line is ``# NAME.toml`` is written to that file first.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

import astraweave as aw

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"# ([\w/.-]+\.toml)\n")
LANGUAGES = {"python", "toml", "sh", "text"}


def blocks(page: Path) -> list[tuple[str, int, str]]:
    """Language, line and content of each fenced block."""
    text = page.read_text("utf-8")
    return [
        (match[1], text.count("\n", 0, match.start(2)) + 1, match[2])
        for match in FENCE.finditer(text)
    ]


def run_block(source: str, name: str, line: int, namespace: dict[str, object]) -> None:
    code = compile(
        "\n" * (line - 1) + source,
        name,
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,  # a reader's file has no `from __future__ import annotations`
    )
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, namespace))
    else:
        exec(code, namespace)


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_what_a_page_shows_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("esper")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASTRAWEAVE_MODEL", "none")
    monkeypatch.setenv("ASTRAWEAVE_EMBEDDER", "mock")
    namespace: dict[str, object] = {"__name__": "__main__"}
    try:
        for language, line, source in blocks(page):
            assert language in LANGUAGES or "{" in language, f"line {line}: {language}"
            if language == "python":
                run_block(source, str(page), line, namespace)
            elif language == "toml" and (named := FILE_NAME.match(source)):
                path = tmp_path / named[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(source, "utf-8")
    finally:
        for value in list(namespace.values()):
            if isinstance(value, aw.World):
                value.close()


def test_there_is_something_to_run() -> None:
    shown = [block for page in PAGES for block in blocks(page) if block[0] == "python"]
    assert len(shown) > 20
