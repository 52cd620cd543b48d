"""Pages that are rendered from templates in ``kiwi/assets/templates``."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(name: str, **values: Any) -> str:
    """Render a template; values are escaped unless they are ``markupsafe.Markup``.

    Args:
        name: the file name of the template.
        values: the variables of the template.
    """
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("kiwi", "assets/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
