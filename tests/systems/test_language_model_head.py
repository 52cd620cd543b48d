from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from kiwi.exceptions import ConfigError
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.batching import as_tensors
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.qe_system import QESystem
from tests.pretrained import FAMILIES, write_model
from tests.systems.test_transformer import CLASSES, SOURCE, TARGET, build, flat, model_options

BOTH = {"use_mismatch_features": True, "use_predictor_features": True}
Options = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def with_head(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("heads")
    return {family: write_model(family, root / family, head=True) for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_of_the_whole_head(family: str, with_head: dict[str, Path]) -> None:
    """Compared with the logits over the whole vocabulary, which Transformers computes."""
    plain = {"use_mlp": False, "scalar_mix": False}
    class_name = CLASSES.get(family, "Transformer")
    system = build(with_head[family], class_name, **BOTH, **plain)
    batch = as_tensors(system.collate([{"source": SOURCE[0], "target": TARGET[0]}]))
    model = transformers.AutoModelForMaskedLM.from_pretrained(with_head[family]).eval()
    pieces = Pieces.of(batch)
    with torch.no_grad():
        found = system.encoder(batch).target[0]
        result = model(**system.encoder.model_inputs(pieces), output_hidden_states=True)
        weight = model.get_output_embeddings().weight
    logits, ids = result.logits[0], pieces.ids[0]
    own, top = logits[torch.arange(len(ids)), ids], logits.max(-1).values
    differs = (logits.argmax(-1) != ids).float()
    size = system.encoder.body.config.hidden_size
    for word in range(found.shape[0]):
        chosen = (pieces.words[0] == word) & (pieces.sides[0] == 0)
        rows = torch.stack([own, top, own - top, differs], -1)[chosen].mean(0)
        torch.testing.assert_close(found[word, size : size + 4], rows, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            found[word, :size], result.hidden_states[-1][0][chosen].mean(0), atol=1e-4, rtol=1e-4
        )
    # The product of state and output embedding adds up to the logit without its bias.
    bias = getattr(model.get_output_embeddings(), "bias", None)
    products = found[:, size + 4 :].sum(-1)
    assert found.shape[1] == size + 4 + weight.shape[1]
    expected = torch.stack(
        [
            (own - (0 if bias is None else bias[ids]))[(pieces.words[0] == w) & (pieces.sides[0] == 0)].mean()
            for w in range(5)
        ]
    )
    torch.testing.assert_close(products, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_do_not_depend_on_the_batch(family: str, with_head: dict[str, Path]) -> None:
    runner = runner_of(build(with_head[family], CLASSES.get(family, "Transformer"), **BOTH))
    together = runner.predict(SOURCE, TARGET, batch_size=3)
    for index in range(3):
        alone = runner.predict(SOURCE[index : index + 1], TARGET[index : index + 1])
        assert alone.sentences_hter == pytest.approx([(together.sentences_hter or [])[index]], abs=1e-5)
        row = (together.target_tags_BAD_probabilities or [])[index]
        assert (alone.target_tags_BAD_probabilities or [])[0] == pytest.approx(row, abs=1e-5)


@pytest.mark.parametrize("option", [*BOTH, "fine_tune"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_without_a_head_is_refused(family: str, option: str, tmp_path: Path) -> None:
    folder = write_model(family, tmp_path / "model")
    class_name = CLASSES.get(family, "Transformer")
    model = model_options(folder, **({option: True} if option in BOTH else {}))
    model["tlm_outputs"] = {"fine_tune": option == "fine_tune"}
    with pytest.raises(ConfigError, match=rf"'.*model' has no language-modelling head .*{option}"):
        QESystem.build(QESystem.Config.from_dict({"class_name": class_name, "model": model}), {})


@pytest.fixture
def tuning(options: Options, with_head: dict[str, Path], corpus: Any) -> Options:
    """Options of a run that trains the language model too."""

    def make(changes: dict[str, Any] | None = None, family: str = "bert", **encoder: Any) -> dict[str, Any]:
        base = {
            "system.class_name": "Transformer",
            "system.model": model_options(with_head[family], **encoder) | {"tlm_outputs": {"fine_tune": True}},
            "data.train.input.post_edit": str(corpus.file("train", "post_edit")),
            "data.valid.input.post_edit": str(corpus.file("valid", "post_edit")),
        }
        return options(base | (changes or {}))

    return make


def test_fine_tuning_learns_the_language_of_post_edits(tuning: Options) -> None:
    runs = [
        train_from_configuration(
            tuning(
                {
                    "trainer.epochs": epochs,
                    "trainer.main_metric": "pe_PERP",
                    "system.optimizer": {"class_name": "adam", "learning_rate": 0.003},
                }
            )
        )
        for epochs in (1, 12)
    ]
    short, long = (run.best_metrics for run in runs)
    assert long["val_pe_PERP"] < 0.8 * short["val_pe_PERP"]
    assert {"val_pe_CORRECT", "val_pe_ExpErr", "val_pe_loss", "val_PEARSON"} <= set(long)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tuned_system_is_saved_and_loaded(family: str, tuning: Options) -> None:
    """Tied weights stand in the file once; prediction needs no post-edit."""
    language = {"target_language": "de"} if family == "xlm" else {}
    changes = {"system.class_name": CLASSES.get(family, "Transformer")}
    info = train_from_configuration(tuning(changes, family, **BOTH, **language))
    assert info.best_model_path is not None
    predicted = load_system(info.best_model_path).predict(SOURCE, TARGET)
    expected = runner_of(QESystem.load(info.best_model_path)).predict(SOURCE, TARGET)
    assert flat(predicted) == pytest.approx(flat(expected))
    assert flat(predicted) == pytest.approx(flat(runner_of(info.model).predict(SOURCE, TARGET)), abs=1e-5)


def test_fine_tuning_needs_post_edits(tuning: Options) -> None:
    with pytest.raises(ConfigError, match=r"data\.valid\.input\.post_edit: required"):
        train_from_configuration(tuning({"data.valid.input.post_edit": None}))


def test_fine_tuning_a_frozen_model_is_refused(tuning: Options) -> None:
    with pytest.raises(ConfigError, match=r"system\.model\.tlm_outputs\.fine_tune: encoder\.freeze"):
        train_from_configuration(tuning(freeze=True))


def test_masks(with_head: dict[str, Path]) -> None:
    system = build(with_head["bert"], use_mismatch_features=True)
    head = system.encoder.head
    rows = [{"source": " ".join(SOURCE * 2), "target": " ".join(TARGET * 2)}] * 40
    pieces = Pieces.of(as_tensors(system.collate(rows)))
    mask_id = system.encoder.pieces.mask_id
    ids, hidden = head.mask(pieces)
    words = pieces.of_words(0) | pieces.of_words(1)
    assert not (hidden & ~words).any()
    assert torch.equal(ids[~hidden], pieces.ids[~hidden])
    assert 0.12 < hidden.sum() / words.sum() < 0.18
    assert 0.75 < (ids[hidden] == mask_id).float().mean() < 0.85
    assert 0.05 < (ids[hidden] == pieces.ids[hidden]).float().mean() < 0.2
    again, _ = head.mask(pieces)
    assert torch.equal(ids, again)  # validations are to be compared
    head.train()
    first, second = head.mask(pieces)[0], head.mask(pieces)[0]
    assert not torch.equal(first, second)


def test_at_least_one_piece_is_masked(with_head: dict[str, Path]) -> None:
    system = build(with_head["bert"], use_mismatch_features=True)
    pieces = Pieces.of(as_tensors(system.collate([{"source": "x", "target": "y"}])))
    system.encoder.head.train()
    assert all(system.encoder.head.mask(pieces)[1].sum() >= 1 for _ in range(20))


def test_a_head_that_was_not_kept_is_refused(with_head: dict[str, Path], tmp_path: Path) -> None:
    build(with_head["bert"]).save(tmp_path / "trained")
    model = model_options(with_head["bert"], **BOTH)
    for brought in (
        {"class_name": "Transformer", "model": model, "load_encoder": str(tmp_path / "trained")},
        {"load": str(tmp_path / "trained"), "model": {"tlm_outputs": {"fine_tune": True}}},
    ):
        with pytest.raises(ConfigError, match="trained without the language-modelling head"):
            QESystem.resolve(QESystem.Config.from_dict(brought))


@pytest.mark.parametrize("option", [*BOTH, "fine_tune"])
def test_a_model_that_is_frozen_for_some_steps_gets_no_gradients(option: str, with_head: dict[str, Path]) -> None:
    """Neither do its embeddings, which its head is tied to."""
    frozen = {"freeze_for_number_of_steps": 100}
    model = model_options(with_head["bert"], **frozen, **({option: True} if option in BOTH else {}))
    model["tlm_outputs"] = {"fine_tune": option == "fine_tune"}
    config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
    system = QESystem.build(QESystem.resolve(config), {"sentence_scores": ["0.1", "0.3"]})
    row = {"source": "house", "target": "Haus", "post_edit": "Haus", "sentence_scores": "1"}
    tags = {"target_tags": "BAD", "gap_tags": "OK OK", "source_tags": "OK"}
    system.losses(as_tensors(system.collate([row | tags])))["loss"].backward()
    parts = [*system.encoder.body.named_parameters(), *system.encoder.head.named_parameters()]
    assert [name for name, weight in parts if weight.grad is not None and weight.grad.any()] == []
    assert system.decoder.target[1].weight.grad.any()


def test_a_system_with_a_head_goes_on_without_it(tuning: Options, with_head: dict[str, Path], tmp_path: Path) -> None:
    trained = train_from_configuration(tuning()).best_model_path
    off = {"load": str(trained), "model": {"tlm_outputs": {"fine_tune": False}}}
    fresh = {"class_name": "Transformer", "model": model_options(with_head["bert"]), "load_encoder": str(trained)}
    for options in (off, fresh):
        config = QESystem.resolve(QESystem.Config.from_dict(options))
        assert QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]}).encoder.head is None


def test_fine_tuning_in_16_bits(tuning: Options) -> None:
    info = train_from_configuration(tuning({"trainer.precision": "bf16", "trainer.amp_level": "O3"}))
    assert info.best_metrics["val_pe_PERP"] > 1
