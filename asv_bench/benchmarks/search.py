"""Exact vector search beside faiss and numpy."""

from ._suites import Cases


class Search(Cases):
    prefix = "search."
