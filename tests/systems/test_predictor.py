from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.pretrain import pretrain_from_configuration
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.batching import as_tensors
from kiwi.systems.qe_system import QESystem
from kiwi.systems.tlm_system import TLMSystem

Options = Callable[..., dict[str, Any]]

ENCODER = {
    "hidden_size": 6,
    "rnn_layers": 2,
    "embeddings": {"source": {"dim": 5}, "target": {"dim": 4}},
}
SOURCE = ["Close the bank .", "Open it", "x"]
TARGET = ["Schließen Sie die Bank .", "Bitte", "die die die"]


@pytest.fixture
def columns(corpus: Any) -> dict[str, list[str]]:
    return {"source": corpus.lines("train", "source"), "target": corpus.lines("train", "post_edit")}


def predictor(columns: dict[str, list[str]], **encoder: Any) -> TLMSystem:
    torch.manual_seed(4)
    config = TLMSystem.Config.from_dict({"class_name": "Predictor", "model": {"encoder": ENCODER | encoder}})
    return TLMSystem.build(TLMSystem.resolve(config), columns).eval()


def logits_of(system: TLMSystem, source: str, target: str) -> torch.Tensor:
    """Of every word of the vocabulary, in each place, (words, vocabulary)."""
    batch = as_tensors(system.collate([{"source": source, "target": target}]))
    with torch.no_grad():
        asked = system.encoder.language_model(batch)
        return functional.linear(asked.states, asked.weight, asked.bias)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_word_is_predicted_without_being_seen(layers: int, columns: dict[str, list[str]]) -> None:
    system = predictor(columns, rnn_layers=layers)
    words = ["Schließen", "Sie", "die", "Bank", "und", "Haus"]
    before = logits_of(system, SOURCE[0], " ".join(words))
    for place in range(len(words)):
        other = [*words[:place], "der", *words[place + 1 :]]
        after = logits_of(system, SOURCE[0], " ".join(other))
        torch.testing.assert_close(after[place], before[place])
        # All others, on both sides, are predicted from it.
        for neighbour in set(range(len(words))) - {place}:
            assert (after[neighbour] - before[neighbour]).abs().max() > 1e-7, (place, neighbour)
    assert (logits_of(system, "Open it", " ".join(words)) - before).abs().max() > 1e-4


def test_predictions_do_not_depend_on_the_batch(columns: dict[str, list[str]]) -> None:
    system = predictor(columns)
    rows = [{"source": s, "target": t} for s, t in zip(SOURCE, TARGET, strict=True)]
    with torch.no_grad():
        together = system.encoder.language_model(as_tensors(system.collate(rows))).states
    alone = torch.cat([logits_of(system, row["source"], row["target"]) for row in rows])
    asked = system.encoder
    torch.testing.assert_close(
        functional.linear(together, asked.output_embeddings, asked.output_bias), alone, atol=1e-5, rtol=1e-5
    )


def test_shared_embeddings(columns: dict[str, list[str]]) -> None:
    system = predictor(columns, share_embeddings=True)
    table = system.encoder.embeddings["target"].tokens.weight
    assert system.encoder.output_embeddings is table
    assert not [name for name, _ in system.named_parameters() if name == "encoder.output"]
    with pytest.raises(ConfigError, match=r"out_embeddings_dim: share_embeddings makes it"):
        predictor(columns, share_embeddings=True, out_embeddings_dim=9)
    assert predictor(columns, out_embeddings_dim=9).encoder.output_embeddings.shape[1] == 9


def test_features(columns: dict[str, list[str]]) -> None:
    """Before the prediction the product with the word's embedding, whose sum is its logit; then the states."""
    system = predictor(columns, use_mismatch_features=True)
    batch = as_tensors(system.collate([{"source": SOURCE[0], "target": TARGET[0]}]))
    with torch.no_grad():
        features = system.encoder(batch).target[0]
    logits = logits_of(system, SOURCE[0], TARGET[0])
    assert batch.target is not None
    own = logits[torch.arange(5), batch.target[0]]
    bias = system.encoder.output_bias[batch.target[0]].detach()
    assert features.shape == (5, 4 + 12 + 4)
    torch.testing.assert_close(features[:, :4].sum(-1), own - bias)
    torch.testing.assert_close(features[:, 16], own)
    torch.testing.assert_close(features[:, 17], logits.max(-1).values)


def test_only_words_are_read(columns: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"embeddings\.source_pos: the predictor reads words only"):
        predictor(columns, embeddings={"source_pos": {"dim": 3}})


@pytest.mark.parametrize("samples", [0, 8])
def test_training_samples_large_vocabularies_only(samples: int, columns: dict[str, list[str]]) -> None:
    system = predictor(columns, sampled_words=samples)
    batch = as_tensors(system.collate([{"source": SOURCE[0], "target": TARGET[0]}]))
    assert system.encoder.language_model(batch).n_samples == 0  # exact in evaluation
    assert system.train().encoder.language_model(batch).n_samples == samples
    assert predictor(columns).train().encoder.language_model(batch).n_samples == 0


@pytest.fixture
def pretraining(corpus: Any, tmp_path: Path, change: Any) -> Options:
    parts = {
        part: {"input": {"source": str(corpus.file(part, "source")), "target": str(corpus.file(part, "post_edit"))}}
        for part in ("train", "valid")
    }
    base = {
        "run": {"seed": 1, "output_dir": str(tmp_path / "pretrained")},
        "trainer": {"epochs": 1},
        "data": parts,
        "system": {
            "class_name": "Predictor",
            "batch_size": 8,
            "num_data_workers": 0,
            "model": {"encoder": ENCODER},
            "optimizer": {"class_name": "adam", "learning_rate": 0.01},
        },
    }
    return lambda changes=None: change(base, changes or {})


def test_pretraining_learns(pretraining: Options) -> None:
    changes = {"trainer.epochs": 12, "trainer.checkpoint.save_top_k": -1, "system.optimizer.learning_rate": 0.03}
    info = pretrain_from_configuration(pretraining(changes))
    assert info.best_model_path is not None
    kept = sorted(float(path.name.rpartition("=")[2]) for path in info.best_model_path.parent.iterdir())
    assert kept[0] == pytest.approx(info.best_metrics["val_target_PERP"], abs=1e-3)
    assert kept[0] < 0.8 * kept[-1]
    assert 0 < info.best_metrics["val_target_CORRECT"] < 1
    assert info.best_metrics["val_target_ExpErr"] < 1
    again = TLMSystem.load(info.best_model_path)
    assert isinstance(again.model_config.encoder.hidden_size, int)


def test_perplexity_is_exact(pretraining: Options, corpus: Any) -> None:
    """Of every word of the validation data once, however it is batched, and in training on a sample."""
    info = pretrain_from_configuration(pretraining({"system.model.encoder.sampled_words": 16}))
    system = TLMSystem.load(Path(str(info.best_model_path))).eval()
    total, count = 0.0, 0
    for source, target in zip(corpus.lines("valid", "source"), corpus.lines("valid", "post_edit"), strict=True):
        logits = logits_of(system, source, target)
        tokens = torch.tensor(system.vocabularies["target"].encode(target.split()))
        total += functional.cross_entropy(logits, tokens, reduction="sum").item()
        count += len(tokens)
    assert info.best_metrics["val_target_PERP"] == pytest.approx(2.718281828 ** (total / count), rel=1e-4)


def test_pretraining_goes_on(pretraining: Options, tmp_path: Path) -> None:
    first = pretrain_from_configuration(pretraining())
    changes = {"system.class_name": None, "system.model": None, "system.load": str(first.best_model_path)}
    second = pretrain_from_configuration(pretraining(changes | {"run.output_dir": str(tmp_path / "second")}))
    assert second.best_metrics["val_target_PERP"] < first.best_metrics["val_target_PERP"]


def test_a_split_of_parallel_data(pretraining: Options) -> None:
    info = pretrain_from_configuration(pretraining({"data.valid": None, "data.split": 0.7, "debug": True}))
    assert "val_target_PERP" in info.best_metrics


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system.class_name": "NuQE"}, r"system\.class_name: 'NuQE' is for kiwi train"),
        ({"trainer.main_metric": "PEARSON"}, r"trainer\.main_metric: 'PEARSON' is not a metric"),
        ({"data.train": None}, r"data\.train: required for training"),
        ({"data.train.input.source": "nowhere"}, r"data\.train\.input\.source"),
        ({"system.model.encoder.hidden_sizes": 3}, r"unknown key; did you mean 'hidden_size'"),
        ({"system.model.tlm_outputs.fine_tune": True}, r"tlm_outputs\.fine_tune"),
        ({"system.optimizer.layerwise_lr_decay": 0.5}, "layerwise_lr_decay: Predictor has no pretrained layers"),
    ],
)
def test_mistakes_of_pretraining(changes: dict[str, Any], message: str, pretraining: Options) -> None:
    with pytest.raises(ConfigError, match=message):
        pretrain_from_configuration(pretraining(changes))


# The estimator on top.


@pytest.fixture
def estimating(options: Options) -> Options:
    model = {
        "encoder": ENCODER,
        "decoder": {"hidden_size": 5},
        "outputs": {
            "word_level": {"target": True, "gaps": True, "source": True},
            "sentence_level": {"hter": True, "binary": True},
        },
    }
    return lambda changes=None: options(
        {"system.class_name": "PredictorEstimator", "system.model": model} | (changes or {})
    )


def predictions_of(system: QESystem, batch_size: int = 3) -> list[float]:
    found = runner_of(system).predict(SOURCE, TARGET, batch_size=batch_size)
    rows = [
        *(found.target_tags_BAD_probabilities or []),
        *(found.gap_tags_BAD_probabilities or []),
        *(found.source_tags_BAD_probabilities or []),
    ]
    return [*(found.sentences_hter or []), *(value for row in rows for value in row)]


def test_without_a_pretrained_encoder(estimating: Options) -> None:
    info = train_from_configuration(estimating())
    assert info.best_model_path is not None
    system = load_system(info.best_model_path).engine.system
    expected = predictions_of(info.model)
    assert predictions_of(system) == pytest.approx(expected, abs=1e-5)
    assert predictions_of(system, batch_size=1) == pytest.approx(expected, abs=1e-5)


def test_with_a_pretrained_encoder(estimating: Options, pretraining: Options, caplog: pytest.LogCaptureFixture) -> None:
    pretrained = pretrain_from_configuration(pretraining())
    assert pretrained.best_model_path is not None
    stored = TLMSystem.load(pretrained.best_model_path)
    changes = {
        "system.load_encoder": str(pretrained.best_model_path),
        "system.model.encoder.hidden_size": 99,
        "system.model.encoder.dropout": 0.2,
        "system.model.encoder.use_mismatch_features": True,
        "system.optimizer": {"class_name": "sgd", "learning_rate": 1e-9},
    }
    info = train_from_configuration(estimating(changes))
    encoder = info.model.encoder
    for name, weight in stored.encoder.state_dict().items():
        torch.testing.assert_close(encoder.state_dict()[name], weight)
    assert info.model.vocabularies == stored.vocabularies
    assert encoder.config.hidden_size == 6
    assert encoder.config.dropout == 0.2
    assert encoder.sizes.target == 4 + 12 + 4
    notices = [record.getMessage() for record in caplog.records if "not used" in record.getMessage()]
    assert len(notices) == 1
    assert notices[0].endswith("not used: system.model.encoder.hidden_size.")


def test_gradients_reach_the_predictor(estimating: Options, pretraining: Options) -> None:
    """Stack propagation: the losses of quality estimation train the language model too."""
    pretrained = pretrain_from_configuration(pretraining())
    info = train_from_configuration(estimating({"system.load_encoder": str(pretrained.best_model_path)}))
    before, after = (part.encoder.state_dict() for part in (TLMSystem.load(pretrained.best_model_path), info.model))
    assert {name for name in before if not torch.equal(before[name], after[name])} >= {
        "forward_rnn.weight_hh_l0",
        "source_rnn.weight_hh_l1",
        "readout.weight",
        "output",
    }


def test_fine_tuning_on_post_edits(estimating: Options, corpus: Any) -> None:
    files = {f"data.{part}.input.post_edit": str(corpus.file(part, "post_edit")) for part in ("train", "valid")}
    tuned = {"system.model.tlm_outputs": {"fine_tune": True}, "trainer.main_metric": "pe_PERP", "trainer.epochs": 8}
    info = train_from_configuration(estimating(files | tuned))
    # Better by far than not to know which of its words comes next.
    assert info.best_metrics["val_pe_PERP"] < 0.8 * len(info.model.vocabularies["target"])
    assert {"val_pe_CORRECT", "val_pe_ExpErr", "val_PEARSON"} <= set(info.best_metrics)
    post_edits = {word for line in corpus.lines("train", "post_edit") for word in line.split()}
    assert all(word in info.model.vocabularies["target"] for word in post_edits)
    with pytest.raises(ConfigError, match=r"data\.train\.input\.post_edit: required"):
        train_from_configuration(estimating(tuned))


def test_an_empty_post_edit_is_nothing_to_learn(estimating: Options) -> None:
    config = QESystem.Config.from_dict(estimating({"system.model.tlm_outputs": {"fine_tune": True}})["system"])
    columns = {"source": SOURCE, "target": TARGET, "post_edit": TARGET, "sentence_scores": ["0", "1", "0.5"]}
    system = QESystem.build(QESystem.resolve(config), columns)
    row = {"source": "Open it", "target": "Bitte", "post_edit": "", "sentence_scores": "1"}
    tags = {"target_tags": "BAD", "gap_tags": "OK OK", "source_tags": "OK OK"}
    losses = system.losses(as_tensors(system.collate([row | tags])))
    assert losses["pe_loss"].item() == 0.0
    assert torch.isfinite(losses["loss"])


def test_a_language_model_estimates_no_quality(pretraining: Options, estimating: Options, tmp_path: Path) -> None:
    pretrained = pretrain_from_configuration(pretraining())
    assert pretrained.best_model_path is not None
    with pytest.raises(CheckpointError, match=r"found 'Predictor'.*system\.load_encoder"):
        load_system(pretrained.best_model_path)
    trained = train_from_configuration(estimating({"run.output_dir": str(tmp_path / "qe")}))
    changes = {"system.class_name": None, "system.model": None, "system.load": str(trained.best_model_path)}
    with pytest.raises(CheckpointError, match=r"found 'PredictorEstimator'; expected one of Predictor"):
        pretrain_from_configuration(pretraining(changes))
    changes = {"system.class_name": "NuQE", "system.load_encoder": str(pretrained.best_model_path)}
    with pytest.raises(ConfigError, match="load_encoder: found 'Predictor'; expected an encoder for 'NuQE'"):
        train_from_configuration(
            estimating(
                changes
                | {"system.model": {"encoder": {"embeddings": {}}, "outputs": {"sentence_level": {"hter": True}}}}
            )
        )


def test_a_tuned_estimator_is_trained_further(estimating: Options, corpus: Any, tmp_path: Path) -> None:
    files = {f"data.{part}.input.post_edit": str(corpus.file(part, "post_edit")) for part in ("train", "valid")}
    first = train_from_configuration(estimating(files | {"system.model.tlm_outputs": {"fine_tune": True}}))
    changes = {"system.class_name": None, "system.model": None, "system.load": str(first.best_model_path)}
    second = train_from_configuration(estimating(files | changes | {"run.output_dir": str(tmp_path / "second")}))
    assert "val_pe_PERP" in second.best_metrics


def test_shared_embeddings_have_no_sparse_gradients(columns: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"embeddings\.target\.sparse_embeddings: share_embeddings"):
        predictor(columns, share_embeddings=True, embeddings={"target": {"sparse_embeddings": True}})
