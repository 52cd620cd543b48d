"""A fuzzer: whatever a file contains, kiwi succeeds or explains what is wrong, in bounded time and memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, strategies as st

from kiwi.data.datasets.parts import TrainingConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.text.embeddings import read_embeddings
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.export import Export, export
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.predict import config as predict_config, predict_from_configuration
from kiwi.lib.publish import publish
from kiwi.lib.score import Input, score
from kiwi.lib.search import config as search_config
from kiwi.lib.train import config as train_config
from kiwi.lib.utils import load_configuration
from kiwi.runner import load_system
from kiwi.systems.pretrained.word_vectors import word_vectors
from kiwi.systems.qe_system import QESystem
from kiwi.utils.sealed import SUMS_FILE, seal
from tests.conftest import Corpus, Trained, changed, made_once, tiny_options
from tests.fuzz.damage import bounded, damaged_bytes, damaged_file, damaged_value, judge
from tests.pretrained import write_model

SOURCE, TARGET, ALIGNMENTS = ["Close the bank ."], ["Schließen Sie die Bank ."], ["0-0 1-2 2-3 3-4"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd paths are relative to a directory of the test, and to a home of its own; warnings are not collected."""
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b" / "c")
    monkeypatch.setenv("HOME", str(tmp_path))
    caplog.set_level("ERROR", logger="kiwi")


class Workshop:
    """A directory of whole files, and a copy of it in which one file at a time is damaged."""

    def __init__(self, whole: Path, copy: Path) -> None:
        self.whole, self.path = whole, copy
        shutil.copytree(whole, copy)
        self.files = sorted(file.relative_to(whole) for file in whole.rglob("*") if file.is_file())

    def damaged(self, data: st.DataObject, *, resealed: bool = False) -> Path:
        """Damage a file, and restore the one that was damaged before."""
        shutil.rmtree(self.path)
        shutil.copytree(self.whole, self.path)
        name = data.draw(st.sampled_from([file for file in self.files if not resealed or file.name != SUMS_FILE]))
        (self.path / name).write_bytes(data.draw(damaged_file(self.whole / name)))
        if resealed:
            (self.path / SUMS_FILE).unlink(missing_ok=True)
            seal(self.path)
        return self.path


def use(path: Path) -> None:
    """Do everything that is done with a trained system."""
    load_system(path).predict(SOURCE, TARGET, ALIGNMENTS)
    inspect_checkpoint(path)
    shutil.rmtree(path.parent / "published", ignore_errors=True)
    publish(path, path.parent / "published")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder; not to be changed."""
    return write_model("xlm-roberta", tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="module")
def transformer(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint on a pretrained encoder; not to be changed."""
    outputs = {"word_level": {"target": True}, "sentence_level": {"hter": True}}
    model = {"encoder": {"model_name": str(folder), "hidden_size": 6}, "outputs": outputs}
    config = QESystem.Config.from_dict({"class_name": "XLMRoberta", "model": model})
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoints") / "transformer"
    QESystem.build(config, {"source": SOURCE, "target": TARGET, "sentence_scores": ["0.5"]}).save(path)
    return path


@pytest.fixture(scope="module")
def systems(
    transformer: Path, trained: Trained, exported: Export, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Workshop]:
    """A checkpoint of each kind, and an export of each."""
    root = tmp_path_factory.mktemp("workshops")
    whole = {"nuqe": trained.path, "transformer": transformer, "nuqe export": exported.path}
    whole["transformer export"] = made_once(
        tmp_path_factory, "exported-transformer", lambda path: export(transformer, path).path
    )
    return {name: Workshop(path.resolve(), root / f"damaged {name}" / "system") for name, path in whole.items()}


SYSTEMS = ["nuqe", "transformer", "nuqe export", "transformer export"]


@pytest.mark.parametrize("name", SYSTEMS)
@bounded
@given(data=st.data())
def test_systems(systems: dict[str, Workshop], name: str, data: st.DataObject) -> None:
    path = systems[name].damaged(data)
    judge(lambda: use(path))


@pytest.mark.parametrize("name", SYSTEMS)
@bounded
@given(data=st.data())
def test_systems_with_checksums_that_fit(systems: dict[str, Workshop], name: str, data: st.DataObject) -> None:
    workshop = systems[name]
    # A graph that somebody has forged runs in ONNX Runtime, which is not ours to defend; its metadata are.
    workshop.files = [file for file in workshop.files if not file.name.startswith("model.onnx")]
    path = workshop.damaged(data, resealed=True)
    judge(lambda: use(path))


@pytest.fixture(scope="module")
def encoder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(folder, tmp_path_factory.mktemp("workshops") / "encoder")


@bounded
@given(data=st.data())
def test_encoder_folders(encoder: Workshop, data: st.DataObject) -> None:
    path = encoder.damaged(data)
    outputs = {"word_level": {"target": True}, "sentence_level": {"hter": True}}
    model = {"encoder": {"model_name": str(path), "hidden_size": 6}, "outputs": outputs}

    def build() -> None:
        config = QESystem.Config.from_dict({"class_name": "Transformer", "model": model})
        QESystem.build(config, {"source": SOURCE, "target": TARGET, "sentence_scores": ["0.5"]})

    judge(build)
    judge(lambda: word_vectors(str(path), ["Haus", "klein"]))


@pytest.fixture(scope="module")
def files(corpus: Corpus, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The beginning of each part of the corpus, predictions, and tables of them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = tmp_path_factory.mktemp("files") / "whole"
    root.mkdir()
    for file in corpus.directory.iterdir():
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        (root / file.name).write_text("".join(lines[:6]), encoding="utf-8")
    fields = ("source", "target", "alignments")
    rows = list(zip(*(corpus.lines("test", field)[:6] for field in fields), strict=True))
    (root / "table.tsv").write_text("".join("\t".join(row) + "\n" for row in [fields, *rows]), encoding="utf-8")
    (root / "table.jsonl").write_text(
        "".join(json.dumps(dict(zip(fields, row, strict=True))) + "\n" for row in rows), encoding="utf-8"
    )
    columns = dict(zip(fields, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), root / "table.parquet")
    found = load_system(trained.path).predict(*columns.values())
    assert found.target_tags_BAD_probabilities is not None
    (root / "predicted.tags").write_text(
        "".join(" ".join(map(str, row)) + "\n" for row in found.target_tags_BAD_probabilities), encoding="utf-8"
    )
    return Workshop(root, tmp_path_factory.mktemp("files") / "copy" / "files")


@bounded
@given(data=st.data())
def test_training_data(files: Workshop, data: st.DataObject) -> None:
    files.files = [file for file in files.files if file.name.startswith("train.")]
    path = files.damaged(data)
    corpus = Corpus(path)
    labels = {**corpus.labels("train")}
    part = {"input": corpus.inputs("train", pos=True), "output": labels}
    judge(lambda: WMTQEDataset.read(TrainingConfig.from_dict(part)))


@pytest.mark.parametrize("name", ["table.tsv", "table.jsonl", "table.parquet"])
@bounded
@given(data=st.data())
def test_tables(files: Workshop, trained: Trained, name: str, data: st.DataObject, tmp_path_factory: Any) -> None:
    files.files = [Path(name)]
    table = files.damaged(data) / name
    with (files.path.parent / "output").open("w", encoding="utf-8", errors="surrogatepass") as output:
        judge(lambda: score(trained.path, Input(table=table), output))


@bounded
@given(data=st.data())
def test_predicted_and_gold_files(files: Workshop, data: st.DataObject) -> None:
    names = ["test.hter", "test.target_tags", "test.src", "test.mt", "predicted.tags"]
    files.files = [Path(name) for name in names]
    path = files.damaged(data)
    options = {
        "gold_files": {"sentence_scores": path / "test.hter", "target_tags": path / "test.target_tags"},
        "predicted_files": [{"sentence_scores": path / "test.hter", "target_tags": path / "predicted.tags"}],
        "texts": {"source": path / "test.src", "target": path / "test.mt"},
        "output": {"report": files.path.parent / "report.html"},
        "bootstrap": 10,
    }
    judge(lambda: evaluate_from_configuration(options))


SENTENCES = "".join(f"en-de\tm\t{segment}\t0.{segment}\n" for segment in range(6))
WORDS = "".join(
    f"en-de\tm\tmt\t{segment}\t{index}\tw\t{'BAD' if index else 'OK'}\n" for segment in range(3) for index in range(2)
)
SPANS = "".join(f"en-de\tm\t{segment}\tein Haus steht\t0 4\t3 8\tminor major\n" for segment in range(3))
NAMES = "doc_id\tsegment_id\tsource_lang\ttarget_lang\tset_id\tsystem_id\thypothesis_segment"
KEYS = [f"d\t{number}\ten\tde_DE\tofficial\t{system}\tein Haus" for system in "AB" for number in (1, 2)]
UNIFIED = f"{NAMES}\tstart_indices\tend_indices\terror_types\n" + "".join(
    f"{key}\t{row}\n" for key in KEYS for row in ["0 missing\t3 missing\tminor major"]
)
WMT26 = "".join(
    json.dumps(
        {
            "item_id": f"official_###_a_###_b_###_{number}",
            "hyps": {"A": "ein Haus", "B": "ja"},
            "task1_pred": {"A": {"errors": [{"start": 0, "end": 3, "severity": "minor"}]}, "B": {"omission": "major"}},
        }
    )
    + "\n"
    for number in range(2)
)
SEG_SCORES = "".join(f"{system}\t{number if number % 2 else 'None'}\n" for system in "AB" for number in range(4))
SUBMISSIONS = {
    "unified span": (UNIFIED, "spans", UNIFIED),
    "WMT26 span": (WMT26, "spans", WMT26),
    "mt-metrics-eval sentence": (SEG_SCORES, "sentence_scores", SEG_SCORES),
    "sentence": (f"1000\n20\n1\n{SENTENCES}", "sentence_scores", "".join(f"0.{n}\n" for n in (3, 1, 4, 1, 5, 9))),
    "word": (f"1000\n20\n1\n{WORDS}", "target_tags", "OK BAD\nBAD BAD\nOK OK\n"),
    "span": (f"1000\n20\n1\n{SPANS}", "spans", SPANS),
}


@pytest.mark.parametrize("kind", SUBMISSIONS)
@bounded
@given(data=st.data())
def test_submissions(kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp()
    submission, field, gold = SUBMISSIONS[kind]
    contents = {"submission": submission.encode(), "gold": gold.encode()}
    name = data.draw(st.sampled_from(["submission", "submission", "gold"]))
    contents[name] = data.draw(damaged_bytes(contents[name]))
    for file, content in contents.items():
        (root / file).write_bytes(content)
    options = {
        "gold_files": {field: root / "gold"},
        "predicted_files": [
            {"sentence_scores" if "eval" in kind else f"{kind.split()[-1]}_submission": root / "submission"}
        ],
        "bootstrap": 10,
    }
    judge(lambda: evaluate_from_configuration(options))


VECTORS = {
    "text": b"Haus 0.1 0.2 0.3\nBank 1 2 3\nklein -1 0 1e-3\n",
    "word2vec": b"3 3\nHaus 0.1 0.2 0.3\nBank 1 2 3\nklein -1 0 1e-3\n",
    "binary": b"2 3\nHaus " + bytes(12) + b"\nBank " + bytes(12) + b"\n",
}


@pytest.mark.parametrize("form", VECTORS)
@bounded
@given(data=st.data())
def test_word_vectors(form: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "vectors"
    path.write_bytes(data.draw(damaged_bytes(VECTORS[form])))
    judge(lambda: list(read_embeddings(path, "text" if form == "text" else "word2vec")))


CONFIGURATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "train": train_config.Configuration.from_dict,
    "predict": predict_config.Configuration.from_dict,
    "search": search_config.Configuration.from_dict,
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
@bounded
@given(data=st.data())
def test_configurations(
    kind: str, corpus: Corpus, trained: Trained, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp()
    training = tiny_options(corpus, root / "run")
    part = {"input": corpus.inputs("test")}
    options: dict[str, Any] = {
        "train": training,
        "predict": {
            "run": {"output_dir": str(root / "out")},
            "data": {"test": part},
            "system": {"load": str(trained.path)},
        },
        "search": {
            "base_config": training,
            "num_trials": 2,
            "options": {"dropout": [0.1, 0.2], "learning_rate": {"lower": 1e-4, "upper": 1e-3}},
        },
    }[kind]
    path = root / data.draw(st.sampled_from(["options.yaml", "options.json"]))
    path.write_text(json.dumps(options) if path.suffix == ".json" else yaml.safe_dump(options), encoding="utf-8")
    path.write_bytes(data.draw(damaged_file(path)))
    judge(lambda: CONFIGURATIONS[kind](load_configuration(path)))


@bounded
@given(data=st.data())
def test_options_of_a_model(corpus: Corpus, data: st.DataObject) -> None:
    """A system is built with odd options, or they are refused before anything is allocated."""
    options = changed(tiny_options(corpus, Path("run")), {})["system"]
    options = data.draw(damaged_value(options))
    fields = ("source", "target", "target_tags", "source_tags", "sentence_scores")
    columns = {field: corpus.lines("train", field) for field in fields}

    def build() -> None:
        QESystem.build(QESystem.Config.from_dict(options), columns)

    judge(build)


@bounded
@given(data=st.data())
def test_predictions_from_odd_configurations(
    corpus: Corpus, trained: Trained, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("predictions")
    options = {
        "run": {"output_dir": str(root / "out"), "chunk_size": 4, "seed": 1},
        "data": {"test": {"input": corpus.inputs("test"), "output": corpus.labels("test")}},
        "system": {"load": str(trained.path), "batch_size": 4, "num_data_workers": 0},
    }
    odd = data.draw(damaged_value(options))
    judge(lambda: predict_from_configuration(odd))
