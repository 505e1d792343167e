"""The engine: steps, first words and pauses, beside nobody and over a backend that costs nothing."""

from ._suites import Cases


class Engine(Cases):
    prefix = "engine."
