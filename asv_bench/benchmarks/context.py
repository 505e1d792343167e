"""Windows of conversations."""

from ._suites import Cases


class Context(Cases):
    prefix = "context."
