"""The base class of configurations, and writing of JSON and text files."""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from kiwi.exceptions import ConfigError
from kiwi.utils.staging import staged as staged
from kiwi.utils.written import fit_options

Size = Annotated[int, Field(gt=0, le=2**13)]
"""A size of layers or embeddings, for whose squares memory is allocated."""

Layers = Annotated[int, Field(gt=0, le=64)]
"""A number of layers."""

Workers = Annotated[int, Field(gt=0, le=1024)]
"""A number of processes or threads."""

Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
"""A weight of a loss, a label or a penalty."""


def did_you_mean(name: object, candidates: Iterable[str]) -> str:
    """Return the end of a message about an unknown name, which suggests the nearest candidate or lists all of them."""
    known = list(candidates)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"


class BaseConfig(BaseModel):
    """The base class of all configurations, which are frozen, reject unknown keys, and document every option.

    To change an option, copy the configuration with ``config.model_copy(update={...})``.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        protected_namespaces=(),
        defer_build=True,  # most commands validate few configurations
    )

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """Return the description of each option, which is the docstring below it.

        pydantic's own option would read the source of every configuration that is imported, which takes long.
        """
        found: dict[str, str] = {}
        for owner in reversed(cls.__mro__[: cls.__mro__.index(BaseConfig)]):
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
            assert isinstance(tree, ast.ClassDef)
            for option, text in itertools.pairwise(tree.body):
                match option, text:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(description))),
                    ):
                        found[name] = inspect.cleandoc(description)
        return {name: found[name] for name in cls.model_fields if name in found}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any], place: str = "") -> Self:
        """Validate a mapping of options.

        Args:
            options: the options by name.
            place: the dotted path of the mapping in a larger configuration, for errors.

        Raises:
            ConfigError: when options are invalid; it lists all mistakes with their dotted paths.
        """
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            raise ConfigError(_describe(error, options, place)) from error

    @model_validator(mode="wrap")
    @classmethod
    def _report_all_mistakes(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong: dict[str, str] = {}
        if isinstance(data, Mapping):
            data, unfit = fit_options(cls._annotations(), data)
            wrong = unfit | cls.mistakes_of(data)
        try:
            valid = handler(data)
        except ValidationError as error:
            details = [cls._with_suggestion(details) for details in error.errors()]
            raise ValidationError.from_exception_data(error.title, [*details, *_details(wrong)]) from None
        if wrong:
            raise mistakes(cls.__name__, wrong)
        return valid

    @classmethod
    def _annotations(cls) -> dict[str, Any]:
        return {name: field.annotation for name, field in cls.model_fields.items()}

    @classmethod
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the mistakes that concern several options, even when single options are invalid too.

        Args:
            options: the options as given, which may be of any type.

        Returns:
            A message for each dotted path.
        """
        return {}

    @classmethod
    def _with_suggestion(cls, details: Any) -> InitErrorDetails:
        kind, message = details["type"], details["msg"]
        if kind == "extra_forbidden" and len(details["loc"]) == 1:
            kind = "unknown_key"
            message = f"unknown key; {did_you_mean(details['loc'][0], cls.model_fields)}"
        # The text is passed as context, because it may contain braces.
        error = PydanticCustomError(kind, "{text}", {"text": message})
        return InitErrorDetails(type=error, loc=details["loc"], input=details["input"])


def mistakes(title: str, by_path: Mapping[str, str]) -> ValidationError:
    """Return an error about several options at once, for a validator to raise.

    Args:
        title: the name of the configuration.
        by_path: a message for each dotted path, relative to the validated class.
    """
    return ValidationError.from_exception_data(title, _details(by_path))


def _details(by_path: Mapping[str, str]) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError("mistake", "{text}", {"text": text}),
            loc=tuple(int(part) if part.isdigit() else part for part in path.split(".")),
            input=None,
        )
        for path, text in by_path.items()
    ]


def _describe(error: ValidationError, options: Any, place: str) -> str:
    mistakes: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for details in error.errors():
        kind, text = details["type"], details["msg"].removeprefix("Value error, ").rstrip(".")
        if kind in ("dict_type", "model_type"):
            text = "expected options (key: value)"
        path = _dotted_path(details["loc"], options, as_given=kind == "mistake")
        path = ".".join(filter(None, (place, path)))
        if kind == "missing":
            text = "required, but not given"
        elif (
            kind != "unknown_key"
            and not text.startswith("found ")
            and isinstance(details["input"], str | int | float | Path)
        ):
            given = str(details["input"])
            found[path] = f" (found {given[:LONGEST_QUOTE]!r}{'...' if len(given) > LONGEST_QUOTE else ''})"
        if text not in mistakes.setdefault(path, []):
            mistakes[path].append(text)
    lines = [
        f"  {path or '(top level)'}: {' or '.join(texts)}{found.get(path, '')}"
        for path, texts in mistakes.items()
        # Where one branch of a union reports mistakes inside a value, those of the other branches are noise.
        if not path or not any(other.startswith(f"{path}.") for other in mistakes)
    ]
    count = f"{len(lines)} mistakes" if len(lines) > 1 else "A mistake"
    return "\n".join([f"{count} in the configuration:", *lines])


LONGEST_QUOTE = 200
"""The number of characters of a value that an error quotes."""

BRANCHES = frozenset({"int", "float", "str", "bool", "path", "none"})
"""Pydantic's names for branches of a union that look like option names."""


def _dotted_path(location: tuple[int | str, ...], options: Any, *, as_given: bool) -> str:
    """Return the keys of a location as the user wrote them, without pydantic's names for the branches of a union.

    Args:
        location: the location of an error.
        options: the options of the user.
        as_given: whether the location is free of such names.
    """
    if as_given:
        return ".".join(map(str, location))
    keys: list[str] = []
    here = options
    for position, part in enumerate(location, start=1):
        is_key = isinstance(here, Mapping) and part in here
        is_item = isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)
        if is_key or is_item:
            here = here[part]
            keys.append(str(part))
        elif position == len(location) and str(part).isidentifier() and part not in BRANCHES:
            keys.append(str(part))  # a missing or unknown key
    return ".".join(keys)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically, with LF line endings."""
    with staged(path) as stage:
        stage.write_text(text, encoding="utf-8", newline="\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a file with one line per item, atomically."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_json(path: Path, content: Any) -> None:
    """Write plain values to a JSON file."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
