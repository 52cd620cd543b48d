"""The scale of written scores."""

from __future__ import annotations

import io
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError
from kiwi.lib.inspect import set_score_of
from kiwi.lib.score import DocumentOptions, Input, score
from kiwi.lib.score.document.pipeline import score_document
from kiwi.lib.score.scale import Scale
from kiwi.runner import load_system
from tests.lib.test_score_document import SOURCES, TARGETS, XLIFF, system, written

__all__ = ["system"]  # a fixture


@pytest.fixture
def known(system: Path, tmp_path: Path) -> Path:
    """A system whose scores are HTER."""
    shutil.copytree(system, tmp_path / "known")
    set_score_of(tmp_path / "known", "kind=hter")
    return tmp_path / "known"


def lines(model: Path, tmp_path: Path, **options: Any) -> list[str]:
    texts = {"source": SOURCES, "target": TARGETS}
    files = {name: written(tmp_path / name, "".join(f"{line}\n" for line in each)) for name, each in texts.items()}
    output = io.StringIO()
    score(model, Input(files), output, scores_only=True, **options)
    return output.getvalue().splitlines()


def test_lines(known: Path, tmp_path: Path) -> None:
    own, common = (lines(known, tmp_path, scale=scale) for scale in (None, "0-100"))
    assert own == lines(known, tmp_path, scale="own")
    assert own[0] == "sentence_scores (hter, lower is better)"
    assert common[0] == "sentence_scores (0-100, higher is better)"
    for hter, quality in zip(own[1:], common[1:], strict=True):
        assert float(quality) == pytest.approx(100 * (1 - min(max(float(hter), 0), 1)), abs=1e-4)


def test_files_of_translations_carry_quality(known: Path, tmp_path: Path) -> None:
    hter = load_system(known).predict(SOURCES, TARGETS).sentence_scores
    assert hter is not None
    expected = [f"{100 * (1 - min(max(each, 0), 1)):.4f}" for each in hter]
    path = written(tmp_path / "a.xlf", XLIFF)
    score_document(known, path, tmp_path / "b.xlf", document=DocumentOptions(threshold=100.0, set_state=True))
    text = (tmp_path / "b.xlf").read_text(encoding="utf-8")
    found = re.findall(r'locQualityRatingScore="([^"]*)"', text)
    assert [f"{float(each):.4f}" for each in found] == pytest.approx(expected)
    assert text.count("urn:x-kiwi:scale:0-100") == 2
    assert text.count('state="needs-review-translation"') == 2  # all are below 100, and high is good


def test_an_unknown_meaning(system: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"--scale 0-100: this system does not say what .*--set-score"):
        lines(system, tmp_path, scale="0-100")
    path = written(tmp_path / "a.xlf", XLIFF)
    score_document(system, path, tmp_path / "b.xlf")
    assert "urn:x-kiwi:scale:system" in (tmp_path / "b.xlf").read_text(encoding="utf-8")
    assert "on the system's own scale" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"higher_is_better": False},
            "--lower-is-better: these scores are quality from 0 to 100, where higher",
        ),
        ({"scale": "own", "higher_is_better": True}, "--higher-is-better: these scores are HTER, lower is better"),
    ],
)
def test_a_direction_that_contradicts(known: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    with pytest.raises(ConfigError, match=re.escape(message)):
        score_document(known, path, tmp_path / "b.xlf", document=DocumentOptions(**options))


@pytest.mark.parametrize(
    ("scale", "titles", "penalty"),
    [
        (
            Scale(ScoreMeaning("hter", higher_is_better=False, range=(0.0, 1.0))),
            ["mqm_score (mqm, lower is better)", "sentence_scores (hter, lower is better)"],
            5.0,
        ),
        (Scale(), ["mqm_score (mqm, lower is better)", "sentence_scores"], 5.0),
        (
            Scale(ScoreMeaning("hter", higher_is_better=False, range=(0.0, 1.0)), is_common=True),
            ["mqm_score (0-100, higher is better)", "sentence_scores (0-100, higher is better)"],
            80.0,
        ),
    ],
)
def test_penalties_are_on_the_scale_too(scale: Scale, titles: list[str], penalty: float) -> None:
    found = scale.apply({"mqm_score": [5.0], "sentence_scores": [0.25], "combined_score": [70.0]})
    assert scale.titled(found) == [titles[0], titles[1], "combined_score (0-100, higher is better)"]
    assert (found["mqm_score"], found["combined_score"]) == ([penalty], [70.0])


def test_quality_has_as_many_digits_as_other_predictions() -> None:
    found = {
        **{"sentence_scores": [0.357342, float("nan")], "sentence_scores_deviation": [0.123456, float("nan")]},
        **{"sentence_scores_low": [0.111111, float("nan")], "sentence_scores_high": [0.7, float("nan")]},
    }
    scaled = Scale(ScoreMeaning("da", True), is_common=True).apply(found)
    assert scaled.keys() == found.keys()
    for first, second in scaled.values():
        assert 0 < first < 100
        assert first == round(first, 6)
        assert math.isnan(second)
    assert scaled["sentence_scores"][0] == pytest.approx(63.958, abs=1e-2)  # the share of a normal distribution


def test_intervals_are_converted_with_their_scores() -> None:
    found = {"sentence_scores": [0.2, 0.9], "sentence_scores_low": [0.1, 0.7], "sentence_scores_high": [0.4, 1.3]}
    hter = Scale(ScoreMeaning("hter", False, (0.0, 1.0)), is_common=True).apply(found)
    assert hter["sentence_scores_low"] == pytest.approx([60.0, 0.0])
    assert hter["sentence_scores_high"] == pytest.approx([90.0, 30.0])
    da = Scale(ScoreMeaning("da", True, (0.0, 2.0)), is_common=True).apply(found)
    assert da["sentence_scores_low"] == pytest.approx([5.0, 35.0])
    assert da["sentence_scores_high"] == pytest.approx([20.0, 65.0])


@pytest.mark.parametrize("threshold", [150.0, -1.0])
def test_a_threshold_beyond_the_scale(known: Path, tmp_path: Path, threshold: float) -> None:
    path = written(tmp_path / "a.xlf", XLIFF)
    options = DocumentOptions(threshold=threshold, set_state=True)
    with pytest.raises(ConfigError, match=rf"--threshold: found {threshold:g}; expected a score from 0 to 100"):
        score_document(known, path, tmp_path / "b.xlf", document=options)
    assert not (tmp_path / "b.xlf").exists()
