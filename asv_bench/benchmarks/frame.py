"""A 60 Hz loop beside a thinking character, 600 frames; `astraweave bench frame` runs 20,000."""

import tempfile

from astraweave.bench.case import Unavailable
from astraweave.bench.footprint import wanted_models
from astraweave.bench.frame import measure_frames
from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.world import World

FRAMES = 600


class Frame:
    unit = "us"

    def setup_cache(self):
        try:
            wanted_models(DEFAULT_MODEL, DEFAULT_EMBEDDER)
        except Unavailable:
            return None
        settings = Settings.from_environment(model=DEFAULT_MODEL, embedder=DEFAULT_EMBEDDER)
        with (
            tempfile.TemporaryDirectory() as folder,
            World.open(folder, settings=settings) as world,
        ):
            return measure_frames(world, frames=FRAMES)

    def setup(self, figures):
        if figures is None:
            raise NotImplementedError("the models are not here")

    def track_tick_p99(self, figures):
        return figures.thinking.tick_us_p99

    def track_wake_p99(self, figures):
        return figures.thinking.wake_us_p99

    def track_work_slowdown_p99(self, figures):
        return figures.work_slowdown_p99

    track_work_slowdown_p99.unit = "ratio"

    def track_model_busy(self, figures):
        return figures.model_busy

    track_model_busy.unit = "share"
