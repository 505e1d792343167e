"""The memory budget: what is handed out, what is refused, and what sessions take of it."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.settings import Settings
from astraweave.errors import CapacityError, ConfigError
from astraweave.inference import MemoryBudget, Sessions
from astraweave.inference.memory import default_memory, physical_memory
from astraweave.inference.providers import precision_for, provider_options

MB = 1 << 20


@given(st.lists(st.one_of(st.integers(0, 60), st.booleans()), max_size=40))
def test_shares_never_sum_to_more_than_the_budget(story) -> None:
    budget, shares, used = MemoryBudget(100, setting="memory_mb"), [], 0
    for step in story:
        if isinstance(step, bool):
            if shares:
                share = shares.pop(0 if step else -1)
                share.release()
                share.release()
                used -= share.size
        elif used + step <= 100:
            shares.append(budget.reserve(f"share {len(shares)}", step))
            used += step
        else:
            with pytest.raises(CapacityError):
                budget.reserve("too much", step)
        report = budget.report()
        assert report.used == used == sum(size for _, size in report.holders)


def test_a_refusal_names_who_holds_the_rest() -> None:
    budget = MemoryBudget(100 * MB, setting="memory_mb")
    kept = [budget.reserve(f"model {at}", (10 + at) * MB) for at in range(6)]
    with pytest.raises(CapacityError, match=r"tam needs 30 MB, and 25 of 100 are left") as caught:
        budget.reserve("tam", 30 * MB)
    assert "model 5 holds 15 MB, model 4" in str(caught.value)
    assert "1 others hold the rest" in str(caught.value)
    assert "memory_mb" in str(caught.value)
    assert caught.value.holders[0] == ("model 5", 15 * MB)
    assert len(kept) == 6


def test_a_forgotten_share_comes_back() -> None:
    budget = MemoryBudget(10, setting="memory_mb")
    share = budget.reserve("forgotten", 10)
    del share
    gc.collect()
    assert budget.report().used == 0


def test_without_a_limit_shares_are_counted() -> None:
    budget = MemoryBudget(0, setting="gpu_memory_mb")
    share = budget.reserve("large", 1 << 60)
    assert budget.report().used == share.size


def test_the_default_leaves_most_of_the_machine_to_the_game() -> None:
    assert physical_memory() > 64 * MB
    assert 512 * MB <= default_memory() <= 8192 * MB
    assert Sessions(Settings(memory_mb=100)).memory.total == 100 * MB
    with pytest.raises(ConfigError, match="memory_mb"):
        Settings(memory_mb=-1)


def test_gpu_providers_get_half_precision_and_a_cap() -> None:
    assert precision_for("CUDAExecutionProvider") == "fp16"
    assert precision_for("CPUExecutionProvider") == "int8"
    assert provider_options("CUDAExecutionProvider", 0) == {
        "arena_extend_strategy": "kSameAsRequested"
    }
    assert provider_options("TensorrtExecutionProvider", 5) == {"trt_max_workspace_size": "5"}
    assert provider_options("DmlExecutionProvider", 5) == {}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of one addition of 8 MB."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    ports = [helper.make_tensor_value_info(name, floats, [2 * MB]) for name in ("x", "y")]
    weight = onnx.numpy_helper.from_array(np.ones(2 * MB, np.float32), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    model = helper.make_model(
        helper.make_graph(nodes, "add", ports[:1], ports[1:], [weight]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    path = tmp_path_factory.mktemp("heavy") / "model.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="model.onnx.data")
    return path


def test_sessions_take_their_weights_share_and_give_it_back(graph: Path) -> None:
    with Sessions(Settings(threads=1, memory_mb=60)) as sessions:
        first = sessions.open(graph)
        second = sessions.open(graph)
        report = sessions.report().memory
        assert len(report.holders) == 2
        assert all(8 * MB < size < 30 * MB for _, size in report.holders)
        with pytest.raises(CapacityError, match=r"model\.onnx' holds"):
            sessions.open(graph)
        assert sessions.report().open_sessions == 2, "nothing was half-opened"
        first.close()
        sessions.open(graph)
        second.close()
    assert sessions.memory.report().used == 0


def test_a_graph_that_does_not_load_holds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"\xff" * 1000)
    sessions = Sessions(Settings(threads=1))
    with pytest.raises(Exception, match="does not load"):
        sessions.open(broken)
    assert sessions.memory.report().used == 0
