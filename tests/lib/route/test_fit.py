"""``kiwi route fit``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kiwi.cli import app, run
from kiwi.data.labels.policy import Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.inspect import set_score_of
from kiwi.lib.route import FitOptions, fit_policy
from kiwi.lib.route.columns import Column
from kiwi.lib.route.fit import default_step
from kiwi.systems.qe_system import QESystem


@pytest.fixture(scope="module")
def system(plain_system: QESystem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose scores are HTER."""
    place = tmp_path_factory.mktemp("route") / "system"
    plain_system.save(place)
    set_score_of(place, "kind=hter")
    return place


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """In the group ``a``, scores up to 0.5 are right; in ``b`` there are ten segments."""
    scores = [i / 100 for i in range(100)] + [0.0] * 10 + ["nan"]
    gold = [0.0 if i <= 50 else 1.0 for i in range(100)] + [0.0] * 10 + [0.0]
    groups = ["a"] * 100 + ["b"] * 10 + ["a"]
    for name, values in (("scores", scores), ("hter", gold), ("lp", groups)):
        (tmp_path / f"dev.{name}").write_text("".join(f"{value}\n" for value in values))
    return tmp_path


def fit(data: Path, system: Path, options: FitOptions, by: str | None = None) -> Policy:
    column = Column(data / "dev.lp") if by else None
    info = fit_policy(
        data / "p.json",
        system,
        Column(data / "dev.scores"),
        Column(data / "dev.hter"),
        options,
        by=column,
        overwrite=True,
    )
    assert Policy.read(data / "p.json") == info.policy
    return info.policy


def test_one_threshold(data: Path, system: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy = fit(data, system, FitOptions("hter <= 0.1", risk=0.1))
    # The best 61 are right; P(Bin(63, .1) <= 2) is below .1, and P(Bin(64, .1) <= 3) is not.
    (group,) = policy.groups.values()
    assert (group.segments, group.approved, group.errors) == (110, 63, 2)
    assert group.threshold == 0.529
    assert group.risk_bound <= 0.1
    assert "Left out 1 segments" in caplog.text
    assert policy.notes["step"] == 0.001
    assert len(policy.model) == 64


def test_a_threshold_for_each_group(data: Path, system: Path) -> None:
    policy = fit(data, system, FitOptions("hter <= 0.1", risk=0.1), by="lp")
    assert policy.by == "lp"
    assert list(policy.groups) == ["a", "b"]
    # With two groups, each has the confidence .95: P(Bin(52, .1) <= 1) = .028, P(Bin(53, .1) <= 2) = .091.
    assert policy.groups["a"].errors == 1
    assert policy.groups["b"].threshold is None
    assert policy.groups["b"].reason == "needs 29 approved segments without an error; there are 10 segments in all"


def test_tables_and_the_command(data: Path, system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = [(data / f"dev.{name}").read_text().split() for name in ("scores", "hter", "lp")]
    rows = ["sentence_scores\tmine\tlp", *map("\t".join, zip(*columns, strict=True))]
    (data / "t.tsv").write_text("\n".join(rows) + "\n")
    table = str(data / "t.tsv")
    arguments = [*("-m", str(system), "-p", table, "-g", f"{table}:mine", "--by", table, "--risk", "0.1")]
    arguments += ["--acceptable", "hter <= 0.1"]
    assert run(lambda: app(["route", "fit", str(data / "q.json"), *arguments], standalone_mode=False)) == 0
    assert "q.json" in capsys.readouterr().out
    expected = fit(data, system, FitOptions("hter <= 0.1", risk=0.1), by="lp").groups
    assert Policy.read(data / "q.json").groups == expected
    assert json.loads((data / "q.json").read_text())["by"] == "lp"


def test_gold_spans(data: Path, system: Path) -> None:
    """The same thresholds follow from spans, of which only the severities count."""
    expected = fit(data, system, FitOptions("hter <= 0.1", risk=0.1)).groups
    lines = (data / "dev.hter").read_text().split()
    spans = ["0\t1\tmajor" if float(line) else "2\t9\tminor" for line in lines]
    (data / "dev.hter").write_text("\n".join(["starts\tends\tseverities", *spans]) + "\n")
    assert fit(data, system, FitOptions("no major", risk=0.1)).groups == expected
    assert fit(data, system, FitOptions("mqm <= 1", risk=0.1)).groups == expected
    assert fit(data, system, FitOptions("no minor", risk=0.1)).groups[""].threshold is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FitOptions("hter <= 0.1", risk=0), "--risk: found 0; expected a number between 0 and 1"),
        (FitOptions("hter <= 0.1", confidence=90), "--confidence: found 90"),
        (FitOptions("hter <= 0.1", step=-1), "--step: found -1"),
        (FitOptions("hter <= 0.1", step=1e-9), "--step: found 990,000,001 thresholds"),
        (FitOptions("bleu >= 1"), "'bleu' is not a measure"),
    ],
)
def test_bad_options(options: FitOptions, message: str, data: Path, system: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(data, system, options)
    assert not (data / "p.json").exists()


def test_bad_data(data: Path, system: Path, plain_system: QESystem) -> None:
    options = FitOptions("hter <= 0.1")
    plain_system.save(data / "unknown")
    with pytest.raises(ConfigError, match="the direction of its scores is not known"):
        fit(data, data / "unknown", options)
    (data / "dev.lp").write_text("a\n" * 110)
    with pytest.raises(DataError, match=r"dev\.lp: found 110 segments; expected 111"):
        fit(data, system, options, by="lp")
    (data / "dev.lp").write_text("a\n" * 100 + "\n" + "a\n" * 10)
    with pytest.raises(DataError, match=r"dev\.lp, line 101: found an empty group"):
        fit(data, system, options, by="lp")
    (data / "dev.hter").write_text("nan\n" * 111)
    with pytest.raises(ConfigError, match="no segment has both"):
        fit(data, system, options)
    (data / "dev.hter").write_text("0\n" * 110 + "x\n")
    with pytest.raises(DataError, match=r"dev\.hter, line 111: found 'x'"):
        fit(data, system, options)


@pytest.mark.parametrize(
    ("meaning", "expected"),
    [
        (ScoreMeaning("hter", False, (0.0, 1.0)), 0.001),
        (ScoreMeaning("da", True, (0.0, 100.0)), 0.1),
        (ScoreMeaning("mqm", False, (0.0, 25.0)), 0.01),
        (ScoreMeaning("da", True, None, 0.0, 0.9), 0.001),
    ],
)
def test_steps(meaning: ScoreMeaning, expected: float) -> None:
    assert default_step(meaning, np.array([0.0, 1.0])) == pytest.approx(expected)
