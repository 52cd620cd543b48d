"""The text of a source or a translation in XML, without the code of its markup."""

from __future__ import annotations

from collections.abc import Collection, Mapping

KINDS: dict[str, tuple[str, ...]] = {
    "g": ("open", "close"),
    "pc": ("open", "close"),
    "bpt": ("open",),
    "bx": ("open",),
    "sc": ("open",),
    "ept": ("close",),
    "ex": ("close",),
    "ec": ("close",),
    "x": ("single",),
    "ph": ("single",),
    "ut": ("single",),
    "it": ("isolated",),
}
"""The kinds of code that elements are; the same code may be written in several ways."""

IDENTIFIERS = ("rid", "startRef", "copyOf", "id", "x")
"""The attributes that tell codes apart, the first ones before the others; TMX has ``x``."""


class InlineText:
    """Collects the text of one element; some elements in it are code, whose content is left out.

    Args:
        codes: the names of the elements that are code.
    """

    def __init__(self, codes: Collection[str]) -> None:
        self._codes = codes
        self._pieces: list[str] = []
        self._n_codes = 0
        self.found: list[str] = []
        """The codes so far, by kind and id, which a translation must have too."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the start of an element."""
        if not self._n_codes and name in KINDS:
            identifier = next((attributes[key] for key in IDENTIFIERS if key in attributes), "")
            self.found += [f"{kind} {identifier}" for kind in KINDS[name]]
        if self._n_codes or name in self._codes or attributes.get("mtype") == DELETED:
            self._n_codes += 1
            if attributes.get("ctype") == "lb" or attributes.get("subType") == "xlf:lb":
                self._pieces.append("\n")  # the code of a line break

    def end(self, name: str) -> None:
        """Take the end of an element."""
        if self._n_codes:
            self._n_codes -= 1

    def add(self, text: str) -> None:
        """Take the next text."""
        if not self._n_codes:
            self._pieces.append(text)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)


DELETED = "x-sdl-deleted"
"""The type of a ``mrk`` around text that was deleted while changes were tracked."""
