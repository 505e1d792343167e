"""The graph index beside hnswlib."""

from ._suites import _Calls, _Figures


class Graph(_Calls):
    prefix = "graph."


class GraphMemory(_Figures):
    prefix = "graph_memory."
    unit = "MB"


class GraphFile(_Figures):
    prefix = "graph_file."
    unit = "ms"
