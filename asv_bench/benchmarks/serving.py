"""Serving: what the road between game and model costs, without the model's own work."""

from ._suites import Cases


class Serving(Cases):
    prefix = "serving."
