"""The names that copies of documents may have."""

from __future__ import annotations

from pathlib import Path

from kiwi.data.documents.formats import bare_suffix, find_format
from kiwi.exceptions import ConfigError
from kiwi.utils.compression import SUFFIXES as COMPRESSED


def check_copy_name(path: Path, copy: Path, *, compresses: bool = True) -> None:
    """Check that the name of a copy says no other format than that of the document, which the copy has too.

    A name without a suffix says no format, and is accepted.

    Args:
        path: the document.
        copy: the copy.
        compresses: whether the copy is compressed as its own name says; otherwise it is compressed as the document is.

    Raises:
        ConfigError: when it says another format or, if the copy is compressed as the document is, another compression.
    """
    form = find_format(path)
    own, compression = bare_suffix(path), _compression(path)
    known = dict.fromkeys((own, *(form.plain_suffixes if form else ())))
    found = bare_suffix(copy), _compression(copy)
    if not any(found) or (found[0] in ("", *known) and (compresses or found[1] == compression)):
        return
    shown = "".join(found[:1] if compresses else found)
    expected = " or ".join(f"'{suffix if compresses else suffix + compression}'" for suffix in known)
    raise ConfigError(
        f"{copy}: found the suffix '{shown}'; expected {expected}, the format of {path}. Rename the copy."
    )


def _compression(path: Path) -> str:
    """Return the suffix of the compression of a file; empty if it has none."""
    suffix = path.suffix.lower()
    return suffix if suffix in COMPRESSED else ""
