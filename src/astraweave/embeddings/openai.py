"""An embedding model on a server that speaks OpenAI's embeddings."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.closing import Closing
from astraweave.embeddings.protocol import EmbedderInfo
from astraweave.errors import ConfigError, InputError, InvalidResponse
from astraweave.inference.event_loop import EventLoop
from astraweave.inference.http import HttpClient, HttpTimeouts, decode
from astraweave.observability import NULL_TELEMETRY, Telemetry

__all__ = ["OpenAIEmbedder"]

_SHORTEST = 1e-12
_MOST_DIMENSIONS = 65_536


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


class OpenAIEmbedder(Closing):
    """Texts to unit vectors on llama.cpp's server, Ollama, LM Studio, vLLM, or a hosted one.

    Long lists go in batches, several at once; vectors come back in the order of the texts, whatever
    order the server sends them in. Thread-safe. The thread ends in `close`, at the latest when the
    interpreter exits; a forked child gets `UsageError`.

    Parameters
    ----------
    base_url : str
        ``http://127.0.0.1:8080/v1`` or the like.
    model : str
        Its name on the server.
    api_key : str, optional
        Sent in a header to this server alone; in no text, log or exception.
    headers : mapping, optional
        More headers for each request, as secret as the key.
    dimensions : int
        Length of the vectors; 0: asked of the server when it is first needed.
    ask_dimensions : bool
        Ask the server to shorten its vectors to `dimensions`, where the model can.
    max_tokens : int
        Longest text of the model, for its information.
    batch_size : int
        Texts of one request.
    timeouts, connections, max_bytes, proxy, ca_file, loop
        See `HttpClient`.
    telemetry : Telemetry
        Span ``embed.http``, one a call.

    Raises
    ------
    MissingExtraError
        aiohttp is not installed.
    ConfigError
        The address, the key or a number cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        dimensions: int = 0,
        ask_dimensions: bool = False,
        max_tokens: int = 512,
        batch_size: int = 32,
        timeouts: HttpTimeouts = HttpTimeouts(),  # noqa: B008 - immutable
        connections: int = 4,
        max_bytes: int = 64 << 20,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
        loop: EventLoop | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        if not 0 <= dimensions <= _MOST_DIMENSIONS or batch_size < 1 or max_tokens < 1:
            raise ConfigError(
                f"dimensions must be 0 to {_MOST_DIMENSIONS:,}, batch_size and max_tokens 1 or "
                f"more, not {dimensions}, {batch_size} and {max_tokens}",
                dimensions=dimensions,
                batch_size=batch_size,
                max_tokens=max_tokens,
            )
        if ask_dimensions and not dimensions:
            raise ConfigError("say how many dimensions to ask for", field="dimensions")
        self._model = model
        self._dimensions = dimensions
        self._dimensions_lock = threading.Lock()
        self._ask_dimensions = ask_dimensions
        self._max_tokens = max_tokens
        self._batch_size = batch_size
        self._telemetry = telemetry
        self._client = HttpClient(
            base_url,
            key=api_key,
            headers=headers,
            timeouts=timeouts,
            connections=connections,
            max_bytes=max_bytes,
            proxy=proxy,
            ca_file=ca_file,
            loop=loop,
        )

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self._client.endpoint.url!r}, {self._model!r})"

    @property
    def dimensions(self) -> int:
        """Length of every vector; asks the server once where nobody has said it.

        Raises
        ------
        ModelError
            The server does not say.
        """
        if not self._dimensions:
            self.embed("dimensions")
        return self._dimensions

    @property
    def model_info(self) -> EmbedderInfo:
        """What model it is. A server may batch texts of others with ours: it is not exact."""
        return EmbedderInfo(
            id=self._model,
            dimensions=self.dimensions,
            max_tokens=self._max_tokens,
            provider=self._client.endpoint.place,
            exact=False,
        )

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape ``(dimensions,)``.

        Raises
        ------
        InputError
            `text` is not a string, or has half a surrogate pair.
        ModelError
            The server does not answer, or not with such a vector.
        """
        if not isinstance(text, str):
            raise InputError(f"a text is needed, not {type(text).__name__}")
        vector: NDArray[np.float32] = self.embed_batch([text])[0]
        return vector

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors in the order of `texts`, shape ``(len(texts), dimensions)``.

        Raises
        ------
        InputError
            These are no texts.
        ModelError
            The server does not answer, or not with such vectors: nothing is returned then.
        """
        if isinstance(texts, str):
            raise InputError("embed_batch takes a list of texts; embed takes one")
        for text in texts:
            if not isinstance(text, str):
                raise InputError(f"a text is needed, not {type(text).__name__}")
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        size = self._batch_size
        batches = [list(texts[at : at + size]) for at in range(0, len(texts), size)]
        with self._telemetry.span("embed.http"):
            return np.concatenate(self._client.call(lambda: self._ask_all(batches)))

    def close(self) -> None:
        """Close all connections; who waits gets UsageError. Closing twice is allowed."""
        self._client.close()

    async def _ask_all(self, batches: list[list[str]]) -> list[NDArray[np.float32]]:
        import asyncio

        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._ask(batch)) for batch in batches]
        except* Exception as errors:  # noqa: BLE001 - one of them stands for all
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
        else:
            return [task.result() for task in asked]
        raise first

    async def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        asked: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._ask_dimensions:
            asked["dimensions"] = self._dimensions
        body = await self._client.ask("/embeddings", asked)
        return self._checked(decode(body, _Vectors, "vectors").data, len(texts))

    def _checked(self, told: list[_Vector], count: int) -> NDArray[np.float32]:
        """As unit vectors in the order of the texts."""
        if sorted(each.index for each in told) != list(range(count)):
            raise InvalidResponse(
                f"the server sent {len(told)} vectors for {count} texts, or not one for each",
                wanted=count,
                got=len(told),
            )
        lengths = {len(each.embedding) for each in told}
        with self._dimensions_lock:
            if not self._dimensions and len(lengths) == 1 and 0 < min(lengths) <= _MOST_DIMENSIONS:
                self._dimensions = min(lengths)
        if not self._dimensions or lengths != {self._dimensions}:
            raise InvalidResponse(
                f"vectors of {self._dimensions} dimensions were expected, not of "
                f"{', '.join(map(str, sorted(lengths)))}",
                dimensions=self._dimensions,
            )
        told.sort(key=lambda each: each.index)
        vectors = np.array([each.embedding for each in told], np.float64)
        largest = np.abs(vectors).max(axis=1, keepdims=True)
        if not np.isfinite(largest).all() or (largest < _SHORTEST).any():
            raise InvalidResponse("the server sent a vector without a direction")
        vectors /= largest  # no square overflows
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors.astype(np.float32)
        return unit
