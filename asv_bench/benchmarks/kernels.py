"""Batches and sampling beside NumPy."""

from ._suites import Cases


class Kernels(Cases):
    prefix = "kernels."
