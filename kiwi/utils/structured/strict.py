"""The base class of options that programs give as arguments, which says what is wrong with each of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from kiwi.exceptions import ConfigError
from kiwi.utils.io import did_you_mean
from kiwi.utils.written import user_path

STRICT = ConfigDict(strict=True, extra="forbid", defer_build=True)
"""How the options of a subclass are validated: types are not converted, unknown names are refused, and a command
prepares only the options that it uses."""


def as_path(value: Any) -> Any:
    """Return any object that stands for a path (``os.PathLike``) as a path, and other values as they are."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else None
    return Path(text) if isinstance(text, str) else value


def _as_user_path(value: Any) -> Any:
    path = as_path(value)
    return user_path(path) if isinstance(path, str | Path) else path


UserPath = Annotated[Path, BeforeValidator(_as_user_path)]
"""A path that may be given as text; ``~`` is the home directory."""

EXPECTED = {
    "string_sub_type": "a valid string",
    "sequence_str": "a list or a tuple of strings",
    "mapping_type": "a dictionary",
    "multiple_argument_values": "one value, not another one without its name",
}
"""What is expected, by the type of an error, where the message does not say it."""

TERMS = {
    "Value error, ": "",
    "Input should be ": "",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "an instance of Path": "a path",
    "an instance of Sequence": "a list or a tuple",
    "a valid dictionary": "a dictionary",
}
"""What stands in the place of terms of pydantic."""


@dataclass(frozen=True, config=STRICT)
class StrictOptions:
    """The base class of dataclasses of options, each of which is decorated as this one is.

    Raises:
        ConfigError: when an option is unknown, of another type or out of range.
    """

    @field_validator("*", mode="before")
    @classmethod
    def _convert_numbers(cls, value: Any) -> Any:
        """Convert numbers and booleans of NumPy to those of Python."""
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real):
            return float(value)
        return bool(value) if type(value).__module__ == "numpy" and getattr(value, "dtype", None) == "bool" else value

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_wrong(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            names = tuple(cls.__dataclass_fields__)
            raise ConfigError(" ".join(_describe(error, names, _by_name(data, names)))) from error


def _by_name(data: Any, names: Collection[str]) -> Mapping[str, Any]:
    """Return the options by name, of which the first ones may be given without names."""
    if not isinstance(data, ArgsKwargs):
        return data if isinstance(data, Mapping) else {}
    return dict(zip(names, data.args, strict=False)) | (data.kwargs or {})


def _describe(error: ValidationError, names: tuple[str, ...], given: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each option that is not valid."""
    unknown: list[str] = []
    expected: dict[str, list[str]] = {}
    n_positions = 0
    for details in error.errors():
        place, *inner = details["loc"]
        if details["type"] == "unexpected_positional_argument":
            n_positions = int(place) + 1
            continue
        name = names[place] if isinstance(place, int) else place
        if details["type"] == "unexpected_keyword_argument":
            unknown.append(_unknown(name, names))
            continue
        if inner and isinstance(value := given.get(name), Mapping) and inner[0] in value:
            name += f".{inner[0]}"
        text = EXPECTED.get(details["type"], details["msg"])
        for term, ours in TERMS.items():
            text = text.replace(term, ours)
        expected.setdefault(f"{name}: found {details['input']!r:.60}", []).append(text)
    if n_positions:
        known = ", ".join(names)
        unknown.append(f"Found {n_positions} options without their names; expected at most {len(names)}: {known}.")
    return [*unknown, *(f"{found}; expected {' or '.join(texts)}." for found, texts in expected.items())]


def _unknown(name: str, known: Collection[str]) -> str:
    suggestion = did_you_mean(name, known)
    return f"There is no option '{name}'; {suggestion}" + ("" if suggestion.endswith("?") else ".")
