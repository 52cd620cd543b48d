"""No command writes over a file that it reads, nor over one that kiwi has not written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiwi.cli import main
from kiwi.data.datasets.parts import TrainingConfig
from kiwi.exceptions import ConfigError
from kiwi.lib.bulk.config import BulkConfiguration
from kiwi.lib.bulk.job import JOB_FILE, pending_tasks, plan_job
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.export import export
from kiwi.lib.predict import predict_to_files
from kiwi.lib.pretrain import pretrain_from_configuration
from kiwi.lib.pretrained.encoder import write_encoder
from kiwi.lib.pretrained.vectors import write_vectors
from kiwi.lib.publish import publish
from kiwi.lib.score import Input, score_to_stream
from kiwi.lib.search import search_from_configuration
from kiwi.lib.thresholds import choose_thresholds
from kiwi.lib.train import train_from_configuration
from kiwi.runner import Predictions, load_system
from tests.conftest import Corpus, Trained, changed


@dataclass(frozen=True)
class Call:
    """What the commands below work on: the file that is in the way, and the data."""

    place: Path
    trained: Trained
    corpus: Corpus
    overwrite: bool = False

    def predict(self, **run: Any) -> None:
        options = {
            "run": {"output_dir": str(self.place.parent), "overwrite": self.overwrite, **run},
            "data": {"test": {"input": self.corpus.inputs("test")}},
            "system": {"load": str(self.trained.path), "num_data_workers": 0},
        }
        predict_to_files(options)

    def evaluate(self, **output: Any) -> None:
        gold = self.corpus.labels("valid")["sentence_scores"]
        options = {"gold_files": {"sentence_scores": gold}, "predicted_files": [{"sentence_scores": gold}]}
        evaluate_from_configuration({**options, "bootstrap": 0, "output": {**output, "overwrite": self.overwrite}})

    def score(self) -> None:
        files = {field: Path(path) for field, path in self.corpus.inputs("test").items()}
        with self.place.with_name("out.tsv").open("w") as output:
            segments = Input(files=files)
            score_to_stream(self.trained.path, segments, output, rejects=self.place, overwrite=self.overwrite)

    def training(self, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        run = {"run.output_dir": str(self.place.parent), "run.overwrite": self.overwrite, "run.run_id": None}
        return changed(self.trained.options, {**run, "trainer.epochs": 1, **(changes or {})})

    def pretrain(self) -> None:
        embeddings = {"source": {"dim": 4}, "target": {"dim": 4}}
        model = {"encoder": {"hidden_size": 4, "rnn_layers": 1, "embeddings": embeddings}}
        changes = {"system.class_name": "Predictor", "system.model": model, "trainer.main_metric": None}
        pretrain_from_configuration(self.training(changes))

    def search(self) -> None:
        name, directory = self.place.parent.name, str(self.place.parent.parent)
        base = changed(self.trained.options, {"run": {"seed": 1}})
        options = {"base_config": base, "directory": directory, "search_name": name, "overwrite": self.overwrite}
        search_from_configuration({**options, "num_trials": 1})

    def bulk(self) -> None:
        (self.place.parent / "in").mkdir(exist_ok=True)
        row = {field: "a" if field != "alignments" else "0-0" for field in self.corpus.inputs("test")}
        (self.place.parent / "in" / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
        bulk = {"input": str(self.place.parent / "in"), "output": str(self.place.parent)}
        options = {"engine": "ray", "system": {"load": str(self.trained.path)}, "bulk": bulk}
        pending_tasks(*plan_job(BulkConfiguration.from_dict(options), load_system(self.trained.path).about))

    def save(self) -> None:
        Predictions(sentences_hter=[0.5]).save(self.place.parent, overwrite=self.overwrite)

    def thresholds(self) -> None:
        data = TrainingConfig.from_dict({"input": self.corpus.inputs("valid"), "output": self.corpus.labels("valid")})
        choose_thresholds(self.trained.path, self.place.parent, data, overwrite=self.overwrite)


COMMANDS: dict[str, tuple[str, Callable[[Call], Any]]] = {
    "predict": ("sentence_scores", Call.predict),
    "predict, what it would remove": ("sentence_submission.tsv", Call.predict),
    "predict, its record": ("predictions.json", Call.predict),
    "predict, rejects": (
        "bad.jsonl",
        lambda call: call.predict(rejects=str(call.place), output_dir=str(call.place) + ".d"),
    ),
    "score": ("bad.jsonl", Call.score),
    "evaluate, page": ("gold.hter", lambda call: call.evaluate(report=str(call.place))),
    "evaluate, JSON": ("report.json", lambda call: call.evaluate(figures=str(call.place))),
    "evaluate, Markdown": ("report.md", lambda call: call.evaluate(markdown=str(call.place))),
    "evaluate, LaTeX": ("report.tex", lambda call: call.evaluate(latex=str(call.place))),
    "train": ("config.yaml", lambda call: train_from_configuration(call.training())),
    "train, log": ("output.log", lambda call: train_from_configuration(call.training())),
    "train, predictions": (
        "sentence_scores",
        lambda call: train_from_configuration(call.training({"run.predict_after_training": True})),
    ),
    "pretrain": ("config.yaml", Call.pretrain),
    "Predictions.save": ("gap_tags", Call.save),
}
"""The file that is in the way, and the command; with ``overwrite``, each of them replaces it."""

NEVER: dict[str, tuple[str, Callable[[Call], Any]]] = {
    "search": ("search.yaml", Call.search),
    "vectors": ("v.txt", lambda call: write_vectors("x", call.place, [call.corpus.file("train", "source")])),
    "export": ("a", lambda call: export(call.trained.path, call.place.parent, overwrite=call.overwrite)),
    "publish": ("a", lambda call: publish(call.trained.path, call.place.parent, overwrite=call.overwrite)),
    "thresholds": ("a", Call.thresholds),
    "encoder": ("a", lambda call: write_encoder("multilingual-e5-small", call.place.parent)),
    "bulk, its job": (JOB_FILE, Call.bulk),
    "bulk, results": ("a.jsonl", Call.bulk),
    "bulk, rejects": ("_rejects/a.jsonl", Call.bulk),
}
"""The same for commands whose directories have to be new, or that are slow to run."""


def in_the_way(tmp_path: Path, name: str) -> Path:
    place = tmp_path / "there" / name
    place.parent.mkdir(parents=True)
    place.write_text("precious\n")
    return place


@pytest.mark.parametrize("command", [*COMMANDS, *NEVER])
def test_files_of_others_stay(command: str, trained: Trained, corpus: Corpus, tmp_path: Path) -> None:
    name, run = (COMMANDS | NEVER)[command]
    place = in_the_way(tmp_path, name)
    call = Call(place, trained, corpus)
    if command.startswith("bulk"):
        call = Call(tmp_path / "there" / "x", trained, corpus)
    with pytest.raises(ConfigError, match=str(place.parent)):
        run(call)
    assert place.read_text() == "precious\n"


@pytest.mark.parametrize("command", ["predict", "evaluate, page", "score", "Predictions.save"])
def test_they_are_replaced_where_that_is_allowed(
    command: str, trained: Trained, corpus: Corpus, tmp_path: Path
) -> None:
    name, run = COMMANDS[command]
    place = in_the_way(tmp_path, name)
    run(Call(place, trained, corpus, overwrite=True))
    assert not place.exists() or place.read_text() != "precious\n"
    if place.exists():
        run(Call(place, trained, corpus))  # now it is kiwi's own


@pytest.mark.parametrize("command", ["evaluate, page", "evaluate, JSON", "score", "predict, rejects"])
@pytest.mark.parametrize("kind", ["itself", "hard link", "symbolic link"])
def test_what_is_read_is_never_written_over(
    command: str, kind: str, trained: Trained, corpus: Corpus, tmp_path: Path
) -> None:
    read = corpus.file("valid", "sentence_scores") if "evaluate" in command else corpus.file("test", "source")
    before, place = read.read_bytes(), tmp_path / "link"
    if kind == "hard link":
        place.hardlink_to(read)
    elif kind == "symbolic link":
        place.symlink_to(read)
    else:
        place = read
    with pytest.raises(ConfigError, match="this command reads it"):
        COMMANDS[command][1](Call(place, trained, corpus, overwrite=True))
    assert read.read_bytes() == before
    (corpus.directory / "out.tsv").unlink(missing_ok=True)


def test_predictions_beside_their_own_data(trained: Trained, corpus: Corpus, tmp_path: Path) -> None:
    place = tmp_path / "sentence_scores"
    place.write_text("a b\n")
    call = Call(place, trained, corpus, overwrite=True)
    options = {
        "run": {"output_dir": str(tmp_path), "overwrite": True},
        "data": {"test": {"input": {**call.corpus.inputs("test"), "target": str(place)}}},
        "system": {"load": str(trained.path)},
    }
    with pytest.raises(ConfigError, match="sentence_scores: would be written over, but this command reads it"):
        predict_to_files(options)
    assert place.read_text() == "a b\n"


def test_a_second_prediction_does_not_mix_with_the_first(
    trained: Trained, corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call = Call(tmp_path / "out" / "x", trained, corpus)
    call.predict(output_format="tsv")
    files = json.loads((tmp_path / "out" / "predictions.json").read_text())["files"]
    assert set(files) == {path.name for path in (tmp_path / "out").iterdir()} - {"predictions.json"}
    caplog.set_level("INFO")
    (tmp_path / "out" / "gap_tags").write_text("OK\n")
    with pytest.raises(ConfigError, match="gap_tags: would be replaced or removed"):
        call.predict()
    (tmp_path / "out" / "gap_tags").unlink()
    call.predict()
    assert not (tmp_path / "out" / "predictions.tsv").exists()
    assert f"Removed files of an earlier prediction from {tmp_path / 'out'}: predictions.tsv\n" in caplog.text


def run_kiwi(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["kiwi", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_closed_standard_output(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run_kiwi(monkeypatch, "score", "-m", str(trained.path)) == 1
    assert "Error: Standard output is closed. Redirect it" in capsys.readouterr().err


BAD = {
    "an empty target": ["a b\tx y\t0-0", "a b\t\t", "a\tx\t0-0"],
    "an alignment outside": ["a b\tx y\t0-0", "a b\tx\t5-0", "a\tx\t0-0"],
    "a column too few": ["a b\tx y\t0-0", "a b", "a\tx\t0-0"],
}


@pytest.mark.parametrize("lines", BAD.values(), ids=BAD)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_segments_of_a_table(
    trained: Trained,
    lines: list[str],
    stream: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = tmp_path / "a.tsv"
    table.write_text("\n".join(["source\ttarget\talignments", *lines]) + "\n", encoding="utf-8")
    rejects = tmp_path / "bad.jsonl"
    command = ["score", "-m", str(trained.path), str(table), "--scores-only", "--format", "tsv"]
    command += ["--stream"] if stream else []
    scores = {}
    for on_bad, code in {"nan": 3, "skip": 3, "stop": 3}.items():
        more = [] if on_bad == "stop" else ["--rejects", str(rejects)]
        assert run_kiwi(monkeypatch, *command, "--on-bad", on_bad, *more) == code
        captured = capsys.readouterr()
        scores[on_bad] = [line.split("\t")[0] for line in captured.out.splitlines()[1:]]
        if on_bad != "stop":
            assert "1 of 3 segments are bad" in caplog.text
            (reject,) = map(json.loads, rejects.read_text(encoding="utf-8").splitlines())
            assert (reject["file"], reject["line"]) == (str(table), 3)
            assert reject["reason"].startswith("found ")
    assert [score == "nan" for score in scores["nan"]] == [False, True, False]
    assert scores["skip"] == [scores["nan"][0], scores["nan"][2]]
    assert len(scores["stop"]) == stream
    assert "set --on-bad to nan or skip" in captured.err
    assert run_kiwi(monkeypatch, *command, "--on-bad", "stop", "--rejects", str(rejects)) == 2
    assert run_kiwi(monkeypatch, *command) == 3
    assert "--rejects FILE lists all, with the reasons" in caplog.text


@pytest.mark.parametrize(("on_bad", "n_lines"), [("nan", 10), ("skip", 8)])
def test_bad_segments_of_files(
    trained: Trained, corpus: Corpus, on_bad: str, n_lines: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = [line.encode() for line in corpus.lines("test", "target")]
    target[3], target[7] = b"", b"caf\xe9"
    (tmp_path / "mt").write_bytes(b"\n".join(target) + b"\n")
    labels = corpus.labels("test")
    options = {
        "run": {
            "output_dir": str(tmp_path / "out"),
            "on_bad_segment": on_bad,
            "rejects": str(tmp_path / "bad.jsonl"),
            "chunk_size": 2,
            "output_format": "jsonl",
        },
        "data": {"test": {"input": {**corpus.inputs("test"), "target": str(tmp_path / "mt")}}},
        "system": {"load": str(trained.path)},
    }
    info = predict_to_files(options)
    assert (info.n_segments, info.n_bad) == (10, 2)
    assert "2 of 10 segments are bad" in caplog.text
    scores = (tmp_path / "out" / "sentence_scores").read_text().splitlines()
    table = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert len(scores) == len(table) == n_lines
    assert [index for index, score in enumerate(scores) if score == "nan"] == ([3, 7] if on_bad == "nan" else [])
    rejects = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    # In the order of the lines, although a damaged line is found before an empty one.
    assert [one["line"] for one in rejects] == [4, 8]
    assert f"The first: {tmp_path / 'mt'}, line 4: " in caplog.text
    assert labels


@pytest.mark.parametrize(("on_bad", "n_scores"), [("nan", 2), ("skip", 1)])
def test_bad_segments_in_python(trained: Trained, on_bad: Any, n_scores: int) -> None:
    found = load_system(trained.path).predict(["a", "b"], ["x", ""], ["0-0", ""], on_bad=on_bad)
    assert len(found) == n_scores
