"""The table beside a converted decoder against what its graph says of the same file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from tiny_decoders import CONTEXT, VARIANTS, write_gguf

from astraweave.errors import CorruptDataError, FormatVersionError
from astraweave.models.convert.llama import convert_decoder
from astraweave.models.weight_table import WeightTable


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_table_says_where_the_graph_reads(tmp_path: Path, variant: str) -> None:
    path = write_gguf(tmp_path / "m.gguf", **VARIANTS[variant])
    shape = convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)
    table = WeightTable.read(tmp_path / WeightTable.NAME)
    assert msgspec.structs.asdict(table.shape) == msgspec.structs.asdict(shape)
    data = (tmp_path / "m.onnx.data").read_bytes()
    graph = onnx.load(tmp_path / "m.onnx")
    numbers = {
        tensor.name: onnx.numpy_helper.to_array(tensor, str(tmp_path))
        for tensor in graph.graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8) and tensor.dims
    }
    assert table.tensors.keys() == numbers.keys()
    for name, row in table.tensors.items():
        count = int(np.prod(row.shape))
        found = np.frombuffer(data, row.dtype, count, row.offset).reshape(row.shape)
        np.testing.assert_array_equal(found, numbers[name])


def test_full_precision_has_no_table(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT, precision="fp32")
    assert not (tmp_path / WeightTable.NAME).exists()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"shape": 3, "tensors": {}}', b"\xff\xfe"])
def test_what_is_no_table_is_corrupt(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / WeightTable.NAME
    with pytest.raises(CorruptDataError, match=r"weights\.json"):
        WeightTable.read(path)
    path.write_bytes(text)
    with pytest.raises(CorruptDataError, match=r"weights\.json"):
        WeightTable.read(path)


def test_a_newer_table_is_told_apart(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)
    table = tmp_path / WeightTable.NAME
    table.write_bytes(table.read_bytes().replace(b'"format":1', b'"format":2'))
    with pytest.raises(FormatVersionError, match="newer astraweave"):
        WeightTable.read(table)
