"""Exact vector search beside numpy."""

from ._suites import _Calls


class Search(_Calls):
    prefix = "search."
