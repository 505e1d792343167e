"""What lies in a slot, without opening it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from astraweave.errors import SlotInUseError
from astraweave.world import _sessions
from astraweave.world._lock import SlotLock
from astraweave.world._saves import SAVE_NAME
from astraweave.world.savefile import SaveInfo, read_info

__all__ = ["CRASH_NAME", "SlotSummary", "look_at"]

CRASH_NAME = "crash"


class SlotSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a slot, for a menu; see `Slot.look`."""

    save: SaveInfo | None
    recoverable: bool
    in_use: bool
    """Whether somebody has it open; what is recoverable is not known then."""


def look_at(folder: Path) -> SlotSummary:
    """See `Slot.look`."""
    save, crash = folder / SAVE_NAME, folder / CRASH_NAME
    info = read_info(save) if save.exists() else None
    if not crash.is_dir():
        return SlotSummary(save=info, recoverable=False, in_use=False)
    try:
        lock = SlotLock(folder / "lock")
    except SlotInUseError:
        return SlotSummary(save=info, recoverable=False, in_use=True)
    try:
        base = bytes.fromhex(info.id) if info else b""
        left = any(session.unsaved_over(base) for session in _sessions.sessions(crash))
        return SlotSummary(save=info, recoverable=left, in_use=False)
    finally:
        lock.release()
