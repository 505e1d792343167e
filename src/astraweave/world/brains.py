"""Loading the models that a world thinks with.

A game must start on any machine. A model that cannot be had is therefore a warning and a note for
`astraweave doctor`, not the end: without a language model lines are composed, without an embedding
model memories are found by their words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from astraweave.core.settings import Settings, server_address
from astraweave.embeddings import EmbeddingClient, MockEmbeddingClient, OpenAIEmbedder
from astraweave.errors import AstraweaveError
from astraweave.llm import LanguageModel
from astraweave.models.progress import Progress
from astraweave.models.store import ModelFiles
from astraweave.observability import Telemetry

if TYPE_CHECKING:
    from astraweave.models import ModelFiles

__all__ = ["Brains", "ModelWarning", "load_brains"]

T = TypeVar("T")


class ModelWarning(UserWarning):
    """A model could not be loaded; the world goes on without it."""


class Brains:
    """The models of one world.

    Attributes
    ----------
    model : LanguageModel or None
        None: every line is composed.
    embedder : EmbeddingClient
        Turns memories and questions into vectors.
    notices : tuple of str
        What could not be loaded, and why.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        embedder: EmbeddingClient,
        *,
        notices: tuple[str, ...] = (),
        closers: tuple[Callable[[], None], ...] = (),
    ) -> None:
        self.model = model
        self.embedder = embedder
        self.notices = notices
        self._closers = closers

    def close(self) -> None:
        """Close what was loaded here; models that the game brought are the game's to close."""
        for close in self._closers:
            close()


def load_brains(
    settings: Settings,
    telemetry: Telemetry,
    *,
    model: LanguageModel | None = None,
    embedder: EmbeddingClient | None = None,
    progress: Progress | None = None,
) -> Brains:
    """Load what `settings` name, under one thread budget; models of the game are taken as is."""
    notices: list[str] = []
    closers: list[Callable[[], None]] = []

    def attempt(what: str, name: str, load: Callable[[], T]) -> T | None:
        try:
            return load()
        except AstraweaveError as error:
            notices.append(f"{what} {name!r}: {error}")
            warnings.warn(
                f"{notices[-1]}\nThe world goes on without it.", ModelWarning, stacklevel=4
            )
            return None

    wanted_model = settings.model if model is None else "none"
    wanted_embedder = settings.embedder if embedder is None else "mock"
    if (wanted_model, wanted_embedder) != ("none", "mock"):
        loader = _Loader(settings, telemetry, progress)
        closers.append(loader.close)
        if wanted_model != "none":
            model = attempt("language model", wanted_model, loader.model)
            if model is not None:
                closers.insert(0, model.close)
        if wanted_embedder != "mock":
            embedder = attempt("embedding model", wanted_embedder, loader.embedder)
            if isinstance(embedder, OpenAIEmbedder):
                closers.insert(0, embedder.close)
    return Brains(
        model,
        embedder or MockEmbeddingClient(),
        notices=tuple(notices),
        closers=tuple(closers),
    )


class _Loader:
    """Opens models from the store, which share one set of onnxruntime sessions, or on servers."""

    def __init__(self, settings: Settings, telemetry: Telemetry, progress: Progress | None) -> None:
        from astraweave.inference import Sessions

        self._settings = settings
        self._progress = progress
        self._telemetry = telemetry
        self._sessions = Sessions(settings)

    def model(self) -> LanguageModel:
        settings = self._settings
        if (server := server_address(settings.model)) is not None:
            from astraweave.llm import OpenAILanguageModel

            # Not asked yet: a server that is not there now may be when somebody speaks.
            return OpenAILanguageModel(
                *server,
                api_key=settings.model_key(),
                proxy=settings.proxy or None,
                telemetry=self._telemetry,
            )
        from astraweave.llm import LocalLanguageModel

        files = self._files(self._settings.model)
        return LocalLanguageModel(files, sessions=self._sessions, telemetry=self._telemetry)

    def embedder(self) -> EmbeddingClient:
        settings = self._settings
        if (server := server_address(settings.embedder)) is not None:
            embedder = OpenAIEmbedder(
                *server,
                api_key=settings.embedder_key(),
                proxy=settings.proxy or None,
                telemetry=self._telemetry,
            )
            try:
                _ = embedder.dimensions  # vectors of two kinds in one memory are of no use
            except BaseException:
                embedder.close()
                raise
            return embedder
        from astraweave.embeddings import OnnxEmbedder

        files = self._files(self._settings.embedder)
        return OnnxEmbedder(files, sessions=self._sessions, telemetry=self._telemetry)

    def close(self) -> None:
        self._sessions.close()

    def _files(self, model_id: str) -> ModelFiles:
        from astraweave.inference import precision_for
        from astraweave.models import ModelStore

        report = self._sessions.report()  # what cannot run here is not worth a download
        store = ModelStore(self._settings, precision=precision_for(report.provider))
        return store.ensure(model_id, self._progress)
