"""The guard: what is legal now, one call, one line in, one line out."""

from ._suites import Cases


class Guard(Cases):
    prefix = "guard."
