"""Text from the templates in ``kiwi/assets/templates``: HTML, which escapes every value, and Markdown."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from typing import TYPE_CHECKING

from kiwi.utils.display import printable

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


def one_line(text: object) -> str:
    """Return text in one line without control characters."""
    return printable(" ".join(str(text).split()))


def in_markdown(text: object) -> str:
    """Return text of one line in which nothing is markup of Markdown or HTML, in tables too."""
    return re.sub(r"([\\`*_{}\[\]<>()#|~!])", r"\\\1", one_line(text)) if isinstance(text, str) else str(text)


def as_code(text: object) -> str:
    """Return a code span of Markdown that the text cannot close, in tables too."""
    line = one_line(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def in_shell(text: object) -> str:
    """Return an argument for a command of a shell."""
    return shlex.quote(one_line(text))


def in_python(text: object) -> str:
    """Return a string literal of Python."""
    return json.dumps(one_line(text), ensure_ascii=False)


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
    filters = {"fenced": fenced, "md": in_markdown, "code": as_code, "shell": in_shell, "python": in_python}
    environment.filters.update(filters)
    return environment
