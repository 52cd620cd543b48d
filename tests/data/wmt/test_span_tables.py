from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from kiwi.data.labels.error_spans import ErrorSpan
from kiwi.data.labels.spans.checks import SpanDataConfig
from kiwi.data.labels.spans.files import SpanReader, read_annotations
from kiwi.data.wmt.sentence_level import (
    Header,
    SpanSubmission,
    for_official_scorer,
    read_span_submission,
    write_span_submission,
)
from kiwi.data.wmt.span_tables import write_span_table
from kiwi.exceptions import DataError

NAMES = "doc_id|segment_id|source_lang|target_lang|set_id|system_id|source_segment|hypothesis_segment|method"
ROWS = [
    "d|1|en|de|official|s|Say yes.|Sag ja.|esa",
    'd|2|en|de|official|s|"Two ""lines""."|"Zwei ""Zeilen"".\n\nUnd mehr."|esa',
]
TARGETS = ["Sag ja.", 'Zwei "Zeilen".  Und mehr.']


def release(directory: Path, *rows: str) -> Path:
    path = directory / "release.tsv"
    path.write_text("".join(f"{row}\n" for row in rows).replace("|", "\t"))
    return path


def test_columns_are_added_to_the_released_table(tmp_path: Path) -> None:
    source = release(tmp_path, NAMES, *ROWS)
    spans = [[], [ErrorSpan(0, 4, "minor"), ErrorSpan(7, 7, "major"), ErrorSpan(5, 13, "critical")]]
    write_span_table(tmp_path / "out.tsv", source, TARGETS, spans)
    with (tmp_path / "out.tsv").open(newline="") as file:
        written = list(csv.reader(file, delimiter="\t"))
    with source.open(newline="") as file:
        given = list(csv.reader(file, delimiter="\t"))
    assert [row[:-3] for row in written] == given
    assert [row[-3:] for row in written] == [
        ["start_indices", "end_indices", "error_types"],
        ["-1", "-1", "no-error"],
        ["0 5", "4 13", "minor critical"],
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([NAMES, ROWS[0]], "found 1 rows; expected 2, the segments of the data"),
        ([NAMES, *ROWS, ROWS[0]], "found 3 rows; expected 2"),
        (
            [NAMES, ROWS[0].replace("ja", "so"), ROWS[1]],
            "line 2: found the translation 'Sag so.'; expected 'Sag ja.', as in the data",
        ),
        ([NAMES, "a|b"], "line 2: found 2 columns; expected 9"),
        ([NAMES.replace("hypothesis", "other"), *ROWS], "line 1: found the columns doc_id, segment_id"),
        (
            [f"{NAMES}|error_types", *ROWS],
            "expected a column hypothesis_segment, and none of start_indices, end_indices",
        ),
        ([NAMES, 'd|"a"b|c'], "line 2: found invalid CSV"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        write_span_table(tmp_path / "out.tsv", release(tmp_path, *rows), TARGETS, [[], []])
    assert not (tmp_path / "out.tsv").exists()


def test_the_official_scorer_strips_texts_and_knows_two_severities(tmp_path: Path) -> None:
    spans = [ErrorSpan(0, 1, "minor"), ErrorSpan(1, 4, "critical"), ErrorSpan(5, 6, "major"), ErrorSpan(6, 6, "minor")]
    target, moved = for_official_scorer("  Gut.  ", spans)
    assert target == "Gut."
    assert for_official_scorer("a\tb\nc", spans)[0] == "a b c"  # a row has no place for tabs and line ends
    assert moved == [ErrorSpan(0, 2, "major"), ErrorSpan(3, 4, "major"), ErrorSpan(4, 4, "minor")]
    own = SpanSubmission(Header(1, 2, 3), "en-de", "kiwi", [target], [moved])
    other = SpanSubmission(Header(1, 2, 3), "en-fr", "kiwi", ["Bon."], [[]])
    write_span_submission(tmp_path / "a.tsv", own, other)
    assert read_span_submission(tmp_path / "a.tsv", "en-de") == own
    assert read_span_submission(tmp_path / "a.tsv", "en-fr") == other
    found = SpanReader(SpanDataConfig()).read(
        tmp_path / "a.tsv", {"target": ["Bon.", "Gut."], "lp": ["en-fr", "en-de"]}, {"target": "t"}
    )
    assert found["error_spans"] == ["-", "0:2:major 3:4:major 4:4:minor"]
    assert [row.line for row in read_annotations(tmp_path / "a.tsv")] == [4, 5]
