"""Sweeps over a million memories, writing, and what survives a cap."""

from ._suites import Cases


class Life(Cases):
    prefix = "life."
