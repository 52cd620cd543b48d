"""What the interpolations of a configuration refer to, and how long they make it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kiwi.exceptions import ConfigError

MAX_EXPANDED = 1_000_000
"""The maximum size of a configuration, in characters, after interpolation."""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def references_in(content: Any) -> Iterator[str]:
    """Yield the words in all interpolations, among which are the names that they refer to."""
    for text in _strings(content):
        if "${" in text:
            yield from re.findall(r"\w+", text[text.index("${") :])


class Expansion:
    """Measures a configuration before it is interpolated, since a few references can expand to more than memory holds.

    Args:
        content: the configuration before interpolation.
        path: its file, for errors.
    """

    def __init__(self, content: Any, path: Path) -> None:
        self._content, self._path = content, path
        self._sizes: dict[tuple[str, ...], int] = {}

    def check(self) -> None:
        """Check the size of the interpolated configuration.

        Raises:
            ConfigError: when it is too large, or interpolations refer to each other.
        """
        self._measure((), self._content)

    def _measure(self, place: tuple[str, ...], value: Any) -> int:
        if (known := self._sizes.get(place)) is not None:
            if known < 0:
                raise ConfigError(f"{self._path}: {'.'.join(place)}: found an interpolation that refers to itself.")
            return known
        self._sizes[place] = -1
        size = 1
        if isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            size += sum(self._measure((*place, str(key)), each) for key, each in pairs)
        elif isinstance(value, str):
            size += len(value) + sum(self._measure(*target) for target in self._targets(place, value))
        if size > MAX_EXPANDED:
            reason = f"found more than {MAX_EXPANDED} characters after interpolation"
            raise ConfigError(f"{self._path}: {'.'.join(place) or 'the configuration'}: {reason}.")
        self._sizes[place] = size
        return size

    def _targets(self, place: tuple[str, ...], text: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Return the places that a text refers to, with their values."""
        for name in re.findall(r"(?<!\\)(?:\\\\)*\$\{(?:oc\.select:)?\s*([^${}:,]+)", text):
            dots = len(name) - len(name.lstrip("."))
            parts = [part for part in re.split(r"[.\[\]]+", name.strip().strip(".")) if part]
            target = (*(place[:-dots] if dots else ()), *parts)
            value: Any = self._content
            for part in target:
                if isinstance(value, list) and part.isdigit() and int(part) < len(value):
                    value = value[int(part)]
                elif isinstance(value, dict) and part in value:
                    value = value[part]
                else:
                    break
            else:
                yield target, value
