from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.text.vocabulary import Vocabulary
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.outputs import SPAN_SCORES
from kiwi.runner import Predictions, Runner
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.qe_system import QESystem
from kiwi.utils.sealed import seal

Options = Callable[..., dict[str, Any]]


def flat(values: Any) -> list[Any]:
    return [item for value in values for item in flat(value)] if isinstance(values, list) else [values]


def assert_same(found: Predictions, expected: Predictions) -> None:
    for name in Predictions.attributes():
        one, other = found.get(name), expected.get(name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert len(one) == len(other)
            if name.endswith("labels"):
                continue
            for a, b in zip(one, other, strict=True):
                assert flat(a) == pytest.approx(flat(b), abs=1e-5), name


def at(predictions: Predictions, order: list[int]) -> Predictions:
    """The predictions of some segments, in another order."""
    values = {name: predictions.get(name) for name in Predictions.attributes()}
    return Predictions(**{name: v if v is None else [v[i] for i in order] for name, v in values.items()})


# A segment's outputs do not depend on the others.

INPUTS = ("source", "target", "alignments")


def columns(corpus: Any, *names: str) -> dict[str, list[str]]:
    """Of the test part, with a segment of one word each and one of many."""
    rows = {name: corpus.lines("test", name) for name in names}
    short = {"source": "a", "target": "b", "alignments": "", "source_pos": "WORD", "target_pos": "WORD"}
    long = {name: " ".join([rows[name][0]] * 4) for name in names}
    return {name: [*rows[name], short[name], long[name]] for name in names}


@pytest.mark.parametrize("batch_size", [2, 5, 12])
@pytest.mark.parametrize("order", [1, -1])
def test_outputs_are_the_same_alone_and_in_any_batch(runner: Runner, corpus: Any, batch_size: int, order: int) -> None:
    data = columns(corpus, *INPUTS)
    alone = runner.predict(**data, batch_size=1)
    of_spans = {const.ERROR_SPANS, *SPAN_SCORES}  # which only systems with a pretrained encoder predict
    for name in Predictions.attributes():
        # Only a calibrated system has intervals.
        if not name.endswith(("labels", "_low", "_high")) and name not in of_spans:
            assert np.std(flat(alone.get(name))) > 1e-3
    indices = list(range(len(alone)))[::order]
    shuffled = {name: [column[i] for i in indices] for name, column in data.items()}
    assert_same(runner.predict(**shuffled, batch_size=batch_size), at(alone, indices))


@pytest.mark.parametrize("batch_size", [3, 12])
def test_the_same_with_part_of_speech(pos_system: QESystem, corpus: Any, batch_size: int) -> None:
    data, runner = columns(corpus, *INPUTS, "source_pos", "target_pos"), runner_of(pos_system)
    assert_same(runner.predict(**data, batch_size=batch_size), runner.predict(**data, batch_size=1))


def test_logits_of_a_batch_are_those_of_its_segments(pos_system: QESystem, corpus: Any) -> None:
    from kiwi.systems.batching import as_tensors

    rows = [
        dict(zip(pos_system.input_fields, row, strict=True))
        for row in zip(*columns(corpus, *pos_system.input_fields).values(), strict=True)
    ]
    pos_system.eval()
    with torch.no_grad():
        together = pos_system(as_tensors(pos_system.collate(rows)))
        for index, row in enumerate(rows):
            for name, logits in pos_system(as_tensors(pos_system.collate([row]))).items():
                found = together[name][index]
                found = found[: logits.shape[1]] if found.dim() > 1 else found
                torch.testing.assert_close(found, logits[0], atol=1e-5, rtol=1e-5)


# Configuration.


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"class_name": None}, ["one of class_name and load is required"]),
        ({"class_name": "NuQ"}, ["class_name: 'NuQ' is not a system; did you mean 'NuQE'?"]),
        (
            {"class_name": "Shakespeare"},
            ["'Shakespeare' is not a system; known: Bert, NuQE, PredictorEstimator, Transformer"],
        ),
        ({"model": None}, ["model is required unless load is given"]),
        ({"model.encodr": {}}, ["model.encodr: unknown key; did you mean 'encoder'?"]),
        ({"model.encoder": None}, ["model.encoder: required, but not given"]),
        ({"model.outputs": None}, ["model.outputs: required, but not given"]),
        ({"model.outputs.word_level.gap": True}, ["model.outputs.word_level.gap: unknown key; did you mean 'gaps'?"]),
        ({"model.tlm_outputs": {"fine_tune": True}}, ["model.tlm_outputs.fine_tune"]),
        ({"load": "x", "load_encoder": "y"}, ["load brings its own encoder"]),
        ({"load": "x", "load_vocabs": "y"}, ["load brings its own vocabularies"]),
        ({"load_encoder": "x", "load_vocabs": "y"}, ["load_encoder brings its own vocabularies"]),
        ({"batch_size": 0}, ["batch_size"]),
        ({"batch_size": {"train": 4, "validation": 4}}, ["batch_size.validation: unknown key; did you mean 'valid'?"]),
        ({"num_data_workers": -1}, ["num_data_workers"]),
        ({"optimizer": {"class_name": "adam"}}, ["optimizer.learning_rate: required, but not given"]),
        ({"optimizer": {"class_name": "adm", "learning_rate": 1.0}}, ["optimizer.class_name", "'adm'"]),
        (
            {"model.encoder.window_size": 0, "model.decoder.target.dropout": 1.5, "batch_size": 0},
            ["3 mistakes", "model.encoder.window_size", "model.decoder.target.dropout", "batch_size"],
        ),
        (
            {"model.encoder.embeddings.target.sparse_embeddings": True},
            ["model.encoder.embeddings.target.sparse_embeddings", "sgd, adagrad, sparse_adam", "found 'adam'"],
        ),
        ({"data_processing.vocab.min_frequency": 0}, ["data_processing.vocab.min_frequency"]),
        (
            {"data_processing.vocab.add_embeddings_vocab": True},
            ["vocab.add_embeddings_vocab requires pretrained embeddings"],
        ),
    ],
)
def test_configuration_errors(options: Options, change: Any, changes: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        QESystem.Config.from_dict(change(options()["system"], changes))
    for message in messages:
        assert message in str(error.value)


def test_defaults(model_options: Options) -> None:
    config = QESystem.Config.from_dict({"class_name": "NuQE", "model": model_options()})
    assert config.batch_size == 1
    assert config.num_data_workers == 4
    assert config.optimizer is None
    assert config.data_processing.model_dump() == {
        "share_input_fields_encoders": False,
        "vocab": {
            "min_frequency": 1,
            "max_size": None,
            "keep_rare_words_with_embeddings": False,
            "add_embeddings_vocab": False,
        },
        "embeddings": None,
    }


@pytest.mark.parametrize(
    ("configured", "sizes"),
    [(7, {"train": 7, "valid": 7, "test": 7}), ({"train": 3, "test": 5}, {"train": 3, "valid": 1, "test": 5})],
)
def test_batch_sizes(options: Options, configured: Any, sizes: dict[str, int]) -> None:
    config = QESystem.Config.from_dict({**options()["system"], "batch_size": configured})
    assert {use: config.batch_size_for(use) for use in sizes} == sizes


def test_a_validator_opens_no_checkpoint(tmp_path: Path) -> None:
    assert QESystem.Config.from_dict({"load": tmp_path / "nothing"}).load == tmp_path / "nothing"


# Building.


def build(options: dict[str, Any], corpus: Any) -> QESystem:
    config = QESystem.resolve(QESystem.Config.from_dict(options))
    fields = ("source", "target", "source_pos", "target_pos")
    return QESystem.build(config, {field: corpus.lines("train", field) for field in fields})


@pytest.mark.parametrize(
    ("changes", "checks"),
    [
        ({}, {"source": lambda words, seen: set(words) == set(seen)}),
        ({"vocab.min_frequency": 2}, {"source": lambda words, seen: set(words) == {w for w in seen if seen[w] > 1}}),
        (
            {"vocab.min_frequency": {"target": 3}},
            {
                "source": lambda words, seen: set(words) == set(seen),
                "target": lambda words, seen: set(words) == {w for w in seen if seen[w] > 2},
            },
        ),
        ({"vocab.max_size": 10}, {"target": lambda words, seen: len(words) == 10}),
    ],
)
def test_vocabularies_are_as_configured(
    options: Options,
    corpus: Any,
    changes: dict[str, Any],
    checks: dict[str, Callable[[list[str], dict[str, int]], bool]],
) -> None:
    from collections import Counter

    changed = options({f"system.data_processing.{path}": value for path, value in changes.items()})
    system = build(changed["system"], corpus)
    for field, check in checks.items():
        seen = Counter(word for line in corpus.lines("train", field) for word in line.split())
        assert check(system.vocabularies[field].entries[4:], seen)
        layer = system.encoder.get_submodule(f"embeddings.{field}.tokens")
        assert layer.num_embeddings == len(system.vocabularies[field])


def test_one_vocabulary_for_both_sides(options: Options, corpus: Any) -> None:
    system = build(options({"system.data_processing.share_input_fields_encoders": True})["system"], corpus)
    assert system.vocabularies["source"] == system.vocabularies["target"]
    for line in (corpus.lines("train", "source")[0], corpus.lines("train", "target")[0]):
        assert all(word in system.vocabularies["source"] for word in line.split())


@pytest.mark.parametrize("on", ["target", "gaps", "source", "hter", "binary"])
def test_each_output_alone(options: Options, corpus: Any, on: str) -> None:
    level = "sentence_level" if on in ("hter", "binary") else "word_level"
    system = build(options({"system.model.outputs": {level: {on: True}}})["system"], corpus)
    data = {name: corpus.lines("test", name) for name in INPUTS}
    predictions = runner_of(system).predict(**data, batch_size=4)
    names = {
        "target": "target_tags_BAD_probabilities",
        "gaps": "gap_tags_BAD_probabilities",
        "source": "source_tags_BAD_probabilities",
        "hter": "sentences_hter",
        "binary": "sentences_binary_BAD_probabilities",
    }
    assert len(getattr(predictions, names[on])) == 10
    assert all(getattr(predictions, other) is None for name, other in names.items() if name != on)


def test_every_weight_learns(options: Options, corpus: Any) -> None:
    from kiwi.systems.batching import as_tensors

    config = options()
    system = build(config["system"], corpus)
    train, _ = WMTQEDataset.train_and_valid(WMTQEDataset.Config.from_dict(config["data"]), 1)
    batch = as_tensors(system.collate([train[i] for i in range(16)]))
    system.outputs.loss(system(batch), batch)["loss"].backward()
    still = [name for name, weight in system.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


# Pretrained embeddings.


def write_embeddings(path: Path, vectors: dict[str, list[float]], header: bool = False) -> Path:
    lines = [" ".join([word, *map(str, vector)]) for word, vector in vectors.items()]
    if header:
        lines.insert(0, f"{len(vectors)} {len(next(iter(vectors.values())))}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("format", ["text", "glove", "word2vec", "fasttext"])
def test_pretrained_embeddings_land_in_the_weights(options: Options, corpus: Any, tmp_path: Path, format: str) -> None:
    vectors = {"der": [0.5] * 8, "Atlantis": [0.25] * 8, "die": [float(i) for i in range(8)]}
    file = write_embeddings(tmp_path / "target.vec", vectors, header=format in ("word2vec", "fasttext"))
    embeddings = {"target": str(file), "format": format}
    system = build(options({"system.data_processing.embeddings": embeddings})["system"], corpus)
    weight = system.encoder.get_submodule("embeddings.target.tokens").weight
    (der, die, unknown) = system.vocabularies["target"].encode(["der", "die", "Atlantis"])
    assert weight[der].tolist() == vectors["der"]
    assert weight[die].tolist() == vectors["die"]
    assert unknown == 1
    torch.manual_seed(0)
    others = [i for i in range(len(weight)) if i not in (der, die)]
    assert (weight[others].std(dim=1) > 0.05).all()


@pytest.mark.parametrize(
    ("option", "rare", "foreign"),
    [(None, False, False), ("keep_rare_words_with_embeddings", True, False), ("add_embeddings_vocab", True, True)],
)
def test_which_words_embeddings_bring(
    options: Options, corpus: Any, tmp_path: Path, option: str | None, rare: bool, foreign: bool
) -> None:
    file = write_embeddings(tmp_path / "source.txt", {"fuel": [0.5] * 8, "Atlantis": [0.25] * 8})
    assert sum(line.split().count("fuel") for line in corpus.lines("train", "source")) == 1
    changes = {
        "system.data_processing.embeddings": {"source": str(file), "format": "text"},
        "system.data_processing.vocab.min_frequency": 2,
    }
    if option:
        changes[f"system.data_processing.vocab.{option}"] = True
    system = build(options(changes)["system"], corpus)
    words = system.vocabularies["source"]
    assert ("fuel" in words, "Atlantis" in words) == (rare, foreign)
    if foreign:
        weight = system.encoder.get_submodule("embeddings.source.tokens").weight
        assert weight[words.encode(["Atlantis"])[0]].tolist() == [0.25] * 8


def test_embeddings_of_a_field_without_any(options: Options, corpus: Any, tmp_path: Path) -> None:
    file = write_embeddings(tmp_path / "pos.txt", {"NAME": [0.5] * 8})
    changes = {"system.data_processing.embeddings": {"source_pos": str(file), "format": "text"}}
    with pytest.raises(ConfigError) as error:
        build(options(changes)["system"], corpus)
    assert "system.data_processing.embeddings.source_pos" in str(error.value)


def test_polyglot_is_refused_with_the_way_to_convert(options: Options, tmp_path: Path) -> None:
    file = write_embeddings(tmp_path / "x.pkl", {"a": [0.5] * 8})
    for embeddings in ({"source": str(file)}, {"source": str(file), "format": "polyglot"}):
        with pytest.raises(ConfigError) as error:
            QESystem.Config.from_dict(options({"system.data_processing.embeddings": embeddings})["system"])
        assert "data_processing.embeddings" in str(error.value)
        assert "polyglot files are pickles" in str(error.value)
        assert "set format: text" in str(error.value)


# From trained systems.


def state(system: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in system.state_dict().items()}


def same_weights(one: nn.Module, other: nn.Module, prefix: str = "") -> bool:
    mine, theirs = state(one), state(other)
    names = [name for name in mine if name.startswith(prefix)]
    assert names
    return all(torch.equal(mine[name], theirs[name]) for name in names)


def test_load_takes_class_model_and_weights(trained: Any, corpus: Any) -> None:
    for options in ({"load": trained.path}, {"load": trained.path, "class_name": "NuQE"}):
        system = build(options, corpus)
        assert system.class_name == "NuQE"
        assert system.model_config == trained.info.model.model_config
        assert same_weights(system, QESystem.load(trained.path))


def test_load_of_another_class_is_refused(trained: Any, tmp_path: Path, corpus: Any) -> None:
    import shutil

    shutil.copytree(trained.path, tmp_path / "other")
    file = tmp_path / "other" / "config.yaml"
    file.write_text(file.read_text().replace("class_name: NuQE", "class_name: NuQX"))
    (tmp_path / "other" / "SHA256SUMS").unlink()
    seal(tmp_path / "other")
    with pytest.raises(CheckpointError) as error:
        QESystem.load(tmp_path / "other")
    assert str(tmp_path / "other") in str(error.value)
    assert "did you mean 'NuQE'?" in str(error.value)


def test_load_says_that_data_processing_is_not_used(
    trained: Any, corpus: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        build({"load": trained.path, "data_processing": {"vocab": {"min_frequency": 3}}}, corpus)
    assert "system.data_processing.vocab is not used" in caplog.text


@pytest.mark.parametrize("off", ["word_level.target", "word_level.gaps", "sentence_level.binary"])
def test_load_with_an_output_less(trained: Any, corpus: Any, change: Any, off: str) -> None:
    system = build({"load": trained.path, "model": change({}, {f"outputs.{off}": False})}, corpus)
    whole = QESystem.load(trained.path)
    name = {"word_level.target": "target_tags", "word_level.gaps": "gap_tags"}.get(off, "binary")
    assert name not in system.model_config.outputs.names
    assert len(system.model_config.outputs.names) == 4
    assert same_weights(system, whole)


def test_load_with_an_output_more_keeps_the_rest(options: Options, corpus: Any, tmp_path: Path, change: Any) -> None:
    first = build(options({"system.model.outputs": {"word_level": {"target": True}}})["system"], corpus)
    first.save(tmp_path / "first")
    for on, name in (("word_level.gaps", "gap_tags"), ("sentence_level.hter", "sentence_scores")):
        options_ = {"load": tmp_path / "first", "model": change({}, {f"outputs.{on}": True})}
        system = build(options_, corpus)
        assert set(system.model_config.outputs.names) == {"target_tags", name}
        assert same_weights(first, system)


def test_load_with_source_tags_more(options: Options, corpus: Any, tmp_path: Path) -> None:
    first = build(options({"system.model.outputs": {"word_level": {"target": True}}})["system"], corpus)
    first.save(tmp_path / "first")
    model = {"outputs": {"word_level": {"source": True}}}
    system = build({"load": tmp_path / "first", "model": model}, corpus)
    assert system.model_config.outputs.names == ["target_tags", "source_tags"]
    assert same_weights(first, system)


def test_load_with_source_tags_less(options: Options, corpus: Any, tmp_path: Path) -> None:
    outputs = {"word_level": {"target": True, "source": True}}
    first = build(options({"system.model.outputs": outputs})["system"], corpus)
    first.save(tmp_path / "first")
    system = build({"load": tmp_path / "first", "model": {"outputs": {"word_level": {"source": False}}}}, corpus)
    assert system.model_config.outputs.names == ["target_tags"]
    assert same_weights(system, first)


def test_load_with_other_class_weights_keeps_all_weights(trained: Any, corpus: Any, change: Any) -> None:
    weights = {"outputs.word_level.class_weights.target_tags": {"BAD": 7.0}}
    system = build({"load": trained.path, "model": change({}, weights)}, corpus)
    assert system.model_config.outputs.word_level.class_weights.target_tags == {"BAD": 7.0}
    assert same_weights(system, QESystem.load(trained.path))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"outputs": {"word_level": {"targets": True}}}, "model.outputs.word_level.targets: unknown key"),
        ({"encoder": {"window_size": 0}}, "model.encoder.window_size"),
    ],
)
def test_mistakes_in_what_is_to_change(trained: Any, model: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        QESystem.resolve(QESystem.Config.from_dict({"load": trained.path, "model": model}))
    assert message in str(error.value)


def test_other_widths_than_the_trained_ones_do_not_fit(trained: Any, corpus: Any) -> None:
    with pytest.raises(ConfigError, match=r"system\.model\.encoder\.window_size: found 5") as error:
        build({"load": trained.path, "model": {"encoder": {"window_size": 5}}}, corpus)
    assert str(trained.path) in str(error.value)


def test_load_of_sparse_embeddings_with_an_optimizer_that_cannot(options: Options, corpus: Any, tmp_path: Path) -> None:
    changes = {
        "system.model.encoder.embeddings.source.sparse_embeddings": True,
        "system.optimizer.class_name": "sparse_adam",
    }
    build(options(changes)["system"], corpus).save(tmp_path / "sparse")
    optimizer = {"class_name": "adam", "learning_rate": 0.1}
    for brought in ({"load": tmp_path / "sparse"}, {**options()["system"], "load_encoder": tmp_path / "sparse"}):
        with pytest.raises(ConfigError) as error:
            QESystem.resolve(QESystem.Config.from_dict({**brought, "optimizer": optimizer}))
        assert "sparse_embeddings" in str(error.value)


def test_load_encoder(trained: Any, options: Options, corpus: Any) -> None:
    changes = {"system.load_encoder": str(trained.path), "system.model.decoder.target.hidden_sizes": [9, 7, 5, 3]}
    system = build(options(changes)["system"], corpus)
    whole = QESystem.load(trained.path)
    assert same_weights(system, whole, prefix="encoder.")
    assert system.vocabularies == whole.vocabularies
    assert system.decoder.sizes.target == 3


def test_load_encoder_has_precedence_over_the_configured_one(
    trained: Any, options: Options, corpus: Any, caplog: pytest.LogCaptureFixture
) -> None:
    changes = {"system.load_encoder": str(trained.path), "system.model.encoder.window_size": 5}
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        system = build(options(changes)["system"], corpus)
    assert system.encoder.window_size == 3
    assert "not used: system.model.encoder.window_size." in caplog.text
    assert str(trained.path) in caplog.text


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True)])
def test_load_encoder_of_a_system_with_other_outputs(
    options: Options, corpus: Any, tmp_path: Path, before: bool, after: bool
) -> None:
    outputs = {source: {"word_level": {"target": True, "source": source}} for source in (True, False)}
    first = build(options({"system.model.outputs": outputs[before]})["system"], corpus)
    first.save(tmp_path / "first")
    changes = {"system.model.outputs": outputs[after], "system.load_encoder": str(tmp_path / "first")}
    system = build(options(changes)["system"], corpus)
    assert same_weights(system.encoder, first.encoder, prefix="embeddings.")
    assert torch.equal(system.encoder.unaligned_target_word, first.encoder.unaligned_target_word)


def test_embeddings_beside_load_encoder_are_not_ignored_in_silence(
    trained: Any, options: Options, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_embeddings(tmp_path / "source.txt", {"the": [0.5] * 8})
    changes = {
        "system.load_encoder": str(trained.path),
        "system.data_processing.embeddings": {"source": str(file), "format": "text"},
    }
    with caplog.at_level(logging.WARNING, logger="kiwi"):
        try:
            build(options(changes)["system"], corpus)
            said = caplog.text
        except ConfigError as error:
            said = str(error)
    assert "data_processing.embeddings" in said


def test_load_vocabs_from_a_system_or_its_file(trained: Any, options: Options, corpus: Any) -> None:
    for place in (trained.path, trained.path / "vocab.json"):
        system = build(options({"system.load_vocabs": str(place)})["system"], corpus)
        assert system.vocabularies == trained.info.model.vocabularies
        assert not same_weights(system, trained.info.model)


def test_load_vocabs_without_a_field(trained: Any, options: Options, corpus: Any) -> None:
    changes = {"system.load_vocabs": str(trained.path), "system.model.encoder.embeddings.source_pos": {"dim": 2}}
    with pytest.raises(CheckpointError) as error:
        build(options(changes)["system"], corpus)
    assert "vocab.json" in str(error.value)
    assert "no vocabulary for 'source_pos'" in str(error.value)


# Data.


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"data.train.input.alignments": None}, ["data.train.input.alignments"]),
        (
            {"data.train.input.alignments": None, "data.valid.input.alignments": None},
            ["data.train.input.alignments", "data.valid.input.alignments"],
        ),
        ({"data.valid.output.source_tags": None}, ["data.valid.output.source_tags"]),
        (
            {"data.train.output": None},
            [f"data.train.output.{name}" for name in ("target_tags", "source_tags", "sentence_scores")],
        ),
        (
            {"system.model.encoder.embeddings.target_pos": {"dim": 2}},
            ["data.train.input.target_pos", "data.valid.input.target_pos"],
        ),
    ],
)
def test_files_that_are_not_configured_are_named(options: Options, changes: dict[str, Any], missing: list[str]) -> None:
    changed = options(changes)
    config = QESystem.resolve(QESystem.Config.from_dict(changed["system"]))
    found = QESystem.missing_files(config, WMTQEDataset.Config.from_dict(changed["data"]))
    assert list(found) == missing
    assert all(reason.startswith("required: NuQE") for reason in found.values())


def test_labels_that_no_output_learns_from_are_not_needed(options: Options) -> None:
    changed = options(
        {
            "system.model.outputs": {"sentence_level": {"hter": True}},
            "data.train.output.target_tags": None,
            "data.valid.output.source_tags": None,
        }
    )
    config = QESystem.resolve(QESystem.Config.from_dict(changed["system"]))
    assert QESystem.missing_files(config, WMTQEDataset.Config.from_dict(changed["data"])) == {}


def test_a_new_system_differs_by_seed_only(options: Options, corpus: Any) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return state(build(options()["system"], corpus))

    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert all(math.isfinite(tensor.sum().item()) for tensor in first.values())


def test_vocabularies_belong_to_the_fields_that_are_read(options: Options, corpus: Any) -> None:
    system = build(options()["system"], corpus)
    assert set(system.vocabularies) == {"source", "target"}
    assert all(isinstance(vocabulary, Vocabulary) for vocabulary in system.vocabularies.values())


def test_lengths_are_words_of_both_sides(plain_system: QESystem) -> None:
    assert plain_system.lengths({"source": ["a b", "c"], "target": ["x", "y z u"]}) == [3, 4]
