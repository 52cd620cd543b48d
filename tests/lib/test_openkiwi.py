"""Configurations as OpenKiwi 2.1 has them, with every key that NuQE reads, run unmodified."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from kiwi.exceptions import ConfigError, DataError, MissingExtraError
from kiwi.lib.evaluate import evaluate_from_configuration, evaluate_from_file
from kiwi.lib.predict import predict_from_file
from kiwi.lib.pretrain import pretrain_from_file
from kiwi.lib.train import train_from_configuration, train_from_file
from kiwi.lib.utils.composition import PACKAGE_ASSETS
from kiwi.runner import auto_aligner, load_system
from kiwi.runner.word_aligner import load_word_aligner

TRAIN = """
defaults:
    - data: sample
run:
    experiment_name: EN-DE
    seed: 42
    output_dir: {output}
    run_id: null
    use_mlflow: false
    mlflow_tracking_uri: mlruns/
    mlflow_always_log_artifacts: false
trainer:
    resume: false
    deterministic: true
    gpus: -1
    precision: 32
    amp_level: O0
    epochs: 1
    gradient_max_norm: 1.
    gradient_accumulation_steps: 1
    main_metric:
        - WMT19_MCC
        - PEARSON
    log_interval: 100
    log_save_interval: 100
    checkpoint:
        validation_steps: 0.2
        save_top_k: 1
        early_stop_patience: 10
debug: false
verbose: false
quiet: false
system:
    class_name: NuQE
    load: null
    load_encoder: null
    load_vocabs: null
    batch_size: {{train: 32, valid: 32}}
    num_data_workers: 0
    data_processing:
        share_input_fields_encoders: false
        vocab:
            min_frequency: 1
            max_size: null
            keep_rare_words_with_embeddings: false
            add_embeddings_vocab: false
    optimizer:
        class_name: adam
        learning_rate: 0.001
        encoder_learning_rate: null
        warmup_steps: null
        training_steps: null
        learning_rate_decay: 0.999
        learning_rate_decay_start: 0
        load: null
    model:
        encoder:
            window_size: 3
            embeddings:
                source: &embeddings
                    dim: 10
                    dropout: 0.5
                    freeze: false
                    use_position_embeddings: false
                    max_position_embeddings: 4000
                    sparse_embeddings: false
                    scale_embeddings: false
                    input_layer_norm: false
                target: *embeddings
        decoder:
            target: &decoder
                hidden_sizes: [20, 10, 10, 5]
                dropout: 0.4
            source: *decoder
        outputs:
            word_level:
                target: true
                gaps: true
                source: true
                class_weights:
                    target_tags: {{BAD: 3.0}}
                    gap_tags: {{BAD: 5.0}}
                    source_tags: {{BAD: 3.0}}
            sentence_level:
                hter: true
                use_distribution: true
                binary: true
            sentence_loss_weight: 1.0
            dropout: 0.0
            last_activation: false
            n_layers_output: 3
        tlm_outputs:
            fine_tune: false
"""

DATA = """
data:
    buffer_size: null
    train:
        input:
            source: {assets}/train.src
            target: {assets}/train.mt
            alignments: {assets}/train.alignments
            post_edit: {assets}/train.pe
            source_pos: null
            target_pos: null
        output:
            source_tags: {assets}/train.source_tags
            target_tags: {assets}/train.tags
            sentence_scores: {assets}/train.hter
    valid:
        input:
            source: {assets}/valid.src
            target: {assets}/valid.mt
            alignments: {assets}/valid.alignments
            post_edit: {assets}/valid.pe
        output:
            source_tags: {assets}/valid.source_tags
            target_tags: {assets}/valid.tags
            sentence_scores: {assets}/valid.hter
"""

PREDICT = """
run:
    seed: 42
    run_id: null
    output_dir: {output}/predictions
    predict_on_data_partition: test
data:
    test:
        input:
            source: {assets}/test.src
            target: {assets}/test.mt
            alignments: {assets}/test.alignments
system:
    load: {output}/best_model
    batch_size: 64
    num_data_workers: 0
    model:
        outputs:
            word_level:
                target: true
                gaps: true
                source: true
            sentence_level:
                hter: true
use_gpu: false
gpu_id: null
verbose: false
quiet: false
"""

EVALUATE = """
gold_files:
    source_tags: {assets}/test.source_tags
    target_tags: {assets}/test.tags
    sentence_scores: {assets}/test.hter
predicted_dir:
    - {output}/predictions
verbose: false
quiet: false
"""


@pytest.mark.filterwarnings("error")
def test_train_predict_evaluate(tmp_path: Path) -> None:
    names = {"assets": PACKAGE_ASSETS / "sample", "output": tmp_path / "run"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample.yaml").write_text(DATA.format(**names), encoding="utf-8")
    for name, text in {"train": TRAIN, "predict": PREDICT, "evaluate": EVALUATE}.items():
        (tmp_path / f"{name}.yaml").write_text(text.format(**names), encoding="utf-8")

    info = train_from_file(tmp_path / "train.yaml")
    assert {"val_WMT19_MCC", "val_PEARSON", "val_binary_CORRECT", "val_source_tags_F1_MULT"} <= set(info.best_metrics)

    predictions = predict_from_file(tmp_path / "predict.yaml")
    assert len(predictions) == 60
    written = {path.name for path in (tmp_path / "run" / "predictions").iterdir()}
    tags = {"target_tags", "gap_tags", "source_tags", "targetgaps_tags"}
    scores = {"sentence_scores", "sentence_scores_extras"}
    assert written == tags | {f"{name}_labels" for name in tags} | scores | {
        "binary",
        "binary_labels",
        "predictions.json",
    }

    report = evaluate_from_file(tmp_path / "evaluate.yaml")
    assert report.outputs == ["sentence_scores", "target_tags", "gap_tags", "WMT19", "source_tags"]


PRETRAIN = """
run:
    experiment_name: Pretrain Predictor
    seed: 42
    output_dir: {output}/predictor
    use_mlflow: false
trainer:
    deterministic: true
    gpus: -1
    epochs: 1
    gradient_max_norm: 5.0
    main_metric:
        - target_PERP
    log_interval: 100
    checkpoint:
        validation_steps: 0.5
        save_top_k: 1
        early_stop_patience: 10
debug: false
verbose: false
quiet: false
data:
    train:
        input:
            source: {assets}/train.src
            target: {assets}/train.pe
    valid:
        input:
            source: {assets}/valid.src
            target: {assets}/valid.pe
system:
    class_name: Predictor
    load: null
    batch_size: {{train: 32, valid: 32}}
    num_data_workers: 0
    data_processing:
        share_input_fields_encoders: false
        vocab:
            min_frequency: 1
            max_size: 60_000
    optimizer:
        class_name: adam
        learning_rate: 0.001
        learning_rate_decay: 0.6
        learning_rate_decay_start: 2
    model:
        encoder:
            encode_source: false
            hidden_size: 16
            rnn_layers: 2
            dropout: 0.5
            share_embeddings: false
            out_embeddings_dim: 12
            use_mismatch_features: false
            embeddings:
                source: {{dim: 12}}
                target: {{dim: 12}}
        tlm_outputs:
            fine_tune: false
"""

ESTIMATE = """
run:
    experiment_name: PredEst EN-DE
    seed: 42
    output_dir: {output}/estimator
trainer:
    epochs: 1
    main_metric: [WMT19_MCC, PEARSON]
    checkpoint: {{validation_steps: 1.0, early_stop_patience: 10}}
defaults:
    - data: sample
system:
    class_name: PredictorEstimator
    load_encoder: {output}/predictor/best_model
    batch_size: 32
    num_data_workers: 0
    model:
        encoder:
            encode_source: false
            hidden_size: 16
            rnn_layers: 2
            dropout: 0.0
            share_embeddings: false
            embeddings:
                source: {{dim: 12, dropout: 0.0, freeze: false}}
                target: {{dim: 12}}
        decoder:
            hidden_size: 10
            rnn_layers: 1
            use_mlp: true
            dropout: 0.0
        outputs:
            word_level:
                target: true
                gaps: true
                source: true
                class_weights: {{target_tags: {{BAD: 3.0}}, gap_tags: {{BAD: 3.0}}, source_tags: {{BAD: 3.0}}}}
            sentence_level: {{hter: true, use_distribution: true, binary: false}}
            n_layers_output: 3
        tlm_outputs:
            fine_tune: true
    optimizer:
        class_name: adam
        learning_rate: 0.001
        learning_rate_decay: 1.0
        learning_rate_decay_start: 2
"""


@pytest.mark.filterwarnings("error")
def test_pretrain_and_train_on_it(tmp_path: Path) -> None:
    names = {"assets": PACKAGE_ASSETS / "sample", "output": tmp_path}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample.yaml").write_text(DATA.format(**names), encoding="utf-8")
    for name, text in {"pretrain": PRETRAIN, "train": ESTIMATE}.items():
        (tmp_path / f"{name}.yaml").write_text(text.format(**names), encoding="utf-8")
    pretrained = pretrain_from_file(tmp_path / "pretrain.yaml")
    assert {"val_target_PERP", "val_target_CORRECT", "val_target_ExpErr"} <= set(pretrained.best_metrics)
    info = train_from_file(tmp_path / "train.yaml")
    assert {"val_WMT19_MCC", "val_PEARSON", "val_pe_PERP", "val_source_tags_MCC"} <= set(info.best_metrics)


PREDICTOR_WITH_TAGS = """
run: {{experiment_name: Predictor, seed: 42, output_dir: {output}, use_mlflow: false, mlflow_tracking_uri: mlruns}}
defaults:
    - data: sample
trainer:
    gpus: -1
    log_interval: 100
    resume: false
    epochs: 1
    checkpoint: {{validation_steps: 1.0, save_top_k: 1, early_stop_patience: 8}}
system:
    class_name: Predictor
    num_data_workers: 0
    batch_size: {{train: 32, valid: 32}}
    model:
        encoder:
            encode_source: false
            hidden_size: 8
            rnn_layers: 1
            embeddings:
                source: {{dim: 8}}
                target: {{dim: 8}}
            out_embeddings_dim: 8
            share_embeddings: false
            dropout: 0.5
            use_mismatch_features: false
    optimizer: {{class_name: adam, learning_rate: 0.001, learning_rate_decay: 0.6, learning_rate_decay_start: 2}}
    data_processing:
        vocab: {{min_frequency: 1, max_size: 60_000, keep_rare_words_with_embeddings: true}}
"""


def test_pretrain_on_quality_estimation_data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = {"assets": PACKAGE_ASSETS / "sample", "output": tmp_path / "run"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample.yaml").write_text(DATA.format(**names), encoding="utf-8")
    (tmp_path / "pretrain.yaml").write_text(PREDICTOR_WITH_TAGS.format(**names), encoding="utf-8")
    info = pretrain_from_file(tmp_path / "pretrain.yaml")
    assert info.best_model_path is not None
    assert "not read: data.train.input.alignments, data.train.input.post_edit, data.train.output." in caplog.text
    assert "keep_rare_words_with_embeddings has no effect" in caplog.text


def test_predictions_after_training(options: Any, corpus: Any, tmp_path: Path) -> None:
    train_from_configuration(
        options({"run.predict_after_training": True, "data.test": {"input": corpus.inputs("test")}})
    )
    for place, n_segments in ((tmp_path / "run", 12), (tmp_path / "run" / "test", 10)):
        assert len((place / "sentence_scores").read_text().splitlines()) == n_segments
        assert len((place / "target_tags").read_text().splitlines()) == n_segments
    gold = {"gold_files": corpus.labels("valid"), "predicted_dir": [str(tmp_path / "run")], "bootstrap": 0}
    assert "sentence_scores" in evaluate_from_configuration(gold).outputs


def test_test_data_is_checked_before_training(options: Any, corpus: Any, tmp_path: Path) -> None:
    (tmp_path / "mt").write_text("a\n" * 9)
    changes = {"run.predict_after_training": True, "data.test": {"input": corpus.inputs("test")}}
    with pytest.raises(DataError, match="different length"):
        train_from_configuration(options({**changes, "data.test.input.target": str(tmp_path / "mt")}))
    with pytest.raises(ConfigError, match=r"data\.test\.input\.source: required"):
        train_from_configuration(options({**changes, "data.test.input.source": None}))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_test_data_without_alignments(
    options: Any, corpus: Any, tmp_path: Path, exported_aligner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"run.predict_after_training": True, "data.test": {"input": corpus.inputs("test")}}
    changes |= {"data.test.input.alignments": None}

    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    with monkeypatch.context() as without_encoder:
        without_encoder.setattr(metadata, "distribution", missing)
        with pytest.raises(MissingExtraError, match="reads alignments, which are not given, and kiwi cannot align"):
            train_from_configuration(options(changes))
    assert not (tmp_path / "run" / "checkpoints").exists()  # it is known before training
    monkeypatch.setattr(auto_aligner, "load_word_aligner", lambda *_, **how: load_word_aligner(exported_aligner, **how))
    info = train_from_configuration(options({**changes, "run.overwrite": True}))
    texts = {name: corpus.lines("test", name) for name in ("source", "target")}
    found = load_system(info.best_model_path, aligner=exported_aligner).predict(**texts).sentences_hter
    scores = (tmp_path / "run" / "test" / "sentence_scores").read_text().splitlines()
    assert [float(score) for score in scores] == pytest.approx(found, abs=2e-6)


def test_predicted_files_as_lists_by_output(corpus: Any, tmp_path: Path) -> None:
    gold = corpus.labels("valid")
    for name, path in gold.items():
        (tmp_path / name).write_bytes(Path(path).read_bytes())
    lists = {name: [path, str(tmp_path / name)] for name, path in gold.items()}
    report = evaluate_from_configuration({"gold_files": gold, "predicted_files": lists, "bootstrap": 0})
    assert len({row.system for row in report.rows}) == 3  # two systems and their average
    with pytest.raises(ConfigError, match="found 1 and 2 files; expected one of each per system"):
        evaluate_from_configuration(
            {
                "gold_files": gold,
                "predicted_files": {
                    "source_tags": [gold["source_tags"]],
                    "sentence_scores": [gold["sentence_scores"]] * 2,
                },
            }
        )
