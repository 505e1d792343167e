"""A small builder of ONNX graphs whose large tensors go straight to a file beside the graph.

Tensors are written as they come, so that converting takes little more memory than the largest of
them, and no graph is too large for protobuf.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import MissingExtraError
from astraweave.models.weight_table import TensorRow

__all__ = ["MICROSOFT", "GraphBuilder"]

MICROSOFT = "com.microsoft"
"""The domain of onnxruntime's own operators."""

_OPSET = 18
_IR_VERSION = 10
_INLINE_BYTES = 1024
_ALIGNMENT = 4096


class GraphBuilder:
    """Nodes, tensors and ports of one graph; use it in a `with` statement, and `save` at its end.

    Parameters
    ----------
    path : Path
        The graph's file; large tensors go to ``PATH.data``.
    name : str
        The graph's name.
    outside : tuple of str
        Types of tensors that go there however small they are, for a reader that has no `onnx`.

    Attributes
    ----------
    stored : dict of str to TensorRow
        What has gone there so far.
    """

    def __init__(self, path: Path, name: str, *, outside: tuple[str, ...] = ()) -> None:
        try:
            import onnx
        except ImportError:
            raise MissingExtraError("converting models", "convert") from None
        self._onnx = onnx
        self._path = path
        self._name = name
        self._nodes: list[Any] = []
        self._outside = outside
        self._tensors: dict[str, Any] = {}
        self.stored: dict[str, TensorRow] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._data_path = path.with_name(path.name + ".data")
        self._data = self._data_path.open("wb")

    def __enter__(self) -> GraphBuilder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._data.close()

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Add an input; `dtype` as NumPy calls it, names in `shape` are free dimensions."""
        self._inputs.append(self._port(name, dtype, shape))
        return name

    def output(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Add an output that a node of this name makes."""
        self._outputs.append(self._port(name, dtype, shape))
        return name

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a tensor, unless the name is already there."""
        if name in self._tensors:
            return name
        array = np.ascontiguousarray(value) if value.ndim else value
        inline = array.ndim == 0 or array.dtype.name not in self._outside
        if inline and array.nbytes < _INLINE_BYTES:
            self._tensors[name] = self._onnx.numpy_helper.from_array(array, name)
            return name
        tensor = self._onnx.TensorProto(
            name=name,
            dims=array.shape,
            data_type=self._onnx.helper.np_dtype_to_tensor_dtype(array.dtype),
            data_location=self._onnx.TensorProto.EXTERNAL,
        )
        self._data.write(b"\0" * (-self._data.tell() % _ALIGNMENT))
        self.stored[name] = TensorRow(
            dtype=array.dtype.name, shape=array.shape, offset=self._data.tell()
        )
        place = {
            "location": self._data_path.name,
            "offset": str(self._data.tell()),
            "length": str(array.nbytes),
        }
        for key, text in place.items():
            tensor.external_data.add(key=key, value=text)
        self._data.write(array.data)
        self._tensors[name] = tensor
        return name

    def node(
        self, kind: str, inputs: Sequence[str], outputs: str | Sequence[str], **attributes: Any
    ) -> str:
        """Add a standard operator; its first output's name comes back."""
        return self._add(kind, inputs, outputs, "", attributes)

    def fused(
        self, kind: str, inputs: Sequence[str], outputs: str | Sequence[str], **attributes: Any
    ) -> str:
        """Add one of onnxruntime's own operators; its first output's name comes back."""
        return self._add(kind, inputs, outputs, MICROSOFT, attributes)

    def save(self, **metadata: str) -> None:
        """Write the graph, and what is to be noted in it."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._tensors.values())
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)],
            ir_version=_IR_VERSION,
            producer_name="astraweave",
        )
        helper.set_model_props(model, metadata)
        self._data.flush()
        self._path.write_bytes(model.SerializeToString(deterministic=True))

    def _add(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        domain: str,
        attributes: dict[str, Any],
    ) -> str:
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self._nodes.append(
            self._onnx.helper.make_node(
                kind, list(inputs), names, name=f"{names[0]}.{kind}", domain=domain, **attributes
            )
        )
        return names[0]

    def _port(self, name: str, dtype: str, shape: Sequence[int | str]) -> Any:
        helper = self._onnx.helper
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, list(shape))
