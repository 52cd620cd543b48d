"""Tables that were scored before: the new columns take the place of the former ones, and nothing else changes."""

from __future__ import annotations

import csv
import io
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings, strategies as st

from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.parts import Segment, SkippedRow
from kiwi.data.documents.tables.former import FormerColumns, find_in_long, find_in_short
from kiwi.data.labels.score_meaning import ScoreKind, ScoreMeaning
from kiwi.exceptions import DataError
from kiwi.lib.score.scale import Scale
from kiwi.outputs import column_kinds
from kiwi.runner import Predictions

DA, COMMON = "sentence_scores (da, higher is better)", "sentence_scores (0-100, higher is better)"

VALUES: dict[str, Any] = {
    "number": 0.25,
    "numbers": [0.5, 0.125],
    "text": "OK",
    "texts": ["OK", "BAD"],
    "spans": [{"start": 0, "end": 1, "text": "a", "severity": "minor", "confidence": 0.5}],
}


def scored(content: str | bytes, name: str, added: Sequence[str], change: float = 0.0, **options: Any) -> bytes:
    """Score a table, with the same value in each row but those of segments that cannot be used, which have no score."""
    kinds = {**column_kinds(), "flags": "texts"}

    def score(segments: Sequence[Segment]) -> list[dict[str, Any]]:
        rows = []
        for segment in segments:
            row = {column: VALUES[kinds.get(column.partition(" (")[0], "text")] for column in added}
            row |= {column: value + change for column, value in row.items() if isinstance(value, float)}
            if segment.error is not None:
                row |= {column: float("nan") for column, value in row.items() if isinstance(value, float)}
                row |= {column: [] for column, value in row.items() if isinstance(value, list)}
            rows.append(SkippedRow(row) if segment.texts["target"] == "SKIP" else row)
        return rows

    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / name, Path(folder) / f"copy-of-{name}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        require_format(path).copy(path, output, HowToRead(**options), score, 3)
        return output.read_bytes()


@pytest.mark.parametrize(
    ("names", "added", "read", "expected"),
    [
        # What kiwi writes, in its order, up to another column.
        (["source", "target", DA, "flags"], [DA, "flags"], [0, 1], [(2, 4)]),
        (["source", DA, "sentence_scores_low", "sentence_scores_high", "target"], [COMMON], [0, 4], [(1, 4)]),
        (["source", "target", DA, "decision", "decision_reason", "note"], [COMMON], [0, 1], [(2, 5)]),
        (
            ["source", "target", COMMON, "target_tags", "mqm_score (mqm, lower is better)", "flags"],
            [DA],
            [0, 1],
            [(2, 6)],
        ),
        (["source", "target", DA, "error_spans", "combined_score (0-100, higher is better)"], [DA], [0, 1], [(2, 5)]),
        (["source", "target", DA, "note", "flags"], [DA], [0, 1], [(2, 3)]),
        (["source", "target", DA, "flags", "binary"], [DA], [0, 1], [(2, 4)]),
        (["source", "target", DA, "flags", "flags"], [DA], [0, 1], [(2, 4)]),
        ([DA, "source", "target"], [DA], [1, 2], [(0, 1)]),
        # Those of two systems are both old.
        (["source", "target", DA, "note", COMMON, "flags"], [COMMON], [0, 1], [(2, 3), (4, 6)]),
        (["source", "target", DA, COMMON], [COMMON], [0, 1], [(2, 3), (3, 4)]),
        # A bare name is that of kiwi if it is to be written again, or a column behind it.
        (["source", "target", "sentence_scores", "flags"], ["sentence_scores"], [0, 1], [(2, 4)]),
        (["source", "target", "sentence_scores", "flags"], [DA, "flags"], [0, 1], [(2, 4)]),
        (["source", "target", "sentence_scores"], [DA, "flags"], [0, 1], []),
        # Columns of people.
        (["source", "target", "sentence_scores (mine)", "flags of mine"], [DA, "flags"], [0, 1], []),
        (["source", "target", "sentence_scores_low"], [DA], [0, 1], []),
        (["source", "target", DA], [COMMON], [0, 2], []),
        (["source", "target", DA, "target_tags", "error_spans"], [COMMON], [0, 3], [(2, 3)]),
        # Nothing is added, nothing is replaced.
        (["source", "target", DA, "flags"], [], [0, 1], []),
    ],
)
def test_what_is_replaced(names: list[str], added: list[str], read: list[int], expected: list[tuple[int, int]]) -> None:
    found = FormerColumns("a.csv").find(names, added, read)
    assert [(run.start, run.stop) for run in found] == expected


@pytest.mark.parametrize(
    ("names", "added", "read", "taken"),
    [
        (["source", "target", "error_spans", DA], [DA, "error_spans"], [0, 1], "error_spans"),
        (["source", "target", "flags"], [DA, "flags"], [0, 1], "flags"),
        (["source", "target", DA, "note", "flags"], [DA, "flags"], [0, 1], "flags"),
        (["source", "target", DA, "flags", "flags"], [DA, "flags"], [0, 1], "flags"),
        (["source", "sentence_scores"], ["sentence_scores"], [0, 1], "sentence_scores"),
        (["source", "target", DA, "flags"], [DA, "flags"], [0, 3], "flags"),
    ],
)  # fmt: skip
def test_what_is_refused(names: list[str], added: list[str], read: list[int], taken: str) -> None:
    with pytest.raises(DataError, match=f"a.csv, line 7: found a column '{taken}' already; expected none") as error:
        FormerColumns("a.csv").find(names, added, read, 7)
    assert ("--no-flags adds none" in str(error.value)) == (taken == "flags")


def test_all_names_that_kiwi_writes_are_known() -> None:
    predictions = Predictions(
        **{name: [[0.5]] if "tags" in name else [0.5] for name in Predictions.attributes() if name != "error_spans"},
        error_spans=[[]],
    )
    columns = list(predictions.columns(targets=["a"]))
    assert {*columns} == {*column_kinds()}
    kinds: tuple[ScoreKind, ...] = get_args(ScoreKind)
    meanings = [ScoreMeaning(kind, is_high) for kind in kinds for is_high in (True, False)]
    for scale in (Scale(), Scale(meanings[0], is_common=True), *map(Scale, meanings)):
        added = [*scale.titled(columns), "flags", "decision", "decision_reason"]
        names = ["source", "target", *added, "note"]
        assert FormerColumns("a").find(names, added, [0, 1]) == [range(2, len(names) - 1)]


def test_the_log_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    content = '{"source": "a", "target": "b", "sentence_scores": 1, "binary": 0}\n' * 5
    scored(content, "a.jsonl", [])
    assert caplog.messages == []
    scored(content, "a.jsonl", ["sentence_scores"])
    (message,) = caplog.messages
    assert message.endswith("a.jsonl: replacing the columns of an earlier run: sentence_scores, binary.")


ROWS = ["source", "target", DA, "flags"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", "b", "0.5"], [(2, 3)]),
        (["a", "b", "0,5"], [(2, 3)]),
        (["a", "b", "note"], []),
        (["a", "b"], []),
        (["nan"], []),
    ],
)
def test_short_rows(cells: list[str], expected: list[tuple[int, int]]) -> None:
    assert [(run.start, run.stop) for run in find_in_short(cells, ROWS, [range(2, 4)])] == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", "b", "c", "nan", ""], [(3, 5)]),
        (["a", "b", "c", "d", "nan", ""], [(4, 6)]),
        (["a", "b", "0.4", "3.5", "x"], []),  # a number of people
        (["a", "b", "c", "d", "e"], []),
    ],
)
def test_long_rows(cells: list[str], expected: list[tuple[int, int]]) -> None:
    assert [(run.start, run.stop) for run in find_in_long(cells, ROWS, [range(2, 4)])] == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("1,a,b,0.5,,x", "1,a,b,0.25,x"),
        ("1,a,b", "1,a,b,nan,"),
        ("1,a", "1,a,,nan,"),
        ("1,a,b,0.5", "1,a,b,nan,"),
        ("1,a,b,0.5,OK", "1,a,b,nan,"),
        ("1,a,b,note", "1,a,b,nan,note"),
        ("1,a,b,note,3", "1,a,b,nan,note,3"),
        ("1,a,b,0.5,,x,3.5", "1,a,b,0.5,,x,3.5,nan"),
        ("1,a,b,c,nan,,x", "1,a,b,c,nan,x"),
    ],
)
def test_cells_of_people_stay_in_their_columns(row: str, expected: str) -> None:
    content = f'id,source,target,"{DA}",flags,note\n0,a,b,0.5,,x\n{row}\n'
    found = scored(content, "a.csv", [COMMON]).decode()
    assert found == f'id,source,target,"{COMMON}",note\n0,a,b,0.25,x\n{expected}\n'


def test_rows_that_were_added_to_a_scored_table() -> None:
    """They have the cells of people only, if those of kiwi are the last."""
    content = f"source\ttarget\t{DA}\tflags\na\tb\t0.5\t\nc\td\n"
    expected = f"source\ttarget\t{COMMON}\na\tb\t0.25\nc\td\t0.25\n"
    assert scored(content, "a.tsv", [COMMON]).decode() == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"source": "a", "target": "b", "sentence_scores": "mine"}'),
        ("a.csv", "source,target,sentence_scores\na,b,mine\n"),
    ],
)
def test_texts_of_people_under_the_name_of_scores(name: str, content: str) -> None:
    with pytest.raises(DataError, match="found a column 'sentence_scores' already"):
        scored(content, name, ["sentence_scores"])


COLUMNS = st.sampled_from(
    [
        [DA],
        [COMMON, "flags"],
        ["sentence_scores", "flags"],
        [DA, "sentence_scores_low", "sentence_scores_high", "target_tags", "target_tags_labels", "flags"],
        [DA, "error_spans", "mqm_score (mqm, lower is better)", "flags", "decision", "decision_reason"],
    ]
)
TEXT = st.text(st.sampled_from('ab5 ."\n\r\t,;|\\{}[]:üß\u2028\U0001f600'), max_size=6)


def is_replaced(former: Sequence[str], added: Sequence[str]) -> bool:
    """Whether the columns count as those of kiwi; a bare name does if it is to be written again."""
    return former[0] != "sentence_scores" or not {*former}.isdisjoint(added)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.lists(TEXT, min_size=3, max_size=5), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    form=st.sampled_from([("", "\n", ""), ("\ufeff", "\r\n", "\n"), ("", "\r\n", "")]),
    former=COLUMNS,
    added=COLUMNS,
)
@example([["a"] * 3], ",", csv.QUOTE_ALL, ("\ufeff", "\n", ""), [DA], [COMMON, "flags"])
@example([['"'] * 3, ["5"] * 4], ",", csv.QUOTE_MINIMAL, ("", "\r\n", ""), [DA], [COMMON, "flags"])
def test_csv(
    rows: list[list[str]], delimiter: str, quoting: int, form: tuple[str, str, str], former: list[str], added: list[str]
) -> None:
    mark, line_end, blank = form
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type]
    writer.writerow(['i"d', "source", "target"])
    text.write(blank)
    # Python quotes a CR only where line ends have one.
    writer.writerows([[cell.replace("\r", "") if line_end == "\n" else cell for cell in row] for row in rows])
    content = mark + text.getvalue()
    if is_replaced(former, added):
        before = scored(content, "a.csv", former, 0.5)
        assert scored(before, "a.csv", added) == scored(content, "a.csv", added)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.lists(TEXT, min_size=3, max_size=5), min_size=1, max_size=5),
    line_end=st.sampled_from(["\n", "\r\n"]),
    former=COLUMNS,
    added=COLUMNS,
)
def test_tsv(rows: list[list[str]], line_end: str, former: list[str], added: list[str]) -> None:
    lines = ["\t".join(cell.translate(dict.fromkeys(b"\t\r\n")) for cell in row) for row in rows]
    content = line_end.join(["source\tid\ttarget", *lines, "a\t1\tb", ""])
    if is_replaced(former, added):
        before = scored(content, "a.tsv", former, 0.5)
        assert scored(before, "a.tsv", added) == scored(content, "a.tsv", added)


OBJECTS = st.dictionaries(
    st.sampled_from(["source", "target", "id", 'a "b": {', "üß", "flag"]),
    st.recursive(TEXT | st.floats() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)),
)


@settings(max_examples=100, deadline=None)
@given(
    objects=st.lists(OBJECTS, max_size=4),
    indent=st.sampled_from([None, 1, "\t"]),
    is_ascii=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    n_columns=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_json(
    objects: list[dict[str, Any]], indent: Any, is_ascii: bool, line_end: str, n_columns: tuple[int, int]
) -> None:
    names = ["sentence_scores", "target_tags", "error_spans", "flags", "decision", "decision_reason"]
    former, added = names[: n_columns[0]], names[: n_columns[1]]
    objects = [{"source": "a", "target": "b"}, *objects]
    lines = "".join(json.dumps(each, ensure_ascii=is_ascii) + line_end for each in objects)
    array = json.dumps(objects, ensure_ascii=is_ascii, indent=indent).replace("\n", line_end)
    for name, content in (("a.jsonl", lines), ("a.json", array)):
        before = scored(content, name, former, 0.5)
        assert scored(before, name, added) == scored(content, name, added)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"source":"a","sentence_scores":1,"target":"b"}', '{"source":"a", "sentence_scores": 0.25,"target":"b"}'),
        ('{"sentence_scores": 1, "source": "", "target": ""}', '{"sentence_scores": 0.25, "source": "", "target": ""}'),
        (
            '{ "source": "a", "target": "b" , "sentence\\u005fscores" : 1.5e0 , "binary": 0, "id": "ü" }',
            '{ "source": "a", "target": "b", "sentence_scores": 0.25, "id": "ü" }',
        ),
        (
            '{"source": "a", "sentence_scores": 1, "sentence_scores": 2, "target": "b", "sentence_scores": 3}',
            '{"source": "a", "sentence_scores": 0.25, "target": "b"}',
        ),
        (
            '{"source": "a", "target": "b", "sentence_scores (da, higher is better)": 1}',
            '{"source": "a", "target": "b", "sentence_scores": 0.25}',
        ),
        # Objects that are no segments, and what is no object.
        ('{"sentence_scores": 1}', '{"sentence_scores": null}'),
        ('{"source": "a", "sentence_scores": 1, "id": "x"}', '{"source": "a", "sentence_scores": null, "id": "x"}'),
        ('{"source": "a", "sentence_scores": 1,', '{"source": "a", "sentence_scores": 1,'),
        ('{"source": "\\ud800", "sentence_scores": 1}', '{"source": "\\ud800", "sentence_scores": null}'),
        ('{"source": "a", "target": "SKIP", "sentence_scores": 1}\n', ""),
    ],
)  # fmt: skip
def test_objects(content: str, expected: str) -> None:
    first = '{"source": "a", "target": "b"}\n'
    scored_first = '{"source": "a", "target": "b", "sentence_scores": 0.25}\n'
    assert scored(first + content, "a.jsonl", ["sentence_scores"]).decode() == scored_first + expected


def test_columns_of_people_stay() -> None:
    names = '\ufeffsource,"{}"{},target," no ""te"",",flags of mine\r\n'
    content = names.format(DA, ",flags") + '"a\r\n,",1,x,b,"c, ""d""",\r\n,nan,,SKIP,,\r\n'
    expected = names.format(COMMON, "") + '"a\r\n,",0.25,b,"c, ""d""",\r\n'
    assert scored(content, "a.csv", [COMMON]).decode() == expected
    content = f"{COMMON}\tsource\ttarget\t{DA}\tbinary\tnote\n1\ta\tb\t2\t3\tc\n"
    expected = f"{DA}\tflags\tsource\ttarget\tnote\n0.25\tOK BAD\ta\tb\tc\n"
    assert scored(content, "a.tsv", [DA, "flags"]).decode() == expected


def test_the_first_column() -> None:
    content = f'\ufeff"{DA}",source,target\n1,a,b\n'
    assert scored(content, "a.csv", [COMMON]).decode() == f'\ufeff"{COMMON}",source,target\n0.25,a,b\n'


def test_short_rows_in_quotes() -> None:
    content = f'"source","target","{DA}"\n"a","b","0.5"\n"c"\n'
    assert scored(content, "a.csv", [COMMON]).decode() == f'"source","target","{COMMON}"\n"a","b",0.25\n"c",,nan\n'


def test_fields_of_people() -> None:
    content = '{"source": "a", "target": "b"}\n{"source": "a", "target": "b", "flags": 1}\n'
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: found a column 'flags' already"):
        scored(content, "a.jsonl", ["sentence_scores", "flags"])


def test_tables_without_names() -> None:
    """Without a line of names, no column is known to be one of kiwi."""
    found = scored("a\tb\t0.5\n", "a.tsv", [DA], columns={"source": "1", "target": "2"}, has_header=False)
    assert found == b"a\tb\t0.5\t0.25\n"


def read(content: bytes) -> pyarrow.Table:
    return pyarrow.parquet.read_table(pyarrow.BufferReader(content))


def parquet(columns: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata({"origin": "by hand"}), out)
    return out.getvalue()


@pytest.mark.parametrize("added", [["sentence_scores"], ["sentence_scores", "error_spans", "flags", "decision"]])
def test_parquet(added: list[str]) -> None:
    content = parquet({"id": [1, 2, 3, 4], "source": ["a", None, "c", "d"], "target": ["b", "b", "SKIP", "b"]})
    former = ["sentence_scores", "target_tags", "flags", "decision", "decision_reason"]
    again = read(scored(scored(content, "a.parquet", former, 0.5), "a.parquet", added))
    assert again.equals(read(scored(content, "a.parquet", added)), check_metadata=True)
    in_the_middle = parquet({"id": [1], "sentence_scores": [1], "binary": [True], "source": ["a"], "target": ["b"]})
    found = read(scored(in_the_middle, "a.parquet", added))
    assert found.column_names == ["id", *added, "source", "target"]
    assert found.schema.metadata == {b"origin": b"by hand"}
    texts = parquet({"source": ["a"], "target": ["b"], "sentence_scores": ["mine"]})
    with pytest.raises(DataError, match="found a column 'sentence_scores' already"):
        scored(texts, "a.parquet", ["sentence_scores"])
    of_people = parquet({"flags": ["mine"], "source": ["a"], "target": ["b"]})
    with pytest.raises(DataError, match="found a column 'flags' already"):
        scored(of_people, "a.parquet", ["sentence_scores", "flags"])
