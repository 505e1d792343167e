"""Exact vector search beside numpy."""

from ._suites import Cases


class Search(Cases):
    prefix = "search."
