"""Files of error spans as the string that each row of data holds.

A row of a file belongs to a segment by its order, or by its number if there is a column ``seg`` and none of documents
or systems.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.labels.error_spans import Spans, format_error_spans
from kiwi.data.labels.score_meaning import WORST_PENALTY
from kiwi.data.labels.spans.cells import NUMBER
from kiwi.data.labels.spans.checks import SpanChecker, SpanDataConfig, is_error, majority_of
from kiwi.data.labels.spans.raw import NORMALIZATION, RawSpan, look_alike, unquoted
from kiwi.data.labels.spans.rows import PLACES, RATER, SEGMENT, Annotation, read_annotations
from kiwi.data.text.language_pairs import pair_key, parse_language_pair, parse_language_pairs
from kiwi.data.text.words import words
from kiwi.exceptions import DataError


class SpanReader:
    """Reads files of error spans as the string that each row of data holds.

    Args:
        config: the options.
    """

    def __init__(self, config: SpanDataConfig) -> None:
        self._config = config

    def read(
        self,
        path: Path,
        columns: Columns,
        places: Mapping[str, object],
        bad: Collection[int] = (),
        *,
        partial: bool = False,
    ) -> Columns:
        """Read the spans of segments that are in other files.

        Args:
            path: the file.
            columns: the columns of the texts: ``target`` and, in data of several language pairs, ``lp``.
            places: the file of each column, for errors.
            bad: the numbers of the bad segments, counted from 1, which get no raters.
            partial: whether segments may have no row, which get no raters either.

        Returns:
            The column of error spans and, with ``as_scores``, that of sentence scores.

        Raises:
            DataError: at the first row that is wrong, or belongs to another text.
        """
        rows, targets = read_annotations(path), columns[const.TARGET]
        numbers = segment_numbers(rows, columns, path, places)
        by_segment: dict[int, list[Annotation]] = defaultdict(list)
        for row, index in zip(rows, numbers, strict=True):
            if index + 1 in bad:
                by_segment[index] = []
                continue
            own, expected = row.cells.get(const.TARGET), targets[index]
            if own is not None:
                _check_text(path, row.line, own, expected, places[const.TARGET], index + 1)
            by_segment[index].append(row)
        if not partial and (lacking := [index for index in range(len(targets)) if index not in by_segment]):
            more = f", and for {len(lacking) - 1} more" if len(lacking) > 1 else ""
            found = f"no row for segment {lacking[0]} (counted from 0){more}"
            raise DataError.at(path, None, found=found, expected=f"one for each line of {places[const.TARGET]}")
        return self._columns(path, targets, [by_segment.get(index, []) for index in range(len(targets))])

    def read_table(self, path: Path, fields: Iterable[str]) -> Columns:
        """Read a table with texts and spans, one row for each annotation, as segments with the spans of all raters.

        Rows of one translation, by the same system in the same place, are the annotations of several raters; without a
        column ``rater``, each row is a segment.

        Args:
            path: the table.
            fields: the columns of texts to read, such as source and target.

        Returns:
            The columns, and those that :meth:`read` returns.

        Raises:
            DataError: at the first row that is wrong.
        """
        fields = list(fields)
        groups: dict[tuple[str, ...], list[Annotation]] = defaultdict(list)
        for row in read_annotations(path):
            _check_cells(path, row, fields)
            key = tuple(row.cells.get(name, "") for name in PLACES)
            groups[key if RATER in row.cells else (str(row.line),)].append(row)
        first = [rows[0] for rows in groups.values()]
        texts = {name: [unquoted(row.cells[name]) for row in first] for name in fields}
        if const.LANGUAGE_PAIR in texts:
            texts[const.LANGUAGE_PAIR] = parse_language_pairs(texts[const.LANGUAGE_PAIR], path)
        return texts | self._columns(path, texts[const.TARGET], list(groups.values()))

    def _columns(self, path: Path, targets: Sequence[str], segments: Sequence[Sequence[Annotation]]) -> Columns:
        checker = SpanChecker(path, self._config.on_bad_span)
        weights: Mapping[str, float] = {str(name): weight for name, weight in self._config.mqm_weights.items()}
        lines, scores = [], []
        for target, rows in zip(targets, segments, strict=True):
            _check_raters(path, rows)
            raters: list[Spans] = [checker.check(row.line, spans, target) for row in rows for spans in row.raters]
            # Severities count for scores even where positions are wrong.
            penalties = [sum(weights.get(span.severity, 0.0) for span in spans) for row in rows for spans in row.raters]
            if self._config.raters == "majority" and len(raters) > 1:
                raters = [majority_of(raters, len(target))]
                penalties = [sum(weights[span.severity] for span in raters[0])]
            penalties = [min(penalty, WORST_PENALTY) for penalty in penalties]
            lines.append(format_error_spans(raters))
            scores.append(repr(sum(penalties) / len(penalties)) if penalties else "nan")
        checker.finish()
        return {const.ERROR_SPANS: lines} | ({const.SENTENCE_SCORES: scores} if self._config.as_scores else {})


def read_severities(path: Path, n_segments: int, place: object) -> list[list[list[str]]]:
    """Read how severe the errors of each segment are, without the texts that their positions count.

    Args:
        path: a file of error spans.
        n_segments: the number of segments.
        place: the file of the segments, for errors.

    Returns:
        The severities of the errors that each rater of each segment has marked.

    Raises:
        DataError: at the first row that is wrong, or when there are other numbers of segments.
    """
    rows = read_annotations(path)
    found: list[list[list[str]]] = [[] for _ in range(n_segments)]
    numbers = segment_numbers(rows, {const.TARGET: [""] * n_segments}, path, {const.TARGET: place})
    for row, index in zip(rows, numbers, strict=True):
        found[index] += severities_of(row.raters, path, row.line)
    return found


def severities_of(raters: Iterable[Iterable[RawSpan]], path: Path, line: int) -> list[list[str]]:
    """Return how severe the errors are that each rater has marked.

    Args:
        raters: the spans of each rater.
        path: their file, for errors.
        line: the number of their line.

    Raises:
        DataError: for a severity that is not known.
    """
    return [[span.severity for span in spans if is_error(span, path, line)] for spans in raters]


def has_numbers(rows: Sequence[Annotation]) -> bool:
    """Return whether rows have the numbers of their segments, counted in the whole data or within a language pair."""
    names = {name for row in rows for name in row.cells}
    return SEGMENT in names and not {"doc", "system"} & names


def segment_numbers(
    rows: Sequence[Annotation], columns: Columns, path: Path, places: Mapping[str, object]
) -> Sequence[int]:
    """Return the number of the segment of each row, counted from 0.

    Args:
        rows: the rows: one for each segment in their order, or with the numbers of segments.
        columns: the columns of the segments: ``target`` and, in data of several language pairs, ``lp``.
        path: the file of the rows, for errors.
        places: the file of each column, for errors.

    Raises:
        DataError: at the first row of another segment, or for other numbers of rows and segments.
    """
    size = len(columns[const.TARGET])
    if not has_numbers(rows):
        if len(rows) != size:
            advice = ""
            if RATER in rows[0].cells:
                advice = "A table with several raters can be input.source and input.target too, which groups its rows."
            expected = f"{size}, one for each line of {places[const.TARGET]}"
            raise DataError.at(path, None, found=f"{len(rows)} rows", expected=expected, advice=advice)
        return range(size)
    pairs = [pair_key(pair) for pair in columns.get(const.LANGUAGE_PAIR, ())]
    own = [pair_key(row.cells.get(const.LANGUAGE_PAIR, "")) for row in rows]
    if not pairs and len({*own}) > 1:
        line = next(row.line for row, pair in zip(rows, own, strict=True) if pair != own[0])
        advice = "Name the file of the segments' language pairs: input.lp."
        raise DataError.at(path, line, found=f"the language pair after {own[0]}", expected="one pair", advice=advice)
    of_pair: dict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(pairs or [own[0]] * size):
        of_pair[pair].append(index)
    numbers = []
    for row, pair in zip(rows, own, strict=True):
        text = row.cells.get(SEGMENT, "").strip()
        of_this = of_pair.get(pair, ())
        if not NUMBER.fullmatch(text) or not 0 <= int(text) < len(of_this):
            expected = f"a whole number from 0 to {len(of_this) - 1}, the segments of {pair or 'the data'}"
            raise DataError.at(path, row.line, found=f"the segment '{text:.20}'", expected=expected)
        numbers.append(of_this[int(text)])
    return numbers


def _check_cells(path: Path, row: Annotation, fields: Iterable[str]) -> None:
    """Check that a row of a table has the fields of a segment."""
    for name in fields:
        if name not in row.cells:
            expected = "one with that name, or a file for the field"
            raise DataError.at(path, row.line, found=f"no column '{name}'", expected=expected)
        if name == const.LANGUAGE_PAIR:
            parse_language_pair(row.cells[name], path, row.line)
        if not words(row.cells[name]):
            raise DataError.at(path, row.line, found=f"an empty {name}", expected="text", advice="Remove the row.")


def _check_raters(path: Path, rows: Sequence[Annotation]) -> None:
    """Check that no rater has annotated a translation twice."""
    seen = set()
    for row in rows:
        rater = row.cells.get(RATER, "")
        if rater in seen:
            found = f"a second row by rater '{rater:.40}'" if rater else "a second row for a translation"
            advice = "" if RATER in row.cells else f"Annotations of several raters need a column {RATER}."
            expected = "one for each rater and translation"
            raise DataError.at(path, row.line, found=found, expected=expected, advice=advice)
        seen.add(rater)


def _check_text(path: Path, line: int, own: str, expected: str, place: object, number: int) -> None:
    if same_positions(unquoted(own), expected):
        return
    advice = "Spans and texts are in another order, or of other translations."
    if unquoted(expected) != expected and same_positions(unquoted(own), unquoted(expected)):
        advice = f"Positions count the plain text: remove the quotes of CSV from {place}."
    if look_alike(unquoted(own).rstrip(), expected.rstrip()):
        advice = NORMALIZATION
    found = f"the translation '{own:.60}'"
    raise DataError.at(path, line, found=found, expected=f"'{expected:.60}' ({place}, line {number})", advice=advice)


def same_positions(one: str, other: str) -> bool:
    """Return whether two texts differ in the kinds of their white space at most, apart from that at their ends."""
    one, other = one.rstrip(), other.rstrip()
    return one == other or (
        len(one) == len(other) and all(a == b or (a.isspace() and b.isspace()) for a, b in zip(one, other, strict=True))
    )
