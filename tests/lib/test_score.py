from __future__ import annotations

import csv
import io
import json
import math
import os
import select
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiwi.data.files.table_writers import write_table
from kiwi.data.files.tables import read_table
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score import Input, score
from kiwi.runner import Predictions, load_system

FIELDS = ("source", "target", "alignments")


@pytest.fixture
def data(corpus: Any) -> dict[str, list[str]]:
    return {field: corpus.lines("test", field) for field in FIELDS}


@pytest.fixture
def expected(trained: Any, data: dict[str, list[str]]) -> Predictions:
    return load_system(trained.path).predict(**data)


def files(corpus: Any) -> dict[str, Path]:
    return {field: corpus.file("test", field) for field in FIELDS}


def piped(lines: list[str]) -> io.BytesIO:
    return io.BytesIO("".join(f"{line}\n" for line in lines).encode())


def scored(model: Path, segments: Input, **options: Any) -> list[str]:
    output = io.StringIO()
    n_segments = score(model, segments, output, **options)
    lines = output.getvalue().splitlines()
    assert n_segments == len(lines) - (options.get("form") != "jsonl" and options.get("header", True))
    return lines


def close(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(close, found, wanted))
    return found == wanted if isinstance(wanted, str) else found == pytest.approx(wanted, abs=2e-6)


def assert_rows(rows: list[dict[str, Any]], expected: Predictions) -> None:
    columns = expected.columns()
    for name, cells in columns.items():
        assert close([row[name] for row in rows], list(cells)), name
    assert all(set(row) == {*columns, "flags"} for row in rows)


def inputs(kind: str, corpus: Any, data: dict[str, list[str]], directory: Path) -> Input:
    if kind == "files":
        return Input(files=files(corpus))
    named = {"src": data["source"], "mt": data["target"], "alignments": data["alignments"], "id": [*range(10)]}
    columns = {"source": "src", "target": "mt"}
    if kind == "pipe":
        return Input(pipe=piped(["\t".join(row) for row in zip(*data.values(), strict=True)]))
    if kind == "json pipe":
        rows = [json.dumps(dict(zip(named, row, strict=True))) for row in zip(*named.values(), strict=True)]
        return Input(pipe=piped(rows), pipe_form="jsonl", columns=columns)
    write_table(directory / f"table.{kind}", [named])
    return Input(table=directory / f"table.{kind}", columns=columns)


@pytest.mark.parametrize("kind", ["files", "pipe", "json pipe", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("stream", [False, True])
def test_every_input(
    trained: Any, corpus: Any, data: Any, expected: Predictions, kind: str, stream: bool, tmp_path: Path
) -> None:
    segments = inputs(kind, corpus, data, tmp_path)
    lines = scored(trained.path, segments, form="jsonl", stream=stream)
    assert_rows([json.loads(line) for line in lines], expected)


def test_tsv_is_a_table(trained: Any, corpus: Any, expected: Predictions, tmp_path: Path) -> None:
    lines = scored(trained.path, Input(files=files(corpus)))
    (tmp_path / "scores.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = {name: name for name in expected.columns()}
    found = read_table(tmp_path / "scores.tsv", names)
    assert found["target_tags_labels"] == [" ".join(row) for row in expected.target_tags_labels or []]
    assert close([float(cell) for cell in found["sentence_scores"]], expected.sentences_hter)


def test_scores_alone(trained: Any, corpus: Any, expected: Predictions) -> None:
    lines = scored(trained.path, Input(files=files(corpus)), scores_only=True, header=False)
    assert close([float(line.split("\t")[0]) for line in lines], expected.sentences_hter)
    first = scored(trained.path, Input(files=files(corpus)), scores_only=True)[0]
    assert first == "sentence_scores (hter, lower is better)\tsentence_scores_deviation\tbinary\tbinary_labels"


def test_a_segment_without_words(trained: Any) -> None:
    pipe = piped(["a\tb\t0-0", "\t\t"])
    lines = scored(trained.path, Input(pipe=pipe), header=False, scores_only=True)
    assert math.isnan(float(lines[1].split("\t")[0]))
    assert json.loads(scored(trained.path, Input(pipe=piped(["\t\t"])), form="jsonl")[0])["sentence_scores"] is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [b"a\tb\t0-0\n", b"a\tb\n"],
            "<stdin>, line 2: found 2 columns; expected 3, separated by tabs: source",
        ),
        ([b"a\tb\t0-0\n", b"a\t\t\n"], "<stdin>, line 2: found an empty target"),
        ([b"a\tb\t0-0\n", b"a\tb\t0-1\n"], "<stdin>, line 2: found target index 1"),
        ([b"a\tb\t0-0\n", b"\xff\tb\t0-0\n"], "<stdin>, line 2: found byte 0xff at position 1"),
    ],
)
def test_what_is_before_a_bad_line_is_written(trained: Any, lines: list[bytes], message: str) -> None:
    output = io.StringIO()
    with pytest.raises(DataError) as error:
        score(trained.path, Input(pipe=io.BytesIO(b"".join(lines))), output, stream=True)
    assert str(error.value).startswith(message)
    assert len(output.getvalue().splitlines()) == 2


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv(trained: Any, data: Any, expected: Predictions, delimiter: str, tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["id", *data], *zip(range(10), *data.values(), strict=True)])
    for columns in ({}, {"source": "2", "target": "3"}):
        lines = scored(trained.path, Input(table=tmp_path / "a.csv", columns=columns), form="jsonl")
        assert_rows([json.loads(line) for line in lines], expected)


NUMBERED = {"source": "1", "target": "2", "alignments": "3"}


@pytest.mark.parametrize("kind", ["tsv", "csv", "csv pipe"])
def test_tables_whose_first_line_is_a_segment(
    trained: Any, data: Any, expected: Predictions, kind: str, tmp_path: Path
) -> None:
    content = "\n".join(("\t" if kind == "tsv" else ";").join(row) for row in zip(*data.values(), strict=True)) + "\n"
    if kind == "csv pipe":
        segments = Input(pipe=io.BytesIO(content.encode()), pipe_form="csv", columns=NUMBERED, has_header=False)
    else:
        (tmp_path / f"a.{kind}").write_text(content, encoding="utf-8")
        segments = Input(table=tmp_path / f"a.{kind}", columns=NUMBERED, has_header=False)
    lines = scored(trained.path, segments, form="jsonl", header=False)
    assert_rows([json.loads(line) for line in lines], expected)


def test_names_of_columns_say_that_there_is_a_header(
    trained: Any, corpus: Any, data: Any, expected: Predictions, tmp_path: Path
) -> None:
    segments = replace(inputs("tsv", corpus, data, tmp_path), has_header=False)
    lines = scored(trained.path, segments, scores_only=True, header=False)
    assert close([float(line.split("\t")[0]) for line in lines], expected.sentences_hter)
    (tmp_path / "table.tsv").write_text("a\tb\nc\td\n")
    message = "line 1: found no column 'src'; .* If the first line is a segment, number the columns: --columns source=1"
    with pytest.raises(DataError, match=message):
        score(trained.path, segments, io.StringIO(), header=False)
    with pytest.raises(
        ConfigError, match=r"JSON Lines has no header\. Remove it\. If the first line is a segment, number"
    ):
        score(trained.path, segments, io.StringIO(), form="jsonl", header=False)
    numbered = Input(table=tmp_path / "table.tsv", columns={"source": "1", "target": "3"}, has_header=False)
    with pytest.raises(DataError, match="line 1: found the column '3'; expected a number from 1 to 2"):
        score(trained.path, numbered, io.StringIO(), header=False)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (Input(files={"source": Path("a")}), "Add --target"),
        (Input(files={"source": Path("a")}, table=Path("t.tsv")), "remove the table and --columns"),
        (Input(table=Path("t.tsv"), columns={"sorce": "a"}), "did you mean 'source'"),
        (Input(pipe=io.BytesIO(), columns={"source": "a"}), "--input-format jsonl"),
        (Input(table=Path("t.tsv"), columns={"source": "a", "target": "a"}), "same column for several fields"),
        (Input(table=Path("t.tsv"), pipe_form="jsonl"), "not read if there are files"),
    ],
)
def test_inputs_that_cannot_be(trained: Any, segments: Input, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        score(trained.path, segments, io.StringIO())


def test_options_that_do_not_go_together(trained: Any, corpus: Any) -> None:
    for segments in (Input(files=files(corpus)), Input(table=Path("a.jsonl"), columns={"source": "1"})):
        with pytest.raises(
            ConfigError, match=r"--no-header is for TSV, because JSON Lines has no header\. Remove it\.$"
        ):
            score(trained.path, replace(segments, has_header=False), io.StringIO(), form="jsonl", header=False)


# The command.


def command(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kiwi", "score", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,
    )


def test_a_stream_answers_line_by_line(trained: Any, data: Any) -> None:
    process = command("-m", trained.path, "--stream", "--no-header", "--scores-only", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    for row in list(zip(*data.values(), strict=True))[:3]:
        process.stdin.write("\t".join(row).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], 60)  # while standard input is open
        assert ready
        assert 0 <= float(process.stdout.readline().split(b"\t")[0]) <= 1
    process.stdin.write(b"no tabs here\n")
    process.stdin.close()
    assert process.wait(60) == 3
    assert process.stdout.read() == b"nan\tnan\tnan\t\n"
    error = process.stderr.read().decode()
    assert "1 of 4 segments are bad and have no score (nan)" in " ".join(error.split())
    assert "<stdin>, line 4: found 1 columns; expected 3" in " ".join(error.split())
    process.stdout.close()
    process.stderr.close()


def test_a_reader_that_goes_away_is_no_error(trained: Any, corpus: Any) -> None:
    there = files(corpus)
    process = command("-m", trained.path, "-s", there["source"], "-t", there["target"], "-a", there["alignments"])
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=60)
    assert error == b""


def test_the_home_directory_in_python(corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(corpus.directory))
    source = corpus.file("test", "source")
    assert Input(files={"source": Path(f"~/{source.name}")}).paths == [source]
    assert Input(table=Path("~/table.tsv")).paths == [corpus.directory / "table.tsv"]


def test_what_takes_long_to_import_is_imported_when_needed() -> None:
    code = (
        "import sys, kiwi.cli.scoring, kiwi.lib.score, kiwi.runner.onnx_engine\n"
        "from kiwi.lib.utils import configure_logging\n"
        "configure_logging()\n"
        "print({'omegaconf', 'rich', 'urllib.request', 'torch', 'transformers', 'pyarrow', 'yaml'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "set()\n"
