"""Files to columns, with every line checked.

A column is a list with one string for each segment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns, read_lines
from kiwi.data.labels.scores import check_scores, parse_scores
from kiwi.data.labels.tags import TagForm, check_tags, split_tags
from kiwi.data.text.words import words
from kiwi.exceptions import DataError

logger = logging.getLogger(__name__)


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
