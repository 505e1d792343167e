"""What the folder of a converted decoder says about it."""

from __future__ import annotations

import msgspec

from astraweave.errors import CorruptDataError
from astraweave.models import ModelFiles

__all__ = ["DecoderConfig", "read_config"]


class DecoderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What ``config.json`` beside a converted decoder says."""

    id: str
    layers: int
    kv_heads: int
    head_size: int
    vocab_size: int
    context_tokens: int
    eos_ids: tuple[int, ...]


def read_config(files: ModelFiles) -> DecoderConfig:
    """Read it.

    Raises
    ------
    CorruptDataError
        It cannot be read, or is of no decoder.
    """
    try:
        return msgspec.json.decode(files.config.read_bytes(), type=DecoderConfig)
    except (OSError, msgspec.DecodeError) as error:
        raise CorruptDataError(
            f"'{files.config}' does not describe a decoder ({error}); convert the model again",
            path=str(files.config),
        ) from error
