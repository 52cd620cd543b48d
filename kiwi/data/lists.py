"""Lists of segments that Python code gives, from any iterable to texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kiwi.exceptions import Argument, DataError

EXPECTED = "a list with one string per segment"
"""What an argument with one value per segment is, for errors."""


def as_lists(arguments: Mapping[str, object]) -> dict[str, list[Any]]:
    """Return arguments with one value per segment as lists.

    Args:
        arguments: the arguments by name: lists, arrays, columns of data frames, or other iterables.

    Raises:
        DataError: when one is of another kind, or they have different lengths.
    """
    lists = {name: _as_list(name, values) for name, values in arguments.items()}
    if len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
        raise DataError(f"Lists of different length: {lengths} segments; expected the same number in each.")
    return lists


def _as_list(name: str, values: object) -> list[Any]:
    shape = getattr(values, "shape", None)
    has_columns = isinstance(values, Mapping) or (isinstance(shape, tuple) and len(shape) > 1)
    is_other = has_columns or shape == () or isinstance(values, str | bytes | set | frozenset)
    if isinstance(values, Iterable) and not is_other:
        # The items of Arrow arrays are no strings.
        return values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    found = "one string" if isinstance(values, str) else f"a value of type {type(values).__name__}"
    advice = " Give one of its columns, such as data['source'] or data[:, 0]." if has_columns else ""
    raise DataError(f"{name}: found {'None' if values is None else found}; expected {EXPECTED}.{advice}")


def as_texts(name: str, values: Sequence[Any], note: Callable[[int, DataError, Any], None] | None = None) -> list[str]:
    """Return the values of an argument as texts without the ends of their lines.

    Args:
        name: the name of the argument, for errors.
        values: one value per segment.
        note: a function to call with the number, the error and the value of each segment that is no text, such as None
            or the NaN of a data frame; its text is blank then.

    Raises:
        DataError: at the first such segment, if there is no ``note``.
    """
    texts = []
    for number, value in enumerate(values, start=1):
        if isinstance(value, str):
            texts.append(value.rstrip("\r\n"))
            continue
        error = DataError.at(Argument(name), number, found=f"{value!r:.60}", expected="a string")
        if note is None:
            raise error
        note(number, error, value)
        texts.append("")
    return texts
