"""Flags, manifests and copies of tables that ``kiwi score`` writes."""

from __future__ import annotations

import importlib
import io
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.testing

import kiwi
from kiwi.cli import app
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score import DocumentOptions, Input, score as score_lines, score_to_stream
from kiwi.lib.score.calibration.data import CalibrationFiles
from kiwi.lib.score.calibration.pipeline import calibrate
from kiwi.lib.score.document.pipeline import score_document
from kiwi.lib.score.flagging import check_languages
from kiwi.systems.manifest.rewriting import set_score_meaning
from tests.lib.test_score_document import (
    SOURCES,
    TABLE,
    TARGETS,
    XLIFF,
    Terminal,
    _signals,
    expected,
    run,
    system,
    written,
)

__all__ = ["_signals", "expected", "system"]  # fixtures


def test_tables_from_a_pipe_give_lines_of_scores_too(system: Path, expected: list[str]) -> None:
    for pipe_form, content in (("csv", TABLE), ("tsv with names", TABLE.replace(";", "\t"))):
        output = io.StringIO()
        pipe: Any = Input(pipe=io.BytesIO(content.encode() + b"\n"), pipe_form=pipe_form)  # type: ignore[arg-type]
        assert score_lines(system, pipe, output, scores_only=True) == 2
        assert output.getvalue().splitlines() == ["sentence_scores", *expected]


def test_bad_rows_are_left_out_of_copies(system: Path, expected: list[str], tmp_path: Path) -> None:
    rows = [*zip(SOURCES, TARGETS, strict=True)]
    rows.insert(1, ("a", ""))
    content = "".join(json.dumps({"source": source, "target": target}) + "\n" for source, target in [("", "b"), *rows])
    contents = {
        "a.csv": "source;target\n;b\n" + "".join(f"{source};{target}\n" for source, target in rows) + "\n",
        "a.jsonl": content + "no object\n",
    }
    options = DocumentOptions(scores_only=True)
    for name, each in contents.items():
        path = written(tmp_path / name, each)
        n_bad = score_document(system, path, path.with_stem("b"), document=options, on_bad="skip")
        assert n_bad == (3 if name == "a.jsonl" else 2)
    lines = (tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["source;target;sentence_scores", *map(";".join, zip(SOURCES, TARGETS, expected, strict=True)), ""]
    found = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [str(row["sentence_scores"]) for row in found] == expected


def test_bad_rows_of_parquet_are_left_out(system: Path, expected: list[str], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = importlib.import_module("pyarrow").table({"source": ["a", *SOURCES], "target": ["", *TARGETS]})
    parquet.write_table(table, tmp_path / "a.parquet")
    options = DocumentOptions(scores_only=True, flags=True, languages=["en", "ru"])
    path = tmp_path / "a.parquet"
    assert score_document(system, path, tmp_path / "b.parquet", document=options, on_bad="skip") == 1
    found = parquet.read_table(tmp_path / "b.parquet").to_pydict()
    assert list(map(str, found["sentence_scores"])) == expected
    assert found["flags"] == [["script"], ["script"]]


def test_a_table_is_copied_row_by_row(system: Path, tmp_path: Path) -> None:
    kiwi_score = [sys.executable, "-m", "kiwi", "score", "-m", str(system), "--input-format", "csv", "--stream"]
    with subprocess.Popen(kiwi_score, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        header, *rows = TABLE.encode().splitlines(keepends=True)
        for number, line in enumerate(rows):
            process.stdin.write(header + line if not number else line)
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 60)[0]  # while standard input is open
            # The header may come before the first row.
            lines = [process.stdout.readline() for _ in range(2 - number)]
            assert lines[-1].startswith(line.strip())
            assert lines[-1].endswith(b"\n")
        process.stdin.close()


def test_flags(system: Path, tmp_path: Path) -> None:
    rows = [("Close it.", "Close it."), ("Pay 50 now", "Zahle 15"), ("a", ""), ("b", "B %s"), ("c d", "C D e")]
    files = {
        name: written(tmp_path / name, "".join(f"{row[index]}\n" for row in rows))
        for index, name in enumerate(("source", "target"))
    }
    expected = [["copied"], ["numbers"], ["empty"], ["tags"], []]
    output = io.StringIO()
    assert score_to_stream(system, Input(files=files), output, form="jsonl", manifest=tmp_path / "m.json") == 1
    assert [json.loads(line)["flags"] for line in output.getvalue().splitlines()] == expected
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert manifest["counts"] == {
        "segments": 5,
        "bad": 1,
        "without_target": 0,
        "flags": {"copied": 1, "empty": 1, "script": 0, "language": 0, "length": 0, "numbers": 1, "tags": 1},
    }
    assert manifest["columns"] == ["sentence_scores", "target_tags", "target_tags_labels", "flags"]
    assert manifest["score"] == {"kind": "unknown", "higher_is_better": None, "range": None}
    output = io.StringIO()
    score_to_stream(system, Input(files=files), output, on_bad="skip", header=False, flags=True, scores_only=True)
    assert [line.split("\t")[1] for line in output.getvalue().splitlines()] == ["copied", "numbers", "tags", ""]
    table = written(tmp_path / "a.csv", "flags,source,target\n1,a,b\n")
    with pytest.raises(DataError, match=r"found a column 'flags' already; .* --no-flags adds none"):
        score_document(system, table, tmp_path / "b.csv")
    score_document(system, table, tmp_path / "b.csv", document=DocumentOptions(flags=False))


def test_flags_of_the_language_pair_of_a_row(system: Path, tmp_path: Path) -> None:
    numbers = range(30)
    contents = {
        "source": "Close the door.\n" * 30,
        "target": "".join(f"Zu {'sehr ' * (number % 5)}\n" for number in numbers),
        "lp": "en-de\nen-fr\n" * 15,
        "gold": "".join(f"{0.01 * number + 0.1 * (number % 2)}\n" for number in numbers),
    }
    files = {name: written(tmp_path / name, content) for name, content in contents.items()}
    gold = {"sentence_scores": files.pop("gold")}
    calibrate(system, CalibrationFiles(files, gold), directory=tmp_path / "calibrated")

    french = "Fermez la porte avant de quitter la maison."
    rows = ["source\ttarget\tlp", *(f"Close the door.\t{french}\t{lp}" for lp in ("en-de", "en-fr", "eng-fra"))]
    table = written(tmp_path / "a.tsv", "\n".join(rows) + "\n")
    score_document(tmp_path / "calibrated", table, tmp_path / "b.tsv")
    flags = [line.split("\t")[-1] for line in (tmp_path / "b.tsv").read_text(encoding="utf-8").splitlines()]
    assert flags == ["flags", "language", "", ""]
    output = io.StringIO()
    score_lines(tmp_path / "calibrated", Input(table=table), output, form="jsonl")
    assert [json.loads(line)["flags"] for line in output.getvalue().splitlines()] == [["language"], [], []]


def test_a_manifest_beside_a_document(system: Path, tmp_path: Path) -> None:
    shutil.copytree(system, tmp_path / "known")
    set_score_meaning(tmp_path / "known", ScoreMeaning("hter", higher_is_better=False, range=(0.0, 1.0)))
    path = written(tmp_path / "a.xlf", XLIFF)
    done = run("-m", tmp_path / "known", path, "-o", tmp_path / "b.xlf", "--manifest", tmp_path / "m.json")
    assert done.exit_code == 0, done
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert manifest["score"] == {"kind": "hter", "higher_is_better": True, "range": [0, 100]}
    assert manifest["scale"] == "0-100"
    assert manifest["counts"]["without_target"] == 1
    assert manifest["system"]["sha256"] == kiwi.load_system(tmp_path / "known").about.sha256
    done = run("-m", system, path, "-o", tmp_path / "c.xlf", "--manifest", path)
    assert "a.xlf: would be written over" in str(done.exception)


def test_a_bar_on_a_terminal(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    screen = Terminal(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    app(["score", "-m", str(system), str(path), "-o", str(tmp_path / "b.xlf")], standalone_mode=False)
    screen.flush()
    assert isinstance(screen.buffer, io.BytesIO)
    assert "Scoring" in screen.buffer.getvalue().decode()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("languages", [("English", "German"), ("en", "klingon"), ("en", "d")])
def test_languages_that_are_no_codes(languages: tuple[str, str]) -> None:
    with pytest.raises(
        ConfigError, match=r"--languages: found .*; expected the codes of two languages, such as en,pt-BR"
    ):
        check_languages(languages)


@pytest.mark.parametrize(
    "languages", [(), ("en", "de"), ("EN-us", "zh_Hans"), ("es-419", "fil"), ("ca-valencia", "de-CH-1996")]
)
def test_codes_of_languages(languages: tuple[str, str]) -> None:
    check_languages(languages)


def test_a_document_that_does_not_say_its_languages(system: Path, tmp_path: Path, caplog: Any) -> None:
    text = XLIFF.replace("Schließen Sie die Bank .", "Закройте скамейку , пожалуйста .")
    options = DocumentOptions(languages=["en", "de"], scores_only=True, flags=True)
    for name, content in (("silent", text.replace(' target-language="de"', "")), ("german", text)):
        path = written(tmp_path / f"{name}.xlf", content)
        score_document(system, path, tmp_path / f"{name}-scored.xlf", document=options)
        assert "script" in (tmp_path / f"{name}-scored.xlf").read_text(encoding="utf-8")
    assert "--languages" not in caplog.text
    russian = DocumentOptions(languages=["en", "ru"], scores_only=True, flags=True)
    score_document(system, path, tmp_path / "russian.xlf", document=russian)
    assert f"{path}, line 3: the document gives the language as de, which is used instead of ru" in caplog.text


@pytest.mark.parametrize(
    ("name", "options", "form"),
    [
        ("a.jsonl", [], "jsonl"),
        ("a.tsv", [], "tsv"),
        ("a.txt", [], "tsv"),
        ("a.txt", ["-f", "jsonl"], "jsonl"),
        ("a.jsonl", ["-f", "tsv"], None),
        ("a.CSV", [], None),
        ("a.xlsx", ["-f", "tsv"], None),
        ("a.parquet", [], None),
    ],
)
def test_the_name_of_a_file_says_its_form(
    system: Path, tmp_path: Path, name: str, options: list[str], form: str | None
) -> None:
    (tmp_path / "s").write_text("Close the bank .\n")
    (tmp_path / "t").write_text("Bank .\n")
    command = [
        "score",
        "-m",
        str(system),
        "-s",
        str(tmp_path / "s"),
        "-t",
        str(tmp_path / "t"),
        "-o",
        str(tmp_path / name),
    ]
    done = typer.testing.CliRunner().invoke(app, [*command, *options])
    if form is None:
        assert isinstance(done.exception, ConfigError)
        assert f"{tmp_path / name}{' and --format' if name == 'a.jsonl' else ', but TSV or'}" in str(done.exception)
        assert not (tmp_path / name).exists()
    else:
        assert done.exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith("{") is (form == "jsonl")
