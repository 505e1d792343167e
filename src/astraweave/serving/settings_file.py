"""The road's settings as a TOML file, which may change while the game runs.

Its words are those of `astraweave.serving.policies`::

    [limits.model]
    requests_per_minute = 600

    [breaker]
    failures = 5

    [timeouts.dialogue]
    ceiling_first_s = 6.0
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from astraweave.core.toml import TomlText
from astraweave.errors import ConfigError, StorageError
from astraweave.serving.policies import DEFAULT_TIMEOUTS, RoadSettings, TimeoutSettings

__all__ = ["SettingsFile", "read_road_settings"]

_AT = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


def read_road_settings(
    text: str,
    source: str,
    base: RoadSettings = RoadSettings(),  # noqa: B008 - immutable
) -> RoadSettings:
    """Settings from TOML; what it does not name is as in `base`.

    A table of timeouts that names a known use changes that use's defaults.

    Raises
    ------
    ConfigError
        Names the file, the line, and what is wrong there.
    """
    document = TomlText(text, source)
    data = dict(document.data)
    document.check_keys(data, RoadSettings.__struct_fields__)
    for name, values in msgspec.to_builtins(base).items():
        table = data.get(name, {})
        data[name] = values | table if isinstance(table, dict) else table
    timeouts = data.get("timeouts")
    if isinstance(timeouts, dict):
        for use, table in timeouts.items():
            if isinstance(table, dict):
                document.check_keys(table, TimeoutSettings.__struct_fields__, "timeouts", use)
        data["timeouts"] = {
            use: (
                msgspec.to_builtins(DEFAULT_TIMEOUTS.get(use, TimeoutSettings())) | table
                if isinstance(table, dict)
                else table
            )
            for use, table in timeouts.items()
        }
    try:
        return msgspec.convert(data, RoadSettings)
    except msgspec.ValidationError as error:
        message = str(error)
        place = _AT.search(message)
        path = tuple(part for part in place[1].split(".") if part != "[...]") if place else ()
        # msgspec names the keys of a dict [...]; the first part still finds the table.
        return document.fail(_AT.sub("", message), *path)


class SettingsFile:
    """A file of settings that may change while the game runs. Call it from one thread.

    Parameters
    ----------
    path : Path
        The TOML file.
    base : RoadSettings
        What holds where it says nothing.

    Attributes
    ----------
    problem : ConfigError or StorageError or None
        Why the last change was not taken over; what held before still holds.
    """

    def __init__(self, path: Path, base: RoadSettings = RoadSettings()) -> None:  # noqa: B008
        self.path = path
        self.base = base
        self.problem: ConfigError | StorageError | None = None
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> RoadSettings:
        """What it says now.

        Raises
        ------
        ConfigError
            It says something that cannot be.
        StorageError
            It cannot be read.
        """
        try:
            text = self.path.read_text("utf-8")
        except OSError as error:
            raise StorageError(
                f"the settings {self.path.name} cannot be read: {error.strerror}",
                path=str(self.path),
            ) from error
        except UnicodeDecodeError:
            raise ConfigError(f"the settings {self.path.name} are not UTF-8") from None
        return read_road_settings(text, self.path.name, self.base)

    def poll(self) -> RoadSettings | None:
        """New settings where the file has changed since the last look; one `stat` where not.

        Never raises for what a file says: half a file, seen while an editor writes it, must not
        end a game. See `problem`.
        """
        try:
            status = self.path.stat()
        except OSError:
            return None  # an editor replaces it just now; what held before holds
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        if mark == self._seen:
            return None
        self._seen = mark
        try:
            settings = self.read()
        except (ConfigError, StorageError) as error:
            self.problem = error
            return None
        self.problem = None
        return settings
