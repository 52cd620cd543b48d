"""Training a system further on other labels and other scores than it has learned."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.systems.config.labels import add_blank_labels
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.outputs.sentence_level import GaussianScoreOutput, ScoreDistributionOutput, ScoreOutput
from kiwi.systems.qe_system import QESystem
from tests.conftest import Corpus, random_system

DA = ScoreMeaning("da", True, None, mean=-0.2, deviation=0.9)
HTER = ScoreMeaning("hter", False, (0.0, 1.0))


@pytest.mark.parametrize(
    ("output", "turn", "expected"),
    [
        (ScoreOutput(3, 1, 0.0, False), False, lambda score: 20 + 10 * (score - 0.5) / 0.5),
        (ScoreOutput(3, 2, 0.0, False), True, lambda score: 20 - 10 * (score - 0.5) / 0.5),
        (GaussianScoreOutput(3, 1, 0.0), True, lambda score: 20 - 10 * (score - 0.5) / 0.5),
        (ScoreDistributionOutput(3, 1, 0.0), True, lambda score: 1 - score),
        (ScoreOutput(3, 1, 0.0, True), True, lambda score: 1 - score),
    ],
)
def test_scores_are_brought_to_another_scale(output: Any, turn: bool, expected: Any) -> None:
    output.eval()
    output.fit([0.0, 1.0])
    features = SimpleNamespace(sentence=torch.randn(5, 3, generator=torch.Generator().manual_seed(2)))
    before = output.scores(output(features))
    output.move([10.0, float("nan"), 30.0], turn=turn)
    assert output.scores(output(features)).tolist() == pytest.approx(expected(before).tolist(), abs=1e-5)


@pytest.fixture
def system(corpus: Corpus) -> QESystem:
    system = random_system(corpus, {"outputs.sentence_level.use_distribution": False})
    system.data_info = DataInfo(score=DA)
    return system


def test_only_scores_of_another_kind_are_moved(system: QESystem) -> None:
    output = system.outputs.by_name["sentence_scores"]
    columns = {"sentence_scores": ["0.2", "0.4"]}
    before = {name: weight.clone() for name, weight in output.state_dict().items()}
    system.adopt_data(DataInfo(score=replace(DA, mean=0.3)), columns)
    assert system.data_info.score == replace(DA, mean=0.3)
    system.adopt_data(DataInfo(), columns)  # of a kind that nobody knows
    assert system.data_info.score is None
    assert all((weight == before[name]).all() for name, weight in output.state_dict().items())
    system.data_info = DataInfo(score=DA)
    system.adopt_data(DataInfo(score=HTER), columns)
    assert float(output.mean) == pytest.approx(0.3)
    assert any((weight != before[name]).any() for name, weight in output.named_parameters())


def test_a_new_output_of_scores_is_not_moved(system: QESystem) -> None:
    system.new_weights = ("outputs.by_name.sentence_scores.",)
    system.adopt_data(DataInfo(score=HTER), {"sentence_scores": ["0.2", "0.4"]})
    assert float(system.outputs.by_name["sentence_scores"].mean) == 0.0


@pytest.mark.parametrize("columns", [{}, {"sentence_scores": ["nan", "nan"]}])
def test_without_scores_they_mean_what_they_meant(system: QESystem, columns: dict[str, list[str]]) -> None:
    system.adopt_data(DataInfo(source_language=("et",)), columns)
    assert system.data_info == DataInfo(source_language=("et",), score=DA)


def test_outputs_without_labels_get_blank_ones() -> None:
    columns = {"source": ["a", "b"], "target": ["c", "d"], "source_tags": ["OK", ""], "binary": ["OK", "BAD"]}
    outputs = ["target_tags", "gap_tags", "source_tags", "sentence_scores", "binary", "error_spans"]
    assert add_blank_labels(columns, outputs) == ["target_tags", "gap_tags", "sentence_scores", "error_spans"]
    assert columns["source_tags"] == ["OK", ""]
    assert columns["gap_tags"] == columns["target_tags"] == columns["error_spans"] == ["", ""]
    assert columns["sentence_scores"] == ["nan", "nan"]
