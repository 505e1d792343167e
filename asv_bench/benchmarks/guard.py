"""The guard: what compiling, checking and sanitising cost."""

from ._suites import Cases


class Guard(Cases):
    prefix = "guard."
