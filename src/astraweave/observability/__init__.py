"""Counters and spans with next to no cost, and an off switch that leaves nothing behind."""

from __future__ import annotations

from astraweave.observability.telemetry import NULL_TELEMETRY, Distribution, Span, Telemetry

__all__ = ["NULL_TELEMETRY", "Distribution", "Span", "Telemetry"]
