"""Batches and sampling beside NumPy."""

from ._suites import _Calls


class Kernels(_Calls):
    prefix = "kernels."
