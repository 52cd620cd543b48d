"""Text from outside as it is shown and recorded: without credentials, and without control characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "***"
"""What stands for user, password and other secrets of a URI wherever it is written or shown."""

_USER = re.compile(
    r"""(?<=://)(?:
        [^\s/?#@'"]*@                                # user:password@
        | [^\s/:@'"]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s@'"]+@   # a password with / ? or #, which drivers accept; no port
    )(?:[^\s/?#@'"]*@)*""",
    re.VERBOSE,
)
_VALUE = re.compile(
    r"""([?&;](?:[\w.%-]*[._-])?[\w-]*(?:pass|pwd|secret|token|key|sig|cred|auth|sas|session)[\w.-]*=)[^&;\s'"#]+""",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def without_secrets(text: str) -> str:
    """Return a text in whose URIs ``***`` stands for the user info and for the values of keys such as ``password``."""
    if "://" not in text:
        return text
    return _VALUE.sub(rf"\g<1>{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))


def hide_secrets(content: Any) -> Any:
    """Return plain values in whose URIs there are no secrets, for configurations that are written; see above."""
    return map_texts(content, without_secrets)


def map_texts(content: Any, change: Callable[[str], str]) -> Any:
    """Return plain values with other texts; options remember how they are written, if the former ones do.

    Args:
        content: mappings, lists and values.
        change: a function that returns the new text.
    """
    if isinstance(content, str):
        return change(content)
    if isinstance(content, Mapping):
        return _with_texts(content, {key: map_texts(value, change) for key, value in content.items()}, change)
    if isinstance(content, list | tuple):
        return _with_texts(content, [map_texts(value, change) for value in content], change)
    return content


def _with_texts(content: Any, changed: Any, change: Callable[[str], str]) -> Any:
    if not hasattr(content, "texts"):
        return changed
    same = type(content)(changed)
    same.texts = {key: (map_texts(value, change), change(text)) for key, (value, text) in content.texts.items()}
    return same


def lost_secrets(uri: str) -> bool:
    """Return whether a URI was written without its secrets, so that it cannot be used."""
    return f"://{HIDDEN}@" in uri or f"={HIDDEN}" in uri


def printable(text: str, *, one_line: bool = False) -> str:
    """Return a text with its control characters escaped, which would command a terminal or reverse what it shows.

    Args:
        text: the text.
        one_line: whether line breaks and tabs are escaped too.
    """
    shown = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
    return shown.replace("\n", "\\n").replace("\t", "\\t") if one_line else shown


def shown(text: str) -> str:
    """Return a message as it is shown: without secrets and control characters."""
    return printable(without_secrets(text))
