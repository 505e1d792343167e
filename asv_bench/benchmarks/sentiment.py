"""The player's feelings: ours beside VADER, how often right and how fast."""

from ._suites import Cases


class Sentiments(Cases):
    prefix = "sentiment."
