"""A file of gold labels or predictions, and the function that reads it, by the form of the file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kiwi.data.files.lines import read_lines, stream_lines
from kiwi.data.files.tables import NAN
from kiwi.data.labels.error_spans import ErrorSpan
from kiwi.data.labels.scores import is_missing, parse_scores
from kiwi.data.wmt.seg_scores import SUFFIX, is_score, is_seg_scores, parse_seg_scores
from kiwi.data.wmt.sentence_level import SpanSubmission, read_span_submission
from kiwi.data.wmt.unified import read_unified
from kiwi.data.wmt.unified_forms import check_form, is_unified
from kiwi.exceptions import DataError
from kiwi.lib.evaluate.language_pairs import PairLines
from kiwi.lib.evaluate.translations import Translations


@dataclass(frozen=True)
class Source:
    """The file of an output's values, and the function that reads them."""

    path: Path
    """The file, as errors name it."""

    read: Callable[[], Any]
    """Returns scores as a list of numbers, tags or probabilities as :class:`Ragged`, spans as a submission."""

    has_eos: bool = False
    """Whether each translation ends with ``<EOS>``."""

    of_words: bool = False
    """Whether tags are known to be of words, rather than interleaved with gaps."""

    only_order: bool = False
    """Whether only the order of the values has a meaning."""

    translations: Callable[[], Translations] | None = None
    """Returns which translation each line is, where there are several MT systems."""

    partly_named: Callable[[], Translations] | None = None
    """Returns what names the rows of error spans, where this is not both an MT system and a segment."""


Sources = Mapping[str, Source]
"""The sources of a system's predictions, by output."""


def scores_of_lines(lines: Sequence[str], path: Path, *, is_gold: bool = False) -> list[float]:
    """Return the score of each line.

    Args:
        lines: the lines.
        path: the file, for errors.
        is_gold: whether each line needs a score; a prediction may be missing, which is NaN.

    Raises:
        DataError: at the first line that has another content; the message says what to do.
    """
    given = lines if is_gold else [NAN if is_missing(line) else line for line in lines]
    try:
        return parse_scores(given, path, allow_nan=not is_gold)
    except DataError as error:
        first, *more = lines[(error.line or 1) - 1].split() or [""]
        word = "None" if is_missing(first) else first
        if len(more) == 1 and is_score(more[0]) and (first.isdecimal() or is_missing(first) or not is_score(first)):
            raise error.with_advice(f"A file of SYSTEM SCORE needs the name *{SUFFIX}.") from error
        if is_gold and not more and word.isascii() and word.isalpha():
            raise error.with_advice(f"exclude: {word:.40} leaves out segments without a gold score.") from error
        raise


def error_free_source(path: Path, excluded: Collection[int] = ()) -> Source:
    """Return a file with 1 or 0, a probability, or none of them, on each line.

    Args:
        path: the file.
        excluded: the segments, counted from 0, whose line may be anything.
    """

    def read() -> list[float]:
        check_form(path, first_line(path), "1, 0 or a probability on each line")
        lines = enumerate(read_lines(path))
        values = parse_scores([NAN if n in excluded or is_missing(line) else line for n, line in lines], path)
        for number, value in enumerate(values, start=1):
            if not (np.isnan(value) or 0.0 <= value <= 1.0):
                expected = "1 or 0, a probability of being free of errors, or none"
                advice = "Give scores of another scale as sentence_scores, and set error_free_score."
                raise DataError.at(path, number, found=f"{value:g}", expected=expected, advice=advice)
        return values

    return Source(path, read)


def unified_source(path: Path, what: str, language_pair: str | None) -> Source | None:
    """Return a file of the unified tasks of WMT25 or WMT26; None for another file.

    Args:
        path: the file.
        what: what to read: ``scores``, ``spans`` or ``error_free``.
        language_pair: the language pair to read.
    """
    if not is_unified(first_line(path)):
        return None
    found = cache(lambda: read_unified(path, what, language_pair))

    def translations() -> Translations:
        return Translations(path, found().systems, found().segments, targets=found().targets)

    def read() -> Any:
        return found() if what == "spans" else getattr(found(), what)

    return Source(path, read, translations=translations)


def first_line(path: Path) -> str:
    """Return the first line of a file; empty for an empty file."""
    with closing(stream_lines(path, warn=False)) as lines:
        return next(lines, "")


def seg_scores_source(path: Path, words: Collection[str] = ()) -> Source | None:
    """Return a ``*.seg.score`` file of mt-metrics-eval; None for another file.

    Args:
        path: the file.
        words: the words, in lower case, that stand in the place of the score of a translation without one.
    """
    with closing(stream_lines(path, warn=False)) as lines:
        if not is_seg_scores(path, lines):
            return None
    parsed = cache(lambda: parse_seg_scores(read_lines(path), path, words))

    def translations() -> Translations:
        return Translations(path, parsed().systems, parsed().segments, is_counted=True)

    return Source(path, lambda: parsed().scores, translations=translations)


def spans_source(path: Path, language_pair: str | None, lines: PairLines | None = None) -> Source:
    """Return a file in the format of span submissions.

    Args:
        path: the file.
        language_pair: the language pair to read from a file of several.
        lines: the language pair of each line of the files to compare, where it is known.
    """
    if (unified := unified_source(path, "spans", language_pair)) is not None:
        return unified
    check_form(path, first_line(path), "rows of LP METHOD SEG TARGET STARTS ENDS TYPES (WMT23 and WMT24)")
    if lines is None:
        return Source(path, cache(lambda: read_span_submission(path, language_pair)))

    def read() -> SpanSubmission:
        read_pairs: list[SpanSubmission] = []

        def of_pair(pair: str) -> list[tuple[str, list[ErrorSpan]]]:
            read_pairs.append(read_span_submission(path, pair))
            return list(zip(read_pairs[-1].targets, read_pairs[-1].spans, strict=True))

        empty: tuple[str, list[ErrorSpan]] = ("", [])
        rows = lines.place(path, of_pair, empty)
        return replace(read_pairs[0], targets=[target for target, _ in rows], spans=[spans for _, spans in rows])

    return Source(path, cache(read))
