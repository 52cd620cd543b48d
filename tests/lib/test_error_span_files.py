"""Error spans from a system to everything that kiwi writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import typer.testing
from lxml import etree

import kiwi
from kiwi.cli import app
from kiwi.data.labels.error_spans import ErrorSpan, spans_of_cell
from kiwi.data.wmt.sentence_level import read_span_submission
from kiwi.exceptions import ConfigError
from kiwi.lib.predict import predict_to_files
from kiwi.lib.score import Input, score_to_stream
from kiwi.lib.score.document.pipeline import score_document
from kiwi.runner import Predictions
from kiwi.systems.qe_system import QESystem
from tests.pretrained import write_model

SOURCES, TARGETS = ["Close the bank .", "Open the window ."], ["Schließen Sie die Bank .", "Öffnen Sie"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that marks errors, with random weights; not to be changed."""
    folder = tmp_path_factory.mktemp("system")
    model = {"encoder": {"model_name": str(write_model("bert", folder / "encoder"))}, "outputs": {"span_level": {}}}
    config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
    columns = {"source": SOURCES, "target": TARGETS, "error_spans": ["0:9:minor", "-"]}
    QESystem.build(config, columns).save(folder / "trained")
    return folder / "trained"


@pytest.fixture(scope="module")
def predicted(system: Path) -> Predictions:
    found = kiwi.load_system(system).predict(SOURCES, TARGETS)
    assert found.error_spans is not None
    assert any(found.error_spans)
    return found


def rounded(spans: list[ErrorSpan]) -> list[ErrorSpan]:
    return [span._replace(confidence=round(span.confidence, 6)) for span in spans]


def lines(folder: Path) -> dict[str, str]:
    files = {"source": SOURCES, "target": TARGETS}
    for name, texts in files.items():
        (folder / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return {name: str(folder / name) for name in files}


def options(system: Path, folder: Path, **submission: str) -> dict[str, object]:
    return {
        "run": {"output_dir": str(folder / "out"), "output_format": "jsonl"},
        "data": {"test": {"input": lines(folder)}},
        "system": {"load": str(system)},
        "submission": submission,
    }


def test_files_of_predictions(system: Path, predicted: Predictions, tmp_path: Path) -> None:
    predict_to_files(options(system, tmp_path, format="wmt24", language_pair="en-de", method="kiwi"))
    assert predicted.error_spans is not None
    expected = [rounded(spans) for spans in predicted.error_spans]
    found = Predictions.read(tmp_path / "out").error_spans
    assert found == expected
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [spans_of_cell(row["error_spans"]) for row in rows] == expected
    assert all(
        span["text"] == row["target"][span["start"] : span["end"]] for row in rows for span in row["error_spans"]
    )
    submission = read_span_submission(tmp_path / "out" / "span_submission.tsv")
    assert submission.targets == TARGETS
    assert [[span[:2] for span in spans] for spans in submission.spans] == [
        [span[:2] for span in spans] for spans in expected
    ]
    assert submission.header.ensembled == 1


def test_a_submission_to_wmt25(system: Path, predicted: Predictions, tmp_path: Path) -> None:
    names = ["doc_id", "hypothesis_segment"]
    release = tmp_path / "release.tsv"
    rows = [names, *(["d", target] for target in TARGETS)]
    release.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    predict_to_files(options(system, tmp_path, format="wmt25", release=str(release)))
    written = (tmp_path / "out" / "span_submission.tsv").read_text(encoding="utf-8").splitlines()
    assert written[0].split("\t") == [*names, "start_indices", "end_indices", "error_types"]
    assert predicted.error_spans is not None
    for line, target, spans in zip(written[1:], TARGETS, predicted.error_spans, strict=True):
        starts = [str(span.start) for span in spans if span.start < span.end]
        assert line.split("\t")[1:3] == [target, " ".join(starts) or "-1"]


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        ({"format": "wmt25", "method": "kiwi"}, "submission.method: given, but wmt25 has no place for it; remove it"),
        ({"format": "wmt25"}, "submission.release: required for wmt25"),
        ({"format": "wmt23", "language_pair": "en-de"}, "submission.method: required for wmt23"),
        (
            {"format": "wmt22", "language_pair": "en-de", "method": "k", "levels": ["span"]},
            "submission.levels: found span; expected sentence and word, the levels of wmt22",
        ),
        (
            {"format": "wmt22", "language_pair": "en-de", "method": "k"},
            "the sentence level needs sentence_scores; the word level needs target_tags (wmt22)",
        ),
    ],
)
def test_submissions_that_are_refused(system: Path, tmp_path: Path, submission: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        predict_to_files(options(system, tmp_path, **submission))
    assert message in str(caught.value)


def test_errors_are_shown_to_people(system: Path, predicted: Predictions, tmp_path: Path) -> None:
    stream = io.StringIO()
    score_to_stream(system, Input({name: Path(path) for name, path in lines(tmp_path).items()}), stream, form="spans")
    shown = stream.getvalue().splitlines()
    assert predicted.error_spans is not None
    assert predicted.mqm_score is not None
    assert len(shown) == 4 + sum(map(len, predicted.error_spans))
    assert shown[0] == f"1  mqm_score {predicted.mqm_score[0]:.4g}"
    arguments = ["score", "-m", str(system), "-s", str(tmp_path / "source"), "-t", str(tmp_path / "target"), "--spans"]
    result = typer.testing.CliRunner().invoke(app, arguments)
    assert result.output.splitlines()[: len(shown)] == shown
    for others in (["--words"], ["--only-scores", "--best-of", "2"]):
        result = typer.testing.CliRunner().invoke(app, [*arguments, *others])
        named = ", ".join(each for each in others if each.startswith("-"))
        assert f"--spans writes text for people, which does not go with {named}" in str(result.exception)


def test_documents_have_positions_of_their_own_text(system: Path, predicted: Predictions, tmp_path: Path) -> None:
    given = [target.replace(" ", " \n  ") for target in TARGETS]
    path = tmp_path / "a.jsonl"
    rows = [{"source": source, "target": target} for source, target in zip(SOURCES, given, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    score_document(system, path, tmp_path / "b.jsonl")
    assert predicted.error_spans is not None
    for line, target, spans in zip(
        (tmp_path / "b.jsonl").read_text().splitlines(), TARGETS, predicted.error_spans, strict=True
    ):
        row = json.loads(line)
        assert len(row["error_spans"]) == len(spans)
        for found, span in zip(row["error_spans"], spans, strict=True):
            assert found["text"] == row["target"][found["start"] : found["end"]]
            assert found["text"].split() == target[span.start : span.end].split()


def test_xliff_of_a_system_without_scores(system: Path, predicted: Predictions, tmp_path: Path) -> None:
    units = "".join(
        f'<trans-unit id="{number}"><source>{source}</source><target>{target}</target></trans-unit>'
        for number, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True))
    )
    (tmp_path / "a.xlf").write_text(
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file source-language="en" original="a" '
        f'target-language="de" datatype="plaintext"><body>{units}</body></file></xliff>',
        encoding="utf-8",
    )
    score_document(system, tmp_path / "a.xlf", tmp_path / "b.xlf", manifest=tmp_path / "m.json")
    # Penalties are not in the copy.
    assert json.loads((tmp_path / "m.json").read_text())["columns"] == ["error_spans", "flags"]
    tree = etree.parse(tmp_path / "b.xlf")
    assert predicted.error_spans is not None
    for target, text, spans in zip(tree.iterfind(".//{*}target"), TARGETS, predicted.error_spans, strict=True):
        marked = [etree.tostring(mark, method="text", encoding="unicode", with_tail=False) for mark in target]
        assert marked == [text[span.start : span.end] for span in spans]
        assert etree.tostring(target, method="text", encoding="unicode", with_tail=False) == text
