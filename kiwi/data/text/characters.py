"""What a string may hold that is no text: NUL, and halves of surrogate pairs, which no encoding has."""

from __future__ import annotations

import re

INVALID = re.compile("[\0\ud800-\udfff]")
"""The code points that are no characters of a text."""


def find_invalid(text: str) -> str | None:
    """Return what a string has that is no text, for errors; None if it is text."""
    if "\0" not in text:
        try:
            text.encode()  # much faster than to look at each character
            return None
        except UnicodeEncodeError:
            pass
    found = INVALID.search(text)
    assert found is not None
    what = "a NUL character" if found[0] == "\0" else f"half of a surrogate pair (U+{ord(found[0]):04X})"
    return f"{what} at position {found.start() + 1}"
