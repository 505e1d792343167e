"""What a studio may say about limits and failures: plain structs, checked when they are made.

The same words stand in a TOML file (`astraweave.serving.settings_file`).
"""

from __future__ import annotations

import msgspec

from astraweave.errors import ConfigError

__all__ = [
    "DEFAULT_TIMEOUTS",
    "IN_PROCESS",
    "BreakerSettings",
    "BulkheadSettings",
    "ChainSettings",
    "HealthSettings",
    "HedgeSettings",
    "LimitSettings",
    "Rate",
    "RetrySettings",
    "RoadSettings",
    "TimeoutSettings",
]


class _Checked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers inside their ranges, or a `ConfigError` that says which is not."""

    def _check(self, low: float, high: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:  # NaN fails as well
                raise ConfigError(
                    f"{name} must be between {low:g} and {high:g}, not {value!r}",
                    setting=name,
                    value=value,
                )


class Rate(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any 60 seconds may hold.

    Attributes
    ----------
    requests_per_minute, tokens_per_minute : int or None
        None: as many as there are.
    requests_per_second : int or None
        Keeps a minute's requests from coming all at once.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_second: int | None = None

    def __post_init__(self) -> None:
        self._check(1, 2**53, "requests_per_minute", "tokens_per_minute", "requests_per_second")


class LimitSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may ask how often; a request has to fit into all of them.

    Attributes
    ----------
    everything : Rate
        All models and characters together.
    model, owner : Rate
        Each model; each character (`GenerationRequest.owner`).
    models, owners : dict of str to Rate
        Particular ones, in place of `model` and `owner`.
    adaptive : bool
        Slow down when a model says that it is asked too often, and try faster again afterwards.
    longest_wait_s : float
        Who would have to wait longer is refused at once.
    max_waiting : int
        Requests that may wait.
    """

    everything: Rate = Rate()
    model: Rate = Rate()
    owner: Rate = Rate()
    models: dict[str, Rate] = {}
    owners: dict[str, Rate] = {}
    adaptive: bool = True
    longest_wait_s: float = 30.0
    max_waiting: int = 1024

    def __post_init__(self) -> None:
        self._check(0, 3600, "longest_wait_s")
        self._check(0, 1e6, "max_waiting")


class BreakerSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a model is left alone, and how it is tried again.

    Attributes
    ----------
    failures : int
        So many within `window_s` open the breaker,
    min_share : float
        if they are at least this share of the window's calls: five of a thousand are no outage.
    window_s : float
        Length of the sliding window, in seconds.
    cool_down_s, longest_cool_down_s : float
        How long the model is left alone the first time; doubled each time that it fails again, up
        to the longest.
    jitter : float
        Share of the cool-down by which it varies, so that many games do not come back together.
    probes : int
        Calls that may run at once while it is tried again.
    successes : int
        Good answers in a row that close it.
    probe_lease_s : float
        A probe that has not ended by then counts as failed, so that a lost one blocks nobody.
    """

    failures: int = 5
    min_share: float = 0.05
    window_s: float = 30.0
    cool_down_s: float = 1.0
    longest_cool_down_s: float = 30.0
    jitter: float = 0.2
    probes: int = 2
    successes: int = 2
    probe_lease_s: float = 60.0

    def __post_init__(self) -> None:
        self._check(1, 1e6, "failures", "probes", "successes")
        self._check(0, 1, "min_share", "jitter")
        self._check(0.01, 86400, "window_s", "cool_down_s", "longest_cool_down_s", "probe_lease_s")
        if self.longest_cool_down_s < self.cool_down_s:
            raise ConfigError("longest_cool_down_s must not be below cool_down_s")


class RetrySettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a call that failed is made again.

    Attributes
    ----------
    attempts : int
        Calls for one request, the first included.
    base_s, longest_s : float
        The wait is drawn from 0 to `base_s`, doubled each time, up to `longest_s` ("full jitter",
        Brooker, AWS Architecture Blog, 2015).
    share : float
        Retries by requests: every request pays in so much, a retry costs 1,
    reserve : float
        and so many are there at the beginning and can be saved up at most.
    continue_broken : bool
        An answer that broke after its first words is gone on with from there, where the model can
        (`ModelInfo.continues_prefix`); else it ends with what was shown and the error.
    """

    attempts: int = 3
    base_s: float = 0.1
    longest_s: float = 2.0
    share: float = 0.2
    reserve: float = 10.0
    continue_broken: bool = True

    def __post_init__(self) -> None:
        self._check(1, 100, "attempts")
        self._check(0, 3600, "base_s", "longest_s")
        self._check(0, 10, "share")
        self._check(0, 1e6, "reserve")


class HedgeSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second call beside one that is slow to begin; the first that speaks wins.

    Attributes
    ----------
    enabled : bool
        Off unless asked for: it buys the slowest answers' time with more work for the model.
    quantile : float
        The second call begins when so many of the first words would have come.
    share : float
        Second calls by requests, at most,
    reserve : float
        with so many saved up.
    shortest_s : float
        Never earlier than this.
    """

    enabled: bool = False
    quantile: float = 0.95
    share: float = 0.05
    reserve: float = 5.0
    shortest_s: float = 0.02

    def __post_init__(self) -> None:
        self._check(0.5, 1, "quantile")
        self._check(0, 1, "share")
        self._check(0, 1e6, "reserve")
        self._check(0, 3600, "shortest_s")


class TimeoutSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long one use waits for a model, in seconds; counted while it runs, not while it waits.

    Attributes
    ----------
    cold_first_s, cold_total_s : float
        For the first words, and for the whole answer, until `learn_after` calls were seen.
    floor_first_s, ceiling_first_s, floor_total_s, ceiling_total_s : float
        What is learnt stays between these.
    stall_s : float
        Between two words.
    factor : float
        The wait is this times the 99th percentile of what was seen.
    learn_after : int
        Calls before anything is believed.
    """

    cold_first_s: float = 8.0
    cold_total_s: float = 30.0
    floor_first_s: float = 1.0
    ceiling_first_s: float = 20.0
    floor_total_s: float = 2.0
    ceiling_total_s: float = 60.0
    stall_s: float = 5.0
    factor: float = 2.0
    learn_after: int = 20

    def __post_init__(self) -> None:
        self._check(0.001, 86400, *(f for f in self.__struct_fields__ if f.endswith("_s")))
        self._check(1, 100, "factor")
        self._check(1, 1e6, "learn_after")
        for what in ("first", "total"):
            if getattr(self, f"ceiling_{what}_s") < getattr(self, f"floor_{what}_s"):
                raise ConfigError(f"ceiling_{what}_s must not be below floor_{what}_s")


DEFAULT_TIMEOUTS = {
    "dialogue": TimeoutSettings(cold_first_s=4.0, cold_total_s=15.0, ceiling_first_s=10.0),
    "quest": TimeoutSettings(
        cold_first_s=15.0, cold_total_s=60.0, floor_first_s=2.0, ceiling_first_s=30.0,
        floor_total_s=5.0, ceiling_total_s=180.0, stall_s=10.0,
    ),
    "director": TimeoutSettings(),
    "decision": TimeoutSettings(
        cold_first_s=2.0, cold_total_s=4.0, floor_first_s=0.5, ceiling_first_s=5.0,
        floor_total_s=1.0, ceiling_total_s=10.0, stall_s=2.0,
    ),
}  # fmt: skip


class BulkheadSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many calls may run at once, so that one use cannot take everything.

    Attributes
    ----------
    calls : int
        Of one model.
    uses : dict of str to int
        Of one use of it, for those that are named.
    max_waiting : int
        Calls that may wait for room.
    longest_wait_s : float
        How long each may.
    """

    calls: int = 256
    uses: dict[str, int] = {}
    max_waiting: int = 1024
    longest_wait_s: float = 10.0

    def __post_init__(self) -> None:
        self._check(1, 1e6, "calls")
        self._check(0, 1e6, "max_waiting")
        self._check(0, 3600, "longest_wait_s")
        for use, calls in self.uses.items():
            if calls < 1:
                raise ConfigError(f"uses.{use} must be 1 or more, not {calls}", setting=use)


class HealthSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a model that nobody talks to is asked whether it is there.

    Attributes
    ----------
    open_every_s : float
        Seconds between questions while the breaker is open; 0: never. It closes as soon as the
        model answers, however long the cool-down.
    idle_every_s : float
        The same while nothing was asked for so long; 0: never.
    patience_s : float
        How long the answer may take.
    """

    open_every_s: float = 1.0
    idle_every_s: float = 0.0
    patience_s: float = 5.0

    def __post_init__(self) -> None:
        self._check(0, 86400, "open_every_s", "idle_every_s")
        self._check(0.01, 3600, "patience_s")


class ChainSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a `FallbackChain` divides the time that it has.

    Attributes
    ----------
    margin_s : float
        What is kept for the last tiers and for the machine's own lateness.
    memory_s : float
        A tier that was found too slow is believed to be half as slow after each such time, so that
        it is tried again.
    """

    margin_s: float = 0.03
    memory_s: float = 2.0

    def __post_init__(self) -> None:
        self._check(0, 60, "margin_s")
        self._check(0.01, 86400, "memory_s")


class RoadSettings(_Checked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about limits and failures; immutable, so a call keeps what it began with.

    Attributes
    ----------
    limits, breaker, retry, hedge, bulkhead, health, chain
        See there.
    timeouts : dict of str to TimeoutSettings
        By use (`GenerationRequest.use`): ``"dialogue"``, ``"quest"``, ``"director"``,
        ``"decision"``, and any that a game adds. Those that are not named keep their defaults.
    other_timeouts : TimeoutSettings
        For uses that nobody knows.
    """

    limits: LimitSettings = LimitSettings()
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
    hedge: HedgeSettings = HedgeSettings()
    bulkhead: BulkheadSettings = BulkheadSettings()
    health: HealthSettings = HealthSettings()
    chain: ChainSettings = ChainSettings()
    timeouts: dict[str, TimeoutSettings] = {}
    other_timeouts: TimeoutSettings = TimeoutSettings()

    @property
    def all_timeouts(self) -> dict[str, TimeoutSettings]:
        """`timeouts`, and the defaults of uses that it does not name."""
        return DEFAULT_TIMEOUTS | self.timeouts


_UNHURRIED = TimeoutSettings(
    cold_first_s=30.0, cold_total_s=120.0, floor_first_s=30.0, ceiling_first_s=30.0,
    floor_total_s=120.0, ceiling_total_s=120.0, stall_s=30.0,
)  # fmt: skip
IN_PROCESS = RoadSettings(
    retry=RetrySettings(attempts=1),
    timeouts=dict.fromkeys(DEFAULT_TIMEOUTS, _UNHURRIED),
    other_timeouts=_UNHURRIED,
)
"""For models of this process: what fails there fails again, and asking costs the game's own time.
One that is slow is short of processor time, not broken, and leaving it alone would help nobody: so
deadlines cut its answers off, and only a long silence counts against it. The breaker still leaves
alone what fails, and the health check still finds it well again."""
