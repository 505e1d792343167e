"""`astraweave doctor`: what this machine has, what is missing or slow, and what to do about it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

import astraweave
from astraweave import _native
from astraweave.cli._finding import Finding
from astraweave.cli._machine import Machine, spinning
from astraweave.cli._servers import server_finding
from astraweave.cli.console import Console
from astraweave.core.settings import Settings, cores, server_address, thread_variables
from astraweave.errors import AstraweaveError

if TYPE_CHECKING:
    from astraweave.models import ModelFiles

__all__ = ["Finding", "converted_files", "examine", "run"]

_FASTER = {"CUDA": "cuda", "Dml": "directml"}
"""Providers that are worth naming where they are there and not used."""


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when something needs doing."""
    console = Console(quiet=arguments.json)
    settings = Settings.from_environment()
    findings = examine(settings)
    if arguments.measure:
        from astraweave.cli._measure import measure

        with console.progress() as progress:
            findings += measure(settings, lambda text: progress(text, 0, 0))
    if arguments.json:
        print(json.dumps([msgspec.to_builtins(finding) for finding in findings], indent=2))
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, style = _mark(finding)
        console.say(f"{mark}  ", style=style, end="")
        console.say(f"{finding.name.ljust(width)}  {finding.value}")
        if finding.advice:
            console.say(f"    {' ' * width}  {finding.advice}", style="yellow")
    return 0 if all(finding.ok for finding in findings) else 1


def _mark(finding: Finding) -> tuple[str, str]:
    if not finding.ok:
        return "!!", "bold red"
    return ("..", "yellow") if finding.advice else ("ok", "green")


def examine(settings: Settings, machine: Machine | None = None) -> list[Finding]:
    """Look at everything; never raises, never downloads."""
    machine = machine or Machine()
    quota = machine.quota_finding(settings.thread_budget)
    return [
        Finding(
            name="astraweave",
            value=f"{astraweave.__version__} on Python {platform.python_version()}, {sys.platform}",
        ),
        Finding(
            name="SIMD",
            value=f"{_native.simd_tier()} (this processor has {', '.join(_native.simd_tiers())})",
        ),
        _threads(settings, machine),
        *([quota] if quota else []),
        spinning(thread_variables()),
        *machine.power(),
        *_packages(settings),
        *_providers(settings, machine),
        *_models(settings),
        _decoder(settings, machine),
    ]


def _threads(settings: Settings, machine: Machine) -> Finding:
    budget, have, physical = settings.thread_budget, cores(), machine.physical_cores()
    crowded = budget >= have > 1
    doubled = not crowded and 0 < physical < budget
    advice = ""
    if crowded:
        advice = f"leave the game a core: ASTRAWEAVE_THREADS={have - 1}"
    elif doubled:
        advice = f"two threads of one core share its arithmetic: try ASTRAWEAVE_THREADS={physical}"
    said = f"{have} processors ({physical} cores)" if physical and physical != have else ""
    return Finding(
        name="threads",
        value=f"models use {budget} of {said or f'{have} cores'}",
        ok=not crowded,
        advice=advice,
    )


def _packages(settings: Settings) -> list[Finding]:
    findings = []
    served = any(server_address(name) for name in (settings.model, settings.embedder))
    wanted = (
        ("onnxruntime", "cpu", True),
        ("llguidance", "cpu", True),
        ("minijinja", "cpu", True),
        ("platformdirs", "cpu", True),
        ("aiohttp", "http", served),
        ("onnx", "convert", False),
        ("gguf", "convert", False),
        ("uvloop", "uvloop", False),
        ("rich", "cli", False),
    )
    for module, extra, needed in wanted:
        here = find_spec(module) is not None
        findings.append(
            Finding(
                name=module,
                value=_version(module) if here else "not installed",
                ok=here or not needed,
                advice="" if here or not needed else f"pip install 'astraweave[{extra}]'",
            )
        )
    both = {"onnxruntime", "onnxruntime-gpu"} <= _distributions()
    if both:
        findings.append(
            Finding(
                name="onnxruntime",
                value="both onnxruntime and onnxruntime-gpu are installed",
                ok=False,
                advice="they overwrite each other: pip uninstall both, then install one extra",
            )
        )
    return findings


def _distributions() -> set[str]:
    names = (distribution.name for distribution in importlib.metadata.distributions())
    return {name.lower() for name in names if name}


def _version(module: str) -> str:
    for name, remark in ((module, ""), (f"{module}-gpu", " (gpu)")):
        try:
            return importlib.metadata.version(name) + remark
        except importlib.metadata.PackageNotFoundError:
            continue
    return "installed"


def _providers(settings: Settings, machine: Machine) -> list[Finding]:
    if find_spec("onnxruntime") is None:
        return []
    from astraweave.inference import Sessions

    try:
        report = Sessions(settings).report()
    except AstraweaveError as error:
        return [Finding(name="provider", value=str(error), ok=False)]
    missing = report.requested != report.provider
    faster = next((name for name in _FASTER if f"{name}ExecutionProvider" in report.available), "")
    advice = ""
    if missing:
        advice = f"{report.requested} is not in this onnxruntime build"
    elif faster and report.provider == "CPUExecutionProvider":
        advice = f"a large model is faster on the GPU: ASTRAWEAVE_PROVIDER={_FASTER[faster]}"
    return [
        Finding(
            name="provider",
            value=f"{report.provider} (available: {', '.join(report.available)})",
            ok=not missing,
            advice=advice,
        ),
        _budgets(report.memory.total, report.gpu_memory.total, machine.free_memory()),
    ]


def _budgets(main: int, device: int, free: int) -> Finding:
    value = f"{main >> 20} MB for all models"
    if free:
        value += f", and {free >> 20} MB are free now"
    if device:
        value += f"; {device >> 20} MB on the device"
    tight = 0 < free < main
    return Finding(
        name="memory budget",
        value=value,
        advice="the machine begins to swap before the budget is used up: close something, or "
        f"ASTRAWEAVE_MEMORY_MB={max(256, free * 3 // 4 >> 20)}"
        if tight
        else "",
    )


def _decoder(settings: Settings, machine: Machine) -> Finding:
    """What computes a language model's words, and why."""
    from astraweave.inference import provider_name

    if settings.model == "none":
        return Finding(name="decoder", value="none: lines are composed")
    if server := server_address(settings.model):
        return Finding(name="decoder", value=f"a server, {server[0]}")
    try:
        on_cpu = provider_name(settings.provider) == provider_name("cpu")
    except AstraweaveError as error:
        return Finding(name="decoder", value=str(error), ok=False)
    if not on_cpu:
        return Finding(
            name="decoder", value=f"the ONNX graph, for the provider {settings.provider}"
        )
    native = f"native, {_native.simd_tier()}, {machine.integer_products(_native.simd_tier())}"
    files = converted_files(settings, settings.model)
    if files is None:
        return Finding(name="decoder", value=f"{native}, once the model is here")
    if files.weights is None:
        return Finding(
            name="decoder",
            value="the ONNX graph: these weights are not in eight bits, or an older astraweave "
            "converted them",
            advice="the native decoder is faster: convert the model again, in eight bits",
        )
    weaker = _native.simd_tier() != _native.simd_tiers()[-1]
    return Finding(
        name="decoder",
        value=native,
        advice="ASTRAWEAVE_SIMD holds it to a weaker tier: unset it" if weaker else "",
    )


def converted_files(settings: Settings, model_id: str) -> ModelFiles | None:
    """A model's files where they are ready to be loaded; nothing is fetched or converted."""
    from astraweave.models import ModelStore

    try:
        store = ModelStore(settings)
        if _state(settings, model_id) != "converted":
            return None
        return store.ensure(model_id, offline=True)
    except AstraweaveError:
        return None


def _models(settings: Settings) -> list[Finding]:
    homeless = find_spec("platformdirs") is None and settings.home is None
    findings = []
    for kind, model_id in (("model", settings.model), ("embedder", settings.embedder)):
        if server := server_address(model_id):
            findings.append(server_finding(f"server of the {kind}", server, kind, settings))
            continue
        if model_id not in settings.registry_models:
            findings.append(Finding(name="model", value=f"{model_id} (by your settings)"))
            continue
        if homeless:
            continue
        state = _state(settings, model_id)
        ready = state == "converted"
        findings.append(
            Finding(
                name=model_id,
                value=state,
                ok=ready,
                advice="" if ready else f"astraweave models fetch {model_id}",
            )
        )
    return findings


def _state(settings: Settings, model_id: str) -> str:
    from astraweave.models import ModelStore

    try:
        rows = ModelStore(settings).list()
    except AstraweaveError as error:
        return str(error)
    states = {row.id: row.state for row in rows}
    return states.get(model_id, "not in the registry")
