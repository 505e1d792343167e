"""The shape in which asv sees the cases of `astraweave.bench`.

Each case is measured once, ours and the peer in turns in one process, as the command does it; asv
then follows the figures of that row: above all the ratio, which a slower machine leaves as it is.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec

from astraweave.bench import Row, find_cases


class Cases:
    """All cases whose names begin with `prefix`, with a method for every unit among them.

    Heavy cases have methods of their own, so that `asv run --bench` can leave them out.
    """

    prefix = ""
    timeout = 900

    def __init_subclass__(cls):
        for heavy in (False, True):
            kind = "track_heavy" if heavy else "track"
            cases = [case for case in find_cases(cls.prefix) if case.heavy == heavy]
            for unit in sorted({case.unit for case in cases}):
                names = [case.name for case in cases if case.unit == unit]
                name = f"{kind}_{re.sub('[^0-9A-Za-z]+', '_', unit)}"
                _follow(cls, name, _figure, unit, case=names, side=["ours", "peer"])
            beside = [case.name for case in cases if case.peer_name]
            _follow(cls, f"{kind}_ratio", _ratio, "x", case=beside)
            _follow(cls, f"{kind}_quality", _quality, "share", case=[case.name for case in cases])

    def setup_cache(self):
        """Have asv make one folder for all of these, in which they find each other's rows."""

    def setup(self, *parameters):
        name = next(each for each in parameters if each is not None)
        self.row = _measured(name)
        if self.row.ours is None:
            raise NotImplementedError(self.row.note)  # asv's word for 'not here'


def _measured(name):
    kept = Path(f"{name}.json")  # asv's own folder, thrown away after the run
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=Row)
    (case,) = (case for case in find_cases(name) if case.name == name)
    row = case.row()
    kept.write_bytes(msgspec.json.encode(row))
    return row


def _follow(cls, name, function, unit, **params):
    """Give `cls` a method of its own: asv looks for `params` and `unit` there first."""
    if not params["case"]:
        return

    def track(self, *parameters):
        value = function(self.row, *parameters)
        return math.nan if value is None else value

    track.__name__, track.__qualname__ = name, f"{cls.__qualname__}.{name}"
    track.__doc__, track.unit = function.__doc__, unit
    track.param_names, track.params = list(params), list(params.values())
    setattr(cls, name, track)


def _figure(row, _, side):
    """Ours, or the peer's."""
    return getattr(row, side)


def _ratio(row, _):
    """How many times better we are than the named peer."""
    return row.ratio


def _quality(row, _):
    """The first of the case's qualities: recall, agreement, hit rate."""
    return next(iter(row.quality.values()), None)
