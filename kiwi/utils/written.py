"""Options as they are written: text options take ``no``, ``042`` and ``1e5`` as text, and paths take ``~``.

YAML reads ``no`` as false and ``042`` as 34 before anybody knows whether the option takes text. :class:`Options` and
:class:`Items` hold what YAML reads and remember what is written, which :func:`fit_options` gives to options that take
text and no such value.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BeforeValidator

from kiwi.exceptions import ConfigError

LARGEST_INTEGER = 2**32
"""The largest value of an option that takes a whole number; sizes have bounds of their own."""


class Options(dict[str, Any]):
    """A mapping that remembers the texts of its values."""

    texts: dict[Any, tuple[Any, str]]
    """The value and its text, by key, where they differ."""

    anchored: frozenset[str]
    """The keys whose values have an anchor that is used elsewhere in the file."""

    def __init__(self, values: Mapping[str, Any] = types.MappingProxyType({})) -> None:
        super().__init__(values)
        self.texts = dict(getattr(values, "texts", {}))
        self.anchored = getattr(values, "anchored", frozenset())

    def __or__(self, other: Mapping[str, Any]) -> Self:  # type: ignore[override]
        both = type(self)(self)
        both.update(other)
        both.texts |= getattr(other, "texts", {})
        return both

    def select(self, *, variables: bool) -> Self:
        """Return the variables, whose names begin with an underscore, or the options, which are all others."""
        chosen = type(self)(self)
        for key in [key for key in self if key.startswith("_") != variables]:
            del chosen[key]
        return chosen


class Items(list[Any]):
    """A list that remembers the texts of its values."""

    def __init__(self, values: list[Any], texts: Mapping[int, tuple[Any, str]] = types.MappingProxyType({})) -> None:
        super().__init__(values)
        self.texts = dict(texts)


def remember(values: Any, texts: Any) -> Any:
    """Return values that remember their texts.

    Args:
        values: plain mappings, lists and values.
        texts: mappings and lists of the same form, with a text in place of each value.
    """
    if isinstance(values, dict):
        inner = texts if isinstance(texts, dict) else {}
        options = Options({key: remember(value, inner.get(key)) for key, value in values.items()})
        options.texts = _differing(options.items(), inner)
        return options
    if isinstance(values, list):
        inner = dict(enumerate(texts)) if isinstance(texts, list) else {}
        items = [remember(value, inner.get(position)) for position, value in enumerate(values)]
        return Items(items, _differing(enumerate(items), inner))
    # Text within which a value is interpolated has it as it is written.
    return texts if isinstance(values, str) and isinstance(texts, str) else values


def _differing(pairs: Any, texts: Mapping[Any, Any]) -> dict[Any, tuple[Any, str]]:
    found: dict[Any, tuple[Any, str]] = {}
    for key, value in pairs:
        text = texts.get(key)
        if isinstance(value, dict | list) or (text is None and key not in texts):
            continue
        if isinstance(text, bool):  # of JSON
            text = json.dumps(text)
        if isinstance(text, str) and text != value:
            found[key] = (value, text)
    return found


def texts_of(values: Any) -> Any:
    """Return values with texts in place of those that are written differently, as :func:`remember` takes them."""
    if isinstance(values, Mapping):
        return {key: texts_of(_written(values, key, value)) for key, value in values.items()}
    if isinstance(values, list):
        return [texts_of(_written(values, position, value)) for position, value in enumerate(values)]
    return values


def _written(values: Any, key: Any, value: Any) -> Any:
    """Return the text of a value, unless the value was replaced since; the value where there is no text."""
    former, text = getattr(values, "texts", {}).get(key, (None, None))
    return text if text is not None and type(former) is type(value) and former == value else value


def expand_home(path: str | Path) -> Path:
    """Return a path with ``~`` and ``~user`` replaced by the home directory.

    Raises:
        ValueError: when there is no such user.
    """
    return Path(_expand(str(path)))


def user_path(path: str | Path) -> Path:
    """Return a path that a user gives, with ``~`` expanded.

    Raises:
        ConfigError: when there is no such user.
    """
    return Path(user_name(path))


def optional_path(path: str | Path | None) -> Path | None:
    """Return a path as :func:`user_path` does, and None where none is given."""
    return None if path is None else user_path(path)


def user_name(name: str | Path) -> str:
    """Return the name of a model, or the path of its folder, with ``~`` expanded; ``./`` stays, which marks a path.

    Raises:
        ConfigError: when there is no such user.
    """
    try:
        return _expand(str(name))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}.") from error


def _expand(text: str) -> str:
    """Return a path, or a URL of a file or of a database in a file, with ``~`` and ``~user`` expanded."""
    scheme, path = re.match(r"((?:sqlite(?:\+\w+)?:///|file://(?=~))?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if not path.startswith("~"):
        return text
    try:
        return f"{scheme}{Path(path).expanduser()}"
    except RuntimeError as error:
        user = path.partition("/")[0]
        reason = f"found {user}, but there is no such user; write ./{user} for a file of this name"
        raise ValueError(reason) from error


PathText = Annotated[str, BeforeValidator(lambda value: _expand(value) if isinstance(value, str) else value)]
"""Text that may be a path, a URL or the name of a model; ``~`` is expanded."""


def fit_options(fields: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Return options with texts where the fields take text, and with the home directory for ``~`` in paths.

    Args:
        fields: the annotations of the fields, by name.
        options: the options as given.

    Returns:
        The options, and a message for each that cannot be used.
    """
    fitted: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for key, value in options.items():
        if key not in fields:
            continue
        try:
            fit = _fit(value, _written(options, key, value), fields[key])
        except ValueError as error:
            wrong[key] = str(error)
            continue
        if fit is not value:
            fitted[key] = fit
    return (options | fitted if isinstance(options, Options) else {**options, **fitted}) if fitted else options, wrong


def _fit(value: Any, text: Any, annotation: Any) -> Any:
    kinds = _kinds(annotation)
    if Any in kinds:
        return value
    takes_text = str in kinds or Path in kinds or text in kinds
    if takes_text and not _takes(value, kinds) and isinstance(text, str):
        value = text
    if isinstance(value, str | Path) and Path in kinds:
        return expand_home(value) if str(value).startswith("~") else value
    if isinstance(value, int | str) and int in kinds:
        _check_integer(value, takes_text=takes_text)
    for kind in kinds:
        if isinstance(value, list) and get_origin(kind) is list:
            texts = texts_of(value)
            items = [_fit(each, said, get_args(kind)[0]) for each, said in zip(value, texts, strict=True)]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if isinstance(value, Mapping) and get_origin(kind) is dict:
            said = texts_of(value)
            inner = {key: _fit(each, said[key], get_args(kind)[1]) for key, each in value.items()}
            return inner if any(inner[key] is not value[key] for key in inner) else value
    return value


def _takes(value: Any, kinds: tuple[Any, ...]) -> bool:
    """Return whether one of the kinds takes the value as YAML reads it, so that its text is not needed."""
    if isinstance(value, str | list | dict | Path):
        return isinstance(value, list | dict | Path)
    if any(type(kind) is type(value) and kind == value for kind in kinds):  # a literal
        return True
    if isinstance(value, bool) or value is None:
        return type(value) in kinds
    return float in kinds or (int in kinds and (isinstance(value, int) or value.is_integer()))


def _check_integer(value: int | str, *, takes_text: bool) -> None:
    if isinstance(value, str):
        if takes_text or re.fullmatch(r"\s*[-+]?[\d_]+\s*", value) is None:
            return
        digits = len(re.sub(r"\D", "", value).lstrip("0"))
    else:
        digits = len(str(abs(value)))
    if digits > len(str(LARGEST_INTEGER)) or abs(int(value)) > LARGEST_INTEGER:
        raise ValueError(f"found a number of {digits} digits; expected at most {LARGEST_INTEGER}")


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """Return the types of an annotation, its lists and mappings, and the values of its literals."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(kind for each in get_args(annotation) for kind in _kinds(each))
    if origin is Literal:
        return get_args(annotation)
    return (annotation,)
