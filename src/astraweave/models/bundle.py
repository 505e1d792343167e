"""Writing what a game ships: converted models, their licences and an index."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from astraweave.errors import ConfigError
from astraweave.models._disk import place, scratch, storage
from astraweave.models._seal import Manifest
from astraweave.models.progress import Progress, no_progress
from astraweave.models.registry import Registry
from astraweave.models.sources import FileSource
from astraweave.models.store import Bundle, ModelFiles

__all__ = ["write_bundle"]


def write_bundle(models: Sequence[ModelFiles], out: Path, progress: Progress = no_progress) -> Path:
    """Copy checked models to a folder that `ModelStore` reads as its home.

    The folder appears whole or not at all; an older bundle there is replaced.

    Parameters
    ----------
    models : sequence of ModelFiles
        What goes in.
    out : Path
        A path that is free, empty, or holds a bundle.
    progress : Progress
        Hears the files.

    Raises
    ------
    ConfigError
        `out` holds something else.
    CorruptDataError
        A model's manifest cannot be read.
    StorageError
        The disk is full or refuses.
    """
    out = out.absolute()
    if (
        out.exists()
        and not (out / Bundle.NAME).is_file()
        and (not out.is_dir() or any(out.iterdir()))
    ):
        raise ConfigError(f"{out} holds something else than a bundle; name a new folder")
    with storage(out, "write"), scratch(out) as folder:
        for number, model in enumerate(models):
            progress("bundle", number, len(models))
            _copy(model, folder / "models" / model.directory.name)
        index = Bundle(models={model.card.id: model.directory.name for model in models})
        (folder / Bundle.NAME).write_bytes(msgspec.json.format(msgspec.json.encode(index)))
        # A path on the machine that wrote the bundle says nothing on a player's.
        cards = [
            msgspec.structs.replace(model.card, source=FileSource(path="."))
            if isinstance(model.card.source, FileSource)
            else model.card
            for model in models
        ]
        (folder / "registry.toml").write_text(Registry(cards).toml(), encoding="utf-8")
        (folder / "NOTICES.txt").write_text(_notices(models), encoding="utf-8")
        place(folder, out)
    progress("bundle", len(models), len(models))
    return out


def _copy(model: ModelFiles, folder: Path) -> None:
    folder.mkdir(parents=True)
    names = Manifest.read(model.directory, model.card.id).files
    for name in (*names, Manifest.NAME):
        shutil.copyfile(model.directory / name, folder / name)


def _notices(models: Sequence[ModelFiles]) -> str:
    lines = ["The models in this folder, their licences and where the full texts stand:", ""]
    for model in models:
        card = model.card
        texts = sorted(
            path.name
            for path in model.directory.iterdir()
            if path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING"))
        )
        lines += [
            f"{card.id} {card.version} ({card.family}): {card.licence}",
            "    changed: converted to ONNX, weights in eight bits",
            *(f"    models/{model.directory.name}/{name}" for name in texts),
            "",
        ]
    return "\n".join(lines)
