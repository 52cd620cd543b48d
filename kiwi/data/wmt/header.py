"""The header of submissions to the WMT quality estimation tasks."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)

FIGURES = ("the bytes of the model on disk", "its number of parameters", "the number of ensembled models")
"""The figures of a header, in order."""

HEADER_LENGTHS = (0, 2, 3)
"""The possible numbers of header lines, which are 0 in WMT20, 2 in WMT21, and 3 in WMT22 and WMT23."""

MAX_DIGITS = 18
"""The maximum number of digits of a count."""

HEADER_LINE = re.compile(rf"(\d{{1,{MAX_DIGITS}}})(?![\d.,])(.*)", re.ASCII | re.DOTALL)
"""A figure of a header, which words may follow, as in ``633305686 (3 models)``."""


@dataclass(frozen=True)
class Header:
    """The figures of the model before the first row of a submission; none in WMT20.

    Raises:
        DataError: for a combination of figures that no year's format has.
    """

    disk_bytes: int | None = None
    """The size of the model's files in bytes, without compression; from WMT21 on."""

    parameters: int | None = None
    """The number of parameters of the model; from WMT21 on."""

    ensembled: int | None = None
    """The number of ensembled models; from WMT22 on."""

    def __post_init__(self) -> None:
        given = [figure is not None for figure in (self.disk_bytes, self.parameters, self.ensembled)]
        if given not in ([False] * 3, [True, True, False], [True] * 3):
            raise DataError(f"{self}: expected no figure, disk_bytes and parameters, or all three.")

    @property
    def figures(self) -> list[int]:
        """The figures that are given, in order."""
        return [figure for figure in (self.disk_bytes, self.parameters, self.ensembled) if figure is not None]


def parse_count(text: str) -> int | None:
    """Parse a whole number in ASCII digits; return None when the text is not one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def parse_header(lines: Sequence[str], path: object) -> Header:
    """Parse the lines before the first row; of each, the number that it begins with.

    Args:
        lines: the lines, without white space around them.
        path: the file, for errors.

    Raises:
        DataError: for a wrong number of lines, or a line that does not begin with a whole number.
    """
    if len(lines) not in HEADER_LENGTHS:
        found = f"{len(lines)} line(s) before the first row"
        raise DataError.at(path, len(lines), found=found, expected="none, two or three")
    figures = []
    for number, (line, name) in enumerate(zip(lines, FIGURES, strict=False), start=1):
        found_number = HEADER_LINE.fullmatch(line)
        if found_number is None:
            expected = f"{name}, a whole number, or a row with columns separated by tabs"
            raise DataError.at(path, number, found=f"'{line:.60}'", expected=expected)
        if found_number[2].strip():
            form = "%s, line %d: read %s as %s; ignored '%.60s'."
            logger.warning(form, path, number, found_number[1], name, found_number[2].strip())
        figures.append(int(found_number[1]))
    return Header(*figures)
