"""What the import itself costs, in fresh processes."""

from ._suites import Cases


class Import(Cases):
    prefix = "start."
