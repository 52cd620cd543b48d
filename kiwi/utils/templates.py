"""Text from the templates in ``kiwi/assets/templates``: HTML, which escapes every value, and Markdown."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = "assets/templates"
"""The directory of the templates, within the package."""

SHORTEST_FENCE = 4


def render(name: str, /, **values: object) -> str:
    """Fill in a template.

    Values are escaped unless the template is Markdown (``.md.jinja``). A value that the template uses but ``values``
    lacks is an error.

    Args:
        name: the template, such as ``model_card.md.jinja``.
        values: the values to show, by name.
    """
    return _environment().get_template(name).render(values)


def fenced(text: str, language: str = "text") -> str:
    """Return a code block of Markdown that ``text`` cannot close."""
    runs = (len(run) for run in re.findall("~+", text))
    fence = "~" * max(SHORTEST_FENCE, *(length + 1 for length in runs), 0)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


@cache
def _environment() -> Environment:
    # Loaded here: the command line must not wait for Jinja before it renders something.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("kiwi", TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=(), disabled_extensions=("md.jinja",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["fenced"] = fenced
    return environment
