"""Settings of the documentation site; ``make docs`` builds and checks it."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path
from typing import Any

import typer.main
from docutils import nodes
from docutils.parsers.rst import Directive
from pydantic import BaseModel

import kiwi
from kiwi.cli import app as command_line
from kiwi.utils.io import BaseConfig

project = "kiwi"
author = project_copyright = "The kiwi developers"
release = kiwi.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
highlight_language = "none"
smartquotes_action = "qe"
html_theme = "furo"
html_title = f"kiwi {release}"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_numpy_docstring = False

COLON = "\ue000"
"""A character that stands for a colon while napoleon reads a docstring."""

INTERNAL = {"architectures", "logger", "mistakes_of", "model_config", "system_type"}
"""Members of documented classes and modules that are no part of their interface."""


def hide_colons(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Keep napoleon from splitting sentences at their first colon.

    It reads ``text: more`` as ``type: description`` in the docstrings of attributes and properties and in "Returns"
    sections. kiwi's types are annotations, so a colon is never more than punctuation there.
    """
    prose = attribute = what in ("attribute", "data", "property")
    for i, line in enumerate(lines):
        if not attribute and re.fullmatch(r"\w+:", line):
            prose = line in ("Returns:", "Yields:")
        elif prose:
            lines[i] = line.replace(":", COLON)


def show_colons(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Undo :func:`hide_colons`, after napoleon."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def add_inherited(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Name the configuration whose options another one has too."""
    if isinstance(obj, type) and issubclass(obj, BaseConfig):
        bases = [f":class:`.{base.__name__}`" for base in obj.__bases__ if base is not BaseConfig]
        lines += ["", f"It has the options of {', '.join(bases)} too."] if bases else []


def add_default(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Add an option's default below its description; autodoc does not know pydantic's fields."""
    place, _, field = name.rpartition(".")
    owner = pkgutil.resolve_name(place) if place else None
    if isinstance(owner, type) and issubclass(owner, BaseModel) and field in owner.model_fields:
        info = owner.model_fields[field]
        if info.is_required():
            lines += ["", "Required."]
        elif not isinstance(info.default, BaseModel):
            default = str(info.default) if isinstance(info.default, Path) else info.default
            lines += ["", f"Default: ``{default!r}``."]


def skip_internal(app: Any, what: str, name: str, obj: object, skip: bool, options: Any) -> bool | None:
    """Leave out what is no part of an interface, such as validators, which run when a configuration is read."""
    return True if name in INTERNAL or (callable(obj) and name in validators(BaseConfig)) else None


def validators(config: type[BaseModel]) -> set[str]:
    """Return the names of the validators of a configuration and of all configurations that are derived from it."""
    found = config.__pydantic_decorators__
    names = {*found.field_validators, *found.model_validators}
    return names.union(*(validators(derived) for derived in config.__subclasses__()))


class Help(Directive):
    """The help text of a command, as the command line prints it: ``.. help:: train``, or of kiwi itself."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the text as a literal block."""
        group: Any = typer.main.get_command(command_line)
        name = " ".join(["kiwi", *self.arguments])
        command = group.commands[self.arguments[0]] if self.arguments else group
        width = {"terminal_width": 84, "max_content_width": 84}
        with command.make_context(name, [], resilient_parsing=True, **width) as context:
            text = command.get_help(context)
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Any) -> None:
    """Connect the functions above; Sphinx calls this."""
    app.add_directive("help", Help)
    app.connect("autodoc-process-docstring", hide_colons, priority=400)
    app.connect("autodoc-process-docstring", show_colons, priority=600)
    app.connect("autodoc-process-docstring", add_inherited, priority=700)
    app.connect("autodoc-process-docstring", add_default, priority=700)
    app.connect("autodoc-skip-member", skip_internal)
