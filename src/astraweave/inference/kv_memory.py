"""Keys and values of a decoder graph, where its provider computes.

A graph's past and present are bound to the same memory, so that a step writes its new rows and
copies nothing. Rows of a batch lie side by side. On the processor the memory is mapped; on a device
it belongs to onnxruntime, and its rows are copied there by a graph of one operator.
"""

from __future__ import annotations

import mmap
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CapacityError, UnsupportedModel
from astraweave.inference._onnxruntime import first_line, load_onnxruntime
from astraweave.inference._row_copy import row_copy_graph
from astraweave.inference.providers import device_of
from astraweave.inference.sessions import Session

__all__ = ["DeviceKv", "HostKv", "KvMemory", "KvShape", "kv_memory"]


class KvShape(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a decoder's keys and values.

    Attributes
    ----------
    layers, kv_heads, head_size : int
        Of the decoder.
    rows : int
        Sequences that there is room for.
    row_tokens : int
        Tokens that each may have.
    dtype : str
        ``"float32"`` or ``"float16"``.
    """

    layers: int
    kv_heads: int
    head_size: int
    rows: int
    row_tokens: int
    dtype: str = "float32"

    @property
    def row(self) -> tuple[int, int, int]:
        """Shape of the keys, or of the values, of one sequence in one layer."""
        return (self.kv_heads, self.row_tokens, self.head_size)

    @property
    def row_bytes(self) -> int:
        """Bytes of that."""
        return int(np.prod(self.row)) * np.dtype(self.dtype).itemsize

    @property
    def token_bytes(self) -> int:
        """Bytes of one token, all layers, keys and values."""
        return self.layers * 2 * self.row_bytes // self.row_tokens

    @property
    def total_bytes(self) -> int:
        """Bytes of all rows."""
        return self.rows * self.row_tokens * self.token_bytes


class KvMemory(Protocol):
    """Rows of keys and values. Used by one thread at a time."""

    shape: KvShape

    def bind(self, binding: Any, start: int, count: int) -> None:
        """Bind ``past_*`` and ``present_*`` of a graph to the rows from `start` on."""
        ...

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Give the row `target` the first `tokens` of the row `source`."""
        ...

    def swap(self, a: int, b: int, a_tokens: int, b_tokens: int) -> None:
        """Exchange the first tokens of two rows."""
        ...

    def give_back(self, row: int) -> None:
        """Return a free row's memory to the operating system, where that is possible."""
        ...

    def close(self) -> None:
        """Let go of the memory; no binding may be run after that. Closing twice is allowed."""
        ...


def kv_memory(session: Session, shape: KvShape) -> KvMemory:
    """Memory for a session's keys and values, where its provider computes."""
    device = device_of(session.provider)
    return HostKv(shape) if device == "cpu" else DeviceKv(shape, device)


class HostKv:
    """Rows in main memory. Mapped, not allocated: what no token has reached costs nothing.

    Attributes
    ----------
    memory : ndarray, shape (layers, 2, rows, kv_heads, row_tokens, head_size)
        Keys and values.
    """

    def __init__(self, shape: KvShape) -> None:
        self.shape = shape
        self._map = mmap.mmap(-1, max(1, shape.total_bytes))
        if hasattr(mmap, "MADV_NOHUGEPAGE"):  # huge pages fill at once
            self._map.madvise(mmap.MADV_NOHUGEPAGE)
        self.memory: NDArray[Any] = np.frombuffer(self._map, shape.dtype).reshape(
            (shape.layers, 2, shape.rows, *shape.row)
        )

    def bind(self, binding: Any, start: int, count: int) -> None:
        """Bind ``past_*`` and ``present_*`` of a graph to the rows from `start` on."""
        for layer in range(self.shape.layers):
            for part, name in enumerate("kv"):
                rows = self.memory[layer, part, start : start + count]
                place = ("cpu", 0, rows.dtype.type, rows.shape, rows.ctypes.data)
                binding.bind_input(f"past_{name}{layer}", *place)
                binding.bind_output(f"present_{name}{layer}", *place)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Give the row `target` the first `tokens` of the row `source`."""
        self.memory[:, :, target, :, :tokens] = self.memory[:, :, source, :, :tokens]

    def swap(self, a: int, b: int, a_tokens: int, b_tokens: int) -> None:
        """Exchange the first tokens of two rows."""
        kept = self.memory[:, :, a, :, :a_tokens].copy()
        self.copy(b, a, b_tokens)
        self.memory[:, :, b, :, :a_tokens] = kept

    def give_back(self, row: int) -> None:
        """Return a free row's memory to the operating system, where that is possible."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        size = self.shape.row_bytes
        for block in range(self.shape.layers * 2):
            begin = (block * self.shape.rows + row) * size
            page = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
            whole = (begin + size) // mmap.PAGESIZE * mmap.PAGESIZE - page
            if whole > 0:
                self._map.madvise(mmap.MADV_DONTNEED, page, whole)

    def close(self) -> None:
        """Let go of the memory; no binding may be run after that. Closing twice is allowed."""
        self.memory = np.empty(0, self.shape.dtype)


class DeviceKv:
    """Rows in the memory of a device, one piece for each layer's keys and values.

    Whole rows are copied, whatever of them is used: on a GPU that is a few hundred megabytes a
    millisecond, and the copies of all layers are one run of a graph.

    Parameters
    ----------
    shape : KvShape
        Its numbers; a further row is kept for exchanging two.
    device : str
        As onnxruntime calls it (``"cuda"``); ``"cpu"`` for tests.

    Raises
    ------
    CapacityError
        The device has not that much memory.
    """

    def __init__(self, shape: KvShape, device: str) -> None:
        self.shape = shape
        self._device = device
        self._onnxruntime = load_onnxruntime()
        self._kind = np.dtype(shape.dtype).type
        whole = [shape.rows + 1, *shape.row]
        try:
            self._pieces = [
                self._onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                    whole, self._kind, device, 0
                )
                for _ in range(shape.layers * 2)
            ]
        except Exception as error:
            raise CapacityError(
                f"the device '{device}' has no room for {shape.total_bytes >> 20} MB of keys and "
                f"values ({first_line(error)}); open the model for fewer sequences or tokens",
                device=device,
                size=shape.total_bytes,
            ) from error
        self._begin = [piece.data_ptr() for piece in self._pieces]
        self._copier = self._open_copier()

    def bind(self, binding: Any, start: int, count: int) -> None:
        """Bind ``past_*`` and ``present_*`` of a graph to the rows from `start` on."""
        for layer in range(self.shape.layers):
            for part, name in enumerate("kv"):
                place = self._place(layer * 2 + part, start, count)
                binding.bind_input(f"past_{name}{layer}", *place)
                binding.bind_output(f"present_{name}{layer}", *place)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Give the row `target` the first `tokens` of the row `source`; the rest comes along."""
        if source == target or not tokens:
            return
        binding = self._copier.io_binding()
        for piece in range(len(self._pieces)):
            binding.bind_input(f"from{piece}", *self._place(piece, source, 1))
            binding.bind_output(f"to{piece}", *self._place(piece, target, 1))
        self._copier.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def swap(self, a: int, b: int, a_tokens: int, b_tokens: int) -> None:
        """Exchange the first tokens of two rows."""
        spare = self.shape.rows
        self.copy(a, spare, a_tokens)
        self.copy(b, a, b_tokens)
        self.copy(spare, b, a_tokens)

    def give_back(self, row: int) -> None:
        """A device keeps what it has: its rows are written where they lie."""

    def close(self) -> None:
        """Let go of the memory; no binding may be run after that. Closing twice is allowed."""
        self._pieces.clear()

    def _place(self, piece: int, start: int, count: int) -> tuple[object, ...]:
        shape = self.shape
        begin = self._begin[piece] + start * shape.row_bytes
        return (self._device, 0, self._kind, [count, *shape.row], begin)

    def _open_copier(self) -> Any:
        runtime = self._onnxruntime
        provider = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}.get(
            self._device
        )
        if provider is None:
            raise UnsupportedModel(f"no keys and values can be kept on '{self._device}'")
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        graph = row_copy_graph(len(self._pieces), self.shape.row, self.shape.dtype)
        return runtime.InferenceSession(graph, options, providers=[provider])
