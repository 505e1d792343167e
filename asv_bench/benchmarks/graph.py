"""The graph index beside hnswlib: its searches, its memory and its file."""

from ._suites import Cases


class Graph(Cases):
    prefix = "graph"
