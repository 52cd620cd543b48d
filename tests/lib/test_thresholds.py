from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiwi.data.datasets.wmt_qe_dataset import TrainingConfig
from kiwi.exceptions import ConfigError
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.thresholds import choose_thresholds
from kiwi.runner import load_system

TAGS = ("target_tags", "gap_tags", "source_tags")


def data(corpus: Any, *labels: str, part: str = "valid") -> TrainingConfig:
    chosen = {name: path for name, path in corpus.labels(part).items() if name in labels}
    return TrainingConfig.from_dict({"input": corpus.inputs(part), "output": chosen})


def flat(rows: list[list[float]] | None) -> np.ndarray:
    return np.concatenate(rows or [])


def test_labels_are_the_best_there_are(trained: Any, corpus: Any, tmp_path: Path) -> None:
    chosen = choose_thresholds(trained.path, tmp_path / "new", data(corpus, "target_tags", "source_tags"))
    assert [each.output for each in chosen] == list(TAGS)
    texts = {name: corpus.lines("valid", name) for name in ("source", "target", "alignments")}
    before, after = (load_system(path).predict(**texts) for path in (trained.path, tmp_path / "new"))
    after.save(tmp_path / "predictions")
    report = evaluate_from_configuration(
        {"gold_files": corpus.labels("valid"), "predicted_dir": [str(tmp_path / "predictions")]}
    )
    metrics = inspect_checkpoint(tmp_path / "new").info.metrics
    for each in chosen:
        assert each.after >= each.before
        assert report.metric(each.output, "MCC") == pytest.approx(each.after, abs=1e-6)
        assert metrics[f"val_{each.output}_MCC"] == pytest.approx(each.after, abs=1e-6)
        # Odds change by the same factor everywhere.
        one, two = (flat(getattr(found, f"{each.output}_BAD_probabilities")) for found in (before, after))
        odds = (1 - each.threshold) / each.threshold
        np.testing.assert_allclose(two / (1 - two), odds * one / (1 - one), rtol=1e-3)
    assert metrics["val_WMT19_MCC"] == pytest.approx(report.metric("WMT19", "MCC"), abs=1e-6)
    assert after.sentences_hter == pytest.approx(before.sentences_hter, abs=1e-6)


def test_outputs_without_labels_stay(trained: Any, corpus: Any, tmp_path: Path) -> None:
    chosen = choose_thresholds(trained.output_dir, tmp_path / "new", data(corpus, "source_tags"))
    assert [each.output for each in chosen] == ["source_tags"]
    texts = {name: corpus.lines("valid", name) for name in ("source", "target", "alignments")}
    before, after = (load_system(path).predict(**texts) for path in (trained.path, tmp_path / "new"))
    assert after.target_tags_BAD_probabilities == before.target_tags_BAD_probabilities


def test_refusals(trained: Any, corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the data has labels for none of its tags"):
        choose_thresholds(trained.path, tmp_path / "new", data(corpus, "sentence_scores"))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("")
    with pytest.raises(ConfigError, match="already exists"):
        choose_thresholds(trained.path, tmp_path / "there", data(corpus, "source_tags"))
    inputs = {name: path for name, path in corpus.inputs("valid").items() if name != "alignments"}
    given = TrainingConfig.from_dict({"input": inputs, "output": corpus.labels("valid")})
    with pytest.raises(ConfigError, match=r"reads alignments, which is not given.*`kiwi align` writes"):
        choose_thresholds(trained.path, tmp_path / "new", given)
    assert not (tmp_path / "new").exists()
