"""Settings, and the only place that reads the environment.

One more variable, ``ASTRAWEAVE_SIMD``, is read by the native core when it is loaded, and one is
written: ``ORT_DISABLE_TELEMETRY``, for onnxruntime.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from astraweave.errors import ConfigError

__all__ = [
    "DEFAULT_EMBEDDER",
    "DEFAULT_MODEL",
    "Settings",
    "cores",
    "keep_onnxruntime_quiet",
    "server_address",
    "thread_variables",
]

DEFAULT_MODEL = "smollm2-135m-instruct"
DEFAULT_EMBEDDER = "all-minilm-l6-v2"

_THREAD_VARIABLES = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a studio or a player may choose. Immutable; thread-safe.

    Attributes
    ----------
    home : Path or None
        Where weights are kept; None: the user's cache folder (``ASTRAWEAVE_HOME``).
    model : str
        Registry id of the language model; the address of a server that has it
        (``http://127.0.0.1:8080/v1#qwen3``: what stands after the ``#`` is its name there; without
        it, the server's first); or ``"none"``: composed lines only (``ASTRAWEAVE_MODEL``).
    embedder : str
        Registry id of the embedding model, a server's address with its name, or ``"mock"``:
        hashing, no model (``ASTRAWEAVE_EMBEDDER``).
    model_key_env, embedder_key_env : str
        Names of the environment variables that hold the keys for these servers; empty: no key.
        The keys themselves are never part of settings (``ASTRAWEAVE_MODEL_KEY_ENV``,
        ``ASTRAWEAVE_EMBEDDER_KEY_ENV``).
    proxy : str
        ``http://host:port`` on the way to servers; empty: none, whatever the environment says
        (``ASTRAWEAVE_PROXY``).
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
    model_key_env: str = ""
    embedder_key_env: str = ""
    proxy: str = ""
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
        for name in ("model", "embedder", "proxy"):
            if "://" in getattr(self, name) and re.search(r"[@?]", getattr(self, name)):
                raise ConfigError(
                    f"the address in {name} must hold neither a password nor a query: name the "
                    "environment variable of the key instead",
                    setting=name,
                )

    @property
    def registry_models(self) -> tuple[str, ...]:
        """Those of `model` and `embedder` that are entries of the registry."""
        names = (self.model, self.embedder)
        return tuple(n for n in names if n not in {"none", "mock"} and server_address(n) is None)

    def model_key(self) -> str | None:
        """The key for the language model's server, read from the environment now.

        Raises
        ------
        ConfigError
            The variable that `model_key_env` names is not set.
        """
        return _key(self.model_key_env)

    def embedder_key(self) -> str | None:
        """The key for the embedding model's server, read from the environment now.

        Raises
        ------
        ConfigError
            The variable that `embedder_key_env` names is not set.
        """
        return _key(self.embedder_key_env)

    @property
    def thread_budget(self) -> int:
        """Threads that the models may use together; the game keeps one core."""
        return self.threads or max(1, cores() - 1)


def server_address(name: str) -> tuple[str, str] | None:
    """A server's base URL and the model's name there; None: `name` is no address.

    Examples
    --------
    >>> server_address("http://127.0.0.1:8080/v1#qwen3")
    ('http://127.0.0.1:8080/v1', 'qwen3')
    >>> server_address("smollm2-135m-instruct") is None
    True
    """
    if "://" not in name:
        return None
    url, _, model = name.partition("#")
    return url, model


def cores() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_onnxruntime_quiet() -> None:
    """Have onnxruntime report nothing; to be called before it is imported.

    Since 1.32 its wheels for Linux report to their maker unless ``ORT_DISABLE_TELEMETRY`` is set:
    the import alone makes an id for the device and a database in the user's cache folder, and
    begins a thread that uploads. What the variable says already stays as it is.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def thread_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the environment tells other libraries about their threads; only what is set."""
    environ = os.environ if environ is None else environ
    return {name: environ[name] for name in _THREAD_VARIABLES if environ.get(name)}


def _key(variable: str) -> str | None:
    if not variable:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"the environment variable {variable}, which should hold the key, is not set",
            variable=variable,
        )
    return key


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
