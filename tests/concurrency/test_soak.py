"""Full load, and then nothing that was not there before."""

from __future__ import annotations

import pytest

from astraweave.bench.soak import SoakFigures, measure_soak
from astraweave.core.settings import Settings
from astraweave.models import ModelFiles

pytestmark = pytest.mark.models


def check(figures: SoakFigures) -> None:
    assert figures.failed == {}
    assert figures.threads_left == []
    assert figures.files_left == []
    assert figures.thoughts
    assert figures.scores
    assert figures.lines
    assert all(bar.met is not False for bar in figures.bars), figures


def test_a_short_soak(decoder_files: ModelFiles, encoder_files: ModelFiles) -> None:
    """Too short to say anything of memory; longer where the machine has much else to do."""
    settings = Settings.from_environment(offline=True)
    figures = measure_soak(5.0, settings=settings)
    check(figures if figures.scores else measure_soak(20.0, settings=settings))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_minutes(decoder_files: ModelFiles, encoder_files: ModelFiles) -> None:
    figures = measure_soak(600.0, settings=Settings.from_environment(offline=True))
    check(figures)
    assert figures.prefixes_forgotten, "memory for keys and values was never full"
