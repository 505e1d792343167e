"""Rows of keys and values, on the host and as a device keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.inference._row_copy import row_copy_graph
from astraweave.inference.kv_memory import DeviceKv, HostKv, KvMemory, KvShape

pytest.importorskip("onnxruntime")

ROWS, TOKENS = 4, 6


def shape(dtype: str) -> KvShape:
    return KvShape(layers=2, kv_heads=2, head_size=8, rows=ROWS, row_tokens=TOKENS, dtype=dtype)


def test_the_numbers_add_up() -> None:
    assert shape("float16").token_bytes == 2 * 2 * 2 * 8 * 2
    assert shape("float32").total_bytes == ROWS * TOKENS * 2 * shape("float16").token_bytes


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_graph_that_copies_rows_is_sound(dtype: str) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(row_copy_graph(200, (2, 300, 64), dtype))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Identity"] * 200
    ports = [*model.graph.input, *model.graph.output]
    sizes = {tuple(d.dim_value for d in p.type.tensor_type.shape.dim) for p in ports}
    assert sizes == {(1, 2, 300, 64)}


class Spy:
    """Stands for a binding: notes where things are bound."""

    def __init__(self) -> None:
        self.inputs: dict[str, tuple[Any, ...]] = {}
        self.outputs: dict[str, tuple[Any, ...]] = {}

    def bind_input(self, name: str, *place: Any) -> None:
        self.inputs[name] = place

    def bind_output(self, name: str, *place: Any) -> None:
        self.outputs[name] = place


def rows(kv: KvMemory, start: int, count: int) -> dict[str, np.ndarray]:
    """What a graph bound to these rows would see, as arrays over the same memory."""
    import ctypes

    spy = Spy()
    kv.bind(spy, start, count)
    found = {}
    for name, (device, number, kind, size, address) in spy.inputs.items():
        assert (device, number) == ("cpu", 0)
        assert spy.outputs[name.replace("past", "present")] == (device, number, kind, size, address)
        held = int(np.prod(size)) * np.dtype(kind).itemsize
        memory = (ctypes.c_char * held).from_address(address)
        found[name] = np.frombuffer(memory, kind).reshape(size)
    return found


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_of_a_batch_lie_side_by_side(dtype: str) -> None:
    for kv in (HostKv(shape(dtype)), DeviceKv(shape(dtype), "cpu")):
        for name, memory in rows(kv, 0, ROWS).items():
            memory[:] = np.arange(ROWS).reshape(-1, 1, 1, 1) + len(name)
        for name, memory in rows(kv, 1, 2).items():
            assert memory.dtype == dtype
            assert (memory[0] == 1 + len(name)).all()
            assert (memory[1] == 2 + len(name)).all()


steps = st.lists(
    st.tuples(
        st.sampled_from(["copy", "swap"]),
        st.integers(0, ROWS - 1),
        st.integers(0, ROWS - 1),
        st.integers(0, TOKENS),
        st.integers(0, TOKENS),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(steps, st.integers(0, 2**32))
def test_both_keep_what_a_readable_list_of_rows_keeps(story, seed) -> None:
    """Only tokens that a row is known to have are compared: what lies behind them is nobody's."""
    rng = np.random.default_rng(seed)
    names = [f"past_{part}{layer}" for layer in range(2) for part in "kv"]
    start = {name: rng.integers(0, 100, (ROWS, 2, TOKENS, 8)).astype(np.float16) for name in names}
    known = [TOKENS] * ROWS
    memories = [HostKv(shape("float16")), DeviceKv(shape("float16"), "cpu")]
    for kv in memories:
        for name, memory in rows(kv, 0, ROWS).items():
            memory[:] = start[name]
    model = {name: list(values.copy()) for name, values in start.items()}
    for kind, a, b, first, second in story:
        if a == b:
            continue
        first, second = min(first, known[a]), min(second, known[b])
        for values in model.values():
            if kind == "copy":
                values[b] = values[a].copy()
            else:
                values[a], values[b] = values[b], values[a]
        for kv in memories:
            if kind == "copy":
                kv.copy(a, b, first)
            else:
                kv.swap(a, b, first, second)
        known[b] = first
        if kind == "swap":
            known[a] = second
    for kv in memories:
        for name, memory in rows(kv, 0, ROWS).items():
            for row in range(ROWS):
                assert (memory[row, :, : known[row]] == model[name][row][:, : known[row]]).all()


def test_a_free_row_goes_back_and_the_others_stay() -> None:
    large = KvShape(layers=2, kv_heads=2, head_size=64, rows=3, row_tokens=100)
    kv = HostKv(large)
    kv.memory[:] = 7
    kv.give_back(1)
    assert (kv.memory[:, :, 0] == 7).all()
    assert (kv.memory[:, :, 2] == 7).all()
    DeviceKv(shape("float16"), "cpu").give_back(1)
    kv.close()
