"""Sentence vectors; beside sentence-transformers where that is installed."""

from ._suites import Cases


class Embed(Cases):
    prefix = "embed."
