"""The files that pages contain: styles and scripts."""

from __future__ import annotations

from importlib import resources


def read_asset(name: str) -> str:
    """Return the text of a file of ``kiwi/assets/page``."""
    return resources.files("kiwi").joinpath("assets", "page", name).read_text(encoding="utf-8")
