"""The native core and, beside it, a readable reference of each of its functions.

Callers import from here, never from ``_core``: import-linter cannot see into a compiled module,
so the boundary is this package. ``reference`` says in plain Python what each function means; the
differential tests run both.
"""

from __future__ import annotations

from astraweave._native._core import (
    Appender,
    Decoder,
    DecoderTeam,
    DecoderWeights,
    FlatIndex,
    HnswIndex,
    KvPages,
    Mailbox,
    PromptCache,
    StreamDecoder,
    Tokenizer,
    attend,
    dot,
    force_simd_tier,
    gather_codes,
    l2_squared,
    multiply_codes,
    rms_norm,
    rope,
    scan_codes,
    scan_dot,
    scan_dot_half,
    scan_l2,
    scan_l2_half,
    silu_multiply,
    simd_tier,
    simd_tiers,
)

__all__ = [
    "Appender",
    "Decoder",
    "DecoderTeam",
    "DecoderWeights",
    "FlatIndex",
    "HnswIndex",
    "KvPages",
    "Mailbox",
    "PromptCache",
    "StreamDecoder",
    "Tokenizer",
    "attend",
    "dot",
    "force_simd_tier",
    "gather_codes",
    "l2_squared",
    "multiply_codes",
    "rms_norm",
    "rope",
    "scan_codes",
    "scan_dot",
    "scan_dot_half",
    "scan_l2",
    "scan_l2_half",
    "silu_multiply",
    "simd_tier",
    "simd_tiers",
]
