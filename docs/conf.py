"""How the site is built: `make docs`."""

import importlib
from typing import Any

from pydantic import BaseModel

import kiwi

project = "kiwi"
author = "The kiwi developers"
release = kiwi.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"kiwi {release}"
myst_enable_extensions = ["colon_fence"]
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "exclude-members": "model_config, system_type, architectures",
}
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
nitpicky = False


def add_default(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Say below an option what its default is; autodoc does not know pydantic's fields."""
    *parts, field = name.split(".")
    owner: Any = None
    for part in parts:
        owner = getattr(owner, part, None) if owner else importlib.import_module(part)
    if isinstance(owner, type) and issubclass(owner, BaseModel) and field in owner.model_fields:
        info = owner.model_fields[field]
        if info.is_required():
            lines += ["", "Required."]
        elif not isinstance(info.default, BaseModel):
            lines += ["", f"Default: ``{info.default!r}``."]


def keep_colons(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Napoleon takes what precedes a colon in an option's first line for its type, unless that line is empty."""
    if what in ("attribute", "property"):
        lines.insert(0, "")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-docstring", add_default)
