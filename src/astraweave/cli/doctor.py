"""`astraweave doctor`: what this machine has, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
from importlib.util import find_spec

import msgspec

import astraweave
from astraweave import _native
from astraweave.cli.console import Console
from astraweave.core.settings import Settings, cores
from astraweave.errors import AstraweaveError

__all__ = ["Finding", "examine", "run"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's report.

    Attributes
    ----------
    name : str
        What was looked at.
    value : str
        What was found.
    ok : bool
        Whether it is as it should be.
    advice : str
        What to do; empty where nothing needs doing.
    """

    name: str
    value: str
    ok: bool = True
    advice: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when something needs doing."""
    console = Console(quiet=arguments.json)
    findings = examine(Settings.from_environment())
    if arguments.json:
        print(json.dumps([msgspec.to_builtins(finding) for finding in findings], indent=2))
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, style = ("ok", "green") if finding.ok else ("!!", "bold red")
        console.say(f"{mark}  ", style=style, end="")
        console.say(f"{finding.name.ljust(width)}  {finding.value}")
        if finding.advice:
            console.say(f"    {' ' * width}  {finding.advice}", style="yellow")
    return 0 if all(finding.ok for finding in findings) else 1


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; never raises, never downloads."""
    return [
        Finding(
            name="astraweave",
            value=f"{astraweave.__version__} on Python {platform.python_version()}, {sys.platform}",
        ),
        Finding(
            name="SIMD",
            value=f"{_native.simd_tier()} (this processor has {', '.join(_native.simd_tiers())})",
        ),
        _threads(settings),
        *_packages(),
        *_providers(settings),
        *_models(settings),
    ]


def _threads(settings: Settings) -> Finding:
    budget, have = settings.thread_budget, cores()
    crowded = budget >= have > 1
    return Finding(
        name="threads",
        value=f"models use {budget} of {have} cores",
        ok=not crowded,
        advice="leave the game a core: ASTRAWEAVE_THREADS=" + str(have - 1) if crowded else "",
    )


def _packages() -> list[Finding]:
    findings = []
    wanted = (
        ("onnxruntime", "cpu", True),
        ("minijinja", "cpu", True),
        ("platformdirs", "cpu", True),
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


def _providers(settings: Settings) -> list[Finding]:
    if find_spec("onnxruntime") is None:
        return []
    from astraweave.inference import Sessions

    try:
        report = Sessions(settings).report()
    except AstraweaveError as error:
        return [Finding(name="provider", value=str(error), ok=False)]
    missing = report.requested != report.provider
    return [
        Finding(
            name="provider",
            value=f"{report.provider} (available: {', '.join(report.available)})",
            ok=not missing,
            advice=f"{report.requested} is not in this onnxruntime build" if missing else "",
        ),
        Finding(name="memory budget", value=_budgets(report.memory.total, report.gpu_memory.total)),
    ]


def _budgets(main: int, device: int) -> str:
    text = f"{main >> 20} MB for all models"
    return f"{text}, {device >> 20} MB on the device" if device else text


def _models(settings: Settings) -> list[Finding]:
    if find_spec("platformdirs") is None and settings.home is None:
        return []
    findings = []
    for model_id in (settings.model, settings.embedder):
        if model_id not in settings.registry_models:
            findings.append(Finding(name="model", value=f"{model_id} (by your settings)"))
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
