"""The shapes in which asv sees the cases of `astraweave.bench`."""

from __future__ import annotations

from astraweave.bench import Case, Unavailable, find_cases
from astraweave.errors import MissingExtraError


def _prepared(case: Case):
    try:
        return case.prepare()
    except (Unavailable, MissingExtraError) as error:
        raise NotImplementedError(str(error)) from None  # asv's word for 'not here'


class _Calls:
    """Cases of two calls, ours and the peer's, timed by asv side by side."""

    prefix = ""
    param_names = ("case", "side")

    def __init_subclass__(cls):
        cls.cases = {case.name: case for case in find_cases(cls.prefix)}
        cls.params = [list(cls.cases), ["ours", "peer"]]

    def setup(self, name, side):
        self.call = getattr(_prepared(self.cases[name]), side)
        if self.call is None:
            raise NotImplementedError("there is no peer, or it is not installed")

    def time_call(self, name, side):
        self.call()


class _Figures:
    """Cases that measure themselves: fresh processes, memory."""

    prefix = ""
    param_names = ("case", "side")

    def __init_subclass__(cls):
        cls.cases = {case.name: case for case in find_cases(cls.prefix)}
        cls.params = [list(cls.cases), ["ours", "peer"]]

    def setup(self, name, side):
        case = self.cases[name]
        if side == "peer" and not case.peer_name:
            raise NotImplementedError("there is no peer")
        self.figure = getattr(_prepared(case), side)
        if self.figure is None:
            raise NotImplementedError("the peer is not installed")

    def track_figure(self, name, side):
        return self.figure
