"""Configurations with the keys of each that OpenKiwi 2.1 publishes, on a small corpus, run unmodified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.predict import predict_from_file
from kiwi.lib.pretrain import pretrain_from_file
from kiwi.lib.search import search_from_file
from kiwi.lib.train import train_from_file
from tests.conftest import Corpus
from tests.pretrained import write_model

RUN = """
run: {experiment_name: EN-DE, seed: 42, mlflow_tracking_uri: mlruns/, use_mlflow: false, output_dir: OUTPUT/run}
trainer: {gpus: -1, epochs: 1, main_metric: [WMT19_MCC, PEARSON], log_interval: 100, gradient_max_norm: 1.,
          checkpoint: {validation_steps: 0.5, early_stop_patience: 10}}
defaults:
    - data: wmt20.qe.en_de
"""

OUTPUTS = """
        outputs:
            word_level:
                target: true
                gaps: true
                source: true
                class_weights: {target_tags: {BAD: 3.0}, gap_tags: {BAD: 5.0}, source_tags: {BAD: 3.0}}
            sentence_level: {hter: true, use_distribution: false, binary: false}
            n_layers_output: 2
            sentence_loss_weight: 1
        tlm_outputs:
            fine_tune: false
"""

PRETRAINED = f"""{OUTPUTS}
    optimizer: {{class_name: adamw, learning_rate: 1e-5, warmup_steps: 0.1, training_steps: 12000}}
    data_processing:
        share_input_fields_encoders: true
"""

DECODER = """
        decoder: {hidden_size: 24, bottleneck_size: 24, dropout: 0.1}"""

BERT = f"""{RUN}
system:
    class_name: Bert
    batch_size: 8
    num_data_workers: 0
    model:
        encoder: {{model_name: ENCODER, use_mlp: false, freeze: false}}{DECODER}{PRETRAINED}
"""

FORMER_BERT = f"""{RUN}
system:
    class_name: Bert
    batch_size: {{train: 8, valid: 8}}
    num_data_workers: 0
    model:
        encoder: {{model_name: ENCODER, interleave_input: false, freeze: false, use_mismatch_features: false,
                  use_predictor_features: false, encode_source: false}}
        decoder: {{hidden_size: 16, dropout: 0.0}}{OUTPUTS}
    optimizer: {{class_name: noam, learning_rate: 0.00001, warmup_steps: 1000}}
    data_processing: {{share_input_fields_encoders: true}}
"""

MIXED_PRECISION = BERT.replace(
    "gpus: -1,", "gpus: -1, deterministic: true, gradient_accumulation_steps: 1, amp_level: O2, precision: 16,"
)

XLM = f"""{RUN}
system:
    class_name: XLM
    batch_size: 8
    num_data_workers: 0
    model:
        encoder: {{model_name: ENCODER, interleave_input: false, freeze: false, use_mlp: true, encode_source: false,
                  use_mismatch_features: false, use_predictor_features: false}}
        decoder: {{hidden_size: 24, dropout: 0.0}}{OUTPUTS}
    optimizer: {{class_name: adamw, learning_rate: 1e-05, warmup_steps: 0.1, training_steps: 12000,
                learning_rate_decay: 1.0, learning_rate_decay_start: 0}}
    data_processing:
        share_input_fields_encoders: true
        vocab: {{min_frequency: 1, max_size: 95000}}
"""

XLM_ROBERTA = f"""{RUN}
system:
    class_name: XLMRoberta
    batch_size: 8
    num_data_workers: 0
    model:
        encoder: {{model_name: ENCODER, interleave_input: false, freeze: false, use_mlp: false, pooling: mixed,
                  freeze_for_number_of_steps: 1000}}{DECODER}{PRETRAINED}
"""

FORMER_XLM_ROBERTA = XLM_ROBERTA.replace("freeze_for_number_of_steps: 1000", "encode_source: false")

NUQE = f"""{RUN}
system:
    class_name: NuQE
    batch_size: 8
    num_data_workers: 0
    model:
        encoder:
            window_size: 3
            embeddings:
                source: {{dim: 8, dropout: 0.5, freeze: false}}
                target: {{dim: 8, dropout: 0.5, freeze: false}}
        decoder:
            source: {{hidden_sizes: [12, 8, 6, 4], dropout: 0.}}
            target: {{hidden_sizes: [12, 8, 6, 4], dropout: 0.}}
        outputs:
            word_level:
                target: true
                gaps: true
                source: false
                class_weights: {{target_tags: {{BAD: 3.0}}, gap_tags: {{BAD: 5.0}}, source_tags: {{BAD: 3.0}}}}
            sentence_level: {{hter: true, use_distribution: true, binary: false}}
    data_processing: {{share_input_fields_encoders: false, vocab: {{min_frequency: 2}}}}
    optimizer: {{class_name: adam, learning_rate: 0.001}}
"""

PREDICTOR_ENCODER = """
        encoder:
            encode_source: false
            hidden_size: 8
            rnn_layers: 2
            embeddings: {source: {dim: 8}, target: {dim: 8}}
            out_embeddings_dim: 8
            share_embeddings: false
            dropout: 0.5
            use_mismatch_features: false"""

PREDICTOR_TRAINING = """
    optimizer: {class_name: adam, learning_rate: 0.001, learning_rate_decay: 0.6, learning_rate_decay_start: 2}
    data_processing:
        vocab: {min_frequency: 1, max_size: 60_000}
"""

PREDICTOR = f"""
run: {{experiment_name: Predictor EN-DE, mlflow_tracking_uri: mlruns/, output_dir: OUTPUT/predictor}}
trainer: {{gpus: -1, log_interval: 100, resume: false, epochs: 1,
          checkpoint: {{validation_steps: 2, save_top_k: 1, early_stop_patience: 8}}}}
defaults:
    - data: wmt20.qe.en_de
system:
    class_name: Predictor
    num_data_workers: 0
    batch_size: {{train: 8, valid: 8}}
    model:{PREDICTOR_ENCODER}{PREDICTOR_TRAINING}
"""

ESTIMATOR = f"""{RUN}
system:
    class_name: PredictorEstimator
    batch_size: 8
    num_data_workers: 0
    load_encoder: OUTPUT/predictor/best_model
    model:{PREDICTOR_ENCODER}
        decoder: {{hidden_size: 12, rnn_layers: 1, use_mlp: true, dropout: 0.0}}
        outputs:
            word_level:
                target: true
                gaps: false
                source: false
                class_weights: {{target_tags: {{BAD: 5.0}}, gap_tags: {{BAD: 5.0}}, source_tags: {{BAD: 3.0}}}}
            sentence_level: {{hter: true, use_distribution: true, binary: false}}
        tlm_outputs:
            fine_tune: true{PREDICTOR_TRAINING}
""".replace("WMT19_MCC", "target_tags_F1_MULT")

PREDICT = """
use_gpu: true
run: {output_dir: OUTPUT/predictions, predict_on_data_partition: valid}
defaults:
    - data: wmt20.qe.en_de
system:
    load: OUTPUT/run/best_model
    batch_size: 16
    num_data_workers: 0
    model:
        outputs:
            word_level: {target: true, gaps: true, source: true}
            sentence_level: {hter: true, use_distribution: false, binary: false}
"""

SEARCH = """
base_config: OUTPUT/train.yaml
directory: OUTPUT/search
num_trials: 1
options:
    search_method: random
    hidden_size: [16, 12]
    bottleneck_size: {lower: 8, upper: 16, step: 4}
    search_mlp: true
    freeze_epochs: {lower: 0, upper: 5}
    learning_rate: {lower: 1e-7, upper: 1e-5, distribution: loguniform}
    class_weights:
        target_tags: {lower: 1, upper: 10, step: 1}
        gap_tags: {lower: 1, upper: 20}
        source_tags: null
    search_hter: true
    search_sentence_loss_weight: true
    sentence_loss_weight: {lower: 1, upper: 10}
"""


@pytest.fixture
def write(corpus: Corpus, tmp_path: Path) -> Any:
    """``write("train", text, **names)``: a configuration beside the group ``data`` of the corpus."""
    (tmp_path / "data").mkdir()
    files: dict[str, Any] = {}
    for part in ("train", "valid", "test"):
        files[part] = {"input": corpus.inputs(part) | {"post_edit": str(corpus.file(part, "post_edit"))}}
        if part != "test":
            files[part]["output"] = corpus.labels(part)
    (tmp_path / "data" / "wmt20.qe.en_de.yaml").write_text(yaml.safe_dump({"data": files}), encoding="utf-8")

    def write(name: str, text: str, **names: Path) -> Path:
        for placeholder, value in {"OUTPUT": tmp_path, **names}.items():
            text = text.replace(placeholder, str(value))
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encoders")
    return {family: write_model(family, folder / family) for family in ("bert", "xlm", "xlm-roberta")}


@pytest.mark.parametrize(
    ("text", "family"),
    [
        (BERT, "bert"),
        (FORMER_BERT, "bert"),
        (MIXED_PRECISION, "bert"),
        (XLM, "xlm"),
        (XLM_ROBERTA, "xlm-roberta"),
        (FORMER_XLM_ROBERTA, "xlm-roberta"),
    ],
    ids=["bert", "former bert", "mixed precision", "xlm", "xlm-roberta", "former xlm-roberta"],
)
def test_a_pretrained_encoder(text: str, family: str, encoders: dict[str, Path], write: Any) -> None:
    info = train_from_file(write("train", text, ENCODER=encoders[family]))
    assert {"val_WMT19_MCC", "val_PEARSON", "val_source_tags_MCC"} <= set(info.best_metrics)


def test_nuqe(write: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train_from_file(write("train", NUQE))
    assert len(predict_from_file(write("predict", PREDICT))) == 12
    assert "was not trained for word_level.source: true" in caplog.text


def test_predictor(write: Any) -> None:
    pretrain_from_file(write("pretrain", PREDICTOR))
    again = PREDICTOR.replace("OUTPUT/predictor}", "OUTPUT/again}").replace(
        "class_name: Predictor",
        "class_name: Predictor\n    load: OUTPUT/predictor/best_model",
    )
    pretrain_from_file(write("again", again))
    assert "sentence_scores" in train_from_file(write("train", ESTIMATOR)).model.model_config.outputs.names


NO_SCORE = XLM_ROBERTA.replace("hter: true", "hter: false").replace("[WMT19_MCC, PEARSON]", "WMT19_MCC")


@pytest.mark.parametrize(
    ("base", "searched", "ignored"),
    [
        (XLM_ROBERTA, {"hidden_size", "bottleneck_size", "search_mlp", "freeze_epochs", "gap_tags"}, {"search_hter"}),
        (NO_SCORE, {"hidden_size", "bottleneck_size", "search_mlp", "freeze_epochs", "gap_tags", "search_hter"}, set()),
        (NUQE, {"gap_tags"}, {"hidden_size", "bottleneck_size", "search_mlp", "freeze_epochs", "search_hter"}),
    ],
    ids=["score and tags", "score off", "NuQE"],
)
def test_search(
    base: str,
    searched: set[str],
    ignored: set[str],
    encoders: dict[str, Path],
    write: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write("train", base, ENCODER=encoders["xlm-roberta"])
    drawn = search_from_file(write("search", SEARCH)).best_options
    always = {"learning_rate", "target_tags", "sentence_loss_weight"}
    assert {name.rpartition(".")[2] for name in drawn} == searched | always
    warnings = [message for message in caplog.messages if " is ignored: " in message]
    assert {each.split()[0].removeprefix("options.") for each in warnings} >= ignored
    assert not any(each.startswith(f"options.{name} ") for name in searched for each in warnings)


def test_evaluation_of_directories_and_files_together(corpus: Corpus) -> None:
    gold = corpus.labels("valid")
    files = {name: [path, path] for name, path in gold.items()}
    report = evaluate_from_configuration(
        {"gold_files": gold, "predicted_dir": [str(corpus.directory)], "predicted_files": files, "bootstrap": 0}
    )
    assert len({row.system for row in report.rows}) == 1  # each file is given twice
