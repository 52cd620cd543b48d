"""``kiwi route fit``."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiwi.cli import app, run
from kiwi.data.labels.policy import Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.inspect import set_score_of
from kiwi.lib.route import FeedbackInput, FitOptions, fit_policy, update_policy
from kiwi.lib.route.calibration import _check_scores
from kiwi.lib.route.columns import SCORE_COLUMN, Column
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
    groups = ["en-de"] * 100 + ["et-en"] * 10 + ["en-de"]
    for name, values in (("scores", scores), ("hter", gold), ("lp", groups)):
        (tmp_path / f"dev.{name}").write_text("".join(f"{value}\n" for value in values))
    return tmp_path


def fit(
    data: Path, system: Path, options: FitOptions, by: str | None = None, predictions: Column | None = None
) -> Policy:
    column = Column(data / "dev.lp") if by else None
    info = fit_policy(
        data / "p.json",
        system,
        predictions or Column(data / "dev.scores"),
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
    assert list(policy.groups) == ["en-de", "et-en"]
    # With two groups, each has the confidence .95: P(Bin(52, .1) <= 1) = .028, P(Bin(53, .1) <= 2) = .091.
    assert policy.groups["en-de"].errors == 1
    assert policy.groups["et-en"].threshold is None
    assert (
        policy.groups["et-en"].reason
        == "needs 29 approved segments without an error for α=0.1, δ=0.05; there are 10 in all"
    )


@pytest.mark.parametrize(
    ("name", "groups", "kind", "expected"),
    [
        ("a.lp.gz", ["en-de ", "et-en"], "lp", ["en-de", "et-en"]),
        ("pairs.txt", ["en_US-de", "et-en"], "lp", ["en-US-de", "et-en"]),
        ("a.domain", ["en-de", "legal"], "domain", ["en-de", "legal"]),
        ("domains", ["medical", "legal"], "domains", ["legal", "medical"]),
    ],
)
def test_groups_are_language_pairs_by_their_name_or_content(
    data: Path, system: Path, name: str, groups: list[str], kind: str, expected: list[str]
) -> None:
    first, second = (f"{group}\n" for group in groups)
    content = (first * 100 + second * 11).encode()
    (data / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    by = Column.parse(str(data / name), "lp")
    columns = Column(data / "dev.scores"), Column(data / "dev.hter")
    policy = fit_policy(data / "p.json", system, *columns, FitOptions("hter <= 0.1"), by=by).policy
    assert policy.by == kind
    assert sorted(policy.groups) == expected


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("ET-EN", "line 111: found 'ET-EN'; expected two language codes.* Did you mean 'et-en'\\?"),
        ("legal", "line 111: found 'legal'; expected two .*Groups of another kind need another name than lp"),
    ],
)
def test_groups_that_can_be_no_language_pair_are_refused(data: Path, system: Path, group: str, message: str) -> None:
    (data / "dev.lp").write_text("en-de\n" * 110 + f"{group}\n")
    with pytest.raises(DataError, match=message):
        fit(data, system, FitOptions("hter <= 0.1"), by="lp")
    assert not (data / "p.json").exists()


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


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "json", "csv"])
def test_flagged_segments_are_left_out(suffix: str, data: Path, system: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Flagged segments are never approved, so that the risk of the others is certified."""
    caplog.set_level("INFO", "kiwi")
    columns = [(data / f"dev.{name}").read_text().split() for name in ("scores", "hter")]
    flags = [["copied", "numbers"] if number in (51, 52) else [] for number in range(111)]
    names = ["sentence_scores", "gold", "flags"]
    rows = [
        {"sentence_scores": None if score == "nan" else float(score), "gold": float(gold), "flags": own}
        for score, gold, own in zip(*columns, flags, strict=True)
    ]
    content = json.dumps(rows) if suffix == "json" else "".join(json.dumps(row) + "\n" for row in rows)
    if suffix in ("tsv", "csv"):
        comma = "," if suffix == "csv" else "\t"
        cells = [[score, gold, " ".join(own)] for score, gold, own in zip(*columns, flags, strict=True)]
        content = "".join(comma.join(line) + "\n" for line in [names, *cells])
    table = data / f"t.{suffix}"
    table.write_text(content)
    scores, gold = Column(table, "sentence_scores"), Column(table, "gold")
    info = fit_policy(data / "q.json", system, scores, gold, FitOptions("hter <= 0.1"))
    # Without the two first errors, there are 108 segments, of which the best 63 have 2 errors: up to 0.54.
    (group,) = info.policy.groups.values()
    assert (group.segments, group.approved, group.errors, group.threshold) == (108, 63, 2, 0.549)
    assert info.policy.notes["segments_with_flags"] == info.n_flagged == 2
    assert "Left out 2 segments with flags, which are never approved" in caplog.text
    flagged = [{**row, "flags": ["empty"]} for row in rows]
    (data / "all.json").write_text(json.dumps(flagged))
    scores = Column(data / "all.json", "sentence_scores")
    with pytest.raises(DataError, match=r"all\.json: found no segment without flags.*; flagged ones are never approv"):
        fit_policy(data / "r.json", system, scores, gold, FitOptions("hter <= 0.1"))


def test_scores_are_read_as_they_are_written(data: Path, system: Path) -> None:
    """Other files may have more digits than those of kiwi, by which policies decide."""
    expected = fit(data, system, FitOptions("hter <= 0.1"))
    lines = (data / "dev.scores").read_text().split()
    (data / "dev.scores").write_text("".join(f"{float(line) + 4e-7}\n" for line in lines))
    found = fit(data, system, FitOptions("hter <= 0.1", step=0.01))
    assert found.groups[""].approved == expected.groups[""].approved
    assert found.groups[""].threshold == 0.52
    assert found.decide(0.52).decision == "approve"


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
    (data / "dev.lp").write_text("en-de\n" * 110)
    with pytest.raises(DataError, match=r"dev\.lp: found 110 segments; expected 111"):
        fit(data, system, options, by="lp")
    (data / "dev.lp").write_text("en-de\n" * 100 + "\n" + "en-de\n" * 10)
    with pytest.raises(DataError, match=r"dev\.lp, line 101: found an empty group"):
        fit(data, system, options, by="lp")
    (data / "dev.hter").write_text("nan\n" * 111)
    with pytest.raises(DataError, match="found no segment with both a score and a gold value"):
        fit(data, system, options)
    (data / "dev.hter").write_text("0\n" * 110 + "x\n")
    with pytest.raises(DataError, match=r"dev\.hter, line 111: found 'x'"):
        fit(data, system, options)


@pytest.mark.parametrize(
    ("name", "change", "definition", "message"),
    [
        (
            "scores",
            lambda value: 100 * (1 - value),
            "hter <= 0.1",
            "scores from 1 to 100; expected those of the s",
        ),
        ("hter", lambda value: 100 * value, "hter <= 0.1", "HTER from 0 to 100; expected shares.*Divide them by 100"),
        (
            "hter",
            lambda value: value - 0.5,
            "hter <= 0.1",
            "HTER from -0.5 to 0.5; expected HTER, which is not",
        ),
        ("hter", lambda value: 1 - value, "da >= 70", "DA from 0 to 1; expected values on the scale of da >= 70"),
        (
            "hter",
            lambda value: 2 - 4 * value,
            "esa >= 70",
            "ESA from -2 to 2; expected values on the scale of esa",
        ),
        (
            "hter",
            lambda value: 100 - 90 * value,
            "da >= 0.7",
            "DA from 10 to 100; expected values on the scale of da",
        ),
    ],
)
def test_other_scales(
    name: str, change: Callable[[float], float], definition: str, message: str, data: Path, system: Path
) -> None:
    """What is on another scale would approve nothing or, worse, everything."""
    path = data / f"dev.{name}"
    path.write_text("".join(f"{change(float(line))}\n" for line in path.read_text().split()))
    with pytest.raises(DataError, match=message):
        fit(data, system, FitOptions(definition))
    assert not (data / "p.json").exists()


@pytest.mark.parametrize(
    ("title", "name", "is_refused"),
    [
        ("sentence_scores (hter, lower is better)", "sentence_scores", False),
        ("sentence_scores", "sentence_scores", False),
        ("my own (sentence_scores)", "my own (sentence_scores)", False),
        ("sentence_scores (da, higher is better)", "sentence_scores", True),
        ("sentence_scores (0-100, higher is better)", "sentence_scores", True),
        ("mqm_score (mqm, lower is better)", "mqm_score", True),
        ("combined_score (0-100, higher is better)", "combined_score", True),
        ("sentence_scores_deviation", "sentence_scores_deviation", True),
        ("sentence_scores_low", "sentence_scores_low", True),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_columns_that_say_what_they_are(
    title: str, name: str, is_refused: bool, suffix: str, data: Path, system: Path
) -> None:
    path = data / f"dev.{suffix}"
    rows = [["x", score] for score in (data / "dev.scores").read_text().split()]
    with path.open("w", newline="") as file:
        between = "," if suffix == "csv" else "\t"
        csv.writer(file, delimiter=between).writerows([["other (da, higher is better)", title], *rows])
    if not is_refused:
        fit(data, system, FitOptions("hter <= 0.3"), predictions=Column(path, name))
        return
    with pytest.raises(DataError, match="expected the scores of the system, which are HTER, lower is better, 0 to 1"):
        fit(data, system, FitOptions("hter <= 0.3"), predictions=Column(path, name))


def test_columns_in_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a:b").touch()
    assert Column.parse("~/a.tsv:s", "score") == Column(tmp_path / "a.tsv", "s")
    assert Column.parse("~/a:b", "score") == Column(tmp_path / "a:b", "score")
    assert Column.parse("~/a.tsv", "score") == Column(tmp_path / "a.tsv", "score")


def test_scales_of_systems() -> None:
    meaning = ScoreMeaning("da", True, (0.0, 100.0))
    _check_scores(np.array([0.4, 70.0, 101.0]), meaning, Path("p"))
    with pytest.raises(DataError, match=r"found scores from 0\.4 to 0\.9; expected those of the system"):
        _check_scores(np.array([0.4, 0.9]), meaning, Path("p"))
    standardized = ScoreMeaning("da", True, None, 0.1, 0.7)
    _check_scores(np.array([-2.0, 1.0]), standardized, Path("p"))
    with pytest.raises(DataError, match="found scores from 40 to 80"):
        _check_scores(np.array([40.0, 80.0]), standardized, Path("p"))
    _check_scores(np.array([0.1] * 20 + [7.0]), ScoreMeaning("hter", False, (0.0, 1.0)), Path("p"))  # one is no scale


def test_definitions_by_which_all_are_alike(data: Path, system: Path, caplog: pytest.LogCaptureFixture) -> None:
    fit(data, system, FitOptions("hter <= 1"))
    assert "all of the segments (110) are acceptable (hter <= 1): HTER from 0 to 1. Check --acceptable" in caplog.text
    with pytest.raises(ConfigError, match="found 'hter <= 10'; expected a share of words from 0 to 1"):
        fit(data, system, FitOptions("hter <= 10"))


@pytest.mark.parametrize("suffix", ["json", "ndjson", "jsonl", "csv", "semicolons.csv"])
def test_tables_of_other_formats(suffix: str, data: Path, system: Path) -> None:
    """Every format of tables gives the same thresholds; null is a segment without a value."""
    columns = [(data / f"dev.{name}").read_text().split() for name in ("scores", "hter", "lp")]
    rows = [
        {"sentence_scores": None if score == "nan" else float(score), "gold": float(gold), "lp": f"{group} "}
        for score, gold, group in zip(*columns, strict=True)
    ]
    content = json.dumps(rows) if suffix == "json" else "".join(json.dumps(row) + "\n" for row in rows)
    if suffix.endswith("csv"):
        lines = [["" if cell is None else str(cell) for cell in row.values()] for row in rows]
        names = ["sentence_scores (hter, lower is better)", "gold", "lp"]
        if suffix == "csv":
            names[0] = f'"{names[0]}"'
        content = "".join(("," if suffix == "csv" else ";").join(line) + "\n" for line in [names, *lines])
    table = data / f"t.{suffix}"
    table.write_text(content)
    scores, gold, groups = (Column(table, name) for name in ("sentence_scores", "gold", "lp"))
    options = FitOptions("hter <= 0.1", risk=0.1)
    found = fit_policy(data / "q.json", system, scores, gold, options, by=groups)
    assert found.policy.groups == fit(data, system, options, by="lp").groups


def test_files_that_are_no_columns(data: Path, system: Path) -> None:
    table = data / "t.tsv"
    table.write_text("sentence_scores\tgold\tlp\n0.1\t0\ta\n\t0\ta\n0.1\t0\t \n")
    gold = Column(table, "gold")
    with pytest.raises(DataError, match=r"t\.tsv, line 4: found an empty group"):
        fit_policy(
            data / "p.json", system, Column(table, SCORE_COLUMN), gold, FitOptions("hter <= 1"), by=Column(table, "lp")
        )
    for name, advice in (("a.xlf", "kiwi corpus makes lines"), ("a.xlsx", "Save the sheet as CSV")):
        (data / name).write_text("<xliff/>")
        with pytest.raises(ConfigError, match=rf"{name}: found XL.*; expected one value per line, or a.*{advice}"):
            fit_policy(data / "p.json", system, Column(data / name), gold, FitOptions("hter <= 1"))
    (data / "long").write_text(f"{'x' * 200}\n")
    with pytest.raises(DataError, match=f"line 1: found '{'x' * 60}'; expected a finite number"):
        fit_policy(data / "p.json", system, Column(data / "long"), gold, FitOptions("hter <= 1"))


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


def test_policies_with_feedback(data: Path, system: Path) -> None:
    """Feedback is not lost, and the data that it has refuted does not bring a withdrawn threshold back."""
    place, scores, gold = data / "p.json", Column(data / "dev.scores"), Column(data / "dev.hter")

    def fit_again(*, overwrite: bool = False, by: Column | None = None) -> Policy:
        return fit_policy(place, system, scores, gold, FitOptions("hter <= 0.1"), by=by, overwrite=overwrite).policy

    def add_feedback(n_edited: int) -> None:
        rows = [
            f"s {i}\teins zwei {i}\t{'ganz anders' if i < n_edited else f'eins zwei {i}'}\treview\taudit"
            for i in range(30)
        ]
        header = "source\ttarget\tpost_edit\tdecision\tdecision_reason"
        (data / "f.tsv").write_text("\n".join([header, *rows]) + "\n")
        update_policy(place, FeedbackInput(data / "f.tsv"))

    def check_refused(message: str, **how: Any) -> None:
        before = place.read_bytes()
        with pytest.raises(ConfigError, match=rf"p\.json: found a policy with {message}"):
            fit_again(**how)
        assert place.read_bytes() == before

    fit_again()
    add_feedback(0)
    same = "made from the same scores and gold values; expected new data"
    for overwrite in (False, True):
        check_refused(f"feedback, {same}.* Give new data, or choose another place", overwrite=overwrite)
    (data / "dev.hter").write_text((data / "dev.hter").read_text() + "0\n")
    scores.path.write_text(scores.path.read_text() + "0\n")
    check_refused(r"feedback; its feedback would be lost.* or allow it with --overwrite\.")
    assert not fit_again(overwrite=True).feedback
    add_feedback(20)
    with pytest.raises(ConfigError, match=r"withdrawn: 20 of 30 .* Make the policy again with new data: kiwi route"):
        Policy.read(place).check_in_force(place)
    scores.path.rename(data / "renamed.scores")
    scores, by = Column(data / "renamed.scores"), Column(data / "dev.lp")
    by.path.write_text(by.path.read_text() + "en-de\n")
    for how in ({}, {"overwrite": True}, {"overwrite": True, "by": by}):
        check_refused(rf"a withdrawn threshold, {same}.* Give new data\.", **how)
    gold.path.write_text(gold.path.read_text().replace("1.0", "0.5", 1))
    check_refused("a withdrawn threshold; its feedback would be lost")
    assert not fit_again(overwrite=True).is_withdrawn
