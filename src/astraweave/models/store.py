"""The model store: one folder of weights, shared by everything that this user runs.

::

    HOME/registry.toml          the user's own models (optional)
    HOME/sources/ID-KEY/        files as they were published; KEY is their digest
    HOME/models/ID-KEY/         what was converted of them; KEY covers the converter too
    HOME/partial/               interrupted downloads, by the digest of the whole
    HOME/locks/                 one lock for each model
    HOME/bundle.json            this is a bundle: converted models only, nothing is fetched

Folders appear in one step when they are whole, so readers need no lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import msgspec

from astraweave.core.settings import Settings
from astraweave.errors import (
    ConfigError,
    CorruptDataError,
    MissingExtraError,
    ModelUnavailable,
)
from astraweave.models._disk import place, remove, scratch, storage
from astraweave.models._json import decode_json
from astraweave.models._lock import FileLock
from astraweave.models._seal import Manifest, Sealed, check, seal
from astraweave.models.convert import CONVERTER_VERSION, Precision, convert
from astraweave.models.progress import Progress, no_progress
from astraweave.models.registry import ModelCard, Registry
from astraweave.models.weight_table import WeightTable

__all__ = ["ModelFiles", "ModelRow", "ModelState", "ModelStore"]

ModelState = Literal["missing", "fetched", "converted"]

_CONVERTERS = {"chat": ("onnx", "gguf"), "embedding": ("onnx", "safetensors")}


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is ready to be loaded; every file has been checked.

    Attributes
    ----------
    directory : Path
        Where everything is.
    card : ModelCard
        What it is.
    """

    directory: Path
    card: ModelCard

    @property
    def graph(self) -> Path:
        """``model.onnx``."""
        return self.directory / "model.onnx"

    @property
    def tokenizer(self) -> Path:
        """``tokenizer.json``."""
        return self.directory / "tokenizer.json"

    @property
    def config(self) -> Path:
        """``config.json``; `read_config` gives what it says."""
        return self.directory / "config.json"

    @property
    def weights(self) -> Path | None:
        """``weights.json`` of a decoder in 8 bits; None where there is none."""
        path = self.directory / WeightTable.NAME
        return path if path.is_file() else None

    @property
    def chat_template(self) -> Path | None:
        """``chat_template.jinja``, or None where the model has none of its own."""
        path = self.directory / "chat_template.jinja"
        return path if path.is_file() else None

    def read_config(self) -> dict[str, Any]:
        """What ``config.json`` says."""
        return decode_json(self.config.read_bytes(), dict[str, Any])


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `ModelStore.list`; plain values only.

    Attributes
    ----------
    id, family, version, task, licence : str
        As the registry has them.
    state : {"missing", "fetched", "converted"}
        How far it is.
    size : int
        Bytes on this disk: sources and converted files.
    directory : str
        The converted folder; empty where there is none.
    """

    id: str
    family: str
    version: str
    task: str
    licence: str
    state: ModelState
    size: int
    directory: str = ""


class ModelStore:
    """Fetches, verifies, converts and keeps models. Thread-safe, and safe between processes.

    Parameters
    ----------
    settings : Settings or None
        Its `home` is the folder (or a bundle), its `offline` forbids fetching; None: from the
        environment.
    registry : Registry or None
        The models that there are; None: astraweave's own. ``HOME/registry.toml`` adds to it.
    precision : {"int8", "fp16", "fp32"}
        In which numbers chat models are converted: what the processor, or a GPU, computes fastest
        (see `astraweave.inference.precision_for`). Each form has a folder of its own.

    Raises
    ------
    ConfigError
        The user's registry or the bundle's index cannot be read.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        registry: Registry | None = None,
        precision: Precision = "int8",
    ) -> None:
        self._precision = precision
        settings = Settings.from_environment() if settings is None else settings
        self.home = Path(settings.home or _user_cache()).expanduser().absolute()
        self.offline = settings.offline
        self.registry = Registry.default() if registry is None else registry
        own = self.home / "registry.toml"
        if own.is_file():
            self.registry = self.registry.merged(Registry.load(own))
        self._bundled = Bundle.read(self.home)

    def list(self) -> list[ModelRow]:
        """Every known model and how far it is; nothing is hashed."""
        return [self._row(card) for card in self.registry]

    def ensure(
        self,
        model_id: str,
        progress: Progress | None = None,
        *,
        offline: bool | None = None,
    ) -> ModelFiles:
        """A model ready to be loaded, fetched and converted where it is not there yet.

        Parameters
        ----------
        model_id : str
            Id in the registry.
        progress : Progress or None
            Hears how far it is.
        offline : bool or None
            Never fetch; None: as the settings say.

        Raises
        ------
        ConfigError
            No such model; or its card does not fit its files.
        ModelUnavailable
            It is not there and cannot or must not be fetched.
        CorruptDataError
            A file is not what it should be; `fetch` repairs it.
        MissingExtraError
            It has to be converted and the extra ``convert`` is not installed.
        UnsupportedModel
            It cannot be converted.
        StorageError
            The disk is full or refuses.
        """
        progress = progress or no_progress
        card = self.registry[model_id]
        folder = self._converted(card)
        if not folder.is_dir():
            if self._bundled is not None:
                raise ModelUnavailable(
                    f"the bundle {self.home} does not hold {model_id!r}; it holds "
                    f"{', '.join(self._bundled.models) or 'nothing'}",
                    model=model_id,
                )
            with self._locked(card):
                if not folder.is_dir():
                    self._make(card, progress, self.offline if offline is None else offline)
        return self._checked(card, progress)

    def fetch(self, model_id: str, progress: Progress | None = None) -> ModelFiles:
        """Like `ensure`, but hash everything, and replace what is damaged.

        Without the extra ``convert`` the sources are fetched and `MissingExtraError` follows.
        """
        progress = progress or no_progress
        card = self.registry[model_id]
        if self._bundled is not None:
            raise ConfigError(f"{self.home} is a bundle: nothing is fetched into it")
        with self._locked(card):
            for folder, verify in (
                (self._sources(card), self._check_sources),
                (self._converted(card), self._check_converted),
            ):
                if folder.exists():
                    try:
                        verify(card, full=True, progress=progress)
                    except CorruptDataError:
                        remove(folder)
            if not self._sources(card).exists():
                self._bring(card, progress)
            if not self._converted(card).exists():
                self._make(card, progress, offline=True)
        return self._checked(card, progress)

    def verify(self, model_id: str, progress: Progress | None = None) -> ModelRow:
        """Hash every file that is there.

        Raises
        ------
        ModelUnavailable
            Nothing is there.
        CorruptDataError
            A file is not what it should be; `fetch` repairs it.
        """
        progress = progress or no_progress
        card = self.registry[model_id]
        row = self._row(card)
        if row.state == "missing":
            raise ModelUnavailable(
                f"{model_id!r} has not been fetched: `astraweave models fetch {model_id}`",
                model=model_id,
            )
        if self._sources(card).is_dir():
            self._check_sources(card, full=True, progress=progress)
        if row.directory:
            self._check_converted(card, full=True, progress=progress)
        return row

    def bundle(self, model_ids: Iterable[str], out: Path, progress: Progress | None = None) -> Path:
        """Write a folder to ship with a game: give it as `Settings.home`.

        It holds converted models only, with their licences; reading it needs no network and no
        converter.

        Parameters
        ----------
        model_ids : iterable of str
            What goes in; made first where it is not there yet.
        out : Path
            A new folder, or a bundle to replace.

        Raises
        ------
        ConfigError
            `out` holds something else.
        """
        from astraweave.models.bundle import write_bundle

        files = [self.ensure(model_id, progress) for model_id in dict.fromkeys(model_ids)]
        return write_bundle(files, out, progress or no_progress)

    def sources(self, model_id: str) -> Path:
        """Where the model's published files are kept, whether they are there yet or not."""
        return self._sources(self.registry[model_id])

    # -- folders --

    def _sources(self, card: ModelCard) -> Path:
        return self.home / "sources" / f"{card.id}-{_key(card.sha256)}"

    def _converted(self, card: ModelCard) -> Path:
        if self._bundled is not None:
            return self.home / "models" / self._bundled.models.get(card.id, f"{card.id}-missing")
        parts: list[object] = [CONVERTER_VERSION, card.task, card.context, card.dims, card.sha256]
        if card.task == "chat" and self._precision != "int8":
            parts.append(self._precision)
        key = _key(parts)
        return self.home / "models" / f"{card.id}-{key}"

    def _locked(self, card: ModelCard) -> FileLock:
        locks = self.home / "locks"
        with storage(locks, "make"):
            locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{card.id}.lock")

    def _row(self, card: ModelCard) -> ModelRow:
        converted, sources = self._converted(card), self._sources(card)
        state: ModelState = "missing"
        if converted.is_dir():
            state = "converted"
        elif sources.is_dir():
            state = "fetched"
        return ModelRow(
            id=card.id,
            family=card.family,
            version=card.version,
            task=card.task,
            licence=card.licence,
            state=state,
            size=_size(converted) + _size(sources),
            directory=str(converted) if state == "converted" else "",
        )

    # -- checking --

    def _checked(self, card: ModelCard, progress: Progress) -> ModelFiles:
        self._check_converted(card, full=False, progress=progress)
        return ModelFiles(directory=self._converted(card), card=card)

    def _check_sources(self, card: ModelCard, *, full: bool, progress: Progress) -> None:
        expected = {name: Sealed(digest) for name, digest in card.sha256.items()}
        check(self._sources(card), expected, card.id, full=full, progress=progress)

    def _check_converted(self, card: ModelCard, *, full: bool, progress: Progress) -> None:
        folder = self._converted(card)
        manifest = Manifest.read(folder, card.id)
        check(folder, manifest.files, card.id, full=full, progress=progress)

    # -- making; the caller holds the lock --

    def _make(self, card: ModelCard, progress: Progress, offline: bool) -> None:
        for module in _CONVERTERS[card.task]:
            if find_spec(module) is None:
                raise MissingExtraError(f"converting {card.id!r}", "convert")
        sources = self._sources(card)
        if sources.is_dir():
            self._check_sources(card, full=True, progress=progress)
        elif offline:
            raise ModelUnavailable(
                f"{card.id!r} is not in {self.home} and must not be fetched now: run `astraweave "
                f"models fetch {card.id}` while online, or ship a bundle",
                model=card.id,
            )
        else:
            self._bring(card, progress)
        final = self._converted(card)
        with storage(final, "write"), scratch(final) as folder:
            convert(card, sources, folder, precision=self._precision, progress=progress)
            files = seal(folder, progress)
            manifest = Manifest(
                id=card.id, converter=CONVERTER_VERSION, source=card.sha256, files=files
            )
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
            (folder / Manifest.NAME).write_bytes(text)
            place(folder, final)

    def _bring(self, card: ModelCard, progress: Progress) -> None:
        """Fetch the sources, check them, and put them where readers look."""
        final, partial = self._sources(card), self.home / "partial"
        with storage(final, "write"), scratch(final) as folder:
            partial.mkdir(exist_ok=True)
            card.source.fetch(card.files, card.sha256, folder, partial, progress)
            expected = {name: Sealed(digest) for name, digest in card.sha256.items()}
            check(folder, expected, card.id, full=True, progress=progress)
            place(folder, final)


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The index of a bundle: ``bundle.json``."""

    format: int = 1
    models: dict[str, str]
    """Folder under ``models/`` by id."""

    NAME = "bundle.json"

    @classmethod
    def read(cls, home: Path) -> Bundle | None:
        """The index of a folder, or None where it is not a bundle.

        Raises
        ------
        CorruptDataError
            It cannot be read.
        """
        path = home / cls.NAME
        if not path.is_file():
            return None
        try:
            return decode_json(path.read_bytes(), cls)
        except (OSError, ValueError) as error:
            raise CorruptDataError(
                f"{path} is not the index of a bundle: {error}; write the bundle again",
                path=str(path),
            ) from None


def _user_cache() -> Path:
    try:
        from platformdirs import user_cache_path
    except ImportError:
        raise MissingExtraError("finding the user's cache folder", "cpu") from None
    return Path(user_cache_path("astraweave", appauthor=False))


def _key(parts: object) -> str:
    text = msgspec.json.encode(parts, order="sorted")
    return hashlib.sha256(text).hexdigest()[:16]


def _size(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
