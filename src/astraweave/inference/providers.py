"""Which hardware runs the models, by a name that a player can type."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from astraweave.errors import ConfigError

__all__ = ["CPU", "ProviderFallbackWarning", "choose_providers", "provider_name"]

CPU = "CPUExecutionProvider"

_SHORT = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}


class ProviderFallbackWarning(UserWarning):
    """The provider that was asked for cannot be used; the processor runs the model instead."""


def provider_name(name: str) -> str:
    """The full onnxruntime name of a provider.

    Parameters
    ----------
    name : str
        A short name (``"cpu"``, ``"cuda"``, ``"directml"``, ``"coreml"``, ...) in any case, or a
        full one, which is taken as it stands.

    Raises
    ------
    ConfigError
        It is neither.

    Examples
    --------
    >>> provider_name("directml")
    'DmlExecutionProvider'
    """
    wanted = name.strip()
    if full := _SHORT.get(wanted.lower()):
        return full
    if wanted.endswith("ExecutionProvider"):
        return wanted
    near = difflib.get_close_matches(wanted.lower(), _SHORT, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ConfigError(
        f"provider '{name}' is unknown{hint} Say one of {', '.join(_SHORT)}, "
        "or the full name of an onnxruntime provider",
        provider=name,
    )


def choose_providers(wanted: str, available: Sequence[str]) -> list[str]:
    """What to hand to onnxruntime: the wanted provider where it is there, the processor always."""
    if wanted == CPU or wanted not in available:
        return [CPU]
    return [wanted, CPU]
