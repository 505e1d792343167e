"""Benchmark cases; asv and the command `astraweave bench` run the same code."""
