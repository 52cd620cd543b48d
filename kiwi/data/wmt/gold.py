"""Gold labels as WMT 2023 publishes them: rows of one or several language pairs, with the number of each segment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kiwi.constants import BAD, LABELS, OK
from kiwi.data.labels.scores import parse_score
from kiwi.data.text.words import words
from kiwi.data.wmt.rows import Rows
from kiwi.data.wmt.sentence_level import SENTENCE_COLUMNS

TAG_COLUMNS = ("LP", "METHOD", "SEG", "TARGET", "TOKENS", "TAGS")

ADVICE = (
    "Segments without gold labels, such as hallucinations, can be left out with exclude, by number or by this word."
)


def has_columns(line: str, columns: Sequence[str]) -> bool:
    """Return whether a line has these columns, rather than a score or tags."""
    cells = line.split("\t")
    return len(cells) == len(columns) and not {cell.strip() for cell in cells} <= {*LABELS}


def read_gold_scores(path: Path, language_pair: str | None, excluded: Collection[int] = ()) -> list[str]:
    """Read rows of ``LP METHOD SEG SCORE``.

    Args:
        path: the file.
        language_pair: the language pair to read; None stands for the only pair of the file.
        excluded: the segments, counted from 0, whose score may be anything; 0 is returned for them.

    Returns:
        The score of each segment, as text.

    Raises:
        DataError: at the first invalid line.
    """
    rows = Rows(path, SENTENCE_COLUMNS, language_pair, numbers=("SEG", "SCORE"))
    scores: dict[int, str] = {}
    for number, line in rows:
        if (row := rows.split(number, line)) is None:
            continue
        segment, text = rows.new_segment(number, row, scores), row["SCORE"].strip()
        if segment in excluded:
            text = "0"
        try:
            parse_score(text)
        except ValueError:
            rows.fail(number, f"the SCORE '{text:.60}'", "a finite number", ADVICE)
        scores[segment] = text
    return rows.in_order(scores, None)


def read_gold_tags(path: Path, language_pair: str | None, excluded: Collection[int] = ()) -> list[list[str]]:
    """Read rows of ``LP METHOD SEG TARGET TOKENS TAGS``.

    Args:
        path: the file.
        language_pair: the language pair to read; None stands for the only pair of the file.
        excluded: the segments, counted from 0, whose tags may be anything; all words of them get OK.

    Returns:
        The OK/BAD tags of each segment.

    Raises:
        DataError: at the first line with other tags, or with another number of tags than of words.
    """
    rows = Rows(path, TAG_COLUMNS, language_pair)
    found: dict[int, list[str]] = {}
    for number, line in rows:
        if (row := rows.split(number, line)) is None:
            continue
        segment = rows.new_segment(number, row, found)
        n_words, tags = len(words(row["TOKENS"])), words(row["TAGS"])
        if segment in excluded:
            tags = [OK] * n_words
        if not set(tags) <= {OK, BAD}:
            rows.fail(number, f"the TAGS '{row['TAGS']:.60}'", f"{OK} or {BAD} for each word", ADVICE)
        if len(tags) != n_words:
            rows.fail(number, f"{len(tags)} TAGS", f"{n_words}, one for each of TOKENS", ADVICE)
        found[segment] = tags
    return rows.in_order(found, None)
