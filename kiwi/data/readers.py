"""Files to columns, with every line checked.

A column is a list with one string for each segment. Lines end with a line feed, perhaps after a carriage return, and
with nothing else: a Unicode line or paragraph separator (U+2028, U+2029, U+0085) is a character of its segment.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from pathlib import Path

from kiwi import constants as const
from kiwi.data.scores import check_scores, parse_scores
from kiwi.data.tags import TagForm, check_tags, split_tags
from kiwi.data.tokenization import words
from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)

BOM = b"\xef\xbb\xbf"

Columns = dict[str, list[str]]
"""Field name to one string a segment."""


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, a byte order mark and carriage returns removed.

    Raises:
        DataError: when the file cannot be read, is empty, or a line is not UTF-8.
    """
    try:
        content = Path(path).read_bytes().removeprefix(BOM)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if not content:
        raise _no_line(path)
    try:
        return [line.removesuffix("\r") for line in content.decode("utf-8").removesuffix("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error


def stream_lines(path: Path) -> Generator[str, None, None]:
    """The lines of a file, as :func:`read_lines`, one after the other: for files larger than memory.

    Close it if not all of them are read.

    Raises:
        DataError: as :func:`read_lines`; when the line is come to, and not before.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="\n") as file:
            empty = True
            for line in file:
                empty = False
                yield line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if empty:
        raise _no_line(path)


def _no_line(path: Path) -> DataError:
    return DataError.at(path, None, found="no line", expected="one segment a line")


def _not_utf8(path: Path) -> DataError:
    """An error of the first line that is not UTF-8."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            # The byte order mark is no part of the first line.
            text = line.removeprefix(BOM) if number == 1 else line
            try:
                text.decode("utf-8")
            except UnicodeDecodeError as error:
                return DataError.at(
                    path,
                    number,
                    found=f"byte 0x{text[error.start]:02x} at position {error.start + 1}",
                    expected="UTF-8",
                    advice="Convert the file, for example with: iconv -f LATIN1 -t UTF-8.",
                )
    return DataError.at(path, None, found="bytes that are no text", expected="UTF-8")


def read_columns(files: Mapping[str, Path]) -> Columns:
    """Read parallel files, one segment a line, into columns of the same length.

    Blank lines at the end of some of the files only (a trailing newline too many) are dropped, with a warning.

    Args:
        files: field name (:mod:`kiwi.constants`) to file; ``source`` is the file that the others are held against.

    Raises:
        DataError: files of different length.
    """
    columns = {field: read_lines(path) for field, path in files.items()}
    count = min(len(lines) for lines in columns.values())
    for field, lines in columns.items():
        if len(lines) > count and not any(words(line) for line in lines[count:]):
            logger.warning("%s: %d blank line(s) at the end dropped.", files[field], len(lines) - count)
            del lines[count:]
    lengths = {field: len(lines) for field, lines in columns.items()}
    if len(set(lengths.values())) > 1:
        listing = ", ".join(f"{files[field]} has {length}" for field, length in lengths.items())
        raise DataError(f"Files of different length: {listing} lines; expected one line a segment in each of them.")
    return columns


def check_segments(
    columns: Columns, places: Mapping[str, object], *, allow_empty: bool = False, first: int = 1
) -> None:
    """Check that source and target both have words.

    Args:
        columns: with ``source`` and ``target``.
        places: what to call each column in an error: its file.
        allow_empty: whether a segment may have both sides empty (a blank line in both).
        first: number of the first line.

    Raises:
        DataError: naming the side that is empty.
    """
    pairs = zip(columns[const.SOURCE], columns[const.TARGET], strict=True)
    for number, (source, target) in enumerate(pairs, start=first):
        has_source, has_target = bool(words(source)), bool(words(target))
        if (has_source and has_target) or (allow_empty and not has_source and not has_target):
            continue
        empty = const.TARGET if has_source else const.SOURCE
        raise DataError.at(
            places[empty],
            number,
            found=f"an empty {empty}",
            expected="at least one word",
            advice="Remove the segment from all files." if not allow_empty else "",
        )


def check_word_counts(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> None:
    """Check that part-of-speech columns have one entry a word; ``first`` is the number of the first line.

    Raises:
        DataError: at the first segment where they do not count.
    """
    for pos_field, text_field in ((const.SOURCE_POS, const.SOURCE), (const.TARGET_POS, const.TARGET)):
        if pos_field not in columns:
            continue
        pairs = zip(columns[pos_field], columns[text_field], strict=True)
        for number, (pos, text) in enumerate(pairs, start=first):
            found, expected = len(words(pos)), len(words(text))
            if found != expected:
                raise DataError.at(
                    places[pos_field],
                    number,
                    found=f"{found} part-of-speech tags",
                    expected=f"{expected}, one for each {text_field} word",
                )


def check_columns(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> None:
    """Check what prediction reads; segments with both sides empty may stand.

    Args:
        columns: with ``source`` and ``target``.
        places: what to call each column in an error.
        first: number of the first line.

    Raises:
        DataError: naming the line.
    """
    check_segments(columns, places, allow_empty=True, first=first)
    check_word_counts(columns, places, first=first)
    if const.ALIGNMENTS in columns:
        check_alignments(columns, places, first=first)


def parse_alignment(line: str) -> list[tuple[int, int]]:
    """The ``i-j`` pairs of a line, source index first, from zero.

    Raises:
        ValueError: naming the pair that does not parse.
    """
    pairs = []
    for item in words(line):
        source, dash, target = item.partition("-")
        if not (dash and source.isascii() and source.isdigit() and target.isascii() and target.isdigit()):
            raise ValueError(item)
        pairs.append((int(source), int(target)))
    return pairs


def check_alignments(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> None:
    """Check that alignments parse and stay within their segment; ``first`` is the number of the first line.

    Raises:
        DataError: at the first pair that does not.
    """
    place = places[const.ALIGNMENTS]
    rows = zip(columns[const.ALIGNMENTS], columns[const.SOURCE], columns[const.TARGET], strict=True)
    for number, (line, source, target) in enumerate(rows, start=first):
        try:
            pairs = parse_alignment(line)
        except ValueError as error:
            raise DataError.at(
                place, number, found=f"'{error}'", expected="pairs like 0-0, source index first, from zero"
            ) from None
        counts = len(words(source)), len(words(target))
        for pair in pairs:
            for side, index, size in zip((const.SOURCE, const.TARGET), pair, counts, strict=True):
                if index >= size:
                    raise DataError.at(
                        place,
                        number,
                        found=f"{side} index {index} in '{pair[0]}-{pair[1]}'",
                        expected=f"less than {size}, the number of {side} words",
                        advice="Indices count from zero, source index first.",
                    )


def read_scores(path: Path, *, allow_nan: bool = False) -> list[float]:
    """One finite number a line.

    Args:
        path: of the file.
        allow_nan: whether ``nan`` may stand for an empty segment, as predictions have it.

    Raises:
        DataError: at the first line that is none.
    """
    return parse_scores(read_lines(path), path, allow_nan=allow_nan)


def read_labelled(columns: Columns, files: Mapping[str, Path]) -> Columns:
    """Check the columns that a system learns from, and part interleaved tags into words and gaps.

    Args:
        columns: text columns, already checked, plus any of ``target_tags``, ``source_tags``, ``sentence_scores``.
        files: the file of each column.

    Returns:
        The columns, with ``target_tags`` for words alone and, for the interleaved form, ``gap_tags`` beside it.

    Raises:
        DataError: tags that do not count or are neither OK nor BAD, scores that are no numbers.
    """
    labelled = dict(columns)
    if const.SENTENCE_SCORES in columns:
        check_scores(columns[const.SENTENCE_SCORES], files[const.SENTENCE_SCORES])
    if const.SOURCE_TAGS in columns:
        counts = [len(words(line)) for line in columns[const.SOURCE]]
        check_tags(columns[const.SOURCE_TAGS], counts, TagForm.WORDS, files[const.SOURCE_TAGS], side=const.SOURCE)
    if const.TARGET_TAGS in columns:
        counts = [len(words(line)) for line in columns[const.TARGET]]
        lines, place = columns[const.TARGET_TAGS], files[const.TARGET_TAGS]
        form = TagForm.of(lines[0], counts[0], place)
        check_tags(lines, counts, form, place)
        if form is TagForm.INTERLEAVED:
            gaps, targets = zip(*(split_tags(line) for line in lines), strict=True)
            labelled[const.TARGET_TAGS], labelled[const.GAP_TAGS] = list(targets), list(gaps)
    return labelled
