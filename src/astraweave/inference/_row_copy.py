"""A graph that copies tensors on the device where they lie, written without the package `onnx`.

onnxruntime's Python package cannot copy from one place of a device to another; an ``Identity`` over
bound memory does. The graph is written by hand because `onnx` is no part of what a game ships: a
protobuf message is fields one after another, each a number, a kind, and its content.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["row_copy_graph"]

_ELEMENT = {"float32": 1, "float16": 10}
_IR_VERSION = 10
_OPSET = 18


def row_copy_graph(pieces: int, shape: Sequence[int], dtype: str) -> bytes:
    """An ONNX model with ``to{i} = from{i}`` for each of `pieces`, all of shape ``(1, *shape)``."""
    graph = b""
    for piece in range(pieces):
        node = _text(1, f"from{piece}") + _text(2, f"to{piece}") + _text(4, "Identity")
        graph += _message(1, node)
    graph += _text(2, "rows")
    for field, name in ((11, "from"), (12, "to")):
        for piece in range(pieces):
            graph += _message(field, _port(f"{name}{piece}", (1, *shape), _ELEMENT[dtype]))
    opset = _text(1, "") + _number(2, _OPSET)
    return _number(1, _IR_VERSION) + _message(7, graph) + _message(8, opset)


def _port(name: str, shape: Sequence[int], element: int) -> bytes:
    sizes = b"".join(_message(1, _number(1, size)) for size in shape)
    tensor = _number(1, element) + _message(2, sizes)
    return _text(1, name) + _message(2, _message(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
