"""onnxruntime sessions: opened, run, counted and closed in one place."""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from astraweave.core.closing import Closing
from astraweave.core.settings import Settings
from astraweave.errors import ModelError, ModelUnavailable, UsageError
from astraweave.inference._onnxruntime import first_line, load_onnxruntime
from astraweave.inference.memory import (
    MIB,
    MemoryBudget,
    MemoryReport,
    MemoryShare,
    default_memory,
)
from astraweave.inference.providers import (
    CPU,
    ProviderFallbackWarning,
    choose_providers,
    provider_name,
    provider_options,
)
from astraweave.inference.threads import PROCESS_POOL

__all__ = ["InferenceReport", "Session", "Sessions"]

_SILENT = 4
"""Log level: what goes wrong arrives as an exception, not as text on the player's screen."""

_WORKSPACE = 16 * MIB
_DEVICE_WORKSPACE = 256 * MIB
"""Working memory that a session is allowed beside its weights; on a device it is held to it."""


class InferenceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What runs the models, for `doctor` and for bug reports.

    Attributes
    ----------
    onnxruntime : str
        Its version.
    requested, provider : str
        Full names: what was asked for, and what the sessions use (asked for nothing yet: what
        they would use).
    available : tuple of str
        Providers of this onnxruntime build.
    threads : int
        Threads a run may use, the calling one included.
    shared_pool : bool
        Whether the sessions share onnxruntime's process-wide pool.
    open_sessions : int
        Sessions of this object that are not closed.
    memory, gpu_memory : MemoryReport
        Who holds how much of main memory, and of the device's.
    """

    onnxruntime: str
    requested: str
    provider: str
    available: tuple[str, ...]
    threads: int
    shared_pool: bool
    open_sessions: int
    memory: MemoryReport
    gpu_memory: MemoryReport


class Session:
    """One loaded graph. `run` is thread-safe.

    Made by `Sessions.open`. Closing gives the weights' memory back once running calls have ended.
    """

    def __init__(self, raw: Any, graph: Path, share: MemoryShare) -> None:
        self.graph = graph
        self._share = share
        self.inputs: tuple[str, ...] = tuple(node.name for node in raw.get_inputs())
        self.outputs: tuple[str, ...] = tuple(node.name for node in raw.get_outputs())
        self.provider: str = raw.get_providers()[0]
        self._raw: Any | None = raw

    @property
    def raw(self) -> Any:
        """The `onnxruntime.InferenceSession` itself, for IO binding.

        Raises
        ------
        UsageError
            The session is closed.
        """
        if self._raw is None:
            raise UsageError(f"the session of '{self.graph}' is closed", path=str(self.graph))
        return self._raw

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._raw is None

    def run(
        self, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """Compute some outputs (None: all of them) from input arrays.

        Raises
        ------
        ModelError
            The graph refused the input or failed while running.
        UsageError
            The session is closed.
        """
        raw = self.raw
        try:
            results: list[NDArray[Any]] = raw.run(
                None if outputs is None else list(outputs), dict(feeds)
            )
        except Exception as error:
            raise self._failed(error) from error
        return results

    def binding(self) -> Any:
        """A new `onnxruntime.IOBinding`: inputs and outputs bound to memory of the caller's."""
        return self.raw.io_binding()

    def run_bound(self, binding: Any) -> None:
        """Run over what `binding` binds; the caller sees to it that no two runs share memory.

        Raises
        ------
        ModelError
            The graph refused the input or failed while running.
        UsageError
            The session is closed.
        """
        raw = self.raw
        try:
            raw.run_with_iobinding(binding)
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Let go of the model. Closing twice is allowed."""
        self._raw = None
        self._share.release()

    def _failed(self, error: Exception) -> ModelError:
        return ModelError(f"model '{self.graph}' failed: {first_line(error)}", path=str(self.graph))


class Sessions(Closing):
    """Opens the sessions of one world under one budget of threads and memory. Thread-safe.

    Parameters
    ----------
    settings : Settings
        `provider`, `thread_budget`, `memory_mb` and `gpu_memory_mb` are read.
    shared_pool : bool
        Use onnxruntime's process-wide pool, at a price (see `astraweave.inference.threads`).

    Attributes
    ----------
    memory, gpu_memory : MemoryBudget
        Sessions take their weights' shares from them; keys and values, and models that do not run
        on onnxruntime, are to be reserved by whoever makes them.

    Raises
    ------
    ConfigError
        The provider's name is unknown.

    Notes
    -----
    A run uses the calling thread and the session's pool, together never more than the budget.
    Between runs all pools sleep.
    """

    def __init__(self, settings: Settings | None = None, *, shared_pool: bool = False) -> None:
        settings = settings or Settings()
        self._requested = provider_name(settings.provider)
        self._budget = settings.thread_budget
        main = settings.memory_mb * MIB or default_memory()
        self.memory = MemoryBudget(main, setting="memory_mb")
        self.gpu_memory = MemoryBudget(settings.gpu_memory_mb * MIB, setting="gpu_memory_mb")
        self._wants_shared = shared_pool
        self._shared = False
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[Session] = weakref.WeakSet()
        self._provider: str | None = None
        self._closed = False

    @property
    def requested(self) -> str:
        """Full name of the provider that was asked for."""
        return self._requested

    @property
    def threads(self) -> int:
        """Threads a run may use, the calling one included."""
        return (PROCESS_POOL.threads or self._budget) if self._shared else self._budget

    def open(
        self,
        graph: Path | str,
        *,
        threads: int | None = None,
        arena: bool = True,
        options: Mapping[str, str] | None = None,
    ) -> Session:
        """Load a graph.

        Parameters
        ----------
        graph : Path
            ``model.onnx``; its external data lies beside it.
        threads : int or None
            Threads a run may use, the calling one included; None or more than the budget: the
            whole budget. In a shared pool it has no effect.
        arena : bool
            Keep freed working memory for the next run.
        options : mapping of str to str
            onnxruntime's session config entries, over ours.

        Raises
        ------
        MissingExtraError
            onnxruntime is not installed.
        ModelUnavailable
            The file is missing or damaged, or onnxruntime cannot run its graph.
        CapacityError
            Its weights do not fit into the memory budget.
        UsageError
            `close` was called.

        Warns
        -----
        ProviderFallbackWarning
            The provider that was asked for cannot be used, so the processor runs this graph.
        ThreadBudgetWarning
            The process-wide pool has another size.
        """
        if self._closed:
            raise UsageError("these sessions are closed; open a new Sessions object")
        graph = Path(graph)
        if not graph.is_file():
            raise ModelUnavailable(
                f"model file '{graph}' is missing; fetch the model again", path=str(graph)
            )
        onnxruntime = load_onnxruntime()
        with self._lock:  # one graph at a time: loading peaks in memory
            if self._wants_shared:
                self._shared = PROCESS_POOL.claim(onnxruntime, self._budget)
            wish = _Wish(
                threads=max(1, min(threads or self._budget, self._budget)),
                arena=arena,
                options=options or {},
            )
            raw, share = self._load(onnxruntime, graph, wish)
            session = Session(raw, graph, share)
            self._open.add(session)
            self._provider = session.provider
        return session

    def report(self) -> InferenceReport:
        """What runs the models here.

        Raises
        ------
        MissingExtraError
            onnxruntime is not installed.
        """
        onnxruntime = load_onnxruntime()
        available = tuple(onnxruntime.get_available_providers())
        with self._lock:
            return InferenceReport(
                onnxruntime=onnxruntime.__version__,
                requested=self._requested,
                provider=self._provider or choose_providers(self._requested, available)[0],
                available=available,
                threads=self.threads,
                shared_pool=self._shared,
                open_sessions=sum(not session.closed for session in self._open),
                memory=self.memory.report(),
                gpu_memory=self.gpu_memory.report(),
            )

    def close(self) -> None:
        """Close every session. Closing twice is allowed."""
        with self._lock:
            self._closed = True
            for session in list(self._open):
                session.close()

    def _load(self, onnxruntime: Any, graph: Path, wish: _Wish) -> tuple[Any, MemoryShare]:
        providers = choose_providers(self._requested, onnxruntime.get_available_providers())
        reason = "this onnxruntime was built without it"
        if providers[0] != CPU:
            share = self.gpu_memory.reserve(_holder(graph), _size(graph) + _DEVICE_WORKSPACE)
            try:
                raw = self._create(onnxruntime, graph, providers, wish)
            except Exception as error:  # noqa: BLE001 - a broken driver must not end the game
                reason = first_line(error)
            else:
                if raw.get_providers()[0] == providers[0]:
                    return raw, share
                self._warn_fallback("its libraries did not load")
                return raw, self._moved(share)
            share.release()
        if self._requested != CPU:
            self._warn_fallback(reason)
        share = self.memory.reserve(_holder(graph), _size(graph) + _WORKSPACE)
        try:
            return self._create(onnxruntime, graph, [CPU], wish), share
        except Exception as error:
            share.release()
            raise ModelUnavailable(
                f"model file '{graph}' does not load: {first_line(error)}", path=str(graph)
            ) from error

    def _moved(self, share: MemoryShare) -> MemoryShare:
        """The same share of main memory, where a provider gave way to the processor."""
        share.release()
        return self.memory.reserve(share.holder, share.size - _DEVICE_WORKSPACE + _WORKSPACE)

    def _create(self, onnxruntime: Any, graph: Path, providers: list[str], wish: _Wish) -> Any:
        cap = _size(graph) + _DEVICE_WORKSPACE if self.gpu_memory.total else 0

        def create(shared: bool) -> Any:
            options = _session_options(onnxruntime, shared, wish)
            options.enable_mem_pattern = "DmlExecutionProvider" not in providers
            return onnxruntime.InferenceSession(
                str(graph),
                options,
                providers=providers,
                provider_options=[provider_options(name, cap) for name in providers],
                enable_fallback=0,
            )

        try:
            return create(self._shared)
        except RuntimeError as error:
            # Other code of the process made the shared pool: then every session has to use it.
            if self._shared or "use_per_session_threads must be false" not in str(error):
                raise
        PROCESS_POOL.found()
        self._shared = PROCESS_POOL.claim(onnxruntime, self._budget)
        return create(True)

    def _warn_fallback(self, reason: str) -> None:
        warnings.warn(
            f"provider {self._requested} cannot be used ({reason}); the processor runs the model",
            ProviderFallbackWarning,
            stacklevel=4,
        )


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a session shall be opened."""

    threads: int
    arena: bool
    options: Mapping[str, str]


def _session_options(onnxruntime: Any, shared: bool, wish: _Wish) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.enable_cpu_mem_arena = wish.arena
    if shared:
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = wish.threads
        options.inter_op_num_threads = 1
    entries = {
        "session.intra_op.allow_spinning": "0",
        "session.inter_op.allow_spinning": "0",
        # The shared pool does not heed those two; this one stops it at the end of a run.
        "session.force_spinning_stop": "1",
    }
    for key, value in (entries | dict(wish.options)).items():
        options.add_session_config_entry(key, value)
    return options


def _holder(graph: Path) -> str:
    """A model by its folder's name, which begins with its id."""
    return f"'{graph.parent.name}/{graph.name}'"


def _size(graph: Path) -> int:
    """Bytes of a graph's weights, those beside it included."""
    return sum(file.stat().st_size for file in graph.parent.glob(f"{graph.name}*"))
