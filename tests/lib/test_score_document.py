"""Files of translations, scored by a system."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest
import typer.testing
from typing_extensions import override

import kiwi
from kiwi.cli import app
from kiwi.data.documents.copies import check_copy_name
from kiwi.data.documents.formats import HowToRead, require_format
from kiwi.data.documents.rating import Rating
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.segments.bad_rows import BadRows
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score import DocumentOptions, Input, score_to_stream
from kiwi.lib.score.document.counting import count_segments
from kiwi.lib.score.document.pipeline import is_document, named_format, score_document
from kiwi.runner.options import PredictOptions
from kiwi.systems.manifest.intervals import EVERY, CalibrationGroup, ScoreIntervals
from kiwi.systems.manifest.rewriting import read_info, rewrite, set_score_meaning
from kiwi.systems.qe_system import QESystem
from tests.pretrained import write_model

XLIFF = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="de" original="a" datatype="plaintext"><body>
<trans-unit id="1"><source>Close the bank .</source><target>Schließen Sie die Bank .</target></trans-unit>
<trans-unit id="2"><source>Open the window .</source><target>Öffnen Sie</target></trans-unit>
<trans-unit id="3"><source>Now .</source></trans-unit>
</body></file></xliff>
"""
SOURCES, TARGETS = ["Close the bank .", "Open the window ."], ["Schließen Sie die Bank .", "Öffnen Sie"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system of source and target only, with random weights; not to be changed."""
    folder = tmp_path_factory.mktemp("system")
    model = {
        "encoder": {"model_name": str(write_model("bert", folder / "encoder"))},
        "outputs": {"word_level": {"target": True}, "sentence_level": {"hter": True}},
    }
    config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
    columns = {"source": SOURCES, "target": TARGETS, "sentence_scores": ["0.1", "0.4"]}
    QESystem.build(config, columns).save(folder / "trained")
    return folder / "trained"


@pytest.fixture(scope="module")
def expected(system: Path) -> list[str]:
    scores = kiwi.load_system(system).predict(SOURCES, TARGETS).sentences_hter
    assert scores is not None
    return [f"{score:.6f}".rstrip("0") for score in scores]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_xliff(system: Path, expected: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    assert score_document(system, path, tmp_path / "b.xlf") == 0
    text = (tmp_path / "b.xlf").read_text(encoding="utf-8")
    for number, score in enumerate(expected, start=1):
        assert f'<trans-unit id="{number}" its:locQualityRatingScore="{score}" its:' in text
    assert "a.xlf: 1 units without a translation were left as they are." in caplog.text
    assert path.read_bytes() == XLIFF.encode()
    assert f"urn:x-kiwi:system:sha256:{kiwi.load_system(system).about.sha256}" in text
    score_document(system, path, tmp_path / "b.xlf")  # which kiwi has written


def test_paths_may_be_strings(system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = written(tmp_path / "a.tsv", "source\ttarget\na\tb\na\t\n")
    score_document(system, path, tmp_path / "b.tsv")
    files = {"rejects": "~/bad.jsonl", "manifest": str(tmp_path / "m.json")}
    assert score_document(str(system), str(path), "~/c.tsv", **files) == 1  # type: ignore[arg-type]
    assert (tmp_path / "c.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()
    assert (tmp_path / "bad.jsonl").is_file()
    assert (tmp_path / "m.json").is_file()
    assert DocumentOptions(policy="~/policy.json").policy == tmp_path / "policy.json"  # type: ignore[arg-type]


def test_intervals(system: Path, tmp_path: Path) -> None:
    """A calibrated system writes the interval of each score on the scale of the score."""
    shutil.copytree(system, tmp_path / "system")
    info = read_info(tmp_path / "system")
    meaning = ScoreMeaning("hter", False, (0.0, 1.0))
    intervals = ScoreIntervals(0.9, {EVERY: CalibrationGroup(100, 0.05)})
    rewrite(tmp_path / "system", replace(info, data=replace(info.data, score=meaning, intervals=intervals)))
    path = written(tmp_path / "a.xlf", XLIFF)
    for scale in ("0-100", "own"):
        score_document(tmp_path / "system", path, tmp_path / "b.xlf", document=DocumentOptions(scale=scale))
        text = (tmp_path / "b.xlf").read_text(encoding="utf-8")
        assert ' xmlns:kiwi="urn:x-kiwi:intervals"' in text
        found = re.findall(r'RatingScore="([\d.]+)".* kiwi:scoreLow="([\d.]+)" kiwi:scoreHigh="([\d.]+)">', text)
        reach = 5.0 if scale == "0-100" else 0.05
        values = [list(map(float, each)) for each in found]
        assert [[low, high] for _, low, high in values] == [
            pytest.approx([score - reach, score + reach], abs=1e-5) for score, _, _ in values
        ]
        assert len(values) == 2


OPENERS: dict[str, Any] = {".gz": gzip, ".bz2": bz2, ".xz": lzma}


@pytest.mark.parametrize("suffix", OPENERS)
def test_compressed_files(system: Path, suffix: str, tmp_path: Path) -> None:
    opener = OPENERS[suffix]
    written(tmp_path / f"a.xlf{suffix}", opener.compress(XLIFF.encode()))
    score_document(system, tmp_path / f"a.xlf{suffix}", tmp_path / f"b.xlf{suffix}")
    score_document(system, tmp_path / f"a.xlf{suffix}", tmp_path / "b.xlf")
    assert opener.open(tmp_path / f"b.xlf{suffix}").read() == (tmp_path / "b.xlf").read_bytes()


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("a.xlf", {}, "a.xlf: would be written over, but this command reads it"),
        ("b.xlf", {}, "b.xlf: would be replaced or removed, but kiwi has not written it"),
        ("c.tmx", {}, "found the suffix '.tmx'; expected '.xlf' or '.xliff', the format of"),
        ("c.sdlxliff", {}, "found the suffix '.sdlxliff'; expected '.xlf' or '.xliff'"),
        ("c.xlf", {"set_state": True}, "--set-state marks translations worse than a threshold. Add --threshold SCORE"),
        ("c.xlf", {"set_state": True, "threshold": 0.5}, "--set-state needs to know which scores are good. Add --hig"),
        ("c.xlf", {"columns": {"sorce": "a"}}, "--columns: 'sorce' is not a field; did you mean 'source'?"),
        ("c.xlf", {"columns": {"source": "a", "target": "a"}}, "--columns: found the same column for several fields"),
        ("c.xlf", {"columns": {"source": "a"}}, "--columns names columns of a table, but"),
        ("c.xlf", {"languages": ["en"]}, "--languages: found 1; expected the languages of source and target"),
    ],
)
def test_options_that_do_not_fit(
    system: Path, output: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    written(tmp_path / "b.xlf", "by hand")
    with pytest.raises(ConfigError) as error:
        score_document(system, path, tmp_path / output, document=DocumentOptions(**options))
    assert message in str(error.value)
    assert (tmp_path / "b.xlf").read_text() == "by hand"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.xlf", "b.xlf"]


def test_a_copy_may_have_another_name_of_the_same_format_or_none(system: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    for name in ("b.xlf", "b.xliff", "b"):
        score_document(system, path, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (tmp_path / "b.xlf").read_bytes()


@pytest.mark.parametrize(
    ("name", "copy", "is_accepted"),
    [
        ("a.sdlxliff", "b.xlf", True),
        ("a.xlf", "b.mqxliff", False),
        ("a.xlsx", "b.xlsm", False),
        ("a.xlsm", "b.xlsx", False),
        ("a.json", "b.jsonl", False),
        ("a.jsonl", "b.NDJSON.gz", True),
        ("a.csv", "b.gz", True),
        ("a.csv", "b.docx", False),
    ],
)
def test_the_name_of_a_copy_says_no_other_format(name: str, copy: str, is_accepted: bool) -> None:
    if is_accepted:
        check_copy_name(Path(name), Path(copy))
        return
    with pytest.raises(ConfigError, match=r"found the suffix .*; expected .*, the format of a\..* Rename the copy\."):
        check_copy_name(Path(name), Path(copy))


def test_an_unknown_format_lists_all(system: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"found the suffix '.xlif'; expected that of a format: XLIFF .* Did you mean"
    ):
        score_document(system, written(tmp_path / "a.xlif", XLIFF), tmp_path / "b.xlif")


def test_nothing_is_written_when_a_document_ends_badly(system: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlf", XLIFF.replace("</body>", "</bod>"))
    with pytest.raises(DataError, match="line 6: found mismatched tag"):
        score_document(system, path, tmp_path / "b.xlf")
    assert [each.name for each in tmp_path.iterdir()] == ["a.xlf"]
    written(path, XLIFF.split("<trans-unit")[0] + "</body></file></xliff>")
    with pytest.raises(DataError, match="found no segment; expected segments with a translation"):
        score_document(system, path, tmp_path / "b.xlf")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_missing_column_names_the_option(name: str, system: Path, tmp_path: Path) -> None:
    path = written(tmp_path / name, {"a.csv": "src,target\na,b\n", "a.jsonl": '{"src": "a", "target": "b"}\n'}[name])
    message = "found no column 'source'; .* such as --columns source=NAME"
    with pytest.raises(DataError, match=message):
        score_document(system, path, tmp_path / f"b{path.suffix}", on_bad="stop")
    with pytest.raises(DataError, match=message) as error:
        list(Input(table=path).read(["source", "target"], 10, BadRows("stop", option="--on-bad")))
    assert "--on-bad" not in str(error.value)


def test_bad_segments(system: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "a.xlf", XLIFF.replace("Open the window .", " "))
    with pytest.raises(DataError, match=r"a\.xlf, line 4: found an empty source"):
        score_document(system, path, tmp_path / "b.xlf", on_bad="stop")
    assert score_document(system, path, tmp_path / "b.xlf", rejects=tmp_path / "bad.jsonl") == 1
    (row,) = (tmp_path / "bad.jsonl").read_text().splitlines()
    assert json.loads(row)["line"] == 4
    assert json.loads(row)["file"] == str(path)
    assert '<trans-unit id="2"><source> </source>' in (tmp_path / "b.xlf").read_text()
    assert "1 of 2 segments are bad and have no score (nan)" in caplog.text


def test_a_system_that_reads_alignments(trained: Any, aligning_encoder: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    with pytest.raises(ConfigError, match="reads alignments, which are not given, and kiwi does not align"):
        score_document(trained.path, path, tmp_path / "b.xlf", options=PredictOptions(align=False))
    aligning = PredictOptions(aligner=str(aligning_encoder))
    assert score_document(trained.path, path, tmp_path / "b.xlf", options=aligning) == 0
    assert (tmp_path / "b.xlf").read_text(encoding="utf-8").count("locQualityRatingScore=") == 2


def test_tables(system: Path, expected: list[str], tmp_path: Path) -> None:
    rows = list(zip(SOURCES, TARGETS, strict=True))
    path = written(
        tmp_path / "a.csv", "1;Close the bank .;Schließen Sie die Bank .\n2;Open the window .;Öffnen Sie\n3;x\n"
    )
    options = DocumentOptions({"source": "2", "target": "3"}, has_header=False, scores_only=True)
    assert score_document(system, path, tmp_path / "b.csv", document=options) == 1
    lines = (tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == [f"{n};{';'.join(rows[n - 1])};{expected[n - 1]}" for n in (1, 2)]
    assert lines[2] == "3;x;;nan"
    content = "".join(json.dumps({"target": target, "src": source}) + "\n" for source, target in rows)
    path = written(tmp_path / "a.jsonl", content)
    columns = {"source": "src"}
    assert score_document(system, path, tmp_path / "b.jsonl", document=DocumentOptions(columns=columns)) == 0
    found = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()]
    assert list(found[0]) == ["target", "src", "sentence_scores", "target_tags", "target_tags_labels", "flags"]
    assert [str(row["sentence_scores"]) for row in found] == expected
    assert [len(row["target_tags"]) for row in found] == [5, 2]
    with pytest.raises(ConfigError, match=r"--threshold: .* is CSV, which has no place for it"):
        score_document(system, tmp_path / "a.csv", tmp_path / "c.csv", document=DocumentOptions(threshold=1.0))


def test_tables_without_a_column_fail_in_every_format(system: Path, tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "source,mt\na,b\n")
    written(tmp_path / "a.jsonl", '{"source": "a", "mt": "b"}\n{"source": "a", "target": "b"}\n')
    advice = "Name the column of each field, such as --columns source=NAME."
    message = rf"line 1: found no column 'target'; expected one\. .*{advice}$"
    for name in ("a.csv", "a.jsonl"):
        with pytest.raises(DataError, match=message):
            score_document(system, tmp_path / name, tmp_path / f"b{Path(name).suffix}")
        with pytest.raises(DataError, match=message):
            score_to_stream(system, Input(table=tmp_path / name), io.StringIO())
    with pytest.raises(DataError, match=message):
        score_document(system, tmp_path / "a.jsonl", tmp_path / "b.jsonl", on_bad="stop")  # which nothing else helps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl"]


def test_alignments_are_read_from_every_kind_of_table(trained: Any, corpus: Any, tmp_path: Path) -> None:
    openpyxl, parquet = pytest.importorskip("openpyxl"), pytest.importorskip("pyarrow.parquet")
    fields = ("source", "target", "alignments")
    rows = list(zip(*(corpus.lines("test", field)[:3] for field in fields), strict=True))
    objects = [dict(zip(fields, row, strict=True)) for row in rows]
    written(tmp_path / "a.csv", "\n".join(";".join(f'"{cell}"' for cell in row) for row in (fields, *rows)) + "\n")
    written(tmp_path / "a.json", json.dumps(objects))
    written(tmp_path / "a.ndjson", "\n".join(["no object", *map(json.dumps, objects)]) + "\n")
    parquet.write_table(importlib.import_module("pyarrow").Table.from_pylist(objects), tmp_path / "a.parquet")
    book = openpyxl.Workbook()
    for row in (fields, *rows):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    options, what = PredictOptions(align=False), DocumentOptions(scores_only=True)
    for path in sorted(tmp_path.glob("a.*")):
        n_bad = score_document(trained.path, path, path.with_stem("b"), document=what, options=options)
        assert n_bad == (path.suffix == ".ndjson")
    stream, pipe = io.BytesIO(), tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", tmp_path / "a.csv", pipe]):
        score_document(trained.path, pipe, stream, form=named_format("csv"), document=what, options=options)
    assert stream.getvalue() == (tmp_path / "b.csv").read_bytes()
    scores = [row["sentence_scores"] for row in json.loads((tmp_path / "b.json").read_bytes())]
    assert [line.split(b";")[3].decode() for line in stream.getvalue().splitlines()[1:]] == list(map(str, scores))
    options = PredictOptions(aligner="encoder")
    with pytest.raises(ConfigError, match="--aligner: given, but alignments are given too"):
        score_document(trained.path, tmp_path / "a.json", tmp_path / "b.json", options=options)


def test_a_table_with_alignments(trained: Any, corpus: Any, tmp_path: Path) -> None:
    texts = [corpus.lines("test", field)[:3] for field in ("source", "target", "alignments")]
    content = "\n".join(map("\t".join, [("source", "target", "alignments"), *zip(*texts, strict=True)])) + "\n"
    options = DocumentOptions(scores_only=True)
    assert score_document(trained.path, written(tmp_path / "a.tsv", content), tmp_path / "b.tsv", document=options) == 0
    header = (tmp_path / "b.tsv").read_text(encoding="utf-8").partition("\n")[0]
    given, scores = "source\ttarget\talignments", "sentence_scores (hter, lower is better)\tsentence_scores_deviation"
    assert header == f"{given}\t{scores}\tbinary\tbinary_labels"


# The command.


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The command lets a closed pipe end its process, which is that of the tests here."""
    former = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, former)


def run(*arguments: object) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(app, ["score", *map(str, arguments)])


def test_the_command(system: Path, expected: list[str], tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    options = ["--threshold", "0.2", "--set-state", "--higher-is-better"]
    done = run("-m", system, path, "-o", tmp_path / "b.xlf", *options)
    assert done.exit_code == 0, done
    text = (tmp_path / "b.xlf").read_text(encoding="utf-8")
    assert text.count('its:locQualityRatingScoreThreshold="0.2"') == 2
    n_below = sum(float(score) < 0.2 for score in expected)
    assert text.count('<target state="needs-review-translation">') == n_below
    done = run("-m", system, path, "-s", path)
    assert "--source: not for a file that is copied with its scores" in str(done.exception)
    done = run("-m", system, path)
    assert "a.xlf is XLIFF, which is copied with its scores. Add -o FILE." in str(done.exception)
    done = run("-m", system, path, "-o", tmp_path / "b.xlf", "--on-bad", "skip")
    assert "--on-bad skip: a copy of XLIFF has all segments of the file. Choose nan or stop." in str(done.exception)
    done = run("-m", system, path, "-o", tmp_path / "b.xlf", "--stream")
    assert "--stream: " in str(done.exception)
    assert "a.xlf is XLIFF, which is written as a whole. Remove it." in str(done.exception)
    done = run("-m", system, "-s", path, "-t", path, "--set-state", "--threshold", "1")
    assert "--threshold, --set-state: for files of translations, such as XLIFF" in str(done.exception)


TABLE = "id;source;target\n" + "".join(
    f"{n};{';'.join(row)}\n" for n, row in enumerate(zip(SOURCES, TARGETS, strict=True))
)


def test_a_table_keeps_its_columns(system: Path, expected: list[str], tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", TABLE)
    done = run("-m", system, path, "--scores-only")
    lines = [*TABLE.splitlines()]
    copied = [f"{line};{score}" for line, score in zip(lines, ["sentence_scores", *expected], strict=True)]
    assert done.stdout.splitlines() == copied
    assert len(run("-m", system, path).stdout.splitlines()[0].split(";")) == 7
    assert len(run("-m", system, path, "--no-flags").stdout.splitlines()[0].split(";")) == 6
    tsv = written(tmp_path / "a.tsv", TABLE.replace(";", "\t"))
    done = run("-m", system, tsv, "--scores-only", "--only-scores")
    assert done.stdout.splitlines() == ["sentence_scores", *expected]
    done = run("-m", system, tsv, "--scores-only", "-f", "jsonl", "-o", tmp_path / "scores.jsonl")
    rows = (tmp_path / "scores.jsonl").read_text().splitlines()
    assert [json.loads(row) for row in rows] == [{"sentence_scores": float(score)} for score in expected]


@pytest.fixture(scope="module")
def informed(system: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same system, which says what its scores mean; not to be changed."""
    place = tmp_path_factory.mktemp("informed") / "system"
    shutil.copytree(system, place)
    set_score_meaning(place, ScoreMeaning("hter", higher_is_better=False, range=(0.0, 1.0)))
    return place


def test_tables_that_were_scored_before(informed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [dict(zip(("source", "target"), pair, strict=True)) for pair in zip(SOURCES, TARGETS, strict=True)]
    written(tmp_path / "a.csv", TABLE)
    written(tmp_path / "a.tsv", TABLE.replace(";", "\t"))
    written(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    written(tmp_path / "a.json", json.dumps(rows, indent=1))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    book = openpyxl.Workbook()
    for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    caplog.set_level("INFO")
    what = DocumentOptions(scale="0-100")
    for path in sorted(tmp_path.glob("a.*")):
        once, before, again = (tmp_path / f"{name}{path.suffix}" for name in ("once", "before", "again"))
        score_document(informed, path, once, document=what)
        score_document(informed, path, before, document=DocumentOptions(words=True))
        caplog.clear()
        score_document(informed, before, again, document=what, on_counted=lambda n_segments, are_all: None)
        (message,) = [each for each in caplog.messages if "replacing the columns of an earlier run" in each]
        assert message.endswith("target_tags, target_tags_labels, flags.")
        if path.suffix == ".xlsx":
            found, expected = (list(openpyxl.load_workbook(each).worksheets[0].values) for each in (again, once))
            assert found == expected
        elif path.suffix == ".parquet":
            assert pyarrow.parquet.read_table(again).equals(pyarrow.parquet.read_table(once), check_metadata=True)
        else:
            assert again.read_bytes() == once.read_bytes()


def test_the_command_scores_a_table_again(informed: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", TABLE)
    assert run("-m", informed, path, "-o", tmp_path / "once.csv", "--scale", "0-100").exit_code == 0
    assert run("-m", informed, path, "-o", tmp_path / "before.csv").exit_code == 0
    assert run("-m", informed, tmp_path / "before.csv", "-o", tmp_path / "b.csv", "--scale", "0-100").exit_code == 0
    expected = (tmp_path / "once.csv").read_bytes()
    assert (tmp_path / "b.csv").read_bytes() == expected
    command = [sys.executable, "-m", "kiwi", "score", "-m", str(informed), "--scale", "0-100", "--input-format", "csv"]
    content = (tmp_path / "before.csv").read_bytes()
    assert subprocess.run([*command, "--stream"], input=content, capture_output=True, check=True).stdout == expected


class Terminal(io.TextIOWrapper):
    @override
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("arguments", "n_columns"), [([], 5), (["--words"], 7)])
def test_people_see_scores_alone(
    system: Path, arguments: list[str], n_columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.csv", TABLE)
    screen = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", screen)
    app(["score", "-m", str(system), str(path), *arguments], standalone_mode=False)
    screen.flush()
    assert isinstance(screen.buffer, io.BytesIO)
    assert len(screen.buffer.getvalue().decode().splitlines()[0].split(";")) == n_columns


def test_the_direction_that_a_system_remembers(system: Path, expected: list[str], tmp_path: Path) -> None:
    shutil.copytree(system, tmp_path / "system")
    set_score_meaning(tmp_path / "system", ScoreMeaning("hter", higher_is_better=False, range=(0.0, 1.0)))
    path = written(tmp_path / "a.xlf", XLIFF)
    threshold = sorted(map(float, expected))[0]
    options = DocumentOptions(threshold=threshold, set_state=True, scale="own")
    score_document(tmp_path / "system", path, tmp_path / "b.xlf", document=options)
    assert (tmp_path / "b.xlf").read_text(encoding="utf-8").count('state="needs-review-translation"') == 1
    options = DocumentOptions(threshold=threshold, set_state=True, higher_is_better=True, scale="own")
    with pytest.raises(ConfigError, match="--higher-is-better: these scores are HTER, lower is better"):
        score_document(tmp_path / "system", path, tmp_path / "b.xlf", document=options)


def test_which_files_are_copied() -> None:
    kinds = ["a.xlf", "a.csv.gz", "a.parquet", "a.xlsx", "a.ndjson", "a.json", "a.txt"]
    assert all(is_document(Path(name), Path("b")) for name in kinds)
    assert [name for name in kinds if not is_document(Path(name), None)] == ["a.parquet", "a.txt"]
    lines = [name for name in kinds if not is_document(Path(name), None, lines=True)]
    assert lines == ["a.csv.gz", "a.parquet", "a.txt"]


def test_options_that_would_have_no_effect(system: Path, tmp_path: Path) -> None:
    options = DocumentOptions(has_header=False)
    with pytest.raises(ConfigError, match=r"--no-header: .* is JSON, which has no line of column names"):
        score_document(system, written(tmp_path / "a.json", "[]"), tmp_path / "b.json", document=options)


def test_the_opposite_of_each_other(system: Path, tmp_path: Path) -> None:
    done = run("-m", system, written(tmp_path / "a.csv", TABLE), "--words", "--scores-only")
    assert "--words and --scores-only ask for the opposite" in str(done.exception)
    done = run("-m", system, written(tmp_path / "a.xlf", XLIFF), "-o", tmp_path / "b.xlf", "--words")
    assert "a.xlf is XLIFF, which has no place for them" in str(done.exception)
    done = run("-m", system, "-s", "-", "-t", "-")
    assert "--source and --target: found - for both" in str(done.exception)


def test_standard_input(system: Path, expected: list[str], tmp_path: Path) -> None:
    kiwi_score = [sys.executable, "-m", "kiwi", "score", "-m", str(system), "--scores-only"]
    done = subprocess.run([*kiwi_score, "--input-format", "csv"], input=TABLE.encode(), capture_output=True, check=True)
    assert [line.split(b";")[-1].decode() for line in done.stdout.splitlines()[1:]] == expected
    target = written(tmp_path / "target", "".join(f"{line}\n" for line in TARGETS))
    content = "".join(f"{line}\n" for line in SOURCES).encode()
    done = subprocess.run([*kiwi_score, "-s", "-", "-t", str(target)], input=content, capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[1:] == expected


def test_scores_in_a_file(system: Path, tmp_path: Path) -> None:
    files = {"source": written(tmp_path / "s", "a b\nc\n"), "target": written(tmp_path / "t", "A B\nC\n")}
    stream = io.StringIO()
    score_to_stream(system, Input(files=files), stream)
    score_to_stream(system, Input(files=files), tmp_path / "scores.tsv.gz")
    assert gzip.decompress((tmp_path / "scores.tsv.gz").read_bytes()).decode() == stream.getvalue()
    with pytest.raises(ConfigError, match="would be written over, but this command reads it"):
        score_to_stream(system, Input(files=files), files["source"])


def test_segments_are_counted_before_they_are_scored(system: Path, tmp_path: Path) -> None:
    header, rows = ("source", "target"), list(zip(SOURCES, TARGETS, strict=True))
    objects = [dict(zip(header, row, strict=True)) for row in rows]
    units = "".join(
        f'<unit id="{n}"><segment><source>{a}</source><target>{b}</target></segment></unit>'
        for n, (a, b) in enumerate(rows)
    )
    pairs = "".join(
        f'<tu><tuv xml:lang="en"><seg>{a}</seg></tuv><tuv xml:lang="de"><seg>{b}</seg></tuv></tu>' for a, b in rows
    )
    for name, text in {
        "a.xlf": XLIFF,
        "b.xlf": f'<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" srcLang="en" trgLang="de">'
        f'<file id="f">{units}</file></xliff>',
        "a.tmx": f'<tmx version="1.4"><header srclang="en"/><body>{pairs}</body></tmx>',
        "a.po": "".join(f'msgid "{a}"\nmsgstr "{b}"\n\n' for a, b in rows),
        "a.csv": "".join(",".join(row) + "\n" for row in [header, *rows]),
        "a.tsv": "".join("\t".join(row) + "\n" for row in [header, *rows]),
        "a.jsonl": "".join(json.dumps(each) + "\n" for each in objects),
        "a.json": json.dumps(objects),
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress((tmp_path / "a.tsv").read_bytes()))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(objects), tmp_path / "a.parquet")
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    told: list[tuple[int, bool]] = []

    def tell(n_segments: int, are_all: bool) -> None:
        told.append((n_segments, are_all))

    for path in sorted(tmp_path.iterdir()):
        told.clear()
        how = HowToRead(Rating(), {name: name for name in header}, (), True, ["en", "de"])
        count_segments(require_format(path), path, how, tell)
        assert told[-1] == (2, True), path.name
        assert all(each == (2, False) for each in told[:-1]), path.name
    told.clear()
    score_document(system, tmp_path / "a.xlf", tmp_path / "scored.xlf", on_counted=tell)
    assert told[-1] == (2, True)


def test_documents_load_no_libraries() -> None:
    code = "import sys, kiwi.data.documents.formats; print({'torch', 'lxml', 'pyarrow', 'openpyxl'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
