"""Configurations, and the files that they and other plain values are read from and written to."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from kiwi.exceptions import ConfigError
from kiwi.utils.staging import staged as staged


def did_you_mean(name: object, candidates: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest candidate, or all of them."""
    known = list(candidates)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"


class BaseConfig(BaseModel):
    """Base of every configuration: frozen, unknown keys refused, a docstring under every option.

    Change one with ``config.model_copy(update={...})``.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
        protected_namespaces=(),
    )

    @classmethod
    def from_dict(cls, options: Mapping[str, Any], place: str = "") -> Self:
        """Validate a mapping of options.

        Args:
            options: by name.
            place: dotted path of the mapping in a larger configuration, for errors.

        Raises:
            ConfigError: with all mistakes, each with its dotted path.
        """
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            raise ConfigError(_describe(error, options, place)) from error

    @model_validator(mode="wrap")
    @classmethod
    def _report_all_mistakes(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong = cls.mistakes_of(data) if isinstance(data, Mapping) else {}
        try:
            valid = handler(data)
        except ValidationError as error:
            details = [cls._with_suggestion(details) for details in error.errors()]
            raise ValidationError.from_exception_data(error.title, [*details, *_details(wrong)]) from None
        if wrong:
            raise mistakes(cls.__name__, wrong)
        return valid

    @classmethod
    def mistakes_of(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """Mistakes that no single option has; found even when options are not valid by themselves.

        Args:
            options: as they were given, of any type.

        Returns:
            Dotted path to message.
        """
        return {}

    @classmethod
    def _with_suggestion(cls, details: Any) -> InitErrorDetails:
        kind, message = details["type"], details["msg"]
        if kind == "extra_forbidden" and len(details["loc"]) == 1:
            kind = "unknown_key"
            message = f"unknown key; {did_you_mean(details['loc'][0], cls.model_fields)}"
        # As a field of the error's context, the text may hold braces.
        error = PydanticCustomError(kind, "{text}", {"text": message})
        return InitErrorDetails(type=error, loc=details["loc"], input=details["input"])


def mistakes(title: str, by_path: Mapping[str, str]) -> ValidationError:
    """An error of several options at once, for a validator to raise.

    Args:
        title: of the configuration.
        by_path: dotted path, relative to the validated class, to message.
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
        path = _dotted_path(details["loc"], options, as_given=kind == "mistake")
        path = ".".join(filter(None, (place, path)))
        if kind == "missing":
            text = "required, but not given"
        elif kind != "unknown_key" and isinstance(details["input"], str | int | float | Path):
            found[path] = f" (found {str(details['input'])!r})"
        if text not in mistakes.setdefault(path, []):
            mistakes[path].append(text)
    lines = [
        f"  {path or '(top level)'}: {' or '.join(texts)}{found.get(path, '')}"
        for path, texts in mistakes.items()
        # A value that one branch of a union takes apart is no news from the branches that want another type.
        if not path or not any(other.startswith(f"{path}.") for other in mistakes)
    ]
    count = f"{len(lines)} mistakes" if len(lines) > 1 else "A mistake"
    return "\n".join([f"{count} in the configuration:", *lines])


BRANCHES = frozenset({"int", "float", "str", "bool", "path", "none"})
"""Names that pydantic gives to the branches of a union, besides those that are no identifiers."""


def _dotted_path(location: tuple[int | str, ...], options: Any, *, as_given: bool) -> str:
    """The keys of a location as the user wrote them, without pydantic's names for the branches of a union.

    Args:
        location: of an error.
        options: that the user gave.
        as_given: whether the location has no such names.
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
            keys.append(str(part))  # not given, or not known
    return ".".join(keys)


def read_structured(path: Path) -> Any:
    """Content of a YAML or JSON file.

    Raises:
        ConfigError: with file, line and reason when it does not parse.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    if path.suffix != ".json":
        return parse_yaml(text, path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid JSON: nested too deeply.") from error


def parse_yaml(text: str, path: Path, *, plain: bool = False) -> Any:
    """Plain values of YAML: no tag builds an object.

    Args:
        text: to parse.
        path: where it is from, for errors.
        plain: whether anchors are refused, a few of which can stand for more than any memory holds.

    Raises:
        ConfigError: with file, line and reason when it does not parse.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader if plain else _StrictLoader)  # both are SafeLoaders
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}, line {line}: not valid YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}.") from error
    except (RecursionError, ValueError) as error:  # of a number or a date, too
        raise ConfigError(f"{path}: not valid YAML: {error}.") from error


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key stands once and ``5e-7`` is a number, as YAML 1.2 has it."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else repr(key))
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


class _PlainLoader(_StrictLoader):
    """YAML without anchors, nested no deeper than configurations are."""

    deepest = 50

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are refused here", event.start_mark)
        self._depth += 1
        if self._depth > self.deepest:
            raise yaml.composer.ComposerError(None, None, f"more than {self.deepest} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _PlainDumper(yaml.SafeDumper):
    """YAML without anchors: what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file, lines ended by line feeds, whole or not at all."""
    with staged(path) as stage:
        stage.write_text(text, encoding="utf-8", newline="\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line for each item, whole or not at all."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping of plain values as YAML, keys in their order."""
    write_text(path, to_yaml(content))


def to_yaml(content: Mapping[str, Any]) -> str:
    """A mapping of plain values as YAML, keys in their order."""
    text: str = yaml.dump(dict(content), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)
    return text


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
