"""Check the built reference: every option is there once, and its description is the whole docstring.

python docs/check_reference.py site
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

from kiwi.utils.io import BaseConfig

MODULES = (
    "kiwi.lib.train",
    "kiwi.lib.pretrain",
    "kiwi.lib.predict",
    "kiwi.lib.bulk",
    "kiwi.lib.evaluate",
    "kiwi.lib.search",
)
"""The pipelines; importing them imports every configuration."""

HEADINGS = ("Default", "Required")
"""Beginnings of the paragraphs that conf.py adds below a description."""


class Entries(HTMLParser):
    """The documented names of a page, each with the paragraphs of its description, and the labels of field lists."""

    def __init__(self) -> None:
        super().__init__()
        self.descriptions: dict[str, list[str]] = {}
        self.labels: dict[str, list[str]] = defaultdict(list)
        self._name = ""
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an entry, a paragraph of it, or a label."""
        values = dict(attrs)
        if tag == "dt" and "sig" in (values.get("class") or ""):
            self._name, self._in = values.get("id") or "", ""
            self.descriptions[self._name] = []
        elif tag == "dt":
            self._in = "label"
        elif tag in ("p", "li", "pre") and self._name:
            self._in = "description"
            self.descriptions[self._name].append("")

    def handle_endtag(self, tag: str) -> None:
        """End an entry, a paragraph of it, or a label."""
        if tag in ("p", "li", "pre", "dt"):
            self._in = ""
        elif tag == "dd":
            self._name = ""

    def handle_data(self, data: str) -> None:
        """Take the text."""
        if self._in == "description":
            self.descriptions[self._name][-1] += data
        elif self._in == "label":
            self.labels[self._name].append(data)


def letters(text: str) -> str:
    """Return the letters and digits of a text; the rest is markup, or typography."""
    text = re.sub(r":\w+:`~?(?:([^`<]+?)\s*<[^>]*>|([^`]+))`", lambda match: match[1] or match[2], text)
    return re.sub(r"[\W_]+", "", text)


def configurations(base: type[BaseConfig]) -> list[type[BaseConfig]]:
    """Return all configurations that are derived from one."""
    found = [derived for derived in base.__subclasses__() if derived.__module__.startswith("kiwi.")]
    return [*found, *(each for derived in found for each in configurations(derived))]


def main(site: Path) -> int:
    """Print what is wrong with the reference.

    Returns:
        The exit status, 1 when anything is.
    """
    for module in MODULES:
        importlib.import_module(module)
    entries: dict[tuple[type[BaseConfig], str], list[tuple[str, str]]] = defaultdict(list)
    wrong: list[str] = []
    for page in sorted(site.rglob("*.html")):
        parser = Entries()
        parser.feed(page.read_text(encoding="utf-8"))
        wrong += [f"{name}: torn at a colon" for name, labels in parser.labels.items() if "Type" in labels]
        for name, paragraphs in parser.descriptions.items():
            owner, _, option = name.rpartition(".")
            config = pkgutil.resolve_name(owner) if owner.startswith("kiwi.") else None
            if isinstance(config, type) and issubclass(config, BaseConfig) and option in config.model_fields:
                text = "".join(each for each in paragraphs if not each.startswith(HEADINGS))
                entries[config, option].append((name, text))
    for config in sorted(set(configurations(BaseConfig)), key=lambda each: (each.__module__, each.__qualname__)):
        descriptions = config.descriptions()
        for option in config.__annotations__.keys() & config.model_fields.keys():
            found, place = entries[config, option], f"{config.__module__}.{config.__qualname__}.{option}"
            if len(found) != 1:
                wrong.append(f"{place}: found {len(found)} times in the reference; expected 1")
            expected = letters(descriptions.get(option, ""))
            wrong += [f"{name}: found {text!r}" for name, text in found if letters(text) != expected]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{sum(map(len, entries.values()))} options in the reference, {len(wrong)} mistakes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
