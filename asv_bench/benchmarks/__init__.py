"""asv's view of the cases in `astraweave.bench`; run them from the folder above with `asv run`."""
