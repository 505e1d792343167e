"""Everything that astraweave raises on purpose.

::

    AstraweaveError
    ├── ConfigError              settings, registry, persona or template are wrong   (ValueError)
    │   └── MissingExtraError    a feature needs an extra that is not installed      (ImportError)
    ├── InputError               an argument or a text cannot be used                (ValueError)
    ├── CapacityError            a queue, a slot, a budget or a disk is full
    │   └── StorageError         the operating system refused a read or a write      (OSError)
    ├── DeadlineExceeded         no answer in the time that was given                (TimeoutError)
    ├── Cancelled                the caller asked for it to stop
    ├── ModelError               a model failed
    │   ├── ModelUnavailable     it is not there or does not load
    │   ├── ModelTimeout         it answered too late
    │   ├── UnsupportedModel     its architecture or a tensor type is not supported
    │   └── InvalidResponse      it answered what cannot be used
    ├── GuardViolation           a rule forbids it
    ├── CorruptDataError         a file is damaged or is not what its name says
    │   └── FormatVersionError   it was written by a newer astraweave
    ├── SlotInUseError           another process or World has the save open
    └── UsageError               called on the wrong thread, after close, or twice   (RuntimeError)

What went wrong stands in attributes (``error.details``), not only in the text, and the text says
what to do about it.
"""

from __future__ import annotations

__all__ = [
    "AstraweaveError",
    "Cancelled",
    "CapacityError",
    "ConfigError",
    "CorruptDataError",
    "DeadlineExceeded",
    "FormatVersionError",
    "GuardViolation",
    "InputError",
    "InvalidResponse",
    "MissingExtraError",
    "ModelError",
    "ModelTimeout",
    "ModelUnavailable",
    "SlotInUseError",
    "StorageError",
    "UnsupportedModel",
    "UsageError",
]


class AstraweaveError(Exception):
    """Root of the tree.

    Parameters
    ----------
    message : str
        What was wrong and what to do about it.
    **details
        The same in parts, for programs; kept in `details` and readable as attributes.
    """

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details
        for name in _BUILTIN_ATTRIBUTES & details.keys():
            if hasattr(type(self), name):  # OSError's own would hide the detail
                setattr(self, name, details[name])

    def __str__(self) -> str:
        # OSError would make a text of its own from errno and filename.
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), str(self), self.details)

    def __getattr__(self, name: str) -> object:
        try:
            return self.__dict__["details"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}") from None


_BUILTIN_ATTRIBUTES = frozenset({"errno", "filename", "filename2", "strerror", "name", "path"})


def _rebuild(kind: type[AstraweaveError], message: str, details: dict[str, object]) -> object:
    """Bring an error back from another process; subclasses may have other parameters."""
    error = kind.__new__(kind, message)
    AstraweaveError.__init__(error, message, **details)
    return error


class ConfigError(AstraweaveError, ValueError):
    """Settings, a registry, a persona or a template are wrong."""


class MissingExtraError(ConfigError, ImportError):
    """A feature needs an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}': pip install 'astraweave[{extra}]'",
            feature=feature,
            extra=extra,
        )


class InputError(AstraweaveError, ValueError):
    """An argument or a text cannot be used."""


class CapacityError(AstraweaveError):
    """A queue, a slot, a budget or a disk is full."""


class StorageError(CapacityError, OSError):
    """The operating system refused a read or a write (a full disk, missing rights)."""


class DeadlineExceeded(AstraweaveError, TimeoutError):
    """No answer in the time that was given."""


class Cancelled(AstraweaveError):
    """The caller asked for it to stop."""


class ModelError(AstraweaveError):
    """A model failed."""


class ModelUnavailable(ModelError):
    """The model is not there or does not load."""


class ModelTimeout(ModelError, TimeoutError):
    """The model answered too late."""


class UnsupportedModel(ModelError):
    """An architecture or a tensor type that the converter does not know."""


class InvalidResponse(ModelError):
    """The model answered what cannot be used."""


class GuardViolation(AstraweaveError):
    """A rule forbids it."""


class CorruptDataError(AstraweaveError):
    """A file is damaged or is not what its name says."""


class FormatVersionError(CorruptDataError):
    """A file was written by a newer astraweave."""


class SlotInUseError(AstraweaveError):
    """Another process or World has the save open."""


class UsageError(AstraweaveError, RuntimeError):
    """Called on the wrong thread, after close, or twice."""
