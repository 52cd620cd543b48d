"""Calibration of trained systems."""

from __future__ import annotations

import io
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError, KiwiError
from kiwi.lib.inspect import inspect_checkpoint
from kiwi.lib.publish import publish
from kiwi.lib.score import Input, score
from kiwi.lib.score.calibration import calibrate
from kiwi.lib.score.calibration.data import CalibrationFiles
from kiwi.lib.score.calibration.labelled import Labelled
from kiwi.lib.score.calibration.scores import check_gold, fit_intervals
from kiwi.runner import Predictions, Runner, load_system
from kiwi.runner.engine import AboutSystem
from kiwi.systems.manifest.data_info import DataInfo
from kiwi.systems.manifest.intervals import CalibrationGroup
from kiwi.systems.manifest.rewriting import rewrite
from kiwi.systems.manifest.thresholds import PairThresholds

TEXTS = ("source", "target", "alignments")
GOLD = Path("dev.gold")
SCORES = [0.1 * number for number in range(10)]


def about(meaning: ScoreMeaning | None = None) -> AboutSystem:
    return AboutSystem("NuQE", ("source", "target"), ("sentence_scores",), data=DataInfo(score=meaning))


def check_and_fit(gold: list[float], found: Predictions, system: AboutSystem, path: Path, confidence: float) -> None:
    check_gold(gold, system.data.score, path, confidence)
    fit_intervals(gold, found, system, path, confidence, None)


def test_gold_scores_of_another_kind_by_their_name() -> None:
    gold = [score + 0.05 for score in SCORES]
    standardized = ScoreMeaning("da", True, None)
    for name in ("dev.hter", "HTER-dev.txt"):
        with pytest.raises(
            DataError, match=rf"{name}: found HTER, by the name of the file; expected direct assessment"
        ):
            check_and_fit([0.9 * score for score in gold], Predictions(SCORES), about(standardized), Path(name), 0.8)
    check_and_fit(gold, Predictions(SCORES), about(standardized), Path("dev.da"), 0.8)
    for kind, name in (
        ("other", "dev.mqm"),
        ("esa", "wmt24.da.esa.tsv"),
        ("mqm", "dev.en-da.scores"),
        ("da", "da.mqm"),
    ):
        check_and_fit(gold, Predictions(SCORES), about(ScoreMeaning(kind, True, None)), Path(name), 0.8)
    check_and_fit(gold, Predictions(SCORES), about(), Path("dev.hter"), 0.8)


def test_segments_without_a_score_are_left_out_and_counted() -> None:
    """Errors 0.01 to 0.08 of eight segments: at 80 %, the rank is ⌈9 · 0.8⌉ = 8."""
    gold = [score + 0.01 * (number + 1) for number, score in enumerate(SCORES)]
    gold[9], scores = math.nan, [*SCORES[:8], math.nan, 0.9]
    fitted = fit_intervals(gold, Predictions(scores), about(), GOLD, 0.8, None)
    assert fitted.intervals.groups == {"all": CalibrationGroup(8, pytest.approx(0.08))}
    assert (fitted.without_gold, fitted.without_words) == (1, 1)
    assert fitted.title == "Intervals at 80 % (left out: 1 without a gold score; 1 without words)"
    assert [row.cells() for row in fitted.rows] == [["all", "8", "0.0800", "0.1600"]]


def test_a_pair_with_too_few_segments_has_the_quantile_of_all(caplog: pytest.LogCaptureFixture) -> None:
    gold = [score + 0.01 for score in SCORES]
    fitted = fit_intervals(gold, Predictions(SCORES), about(), GOLD, 0.8, ["en-de"] * 7 + ["en-fr"] * 3)
    assert fitted.intervals.lacking == ["en-fr"]
    assert "en-fr (3): fewer than the 4 segments that an interval at 80 % needs" in caplog.text
    assert fitted.rows[-1].cells()[:3] == ["en-fr", "3", "0.0100 (of all)"]


def test_deviations_normalize() -> None:
    gold = [score + 0.2 for score in SCORES]
    found = Predictions(SCORES, sentences_hter_deviation=[0.1] * 10)
    fitted = fit_intervals(gold, found, about(), GOLD, 0.8, None)
    assert fitted.intervals.is_normalized
    assert fitted.intervals.groups["all"].quantile == pytest.approx(2.0)
    assert fitted.rows[0].width == pytest.approx(0.4)


HTER, DA = ScoreMeaning("hter", False, (0.0, 1.0)), ScoreMeaning("da", True, (0.0, 100.0))


@pytest.mark.parametrize(
    ("gold", "meaning", "message"),
    [
        (SCORES[:3], None, "dev.gold: found 3 segments with a gold score; expected at least 9"),
        ([100 * score for score in SCORES], HTER, "line 2: found the score 10; expected HTER, lower is better, 0 to 1"),
        ([-score for score in SCORES], HTER, "line 2: found the score -0.1; expected HTER"),
        (SCORES, DA, "found scores from 0 to 0.9; expected direct assessment (DA), higher is better, 0 to 100"),
        ([1 - score for score in SCORES * 2], HTER, "found scores that fall where the system's rise (PEARSON -1.000)"),
        ([60 + score for score in SCORES], None, "found scores around 60.45, where the system's are around 0.45"),
        ([score * 1000 for score in SCORES], None, "found scores around 450, where the system's are around 0.45"),
    ],
)
def test_gold_scores_that_are_refused(gold: list[float], meaning: ScoreMeaning | None, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        check_and_fit(gold, Predictions((SCORES * 2)[: len(gold)]), about(meaning), GOLD, 0.9)


def test_an_hter_above_1_is_possible() -> None:
    gold = [*SCORES, *SCORES, 1.3]
    check_gold(gold, HTER, GOLD, 0.9)
    fitted = fit_intervals(gold, Predictions([*SCORES, *SCORES, 1.0]), about(HTER), GOLD, 0.9, None)
    assert fitted.intervals.groups["all"].quantile == 0.0


def test_labels_of_one_kind_have_no_temperature() -> None:
    given = Labelled(np.tile([0.4, 0.6], (3, 1)), np.tile([1.0, 0.0], (3, 1)))
    with pytest.raises(ConfigError, match=re.escape("--target-tags: found 3 labels, all OK for gap_tags")):
        given.fit("gap_tags")
    with pytest.raises(ConfigError, match=re.escape("--error-spans: found no label for error_spans (omissions)")):
        Labelled(np.zeros((0, 2)), np.zeros((0, 2))).fit("error_spans (omissions)")


@pytest.fixture(scope="module")
def calibrated(trained: Any, corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The trained system with intervals and temperatures, and what the command has printed; not to be changed."""
    path = tmp_path_factory.mktemp("calibrated") / "system"
    shutil.copytree(trained.path, path)
    (path / "README.md").write_text("my own card", encoding="utf-8")
    verdicts = ["BAD" if float(each) > 0.4 else "OK" for each in corpus.lines("train", "sentence_scores")]
    binary = path.with_name("verdicts")
    binary.write_text("\n".join(verdicts) + "\n", encoding="utf-8")
    files = {"--source": "source", "--target": "target", "--alignments": "alignments", "--gold": "sentence_scores"}
    files |= {"--target-tags": "target_tags", "--source-tags": "source_tags", "--lp": "lp"}
    given = [part for option, name in files.items() for part in (option, str(corpus.file("train", name)))]
    done = CliRunner().invoke(app, ["calibrate", str(path), *given, "--binary", str(binary), "--confidence", "0.8"])
    assert done.exit_code == 0, done.output
    return path, done.output


def test_the_system_says_that_it_is_calibrated(calibrated: tuple[Path, str], trained: Any, tmp_path: Path) -> None:
    path, output = calibrated
    for name in ("en-de", "et-en", "target_tags", "gap_tags", "source_tags", "binary", "temperature", "ECE before"):
        assert name in output
    found = inspect_checkpoint(path)
    assert found.info.data.intervals is not None
    assert found.info.data.intervals.groups.keys() == {"all", "en-de", "et-en"}
    expected = (
        "80 %, from 40 segments, of their own for en-de (30), et-en (10), in proportion to the predicted deviation"
    )
    assert dict(found.rows())["intervals"] == expected
    assert found.to_dict()["intervals"]["groups"]["et-en"]["segments"] == 10
    assert found.info.sha256 != inspect_checkpoint(trained.path).info.sha256
    assert (path / "README.md").read_text(encoding="utf-8") == "my own card"
    assert found.info.metrics.keys() & {"val_loss", "val_binary_loss"} == set()
    assert (
        found.info.metrics["val_target_tags_MCC"]
        == inspect_checkpoint(trained.path).info.metrics["val_target_tags_MCC"]
    )
    card = (publish(path, tmp_path / "published") / "README.md").read_text(encoding="utf-8")
    assert "the gold scores of 80 % of segments" in card
    assert "| et\\-en | 10 |" in card or "| et-en | 10 |" in card


def test_a_language_pair_is_one_group_whatever_white_space_is_around_it(
    calibrated: tuple[Path, str], trained: Any, corpus: Any, tmp_path: Path
) -> None:
    pairs = tmp_path / "lp"
    lines = [f"{pair} " if number % 2 else pair for number, pair in enumerate(corpus.lines("train", "lp"))]
    pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = {name: corpus.file("train", name) for name in TEXTS} | {"lp": pairs}
    files = CalibrationFiles(texts, {"sentence_scores": corpus.file("train", "sentence_scores")})
    fitted = calibrate(trained.path, files, directory=tmp_path / "system", confidence=0.8).fitted
    assert fitted is not None
    assert fitted.intervals == inspect_checkpoint(calibrated[0]).info.data.intervals


def test_predictions_have_intervals_and_the_same_labels(
    calibrated: tuple[Path, str], trained: Any, corpus: Any, tmp_path: Path
) -> None:
    texts = {name: corpus.lines("train", name) for name in TEXTS}
    before = load_system(trained.path).predict(**texts)
    pairs, system = corpus.lines("train", "lp"), load_system(calibrated[0])
    after, unknown = system.predict(**texts, language_pairs=pairs), system.predict(**texts)
    intervals = system.about.data.intervals
    assert intervals is not None
    assert before.sentence_intervals is None
    assert after.sentences_hter == before.sentences_hter
    for name in ("target_tags", "gap_tags", "source_tags"):
        assert after.get(f"{name}_labels") == before.get(f"{name}_labels")
        assert after.get(f"{name}_BAD_probabilities") != before.get(f"{name}_BAD_probabilities")
    assert after.sentences_binary_labels == before.sentences_binary_labels
    assert after.sentence_intervals is not None
    gold = np.array(list(map(float, corpus.lines("train", "sentence_scores"))))
    low, high = after.sentence_intervals.T
    inside = (low <= gold) & (gold <= high)
    assert all(inside[np.array(pairs) == pair].mean() >= 0.8 for pair in ("en-de", "et-en"))
    assert low.min() >= 0.0
    scores, deviations = np.array(after.sentences_hter), np.array(after.sentences_hter_deviation)
    of_each = np.array([intervals.quantile(pair) for pair in pairs])
    np.testing.assert_array_equal(high, scores + of_each * deviations)
    assert unknown.sentences_hter_high == (scores + intervals.quantile() * deviations).tolist()
    after.save(tmp_path / "saved")
    read = Predictions.read(tmp_path / "saved")
    assert read.sentence_intervals == pytest.approx(after.sentence_intervals, abs=1e-6)
    assert list(after.columns())[:4] == [
        "sentence_scores",
        "sentence_scores_deviation",
        "sentence_scores_low",
        "sentence_scores_high",
    ]


def test_probabilities_fit_better(calibrated: tuple[Path, str], trained: Any, corpus: Any) -> None:
    texts = {name: corpus.lines("train", name) for name in TEXTS}
    gold = np.concatenate([[tag == "BAD" for tag in line.split()] for line in corpus.lines("train", "source_tags")])
    losses = []
    for path in (trained.path, calibrated[0]):
        rows = load_system(path).predict(**texts).source_tags_BAD_probabilities
        bad = np.concatenate(rows or [])
        losses.append(-np.log(np.where(gold, bad, 1 - bad)).mean())
    assert losses[1] < losses[0]


def loss_of(tags: list[str], probabilities: list[list[float]] | None) -> float:
    """Return the mean negative log-likelihood of tags."""
    gold, bad = np.concatenate([[tag == "BAD" for tag in line.split()] for line in tags]), np.concatenate(probabilities)
    return float(-np.log(np.where(gold, bad, 1 - bad)).mean())


@pytest.fixture(scope="module")
def with_thresholds(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained system with thresholds of language pairs; not to be changed."""
    path, info = tmp_path_factory.mktemp("with-thresholds") / "system", inspect_checkpoint(trained.path).info
    thresholds = PairThresholds({"source_tags": {"en-de": 0.2, "et-en": 0.9}})
    rewrite(trained.path, replace(info, data=replace(info.data, thresholds=thresholds)), directory=path)
    return path


def test_temperatures_are_those_of_the_probabilities_of_known_pairs(
    with_thresholds: Path, corpus: Any, tmp_path: Path
) -> None:
    texts, tags = {name: corpus.lines("train", name) for name in TEXTS}, corpus.lines("train", "source_tags")
    pairs = corpus.lines("train", "lp")
    files = CalibrationFiles(
        {name: corpus.file("train", name) for name in (*TEXTS, "lp")},
        {"source_tags": corpus.file("train", "source_tags")},
    )
    (found,) = calibrate(with_thresholds, files, directory=tmp_path / "system").temperatures
    before, after = (
        load_system(path).predict(**texts, language_pairs=pairs) for path in (with_thresholds, tmp_path / "system")
    )
    losses = [loss_of(tags, each.source_tags_BAD_probabilities) for each in (before, after)]
    assert losses == pytest.approx(found.nll, abs=1e-5)
    assert losses[1] < losses[0]
    assert after.source_tags_labels == before.source_tags_labels
    # Fitted to the probabilities of segments of unknown pairs, it would be another one.
    alone = CalibrationFiles({name: files.texts[name] for name in TEXTS}, files.labels)
    (other,) = calibrate(with_thresholds, alone, directory=tmp_path / "other").temperatures
    shown = load_system(tmp_path / "other").predict(**texts, language_pairs=pairs)
    assert loss_of(tags, shown.source_tags_BAD_probabilities) > losses[1] + 1e-4
    assert other.temperature != pytest.approx(found.temperature, rel=0.01)


def test_temperatures_without_the_pairs_of_thresholds_are_warned_of(
    with_thresholds: Path, corpus: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = {name: corpus.file("train", name) for name in TEXTS}
    labels = {name: corpus.file("train", name) for name in ("target_tags", "source_tags")}
    calibrate(with_thresholds, CalibrationFiles(texts, labels), directory=tmp_path / "system")
    assert "source_tags: the system has thresholds of language pairs" in caplog.text
    assert "known (en-de, et-en). Without --lp, the temperatures are those" in caplog.text
    caplog.clear()
    only_targets = CalibrationFiles(texts, {"target_tags": labels["target_tags"]})
    calibrate(with_thresholds, only_targets, directory=tmp_path / "targets")
    assert "--lp" not in caplog.text


def test_a_table_with_language_pairs(calibrated: tuple[Path, str], corpus: Any, tmp_path: Path) -> None:
    names, path = ("source", "target", "alignments", "lp"), tmp_path / "table.tsv"
    columns = [corpus.lines("test", name) for name in names]
    rows = "\n".join("\t".join(row) for row in [names, *zip(*columns, strict=True)])
    path.write_text(rows + "\n", encoding="utf-8")
    found = load_system(calibrated[0]).predict(*columns[:3], language_pairs=columns[3])
    output = io.StringIO()
    score(calibrated[0], Input(table=path), output, scores_only=True)
    header, *lines = output.getvalue().splitlines()
    high = [float(line.split("\t")[header.split("\t").index("sentence_scores_high")]) for line in lines]
    assert high == pytest.approx(found.sentences_hter_high, abs=1e-6)
    of_et = io.StringIO()
    score(
        calibrated[0],
        Input({name: corpus.file("test", name) for name in TEXTS}),
        of_et,
        scores_only=True,
        languages=("et-EE", "en"),
    )
    as_et = load_system(calibrated[0]).predict(*columns[:3], language_pairs=["et-en"] * len(columns[0]))
    high = [float(line.split("\t")[3]) for line in of_et.getvalue().splitlines()[1:]]
    assert high == pytest.approx(as_et.sentences_hter_high, abs=1e-6)


def test_a_pair_without_calibration_is_named_once(
    calibrated: tuple[Path, str], caplog: pytest.LogCaptureFixture
) -> None:
    system = load_system(calibrated[0])
    for _ in range(2):
        system.predict(["a"], ["b"], ["0-0"], language_pairs=["en-ja"])
    assert caplog.text.count("en-ja: the system was not calibrated for this language pair alone") == 1


@pytest.mark.parametrize(
    ("texts", "labels", "confidence", "message"),
    [
        (TEXTS, {}, 0.9, "found no gold data. Add --gold, --target-tags, --source-tags, --binary or --error-spans"),
        (TEXTS, {"error_spans": "source"}, 0.9, "--error-spans: "),
        (TEXTS, {"sentence_scores": "sentence_scores"}, 1.0, "--confidence: found 1"),
        (TEXTS, {"sentence_scores": "sentence_scores"}, math.nan, "--confidence: found nan"),
        (TEXTS, {"source_tags": "source_tags"}, 0.0, "--confidence: found 0"),
        (
            (*TEXTS, "lp"),
            {"source_tags": "source_tags"},
            0.9,
            "has no thresholds of language pairs for --source-tags, so that these probabilities do not depend on the",
        ),
        ((*TEXTS, "source_pos"), {"source_tags": "source_tags"}, 0.9, "--source-pos: "),
        (
            TEXTS,
            {"sentence_scores": "sentence_scores"},
            0.99,
            "found 12 segments with a gold score; expected at least 99",
        ),
        (TEXTS, {"sentence_scores": "target"}, 0.9, "expected a finite number"),
    ],
)
def test_what_is_refused_is_refused_before_prediction_and_leaves_the_system_as_it_is(
    trained: Any,
    corpus: Any,
    texts: Any,
    labels: dict[str, str],
    confidence: float,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Runner, "predict_columns", lambda *_: pytest.fail("predicted"))
    before = inspect_checkpoint(trained.path).info.sha256
    files = CalibrationFiles(
        {name: corpus.file("valid", name) for name in texts},
        {name: corpus.file("valid", file) for name, file in labels.items()},
    )
    with pytest.raises(KiwiError, match=re.escape(message)):
        calibrate(trained.path, files, confidence=confidence)
    assert inspect_checkpoint(trained.path).info.sha256 == before


def test_a_confidence_without_gold_scores_is_refused(trained: Any, corpus: Any) -> None:
    given = [f"--{name}={corpus.file('valid', name)}" for name in TEXTS]
    labels = f"--source-tags={corpus.file('valid', 'source_tags')}"
    done = CliRunner().invoke(app, ["calibrate", str(trained.path), *given, labels, "--confidence", "0.9"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("--confidence: given without --gold")


def test_gold_of_another_length(trained: Any, corpus: Any) -> None:
    files = CalibrationFiles(
        {name: corpus.file("valid", name) for name in TEXTS},
        {"sentence_scores": corpus.file("test", "sentence_scores")},
    )
    with pytest.raises(DataError, match="Files of different length"):
        calibrate(trained.path, files)
