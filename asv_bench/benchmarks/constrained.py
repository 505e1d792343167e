"""What holding an answer to a constraint costs, a drawn token."""

from ._suites import Cases


class Constrained(Cases):
    prefix = "constrained."
