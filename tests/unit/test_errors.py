"""The exception tree: details survive, and every class has its builtin parent."""

from __future__ import annotations

import copy
import pickle

import pytest

from astraweave import errors
from astraweave.errors import AstraweaveError, ConfigError, MissingExtraError, StorageError

KINDS = [getattr(errors, name) for name in errors.__all__]


def make(kind: type[AstraweaveError]) -> AstraweaveError:
    if kind is MissingExtraError:
        return MissingExtraError("the demo", "cli")
    return kind("it broke", path="slot1", budget=3)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_text_and_parts_survive_pickle_and_copy(kind: type[AstraweaveError]) -> None:
    error = make(kind)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert twin.details == error.details
        for name, value in error.details.items():
            assert getattr(twin, name) == value


def test_the_systems_own_attributes_do_not_hide_details() -> None:
    error = StorageError("the disk is full", errno=28, filename="slot1.aw")
    assert (error.errno, error.filename) == (28, "slot1.aw")
    assert str(error) == "the disk is full"


def test_builtin_parents() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(StorageError, OSError)
    assert issubclass(errors.DeadlineExceeded, TimeoutError)
    assert issubclass(errors.UsageError, RuntimeError)
    assert all(issubclass(kind, AstraweaveError) for kind in KINDS)


def test_the_tree_in_the_docstring_is_complete() -> None:
    assert errors.__doc__ is not None
    for kind in KINDS:
        assert kind.__name__ in errors.__doc__


def test_missing_extra_says_how_to_get_it() -> None:
    error = MissingExtraError("running a model", "cpu")
    assert "pip install 'astraweave[cpu]'" in str(error)
    assert error.extra == "cpu"


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = AstraweaveError("x").colour
