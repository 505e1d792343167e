"""How the documentation is built: `python -m sphinx -W docs docs/_build/html`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import astraweave

HERE = Path(__file__).parent
GENERATED = HERE / "reference" / "generated"

project = "astraweave"
author = "The astraweave developers"
copyright = "2026, The astraweave developers"
release = version = astraweave.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "py:obj"
html_theme = "pydata_sphinx_theme"
html_title = "astraweave"
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autosummary_generate = True
autodoc_typehints = "none"  # the signatures have them
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


def rooms() -> list[str]:
    """Every public package, the root first; where one exports nothing, its modules."""
    found = ["astraweave"]
    for name in public_modules(astraweave):
        room = importlib.import_module(name)
        exports = getattr(room, "__all__", ())
        found += [name] if exports or not hasattr(room, "__path__") else public_modules(room)
    return [name for name in found if getattr(importlib.import_module(name), "__all__", ())]


def public_modules(package: ModuleType) -> list[str]:
    """Full names of the modules of a package that others may use."""
    return sorted(
        f"{package.__name__}.{module.name}"
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith(("_", "train_"))  # what is trained by is a command
    )


def write_reference() -> None:
    """One page a room, from its `__all__`, so that the reference is never behind the code."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    exported = {room: sorted(importlib.import_module(room).__all__) for room in rooms()}
    # What the root lends from a room is described once, where it is at home.
    lent = {
        name: room
        for name in exported["astraweave"]
        for room, names in exported.items()
        if room != "astraweave" and name in names
    }
    for room, names in exported.items():
        text = room_page(room, names, lent if room == "astraweave" else {})
        path = GENERATED / f"{room}.rst"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def room_page(room: str, names: list[str], lent: dict[str, str]) -> str:
    own = "".join(f"   {name}\n" for name in names if name not in lent)
    page = (
        f"{room}\n{'=' * len(room)}\n\n.. automodule:: {room}\n   :no-members:\n\n"
        f".. currentmodule:: {room}\n\n.. autosummary::\n   :toctree: api\n\n{own}"
    )
    if lent:
        page += "\nAlso reached from here:\n\n" + "".join(
            f"- :py:obj:`{name} <{home}.{name}>`\n" for name, home in lent.items()
        )
    return page


write_reference()
