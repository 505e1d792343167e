"""Finding memories beside sqlite's full-text index and numpy."""

from ._suites import Cases


class Retrieval(Cases):
    prefix = "retrieval."
