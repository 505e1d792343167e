"""Windows of conversations."""

from ._suites import _Calls


class Context(_Calls):
    prefix = "context."
