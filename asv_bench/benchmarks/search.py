"""Exact vector search beside faiss and numpy."""

from ._suites import _Calls


class Search(_Calls):
    prefix = "search."
