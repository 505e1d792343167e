"""Sentence vectors from an encoder on onnxruntime."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Protocol, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings.protocol import EmbedderInfo
from astraweave.errors import (
    ConfigError,
    CorruptDataError,
    InputError,
    InvalidResponse,
    ModelUnavailable,
)
from astraweave.inference import Sessions
from astraweave.kernels.batch import collate, group_by_length
from astraweave.observability import NULL_TELEMETRY, Telemetry

__all__ = ["EncoderTokenizer", "OnnxEmbedder"]

_OUTPUT = "sentence_embedding"
_RUN_TOKENS = 512
"""Tokens a run at most, padding included: working memory grows with them, speed does not."""


class EncoderTokenizer(Protocol):
    """What the embedder needs of a tokenizer; thread-safe."""

    def encode_for_model(self, text: str, max_tokens: int) -> list[int]:
        """Ids as the model wants them: wrapped, and cut to `max_tokens`."""
        ...


class _HasDirectory(Protocol):
    @property
    def directory(self) -> Path: ...


class _EncoderConfig(msgspec.Struct, frozen=True):
    """The part of a converted encoder's ``config.json`` that matters here."""

    id: str
    kind: str
    dimensions: int
    max_tokens: int


class OnnxEmbedder:
    """An `EmbeddingClient` over a converted encoder. Thread-safe.

    Texts are sorted by length and run in small batches, which wastes little on padding and stays
    in the processor's caches. The models are quantised dynamically: in a batch, the longest and
    loudest text sets the scale for all, so a vector depends a little on its batch mates. Where
    that must not be (replays that have to match), `exact` runs every text by itself.

    Parameters
    ----------
    files : ModelFiles or path
        A converted encoder: its ``ModelFiles``, or the folder with ``model.onnx``,
        ``tokenizer.json`` and ``config.json``.
    sessions : Sessions, optional
        Whose thread budget it runs under; by default its own, with default settings.
    exact : bool
        One text at a time in `embed_batch`.
    batch_size : int
        Texts a run at most, at least 1.
    tokenizer : EncoderTokenizer, optional
        By default the model's own.
    telemetry : Telemetry
        Gets the span ``embed`` and the counter ``embedded_texts``.

    Raises
    ------
    ModelUnavailable
        A file is missing or does not load.
    CorruptDataError
        ``config.json`` or ``tokenizer.json`` is damaged.
    ConfigError
        The model is no encoder, or `batch_size` is below 1.
    MissingExtraError
        onnxruntime is not installed.
    """

    def __init__(
        self,
        files: _HasDirectory | str | PathLike[str],
        *,
        sessions: Sessions | None = None,
        exact: bool = False,
        batch_size: int = 8,
        tokenizer: EncoderTokenizer | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {batch_size}")
        folder = Path(files) if isinstance(files, str | PathLike) else files.directory
        self._config = _read_config(folder / "config.json")
        self._tokenizer = tokenizer or _read_tokenizer(folder / "tokenizer.json")
        self._owned = Sessions() if sessions is None else None
        # A short text is no faster on two threads than on one, and one needs no pool.
        self._session = (sessions or cast("Sessions", self._owned)).open(
            folder / "model.onnx", threads=1
        )
        self._batch = 1 if exact else batch_size
        self._telemetry = telemetry

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._config.dimensions

    @property
    def model_info(self) -> EmbedderInfo:
        """What model it is."""
        return EmbedderInfo(
            id=self._config.id,
            dimensions=self._config.dimensions,
            max_tokens=self._config.max_tokens,
            provider=self._session.provider,
            exact=self._batch == 1,
        )

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape ``(dimensions,)``; the same bits every time.

        A text longer than the model's window is cut; the empty text has a vector too.

        Raises
        ------
        InputError
            `text` is not a string.
        ModelError
            The model failed.
        UsageError
            The embedder is closed.
        """
        vector: NDArray[np.float32] = self.embed_batch([text])[0]
        return vector

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors in the order of `texts`, shape ``(len(texts), dimensions)``.

        Raises as `embed` does.
        """
        if isinstance(texts, str):
            raise InputError("embed_batch takes a list of texts; embed takes one")
        rows = [self._encode(text) for text in texts]
        vectors = np.empty((len(rows), self.dimensions), np.float32)
        groups = group_by_length(
            [len(row) for row in rows], max_rows=self._batch, max_tokens=_RUN_TOKENS
        )
        with self._telemetry.span("embed"):
            for group in groups:
                vectors[group] = self._run([rows[index] for index in group])
        self._telemetry.count("embedded_texts", len(rows))
        return vectors

    def close(self) -> None:
        """Let go of the model. Closing twice is allowed."""
        self._session.close()
        if self._owned is not None:
            self._owned.close()

    def _encode(self, text: str) -> list[int]:
        if not isinstance(text, str):
            raise InputError(f"a text is needed, not {type(text).__name__}")
        return self._tokenizer.encode_for_model(text, self._config.max_tokens)

    def _run(self, rows: list[list[int]]) -> NDArray[np.float32]:
        """Vectors of token rows."""
        ids, mask, _ = collate(rows)
        (vectors,) = self._session.run([_OUTPUT], {"input_ids": ids, "attention_mask": mask})
        if vectors.shape != (len(rows), self.dimensions) or not np.isfinite(vectors).all():
            raise InvalidResponse(
                f"model '{self._session.graph}' gave no {self.dimensions} finite numbers a text; "
                "its files do not belong together",
                path=str(self._session.graph),
            )
        return cast("NDArray[np.float32]", vectors)


def _read_config(path: Path) -> _EncoderConfig:
    try:
        config = msgspec.json.decode(path.read_bytes(), type=_EncoderConfig)
    except OSError as error:
        raise ModelUnavailable(
            f"model file '{path}' cannot be read ({error.strerror}); fetch the model again",
            path=str(path),
        ) from error
    except msgspec.DecodeError as error:
        raise CorruptDataError(f"model file '{path}' is damaged: {error}", path=str(path)) from None
    if config.kind != "encoder":
        raise ConfigError(
            f"'{config.id}' is a model of kind '{config.kind}'; embedding needs an encoder",
            path=str(path),
            kind=config.kind,
        )
    return config


def _read_tokenizer(path: Path) -> EncoderTokenizer:
    if not path.is_file():
        raise ModelUnavailable(
            f"model file '{path}' is missing; fetch the model again", path=str(path)
        )
    models = importlib.import_module("astraweave.models")
    return cast("EncoderTokenizer", models.Tokenizer.from_file(path))
