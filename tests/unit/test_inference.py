"""Sessions, providers and the thread budget, on a graph of one addition."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from astraweave.core.settings import Settings
from astraweave.errors import (
    ConfigError,
    MissingExtraError,
    ModelError,
    ModelUnavailable,
    UsageError,
)
from astraweave.inference import ProviderFallbackWarning, Sessions, provider_name

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

ONE = Settings(threads=1)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("Add", ["a", "b"], ["sum"])
    values = [helper.make_tensor_value_info(name, floats, ["n"]) for name in ("a", "b", "sum")]
    model = helper.make_model(
        helper.make_graph([node], "add", values[:2], values[2:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    onnx.save(model, str(path))
    return path


def vector(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def test_a_session_runs_and_says_what_it_takes(graph: Path) -> None:
    with Sessions(ONE) as sessions:
        session = sessions.open(graph)
        assert (session.inputs, session.outputs) == (("a", "b"), ("sum",))
        (total,) = session.run(["sum"], {"a": vector(1, 2), "b": vector(10, 20)})
        assert total.tolist() == [11, 22]
        assert sessions.report().open_sessions == 1


def test_bound_memory_is_written_in_place(graph: Path) -> None:
    with Sessions(ONE) as sessions:
        session = sessions.open(graph)
        a, b, out = vector(1, 2), vector(3, 4), np.zeros(2, np.float32)
        binding = session.binding()
        for name, array in (("a", a), ("b", b)):
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        binding.bind_output("sum", "cpu", 0, np.float32, out.shape, out.ctypes.data)
        session.run_bound(binding)
        assert out.tolist() == [4, 6]


def test_missing_and_damaged_files_are_named(graph: Path, tmp_path: Path) -> None:
    sessions = Sessions(ONE)
    with pytest.raises(ModelUnavailable, match=r"nowhere\.onnx' is missing") as caught:
        sessions.open(tmp_path / "nowhere.onnx")
    assert str(caught.value.path).endswith("nowhere.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(graph.read_bytes()[:40] + b"\xff" * 40)
    with pytest.raises(ModelUnavailable, match=r"damaged\.onnx' does not load"):
        sessions.open(damaged)


def test_a_refused_input_is_a_model_error_with_the_file(graph: Path) -> None:
    with Sessions(ONE) as sessions:
        session = sessions.open(graph)
        with pytest.raises(ModelError, match=r"model\.onnx' failed"):
            session.run(None, {"a": vector(1, 2), "b": vector(1, 2, 3)})
        with pytest.raises(ModelError, match=r"model\.onnx' failed"):
            session.run(None, {"a": vector(1)})


def test_closing_twice_is_allowed_and_use_after_it_is_not(graph: Path) -> None:
    sessions = Sessions(ONE)
    session = sessions.open(graph)
    sessions.close()
    sessions.close()
    session.close()
    with pytest.raises(UsageError, match="closed"):
        session.run(None, {})
    with pytest.raises(UsageError, match="closed"):
        sessions.open(graph)


@pytest.mark.parametrize("name", ["cuda", "CUDAExecutionProvider", "SomeNewExecutionProvider"])
def test_a_provider_that_is_not_there_falls_back_with_a_warning(graph: Path, name: str) -> None:
    sessions = Sessions(Settings(threads=1, provider=name))
    if provider_name(name) in sessions.report().available:
        pytest.skip("this machine has it")
    with pytest.warns(ProviderFallbackWarning, match=provider_name(name)):
        session = sessions.open(graph)
    assert session.provider == "CPUExecutionProvider"
    report = sessions.report()
    assert (report.requested, report.provider) == (provider_name(name), "CPUExecutionProvider")


@pytest.mark.filterwarnings("ignore:Specified provider")  # onnxruntime sees through the disguise
def test_a_provider_that_breaks_at_load_falls_back(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    have = [*onnxruntime.get_available_providers(), "BrokenExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: have)
    sessions = Sessions(Settings(threads=1, provider="BrokenExecutionProvider"))
    with pytest.warns(ProviderFallbackWarning, match="Broken"):
        session = sessions.open(graph)
    (total,) = session.run(None, {"a": vector(1), "b": vector(1)})
    assert total.tolist() == [2]


def test_a_mistyped_provider_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'directml'"):
        Sessions(Settings(provider="direcml"))


def test_without_onnxruntime_the_extra_is_named(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"astraweave\[cpu\]"):
        Sessions(ONE).open(graph)


def test_onnxruntime_reports_nothing_and_writes_nothing(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left alone, its Linux wheels keep a database under the user's home, and send it."""
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    program = """
        from pathlib import Path
        with Sessions(Settings(threads=1)) as sessions:
            assert add(sessions.open(graph))
            handles = Path("/proc/self/fd")
            opened = [str(h.resolve()) for h in handles.iterdir()] if handles.is_dir() else []
        print(*(name for name in opened if name.endswith(".db")))
        """
    assert run_alone(program, graph) == ""
    assert not list(tmp_path.rglob("*.db"))


def run_alone(program: str, graph: Path) -> str:
    """The pool is made once per process, so each of these tests has a process of its own."""
    lines = """
        import sys, warnings
        import numpy as np
        from astraweave.core.settings import Settings
        from astraweave.inference import Sessions, ThreadBudgetWarning
        graph = sys.argv[1]
        a = np.ones(1, np.float32)
        def add(session):
            return session.run(None, {"a": a, "b": a})[0][0] == 2
        """
    source = textwrap.dedent(lines) + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, str(graph)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_two_worlds_share_one_pool_and_the_first_budget_wins(graph: Path) -> None:
    program = """
        first = Sessions(Settings(threads=2), shared_pool=True)
        assert add(first.open(graph))
        second = Sessions(Settings(threads=3), shared_pool=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert add(second.open(graph))
        assert [w.category for w in caught] == [ThreadBudgetWarning], caught
        print(first.report().threads, second.report().threads, second.report().shared_pool)
        """
    assert run_alone(program, graph) == "2 2 True"


def test_a_shared_budget_of_one_leaves_the_process_alone(graph: Path) -> None:
    program = """
        import onnxruntime
        ours = Sessions(Settings(threads=1), shared_pool=True)
        assert add(ours.open(graph))
        theirs = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        print(ours.report().threads, ours.report().shared_pool)
        """
    assert run_alone(program, graph) == "1 False"


def test_own_pools_live_beside_other_sessions_of_the_game(graph: Path) -> None:
    program = """
        import onnxruntime
        ours = Sessions(Settings(threads=2))
        assert add(ours.open(graph))
        theirs = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        print(ours.report().threads, ours.report().shared_pool)
        """
    assert run_alone(program, graph) == "2 False"


@pytest.mark.parametrize("budget", [1, 2])
def test_a_pool_that_somebody_else_made_is_used(graph: Path, budget: int) -> None:
    program = f"""
        import onnxruntime
        onnxruntime.set_global_thread_pool_sizes(2, 1)
        options = onnxruntime.SessionOptions()
        options.use_per_session_threads = False
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        ours = Sessions(Settings(threads={budget}))
        warnings.simplefilter("ignore")
        assert add(ours.open(graph))
        print(ours.report().shared_pool)
        """
    assert run_alone(program, graph) == "True"


def test_a_session_for_one_thread_makes_no_pool(graph: Path) -> None:
    program = """
        import os
        def count():
            return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
        ours = Sessions(Settings(threads=3))
        assert add(ours.open(graph, threads=1))
        before = count()
        sessions = [ours.open(graph, threads=1) for _ in range(4)]
        assert count() == before
        sessions.append(ours.open(graph, threads=99))
        assert count() in (0, before + 2)
        print(all(add(session) for session in sessions))
        """
    assert run_alone(program, graph) == "True"
