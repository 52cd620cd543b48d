"""The configurations in ``config/`` are whole: each is composed, checked, and its systems are built and trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiwi.data.datasets.parts import TrainingConfig
from kiwi.lib import predict
from kiwi.lib.bulk.config import BulkConfiguration
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.pretrain import pretrain_from_configuration
from kiwi.lib.pretrained.vectors import write_vectors
from kiwi.lib.thresholds import choose_thresholds
from kiwi.lib.train import Configuration, train_from_configuration
from kiwi.lib.utils import load_configuration
from tests.pretrained import write_model

CONFIG = Path(__file__).parent.parent / "config"

SUFFIXES = {
    "src": "source",
    "mt": "target",
    "raw.src": "source",
    "raw.mt": "target",
    "src-mt.alignments": "alignments",
    "pe": "post_edit",
    "tags": "target_tags",
    "source_tags": "source_tags",
    "hter": "sentence_scores",
    "da": "sentence_scores",
    "lp": "lp",
}


@pytest.fixture(scope="module")
def mlqe(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus under the names of MLQE-PE."""
    folder = tmp_path_factory.mktemp("mlqe-pe")
    for name, part in {"train": "train", "dev": "valid", "test20": "test", "test": "test"}.items():
        for suffix, field in SUFFIXES.items():
            (folder / f"{name}.{suffix}").write_bytes(corpus.file(part, field).read_bytes())
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = {"num_hidden_layers": 8, "hidden_size": 120}
    return write_model("bert", tmp_path_factory.mktemp("models") / "model", **layers)


def test_every_configuration_is_known_here() -> None:
    found = {path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*.yaml")}
    tested = {"predictor.yaml", "predictor-estimator.yaml"}
    tested |= {
        "nuqe.yaml",
        "transformer.yaml",
        "transformer-tags.yaml",
        "transformer-joint.yaml",
        "transformer-spans.yaml",
        "critical-errors.yaml",
        "adapt.yaml",
        "predict.yaml",
        "predict-ray.yaml",
    }
    groups = {"data/mlqe-pe-parallel.yaml", "data/joined.yaml", "data/corpus.yaml"}
    groups |= {"data/mlqe-pe.yaml", "data/mlqe-pe-da.yaml", "embeddings/learned.yaml", "embeddings/pretrained.yaml"}
    assert found == tested | groups


@pytest.mark.parametrize("embeddings", ["learned", "pretrained"])
def test_nuqe(embeddings: str, mlqe: Path, encoder: Path, tmp_path: Path) -> None:
    overrides = [f"_corpus={mlqe}", f"embeddings={embeddings}", f"run.output_dir={tmp_path}/run"]
    if embeddings == "pretrained":
        overrides.append(f"_vectors={tmp_path}")
        for side, suffix in {"source": "src", "target": "mt"}.items():
            write_vectors(encoder, tmp_path / f"{side}.txt", [mlqe / f"train.{suffix}"], dim=100)
    options = load_configuration(CONFIG / "nuqe.yaml", overrides)
    Configuration.from_dict(options)
    system = train_from_configuration(options | {"debug": True}).model
    frozen = not system.encoder.get_submodule("embeddings.source").tokens.weight.requires_grad
    assert frozen == (embeddings == "pretrained")


def test_several_language_pairs(mlqe: Path, tmp_path: Path) -> None:
    overrides = [f"_corpus={mlqe}", "data=joined", f"run.output_dir={tmp_path}/run", "data.pair_temperature=2"]
    info = train_from_configuration(load_configuration(CONFIG / "nuqe.yaml", overrides) | {"debug": True})
    assert {"val_en-de_PEARSON", "val_et-en_PEARSON"} <= {*info.best_metrics}


@pytest.mark.parametrize(
    ("name", "group"),
    [("transformer", "mlqe-pe-da"), ("transformer-tags", "mlqe-pe"), ("transformer-joint", "mlqe-pe")],
)
def test_a_pretrained_encoder_and_its_adaptation(
    name: str, group: str, mlqe: Path, encoder: Path, tmp_path: Path
) -> None:
    overrides = [f"_corpus={mlqe}", f"_encoder={encoder}", f"run.output_dir={tmp_path}/all", "trainer.epochs=1"]
    first = train_from_configuration(load_configuration(CONFIG / f"{name}.yaml", overrides))
    assert first.best_model_path == (tmp_path / "all" / "best_model").resolve()
    overrides = [f"_corpus={mlqe}", f"_trained={tmp_path}/all/best_model", f"data={group}"]
    metric = "trainer.main_metric=PEARSON"
    options = load_configuration(CONFIG / "adapt.yaml", [*overrides, f"run.output_dir={tmp_path}/one", metric])
    second = train_from_configuration(options)
    assert second.best_model_path is not None
    assert second.model.model_config.outputs == first.model.model_config.outputs
    files = [f"data.test.input.{side}={mlqe}/test20.{suffix}" for side, suffix in (("source", "src"), ("target", "mt"))]
    options = load_configuration(
        CONFIG / "predict.yaml", [*files, f"system.load={second.best_model_path}", f"run.output_dir={tmp_path}/out"]
    )
    assert len(predict.predict_from_configuration(options)) == 10


def test_adaptation_starts_from_the_model_of_kiwi_and_a_corpus_of_ones_own(mlqe: Path) -> None:
    config = Configuration.from_dict(load_configuration(CONFIG / "adapt.yaml", [f"_corpus={mlqe}", "_source=en"]))
    assert config.system.load == Path("mini")
    assert config.data.valid is not None
    assert config.data.valid.output.sentence_scores == mlqe / "dev.hter"
    assert config.data.partial_labels


def test_error_spans_from_annotations_to_their_evaluation(corpus: Any, encoder: Path, tmp_path: Path) -> None:
    tables = {}
    for part in ("train", "valid"):
        rows = ["source\ttarget\tstarts\tends\tseverities"]
        for source, target in zip(corpus.lines(part, "source"), corpus.lines(part, "target"), strict=True):
            end = target.find(" ")  # the first word of a question is wrong
            marks = ("0", str(end), "major") if "?" in source or len(rows) % 3 else ("-1", "-1", "no-error")
            rows.append("\t".join((source, target, *marks)))
        tables[part] = tmp_path / f"{part}.tsv"
        tables[part].write_text("\n".join(rows) + "\n", encoding="utf-8")
    overrides = [f"_train={tables['train']}", f"_valid={tables['valid']}", f"_encoder={encoder}", "trainer.epochs=1"]
    options = load_configuration(CONFIG / "transformer-spans.yaml", [*overrides, f"run.output_dir={tmp_path}/run"])
    info = train_from_configuration(options)
    names = ("val_error_spans_F1", "val_error_spans_MCC", "val_error_spans_loss", "val_PEARSON")
    assert {*names} <= info.best_metrics.keys()

    labelled = {"input": dict.fromkeys(("source", "target"), str(tables["valid"])), "output": {}}
    labelled["output"]["error_spans"] = str(tables["valid"])
    chosen = choose_thresholds(tmp_path / "run", tmp_path / "chosen", TrainingConfig.from_dict(labelled))
    assert [each.output for each in chosen] == ["error_spans", "error_spans (omissions)"]
    assert chosen[0].after >= chosen[0].before
    assert inspect_checkpoint(tmp_path / "chosen").info.metrics["val_error_spans_F1"] == chosen[0].after > 0.0
    card = (tmp_path / "chosen" / "README.md").read_text(encoding="utf-8")
    assert "`error_spans`: the errors of the translation" in card

    found = predict.predict_from_configuration(
        {
            "run": {"output_dir": str(tmp_path / "out"), "output_format": "jsonl"},
            "data": {"test": {"input": {name: str(corpus.file("valid", name)) for name in ("source", "target")}}},
            "system": {"load": str(tmp_path / "chosen")},
        }
    )
    assert found.error_spans is not None
    assert found.mqm_score == [5.0 * len(spans) for spans in found.error_spans]
    assert found.combined_score is not None
    assert all(0.0 <= quality <= 100.0 for quality in found.combined_score)
    report = evaluate_from_configuration(
        {
            "gold_files": {"spans": str(tables["valid"])},
            "predicted_dir": str(tmp_path / "out"),
            "output": {"report": str(tmp_path / "page.html")},
        }
    )
    assert report.metric("spans", "F1") == pytest.approx(chosen[0].after)


def test_critical_errors_from_verdicts_to_their_evaluation(mlqe: Path, encoder: Path, tmp_path: Path) -> None:
    for part in ("train", "dev"):
        for suffix in ("src", "mt", "lp"):
            (tmp_path / f"{part}.{suffix}").write_bytes((mlqe / f"{part}.{suffix}").read_bytes())
        scores = (mlqe / f"{part}.hter").read_text().split()
        verdicts = ["ERR" if float(score) > 0 else "NOT" for score in scores]
        (tmp_path / f"{part}.critical").write_text("\n".join(verdicts) + "\n")
    overrides = [f"_corpus={tmp_path}", f"_encoder={encoder}", "trainer.epochs=1", f"run.output_dir={tmp_path}/run"]
    overrides.append("trainer.precision=32")  # as in prediction, or close probabilities may change places
    info = train_from_configuration(load_configuration(CONFIG / "critical-errors.yaml", overrides))
    assert {f"val_binary_{name}" for name in ("MCC", "AUC", "AP", "recall_at_K")} <= info.best_metrics.keys()
    sides = [
        f"data.test.input.{side}={tmp_path}/dev.{suffix}" for side, suffix in (("source", "src"), ("target", "mt"))
    ]
    overrides = [*sides, f"system.load={info.best_model_path}", f"run.output_dir={tmp_path}/out"]
    predict.predict_from_configuration(load_configuration(CONFIG / "predict.yaml", overrides))
    files = {"gold_files": {"binary": str(tmp_path / "dev.critical"), "lp": str(tmp_path / "dev.lp")}}
    report = evaluate_from_configuration({**files, "predicted_dir": str(tmp_path / "out"), "bootstrap": 0})
    for pair in ("en-de", "et-en"):
        for name in ("MCC", "AUC", "AP", "recall_at_K"):
            in_training = info.best_metrics[f"val_{pair}_binary_{name}"]
            assert report.metric(f"{pair} binary", name) == pytest.approx(in_training, abs=1e-4)


def test_bulk(tmp_path: Path) -> None:
    overrides = ["_system=org/name", f"_input={tmp_path}", "_output=memory://out"]
    options = load_configuration(CONFIG / "predict-ray.yaml", overrides)
    config = BulkConfiguration.from_dict(options)
    assert (config.system.load, config.bulk.inputs, config.bulk.output) == ("org/name", [str(tmp_path)], "memory://out")


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_predictor_and_the_estimator_on_it(pretrained: bool, mlqe: Path, tmp_path: Path) -> None:
    corpus = f"_corpus={mlqe}"
    predictor = "system.load_encoder=null"
    if pretrained:
        overrides = [corpus, f"run.output_dir={tmp_path}/predictor", "trainer.epochs=1"]
        pretrain_from_configuration(load_configuration(CONFIG / "predictor.yaml", overrides))
        predictor = f"_predictor={tmp_path}/predictor/best_model"
    overrides = [corpus, predictor, f"run.output_dir={tmp_path}/estimator", "trainer.epochs=1"]
    info = train_from_configuration(load_configuration(CONFIG / "predictor-estimator.yaml", overrides))
    assert info.best_model_path is not None
    assert {"val_target_tags_MCC", "val_gap_tags_MCC", "val_PEARSON"} <= set(info.best_metrics)
