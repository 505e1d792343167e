"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "astraweave"
MODULES = [
    *sorted(PACKAGE.rglob("*.py")),
    *sorted(path for path in (ROOT / "kernels").glob("*.py")),
]
CORE = PACKAGE / "core"
# Spans measure; they neither decide nor change anything.
MAY_READ_CLOCK = {PACKAGE / "observability" / "telemetry.py"}
FORBIDDEN_CALLS = re.compile(
    r"^(?:time\.(?:time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns)"
    r"|datetime\.(?:datetime\.)?(?:now|utcnow|today)"
    r"|random\.\w+|secrets\.\w+|os\.(?:environ|getenv|putenv|urandom)|uuid\.uuid[14]"
    r"|(?:np|numpy)\.random\.(?:rand|randn|seed|random|choice|shuffle|randint|normal|uniform))\b"
)
# Types may be named: a random.Random that was handed in is how randomness travels.
ALLOWED = {"random.Random"}
MACHINE_PATH = re.compile(r"/(?:home|Users|root|work|tmp)/\w|[A-Z]:\\\\Users")
TEXT_SUFFIXES = {
    ".py", ".pyi", ".pyx", ".cpp", ".hpp", ".toml", ".md", ".rst", ".cfg", ".yaml", ".yml", ".txt",
    ".ini", ".json", ".jinja", "",
}  # fmt: skip


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def tracked() -> list[Path]:
    """Files under version control; without git (an unpacked sdist) whatever is there."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout.split("\0")
        return [path for name in listed if name and (path := ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        folders = ("src", "csrc", "kernels", "tests", "docs", "examples")
        return [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_every_module_explains_itself_and_says_what_it_exports(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "no docstring"
    exported = None
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                names |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
                if isinstance(target, ast.Name) and target.id == "__all__":
                    assert node.value is not None
                    exported = node
    own = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    ]
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    if path.name == "__main__.py" or (not own and len(names) == 0 and len(imported) <= 1):
        return  # a folder with a docstring, nothing to export yet
    if path.parent == PACKAGE and path.name == "__init__.py" and exported is None:
        assert names <= {"__version__"}
        return
    assert exported is not None, "no __all__"


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_time_chance_and_environment_come_in_through_core(path: Path) -> None:
    if CORE in path.parents or path in MAY_READ_CLOCK:
        return
    tree = ast.parse(path.read_text("utf-8"))
    annotations = set(annotation_nodes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"time", "random", "secrets"}:
            pytest.fail(f"line {node.lineno}: imports names from {node.module}")
        if isinstance(node, ast.Attribute) and node not in annotations:
            name = dotted(node)
            if FORBIDDEN_CALLS.match(name) and name not in ALLOWED:
                pytest.fail(f"line {node.lineno}: uses {name}; take a clock, a stream or Settings")
            if name in ALLOWED and isinstance(node.ctx, ast.Load) and is_called(tree, node):
                pytest.fail(f"line {node.lineno}: makes its own {name}; take a stream")


def annotation_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            annotation = getattr(node, field, None)
            if isinstance(annotation, ast.AST):
                yield from ast.walk(annotation)


def is_called(tree: ast.AST, function: ast.expr) -> bool:
    return any(isinstance(node, ast.Call) and node.func is function for node in ast.walk(tree))


def test_no_file_names_a_path_of_some_machine() -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXT_SUFFIXES or path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{short(path)}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if MACHINE_PATH.search(line)
        ]
    assert found == []


def test_engines_do_not_know_python() -> None:
    """Only csrc/bindings may include Python or pybind11; the engines are plain C++."""
    found = [
        f"{short(path)}: {line.strip()}"
        for path in (ROOT / "csrc").rglob("*.[ch]pp")
        if "bindings" not in path.parts
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"#\s*include\s*[<\"](?:Python\.h|pybind11|numpy/|bindings/)", line)
    ]
    assert found == []


def test_no_build_flag_ties_the_library_to_one_machine() -> None:
    text = (ROOT / "setup.py").read_text("utf-8")
    assert "-march" not in text
    assert "-ffast-math" not in text
    for path in (ROOT / "csrc").rglob("*.[ch]pp"):
        assert "fast-math" not in path.read_text("utf-8"), short(path)


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_no_error_is_swallowed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or dotted(node.type) in {"Exception", "BaseException"}
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            assert not (broad and silent), f"line {node.lineno}: swallows every error"


def test_modules_are_of_a_size_that_one_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Past 400 lines a module wants a second look: a report. Past 1,200 nobody reads it."""
    lengths = {short(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    long = {name: length for name, length in lengths.items() if length > 400}
    with capsys.disabled():
        for name, length in sorted(long.items(), key=lambda item: -item[1]):
            print(f"\n{length:5} lines: {name}", end="")
    assert [name for name, length in long.items() if length > 1200] == []
