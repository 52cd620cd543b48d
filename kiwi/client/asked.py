"""Checks of what is asked of a server, before it is sent."""

from __future__ import annotations

import math
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import httpx

from kiwi.data.text.characters import find_invalid
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.io import did_you_mean
from kiwi.utils.written import user_path

LARGEST_PORT = 2**16 - 1
"""The largest number of a port."""

LONGEST = 1e9
"""The maximum number of seconds, which all systems can wait."""


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


def check_address(url: str | httpx.URL) -> httpx.URL:
    """Return the address of a server.

    Raises:
        ConfigError: when it is not an address of HTTP.
    """
    try:
        found = httpx.URL(url)
        found.raw_host.decode("ascii").encode("idna")  # as Python does when it connects
    except (TypeError, ValueError, httpx.InvalidURL):
        found = httpx.URL()
    if found.scheme not in ("http", "https") or not found.host or (found.port or 0) > LARGEST_PORT:
        raise ConfigError(
            f"url: found '{url}'; expected an address with http:// or https://, such as http://127.0.0.1:8000."
        )
    return found


def check_key(key: str) -> None:
    """Check that a header of HTTP can have an API key, which the error does not show.

    Raises:
        ConfigError: when it cannot.
    """
    if not isinstance(key, str) or not (key.isascii() and key.isprintable()) or key.strip() != key or not key:
        raise ConfigError(
            "key: found an empty one, or one with spaces around it or characters beyond ASCII; expected an API key."
        )


def check_seconds(name: str, value: float) -> None:
    """Check a number of seconds.

    Args:
        name: the name of the argument.
        value: the number.

    Raises:
        ConfigError: when it is not a positive number.
    """
    if not isinstance(value, int | float) or not 0 < value <= LONGEST:
        raise ConfigError(f"{name}: found {_brief(value)}; expected a positive number of seconds, at most {LONGEST:g}.")


def check_tries(tries: int) -> None:
    """Check how often a request is sent.

    Raises:
        ConfigError: when it is never sent.
    """
    if not isinstance(tries, int) or tries < 1:
        raise ConfigError(f"tries: found {_brief(tries)}; expected a whole number from 1 on.")


def check_path(name: str, path: str | Path) -> Path:
    """Return a path that a user gives, with ``~`` expanded.

    Args:
        name: the name of the argument.
        path: the path.

    Raises:
        ConfigError: when it is no path.
    """
    try:
        return user_path(Path(path))
    except TypeError as error:
        raise ConfigError(f"{name}: found {_brief(path)}; expected the path of a file.") from error


def check_files(path: Path, output: Path) -> None:
    """Check that there is a file to score, and that the output can be one.

    Raises:
        ConfigError: when the one cannot be read, or the other is a directory or has a name that no file can have.
    """
    for each, use in ((path, "read"), (output, "written")):
        try:
            is_directory = stat.S_ISDIR(each.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_directory = False
        except (OSError, ValueError) as error:
            raise _unusable(each, use, error) from error
        if is_directory:
            raise ConfigError(f"{each}: found a directory; expected the path of a file.")
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: found a device or pipe; expected the path of a file.")
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unusable(path, "read", error) from error


def _unusable(path: Path, use: str, error: Exception) -> ConfigError:
    return ConfigError(f"{path}: cannot be {use} ({getattr(error, 'strerror', None) or error}).")


def check_segments(segments: Iterable[Any], kind: type, expected: str) -> list[Any]:
    """Return the segments of a request.

    Args:
        segments: the segments.
        kind: their class.
        expected: what each of them is, for errors.

    Raises:
        DataError: when one is something else.
    """
    if not isinstance(segments, Iterable):
        raise DataError(f"segments: found {_brief(segments)}; expected a sequence, each {expected}.")
    found = [*segments]
    for number, segment in enumerate(found, start=1):
        if not isinstance(segment, kind):
            raise DataError(f"segment {number}: found {_brief(segment)}; expected {expected}.")
    return found


def check_values(asked: Mapping[str, Any]) -> None:
    """Check that all values of a request can be sent: text in UTF-8, and finite numbers.

    Args:
        asked: the request, perhaps with ``segments``.

    Raises:
        DataError: when one is not; the message names the segment, by its id or else its number, and the field.
    """
    for number, segment in enumerate(asked.get("segments", ()), start=1):
        name = segment.get("id")
        is_name = find_invalid(name) is None if isinstance(name, str) else _is_finite(name)
        _check(segment, f"segment {name!r}, " if is_name else f"segment {number}, ")
    _check({name: value for name, value in asked.items() if name != "segments"}, "")


def _check(values: Mapping[Any, Any], place: str) -> None:
    for name, value in values.items():
        if not isinstance(name, str) or find_invalid(name) is not None:
            raise DataError(f"{place}found a field {_brief(name)}; expected the name of a field.")
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, str):
                if (found := find_invalid(each)) is not None:
                    raise DataError(f"{place}{name}: found {found}; expected text without it.")
            elif each is not None and not _is_finite(each):
                raise DataError(f"{place}{name}: found {_brief(each)}; expected text or a finite number.")


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # of an integer beyond all floating-point numbers
        return False


def _brief(value: object) -> str:
    """Return the beginning of how Python writes a value, for errors."""
    try:
        return f"{value!r:.60}"
    except ValueError:  # Python does not write integers of more than 4300 digits
        return f"a value of type {type(value).__name__}"
