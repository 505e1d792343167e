"""What a world with both models costs: to open, to keep, to ship."""

from ._suites import Cases


class World(Cases):
    prefix = "world."
