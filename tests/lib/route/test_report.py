"""``kiwi route report``."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from kiwi.cli import app, run
from kiwi.data.labels.policy import Acceptable, GroupPolicy, Policy
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.route import write_report
from kiwi.lib.route.columns import Column, checksums

POLICY = Policy(
    model="a" * 64,
    score=ScoreMeaning("hter", False, (0.0, 1.0)),
    acceptable=Acceptable("hter", "<=", 0.1),
    risk=0.2,
    confidence=0.9,
    groups={"en-de": GroupPolicy(0.3, "", 4, 2, 1, 0.97), "<b>": GroupPolicy(None, "needs 11 & more", 1)},
    by="lp",
    created="2026-01-31",
    kiwi_version="1",
)
SCORES, GOLD, PAIRS = [0.1, 0.3, 0.5, 0.9, 0.2], [0.0, 0.4, 0.1, 1.0, 0.0], ["en-de"] * 4 + ["<b>"]
TEXTS = ["one", "two words", "and three words", "a b c d", "x"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, values in {"scores": SCORES, "hter": GOLD, "lp": PAIRS, "mt": TEXTS}.items():
        found[name] = tmp_path / f"dev.{name}"
        found[name].write_text("".join(f"{value}\n" for value in values))
    found["policy"] = tmp_path / "p.json"
    found["policy"].write_text(json.dumps(POLICY.to_dict()))
    return found


def report(files: dict[str, Path], *names: str) -> str:
    by = Column(files["lp"]) if "lp" in names else None
    target = Column(files["mt"]) if "mt" in names else None
    output = files["policy"].with_name("r.html")
    columns = Column(files["scores"]), Column(files["hter"])
    return write_report(output, files["policy"], *columns, by=by, target=target, overwrite=True).read_text()


def cells(page: str, row: str) -> list[str]:
    """The cells of the row of a table."""
    found = re.search(rf'<tr><th scope="row">{re.escape(row)}</th>(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    return [unescape(re.sub("<.*?>", "", cell)).strip() for cell in re.findall("<td.*?</td>", found[1], re.DOTALL)]


def test_figures(files: dict[str, Path]) -> None:
    page = report(files, "lp", "mt")
    # 3 of 10 words; one of the two that are approved is not acceptable; their mean HTER is .2.
    assert cells(page, "en-de") == ["4", "at most 0.3", "2 (50.0%)", "30.0%", "1 (50.0%)", "97.0%", "0.2"]
    assert cells(page, "&lt;b&gt;") == ["1", "no threshold: needs 11 & more"]
    assert "<b>" not in page
    points = [json.loads(unescape(text)) for text in re.findall(r'data-points="(.*?)"', page)]
    assert [point[:3] for point in points[1]] == [
        [0.1, 0.25, 0.0],
        [0.3, 0.5, 0.5],
        [0.5, 0.75, 0.3333],
        [0.9, 1.0, 0.5],
    ]
    assert [point[4] for point in points[1]] == [0.1, 0.3, 0.6, 1.0]
    assert re.findall(r'data-start="(\d+)"', page) == ["0", "1"]
    assert "other data than the policy was made on" in page
    assert page.count("<figure>") == 2 + 3  # the group with one segment has no bad one


def test_other_data_than_the_policy_was_made_on(files: dict[str, Path]) -> None:
    """Everything but the threshold and its certificate is counted in the data that are given."""
    groups = {"en-de": GroupPolicy(0.3, "", 400, 200, 1, 0.05), "en-fr": GroupPolicy(0.5, "", 100, 50, 0, 0.04)}
    files["policy"].write_text(json.dumps(replace(POLICY, groups=groups).to_dict()))
    files["lp"].write_text("en-de\n" * 5)
    page = report(files, "lp", "mt")
    assert cells(page, "en-de") == ["5", "at most 0.3", "3 (60.0%)", "36.4%", "1 (33.3%)", "5.0%", "0.1333"]
    assert "No segment here is of en-fr." in page
    assert "counted in other segments than it was made on" in page
    assert re.findall(r'data-start="(\d+)"', page) == ["2"]
    assert "the policy approves 60.0% of the segments" in page
    # A threshold may approve nothing of other data.
    files["scores"].write_text("0.9\n" * 5)
    page = report(files, "lp", "mt")
    assert cells(page, "en-de") == ["5", "at most 0.3", "0 (0.0%)", "0.0%", "0", "5.0%", "–"]
    assert "The policy approves 0.0% of the segments" in page


def test_the_calibration_data_is_known_by_its_content(files: dict[str, Path]) -> None:
    """Files with the same name in different directories are told apart, and renamed ones recognized."""
    gold = files["hter"].parent / "gold" / "dev.scores"
    gold.parent.mkdir()
    files["hter"].rename(gold)
    sums = checksums([files["scores"], gold, files["lp"]])
    assert list(sums) == [str(files["scores"]), str(gold), "dev.lp"]
    files["policy"].write_text(json.dumps(replace(POLICY, notes={"sha256": sums}).to_dict()))
    files["hter"] = gold.rename(gold.with_name("renamed"))
    page = report(files, "lp")
    assert '<td class="left breaks">the calibration data of the policy</td>' in page
    assert "The thresholds were chosen on these segments" in page


def test_flagged_segments_are_not_counted(files: dict[str, Path]) -> None:
    rows = zip(SCORES, GOLD, PAIRS, TEXTS, ["", "numbers tags", "", "", ""], strict=True)
    table = files["policy"].with_name("t.tsv")
    lines = ["sentence_scores\tgold\tlp\ttarget\tflags", *("\t".join(map(str, row)) for row in rows)]
    table.write_text("\n".join(lines) + "\n")
    columns = [Column(table, name) for name in ("sentence_scores", "gold", "lp", "target")]
    output = table.with_name("flagged.html")
    page = write_report(output, files["policy"], *columns[:2], by=columns[2], target=columns[3]).read_text()
    assert cells(page, "en-de") == ["3", "at most 0.3", "1 (33.3%)", "12.5%", "0 (0.0%)", "97.0%", "0"]
    assert "0 without a score or a gold value; 1 with flags" in page


def test_without_words(files: dict[str, Path]) -> None:
    page = report(files, "lp")
    assert cells(page, "en-de")[3] == "–"
    assert page.count("words approved") == 2  # a heading of the table of groups, and its row


def test_one_group_and_higher_scores(files: dict[str, Path]) -> None:
    policy = replace(
        POLICY,
        score=ScoreMeaning("da", True, (0.0, 1.0)),
        acceptable=Acceptable("da", ">=", 0.4),
        groups={"": GroupPolicy(0.5, "", 5, 2, 1, 0.9)},
        by="",
    )
    files["policy"].write_text(json.dumps(policy.to_dict()))
    page = report(files)
    assert cells(page, "all") == ["5", "at least 0.5", "2 (40.0%)", "–", "1 (50.0%)", "90.0%", "0.55"]
    with pytest.raises(ConfigError, match=r"found a policy with no groups\. Leave --by out"):
        report(files, "lp")


def test_withdrawn_groups(files: dict[str, Path]) -> None:
    groups = {**POLICY.groups, "en-de": replace(POLICY.groups["en-de"], withdrawn="3 of 4 & more")}
    files["policy"].write_text(json.dumps(replace(POLICY, groups=groups).to_dict()))
    page = report(files, "lp")
    assert cells(page, "en-de") == ["4", "withdrawn: 3 of 4 & more"]
    assert "the threshold is withdrawn" in page


def test_gold_spans(files: dict[str, Path]) -> None:
    files["policy"].write_text(json.dumps(replace(POLICY, acceptable=Acceptable.parse("no major")).to_dict()))
    files["hter"].write_text("starts\tends\tseverities\n" + "0\t1\tminor\n" * 4 + "0\t1\tcritical\n")
    page = report(files, "lp")
    assert "Acceptable: no major." in page
    assert "mean number of major or worse errors of the approved" in page


def test_bad_input(files: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"found a policy with groups by lp\. Give the groups with --by"):
        report(files)
    files["mt"].write_text("one\n")
    with pytest.raises(DataError, match=r"dev\.mt: found 1 segments; expected 5"):
        report(files, "lp", "mt")
    files["lp"].write_text("en-de\n" * 4 + "en-fr\n")
    with pytest.raises(ConfigError, match="the policy has no lp 'en-fr'; it has en-de, <b>"):
        report(files, "lp")


def test_the_command(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    output = files["policy"].with_name("c.html")
    arguments = ["--policy", str(files["policy"]), "-p", str(files["scores"]), "-g", str(files["hter"])]
    arguments += ["--by", str(files["lp"]), "-t", str(files["mt"])]
    assert run(lambda: app(["route", "report", str(output), *arguments], standalone_mode=False)) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert output.read_text() == report(files, "lp", "mt")
