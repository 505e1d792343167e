"""Settings, and the only place that reads the environment.

One more variable, ``ASTRAWEAVE_SIMD``, is read by the native core when it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from astraweave.errors import ConfigError

__all__ = ["DEFAULT_EMBEDDER", "DEFAULT_MODEL", "Settings", "cores"]

DEFAULT_MODEL = "smollm2-135m-instruct"
DEFAULT_EMBEDDER = "all-minilm-l6-v2"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a studio or a player may choose. Immutable; thread-safe.

    Attributes
    ----------
    home : Path or None
        Where weights are kept; None: the user's cache folder (``ASTRAWEAVE_HOME``).
    model : str
        Registry id of the language model, or ``"none"``: composed lines only
        (``ASTRAWEAVE_MODEL``).
    embedder : str
        Registry id of the embedding model, or ``"mock"``: hashing, no model
        (``ASTRAWEAVE_EMBEDDER``).
    provider : str
        onnxruntime provider: ``"cpu"``, ``"cuda"``, ``"directml"``, ``"coreml"`` or a full name
        (``ASTRAWEAVE_PROVIDER``).
    threads : int
        Threads for all models together; 0: cores - 1, at least 1 (``ASTRAWEAVE_THREADS``).
    memory_mb : int
        Main memory in MB for all models together, their weights, keys and values; 0: a quarter of
        the machine's, 512 to 8192 (``ASTRAWEAVE_MEMORY_MB``).
    gpu_memory_mb : int
        The same on the device where `provider` computes; 0: no cap (``ASTRAWEAVE_GPU_MEMORY_MB``).
    offline : bool
        Never download; a missing model is then an error (``ASTRAWEAVE_OFFLINE``).
    telemetry : bool
        Counters and spans (``ASTRAWEAVE_TELEMETRY``).
    """

    home: Path | None = None
    model: str = DEFAULT_MODEL
    embedder: str = DEFAULT_EMBEDDER
    provider: str = "cpu"
    threads: int = 0
    memory_mb: int = 0
    gpu_memory_mb: int = 0
    offline: bool = False
    telemetry: bool = True

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        """Settings from ``ASTRAWEAVE_*`` variables; `overrides` win.

        Raises
        ------
        ConfigError
            A variable holds something that its field cannot be, or an override names no field.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            variable = f"ASTRAWEAVE_{field.name.upper()}"
            if raw := environ.get(variable, "").strip():
                try:
                    values[field.name] = _parse(field.type, raw)
                except (ValueError, RuntimeError) as error:  # RuntimeError: ~nobody has no home
                    raise ConfigError(
                        f"{variable}={raw!r} cannot be used: {error}", variable=variable, value=raw
                    ) from None
        if unknown := sorted(overrides.keys() - set(cls.__struct_fields__)):
            raise ConfigError(
                f"{unknown[0]!r} is no setting; there are: {', '.join(cls.__struct_fields__)}",
                setting=unknown[0],
            )
        return cls(**(values | overrides))

    def __post_init__(self) -> None:
        for name in ("threads", "memory_mb", "gpu_memory_mb"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"{name} must not be negative: {getattr(self, name)}", setting=name
                )
        for name in ("model", "embedder", "provider"):
            if not getattr(self, name):
                raise ConfigError(f"{name} must not be empty", setting=name)

    @property
    def thread_budget(self) -> int:
        """Threads that the models may use together; the game keeps one core."""
        return self.threads or max(1, cores() - 1)


def cores() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parse(kind: Any, raw: str) -> object:
    if kind is bool:
        if raw.lower() in {"1", "true", "yes", "on"}:
            return True
        if raw.lower() in {"0", "false", "no", "off"}:
            return False
        raise ValueError("say 1 or 0")
    if kind is int:
        number = int(raw)
        if number < 0:
            raise ValueError("it must not be negative")
        return number
    if kind == Path | None:
        return Path(raw).expanduser()
    return raw
