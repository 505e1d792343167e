"""One decoder graph over KV memory of our own.

Past and present KV are bound to the same memory, so a step writes only its new rows and nothing is
ever copied. The memory is mapped, not allocated: pages that no token has reached cost nothing.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import UnsupportedModel
from astraweave.inference import Session

__all__ = ["MAX_STEP_TOKENS", "Decoder", "DecoderConfig"]

MAX_STEP_TOKENS = 96
"""Tokens of a prompt computed in one step; between steps other work and cancellation get in.

On one thread such a step takes about 0.1 s; every further one costs about 5 ms more.
"""


class DecoderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What ``config.json`` beside a converted decoder says."""

    id: str
    layers: int
    kv_heads: int
    head_size: int
    vocab_size: int
    context_tokens: int
    eos_ids: tuple[int, ...]


class Decoder:
    """The graph, its KV slots and its output row. Used by one thread at a time.

    Parameters
    ----------
    session : Session
        An open decoder graph; it is closed with this object.
    config : DecoderConfig
        Its dimensions.
    slots, slot_tokens : int
        How many prompts are kept, and how many tokens each may have.

    Attributes
    ----------
    logits : ndarray of float32, shape (vocab_size,)
        Of the last token of the latest `forward`; the next one overwrites it.
    """

    def __init__(
        self, session: Session, config: DecoderConfig, *, slots: int, slot_tokens: int
    ) -> None:
        self._session = session
        self._config = config
        self._check_graph()
        shape = (config.layers, 2, slots, config.kv_heads, slot_tokens, config.head_size)
        self._kv = _lazy_zeros(shape)
        self._logits = np.zeros((1, config.vocab_size), np.float32)
        self.logits: NDArray[np.float32] = self._logits[0]
        self._ids = np.zeros((1, MAX_STEP_TOKENS), np.int64)
        self._last_key = np.zeros(1, np.int32)
        self._total = np.zeros((), np.int32)
        self._logit_position = np.zeros((1, 1), np.int64)
        self._bindings = [self._bind(slot) for slot in range(slots)]
        self._bound_length = [0] * slots

    def forward(self, slot: int, past: int, ids: Sequence[int]) -> None:
        """Append 1 to MAX_STEP_TOKENS tokens to a slot that holds `past` tokens.

        Raises
        ------
        ModelError
            onnxruntime failed; the slot's rows from `past` on are then undefined.
        """
        count = len(ids)
        self._ids[0, :count] = ids
        self._last_key[0] = past + count - 1
        self._total[...] = past + count
        self._logit_position[0, 0] = count - 1
        binding = self._bindings[slot]
        if self._bound_length[slot] != count:
            _bind_input(binding, "input_ids", self._ids[:, :count])
            self._bound_length[slot] = count
        self._session.run_bound(binding)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Give `target` the first `tokens` rows of `source`."""
        self._kv[:, :, target, :, :tokens] = self._kv[:, :, source, :, :tokens]

    def close(self) -> None:
        """Let go of the graph and the memory."""
        self._bindings.clear()
        self._session.close()

    def _bind(self, slot: int) -> Any:
        binding = self._session.binding()
        _bind_input(binding, "seqlens_k", self._last_key)
        _bind_input(binding, "total_len", self._total)
        _bind_input(binding, "logit_pos", self._logit_position)
        for layer in range(self._config.layers):
            for part, name in enumerate("kv"):
                memory = self._kv[layer, part, slot : slot + 1]
                _bind_input(binding, f"past_{name}{layer}", memory)
                _bind_output(binding, f"present_{name}{layer}", memory)
        _bind_output(binding, "logits", self._logits)
        return binding

    def _check_graph(self) -> None:
        names = [f"{part}{layer}" for layer in range(self._config.layers) for part in "kv"]
        inputs = {"input_ids", "seqlens_k", "total_len", "logit_pos"}
        wanted = inputs | {f"past_{name}" for name in names}
        missing = wanted - set(self._session.inputs) or (
            {"logits"} | {f"present_{name}" for name in names}
        ) - set(self._session.outputs)
        if missing:
            raise UnsupportedModel(
                f"'{self._session.graph}' is no decoder as astraweave converts them: it lacks "
                f"{', '.join(sorted(missing)[:4])}; convert the model again",
                path=str(self._session.graph),
                missing=tuple(sorted(missing)),
            )


def _bind_input(binding: Any, name: str, memory: NDArray[Any]) -> None:
    binding.bind_input(name, "cpu", 0, memory.dtype.type, list(memory.shape), memory.ctypes.data)


def _bind_output(binding: Any, name: str, memory: NDArray[Any]) -> None:
    binding.bind_output(name, "cpu", 0, memory.dtype.type, list(memory.shape), memory.ctypes.data)


def _lazy_zeros(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros in small pages: NumPy's own large arrays ask for huge ones, which fill at once."""
    memory = mmap.mmap(-1, int(np.prod(shape)) * 4)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(shape)
