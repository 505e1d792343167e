"""A short day of faults; the long one is ``python -m astraweave.bench.faults``."""

from __future__ import annotations

import pytest

from astraweave.bench.faults import day_of_faults

pytest.importorskip("aiohttp")


@pytest.mark.slow
@pytest.mark.parametrize("modes", [("silence", "refuse"), ("reset_midway", "rate_limit")])
def test_every_request_is_answered_once_and_in_time(modes: tuple[str, ...]) -> None:
    report = day_of_faults(22.0, modes=modes)  # type: ignore[arg-type]
    assert report.asked == report.answered
    assert (report.lost, report.twice, report.late) == (0, 0, 0), report
    assert report.outside == ()
    assert report.recovered.keys() == set(modes)
    assert min(report.recovered.values()) >= 0.99, report
    assert report.is_good
