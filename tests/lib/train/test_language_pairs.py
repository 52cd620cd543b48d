"""Training on several language pairs: metrics of each pair, their mean, and what the checkpoint knows of them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.train import train_from_configuration
from kiwi.lib.train.language_pairs import describe_data
from kiwi.metrics.accumulators import ScoreMetrics
from kiwi.metrics.functions import pearson
from kiwi.runner import load_system
from kiwi.systems.manifest.checkpoint import read_checkpoint_info
from kiwi.systems.manifest.model_card import model_card
from kiwi.training.pair_metrics import PairMetrics

Options = Callable[..., dict[str, Any]]


def test_scores_beyond_their_range_name_a_line_where_they_have_one(tmp_path: Path) -> None:
    for name, lines in (("source", "a"), ("target", "b"), ("scores", "1")):
        (tmp_path / name).write_text(f"{lines}\n" * 3)
    part = {
        "input": {name: str(tmp_path / name) for name in ("source", "target")},
        "output": {"sentence_scores": str(tmp_path / "scores")},
    }
    score = {"kind": "other", "higher_is_better": False, "range": [0, 5]}
    options = {"train": part, "score": score}
    columns = {"source": ["a"] * 3, "target": ["b"] * 3, "sentence_scores": ["1", "1", "7"]}
    for others, place in (({"valid": part}, r"scores, line 3:"), ({"split": 0.5}, r"scores:")):
        config = WMTQEDataset.Config.from_dict(options | others)
        with pytest.raises(DataError, match=rf"{place} found the score 7; expected 0 to 5"):
            describe_data(config, columns, columns)
    # Scores that are made from error spans have no line, whatever the number of the segment.
    spans = part | {"output": {"error_spans": str(tmp_path / "scores")}}
    options = {"train": spans, "valid": spans, "spans": {"as_scores": True}, "score": {"range": [0, 5]}}
    with pytest.raises(DataError, match=r"scores: found the score 7; expected 0 to 5"):
        describe_data(WMTQEDataset.Config.from_dict(options), columns, columns)


@pytest.fixture
def with_pairs(options: Options, corpus: Any) -> Options:
    def build(changes: dict[str, Any] | None = None) -> dict[str, Any]:
        lp = {f"data.{part}.input.lp": str(corpus.file(part, "lp")) for part in ("train", "valid")}
        return options({**lp, **(changes or {})})

    return build


def test_metrics_of_each_pair_and_their_mean(with_pairs: Options, corpus: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    info = train_from_configuration(with_pairs({"trainer.main_metric": "PEARSON", "data.pair_temperature": 4.0}))
    assert info.best_model_path is not None
    found = load_system(info.best_model_path).predict(
        *(corpus.lines("valid", field) for field in ("source", "target", "alignments"))
    )
    scores = np.array(corpus.lines("valid", "sentence_scores"), dtype=float)
    is_estonian = np.array([pair == "et-en" for pair in corpus.lines("valid", "lp")])
    assert found.sentences_hter is not None
    predicted = np.array(found.sentences_hter)
    expected = {
        "val_en-de_PEARSON": pearson(scores[~is_estonian], predicted[~is_estonian]),
        "val_et-en_PEARSON": pearson(scores[is_estonian], predicted[is_estonian]),
    }
    expected["val_PEARSON"] = sum(expected.values()) / 2
    for name, value in expected.items():
        assert info.best_metrics[name] == pytest.approx(value, abs=5e-4), name
    directory = info.best_model_path.parent.parent
    with (directory / "metrics.csv").open(encoding="utf-8") as file:
        assert set(expected) | {"val_en-de_WMT19_MCC", "val_et-en_RMSE"} <= {*next(csv.reader(file))}
    assert "by language pair" in (directory / "learning_curve.svg").read_text(encoding="utf-8")
    assert f"val_PEARSON={info.best_metrics['val_PEARSON']:.4f}" in info.best_model_path.name
    assert "compared by the mean of the pairs" in caplog.text
    assert "mean of 2 language pairs: target_tags_MCC" in caplog.text
    assert "  et-en (3 segments): PEARSON" in caplog.text
    # 30 and 10 segments, of which the fourth roots are 2.34 and 1.78.
    assert "en-de 23, et-en 17" in caplog.text

    checkpoint = read_checkpoint_info(info.best_model_path)
    assert checkpoint.data.language_pairs == ("en-de", "et-en")
    assert checkpoint.languages == (("en", "et"), ("de", "en"))
    inspection = inspect_checkpoint(info.best_model_path)
    assert ("language pairs", "en-de, et-en") in inspection.rows()
    assert inspection.to_dict()["language_pairs"] == ["en-de", "et-en"]
    assert f"the mean of en-de {expected['val_en-de_PEARSON']:.4f}" in dict(inspection.rows())["PEARSON"]
    card = model_card(checkpoint, "me/system")
    assert "machine translation for the language pairs en-de, et-en without" in card
    assert "| metric | mean | en-de | et-en |" in card


def test_another_main_metric_names_a_pair(with_pairs: Options) -> None:
    info = train_from_configuration(with_pairs({"trainer.main_metric": "val_et-en_RMSE", "trainer.epochs": 2}))
    assert info.best_model_path is not None
    assert f"val_et-en_RMSE={info.best_metrics['val_et-en_RMSE']:.4f}" in info.best_model_path.name


def lp(place: Path, lines: list[str]) -> str:
    path = place / "lp"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "en_de",
            "line 3: found 'en_de'; expected two language codes joined by '-', such as en-de. Did you mean 'en-de'?",
        ),
        ("english", "lp, line 3: found 'english'; expected two language codes joined by '-', such as en-de."),
        ("EN-DE", "Did you mean 'en-de'?"),
        (" ", "lp, line 3: found no language pair; expected one such as en-de per segment."),
    ],
)
def test_bad_pairs(line: str, expected: str, with_pairs: Options, tmp_path: Path) -> None:
    pairs = ["en-de"] * 40
    pairs[2] = line
    with pytest.raises(DataError) as raised:
        train_from_configuration(with_pairs({"data.train.input.lp": lp(tmp_path, pairs)}))
    assert expected in str(raised.value)


def test_another_number_of_pairs(with_pairs: Options, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Files of different length: .*lp has 39"):
        train_from_configuration(with_pairs({"data.train.input.lp": lp(tmp_path, ["en-de"] * 39)}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data.valid.input.lp": None}, "data.valid.input.lp: required: the other part of the data has it"),
        ({"data.train.input.lp": None}, "data.train.input.lp: required: the other part of the data has it"),
        (
            {"data.train.input.lp": None, "data.valid.input.lp": None, "data.pair_temperature": 2},
            "data.train.input.lp: required with data.pair_temperature",
        ),
        ({"data.pair_temperature": 0.5}, "data.pair_temperature"),
        ({"data.source_language": "en"}, "data.source_language: found en, but data.train.input.lp has et too"),
        ({"trainer.main_metric": "ru-en_PEARSON"}, "'ru-en_PEARSON' is the metric of a language pair that the valid"),
        ({"trainer.main_metric": "en-de_PEARSONS"}, "'en-de_PEARSONS' is not a metric of the configured outputs"),
    ],
)
def test_contradictions(changes: dict[str, Any], expected: str, with_pairs: Options) -> None:
    with pytest.raises(ConfigError) as raised:
        train_from_configuration(with_pairs(changes))
    assert expected in str(raised.value)


def test_a_metric_of_a_pair_needs_pairs(options: Options) -> None:
    with pytest.raises(ConfigError, match="'en-de_PEARSON' is not a metric of the configured outputs"):
        train_from_configuration(options({"trainer.main_metric": "en-de_PEARSON"}))


def test_processes_merge_the_accumulators_of_each_pair() -> None:
    pairs = ["en-de", "et-en", "en-de", "en-de", "et-en", "en-de", "et-en"]
    gold, predicted = [0.1, 0.9, 0.4, 0.8, 0.2, 0.3, 0.5], [0.3, 0.1, 0.2, 0.9, 0.4, 0.1, 0.3]
    gathered = []
    for rank in (0, 1):
        validation = PairMetrics(pairs)
        batches = validation.batches([7, 3, 5, 2, 9, 4, 1], 2, rank, 2)
        validation.reset(lambda: {"sentence_scores": ScoreMetrics("sentence_scores")})
        for number, batch in enumerate(batches):
            assert len({pairs[index] for index in batch}) == 1
            scores = [[values[index] for index in batch] for values in (gold, predicted)]
            validation.of_batch(number)["sentence_scores"].update(*scores)
        gathered.append(validation.accumulators)
    found = validation.compute(gathered)
    german = pearson([0.1, 0.4, 0.8, 0.3], [0.3, 0.2, 0.9, 0.1])
    estonian = pearson([0.9, 0.2, 0.5], [0.1, 0.4, 0.3])
    assert found["en-de_PEARSON"] == pytest.approx(german)
    assert found["et-en_PEARSON"] == pytest.approx(estonian)
    assert found["PEARSON"] == pytest.approx((german + estonian) / 2)
