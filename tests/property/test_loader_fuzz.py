"""Any bytes as a file that players or studios bring: an error of ours, or something that works.

The native parsers have fuzz targets of their own (``csrc/fuzz``); these readers are written in
Python. Each takes damaged copies of the files in ``corpus/``: the same ones in every run, and for
``ASTRAWEAVE_FUZZ_SECONDS`` others where that is set (the scheduled run).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from astraweave.bench.vectors import read_sample
from astraweave.errors import AstraweaveError
from astraweave.models import Tokenizer
from astraweave.models.gguf_meta import read_gguf_metadata

CORPUS = Path(__file__).parent / "corpus"
SECONDS = float(os.environ.get("ASTRAWEAVE_FUZZ_SECONDS", "0"))
SEED = int(os.environ.get("ASTRAWEAVE_FUZZ_SEED", "1"))
EXAMPLES = 400
TEXT = "Well met,\n  it's 1234 \u00e9\U0001f600 <|im_end|>\u2581 [SEP]"
TELLING = (b"\0", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\x7f", b"\xff" * 8, b"\0" * 4)
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**30, "", "a", "\0", "\u2581",
    "<0x41>", "x" * 300, [], {}, [[]], [None], {"": {}}, {"type": "Sequence"}, ["a", "b"],
)  # fmt: skip


def read_json(data: bytes, _: Path) -> None:
    use(Tokenizer.from_json(data))


def read_tiktoken(data: bytes, _: Path) -> None:
    use(Tokenizer.from_tiktoken(data, "cl100k_base"))


def read_gguf(data: bytes, folder: Path) -> None:
    path = folder / "model.gguf"
    path.write_bytes(data)
    read_gguf_metadata(path)
    use(Tokenizer.from_file(path))


def read_gguf_tensors(data: bytes, folder: Path) -> None:
    from astraweave.models.convert.gguf_file import GgufFile

    path = folder / "model.gguf"
    path.write_bytes(data)
    file = GgufFile(path)
    for name in file.unused():
        file.tensor(name)


def read_vectors(data: bytes, folder: Path) -> None:
    path = folder / "own.npy"
    path.write_bytes(data)
    read_sample(path)


def use(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(TEXT)
    assert len(ids) == tokenizer.count(TEXT)
    tokenizer.decode(ids)
    tokenizer.encode_for_model(TEXT, 8)


@pytest.mark.parametrize(
    ("corpus", "read"),
    [
        ("tokenizer_json", read_json),
        ("tiktoken", read_tiktoken),
        ("gguf", read_gguf),
        ("gguf", read_gguf_tensors),
        ("npy", read_vectors),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_a_damaged_file_is_an_error_of_ours(
    corpus: str, read: Callable[[bytes, Path], None], tmp_path: Path
) -> None:
    files = [path.read_bytes() for path in sorted((CORPUS / corpus).iterdir())]
    for data in files:
        read(data, tmp_path)  # undamaged, they are read
    for data in damaged(files, is_json=corpus == "tokenizer_json"):
        try:
            read(data, tmp_path)
        except AstraweaveError:
            pass
        except Exception:
            kept = tmp_path / "crash-input"
            kept.write_bytes(data)
            print(f"the input is in {kept}")
            raise


def damaged(files: list[bytes], *, is_json: bool) -> Iterator[bytes]:
    rng = random.Random(SEED)
    end = time.monotonic() + SECONDS
    done = 0
    while done < EXAMPLES or time.monotonic() < end:
        done += 1
        data = rng.choice(files)
        if is_json and rng.random() < 0.7:
            document = json.loads(data)
            for _ in range(rng.randint(1, 3)):
                change_document(document, rng)
            yield json.dumps(document).encode()
        else:
            changed = bytearray(data)
            for _ in range(rng.randint(1, 6)):
                change_bytes(changed, rng, files)
            yield bytes(changed)


def change_bytes(data: bytearray, rng: random.Random, files: list[bytes]) -> None:
    """One change of the sort that breaks parsers."""
    # Headers come first and say most, so half of the changes go there.
    at = rng.randrange(min(len(data), 200) + 1 if rng.random() < 0.5 else len(data) + 1)
    match rng.randrange(6):
        case 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        case 1:
            value = rng.choice(TELLING)
            data[at : at + len(value)] = value
        case 2:
            del data[at : at + rng.randint(1, 16)]
        case 3:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        case 4:
            del data[at:]
        case _:
            other = rng.choice(files)
            data[at:] = other[rng.randrange(len(other) + 1) :]


def change_document(document: Any, rng: random.Random) -> None:
    """Replace, remove or double one value, wherever it stands."""
    holder = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(holder[key], dict | list) or rng.random() < 0.3:
            break
        holder = holder[key]
    match rng.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, holder[key])
        case 2:
            holder[key] = [holder[key]]
        case _:
            holder[key] = deepcopy(rng.choice(ODD))
