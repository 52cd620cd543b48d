"""Writing YAML, with numbers and switches as they were written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from kiwi.utils.display import hide_secrets, map_texts
from kiwi.utils.io import write_text
from kiwi.utils.written import Items, Options, texts_of

INTERPOLATION = re.compile(r"(\\*)\$\{")
"""The start of an interpolation, with the backslashes before it, of which each two stand for one."""


class _PlainDumper(yaml.SafeDumper):
    """A YAML dumper that writes repeated values in full, without anchors."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out, without anchors and aliases."""
        return True

    def represent_options(self, data: Options | Items) -> Any:
        """Represent numbers and switches as they are written, so that text options take them as text again."""
        written = texts_of(data)
        node: Any
        if isinstance(data, Items):
            node, pairs = self.represent_list(data), list(enumerate(data))
        else:
            node, pairs = self.represent_dict(data), list(data.items())  # type: ignore[arg-type]
        for position, (key, value) in enumerate(pairs):
            text = written[key]
            if not isinstance(text, str) or isinstance(value, str):
                continue
            tag = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
            scalar = yaml.ScalarNode(tag, text)
            node.value[position] = scalar if isinstance(data, Items) else (node.value[position][0], scalar)
        return node


_PlainDumper.add_representer(Options, _PlainDumper.represent_options)
_PlainDumper.add_representer(Items, _PlainDumper.represent_options)


def literal(text: str) -> str:
    """Return a text as it is written in a configuration, where ``${`` would be an interpolation."""
    return INTERPOLATION.sub(r"\1\1\\${", text)


def write_configuration(path: Path, options: Mapping[str, Any]) -> None:
    """Write options to a YAML file that is read as a configuration, which is interpolated."""
    write_text(path, to_configuration(options))


def to_configuration(options: Mapping[str, Any]) -> str:
    """Return options as YAML that is read as a configuration, without secrets of URIs, and with ``${`` escaped."""
    return to_yaml(map_texts(hide_secrets(options), literal))


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping of plain values to a YAML file, keeping the order of the keys."""
    write_text(path, to_yaml(content))


def to_yaml(content: Mapping[str, Any]) -> str:
    """Return a mapping of plain values as YAML, keeping the order of the keys."""
    text: str = yaml.dump(dict(content), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)
    return text
