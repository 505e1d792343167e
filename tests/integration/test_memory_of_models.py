"""What models take of the memory budget, and give back."""

from __future__ import annotations

from typing import Any

import pytest

from astraweave.core.settings import Settings
from astraweave.errors import CapacityError
from astraweave.inference import Sessions
from astraweave.llm import LocalLanguageModel
from astraweave.models import ModelFiles

pytestmark = pytest.mark.models


@pytest.mark.parametrize("backend", ["native", "graph"])
def test_a_model_holds_its_share_until_it_is_closed(decoder_files: ModelFiles, backend: Any):
    with Sessions(Settings(threads=1, memory_mb=400)) as sessions:
        for _ in range(3):
            with LocalLanguageModel(decoder_files, sessions=sessions, backend=backend):
                report = sessions.report().memory
                assert len(report.holders) == 2
                assert 150 << 20 < report.used < 400 << 20, "others come after it"
            assert sessions.memory.report().used == 0


@pytest.mark.parametrize("backend", ["native", "graph"])
def test_what_does_not_fit_is_refused_and_leaves_nothing(decoder_files: ModelFiles, backend: Any):
    for settings, kv_bytes in (
        (Settings(threads=1, memory_mb=100), None),
        (Settings(threads=1, memory_mb=400), 300 << 20),
    ):
        sessions = Sessions(settings)
        with pytest.raises(CapacityError, match="memory_mb"):
            LocalLanguageModel(decoder_files, sessions=sessions, backend=backend, kv_bytes=kv_bytes)
        assert sessions.memory.report().used == 0
