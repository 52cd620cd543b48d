from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
import yaml

from kiwi.data.text.pieces import PieceTokenizer
from kiwi.exceptions import ConfigError
from kiwi.lib.train import train_from_configuration
from kiwi.runner import load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.batching import as_tensors
from kiwi.systems.config.optimizer import OptimizerConfig
from kiwi.systems.encoders.piece_tensors import Pieces
from kiwi.systems.encoders.transformer_config import TransformerEncoderConfig
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.qe_system import QESystem
from kiwi.training.optimizers import build_optimizer
from tests.pretrained import FAMILIES, write_model

CLASSES = {"bert": "Bert", "xlm": "XLM", "xlm-roberta": "XLMRoberta"}

SOURCE = ["The house is small and old .", "Close the bank .", "Open 12 windows , please !"]
TARGET = ["Das Haus ist klein .", "Schließen Sie die Bank .", "Bitte"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {family: write_model(family, root / family) for family in FAMILIES}


def model_options(folder: Path, **encoder: Any) -> dict[str, Any]:
    return {
        "encoder": {"model_name": str(folder), "hidden_size": 12, **encoder},
        "decoder": {"hidden_size": 10, "bottleneck_size": 6},
        "outputs": {
            "word_level": {"target": True, "gaps": True, "source": True},
            "sentence_level": {"hter": True, "binary": True},
        },
    }


def build(folder: Path, class_name: str = "Transformer", **encoder: Any) -> QESystem:
    torch.manual_seed(3)
    config = QESystem.Config.model_validate({"class_name": class_name, "model": model_options(folder, **encoder)})
    return QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]}).eval()


def flat(predictions: Any) -> list[float]:
    rows = [
        *predictions.target_tags_BAD_probabilities,
        *predictions.gap_tags_BAD_probabilities,
        *predictions.source_tags_BAD_probabilities,
    ]
    return [*predictions.sentences_hter, *(value for row in rows for value in row)]


@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_do_not_depend_on_the_batch(family: str, folders: dict[str, Path]) -> None:
    runner = runner_of(build(folders[family], CLASSES.get(family, "Transformer")))
    together = runner.predict(SOURCE, TARGET, batch_size=3)
    assert [len(row) for row in together.target_tags_labels or []] == [5, 5, 1]
    assert [len(row) for row in together.source_tags_labels or []] == [7, 4, 5 + 1]
    for index in range(3):
        alone = runner.predict(SOURCE[index : index + 1], TARGET[index : index + 1])
        assert alone.sentences_hter == pytest.approx([(together.sentences_hter or [])[index]], abs=1e-5)
        for name in ("target_tags", "gap_tags", "source_tags"):
            attribute = f"{name}_BAD_probabilities"
            assert getattr(alone, attribute)[0] == pytest.approx(getattr(together, attribute)[index], abs=1e-5)


@pytest.mark.parametrize("pooling", ["first_token", "mean", "ll_mean", "mixed", "compare"])
@pytest.mark.parametrize("use_mlp", [True, False])
def test_every_pooling_is_masked(pooling: str, use_mlp: bool, folders: dict[str, Path]) -> None:
    runner = runner_of(build(folders["xlm-roberta"], pooling=pooling, use_mlp=use_mlp))
    together = flat(runner.predict(SOURCE[:2], TARGET[:2], batch_size=2))
    reverse = runner.predict(SOURCE[1::-1], TARGET[1::-1], batch_size=1)
    assert (reverse.sentences_hter or [])[::-1] == pytest.approx(together[:2], abs=1e-5)


def test_pooling_makes_the_features_it_names(folders: dict[str, Path]) -> None:
    vectors: dict[str, torch.Tensor] = {}
    for pooling in ("first_token", "mean", "mixed", "compare"):
        system = build(folders["bert"], pooling=pooling, use_mlp=False, scalar_mix=False)
        rows = [{"source": SOURCE[0], "target": TARGET[0]}]
        with torch.no_grad():
            features = system.encoder(as_tensors(system.collate(rows)))
        assert features.sentence is not None
        vectors[pooling] = features.sentence[0]
    torch.testing.assert_close(vectors["mixed"], torch.cat([vectors["first_token"], vectors["mean"]]))
    first, target, source, distance, product = vectors["compare"].chunk(5)
    torch.testing.assert_close(first, vectors["first_token"])
    torch.testing.assert_close(distance, (target - source).abs())
    torch.testing.assert_close(product, target * source)
    assert not torch.equal(target, source)


def test_words_are_means_of_their_pieces(folders: dict[str, Path]) -> None:
    system = build(folders["bert"], use_mlp=False, scalar_mix=False)
    with torch.no_grad():
        features = system.encoder(as_tensors(system.collate([{"source": "Close it", "target": "Haus Bankhaus"}])))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["bert"])
    body = transformers.AutoModel.from_pretrained(folders["bert"], add_pooling_layer=False).eval()
    encoded = tokenizer(["Haus", "Bankhaus"], ["Close", "it"], is_split_into_words=True, return_tensors="pt")
    types = torch.tensor([encoded.encodings[0].type_ids])
    with torch.no_grad():
        states = body(**encoded, token_type_ids=types).last_hidden_state[0]
    index = list(zip(encoded.sequence_ids(0), encoded.word_ids(0), strict=True))
    for word in (0, 1):
        expected = states[[i for i, place in enumerate(index) if place == (0, word)]].mean(dim=0)
        torch.testing.assert_close(features.target[0, word], expected)
        expected = states[[i for i, place in enumerate(index) if place == (1, word)]].mean(dim=0)
        assert features.source is not None
        torch.testing.assert_close(features.source[0, word], expected)


ODD_TEXTS = {
    "no spaces": "这是一个没有空格的句子。",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 ok",
    "combining marks": "e\u0301te\u0301 क\u094dष",
    "zero width": "\u200b \u200d a\u200bb",
    "control and private use": "\u0007 \ue000 \ufffd",
    "a very long word": "x" * 3000,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=list(ODD_TEXTS))
def test_every_word_gets_a_tag(family: str, text: str, folders: dict[str, Path]) -> None:
    from kiwi.data.text.words import words

    runner = runner_of(build(folders[family], CLASSES.get(family, "Transformer")))
    for source, target in ((text, "Haus"), ("house", text), (text, text)):
        predictions = runner.predict([source], [target])
        assert len((predictions.target_tags_labels or [])[0]) == len(words(target))
        assert len((predictions.source_tags_labels or [])[0]) == len(words(source))
        assert np.isfinite(flat(predictions)).all()


def test_long_segments_are_read_whole_in_windows(folders: dict[str, Path]) -> None:
    """Every word beyond the encoder's length has its say in the score and in its own tag."""
    system = build(folders["xlm-roberta"])
    runner = runner_of(system)
    long = ["Das Haus ist klein und alt ."] * 20
    base = runner.predict(["The house is small ."], [" ".join(long)])
    assert len((base.target_tags_labels or [])[0]) == 140
    for place in (0, 10, 19):
        other = list(long)
        other[place] = "Sie Sie Sie Bank Sie Sie Sie"
        changed = runner.predict(["The house is small ."], [" ".join(other)])
        assert changed.sentences_hter != base.sentences_hter
        word = place * 7 + 3
        before, after = ((p.target_tags_BAD_probabilities or [])[0][word] for p in (base, changed))
        assert before != pytest.approx(after, abs=1e-6)


def test_windows_agree_with_a_model_that_takes_all(tmp_path: Path) -> None:
    """Where nothing looks beyond its own piece (no attention, no positions), windows must change nothing."""
    folder = write_model("bert", tmp_path / "model", max_position_embeddings=512)
    system = build(folder, pooling="mean", use_mlp=False)
    with torch.no_grad():
        for name, weight in system.encoder.body.named_parameters():
            if "position_embeddings" in name or "attention.output.dense" in name:
                weight.zero_()
    row = {"source": " ".join(SOURCE * 3), "target": " ".join(TARGET * 3)}
    results = []
    for max_pieces in (512, 20):
        system.collate.pieces = PieceTokenizer(system.pretrained.tokenizer, max_pieces)
        results.append(
            (
                system.collate([row]).pieces.shape[0],
                runner_of(system).predict([row["source"]], [row["target"]]),
            )
        )
    (one, whole), (several, windowed) = results
    assert one == 1
    assert several > 3
    assert flat(windowed) == pytest.approx(flat(whole), abs=1e-5)


def test_xlm_reads_its_languages(folders: dict[str, Path]) -> None:
    scores = [
        runner_of(build(folders["xlm"], "XLM", target_language=language)).predict(SOURCE, TARGET).sentences_hter
        for language in ("de", "en")
    ]
    assert scores[0] != pytest.approx(scores[1])
    with pytest.raises(ConfigError, match=r"target_language: found 'fr'; this model supports de, en"):
        build(folders["xlm"], "XLM", target_language="fr")


def test_layers_beyond_the_model_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="freeze_layers: found 4; expected at most 3"):
        build(folders["bert"], freeze_layers=4)


def test_a_model_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"model_name.*Tried the files of this folder.*kiwi encoder"):
        build(tmp_path)


Options = Callable[..., dict[str, Any]]


@pytest.fixture
def transformer_options(options: Options, folders: dict[str, Path]) -> Options:
    def make(changes: dict[str, Any] | None = None, **encoder: Any) -> dict[str, Any]:
        base = {"system.class_name": "Transformer", "system.model": model_options(folders["bert"], **encoder)}
        return options(base | {"data.train.input.alignments": None} | (changes or {}))

    return make


def weights_of(folder: Path, **encoder: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in build(folder, **encoder).state_dict().items()}


def moved(info: Any, folder: Path, **encoder: Any) -> set[str]:
    """Names of the pretrained model's weights that training changed."""
    before, after = weights_of(folder, **encoder), info.model.state_dict()
    names = [name for name in before if name.startswith("encoder.body.")]
    return {name for name in names if not torch.equal(before[name], after[name])}


def test_training_moves_what_is_not_frozen(transformer_options: Options, folders: dict[str, Path]) -> None:
    everything = moved(train_from_configuration(transformer_options()), folders["bert"])
    assert any("layer.0." in name for name in everything)
    assert any("word_embeddings" in name for name in everything)
    upper = moved(train_from_configuration(transformer_options(freeze_layers=2)), folders["bert"], freeze_layers=2)
    assert upper
    assert all("layer.2." in name for name in upper)
    assert not moved(train_from_configuration(transformer_options(freeze=True)), folders["bert"], freeze=True)


def test_freezing_counts_optimizer_steps(transformer_options: Options, folders: dict[str, Path]) -> None:
    # 40 segments in batches of 8, every 2 accumulated: 3 steps.
    accumulated = {"trainer.gradient_accumulation_steps": 2}
    for steps, anything_moves in ((2, True), (3, False)):
        info = train_from_configuration(transformer_options(accumulated, freeze_for_number_of_steps=steps))
        assert bool(moved(info, folders["bert"])) is anything_moves


def test_a_system_to_train_has_dropout(folders: dict[str, Path]) -> None:
    config = QESystem.Config.model_validate({"class_name": "Bert", "model": model_options(folders["bert"])})
    system = QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]})
    assert all(module.training for module in system.modules())


def test_frozen_layers_have_no_dropout(folders: dict[str, Path]) -> None:
    encoder = build(folders["bert"], freeze_layers=2).train().encoder
    modes = {name: module.training for name, module in encoder.body.named_modules() if "dropout" in name.lower()}
    assert {mode for name, mode in modes.items() if "layer.2." in name} == {True}
    assert {mode for name, mode in modes.items() if "layer.2." not in name} == {False}


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_of_the_pretrained_model_can_be_switched_off(family: str, folders: dict[str, Path]) -> None:
    def differences(dropout: float) -> float:
        system = build(folders[family], CLASSES.get(family, "Transformer"), dropout=dropout, scalar_mix=False)
        batch = as_tensors(system.collate([{"source": s, "target": t} for s, t in zip(SOURCE, TARGET, strict=True)]))
        expected = system.encoder(batch).target
        return float((system.encoder.train()(batch).target - expected).detach().abs().max())

    assert differences(0.0) < 1e-5
    assert differences(0.9) > 0.05


def test_dropout_of_the_pretrained_model_is_not_stored_in_its_configuration(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    build(folders["bert"], dropout=0.0).save(tmp_path / "trained")
    config = QESystem.resolve(QESystem.Config.from_dict({"load": str(tmp_path / "trained")}))
    assert config.model.encoder.dropout == 0.0
    changes = {"encoder": {"dropout": None}}
    config = QESystem.resolve(QESystem.Config.from_dict({"load": str(tmp_path / "trained"), "model": changes}))
    system = QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]})
    assert system.encoder.body.config.hidden_dropout_prob == 0.1


def test_dropout_of_a_model_without_such_an_option_is_refused(folders: dict[str, Path]) -> None:
    pretrained = Pretrained.from_model(str(folders["bert"]))
    bare = replace(pretrained, config={k: v for k, v in pretrained.config.items() if "dropout" not in k})
    with pytest.raises(ConfigError, match=r"encoder\.dropout: found 0\.2, but a bert has no"):
        bare.build_model(dropout=0.2)


@pytest.mark.parametrize(
    ("training", "gradient_checkpointing", "fused"), [(True, False, False), (False, False, True), (True, True, True)]
)
def test_attention_trains_by_separate_products(
    training: bool, gradient_checkpointing: bool, fused: bool, folders: dict[str, Path]
) -> None:
    system = build(folders["xlm-roberta"], gradient_checkpointing=gradient_checkpointing).train(training)
    found: list[bool] = []
    system.encoder.layers[0].register_forward_hook(lambda *_: found.append(torch.backends.cuda.flash_sdp_enabled()))
    batch = as_tensors(system.collate([{"source": SOURCE[0], "target": TARGET[0]}]))
    with torch.set_grad_enabled(training):
        system(batch)
    assert found == [fused]
    assert torch.backends.cuda.flash_sdp_enabled()  # as before


@pytest.mark.parametrize("dropout", [None, 0.0])  # without dropout, torch may choose another attention
def test_gradient_checkpointing_changes_nothing(dropout: float | None, transformer_options: Options) -> None:
    infos = [
        train_from_configuration(transformer_options({"trainer.epochs": 1}, gradient_checkpointing=on, dropout=dropout))
        for on in (False, True)
    ]
    assert infos[0].best_metrics == pytest.approx(infos[1].best_metrics, abs=1e-4)


def test_a_checkpoint_needs_neither_folder_nor_network(
    transformer_options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model("xlm-roberta", tmp_path / "model")
    options = transformer_options({"system.model": model_options(folder)})
    info = train_from_configuration(options)
    assert info.best_model_path is not None
    expected = runner_of(QESystem.load(info.best_model_path)).predict(SOURCE, TARGET)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()

    def unreachable(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", unreachable)
    predictions = load_system(info.best_model_path).predict(SOURCE, TARGET)
    assert flat(predictions) == pytest.approx(flat(expected))


def test_scores_are_returned_on_their_own_scale(transformer_options: Options, tmp_path: Path, corpus: Any) -> None:
    """MQM-like scores, far from [0, 1]: after one step of a low rate, predictions lie around their mean."""
    lines = [f"{-100 + 10 * float(score):.3f}" for score in corpus.lines("train", "sentence_scores")]
    file = tmp_path / "scores"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    changes = {"data.train.output.sentence_scores": str(file), "system.optimizer.learning_rate": 1e-6}
    info = train_from_configuration(transformer_options(changes))
    scores = np.array(runner_of(info.model).predict(SOURCE, TARGET).sentences_hter)
    mean = np.mean([float(line) for line in lines])
    assert np.abs(scores - mean).max() < 10


def test_layerwise_rates(folders: dict[str, Path]) -> None:
    system = build(folders["bert"])
    config = OptimizerConfig(class_name="adam", learning_rate=1.0, encoder_learning_rate=0.1, layerwise_lr_decay=0.5)
    optimizer = build_optimizer(system, config)
    rates = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    expected = {"layer.2.": 0.1, "layer.1.": 0.05, "layer.0.": 0.025, "word_embeddings": 0.0125, "mlp": 0.1}
    for name, weight in system.named_parameters():
        rate = next((rate for part, rate in expected.items() if part in name), None)
        if rate is not None:
            assert rates[id(weight)] == pytest.approx(rate), name
        elif not name.startswith("encoder."):
            assert rates[id(weight)] == 1.0
    assert len(rates) == len(list(system.parameters()))


def test_layerwise_rates_need_layers(options: Options) -> None:
    with pytest.raises(ConfigError, match="layerwise_lr_decay: NuQE has no pretrained layers"):
        train_from_configuration(options({"system.optimizer.layerwise_lr_decay": 0.9}))


def test_long_and_cut_segments_are_counted(folders: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    long = [" ".join(TARGET * 20), "Haus"]
    with caplog.at_level("INFO", logger="kiwi"):
        runner_of(build(folders["bert"])).predict(["house", "house"], long)
        runner_of(build(folders["bert"], target_max_length=5)).predict(["house", "house"], long)
    messages = [record.getMessage() for record in caplog.records]
    assert any(m.startswith("1 segments exceed the encoder's maximum length") for m in messages)
    assert any(m.startswith("1 segments are truncated to") for m in messages)


def test_vocabularies_and_embeddings_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    config = {"class_name": "Bert", "model": model_options(folders["bert"]), "load_vocabs": str(tmp_path)}
    with pytest.raises(ConfigError, match="load_vocabs: Bert uses the tokenizer of its pretrained encoder"):
        QESystem.Config.from_dict(config)


def test_load_encoder(transformer_options: Options, folders: dict[str, Path], tmp_path: Path) -> None:
    first = train_from_configuration(transformer_options())
    frozen = {"system.load_encoder": str(first.best_model_path), "run.output_dir": str(tmp_path / "second")}
    second = train_from_configuration(transformer_options({**frozen, "system.model.encoder.freeze": True}))
    stored = QESystem.load(Path(str(first.best_model_path))).encoder.state_dict()
    own = second.model.encoder.state_dict()
    assert all(torch.equal(own[name], stored[name]) for name in own if name.startswith("body.embeddings"))


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "xlm"])
@pytest.mark.parametrize("place", ["memory", "disk"])
def test_kept_states_equal_recomputed_ones(
    family: str, place: str, folders: dict[str, Path], transformer_options: Options, tmp_path: Path
) -> None:
    """Two epochs, some segments in several windows: the same weights and metrics with and without."""
    results = []
    for keep in (place, "no"):
        encoder = {"freeze_layers": 2, "keep_frozen_states": keep, "model_name": str(folders[family])}
        changes = {"trainer.epochs": 2, "run.output_dir": str(tmp_path / keep), "data.buffer_size": 16}
        # Adam would blow up differences of rounding where gradients are near 0.
        changes |= {"system.optimizer": {"class_name": "sgd", "learning_rate": 0.01}}
        changes |= {f"system.model.encoder.{key}": value for key, value in encoder.items()}
        info = train_from_configuration(transformer_options(changes))
        results.append(info)
        assert not [file for file in (tmp_path / keep).iterdir() if "tmp" in file.name]
    kept, recomputed = results
    # A correlation of predictions that hardly vary yet blows up rounding, too.
    assert kept.best_metrics == pytest.approx(recomputed.best_metrics, abs=1e-3)
    long = [" ".join(SOURCE * 9), *SOURCE], [" ".join(TARGET * 9), *TARGET]
    expected = flat(runner_of(recomputed.model).predict(*long))
    assert flat(runner_of(kept.model).predict(*long)) == pytest.approx(expected, abs=1e-4)


def test_kept_states_are_used(
    folders: dict[str, Path], transformer_options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frozen layers run once for each segment of both parts, however many epochs there are."""
    seen = 0
    original = transformers.models.bert.modeling_bert.BertLayer.forward

    def counted(self: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        if not any(weight.requires_grad for weight in self.parameters()):
            seen += len(hidden_states)
        return original(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(transformers.models.bert.modeling_bert.BertLayer, "forward", counted)
    build(folders["bert"], freeze_layers=1)
    probes, seen = seen, 0  # a system that is built probes its model
    train_from_configuration(
        transformer_options({"trainer.epochs": 3}, freeze_layers=1, source_max_length=20, target_max_length=20)
    )
    assert seen - probes == 40 + 12


@pytest.mark.parametrize("amp_level", ["O1", "O3"])
@pytest.mark.parametrize("keep", ["memory", "no"])
def test_training_in_16_bits(amp_level: str, keep: str, transformer_options: Options) -> None:
    changes = {"trainer.precision": "bf16", "trainer.amp_level": amp_level, "trainer.epochs": 2}
    info = train_from_configuration(transformer_options(changes, freeze_layers=1, keep_frozen_states=keep))
    assert info.best_model_path is not None
    assert np.isfinite(flat(load_system(info.best_model_path).predict(SOURCE, TARGET))).all()


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ConfigError, match="cannot be built"):
        build(folder)
    folder = write_model("bert", tmp_path / "deeper")
    config = folder / "config.json"
    content = config.read_text(encoding="utf-8")
    config.write_text(content.replace('"num_hidden_layers": 3', '"num_hidden_layers": 4'), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"lacks \d+ weights of a bert, such as 'encoder\.layer\.3"):
        build(folder)
    folder = write_model("bert", tmp_path / "tokenizer")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        build(folder)


def test_no_gradient_checkpointing_for_xlm(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="gradient_checkpointing: Transformers does not support it for a xlm"):
        build(folders["xlm"], "XLM", gradient_checkpointing=True)


def test_a_loaded_system_brings_its_model(transformer_options: Options, tmp_path: Path) -> None:
    info = train_from_configuration(transformer_options())
    changes = {"system.class_name": None, "system.load": str(info.best_model_path)}
    changes |= {"run.output_dir": str(tmp_path / "again"), "system.model": {"encoder": {"model_name": "other"}}}
    with pytest.raises(ConfigError, match=r"model_name: found 'other', but .* was trained with '.*bert'"):
        train_from_configuration(transformer_options(changes))


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"encoder": {"pooling": "mean"}}, ["encoder.pooling"]),
        ({"encoder": {"use_mlp": False, "hidden_size": 3}}, ["encoder.use_mlp", "encoder.hidden_size"]),
        ({"encoder": {"freeze_layers": 1}}, ["encoder.freeze_layers"]),
        ({"encoder": {"lora": {"rank": 2}}, "decoder": {"bottleneck_size": 3}}, ["decoder.bottleneck_size"]),
    ],
)
def test_options_that_do_not_fit_a_trained_system_are_named(
    changes: dict[str, Any], paths: list[str], folders: dict[str, Path], tmp_path: Path
) -> None:
    build(folders["bert"]).save(tmp_path / "trained")
    with pytest.raises(ConfigError) as error:
        QESystem.resolve(QESystem.Config.from_dict({"load": str(tmp_path / "trained"), "model": changes}))
    named = [line.split(":")[0].strip() for line in str(error.value).splitlines() if line.startswith("  ")]
    assert named == [f"system.model.{path}" for path in paths]


def test_options_of_training_may_differ_from_those_of_a_trained_system(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    build(folders["bert"], scalar_mix=False).save(tmp_path / "trained")
    changes = {"encoder": {"freeze_layers": 2, "source_max_length": 9}, "decoder": {"dropout": 0.5}}
    config = QESystem.resolve(QESystem.Config.from_dict({"load": str(tmp_path / "trained"), "model": changes}))
    system = QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]})
    assert system.encoder.config.freeze_layers == 2
    assert not system.encoder.layers[1].attention.self.query.weight.requires_grad


def test_parts_of_another_form_start_fresh_on_a_loaded_encoder(
    folders: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = build(folders["bert"])
    with torch.no_grad():
        trained.encoder.body.embeddings.word_embeddings.weight.fill_(0.5)
        trained.encoder.target_mlp[0].weight.fill_(0.25)
    trained.save(tmp_path / "trained")
    model = model_options(folders["bert"], pooling="compare", scalar_mix=False)
    config = QESystem.Config.from_dict(
        {"class_name": "Transformer", "model": model, "load_encoder": tmp_path / "trained"}
    )
    with caplog.at_level("INFO", logger="kiwi"):
        system = QESystem.build(QESystem.resolve(config), {"sentence_scores": ["0.1", "0.3"]})
    assert (system.encoder.body.embeddings.word_embeddings.weight == 0.5).all()
    assert (system.encoder.target_mlp[0].weight == 0.25).all()
    assert system.encoder.sentence_mlp[0].weight.shape == (12, 5 * 16)
    assert any("sentence_mlp.0.weight; these are newly initialized" in r.getMessage() for r in caplog.records)


def test_the_score_is_kept_when_source_tags_are_switched(folders: dict[str, Path], tmp_path: Path) -> None:
    trained = build(folders["bert"])
    trained.save(tmp_path / "trained")
    changes = {"outputs": {"word_level": {"source": False}}}
    config = QESystem.Config.from_dict({"load": str(tmp_path / "trained"), "model": changes})
    system = QESystem.build(QESystem.resolve(config), {"sentence_scores": ["0.1", "0.3"]})
    predicted = [runner_of(part).predict(SOURCE, TARGET).sentences_hter for part in (trained, system)]
    assert predicted[0] == pytest.approx(predicted[1])


def test_batches_are_sorted_by_pieces(folders: dict[str, Path]) -> None:
    system = build(folders["bert"])
    columns = {"source": ["house house house", "x"], "target": ["Haus", "q" * 30]}
    assert system.lengths(columns) == [
        len(system.collate.pieces(*pair)["pieces"][0])
        for pair in (
            ([["Haus"]], [["house", "house", "house"]]),
            ([["q" * 30]], [["x"]]),
        )
    ]


@pytest.mark.parametrize(("keep", "advice"), [("memory", "Set it to disk or no"), ("disk", "Set it to no")])
def test_states_that_do_not_fit_are_refused(
    keep: str, advice: str, transformer_options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  99 kB\nMemAvailable:       2 kB\n", encoding="utf-8")
    monkeypatch.setattr("kiwi.utils.process.memory.MEMORY_FILE", meminfo)
    usage = type("Usage", (), {"free": 2048})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    options = transformer_options({"trainer.epochs": 2}, freeze_layers=1, keep_frozen_states=keep)
    with pytest.raises(ConfigError, match=rf"keep_frozen_states: .* take 0\.\d GiB, and .* {advice}"):
        train_from_configuration(options)


def test_a_fresh_score_output_takes_the_scale_of_the_data(transformer_options: Options, tmp_path: Path) -> None:
    tags = {"system.model.outputs.sentence_level": {"hter": False}}
    first = train_from_configuration(transformer_options(tags))
    changes = {"system.class_name": None, "system.load": str(first.best_model_path)}
    changes |= {"run.output_dir": str(tmp_path / "again")}
    changes |= {"system.model": {"outputs": {"sentence_level": {"hter": True}}}}
    second = train_from_configuration(transformer_options(changes))
    output = dict(second.model.outputs.items())["sentence_scores"]
    assert 0 < float(output.get_buffer("mean")) < 1
    assert 0 < float(output.get_buffer("deviation")) < 1


@pytest.mark.parametrize(("value", "noted"), [(False, True), (True, False), (None, False)])
def test_input_that_is_not_interleaved_is_noted(
    value: bool | None, noted: bool, folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Once, and only where a configuration asks for it; the predictions are the same."""
    options = {} if value is None else {"interleave_input": value}
    with caplog.at_level("INFO", logger="kiwi"):
        system = build(folders["bert"], **options)
    assert sum("packed all the same" in record.getMessage() for record in caplog.records) == noted
    expected = flat(runner_of(build(folders["bert"])).predict(SOURCE, TARGET))
    assert flat(runner_of(system).predict(SOURCE, TARGET)) == pytest.approx(expected)


def test_a_model_without_room_is_refused(tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "short", max_position_embeddings=6)
    with pytest.raises(ConfigError, match=r"model_name: .*at most 6 pieces has no room"):
        build(folder)


def test_a_bare_no_of_yaml_is_no() -> None:
    assert (
        TransformerEncoderConfig.from_dict(yaml.safe_load("{model_name: x, keep_frozen_states: no}")).keep_frozen_states
        == "no"
    )


def test_what_stands_in_padding_does_not_matter() -> None:
    pieces = Pieces(
        ids=torch.tensor([[5, 6, 0]]),
        mask=torch.tensor([[True, True, False]]),
        types=torch.zeros(1, 3, dtype=torch.int64),
        words=torch.tensor([[0, 0, -1]]),
        sides=torch.zeros(1, 3, dtype=torch.int64),
        weights=torch.tensor([[1.0, 1.0, 0.0]]),
        segment_windows=torch.tensor([[0]]),
        target_readings=torch.tensor([[[0]]]),
        source_readings=torch.zeros(1, 0, 1, dtype=torch.int64),
    )
    states = torch.tensor([[[1.0], [3.0], [float("nan")]]])
    assert pieces.means_of_words(states)[0].tolist() == [[[2.0]]]
    assert pieces.means_of_segments(states, pieces.mask).tolist() == [[2.0]]
