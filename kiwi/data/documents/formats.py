"""The formats of documents, which are recognized by their suffix and their content."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from kiwi import constants as const
from kiwi.data.documents.marks.notes import TMXProperties, XLIFF1Notes, XLIFF2Notes
from kiwi.data.documents.marks.trados import TradosEstimates
from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Document, Marks, Score, Tape, copy_scored
from kiwi.data.documents.po import PO
from kiwi.data.documents.rating import Rating
from kiwi.data.documents.tables.objects import ArrayTable, ObjectTable
from kiwi.data.documents.tables.parquet import copy_parquet, parquet_size
from kiwi.data.documents.tables.separated import SeparatedTable
from kiwi.data.documents.tables.xlsx import copy_workbook, workbook_size
from kiwi.data.documents.tmx import TMX
from kiwi.data.documents.xliff_1 import XLIFF1
from kiwi.data.documents.xliff_2 import XLIFF2
from kiwi.exceptions import ConfigError, DataError
from kiwi.utils.compression import SUFFIXES as COMPRESSED, compressing
from kiwi.utils.inputs import reading
from kiwi.utils.io import did_you_mean


@dataclass(frozen=True)
class HowToRead:
    """What a document may need to be read and written."""

    rating: Rating = field(default_factory=Rating)
    """The form of scores."""

    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in (const.SOURCE, const.TARGET)})
    """The column of each field that the system reads, in tables."""

    optional: Collection[str] = ()
    """The fields that are read only from tables that have their columns."""

    has_header: bool = True
    """Whether the first line of a table as text has the names of its columns."""

    languages: Sequence[str] = ()
    """The languages of source and target, in documents of several ones."""

    is_live: bool = False
    """Whether each row is written before the next one is read."""


Copy = Callable[[Path, Path | IO[bytes], HowToRead, Score, int], tuple[int, int]]
"""A function that copies a document with the scores of its segments, given the document, the copy, how to read it, the
function that scores, and how many segments are scored together. It returns the number of segments, and of units without
a translation."""


def spliced(make: Callable[[HowToRead, Tape], Document]) -> Copy:
    """Return the function that copies the bytes of a document around the scores.

    Args:
        make: a function that returns a document of some format.
    """

    def copy(path: Path, output: Path | IO[bytes], how: HowToRead, score: Score, size: int) -> tuple[int, int]:
        opened = compressing(output, output.suffix) if isinstance(output, Path) else nullcontext(output)
        with reading(path) as content, opened as file:
            tape = Tape(content, path, is_live=how.is_live)
            document = make(how, tape)
            return copy_scored(document, tape, score, file, size), document.n_without_target

    return copy


@dataclass(frozen=True)
class Format:
    """A format of documents."""

    name: str
    suffixes: tuple[str, ...]
    copy: Copy
    """The function that copies documents of this format."""

    plain_suffixes: tuple[str, ...] = ()
    """The suffixes that say no more than the format, which a copy of any of its documents may have. Others say a
    variant of a program, such as ``.sdlxliff``, and a copy has one of them only if the document has it."""

    has_state: bool = False
    """Whether its translations have a state, which ``--set-state`` sets."""

    has_spans: bool = False
    """Whether it has a place for error spans, other than a column."""

    has_languages: bool = False
    """Whether it may not say both languages, or have more than two, so that ``--languages`` says them."""

    is_table: bool = False
    """Whether it has named columns."""

    has_header: bool = False
    """Whether its first line names the columns, unless ``--no-header`` says that it does not."""

    is_text: bool = True
    """Whether it may be read from a pipe and written to one."""

    can_skip: bool = False
    """Whether bad rows can be left out of the copy."""

    size: Callable[[Path, int], int] | None = None
    """The function that returns the number of bytes of what is compressed within a document, given the document and a
    limit, beyond which it need not count; None for formats that compress nothing."""


FORMATS: tuple[Format, ...] = (
    Format(
        "XLIFF",
        (".xlf", ".xliff", ".sdlxliff", ".mqxliff", ".mxliff"),
        spliced(lambda how, tape: _xliff(how, tape)),
        plain_suffixes=(".xlf", ".xliff"),
        has_state=True,
        has_spans=True,
        has_languages=True,
    ),
    Format("TMX", (".tmx",), spliced(lambda how, tape: _tmx(how, tape)), has_languages=True),
    Format(
        "PO",
        (".po", ".pot"),
        spliced(lambda how, tape: PO(how.rating)),
        plain_suffixes=(".po", ".pot"),
        has_state=True,
        has_languages=True,
    ),
    Format(
        "CSV",
        (".csv",),
        spliced(lambda how, tape: _separated(how, is_quoted=True)),
        is_table=True,
        has_header=True,
        can_skip=True,
    ),
    Format(
        "TSV",
        (".tsv",),
        spliced(lambda how, tape: _separated(how, is_quoted=False)),
        is_table=True,
        has_header=True,
        can_skip=True,
    ),
    Format(
        "JSON Lines",
        (".jsonl", ".ndjson"),
        spliced(lambda how, tape: ObjectTable(how.columns, how.optional)),
        plain_suffixes=(".jsonl", ".ndjson"),
        is_table=True,
        can_skip=True,
    ),
    Format(
        "Parquet",
        (".parquet",),
        lambda path, output, how, score, size: (copy_parquet(path, output, how.columns, how.optional, score, size), 0),
        is_table=True,
        is_text=False,
        can_skip=True,
        size=parquet_size,
    ),
    Format(
        "XLSX",
        (".xlsx", ".xlsm"),
        lambda path, output, how, score, size: (
            copy_workbook(path, output, how.columns, how.optional, how.has_header, score, size),
            0,
        ),
        is_table=True,
        has_header=True,
        is_text=False,
        size=lambda path, limit: workbook_size(path),
    ),
    Format("JSON", (".json",), spliced(lambda how, tape: ArrayTable(how.columns, how.optional)), is_table=True),
)
"""The formats, of which each document has one."""

ROOT = re.compile(r"<([A-Za-z_][^\s/>]*)([^>]*)")
"""The first start tag of a document in XML."""


def bare_suffix(path: Path) -> str:
    """Return the suffix of a document in lower case, without that of its compression."""
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return inner.suffix.lower()


def find_format(path: Path) -> Format | None:
    """Return the format of a document by its suffix; None if it has another one."""
    suffix = bare_suffix(path)
    return next((each for each in FORMATS if suffix in each.suffixes), None)


def require_format(path: Path) -> Format:
    """Return the format of a document by its suffix.

    Raises:
        ConfigError: when it has another one; the message lists all.
    """
    found = find_format(path)
    if found is None:
        known = [suffix for each in FORMATS for suffix in each.suffixes]
        listing = "; ".join(f"{each.name} ({', '.join(each.suffixes)})" for each in FORMATS)
        suffix = bare_suffix(path)
        near = did_you_mean(suffix, known)
        advice = f" {near[0].upper()}{near[1:]}" if near.startswith("did") else ""
        raise ConfigError(f"{path}: found the suffix '{suffix}'; expected that of a format: {listing}.{advice}")
    return found


def content_size(path: Path, limit: int) -> int:
    """Return the number of bytes of a document when everything in it is decompressed.

    Args:
        path: the document, whose suffix says its format.
        limit: what is more need not be counted to the end.

    Raises:
        DataError: when compressed data is damaged.
        MissingExtraError: when a library for the format is not installed.
    """
    n_bytes = 0
    with reading(path) as content:
        while n_bytes <= limit and (block := content.read(2**20)):
            n_bytes += len(block)
    measure = require_format(path).size
    return n_bytes if measure is None or n_bytes > limit else max(n_bytes, measure(path, limit))


def xliff_version(tape: Tape) -> int:
    """Return 1 for XLIFF 1.2, and 2 for XLIFF 2.0, 2.1 and 2.2.

    Raises:
        DataError: when a document is not XLIFF, or of another version.
    """
    name, version = xml_root(tape)
    if name == "xliff" and version.startswith("1."):
        return 1
    if name == "xliff" and version in ("2.0", "2.1", "2.2"):
        return 2
    found = f"the root element <{name}>, version '{version}'" if name else "no element of XML"
    expected, advice = "<xliff> of version 1.2, 2.0, 2.1 or 2.2", "Export the file as one of these."
    raise DataError.at(tape.place, None, found=found, expected=expected, advice=advice)


def _with_marks(document: MarkupDocument, *kinds: Callable[[MarkupDocument], Marks]) -> Document:
    document.marks = [kind(document) for kind in kinds]
    return document


def check_tmx(tape: Tape) -> None:
    """Check that a document is TMX.

    Raises:
        DataError: when it is not.
    """
    name = xml_root(tape)[0]
    if name != "tmx":
        found = f"the root element <{name}>" if name else "no element of XML"
        raise DataError.at(tape.place, None, found=found, expected="<tmx>", advice="Export the file as TMX 1.4.")


def _xliff(how: HowToRead, tape: Tape) -> Document:
    if xliff_version(tape) == 2:
        return _with_marks(XLIFF2(how.rating), XLIFF2Notes)
    is_of_trados = b"SdlXliff" in tape.peek().replace(b"\0", b"")
    return _with_marks(XLIFF1(how.rating), XLIFF1Notes, *((TradosEstimates,) if is_of_trados else ()))


def _separated(how: HowToRead, *, is_quoted: bool) -> Document:
    return SeparatedTable(how.columns, how.optional, is_quoted=is_quoted, has_header=how.has_header)


def _tmx(how: HowToRead, tape: Tape) -> Document:
    check_tmx(tape)
    return _with_marks(TMX(how.rating, how.languages), TMXProperties)


def xml_root(tape: Tape) -> tuple[str, str]:
    """Return the name of the root element of a document, without its prefix, and its attribute ``version``."""
    start = tape.peek()
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    if b"\0" in start[:4] and encoding == "latin-1":
        encoding = "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    text = re.sub(r"(?s)<!--.*?-->", "", start.decode(encoding, "replace"))
    if (root := ROOT.search(text)) is None:
        return "", ""
    version = re.search(r"""\sversion\s*=\s*["']([^"']*)""", root[2])
    return root[1].rpartition(":")[2], version[1] if version else ""
