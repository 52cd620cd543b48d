"""Reading YAML and JSON within bounds: plain values, and the text of each scalar as it is written.

Configurations come from anywhere. Tags never create objects, keys are text, and what would expand to more than memory
holds (anchors in anchors), nest without end or repeat a key is rejected by its line, before it is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from kiwi.exceptions import ConfigError, MalformedError

LARGEST_FILE = 2**20
"""The maximum size of a file, in bytes."""

MAX_DEPTH = 50
"""The maximum number of levels of lists and mappings within each other."""

MAX_VALUES = 100_000
"""The maximum number of values, after anchors are expanded."""

LONGEST_NUMBER = 1000
"""The maximum number of characters of a number; a longer one is kept as text."""

YAML_TAG = "tag:yaml.org,2002:"
TAGS = {f"{YAML_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}
"""The tags of the values that a configuration may hold."""


@dataclass(frozen=True)
class Document:
    """The content of a YAML or JSON text."""

    values: Any
    """The plain values."""

    texts: Any = None
    """The same mappings and lists, with every scalar as the text that is written there; an empty scalar is None."""

    anchored: frozenset[str] = frozenset()
    """The keys at the top level whose values have an anchor that is used elsewhere."""


def read_structured(path: Path) -> Any:
    """Read a YAML or JSON file.

    Raises:
        ConfigError: when it cannot be read or parsed (:class:`MalformedError`); it names file, line and reason.
    """
    return read_document(path).values


def read_document(path: Path) -> Document:
    """Read a YAML or JSON file with the text of each scalar; see :func:`read_structured`."""
    text = read_file(path)
    return parse_json_document(text, path) if path.suffix == ".json" else parse_document(text, path)


def read_file(path: Path, largest: int = LARGEST_FILE) -> str:
    """Read the text of a YAML or JSON file.

    Args:
        path: the file.
        largest: the maximum size, in bytes.

    Raises:
        ConfigError: when it cannot be read.
        MalformedError: when it is too large, or no text.
    """
    try:
        if path.is_file() and path.stat().st_size > largest:
            raise MalformedError(f"{path}: found {path.stat().st_size} bytes; expected at most {largest}.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from error
    except (OSError, ValueError) as error:  # ValueError of a path with NUL
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def parse_yaml(text: str, path: object, *, plain: bool = False) -> Any:
    """Parse YAML into plain values; tags never create objects.

    Args:
        text: the text to parse.
        path: the file of the text, for errors.
        plain: whether to reject anchors, which no file that kiwi writes has.

    Raises:
        MalformedError: when it does not parse; it names file, line and reason.
    """
    return parse_document(text, path, plain=plain).values


def parse_document(text: str, path: object, *, plain: bool = False) -> Document:
    """Parse YAML into values and texts; see :func:`parse_yaml`."""
    try:
        loader = _Loader(text, plain=plain)
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        _Bounds().check(node)
        values = loader.construct_document(node)
        return Document(values, _texts_of(node), _anchored_keys(node, loader.aliased))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MalformedError(
            f"{path}, line {mark.line + 1 if mark else 1}: not valid YAML: {error.problem}."
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"found the control character U+{error.character:04X} in line {line}"
        raise MalformedError(f"{path}: not valid YAML: {found}; expected text.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError of a number
        raise MalformedError(f"{path}: not valid YAML: {error}.") from error


class _Loader(yaml.SafeLoader):
    """A YAML loader that rejects duplicate keys and deep nesting, and reads ``5e-7`` as a number, as in YAML 1.2.

    Dates are text, and so are keys, whatever they look like: ``no: 1`` has the key "no".
    """

    def __init__(self, text: str, *, plain: bool) -> None:
        super().__init__(text)
        self._plain = plain
        self._depth = 0
        self.aliased: set[int] = set()
        """The ids of the nodes that an alias refers to."""

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, and refuse deep nesting and, in plain files, anchors and aliases."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if self._plain and getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are not allowed", event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"more than {MAX_DEPTH} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            self.aliased.add(id(node))
        return node

    @override
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys are text, and refuse duplicate keys."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "found a key that is no text", key_node.start_mark)
            if key_node.tag != f"{YAML_TAG}merge" and key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key '{key_node.value}'", key_node.start_mark
                )
            seen.add(key_node.value)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def construct_integer(self, node: Any) -> int | str:
        """Return a number, or the text of one that is too long to be anything but text."""
        if len(node.value) > LONGEST_NUMBER:
            if self._plain:  # no checkpoint has one
                found = f"found a number of {len(node.value)} digits"
                raise yaml.constructor.ConstructorError(None, None, found, node.start_mark)
            return str(node.value)
        return self.construct_yaml_int(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag.removeprefix(YAML_TAG) not in ("timestamp", "value")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{YAML_TAG}float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)
_Loader.add_constructor(f"{YAML_TAG}int", _Loader.construct_integer)


class _Bounds:
    """Checks the nodes of a YAML text before values are built from them."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        """The number of values by the id of the node; 0 while a node is being counted."""

    def check(self, node: Any) -> int:
        """Return the number of values that a node expands to, and refuse too many, and a node within itself."""
        if (size := self._sizes.get(id(node))) is not None:
            if size == 0:
                raise yaml.composer.ComposerError(None, None, "found an anchor that contains itself", node.start_mark)
            return size
        if node.tag not in TAGS:
            tag = node.tag.replace(YAML_TAG, "!!")
            raise yaml.composer.ComposerError(None, None, f"found the tag '{tag}'; expected none", node.start_mark)
        if isinstance(node, yaml.ScalarNode) and "\0" in node.value:
            raise yaml.composer.ComposerError(None, None, "found a NUL character", node.start_mark)
        self._sizes[id(node)] = 0
        size = 1 + sum(map(self.check, _children(node)))
        if size > MAX_VALUES:
            reason = f"found more than {MAX_VALUES} values, after anchors are expanded"
            raise yaml.composer.ComposerError(None, None, reason, node.start_mark)
        self._sizes[id(node)] = size
        return size


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, yaml.ScalarNode):
        return ()
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [child for pair in node.value for child in pair]


def _texts_of(node: Any) -> Any:
    """Return the texts of a node; merged keys have been put into their mappings before."""
    if isinstance(node, yaml.SequenceNode):
        return [_texts_of(child) for child in node.value]
    if isinstance(node, yaml.MappingNode):
        return {key.value: _texts_of(value) for key, value in node.value}
    return node.value if node.value or node.style else None


def _anchored_keys(node: Any, aliased: set[int]) -> frozenset[str]:
    def holds_anchor(each: Any) -> bool:
        return id(each) in aliased or any(map(holds_anchor, _children(each)))

    pairs = node.value if aliased and isinstance(node, yaml.MappingNode) else ()
    return frozenset(key.value for key, value in pairs if holds_anchor(value))


def parse_json_document(text: str, path: object) -> Document:
    """Parse JSON into values and texts.

    Raises:
        MalformedError: when it does not parse; it names file, line and reason.
    """
    options: dict[str, Any] = {"object_pairs_hook": _unique}
    try:
        values = json.loads(text, parse_int=lambda each: int(each) if len(each) <= LONGEST_NUMBER else each, **options)
        texts = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, **options)
        _check_json(values)
    except json.JSONDecodeError as error:
        raise MalformedError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.") from error
    except RecursionError as error:
        raise MalformedError(f"{path}: not valid JSON: more than {MAX_DEPTH} levels.") from error
    except ValueError as error:
        raise MalformedError(f"{path}: not valid JSON: {error}.") from error
    return Document(values, texts)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key '{next(name for name in names if names.count(name) > 1)}'")
    return found


def _check_json(values: Any) -> None:
    level, depth = [values], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels")
        if any("\0" in each for each in level if isinstance(each, str)):
            raise ValueError("found a NUL character")
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [value for each in inner for value in (each.values() if isinstance(each, dict) else each)]
