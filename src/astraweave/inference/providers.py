"""Which hardware runs the models, by a name that a player can type."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal

from astraweave.errors import ConfigError

__all__ = [
    "CPU",
    "ProviderFallbackWarning",
    "choose_providers",
    "device_of",
    "precision_for",
    "provider_name",
    "provider_options",
]

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


_DEVICES = {"CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "cuda"}
"""Providers whose memory onnxruntime's Python package can hand out."""

_HALF = {
    *_DEVICES,
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "DmlExecutionProvider",
    "WebGpuExecutionProvider",
}


def device_of(provider: str) -> str:
    """Where memory is bound for a provider: ``"cuda"``, or ``"cpu"`` for main memory."""
    return _DEVICES.get(provider, "cpu")


def precision_for(provider: str) -> Literal["int8", "fp16"]:
    """In which numbers a decoder is converted for a provider (its full name)."""
    return "fp16" if provider in _HALF else "int8"


def provider_options(provider: str, memory: int) -> dict[str, str]:
    """What a provider is told about the memory of one session.

    Parameters
    ----------
    provider : str
        Its full name.
    memory : int
        Bytes that it may take on its device; 0: no cap.

    Examples
    --------
    >>> provider_options("CUDAExecutionProvider", 1 << 30)
    {'arena_extend_strategy': 'kSameAsRequested', 'gpu_mem_limit': '1073741824'}
    >>> provider_options("CPUExecutionProvider", 1 << 30)
    {}
    """
    if provider in ("CUDAExecutionProvider", "ROCMExecutionProvider"):
        # By default the arena doubles whenever it grows, and so takes what a game needs to draw.
        options = {"arena_extend_strategy": "kSameAsRequested"}
        return options | ({"gpu_mem_limit": str(memory)} if memory else {})
    if provider == "TensorrtExecutionProvider" and memory:
        return {"trt_max_workspace_size": str(memory)}
    return {}
