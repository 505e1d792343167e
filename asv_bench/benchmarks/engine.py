"""The engine: steps, first words and pauses."""

from ._suites import Cases


class Engine(Cases):
    prefix = "engine."
