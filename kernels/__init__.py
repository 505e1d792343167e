"""Stateless kernels: arrays in, arrays out (and one that renders text).

Cython (``*.pyx``) where the first call must be fast; Numba (``*.py``) where a whole world is swept
or a designer writes the rule. Nothing here knows any other room of astraweave.
"""
