"""What the package and its rooms export stands in ``public_api.txt``, one name a line.

A change of the public face is then a line in a review. After a change on purpose::

    python tests/codebase/test_public_api.py > tests/codebase/public_api.txt
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

import astraweave

LIST = Path(__file__).with_name("public_api.txt")


def rooms() -> list[str]:
    """The package and the packages right below it, private ones left out."""
    found = [
        f"astraweave.{module.name}"
        for module in pkgutil.iter_modules(astraweave.__path__)
        if not module.name.startswith("_")
    ]
    return ["astraweave", *sorted(found)]


def exported() -> list[str]:
    names = []
    for room in rooms():
        module = importlib.import_module(room)
        names += [f"{room}.{name}" for name in sorted(getattr(module, "__all__", ()))]
    return names


def test_the_public_face_is_the_one_on_the_list() -> None:
    assert exported() == LIST.read_text("utf-8").split(), "see the docstring of this file"


@pytest.mark.parametrize("room", rooms())
def test_everything_exported_exists_and_explains_itself(room: str) -> None:
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if callable(thing) and getattr(thing, "__module__", "").startswith("astraweave"):
            assert thing.__doc__, f"{room}.{name} has no docstring"
    assert set(getattr(module, "__all__", ())) <= set(dir(module))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in exported()))
