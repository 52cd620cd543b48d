"""Losses and metrics of segments that lack labels of some kinds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kiwi.systems.batching import as_tensors
from kiwi.systems.qe_system import QESystem
from kiwi.training.pair_metrics import PairMetrics
from tests.pretrained import write_model

TEXTS = {"source": "Close the bank .", "target": "Schließen Sie die Bank ."}
LABELS = {
    "target_tags": "OK BAD OK OK OK",
    "gap_tags": "OK OK OK BAD OK OK",
    "source_tags": "OK BAD OK OK",
    "sentence_scores": "0.25",
    "binary": "BAD",
    "error_spans": "0:9:major",
}
NONE = dict.fromkeys(LABELS, "") | {"sentence_scores": "nan"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> QESystem:
    folder = write_model("bert", tmp_path_factory.mktemp("models") / "tiny")
    torch.manual_seed(3)
    model = {
        "encoder": {"model_name": str(folder), "hidden_size": 12},
        "decoder": {"hidden_size": 10, "bottleneck_size": 8},
        "outputs": {
            "word_level": {"target": True, "gaps": True, "source": True},
            "sentence_level": {"hter": True, "binary": True},
            "span_level": {},
        },
    }
    config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
    columns = {"sentence_scores": ["0.1", "nan", "0.3"], "error_spans": ["0:1:major 1:1:minor", ""]}
    return QESystem.build(config, columns).eval()


def losses(system: QESystem, *labels: dict[str, str]) -> dict[str, Any]:
    batch = as_tensors(system.collate([TEXTS | own for own in labels]))
    return {name: value for name, value in system.losses(batch).items() if name != "loss"}


def test_the_scale_of_scores_is_that_of_labelled_segments(system: QESystem) -> None:
    assert float(system.outputs.by_name["sentence_scores"].mean) == pytest.approx(0.2)


@pytest.mark.parametrize("name", LABELS)
def test_a_segment_without_a_label_has_no_loss(system: QESystem, name: str) -> None:
    other = LABELS | {name: NONE[name]}
    with torch.inference_mode():
        full, without, half = losses(system, LABELS), losses(system, other), losses(system, LABELS, other)
    assert {key for key in full if float(full[key]) != pytest.approx(float(without[key]))} == {f"{name}_loss"}
    assert float(without[f"{name}_loss"]) == 0.0
    assert float(half[f"{name}_loss"]) == pytest.approx(float(full[f"{name}_loss"]) / 2, rel=1e-5)


def test_gradients_are_finite(system: QESystem) -> None:
    sum(losses(system, NONE, LABELS | {"sentence_scores": "nan"}).values()).backward()
    assert all(torch.isfinite(own.grad).all() for own in system.parameters() if own.grad is not None)
    head = system.outputs.by_name["sentence_scores"]
    assert all(not own.grad.any() for own in head.parameters() if own.grad is not None)
    system.zero_grad()


def test_metrics_are_those_of_labelled_segments(system: QESystem) -> None:
    def measure(pairs: list[str], rows: list[dict[str, str]]) -> dict[str, float]:
        metrics = PairMetrics(pairs)
        batches = metrics.batches([len(rows)] * len(rows), 1, 0, 1)
        metrics.reset(system.accumulators)
        with torch.inference_mode():
            for index, indices in enumerate(batches):
                batch = as_tensors(system.collate([TEXTS | rows[i] for i in indices]))
                system.validate(metrics.of_batch(index), batch)
        return metrics.compute([metrics.accumulators])

    together = measure([], [LABELS, NONE])
    assert together == measure([], [LABELS])
    without = measure([], [LABELS | {"error_spans": "", "target_tags": "", "gap_tags": ""}])
    assert together.keys() - without.keys() >= {"error_spans_F1", "target_tags_MCC", "gap_tags_F1_BAD", "WMT19_MCC"}
    assert without.items() <= together.items()
    by_pair = measure(["en-de", "en-fr"], [LABELS, LABELS | {"error_spans": "", "sentence_scores": "nan"}])
    assert "en-de_error_spans_F1" in by_pair
    assert not {"en-fr_error_spans_F1", "en-fr_RMSE"} & by_pair.keys()
    assert by_pair["error_spans_F1"] == by_pair["en-de_error_spans_F1"]
    assert by_pair["RMSE"] == by_pair["en-de_RMSE"] == together["RMSE"] > 0
    assert "en-fr_target_tags_MCC" in by_pair
