from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiwi.data.datasets.parts import TrainingConfig
from kiwi.exceptions import ConfigError
from kiwi.lib.evaluate import evaluate_from_configuration
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.thresholds import choose_thresholds, pipeline
from kiwi.runner import load_system
from kiwi.systems.manifest.thresholds import PairThresholds

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


def test_labels_that_are_all_equal_move_no_threshold(
    trained: Any, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = corpus.lines("valid", "target_tags")
    path = tmp_path / "ok.tags"
    path.write_text("".join(" ".join("OK" for _ in line.split()) + "\n" for line in lines), encoding="utf-8")
    ok = TrainingConfig.from_dict({"input": corpus.inputs("valid"), "output": {"target_tags": path}})
    for each in choose_thresholds(trained.path, tmp_path / "new", ok):
        assert (each.threshold, each.before, each.after) == (0.5, 0.0, 0.0)
        assert f"{each.output}: no threshold on this data has MCC above 0, so that it stays at 0.5." in caplog.text
    texts = {name: corpus.lines("valid", name) for name in ("source", "target", "alignments")}
    before, after = (load_system(path).predict(**texts) for path in (trained.path, tmp_path / "new"))
    assert after.target_tags_BAD_probabilities == before.target_tags_BAD_probabilities


def test_a_language_pair_has_thresholds_of_its_own(
    trained: Any, corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = ["en-de" if index % 2 else "et-en" for index in range(len(corpus.lines("valid", "source")) - 1)]
    (tmp_path / "lp").write_text("\n".join([*pairs, "en-zh"]) + "\n")
    monkeypatch.setattr(pipeline, "FEWEST_OF_PAIR", 2)
    given = TrainingConfig.from_dict(
        {
            "input": corpus.inputs("valid") | {"lp": str(tmp_path / "lp")},
            "output": {name: path for name, path in corpus.labels("valid").items() if name == "target_tags"},
        }
    )
    chosen = choose_thresholds(trained.path, tmp_path / "new", given)
    assert "en-zh (1): fewer than 2 segments" in caplog.text
    by_title = {each.title: each for each in chosen}
    assert [*by_title][:3] == ["target_tags", "target_tags, en-de", "target_tags, et-en"]
    before, after = load_system(trained.path), load_system(tmp_path / "new")
    assert after.about.pairs == ["en-de", "et-en"]
    texts = {name: corpus.lines("valid", name) for name in ("source", "target", "alignments")}
    old = before.predict(**texts).target_tags_BAD_probabilities or []
    new = after.predict(**texts, language_pairs=[*pairs, "en-zh"]).target_tags_labels or []
    for row, labels, pair in zip(old, new, [*pairs, ""], strict=True):
        threshold = by_title[f"target_tags, {pair}" if pair else "target_tags"].threshold
        assert labels == ["BAD" if value > threshold else "OK" for value in row]
    # The same segment in two pairs is predicted twice.
    twice = {name: [lines[0]] * 2 for name, lines in texts.items()}
    one, two = after.predict(**twice, language_pairs=["en-de", "et-en"]).target_tags_BAD_probabilities or []
    odds = [value / (1 - value) for value in (one[0], two[0])]
    own = [by_title[f"target_tags, {pair}"].threshold for pair in ("en-de", "et-en")]
    expected = [value / (1 - value) for value in own]
    assert odds[0] / odds[1] == pytest.approx(expected[1] / expected[0], rel=1e-3)
    assert own[0] != own[1]
    # Choosing thresholds for all segments replaces those of pairs.
    again = data(corpus, "target_tags")
    choose_thresholds(tmp_path / "new", tmp_path / "again", again)
    stored = inspect_checkpoint(tmp_path / "again").info.data.thresholds
    assert stored is None or "target_tags" not in stored.by_output


def test_thresholds_of_pairs_are_relative_to_those_of_all() -> None:
    chosen = [
        pipeline.Chosen("target_tags", 0.8, 0.0, 0.1),
        pipeline.Chosen("target_tags", 0.9, 0.0, 0.1, pair="en-de"),
        pipeline.Chosen("gap_tags", 0.8, 0.0, 0.1),
    ]
    former = PairThresholds({"gap_tags": {"en-de": 0.3}, "source_tags": {"en-de": 0.4}})
    found = pipeline._stored(former, chosen)
    assert found is not None
    # The odds of 9 and 4.
    assert found.by_output == {"source_tags": {"en-de": 0.4}, "target_tags": {"en-de": pytest.approx(9 / 13)}}


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
    given = TrainingConfig.from_dict({"input": corpus.inputs("valid", pos=True), "output": corpus.labels("valid")})
    message = (
        "--source-pos, --target-pos: .* reads source, target, alignments, and not source_pos or target_pos. Remove"
    )
    with pytest.raises(ConfigError, match=message):
        choose_thresholds(trained.path, tmp_path / "new", given)
    assert not (tmp_path / "new").exists()
