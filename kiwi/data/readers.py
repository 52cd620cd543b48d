"""Reads files into columns and validates every line.

A column is a list with one string for each segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns, count_surplus, different_lengths, read_lines
from kiwi.data.labels.rater_scores import summarize_raters
from kiwi.data.labels.scores import parse_scores
from kiwi.data.labels.tags import TagForm, check_tags, split_tags
from kiwi.data.labels.verdicts import parse_verdicts
from kiwi.data.text.characters import find_invalid
from kiwi.data.text.language_pairs import parse_language_pairs
from kiwi.data.text.words import words
from kiwi.exceptions import DataError


def read_columns(files: Mapping[str, Path], *, warn: bool = True) -> Columns:
    """Read parallel files, one segment per line, into columns of the same length.

    Additional blank lines at the end of some files are dropped, with a warning.

    Args:
        files: the file of each field (:mod:`kiwi.constants`).
        warn: whether to warn about what is dropped.

    Raises:
        DataError: when the files have different lengths.
    """
    columns = {field: read_lines(path, warn=warn) for field, path in files.items()}
    count = min(map(len, columns.values()))
    surplus = {field: count_surplus(lines[count:], files[field], warn=warn) for field, lines in columns.items()}
    if any(surplus.values()):
        raise different_lengths({files[field]: count + more for field, more in surplus.items()})
    return {field: lines[:count] for field, lines in columns.items()}


def check_characters(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> None:
    """Check that all columns are text, without NUL and halves of surrogate pairs, which files cannot have.

    Args:
        columns: the columns.
        places: the file of each column, for errors.
        first: the number of the first line.

    Raises:
        DataError: at the first line that is no text.
    """
    for field, column in columns.items():
        if find_invalid("\n".join(column)) is None:
            continue
        for number, text in enumerate(column, start=first):
            if (found := find_invalid(text)) is not None:
                raise DataError.at(places[field], number, found=found, expected="text without it")


def check_segments(
    columns: Columns, places: Mapping[str, object], *, allow_empty: bool = False, first: int = 1
) -> None:
    """Check that source and target of each segment have at least one word.

    Args:
        columns: columns that include ``source`` and ``target``.
        places: the file of each column, for errors.
        allow_empty: whether both sides of a segment may be empty (a blank line in both files).
        first: the number of the first line.

    Raises:
        DataError: when a side is empty; it names the line.
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
    """Check that part-of-speech columns have one tag per word; ``first`` is the number of the first line.

    Raises:
        DataError: at the first segment with another number of tags.
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


def check_columns(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> Columns:
    """Check the columns that prediction reads, in which both sides of a segment may be empty.

    Args:
        columns: columns that include ``source`` and ``target``.
        places: the file of each column, for errors.
        first: the number of the first line.

    Returns:
        The columns, with language pairs in their only form.

    Raises:
        DataError: at the first invalid line.
    """
    check_characters(columns, places, first=first)
    check_segments(columns, places, allow_empty=True, first=first)
    check_word_counts(columns, places, first=first)
    if const.LANGUAGE_PAIR in columns:  # a blank line stands for a pair that is not known
        place = places[const.LANGUAGE_PAIR]
        pairs = parse_language_pairs(columns[const.LANGUAGE_PAIR], place, first=first)
        columns = {**columns, const.LANGUAGE_PAIR: pairs}
    if const.ALIGNMENTS in columns:
        check_alignments(columns, places, first=first)
    return columns


def check_language_pairs(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> list[str]:
    """Check the language pair of each segment, which only a segment without words may lack.

    Args:
        columns: columns that include ``source``, ``target`` and ``lp``.
        places: the file of each column, for errors.
        first: the number of the first line.

    Returns:
        The language pairs, in their only form.

    Raises:
        DataError: at the first segment without a language pair.
    """
    place = places[const.LANGUAGE_PAIR]
    pairs = parse_language_pairs(columns[const.LANGUAGE_PAIR], place, first=first)
    if "" in pairs:
        for number, (pair, source, target) in enumerate(
            zip(pairs, columns[const.SOURCE], columns[const.TARGET], strict=True), start=first
        ):
            if not pair and (words(source) or words(target)):
                raise DataError.at(place, number, found="no language pair", expected="one such as en-de per segment")
    return pairs


def parse_alignment(line: str) -> list[tuple[int, int]]:
    """Parse the ``i-j`` pairs of a line, in which indices count from 0 and the source index comes first.

    Raises:
        ValueError: when a pair does not parse; its text is the pair.
    """
    pairs = []
    for item in words(line):
        source, dash, target = item.partition("-")
        if not (dash and source.isascii() and source.isdigit() and target.isascii() and target.isdigit()):
            raise ValueError(item)
        pairs.append((int(source), int(target)))
    return pairs


def check_alignments(columns: Columns, places: Mapping[str, object], *, first: int = 1) -> None:
    """Check that alignments parse and lie within their segment; ``first`` is the number of the first line.

    Raises:
        DataError: at the first invalid pair.
    """
    place = places[const.ALIGNMENTS]
    rows = zip(columns[const.ALIGNMENTS], columns[const.SOURCE], columns[const.TARGET], strict=True)
    for number, (line, source, target) in enumerate(rows, start=first):
        try:
            pairs = parse_alignment(line)
        except ValueError as error:
            raise DataError.at(
                place, number, found=f"'{error}'", expected="pairs like 0-0, source index first, counted from 0"
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
                        advice="Indices count from 0, source index first.",
                    )


def read_scores(path: Path, *, allow_nan: bool = False) -> list[float]:
    """Read a file with one finite number per line.

    Args:
        path: the file.
        allow_nan: whether ``nan`` is allowed, which stands for an empty segment in predictions.

    Raises:
        DataError: at the first line that is not a finite number.
    """
    return parse_scores(read_lines(path), path, allow_nan=allow_nan)


def read_labelled(columns: Columns, files: Mapping[str, Path], *, partial: bool = False) -> Columns:
    """Validate label columns, and split interleaved tags into word tags and gap tags.

    Args:
        columns: validated text columns, plus any of the label fields.
        files: the file of each column, for errors.
        partial: whether a blank line stands for a segment without this label, whose tags and verdict are empty, and
            whose score is ``nan``.

    Returns:
        The columns, in which ``target_tags`` are word tags only, with ``gap_tags`` if the tags were interleaved.
        Mean and standard deviation, ``sentence_scores`` and ``score_deviations``, take the place of ``rater_scores``.

    Raises:
        DataError: when the number of tags is wrong, a label is neither OK nor BAD, or a score is not a finite number.
    """
    labelled = dict(columns)
    if const.SENTENCE_SCORES in columns:
        scores = parse_scores(columns[const.SENTENCE_SCORES], files[const.SENTENCE_SCORES], allow_nan=partial)
        if partial:
            labelled[const.SENTENCE_SCORES] = [repr(score) for score in scores]
    if const.RATER_SCORES in columns:
        lines = labelled.pop(const.RATER_SCORES)
        summary = summarize_raters(lines, files[const.RATER_SCORES], partial=partial)
        labelled[const.SENTENCE_SCORES], labelled[const.SCORE_DEVIATIONS] = summary
    if const.BINARY in columns:
        labelled[const.BINARY] = parse_verdicts(columns[const.BINARY], files[const.BINARY], partial=partial)
    if const.SOURCE_TAGS in columns:
        counts = [len(words(line)) for line in columns[const.SOURCE]]
        lines, place = columns[const.SOURCE_TAGS], files[const.SOURCE_TAGS]
        check_tags(lines, counts, TagForm.WORDS, place, side=const.SOURCE, partial=partial)
    if const.TARGET_TAGS in columns:
        counts = [len(words(line)) for line in columns[const.TARGET]]
        lines, place = columns[const.TARGET_TAGS], files[const.TARGET_TAGS]
        first = next((number for number, line in enumerate(lines) if words(line)), 0) if partial else 0
        form = TagForm.of(lines[first], counts[first], place, number=first + 1)
        check_tags(lines, counts, form, place, partial=partial)
        if form is TagForm.INTERLEAVED:
            gaps, targets = zip(*(split_tags(line) for line in lines), strict=True)
            labelled[const.TARGET_TAGS], labelled[const.GAP_TAGS] = list(targets), list(gaps)
    return labelled


def check_any_label(columns: Columns, files: Mapping[str, Path | None]) -> None:
    """Check that each segment has a label of some kind, and that each file has a label of some segment.

    Args:
        columns: the columns of texts and labels.
        files: the file of each field of labels, if it is given.

    Raises:
        DataError: at the first segment without a label, or for a file without any.
    """
    known = {field: path for field, path in files.items() if path is not None}
    if const.RATER_SCORES in known:
        known[const.SENTENCE_SCORES] = known.pop(const.RATER_SCORES)  # which have become scores
    given = {field: path for field, path in known.items() if field in columns}
    none = {field: "nan" if field == const.SENTENCE_SCORES else "" for field in given}
    for field, path in given.items():
        if all(label.strip() == none[field] for label in columns[field]):
            raise DataError.at(path, None, found="no label", expected="at least one")
    for number, labels in enumerate(zip(*(columns[field] for field in given), strict=True), start=1):
        if tuple(label.strip() for label in labels) == tuple(none.values()):
            place, *others = given.values()
            found = "no label of this segment" + (f" here or in {', '.join(map(str, others))}" if others else "")
            raise DataError.at(place, number, found=found, expected="at least one")
