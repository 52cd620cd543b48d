from __future__ import annotations

import csv

import pytest

from kiwi.data.files.headers import find_delimiter, first_row

SCORED = (
    "source;target;sentence_scores (da, higher is better);combined_score (0-100, higher is better);decision;reason\n"
)


@pytest.mark.parametrize(
    ("row", "wanted", "delimiter"),
    [
        ("id;en;mt\n", ["en", "mt"], ";"),
        ("id\ten\tmt\n", ["en", "mt"], "\t"),
        ("id|en|mt\n", ["1", "3"], "|"),
        # Some names are wrong, or all.
        ("id;en;mt;pe\n", ["en", "mt", "nope"], ";"),
        ("id;en;mt;pe\n", ["nope"], ";"),
        (SCORED, ["source", "target", "decision", "reason", "post_edit"], ";"),
        (SCORED, ["post_edit"], ";"),
        # The only column; names with commas.
        ("source\n", ["source"], ","),
        ('"a, b","c"\n', ["source"], ","),
        ('"a; b","a, b","c"\n', ["c"], ","),
        # Texts, of which the columns have numbers.
        ("Hello, world;Hallo, Welt\n", ["1", "2"], ";"),
        ("1.5;Hello;a, b, c, d\n", ["2", "3"], ";"),
        ('"Hello; world","Hallo; Welt"\n', ["1", "2"], ","),
        ("Home|About|Contact,Start|Über|Kontakt\n", ["1", "2"], ","),
        ("a;b;c,d;e\n", ["2", "1"], ","),
        # A blank line before them, and quoted cells of two lines.
        ("\nid;en;mt\n", ["en", "mt"], ";"),
        ('"an,\nid";en;mt\n', ["en", "mt"], ";"),
        # What is not CSV.
        ('"a"b;c\n', ["c"], ","),
        ("", ["c"], ","),
    ],
)
def test_the_delimiter_of_most_columns(row: str, wanted: list[str], delimiter: str) -> None:
    assert find_delimiter(row, wanted) == delimiter


def test_the_first_row() -> None:
    lines = iter(["\n", '"a\n', 'b";c\n', "d;e\n"])
    assert first_row(lines, str) == ["\n", '"a\n', 'b";c\n']
    assert list(lines) == ["d;e\n"]


def test_a_quote_that_does_not_end_is_not_searched_for_in_the_whole_file() -> None:
    lines = iter(['"a\n', *["b" * 1000] * 1000])
    assert sum(map(len, first_row(lines, str))) < csv.field_size_limit() + 1001
