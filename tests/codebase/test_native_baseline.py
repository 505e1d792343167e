"""The compiled library runs on every processor: wide registers stay in their kernels."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections import Counter

import pytest

from astraweave._native import _core

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
# AVX's instructions, and those over AVX-512's mask registers; two older ones begin with a v too.
WIDE = re.compile(r"^\s*[0-9a-f]+:\s+(?!verr\s|verw\s)(?:v[a-z]\w+|k(?:mov|and|or|not|test)\w*)\s")
KERNEL = re.compile(
    r"astraweave::simd::(?:\w+_avx(?:2|512)|\(anonymous namespace\)::\w+(?:<.*>)?)\("
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64's instructions")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs binutils")
def test_wide_instructions_stand_only_in_dispatched_kernels() -> None:
    listing = subprocess.run(
        ["objdump", "-d", "-C", "--no-show-raw-insn", _core.__file__],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    function, wide = "", Counter[str]()
    for line in listing.splitlines():
        if named := FUNCTION.match(line):
            function = named[1].removeprefix("void ").removeprefix("float ")
        elif WIDE.match(line):
            wide[function] += 1
    assert [name for name in wide if not KERNEL.match(name)] == []
    assert any("avx2" in name for name in wide), "no kernel was found: has objdump changed?"
