"""Checks of what is asked of a server, before it is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypedDict

from kiwi.data.text.characters import find_invalid
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.io import did_you_mean


class FileOptions(TypedDict, total=False):
    """The parameters of ``POST /v1/files``."""

    model: str
    """The name of a model; by default, that of the server."""

    policy: str
    """The name of a policy, which adds decisions."""

    scale: str
    """``own`` or ``0-100``; by default 0-100, and the model's own in tables."""

    threshold: float
    """The score between good translations and others."""

    state: bool
    """Whether to mark those that are worse for review."""

    words: bool
    """Whether to add the columns for words, in tables."""

    flags: bool
    """Whether to add flags."""

    languages: str
    """The languages of source and target, such as ``en,de``."""

    columns: str
    """The columns of a table, such as ``source=src,target=mt``."""

    header: bool
    """Whether the first line of CSV and TSV has names."""


def check_options(names: Collection[str]) -> None:
    """Check that options are parameters of ``POST /v1/files``.

    Raises:
        ConfigError: when one is not.
    """
    known = FileOptions.__annotations__
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"{unknown[0]}: not an option of score_file; {did_you_mean(unknown[0], known)}")


def check_texts(asked: Mapping[str, Any]) -> None:
    """Check that all strings of a request are text, which JSON in UTF-8 can have.

    Args:
        asked: the request, perhaps with ``segments``.

    Raises:
        DataError: when one is not; the message names the segment, by its id or else its number, and the field.
    """
    for number, segment in enumerate(asked.get("segments", ()), start=1):
        name = segment.get("id")
        is_name = name is not None and find_invalid(str(name)) is None
        _check(segment, f"segment {name!r}, " if is_name else f"segment {number}, ")
    _check({name: value for name, value in asked.items() if name != "segments"}, "")


def _check(values: Mapping[str, Any], place: str) -> None:
    for name, value in values.items():
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and (found := find_invalid(text)) is not None:
                raise DataError(f"{place}{name}: found {found}; expected text without it.")
