"""Ten thousand memories: saving, loading, asking, and how many of those asked for come back."""

from astraweave.bench.case import Unavailable
from astraweave.bench.memory import ten_thousand_figures


class Memory:
    unit = "ms"

    def setup_cache(self):
        try:
            return ten_thousand_figures()
        except Unavailable:
            return None

    def setup(self, figures):
        if figures is None:
            raise NotImplementedError("the embedding model is not here")

    def track_save(self, figures):
        return figures.save.max_ms

    def track_load(self, figures):
        return figures.load.max_ms

    def track_retrieve_p95(self, figures):
        return figures.retrieve.p95_ms

    def track_found(self, figures):
        return figures.found

    track_found.unit = "share"
